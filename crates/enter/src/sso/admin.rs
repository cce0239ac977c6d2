//! The messages of `ServiceProviderAdmin` and `IdentityProviderAdmin`, and the records that they make.

use super::entry::{read_id, short_text};
use super::json::message;
use super::{Refused, revision};
use crate::app::{App, EntryTemplate, SignIn};
use crate::domain::{Domain, DomainRefused};
use crate::ids::{AppId, PartnerId};
use crate::oidc::registration::{Metadata, MetadataRefused, Registered};
use crate::oidc::{Authentication, Client, ClientKeys, registration};
use crate::partner::{Partner, TransferUrl};
use kernel::ids::OrganizationId;
use kernel::{Environment, SafeUrl, Time};
use serde_json::{Value, json};

/// The longest name of an app, a client or a partner, in characters.
const NAME_MOST: usize = 200;
/// How many further domains an app or a partner may have.
const DOMAINS_MOST: usize = 50;

message! { /// `ServiceProviderConfiguration.OpenIdConnect`.
OpenIdConnect { initiate_login_uri: String, } }
message! { /// `ServiceProviderConfiguration.SessionUrl`.
SessionUrl { session_url: String, } }
message! { ServiceProviderConfiguration {
    service_provider_id: String,
    name: String,
    entry_url: String,
    primary_domain: String,
    alternative_domains: Vec<String>,
    logout_url: String,
    open_id_connect: Option<OpenIdConnect>,
    session_url: Option<SessionUrl>,
    pre_approved_scopes: Vec<String>,
    disabled: bool,
    revision: String,
    open_to_all: bool,
} }
message! { CreateServiceProviderRequest { service_provider: ServiceProviderConfiguration, } }
message! { GetServiceProviderRequest { service_provider_id: String, } }
message! { ListServiceProvidersRequest { page_size: i32, page_token: String, } }
message! { ListServiceProvidersResponse {
    service_providers: Vec<ServiceProviderConfiguration>,
    next_page_token: String,
} }
message! { UpdateServiceProviderRequest { service_provider: ServiceProviderConfiguration, } }
message! { /// Also the answers of Create and Update, which have the same one field.
GetServiceProviderResponse { service_provider: ServiceProviderConfiguration, } }
message! { DeleteServiceProviderRequest { service_provider_id: String, } }

message! { /// `Client`: metadata of an OpenID Connect client.
ClientConfiguration {
    client_id: String,
    service_provider_id: String,
    application_type: String,
    token_endpoint_auth_method: String,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    scopes: Vec<String>,
    jwks: String,
    jwks_uri: String,
    id_token_signed_response_alg: String,
    backchannel_logout_uri: String,
    refresh_forgiveness: Option<bool>,
    disabled: bool,
    revision: String,
    name: String,
    token_endpoint_auth_signing_alg: String,
} }
message! { CreateClientRequest { client: ClientConfiguration, } }
message! { CreateClientResponse { client: ClientConfiguration, client_secret: String, } }
message! { GetClientRequest { client_id: String, } }
message! { /// Also the answer of Update, which has the same one field.
GetClientResponse { client: ClientConfiguration, } }
message! { ListClientsRequest { service_provider_id: String, page_size: i32, page_token: String, } }
message! { ListClientsResponse { clients: Vec<ClientConfiguration>, next_page_token: String, } }
message! { UpdateClientRequest { client: ClientConfiguration, } }
message! { DeleteClientRequest { client_id: String, } }
message! { CreateClientSecretRequest { client_id: String, } }
message! { CreateClientSecretResponse { client_secret: String, } }

message! { IdentityProviderConfiguration {
    partner_id: String,
    session_transfer_url: String,
    domains: Vec<String>,
    just_in_time: bool,
    disabled: bool,
    revision: String,
    name: String,
} }
message! { CreateIdentityProviderRequest { identity_provider: IdentityProviderConfiguration, } }
message! { GetIdentityProviderRequest { partner_id: String, } }
message! { /// Also the answers of Create and Update, which have the same one field.
GetIdentityProviderResponse { identity_provider: IdentityProviderConfiguration, } }
message! { ListIdentityProvidersRequest { page_size: i32, page_token: String, } }
message! { ListIdentityProvidersResponse {
    identity_providers: Vec<IdentityProviderConfiguration>,
    next_page_token: String,
} }
message! { UpdateIdentityProviderRequest { identity_provider: IdentityProviderConfiguration, } }
message! { DeleteIdentityProviderRequest { partner_id: String, } }

fn domains(field: &str, texts: &[String]) -> Result<Vec<Domain>, Refused> {
    if texts.len() > DOMAINS_MOST {
        return Err(Refused::field(field, format!("must be at most {DOMAINS_MOST}")));
    }
    let read: Result<Vec<Domain>, DomainRefused> = texts.iter().map(|text| Domain::parse(text)).collect();
    read.map_err(|why| Refused::field(field, why))
}

