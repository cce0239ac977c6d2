//! Grants: made with an authorization code, and looked at again whenever one of their tokens is used.

use crate::{Fault, Place, Service};
use ::enter::account::Person;
use ::enter::app::App;
use ::enter::ids::{AccountId, ClientId, GrantId, PersonId, ServiceKeyId, SessionId};
use ::enter::oidc::claims::Issue;
use ::enter::oidc::{AuthorizationCode, Client, CodeState, Grant, GrantRefused, Standing, TokenKind};
use ::enter::partner::Partner;
use ::enter::service_account::{ServiceAccount, ServiceKey};
use ::enter::session::{Session, SessionApp};
use kernel::{Environment, Plain, SafeUrl, Time};
use serde_json::{Map, Value};
use std::sync::Arc;
use store::service_accounts::{self, Principal};
use store::standings::{self, Rests, Revision};
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

    /// The same by itself.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn insert_alone(&self, db: &Db) -> Result<(), DbError> {
        grants::insert_alone(db, &self.grant, &self.record).await
    }

    pub fn grant(&self) -> &GrantId {
        &self.grant.id
    }
}

/// A grant with everything that it rests on, read at one moment.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub grant: Grant,
    pub client: Arc<Client>,
    pub app: Arc<App>,
    pub partner: Arc<Partner>,
    pub person: Person,
    pub session: Session,
    /// What the entry for this app said.
    pub entry: Option<SessionApp>,
    account_live: bool,
    active: bool,
    roles: Option<Vec<String>>,
}

impl Loaded {
    pub(crate) fn standing(&self) -> Standing<'_> {
        Standing {
            grant: &self.grant,
            client: &self.client,
            app: &self.app,
            partner: &self.partner,
            person: &self.person,
            session: &self.session,
            account_live: self.account_live,
            active: self.active,
            roles: self.roles.as_deref(),
        }
    }

    /// The person's roles at the grant's account, as they are now.
    pub fn roles(&self) -> &[String] {
        self.roles.as_deref().unwrap_or_default()
    }

    pub(crate) fn issue<'a>(&'a self, issuer: &'a SafeUrl, now: Time) -> Issue<'a> {
        Issue {
            issuer,
            client: &self.client,
            grant: &self.grant,
            person: &self.person,
            session: &self.session,
            entry: self.entry.as_ref(),
            roles: self.roles(),
            now,
        }
    }
}

/// A user's access token that is worth something at this moment.
#[derive(Debug, Clone)]
pub struct UserToken {
    /// Its grant's scopes are the token's.
    pub loaded: Loaded,
    /// Names the token for revocation.
    pub jti: String,
    pub issued: Time,
    pub expires: Time,
}

impl UserToken {
    pub fn may(&self, scope: &str) -> bool {
        self.loaded.grant.scopes.iter().any(|own| own == scope)
    }
}

/// A service account's access token that is worth something at this moment.
#[derive(Debug, Clone)]
pub struct ServiceToken {
    pub account: ServiceAccount,
    pub partner: Arc<Partner>,
    pub key: ServiceKey,
    /// The token's, as far as the account still has them.
    pub scopes: Vec<String>,
    pub jti: String,
    pub issued: Time,
    pub expires: Time,
}

impl ServiceToken {
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }
}

/// Who holds an access token.
#[derive(Debug, Clone)]
pub enum TokenHolder {
    User(Box<UserToken>),
    ServiceAccount(Box<ServiceToken>),
}

/// An access token that is worth nothing. The caller is told no more than `invalid_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerRefused {
    #[error("it is no access token of this issuer")]
    Unproven,
    #[error("it has expired")]
    Expired,
    #[error("it was revoked")]
    Revoked,
    #[error("what it rests on has ended or is switched off")]
    Ended,
}

/// How much of what a grant rests on must hold.
type StandingCheck = fn(&Standing<'_>, Time) -> Result<(), GrantRefused>;

/// What a token rests on.
enum Subject {
    Grant(GrantId),
    Key(ServiceKeyId),
}

/// The claims of a proven access token that every one of ours has.
struct Named {
    subject: String,
    jti: String,
    issued: Time,
    expires: Time,
    scopes: Vec<String>,
}

fn named(claims: &Map<String, Value>) -> Option<Named> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_i64).map(Time::from_seconds);
    let scopes = text("scope")?.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect();
    Some(Named {
        subject: text("sub")?.to_owned(),
        jti: text("jti")?.to_owned(),
        issued: time("iat")?,
        expires: time("exp")?,
        scopes,
    })
}

