//! The messages of `IdentityProvider` and `ServiceProvider`, and what they ask for once they are checked.

use super::json::{Field, Members, Name, message};
use super::{Code, Refused};
use crate::account::{Account, Identity, PartnerUserId};
use crate::app::{App, BackUrl};
use crate::context::ServiceContext;
use crate::entry::{NextUrl, Order, Who};
use crate::ids::{AccountId, AppId, PartnerId};
use crate::partner::Partner;
use kernel::SafeUrl;
use serde_json::{Map, Value, json};

/// How many apps one call may ask for.
pub const MULTI_MOST: usize = 100;
/// The longest partner's session id, in bytes.
const SESSION_ID_MOST: usize = 255;
/// The longest text of a back button and name of an identity provider, in characters.
const TEXT_MOST: usize = 255;
/// The longest address of a user (RFC 5321 allows 64 and 255 bytes around the `@`).
const EMAIL_MOST: usize = 320;

/// `ServiceContext`: what an entry is for, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Context {
    #[default]
    Unset,
    Account(String),
    Partner(String),
    SuperAdmin,
}

message! { /// `ServiceContext.Account`.
AccountContext { account_id: String, } }
message! { /// `ServiceContext.Partner`.
PartnerContext { partner_id: String, } }
message! { /// `ServiceContext.SuperAdmin`, and `google.protobuf.Empty`.
Empty {} }

impl Field for Context {
    fn read(value: &Value, name: &Name<'_>) -> Result<Self, Refused> {
        let members = Members::of(value, name)?;
        let account: Option<AccountContext> = members.field("account", name)?;
        let partner: Option<PartnerContext> = members.field("partner", name)?;
        let top = name.within("super_admin");
        // The published clients do not agree on this one's spelling.
        let top = members.get(&["super_admin", "superadmin"], &top)?.map(|value| Empty::read(value, &top));
        match (account, partner, top.transpose()?) {
            (None, None, None) => Ok(Self::Unset),
            (Some(account), None, None) => Ok(Self::Account(account.account_id)),
            (None, Some(partner), None) => Ok(Self::Partner(partner.partner_id)),
            (None, None, Some(_)) => Ok(Self::SuperAdmin),
            _ => Err(name.refused("send one of account, partner and super_admin, not several")),
        }
    }

    fn write(&self) -> Option<Value> {
        match self {
            Self::Unset => None,
            Self::Account(id) => Some(json!({ "account": { "accountId": id } })),
            Self::Partner(id) => Some(json!({ "partner": { "partnerId": id } })),
            Self::SuperAdmin => Some(json!({ "superAdmin": Map::new() })),
        }
    }
}

impl Context {
    /// # Errors
    /// Code 3 where it is missing or malformed, code 7 for `super_admin`.
    pub fn check(&self) -> Result<ServiceContext, Refused> {
        match self {
            Self::Unset => Err(Refused::field("context", "missing; send an account or a partner")),
            Self::SuperAdmin => {
                Err(Refused::new(Code::PermissionDenied, "context: super_admin is not open to anybody"))
            }
            Self::Account(id) => {
                read_id("context.account.account_id", id, AccountId::parse).map(ServiceContext::Account)
            }
            Self::Partner(id) => {
                read_id("context.partner.partner_id", id, PartnerId::parse).map(ServiceContext::Partner)
            }
        }
    }
}

/// Checks that the context is the calling partner's own. `account` was looked up by the context's id.
///
/// Decision: an account of another partner is answered as one that does not exist, so that nobody can try out
/// other partners' accounts (contract `enter.md`, section 1).
///
/// # Errors
/// Code 5, 7 or 9.
pub fn check_own(
    context: &ServiceContext,
    partner: &Partner,
    account: Option<&Account>,
) -> Result<(), Refused> {
    match context {
        ServiceContext::SuperAdmin => {
            Err(Refused::new(Code::PermissionDenied, "context: super_admin is not open to anybody"))
        }
        ServiceContext::Partner(id) if *id == partner.id => Ok(()),
        ServiceContext::Partner(_) => {
            Err(Refused::new(Code::PermissionDenied, "context.partner.partner_id: send your own partner_id"))
        }
        ServiceContext::Account(id) => {
            let own = account.filter(|account| account.id == *id && account.partner == partner.id);
            let own = own.ok_or_else(|| {
                Refused::not_found(
                    "context.account.account_id",
                    "no account of yours has this id; create it first",
                )
            })?;
            if own.disabled.is_none() {
                return Ok(());
            }
            Err(Refused::new(
                Code::FailedPrecondition,
                "context.account.account_id: this account is switched off",
            ))
        }
    }
}