fn name(field: &str, text: &str) -> Result<String, Refused> {
    short_text(field, text, NAME_MOST)?.ok_or_else(|| Refused::field(field, "missing"))
}

fn url(field: &str, text: &str) -> Result<Option<SafeUrl>, Refused> {
    let given = Some(text).filter(|text| !text.is_empty());
    given.map(SafeUrl::parse).transpose().map_err(|why| Refused::field(field, why))
}

/// When a record was switched off: the moment stays where it was off before.
fn switched(disabled: bool, before: Option<Time>, now: Time) -> Option<Time> {
    disabled.then(|| before.unwrap_or(now))
}

impl ServiceProviderConfiguration {
    /// The id that a Create asks for; `None` where the gateway is to make one.
    ///
    /// # Errors
    /// Code 3.
    pub fn wanted_id(&self) -> Result<Option<AppId>, Refused> {
        let field = "service_provider.service_provider_id";
        let given = Some(&self.service_provider_id).filter(|id| !id.is_empty());
        given.map(|id| read_id(field, id, AppId::parse)).transpose()
    }

    /// The app that this makes. `before` is what an update replaces.
    ///
    /// # Errors
    /// Code 3.
    pub fn check(
        &self,
        id: AppId,
        organization: OrganizationId,
        environment: Environment,
        before: Option<&App>,
        now: Time,
    ) -> Result<App, Refused> {
        let primary = Domain::parse(&self.primary_domain);
        let primary = primary.map_err(|why| Refused::field("service_provider.primary_domain", why))?;
        let more = domains("service_provider.alternative_domains", &self.alternative_domains)?;
        let all: Vec<Domain> = std::iter::once(primary.clone()).chain(more.iter().cloned()).collect();
        let entry = EntryTemplate::register(&self.entry_url, &all);
        let strange =
            self.pre_approved_scopes.iter().find(|one| !registration::SCOPES.contains(&one.as_str()));
        if strange.is_some() {
            let what = format!("known are {}", registration::SCOPES.join(", "));
            return Err(Refused::field("service_provider.pre_approved_scopes", what));
        }
        Ok(App {
            id,
            organization,
            environment,
            name: name("service_provider.name", &self.name)?,
            entry: entry.map_err(|why| Refused::field("service_provider.entry_url", why))?,
            primary_domain: primary,
            more_domains: more,
            logout_url: url("service_provider.logout_url", &self.logout_url)?,
            sign_in: self.sign_in()?,
            pre_approved_scopes: self.pre_approved_scopes.clone(),
            open_to_all: self.open_to_all,
            disabled: switched(self.disabled, before.and_then(|before| before.disabled), now),
        })
    }

    fn sign_in(&self) -> Result<SignIn, Refused> {
        match (&self.open_id_connect, &self.session_url) {
            (Some(_), Some(_)) => Err(Refused::field(
                "service_provider.session_url",
                "send open_id_connect or session_url, not both",
            )),
            (None, Some(older)) => {
                let field = "service_provider.session_url.session_url";
                let url = url(field, &older.session_url)?.ok_or_else(|| Refused::field(field, "missing"))?;
                Ok(SignIn::SessionUrl(url))
            }
            (own, None) => {
                let field = "service_provider.open_id_connect.initiate_login_uri";
                let uri = own.as_ref().map_or("", |own| &own.initiate_login_uri);
                Ok(SignIn::OpenIdConnect { initiate_login_uri: url(field, uri)? })
            }
        }
    }

    /// What an answer shows of an app.
    pub fn of(app: &App, modified: Time) -> Self {
        let text =
            |url: &Option<SafeUrl>| url.as_ref().map_or_else(String::new, |url| url.as_str().to_owned());
        let (open_id_connect, session_url) = match &app.sign_in {
            SignIn::OpenIdConnect { initiate_login_uri } => {
                (Some(OpenIdConnect { initiate_login_uri: text(initiate_login_uri) }), None)
            }
            SignIn::SessionUrl(url) => (None, Some(SessionUrl { session_url: url.as_str().to_owned() })),
        };
        Self {
            service_provider_id: app.id.as_str().to_owned(),
            name: app.name.clone(),
            entry_url: app.entry.as_str().to_owned(),
            primary_domain: app.primary_domain.as_str().to_owned(),
            alternative_domains: app.more_domains.iter().map(|domain| domain.as_str().to_owned()).collect(),
            logout_url: text(&app.logout_url),
            open_id_connect,
            session_url,
            pre_approved_scopes: app.pre_approved_scopes.clone(),
            disabled: app.disabled.is_some(),
            revision: revision(modified),
            open_to_all: app.open_to_all,
        }
    }
}

