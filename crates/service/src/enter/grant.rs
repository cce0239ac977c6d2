//! Grants: looked at again whenever one of their tokens is used. They are made with an [authorization
//! code](super::issued_code).

use super::remembered::{KnownCaller, KnownGrant};
use crate::{Fault, Place, Service};
use ::enter::account::Person;
use ::enter::app::App;
use ::enter::ids::{ClientId, GrantId, ServiceKeyId};
use ::enter::oidc::claims::Issue;
use ::enter::oidc::{Client, Grant, GrantRefused, Standing, TokenKind};
use ::enter::partner::Partner;
use ::enter::service_account::{ServiceAccount, ServiceKey};
use ::enter::session::{Session, SessionApp};
use kernel::{Environment, SafeUrl, Time};
use serde_json::{Map, Value};
use std::sync::Arc;
use store::service_accounts::{self, Principal};
use store::standings::{self, Rests, Revision};

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
    pub(super) account_live: bool,
    pub(super) active: bool,
    pub(super) roles: Option<Vec<String>>,
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
pub(super) struct TokenClaims {
    subject: String,
    pub(super) jti: String,
    pub(super) issued: Time,
    pub(super) expires: Time,
    pub(super) scopes: Vec<String>,
}

fn named(claims: &Map<String, Value>) -> Option<TokenClaims> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_i64).map(Time::from_seconds);
    let scopes = text("scope")?.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect();
    Some(TokenClaims {
        subject: text("sub")?.to_owned(),
        jti: text("jti")?.to_owned(),
        issued: time("iat")?,
        expires: time("exp")?,
        scopes,
    })
}

pub(super) fn only_known(mut scopes: Vec<String>, known: &[String]) -> Vec<String> {
    scopes.retain(|scope| known.contains(scope));
    scopes
}

impl Service {
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
            Ok((named, Subject::Key(key))) => {
                let held = self.held_by_service_account(place, named, &key).await?;
                Ok(held.map(|(token, revision)| {
                    let known = KnownCaller { revision, token: token.clone() };
                    self.remembered.keep_caller((place.environment, token.jti.clone()), known);
                    TokenHolder::ServiceAccount(Box::new(token))
                }))
            }
            Err(why) => Ok(Err(why)),
        }
    }

    /// What a token says of itself, where it is one of this issuer's and in time.
    async fn read_claims(
        &self,
        place: &Place,
        text: &str,
    ) -> Result<Result<(TokenClaims, Subject), BearerRefused>, Fault> {
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

    /// A proven access token of a user whose grant is in memory, where a short question finds that all of it is still so;
    /// in every other case everything is read (see [`super::remembered`]).
    pub(super) async fn remembered_token(
        &self,
        place: &Place,
        text: &str,
    ) -> Result<Option<(Arc<KnownGrant>, TokenClaims)>, Fault> {
        let Ok((named, Subject::Grant(grant))) = self.read_claims(place, text).await? else {
            return Ok(None);
        };
        let of = (place.environment, grant);
        let Some(known) = self.remembered.grant(&of) else { return Ok(None) };
        let still = standings::still(&self.db, &of.1, &named.jti).await? == Some(known.revision);
        let holds = known.loaded.standing().check(self.clock.now()).is_ok();
        let same = known.loaded.person.id.as_str() == named.subject;
        Ok((still && holds && same).then_some((known, named)))
    }

    /// What rests on a grant with all that it was read with; `None` where a part of it is gone by now.
    pub(super) async fn loaded(
        &self,
        environment: Environment,
        rests: Rests,
    ) -> Result<Option<Loaded>, Fault> {
        let Rests { revision, grant, client, app, partner, .. } = rests;
        let Some(client) = self.client_at(environment, &client, revision).await? else { return Ok(None) };
        let Some(app) = self.app_at(environment, &app, revision).await? else { return Ok(None) };
        let Some(partner) = self.partner_at(environment, &partner).await? else { return Ok(None) };
        let Rests { session, person, entry, account_live, activated, roles, .. } = rests;
        let active = app.open_to_all || activated;
        Ok(Some(Loaded { grant, client, app, partner, person, session, entry, account_live, active, roles }))
    }

    async fn held_by_user(
        &self,
        place: &Place,
        named: TokenClaims,
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
        let (client, revision) = (rests.client.clone(), rests.revision);
        let Some(mut loaded) = self.loaded(environment, rests).await? else {
            return Ok(Err(BearerRefused::Ended));
        };
        if check(&loaded.standing(), now).is_err() || loaded.person.id.as_str() != named.subject {
            return Ok(Err(BearerRefused::Ended));
        }
        let known = KnownGrant { revision, loaded: loaded.clone() };
        self.remembered.keep_grant((environment, grant.clone()), known);
        loaded.grant.scopes = only_known(named.scopes, &loaded.grant.scopes);
        let TokenClaims { jti, issued, expires, .. } = named;
        Ok(Ok((UserToken { loaded, jti, issued, expires }, client)))
    }

    /// A program's token by what is in memory, with the revision that the caller has to confirm.
    pub(super) async fn remembered_caller(
        &self,
        place: &Place,
        text: &str,
    ) -> Result<Option<Arc<KnownCaller>>, Fault> {
        let Ok((named, Subject::Key(key))) = self.read_claims(place, text).await? else { return Ok(None) };
        let known = self.remembered.caller(&(place.environment, named.jti));
        let now = self.clock.now();
        Ok(known.filter(|known| known.token.key.id == key && known.token.key.is_live(now)))
    }

    async fn held_by_service_account(
        &self,
        place: &Place,
        named: TokenClaims,
        key: &ServiceKeyId,
    ) -> Result<Result<(ServiceToken, i64), BearerRefused>, Fault> {
        let environment = place.environment;
        let found =
            service_accounts::principal(&self.db, environment, &named.subject, key, &named.jti).await?;
        let (revision, account, key, partner) = match found {
            Some(Principal { revoked: true, .. }) => return Ok(Err(BearerRefused::Revoked)),
            Some(Principal { revision, account, key: Some(key), partner, .. }) => {
                (revision, account, key, partner)
            }
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
        let TokenClaims { jti, issued, expires, .. } = named;
        Ok(Ok((ServiceToken { account, partner, key, scopes, jti, issued, expires }, revision)))
    }
}