/// Reads a required id.
pub(super) fn read_id<T, E: std::fmt::Display>(
    field: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Refused> {
    if text.is_empty() {
        return Err(Refused::field(field, "missing"));
    }
    parse(text).map_err(|why| Refused::field(field, why))
}

/// A text of at most `most` characters without control characters; empty counts as unset.
pub(super) fn short_text(field: &str, text: &str, most: usize) -> Result<Option<String>, Refused> {
    if text.chars().count() > most || text.chars().any(char::is_control) {
        let what = format!("must have at most {most} characters and no control character");
        return Err(Refused::field(field, what));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

message! { GetEntryUrlRequest {
    service_provider_id: String,
    context: Context,
    path: String,
    skip_gateway_authentication: bool,
} }
message! { GetEntryUrlResponse { entry_url: String, } }
message! { GetEntryUrlWithCodeRequest {
    service_provider_id: String,
    session_id: String,
    user_id: String,
    email: String,
    context: Context,
    next_url: String,
    back_url: String,
    back_url_text: String,
    federated_identity_provider: String,
    impersonator_user_id: String,
} }
message! { GetEntryUrlWithCodeResponse { entry_url: String, } }
message! { GetMultiEntryUrlRequest { service_provider_ids: Vec<String>, context: Context, } }
message! { GetMultiEntryUrlResponse { entry_urls: Vec<String>, } }
message! { LogoutRequest { session_id: String, user_id: String, } }
message! { GetSessionTransferUrlRequest { service_provider_id: String, context: Context, } }
message! { GetSessionTransferUrlResponse { session_transfer_url: String, } }
message! { GetLogoutUrlRequest { service_provider_id: String, next_url: String, } }
message! { GetLogoutUrlResponse { logout_url: String, } }

/// For which app and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub app: AppId,
    pub context: ServiceContext,
}

fn target(app: &str, context: &Context) -> Result<Target, Refused> {
    Ok(Target { app: read_id("service_provider_id", app, AppId::parse)?, context: context.check()? })
}

/// An app that is there and switched on, or the refusal that names the field.
///
/// # Errors
/// Code 5, 9.
pub fn check_app<'a>(field: &str, app: Option<&'a App>) -> Result<&'a App, Refused> {
    let app = app.ok_or_else(|| Refused::not_found(field, "no app has this id"))?;
    if app.disabled.is_none() {
        return Ok(app);
    }
    Err(Refused::new(Code::FailedPrecondition, format!("{field}: this app is switched off")))
}

/// The permalink of an app: its entry URL with the account filled in, or `path` at the entry URL's host. It holds no
/// code: whoever follows it comes to the app's own door.
///
/// # Errors
/// Code 3 for a path that leads elsewhere, and where the app needs an account.
pub fn entry_url(
    app: &App,
    context: &ServiceContext,
    partner: &PartnerId,
    path: &str,
) -> Result<String, Refused> {
    let account = match context {
        ServiceContext::Account(account) => Some(account),
        ServiceContext::Partner(_) | ServiceContext::SuperAdmin => None,
    };
    if path.is_empty() {
        let url = app.entry.filled(account).map_err(|why| Refused::field("context", why))?;
        return Ok(url.as_str().to_owned());
    }
    let url = app.link(path, account, partner).map_err(|why| Refused::field("path", why))?;
    Ok(url.as_str().to_owned())
}

impl GetEntryUrlRequest {
    /// # Errors
    /// Code 3, 7.
    pub fn check(&self) -> Result<Target, Refused> {
        target(&self.service_provider_id, &self.context)
    }
}

impl GetSessionTransferUrlRequest {
    /// # Errors
    /// Code 3, 7.
    pub fn check(&self) -> Result<Target, Refused> {
        target(&self.service_provider_id, &self.context)
    }
}