fn only_known(mut scopes: Vec<String>, known: &[String]) -> Vec<String> {
    scopes.retain(|scope| known.contains(scope));
    scopes
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

    /// Who holds this access token, as everything that it rests on is at this moment (lesson 14).
    ///
    /// # Errors
    /// [`Fault`]; within, [`BearerRefused`].
    pub async fn verify_access_token(
        &self,
        place: &Place,
        text: &str,
    ) -> Result<Result<TokenHolder, BearerRefused>, Fault> {
        self.verify(place, text, |standing, now| standing.check(now)).await
    }

    /// The same for asking about an account: whether the token's own account is still open to its user is what may
    /// be asked, and not what decides whether it may be.
    ///
    /// # Errors
    /// [`Fault`]; within, [`BearerRefused`].
    pub async fn verify_asking_token(
        &self,
        place: &Place,
        text: &str,
    ) -> Result<Result<TokenHolder, BearerRefused>, Fault> {
        self.verify(place, text, |standing, now| standing.check_person(now)).await
    }

    async fn verify(
        &self,
        place: &Place,
        text: &str,
        check: StandingCheck,
    ) -> Result<Result<TokenHolder, BearerRefused>, Fault> {
        match self.read_claims(place, text).await? {
            Ok((named, Subject::Grant(grant))) => {
                let held = self.held_by_user(place, named, &grant, check).await?;
                Ok(held.map(|(token, _)| TokenHolder::User(Box::new(token))))
            }
            Ok((named, Subject::Key(key))) => self.held_by_service_account(place, named, &key).await,
            Err(why) => Ok(Err(why)),
        }
    }

    /// What a token says of itself, where it is one of this issuer's and in time.
    async fn read_claims(
        &self,
        place: &Place,
        text: &str,
    ) -> Result<Result<(Named, Subject), BearerRefused>, Fault> {
        let typ = TokenKind::AccessToken.header_type().unwrap_or_default();
        let Some(claims) = self.own_token(place.environment, text, typ).await? else {
            return Ok(Err(BearerRefused::Unproven));
        };
        let audience = claims.get("aud").and_then(Value::as_str);
        let Some(named) = named(&claims).filter(|_| audience == Some(place.url())) else {
            return Ok(Err(BearerRefused::Unproven));
        };
        if self.clock.now() >= named.expires {
            return Ok(Err(BearerRefused::Expired));
        }
        let (grant, key) = (claims.get("grant"), claims.get("key"));
        let subject = match (grant.and_then(Value::as_str), key.and_then(Value::as_str)) {
            (Some(grant), None) => GrantId::parse(grant).ok().map(Subject::Grant),
            (None, Some(key)) => ServiceKeyId::parse(key).ok().map(Subject::Key),
            _ => None,
        };
        Ok(subject.map(|subject| (named, subject)).ok_or(BearerRefused::Unproven))
    }

    /// A proven access token of a user, and the revision of its client.
    pub(super) async fn user_token(
        &self,
        place: &Place,
        text: &str,
    ) -> Result<Option<(UserToken, Revision<ClientId>)>, Fault> {
        match self.read_claims(place, text).await? {
            Ok((named, Subject::Grant(grant))) => {
                let held =
                    self.held_by_user(place, named, &grant, |standing, now| standing.check(now)).await?;
                Ok(held.ok())
            }
            _ => Ok(None),
        }
    }

    /// What rests on a grant with all that it was read with; `None` where a part of it is gone by now.
    pub(super) async fn loaded(
        &self,
        environment: Environment,
        rests: Rests,
    ) -> Result<Option<Loaded>, Fault> {
        let Rests { grant, client, app, partner, session, person, entry, account_live, activated, roles } =
            rests;
        let Some(client) = self.client_at(environment, &client).await? else { return Ok(None) };
        let Some(app) = self.app_at(environment, &app).await? else { return Ok(None) };
        let Some(partner) = self.partner_at(environment, &partner).await? else { return Ok(None) };
        let active = app.open_to_all || activated;
        Ok(Some(Loaded { grant, client, app, partner, person, session, entry, account_live, active, roles }))
    }

    async fn held_by_user(
        &self,
        place: &Place,
        named: Named,
        grant: &GrantId,
        check: StandingCheck,
    ) -> Result<Result<(UserToken, Revision<ClientId>), BearerRefused>, Fault> {
        let (environment, now) = (place.environment, self.clock.now());
        let found = standings::of_access_token(&self.db, environment, grant, &named.jti).await?;
        let rests = match found {
            Some((false, rests)) => rests,
            Some((true, _)) => return Ok(Err(BearerRefused::Revoked)),
            None => return Ok(Err(BearerRefused::Ended)),
        };
        let client = rests.client.clone();
        let Some(mut loaded) = self.loaded(environment, rests).await? else {
            return Ok(Err(BearerRefused::Ended));
        };
        if check(&loaded.standing(), now).is_err() || loaded.person.id.as_str() != named.subject {
            return Ok(Err(BearerRefused::Ended));
        }
        loaded.grant.scopes = only_known(named.scopes, &loaded.grant.scopes);
        let Named { jti, issued, expires, .. } = named;
        Ok(Ok((UserToken { loaded, jti, issued, expires }, client)))
    }

    async fn held_by_service_account(
        &self,
        place: &Place,
        named: Named,
        key: &ServiceKeyId,
    ) -> Result<Result<TokenHolder, BearerRefused>, Fault> {
        let environment = place.environment;
        let found =
            service_accounts::principal(&self.db, environment, &named.subject, key, &named.jti).await?;
        let (account, key, partner) = match found {
            Some(Principal { revoked: true, .. }) => return Ok(Err(BearerRefused::Revoked)),
            Some(Principal { account, key: Some(key), partner, .. }) => (account, key, partner),
            _ => return Ok(Err(BearerRefused::Ended)),
        };
        let Some(partner) = self.partner_at(environment, &partner).await? else {
            return Ok(Err(BearerRefused::Ended));
        };
        let live = account.disabled.is_none()
            && partner.disabled.is_none()
            && key.account == account.email
            && key.is_live(self.clock.now());
        if !live {
            return Ok(Err(BearerRefused::Ended));
        }
        let scopes = only_known(named.scopes, &account.scopes);
        let Named { jti, issued, expires, .. } = named;
        let token = ServiceToken { account, partner, key, scopes, jti, issued, expires };
        Ok(Ok(TokenHolder::ServiceAccount(Box::new(token))))
    }
}
