//! The API for partners, `sso.v1` (contract `enter.md`, section 3): which methods there are, their messages, and how
//! they are refused. The same messages come as gRPC and as JSON; [`json`] reads and writes the latter, and
//! `sdk/proto/sso/v1/sso.proto` has the same names.

mod admin;
mod entry;
pub mod json;
mod listing;
mod refused;
mod standing;

pub use admin::*;
pub use entry::*;
pub use listing::{Page, check_revision, page_token, revision};
pub use refused::{Code, Refused};
pub use standing::{check_active, check_caller, check_vouching};

use crate::service_account::Scope;

/// The methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    GetEntryUrl,
    GetEntryUrlWithCode,
    GetMultiEntryUrl,
    Logout,
    GetSessionTransferUrl,
    GetLogoutUrl,
    CreateServiceProvider,
    GetServiceProvider,
    ListServiceProviders,
    UpdateServiceProvider,
    DeleteServiceProvider,
    CreateClient,
    GetClient,
    ListClients,
    UpdateClient,
    DeleteClient,
    CreateClientSecret,
    CreateIdentityProvider,
    GetIdentityProvider,
    ListIdentityProviders,
    UpdateIdentityProvider,
    DeleteIdentityProvider,
}

impl Method {
    pub const ALL: [Self; 22] = [
        Self::GetEntryUrl,
        Self::GetEntryUrlWithCode,
        Self::GetMultiEntryUrl,
        Self::Logout,
        Self::GetSessionTransferUrl,
        Self::GetLogoutUrl,
        Self::CreateServiceProvider,
        Self::GetServiceProvider,
        Self::ListServiceProviders,
        Self::UpdateServiceProvider,
        Self::DeleteServiceProvider,
        Self::CreateClient,
        Self::GetClient,
        Self::ListClients,
        Self::UpdateClient,
        Self::DeleteClient,
        Self::CreateClientSecret,
        Self::CreateIdentityProvider,
        Self::GetIdentityProvider,
        Self::ListIdentityProviders,
        Self::UpdateIdentityProvider,
        Self::DeleteIdentityProvider,
    ];

    /// Service and method as the path has them: `/sso.v1.IdentityProvider/GetEntryURL`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::GetEntryUrl => "/sso.v1.IdentityProvider/GetEntryURL",
            Self::GetEntryUrlWithCode => "/sso.v1.IdentityProvider/GetEntryURLWithCode",
            Self::GetMultiEntryUrl => "/sso.v1.IdentityProvider/GetMultiEntryURL",
            Self::Logout => "/sso.v1.IdentityProvider/Logout",
            Self::GetSessionTransferUrl => "/sso.v1.ServiceProvider/GetSessionTransferURL",
            Self::GetLogoutUrl => "/sso.v1.ServiceProvider/GetLogoutURL",
            Self::CreateServiceProvider => "/sso.v1.ServiceProviderAdmin/CreateServiceProvider",
            Self::GetServiceProvider => "/sso.v1.ServiceProviderAdmin/GetServiceProvider",
            Self::ListServiceProviders => "/sso.v1.ServiceProviderAdmin/ListServiceProviders",
            Self::UpdateServiceProvider => "/sso.v1.ServiceProviderAdmin/UpdateServiceProvider",
            Self::DeleteServiceProvider => "/sso.v1.ServiceProviderAdmin/DeleteServiceProvider",
            Self::CreateClient => "/sso.v1.ServiceProviderAdmin/CreateClient",
            Self::GetClient => "/sso.v1.ServiceProviderAdmin/GetClient",
            Self::ListClients => "/sso.v1.ServiceProviderAdmin/ListClients",
            Self::UpdateClient => "/sso.v1.ServiceProviderAdmin/UpdateClient",
            Self::DeleteClient => "/sso.v1.ServiceProviderAdmin/DeleteClient",
            Self::CreateClientSecret => "/sso.v1.ServiceProviderAdmin/CreateClientSecret",
            Self::CreateIdentityProvider => "/sso.v1.IdentityProviderAdmin/CreateIdentityProvider",
            Self::GetIdentityProvider => "/sso.v1.IdentityProviderAdmin/GetIdentityProvider",
            Self::ListIdentityProviders => "/sso.v1.IdentityProviderAdmin/ListIdentityProviders",
            Self::UpdateIdentityProvider => "/sso.v1.IdentityProviderAdmin/UpdateIdentityProvider",
            Self::DeleteIdentityProvider => "/sso.v1.IdentityProviderAdmin/DeleteIdentityProvider",
        }
    }

    pub fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.path() == path)
    }

    /// What a token needs to call it; without it the answer is code 7.
    pub const fn scope(self) -> Scope {
        match self {
            Self::GetEntryUrl
            | Self::GetEntryUrlWithCode
            | Self::GetMultiEntryUrl
            | Self::GetSessionTransferUrl
            | Self::GetLogoutUrl => Scope::Entry,
            Self::Logout => Scope::Logout,
            Self::GetServiceProvider | Self::ListServiceProviders | Self::GetClient | Self::ListClients => {
                Scope::AppsRead
            }
            Self::CreateServiceProvider
            | Self::UpdateServiceProvider
            | Self::DeleteServiceProvider
            | Self::CreateClient
            | Self::UpdateClient
            | Self::DeleteClient
            | Self::CreateClientSecret => Scope::AppsWrite,
            Self::GetIdentityProvider | Self::ListIdentityProviders => Scope::PartnerRead,
            Self::CreateIdentityProvider | Self::UpdateIdentityProvider | Self::DeleteIdentityProvider => {
                Scope::PartnerWrite
            }
        }
    }
}

/// How a call was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Json,
    Grpc,
}

impl Encoding {
    /// By the content type; a missing one means JSON, as SDKs in the field send it. `None` for what is neither.
    pub fn of(content_type: Option<&str>) -> Option<Self> {
        let Some(text) = content_type else { return Some(Self::Json) };
        let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "" | "application/json" | "text/json" => Some(Self::Json),
            "application/grpc" | "application/grpc+proto" => Some(Self::Grpc),
            _ => None,
        }
    }
}
