//! A grant: what grew out of one authorization. Its code, its refresh tokens and its access tokens hang from it and
//! are revoked with it.

use crate::account::Person;
use crate::app::App;
use crate::context::ServiceContext;
use crate::ids::{AccountId, ClientId, GrantId, PersonId, SessionId};
use crate::oidc::Client;
use crate::partner::Partner;
use crate::session::{Session, SessionLimits};
use kernel::Time;
use serde_json::{Map, Value};

/// A grant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    pub client: ClientId,
    pub person: PersonId,
    pub session: SessionId,
    /// `None` for the partner's own context.
    pub account: Option<AccountId>,
    pub scopes: Vec<String>,
    /// The `claims` parameter.
    pub claims: Option<Map<String, Value>>,
    pub created: Time,
    /// The session's absolute end: nobody stays in an app for whom the partner no longer vouches.
    pub expires: Time,
    pub revoked: Option<Time>,
}

/// Everything that a grant rests on, as it is at this moment.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    pub grant: &'a Grant,
    pub client: &'a Client,
    pub app: &'a App,
    pub partner: &'a Partner,
    pub person: &'a Person,
    pub session: &'a Session,
    /// Whether the grant's account, if it has one, is there and switched on.
    pub account_live: bool,
    /// Whether the app is open to everybody or active for the account.
    pub active: bool,
    /// The person's roles at the account; `None` where there is no association, or no account.
    pub roles: Option<&'a [String]>,
}

/// Why a grant is worth nothing any more; for the record, the caller is told no more than `invalid_grant` or
/// `invalid_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefused {
    #[error("the grant is revoked or has expired")]
    Ended,
    #[error("the session has ended")]
    Session,
    #[error("the client or its app is switched off")]
    App,
    #[error("the partner is switched off")]
    Partner,
    #[error("the user is switched off")]
    Person,
    #[error(
        "the account is gone or switched off, the app is not active for it, or the user has no access to it"
    )]
    Access,
}

impl Grant {
    /// For which account or partner.
    pub fn context(&self, session: &Session) -> ServiceContext {
        match &self.account {
            Some(account) => ServiceContext::Account(account.clone()),
            None => ServiceContext::Partner(session.partner.clone()),
        }
    }
}

impl Standing<'_> {
    /// Checks all of it, for the code, the refresh and every endpoint that takes an access token.
    ///
    /// Decision (lesson 14): a token is worth what it rests on now, not when it was made. Whoever is switched off
    /// is out at the next request, at the price of a look-up for each.
    ///
    /// The session's absolute end and a logout count, its idle time does not: an app at work makes requests in
    /// which the browser is not seen.
    ///
    /// # Errors
    /// [`GrantRefused`].
    pub fn check(&self, now: Time) -> Result<(), GrantRefused> {
        self.check_person(now)?;
        let for_account = self.grant.account.is_some();
        let open = self.account_live && self.active && self.roles.is_some();
        if for_account && !open { Err(GrantRefused::Access) } else { Ok(()) }
    }

    /// All but the access to the grant's own account: for asking about an account.
    ///
    /// # Errors
    /// [`GrantRefused`], never [`GrantRefused::Access`].
    pub fn check_person(&self, now: Time) -> Result<(), GrantRefused> {
        let Self { grant, client, app, partner, person, session, .. } = *self;
        if grant.revoked.is_some() || now >= grant.expires || grant.client != client.id {
            return Err(GrantRefused::Ended);
        }
        let unbounded = SessionLimits { idle_s: i64::MAX, absolute_s: i64::MAX };
        let same = session.id == grant.session && session.person == grant.person;
        if !same || !session.is_live(now, unbounded) {
            return Err(GrantRefused::Session);
        }
        if client.disabled.is_some() || app.disabled.is_some() || client.app != app.id {
            return Err(GrantRefused::App);
        }
        if partner.disabled.is_some() || partner.id != session.partner {
            return Err(GrantRefused::Partner);
        }
        if person.disabled.is_some() || person.id != grant.person || person.identity.partner != partner.id {
            return Err(GrantRefused::Person);
        }
        Ok(())
    }
}
