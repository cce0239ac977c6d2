//! The token endpoint's two grants of users: a code, and a refresh token (RFC 6749, sections 4.1.3 and 6).

use super::grant::Loaded;
use super::oauth::{OAuthDenied, OAuthRefused};
use crate::{Fault, Place, Service};
use ::enter::ids::GrantId;
use ::enter::oidc::authorize::Parameters;
use ::enter::oidc::claims::{self, ACCESS_TOKEN_LIFETIME_S};
use ::enter::oidc::{
    AuthorizationCode, Client, CodeRefused, Redemption, RefreshState, RefreshToken, RefreshUse, Reuse,
    Rotation, TokenKind,
};
use kernel::{Environment, Hashed, Plain, SafeUrl, SecretText, Time};
use serde_json::{Value, json};
use store::{DbError, Tx, authorization_codes, grants, refresh_tokens};

/// How often a refresh is decided anew where others use the same token at the same time.
const ATTEMPTS: usize = 8;

/// Tokens, shown once.
#[derive(Debug)]
pub struct Tokens {
    pub client: Client,
    access_token: SecretText,
    id_token: SecretText,
    refresh_token: Plain,
    scopes: Vec<String>,
}

impl Tokens {
    /// The answer's body (RFC 6749, section 5.1; OpenID Connect Core, section 3.1.3.3).
    pub fn body(&self) -> Value {
        json!({
            "access_token": self.access_token.reveal(),
            "token_type": "Bearer",
            "expires_in": ACCESS_TOKEN_LIFETIME_S,
            "refresh_token": self.refresh_token.reveal(),
            "id_token": self.id_token.reveal(),
            "scope": self.scopes.join(" "),
        })
    }
}

/// What a unit of work decided.
enum Turn<T> {
    Done(T),
    Refused(OAuthRefused),
}

/// Why a unit of work is undone.
enum Undone {
    Fault(Fault),
    /// Somebody else used the token after it was read: the decision was made from what is no more.
    Raced,
}

impl From<DbError> for Undone {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

/// What a code brings.
struct Redeemed {
    loaded: Loaded,
    nonce: Option<String>,
    scopes: Vec<String>,
}

fn invalid_grant(why: impl std::fmt::Display) -> OAuthRefused {
    OAuthRefused::new("invalid_grant", why)
}

fn fresh(kind: TokenKind, service: &Service) -> Plain {
    Plain::with_prefix(kind.prefix().unwrap_or_default(), &*service.chance)
}

/// A parameter's value where it can be one of this kind at all: a value of another kind is not even looked up
/// (lesson 8).
fn of_kind<'f>(form: &'f Parameters, name: &'static str, kind: TokenKind) -> Result<&'f str, OAuthRefused> {
    let text = form.get(name);
    let text = text.ok_or_else(|| OAuthRefused::new("invalid_request", format!("{name} is missing")))?;
    if TokenKind::of_opaque(text) == Some(kind) {
        Ok(text)
    } else {
        Err(invalid_grant(format!("{name} is none that was given out for this")))
    }
}

impl Service {
    /// `grant_type=authorization_code`, for a client that has proven itself.
    ///
    /// # Errors
    /// [`OAuthDenied`].
    pub async fn redeem_code(
        &self,
        place: &Place,
        client: &Client,
        form: &Parameters,
    ) -> Result<Tokens, OAuthDenied> {
        let text =
            of_kind(form, "code", TokenKind::AuthorizationCode).map_err(|refused| refused.of(client))?;
        let request = CodeRequest {
            environment: place.environment,
            client: client.clone(),
            hash: Plain::presented(text).hashed(),
            redirect_uri: form.get("redirect_uri").map(str::to_owned),
            verifier: form.get("code_verifier").map(str::to_owned),
            refresh: fresh(TokenKind::RefreshToken, self),
            now: self.clock.now(),
        };
        let refresh = request.refresh.clone();
        let redeemed = self.db.write(move |tx| Box::pin(async move { request.redeem(tx).await }));
        match redeemed.await? {
            Turn::Done(Redeemed { loaded, nonce, scopes }) => {
                self.tokens(place, loaded, scopes, nonce.as_deref(), refresh).await
            }
            Turn::Refused(refused) => Err(refused.of(client).into()),
        }
    }