impl ClientConfiguration {
    /// What this registers, and the client's name.
    ///
    /// # Errors
    /// Code 3.
    pub fn check(&self) -> Result<(Registered, String), Refused> {
        let metadata = Metadata {
            application_type: self.application_type.clone(),
            token_endpoint_auth_method: self.token_endpoint_auth_method.clone(),
            token_endpoint_auth_signing_alg: self.token_endpoint_auth_signing_alg.clone(),
            redirect_uris: self.redirect_uris.clone(),
            post_logout_redirect_uris: self.post_logout_redirect_uris.clone(),
            scopes: self.scopes.clone(),
            jwks: self.jwks.clone(),
            jwks_uri: self.jwks_uri.clone(),
            id_token_signed_response_alg: self.id_token_signed_response_alg.clone(),
            backchannel_logout_uri: self.backchannel_logout_uri.clone(),
            refresh_forgiveness: self.refresh_forgiveness,
        };
        let at = |why: MetadataRefused| Refused::field(&format!("client.{}", why.field), why.what);
        let name = short_text("client.name", &self.name, NAME_MOST)?.unwrap_or_default();
        Ok((metadata.check().map_err(at)?, name))
    }

    /// What an answer shows of a client: never a secret, nor the hash of one.
    pub fn of(client: &Client, name: &str, modified: Time) -> Self {
        let texts =
            |uris: &[crate::app::RedirectUri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect();
        let (method, algorithm, jwks, jwks_uri) = match &client.authentication {
            Authentication::None => ("none", "", String::new(), String::new()),
            Authentication::Secret(_) => ("client_secret_basic", "", String::new(), String::new()),
            Authentication::PrivateKeyJwt { algorithm, keys: ClientKeys::Registered(keys) } => {
                let keys: Vec<Value> = keys.iter().filter_map(|key| serde_json::from_str(key).ok()).collect();
                ("private_key_jwt", algorithm.as_str(), json!({ "keys": keys }).to_string(), String::new())
            }
            Authentication::PrivateKeyJwt { algorithm, keys: ClientKeys::Published(url) } => {
                ("private_key_jwt", algorithm.as_str(), String::new(), url.as_str().to_owned())
            }
        };
        Self {
            client_id: client.id.as_str().to_owned(),
            service_provider_id: client.app.as_str().to_owned(),
            application_type: client.kind.as_str().to_owned(),
            token_endpoint_auth_method: method.to_owned(),
            redirect_uris: texts(&client.redirect_uris),
            post_logout_redirect_uris: texts(&client.post_logout_redirect_uris),
            scopes: client.scopes.clone(),
            jwks,
            jwks_uri,
            id_token_signed_response_alg: client.id_token_algorithm.as_str().to_owned(),
            backchannel_logout_uri: client
                .backchannel_logout_uri
                .as_ref()
                .map_or_else(String::new, |url| url.as_str().to_owned()),
            refresh_forgiveness: Some(client.forgiveness),
            disabled: client.disabled.is_some(),
            revision: revision(modified),
            name: name.to_owned(),
            token_endpoint_auth_signing_alg: algorithm.to_owned(),
        }
    }

    /// When the client is switched off by this update.
    pub fn disabled_at(&self, before: Option<Time>, now: Time) -> Option<Time> {
        switched(self.disabled, before, now)
    }
}

impl IdentityProviderConfiguration {
    /// The id that a Create asks for; `None` where the gateway is to make one.
    ///
    /// # Errors
    /// Code 3.
    pub fn wanted_id(&self) -> Result<Option<PartnerId>, Refused> {
        let given = Some(&self.partner_id).filter(|id| !id.is_empty());
        given.map(|id| read_id("identity_provider.partner_id", id, PartnerId::parse)).transpose()
    }

    /// The partner that this makes. `before` is what an update replaces.
    ///
    /// # Errors
    /// Code 3.
    pub fn check(
        &self,
        id: PartnerId,
        organization: OrganizationId,
        environment: Environment,
        before: Option<&Partner>,
        now: Time,
    ) -> Result<Partner, Refused> {
        let transfer = TransferUrl::parse(&self.session_transfer_url);
        Ok(Partner {
            id,
            organization,
            environment,
            name: name("identity_provider.name", &self.name)?,
            transfer: transfer
                .map_err(|why| Refused::field("identity_provider.session_transfer_url", why))?,
            more_domains: domains("identity_provider.domains", &self.domains)?,
            just_in_time: self.just_in_time,
            disabled: switched(self.disabled, before.and_then(|before| before.disabled), now),
        })
    }

    /// What an answer shows of a partner.
    pub fn of(partner: &Partner, modified: Time) -> Self {
        Self {
            partner_id: partner.id.as_str().to_owned(),
            session_transfer_url: partner.transfer.url().as_str().to_owned(),
            domains: partner.more_domains.iter().map(|domain| domain.as_str().to_owned()).collect(),
            just_in_time: partner.just_in_time,
            disabled: partner.disabled.is_some(),
            revision: revision(modified),
            name: partner.name.clone(),
        }
    }
}
