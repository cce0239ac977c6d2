//! An authorization code, with the grant that it begins.

use super::grant::Loaded;
use super::visit::{Request, Visited};
use crate::Service;
use ::enter::account::Account;
use ::enter::ids::{AccountId, ClientId, GrantId, PersonId, SessionId};
use ::enter::oidc::{AuthorizationCode, CodeState, Grant};
use ::enter::session::SessionApp;
use kernel::{Hashed, Plain, Time};
use serde_json::{Map, Value};
use std::sync::Arc;
use store::{Db, DbError, Tx, grants};

/// What an authorize request that is granted leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCode {
    pub client: ClientId,
    pub person: PersonId,
    pub session: SessionId,
    /// The session's absolute end, with which the grant ends.
    pub session_expires: Time,
    /// `None` for the partner's own context.
    pub account: Option<AccountId>,
    pub scopes: Vec<String>,
    /// The `claims` parameter.
    pub claims: Option<Map<String, Value>>,
    /// As the request had it, byte for byte.
    pub redirect_uri: String,
    pub challenge: Option<String>,
    pub nonce: Option<String>,
}

/// A code to show once, and what to store for it.
#[derive(Debug)]
pub struct IssuedCode {
    pub code: Plain,
    grant: Grant,
    record: AuthorizationCode,
}

impl IssuedCode {
    /// Stores grant and code in the caller's unit of work.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn insert(&self, tx: &mut Tx) -> Result<(), DbError> {
        grants::insert(tx, &self.grant, &self.record).await
    }

    /// The same by itself, where all is still as it was read; see [`grants::insert_confirmed`].
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn insert_confirmed(&self, db: &Db, cookie: &Hashed, revision: i64) -> Result<bool, DbError> {
        grants::insert_confirmed(db, &self.grant, &self.record, cookie, revision).await
    }

    /// What is kept of the code, with all that it rests on; `None` where that is not known.
    pub(super) fn rests_on(
        self,
        request: &Request,
        visited: &Visited,
        entry: Option<SessionApp>,
    ) -> Option<(AuthorizationCode, Loaded)> {
        let live = visited.live.clone()?;
        let place = visited.place.as_ref()?;
        let for_account = self.grant.account.is_some();
        let of_partner =
            |account: &Account| account.disabled.is_none() && account.partner == live.session.partner;
        let loaded = Loaded {
            client: Arc::clone(&request.client),
            app: Arc::clone(&request.app),
            partner: live.partner,
            account_live: for_account && place.account.as_ref().is_some_and(of_partner),
            active: place.active,
            roles: place.roles.clone().filter(|_| for_account),
            person: live.person,
            session: live.session,
            entry,
            grant: self.grant,
        };
        Some((self.record, loaded))
    }

    pub fn grant(&self) -> &GrantId {
        &self.grant.id
    }
}

impl Service {
    /// A code for a granted request. It counts once [`IssuedCode::insert`] is committed.
    pub fn issue_code(&self, new: NewCode) -> IssuedCode {
        let now = self.clock.now();
        let grant = Grant {
            id: GrantId::new(now, &*self.chance),
            client: new.client.clone(),
            person: new.person,
            session: new.session,
            account: new.account,
            scopes: new.scopes.clone(),
            claims: new.claims,
            created: now,
            expires: new.session_expires,
            revoked: None,
        };
        let code = AuthorizationCode::text(&grant.id, &*self.chance);
        let record = AuthorizationCode {
            hash: code.hashed(),
            client: new.client,
            grant: grant.id.clone(),
            redirect_uri: new.redirect_uri,
            challenge: new.challenge,
            nonce: new.nonce,
            scopes: new.scopes,
            issued: now,
            state: CodeState::Issued,
        };
        IssuedCode { code, grant, record }
    }
}