    /// `grant_type=refresh_token`, for a client that has proven itself.
    ///
    /// # Errors
    /// [`OAuthDenied`].
    pub async fn refresh(
        &self,
        place: &Place,
        client: &Client,
        form: &Parameters,
    ) -> Result<Tokens, OAuthDenied> {
        let text = of_kind(form, "refresh_token", TokenKind::RefreshToken);
        let text = text.map_err(|refused| refused.of(client))?;
        let refresh = fresh(TokenKind::RefreshToken, self);
        let request = RefreshRequest {
            environment: place.environment,
            client: client.clone(),
            hash: Plain::presented(text).hashed(),
            next: refresh.hashed(),
            scope: form.get("scope").map(str::to_owned),
            now: self.clock.now(),
        };
        for _ in 0..ATTEMPTS {
            let request = request.clone();
            let turn = self.db.write(move |tx| Box::pin(async move { request.rotate(tx).await }));
            match turn.await {
                Ok(Turn::Done((loaded, scopes))) => {
                    return self.tokens(place, loaded, scopes, None, refresh).await;
                }
                Ok(Turn::Refused(refused)) => return Err(refused.of(client).into()),
                Err(Undone::Raced) => {}
                Err(Undone::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(invalid_grant(Reuse::Again).of(client).into())
    }

    /// Signs what a grant brings. Nothing can be refused any more: code or refresh token are used up.
    async fn tokens(
        &self,
        place: &Place,
        mut loaded: Loaded,
        scopes: Vec<String>,
        nonce: Option<&str>,
        refresh_token: Plain,
    ) -> Result<Tokens, OAuthDenied> {
        loaded.grant.scopes = scopes;
        let (now, environment) = (self.clock.now(), place.environment);
        let issuer = SafeUrl::parse(place.url()).map_err(|_| Fault::broken("the issuer is no URL"))?;
        let algorithm = loaded.client.id_token_algorithm;
        let jti = Plain::new(&*self.chance);
        let issue = loaded.issue(&issuer, now);
        let typ = |kind: TokenKind| kind.header_type().unwrap_or("JWT");
        let payload = claims::access_token(&issue, jti.reveal());
        let access = self.sign(environment, algorithm, typ(TokenKind::AccessToken), payload).await?;
        let payload = claims::id_token(&issue, nonce, Some(&access));
        let id_token = self.sign(environment, algorithm, typ(TokenKind::IdToken), payload).await?;
        Ok(Tokens {
            access_token: SecretText::new(access),
            id_token: SecretText::new(id_token),
            refresh_token,
            scopes: loaded.grant.scopes,
            client: loaded.client,
        })
    }
}

/// A code at the token endpoint.
struct CodeRequest {
    environment: Environment,
    client: Client,
    hash: Hashed,
    redirect_uri: Option<String>,
    verifier: Option<String>,
    refresh: Plain,
    now: Time,
}

impl CodeRequest {
    /// All of it in one unit of work, so that a code is used up if and only if its refresh token is stored: where
    /// the process ends before the answer, a replay finds the code used (lesson 11).
    async fn redeem(self, tx: &mut Tx) -> Result<Turn<Redeemed>, DbError> {
        let Some(code) = authorization_codes::by_hash(tx, &self.hash).await? else {
            return Ok(Turn::Refused(invalid_grant("the code is unknown")));
        };
        let (uri, verifier) = (self.redirect_uri.as_deref(), self.verifier.as_deref());
        match code.redeem(&self.client, uri, verifier, self.now) {
            Redemption::Tokens(code) => self.take(tx, code).await,
            Redemption::Burnt(code, why) => {
                authorization_codes::mark_redeemed(tx, &code.hash, self.now).await?;
                Ok(Turn::Refused(invalid_grant(why)))
            }
            Redemption::RevokeGrant(grant, why) => self.revoke(tx, &grant, why).await,
        }
    }

    async fn take(&self, tx: &mut Tx, code: AuthorizationCode) -> Result<Turn<Redeemed>, DbError> {
        if !authorization_codes::mark_redeemed(tx, &code.hash, self.now).await? {
            // Somebody was faster, between the look and the mark: this is the replay.
            return self.revoke(tx, &code.grant, CodeRefused::Replayed).await;
        }
        let loaded = match standing(tx, self.environment, &code.grant, self.now).await? {
            Ok(loaded) => loaded,
            Err(refused) => return Ok(Turn::Refused(refused)),
        };
        let first = RefreshToken {
            hash: self.refresh.hashed(),
            client: self.client.id.clone(),
            grant: code.grant,
            expires: loaded.grant.expires,
            state: RefreshState::Live,
        };
        refresh_tokens::insert(tx, &first, self.now).await?;
        Ok(Turn::Done(Redeemed { loaded, nonce: code.nonce, scopes: code.scopes }))
    }

    async fn revoke(
        &self,
        tx: &mut Tx,
        grant: &GrantId,
        why: CodeRefused,
    ) -> Result<Turn<Redeemed>, DbError> {
        grants::revoke(tx, grant, self.now).await?;
        Ok(Turn::Refused(invalid_grant(why)))
    }
}

/// A refresh token at the token endpoint.
#[derive(Clone)]
struct RefreshRequest {
    environment: Environment,
    client: Client,
    hash: Hashed,
    next: Hashed,
    scope: Option<String>,
    now: Time,
}

impl RefreshRequest {
    async fn rotate(self, tx: &mut Tx) -> Result<Turn<(Loaded, Vec<String>)>, Undone> {
        let Some((token, successor)) = refresh_tokens::with_successor(tx, &self.hash).await? else {
            return Ok(Turn::Refused(invalid_grant(Reuse::Invalid)));
        };
        // Before anything is used up: a grant that has ended, a client that has none of it, a scope too many.
        if token.client != self.client.id {
            return Ok(Turn::Refused(invalid_grant(Reuse::Invalid)));
        }
        let loaded = match standing(tx, self.environment, &token.grant, self.now).await? {
            Ok(loaded) => loaded,
            Err(refused) => return Ok(Turn::Refused(refused)),
        };
        let scopes = match narrowed(self.scope.as_deref(), &loaded.grant.scopes) {
            Ok(scopes) => scopes,
            Err(refused) => return Ok(Turn::Refused(refused)),
        };
        let from = token.state.clone();
        match token.present(&self.client, self.next.clone(), successor.as_ref(), self.now) {
            RefreshUse::Rotate(rotation) => {
                self.save(tx, rotation, &from).await?;
                Ok(Turn::Done((loaded, scopes)))
            }
            RefreshUse::Refuse(why) => Ok(Turn::Refused(invalid_grant(why))),
            RefreshUse::RevokeFamily(grant, why) => {
                grants::revoke(tx, &grant, self.now).await?;
                Ok(Turn::Refused(invalid_grant(why)))
            }
        }
    }

    /// Each update is guarded by what the decision was made from; where one of them finds something else, the whole
    /// unit of work is undone and decided anew (lesson 10).
    async fn save(&self, tx: &mut Tx, rotation: Rotation, from: &RefreshState) -> Result<(), Undone> {
        if let Some(unused) = &rotation.revoke
            && !refresh_tokens::revoke_unused(tx, unused).await?
        {
            return Err(Undone::Raced);
        }
        if !refresh_tokens::save(tx, &rotation.token, from).await? {
            return Err(Undone::Raced);
        }
        let next = RefreshToken { hash: self.next.clone(), state: RefreshState::Live, ..rotation.token };
        refresh_tokens::insert(tx, &next, self.now).await?;
        Ok(())
    }
}

/// What a grant rests on, where it still holds (lesson 14).
async fn standing(
    tx: &mut Tx,
    environment: Environment,
    grant: &GrantId,
    now: Time,
) -> Result<Result<Loaded, OAuthRefused>, DbError> {
    let Some(loaded) = Loaded::read(tx, environment, grant, now).await? else {
        return Ok(Err(invalid_grant("the sign-in that this belongs to is gone")));
    };
    let held = loaded.standing().check(now);
    Ok(held.map(|()| loaded).map_err(invalid_grant))
}

/// The scopes of a refreshed token: those asked for, which must be among the grant's (RFC 6749, section 6).
fn narrowed(asked: Option<&str>, granted: &[String]) -> Result<Vec<String>, OAuthRefused> {
    let Some(asked) = asked else { return Ok(granted.to_vec()) };
    let asked: Vec<&str> = asked.split(' ').filter(|one| !one.is_empty()).collect();
    if asked.iter().any(|one| !granted.iter().any(|own| own == one)) {
        return Err(OAuthRefused::new(
            "invalid_scope",
            "a refresh can only narrow the scopes that were granted",
        ));
    }
    Ok(granted.iter().filter(|own| asked.contains(&own.as_str())).cloned().collect())
}