impl GetMultiEntryUrlRequest {
    /// The apps in the order asked, and the context, which only some entry URLs need.
    ///
    /// # Errors
    /// Code 3, 7.
    pub fn check(&self) -> Result<(Vec<AppId>, Option<ServiceContext>), Refused> {
        let field = "service_provider_ids";
        if self.service_provider_ids.is_empty() || self.service_provider_ids.len() > MULTI_MOST {
            return Err(Refused::field(field, format!("send 1 to {MULTI_MOST} ids")));
        }
        let apps = self.service_provider_ids.iter().map(|id| read_id(field, id, AppId::parse));
        let context = match self.context {
            Context::Unset => None,
            _ => Some(self.context.check()?),
        };
        Ok((apps.collect::<Result<_, _>>()?, context))
    }
}

impl GetEntryUrlWithCodeRequest {
    /// # Errors
    /// Code 3, 7.
    pub fn check(&self) -> Result<Target, Refused> {
        if self.session_id.len() > SESSION_ID_MOST || self.session_id.chars().any(char::is_control) {
            let what = format!("must have at most {SESSION_ID_MOST} bytes and no control character");
            return Err(Refused::field("session_id", what));
        }
        short_text("email", &self.email, EMAIL_MOST)?;
        target(&self.service_provider_id, &self.context)
    }

    /// Whom the partner means.
    ///
    /// # Errors
    /// Code 3.
    pub fn who(&self, partner: &Partner) -> Result<Who, Refused> {
        Who::read(Some(&self.user_id), Some(&self.email), partner)
            .map_err(|why| Refused::new(Code::InvalidArgument, why.to_string()))
    }

    /// What the code is to be made for. A `back_url` that leads elsewhere is dropped, not refused; the order says
    /// why, for the record.
    ///
    /// # Errors
    /// Code 3 for a `next_url` that is not the app's, and for texts of a wrong form.
    pub fn order(
        &self,
        target: Target,
        identity: Identity,
        partner: &Partner,
        app: &App,
        issuer: &SafeUrl,
    ) -> Result<Order, Refused> {
        let next_url = NextUrl::read(Some(&self.next_url), issuer, app);
        let impersonator = Some(&self.impersonator_user_id).filter(|id| !id.is_empty());
        let impersonator = impersonator.map(|id| PartnerUserId::parse(id)).transpose();
        Ok(Order {
            identity,
            email: short_text("email", &self.email, EMAIL_MOST)?,
            app: target.app,
            context: target.context,
            partner_session: self.session_id.clone(),
            next_url: next_url.map_err(|why| Refused::field("next_url", why))?,
            back_url: BackUrl::judge(Some(&self.back_url), &partner.domains(), &app.domains()),
            back_url_text: short_text("back_url_text", &self.back_url_text, TEXT_MOST)?,
            federated_identity_provider: short_text(
                "federated_identity_provider",
                &self.federated_identity_provider,
                TEXT_MOST,
            )?,
            impersonator: impersonator.map_err(|why| Refused::field("impersonator_user_id", why))?,
        })
    }
}

/// Whose sessions end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaving {
    /// What the partner calls its session.
    Session(String),
    User(PartnerUserId),
}

impl LogoutRequest {
    /// # Errors
    /// Code 3 unless exactly one is set.
    pub fn check(&self) -> Result<Leaving, Refused> {
        match (self.session_id.is_empty(), self.user_id.is_empty()) {
            (false, true) => Ok(Leaving::Session(self.session_id.clone())),
            (true, false) => read_id("user_id", &self.user_id, PartnerUserId::parse).map(Leaving::User),
            (true, true) => Err(Refused::field("session_id", "missing; send session_id or user_id")),
            (false, false) => Err(Refused::field("session_id", "send session_id or user_id, not both")),
        }
    }
}

impl GetLogoutUrlRequest {
    /// # Errors
    /// Code 3.
    pub fn check(&self) -> Result<AppId, Refused> {
        read_id("service_provider_id", &self.service_provider_id, AppId::parse)
    }

    /// Where the browser goes afterwards, at one of the app's domains.
    ///
    /// # Errors
    /// Code 3.
    pub fn next(&self, app: &App) -> Result<Option<String>, Refused> {
        let next = Some(self.next_url.as_str()).filter(|next| !next.is_empty());
        let url = next.map(|next| app.own_url(next)).transpose();
        Ok(url.map_err(|why| Refused::field("next_url", why))?.map(|url| url.as_str().to_owned()))
    }
}
