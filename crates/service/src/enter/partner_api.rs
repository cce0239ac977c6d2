//! Calls of `sso.v1`: who makes them, how they end, and what is recorded (contract `enter.md`, section 3).

use super::grant::TokenHolder;
use super::refuse::Denial;
use super::remembered::KnownSubject;
use crate::{Fault, Place, Service};
use ::enter::account::Account;
use ::enter::app::App;
use ::enter::context::ServiceContext;
use ::enter::ids::AppId;
use ::enter::partner::Partner;
use ::enter::sso::{Code, Method, Refused, check_app, check_own};
use kernel::SecretText;
use std::sync::Arc;
use store::{DbError, visits};

/// A service account that has proven itself, with the partner that it speaks for.
#[derive(Debug, Clone)]
pub struct PartnerCaller {
    pub place: Place,
    pub partner: Arc<Partner>,
    /// `client_email`.
    pub account: String,
    /// Those of its token.
    pub scopes: Vec<String>,
    /// Names its token.
    pub(super) jti: String,
    /// `None` where everything that it rests on was just read.
    pub(super) unconfirmed: Option<Unconfirmed>,
}

/// What a caller was known by.
#[derive(Debug, Clone)]
pub(super) struct Unconfirmed {
    /// See [`store::revision`].
    pub(super) revision: i64,
    bearer: SecretText,
}

/// How a call ends that did not do what was asked.
#[derive(Debug)]
pub enum CallFailed {
    Refused(Refused),
    Fault(Fault),
}

impl From<Refused> for CallFailed {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Fault> for CallFailed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<DbError> for CallFailed {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

impl PartnerCaller {
    pub const fn is_confirmed(&self) -> bool {
        self.unconfirmed.is_none()
    }

    /// # Errors
    /// Code 7 where the token lacks the method's scope.
    pub fn check_scope(&self, method: Method) -> Result<(), Refused> {
        let scope = method.scope();
        if scope.is_among(&self.scopes) {
            return Ok(());
        }
        let name = scope.as_str();
        let what = format!(
            "this needs a token with the scope `{name}`; give it to the service account, or ask for it"
        );
        Err(Refused::new(Code::PermissionDenied, what))
    }
}

/// What an entry is about, looked up.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) app: Option<Arc<App>>,
    /// By the context's id alone: whose it is, is for the rules.
    pub(super) account: Option<Account>,
    /// Whether the app was activated for the context's account.
    pub(super) active: bool,
}

impl Subject {
    /// The app, where it is there and the context is the caller's own.
    pub(super) fn checked(
        self,
        caller: &PartnerCaller,
        context: &ServiceContext,
    ) -> Result<(Arc<App>, bool), Refused> {
        check_app("service_provider_id", self.app.as_deref())?;
        check_own(context, &caller.partner, self.account.as_ref())?;
        self.app.map(|app| (app, self.active)).ok_or_else(|| Refused::not_found("service_provider_id", ""))
    }
}

impl Service {
    pub(super) async fn subject(
        &self,
        place: &Place,
        app: &AppId,
        context: &ServiceContext,
    ) -> Result<Subject, Fault> {
        let environment = place.environment;
        let Some(found) = visits::entered(&self.db, environment, app, context.account()).await? else {
            return Ok(Subject { app: None, account: None, active: false });
        };
        let of = (environment, app.clone(), context.clone());
        let app = self.app_at(environment, &found.app, found.revision).await?;
        let subject = Subject { app, account: found.account, active: found.activated };
        self.remembered.keep_subject(of, KnownSubject { revision: found.revision, subject: subject.clone() });
        Ok(subject)
    }

    /// Who presents this access token, by what is in memory: for a call that confirms it with what it writes, and that is
    /// otherwise made once more by the caller that [`Self::confirmed_caller`] finds.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn remembered_partner_caller(
        &self,
        place: &Place,
        bearer: Option<&str>,
    ) -> Result<Option<PartnerCaller>, Fault> {
        let Some(bearer) = bearer else { return Ok(None) };
        let Some(known) = self.remembered_caller(place, bearer).await? else { return Ok(None) };
        let unconfirmed = Unconfirmed { revision: known.revision, bearer: SecretText::new(bearer) };
        Ok(Some(PartnerCaller {
            place: place.clone(),
            partner: Arc::clone(&known.token.partner),
            account: known.token.account.email.clone(),
            scopes: known.token.scopes.clone(),
            jti: known.token.jti.clone(),
            unconfirmed: Some(unconfirmed),
        }))
    }

    /// The same caller as the database has it now.
    ///
    /// # Errors
    /// As [`Self::partner_caller`].
    pub async fn confirmed_caller(&self, caller: PartnerCaller) -> Result<PartnerCaller, CallFailed> {
        match &caller.unconfirmed {
            Some(unconfirmed) => self.partner_caller(&caller.place, Some(unconfirmed.bearer.reveal())).await,
            None => Ok(caller),
        }
    }

    /// Who presents this access token: a service account whose key, account and partner are in force (lesson 14).
    ///
    /// # Errors
    /// Code 16, which says no more to whoever has no token, and [`Fault`].
    pub async fn partner_caller(
        &self,
        place: &Place,
        bearer: Option<&str>,
    ) -> Result<PartnerCaller, CallFailed> {
        let refused = |what: String| Refused::new(Code::Unauthenticated, format!("authorization: {what}"));
        let Some(bearer) = bearer else {
            let what = "missing; send `Bearer` and an access token of a service account";
            return Err(refused(what.to_owned()).into());
        };
        match self.verify_access_token(place, bearer).await? {
            Ok(TokenHolder::ServiceAccount(token)) => Ok(PartnerCaller {
                place: place.clone(),
                partner: token.partner,
                account: token.account.email,
                scopes: token.scopes,
                jti: token.jti,
                unconfirmed: None,
            }),
            Ok(TokenHolder::User(_)) => {
                Err(refused("this is a user's token; send one of a service account".to_owned()).into())
            }
            Err(why) => Err(refused(format!("{why}; get a new access token and try once more")).into()),
        }
    }

    /// Writes down that a call was refused, for the engineer of the caller's organization. Nothing of what came in is
    /// kept: the message names the field.
    pub async fn record_call(&self, caller: &PartnerCaller, method: Method, refused: &Refused) {
        let code = match refused.code {
            Code::InvalidArgument => "sso_invalid_argument",
            Code::NotFound => "sso_not_found",
            Code::PermissionDenied => "sso_permission_denied",
            Code::AlreadyExists => "sso_already_exists",
            Code::FailedPrecondition => "sso_failed_precondition",
            _ => "sso_refused",
        };
        let field = refused.message.split_once(": ").map(|(field, _)| field);
        let field = field.filter(|field| !field.contains(' '));
        let seen = serde_json::json!({ "service_account": caller.account, "partner": caller.partner.id });
        let mut denial = Denial::new(code, refused.code.status(), refused.message.clone());
        denial = denial.of(&caller.partner.organization).seen(seen);
        if let Some(field) = field {
            denial = denial.parameter(field);
        }
        self.deny(denial, caller.place.environment, method.path()).await;
    }
}
