//! The token endpoint's two grants of users: a code, and a refresh token (RFC 6749, sections 4.1.3 and 6).

use super::client_proof::Claimed;
use super::grant::Loaded;
use super::oauth::{OAuthDenied, OAuthRefused};
use crate::{Fault, Place, Service};
use ::enter::ids::GrantId;
use ::enter::oidc::authorize::Parameters;
use ::enter::oidc::claims::{self, ACCESS_TOKEN_LIFETIME_S};
use ::enter::oidc::{
    AuthorizationCode, Client, CodeRefused, Redemption, RefreshToken, RefreshUse, Reuse, TokenKind,
};
use kernel::{Hashed, Plain, SafeUrl, SecretText};
use serde_json::{Value, json};
use std::sync::Arc;
use store::grants;
use store::refresh_tokens::{self, FromMemory, Next};
use store::standings::{self, Family, Rests};

/// How often a refresh is decided anew where others use the same token at the same time.
const ATTEMPTS: usize = 8;

/// Tokens, shown once.
#[derive(Debug)]
pub struct Tokens {
    pub client: Arc<Client>,
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

fn invalid_grant(why: impl std::fmt::Display) -> OAuthRefused {
    OAuthRefused::new("invalid_grant", why)
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
    /// One read of the code with all that it rests on, and one write that succeeds once: a code is used up by the
    /// family's first refresh token, so that where the process ends before the answer, a replay finds it used
    /// (lesson 11).
    ///
    /// # Errors
    /// [`OAuthDenied`].
    pub async fn redeem_code(
        &self,
        place: &Place,
        client: Claimed,
        form: &Parameters,
    ) -> Result<Tokens, OAuthDenied> {
        let text = match of_kind(form, "code", TokenKind::AuthorizationCode) {
            Ok(text) => text,
            Err(refused) => return Err(refused.of(&*self.confirmed(place, client, None).await?).into()),
        };
        let hash = Plain::presented(text).hashed();
        let named = AuthorizationCode::grant_of(text);
        if let Some(grant) = &named
            && let Some(tokens) = self.redeem_from_memory(place, &client, grant, &hash, form).await?
        {
            return Ok(tokens);
        }
        let found = match named {
            Some(grant) => standings::of_code(&self.db, place.environment, &grant).await?,
            None => None,
        };
        let found = found.filter(|(code, _)| code.hash == hash);
        let client = self.confirmed(place, client, found.as_ref().map(|(_, rests)| &rests.client)).await?;
        let Some((code, rests)) = found else {
            return Err(invalid_grant("the code is unknown").of(&client).into());
        };
        let (uri, verifier) = (form.get("redirect_uri"), form.get("code_verifier"));
        match code.redeem(&client, uri, verifier, self.clock.now()) {
            Redemption::Tokens(code) => match self.first_token(place, code, rests).await? {
                Ok((loaded, code, refresh)) => {
                    self.tokens(place, loaded, code.scopes, code.nonce.as_deref(), refresh).await
                }
                Err(refused) => Err(refused.of(&client).into()),
            },
            Redemption::Burnt(code, why) => {
                self.burn(&code.grant).await?;
                Err(invalid_grant(why).of(&client).into())
            }
            Redemption::RevokeGrant(grant, why) => {
                self.end_grant(&grant).await?;
                Err(invalid_grant(why).of(&client).into())
            }
        }
    }

    /// Redeems a code that was given out here by what is in memory, where the statement that uses it up finds that all of
    /// it is still so; in every other case nothing has happened, and everything is read (see [`super::remembered`]).
    async fn redeem_from_memory(
        &self,
        place: &Place,
        client: &Claimed,
        grant: &GrantId,
        hash: &Hashed,
        form: &Parameters,
    ) -> Result<Option<Tokens>, OAuthDenied> {
        let (of, now) = ((place.environment, grant.clone()), self.clock.now());
        let Some(known) = self.remembered.code(&of).filter(|known| known.code.hash == *hash) else {
            return Ok(None);
        };
        let Some(client) = client.confirmed_at(known.revision) else { return Ok(None) };
        let (uri, verifier) = (form.get("redirect_uri"), form.get("code_verifier"));
        let Redemption::Tokens(code) = known.code.clone().redeem(client, uri, verifier, now) else {
            return Ok(None);
        };
        if known.loaded.standing().check(now).is_err() {
            return Ok(None);
        }
        let refresh = RefreshToken::text(grant, 1, &*self.chance);
        let still = FromMemory { revision: known.revision, cookie: known.loaded.session.secret.clone() };
        let first = Next {
            grant: grant.clone(),
            number: 1,
            hash: refresh.hashed(),
            given_for: 0,
            from_memory: Some(still),
        };
        if !refresh_tokens::insert(&self.db, &first, now).await? {
            return Ok(None);
        }
        self.remembered.forget_code(&of);
        let loaded = Arc::try_unwrap(known).map_or_else(|known| known.loaded.clone(), |known| known.loaded);
        self.tokens(place, loaded, code.scopes, code.nonce.as_deref(), refresh).await.map(Some)
    }

    /// Uses a code up for its family's first refresh token.
    async fn first_token(
        &self,
        place: &Place,
        code: AuthorizationCode,
        rests: Rests,
    ) -> Result<Result<(Loaded, AuthorizationCode, Plain), OAuthRefused>, Fault> {
        let loaded = match self.holds(place, rests).await? {
            Ok(loaded) => loaded,
            Err(refused) => {
                self.burn(&code.grant).await?;
                return Ok(Err(refused));
            }
        };
        let refresh = RefreshToken::text(&code.grant, 1, &*self.chance);
        let first = Next {
            grant: code.grant.clone(),
            number: 1,
            hash: refresh.hashed(),
            given_for: 0,
            from_memory: None,
        };
        if refresh_tokens::insert(&self.db, &first, self.clock.now()).await? {
            return Ok(Ok((loaded, code, refresh)));
        }
        // Somebody was faster, between the look and the mark: this is the replay.
        self.end_grant(&code.grant).await?;
        Ok(Err(invalid_grant(CodeRefused::Replayed)))
    }

    async fn burn(&self, grant: &GrantId) -> Result<(), Fault> {
        let (grant, now) = (grant.clone(), self.clock.now());
        let write = self.db.write(move |tx| Box::pin(async move { grants::burn(tx, &grant, now).await }));
        Ok(write.await.map(drop)?)
    }

    async fn end_grant(&self, grant: &GrantId) -> Result<(), Fault> {
        let (grant, now) = (grant.clone(), self.clock.now());
        let write = self.db.write(move |tx| Box::pin(async move { grants::revoke(tx, &grant, now).await }));
        Ok(write.await.map(drop)?)
    }

    /// What a grant rests on, where it still holds (lesson 14).
    async fn holds(&self, place: &Place, rests: Rests) -> Result<Result<Loaded, OAuthRefused>, Fault> {
        let Some(loaded) = self.loaded(place.environment, rests).await? else {
            return Ok(Err(invalid_grant("the sign-in that this belongs to is gone")));
        };
        let held = loaded.standing().check(self.clock.now());
        Ok(held.map(|()| loaded).map_err(invalid_grant))
    }

    /// `grant_type=refresh_token`, for a client that has proven itself.
    ///
    /// # Errors
    /// [`OAuthDenied`].
    pub async fn refresh(
        &self,
        place: &Place,
        client: Claimed,
        form: &Parameters,
    ) -> Result<Tokens, OAuthDenied> {
        let text = match of_kind(form, "refresh_token", TokenKind::RefreshToken) {
            Ok(text) => text,
            Err(refused) => return Err(refused.of(&*self.confirmed(place, client, None).await?).into()),
        };
        let mut found = self.family(place, text).await?;
        let client = self.confirmed(place, client, found.as_ref().map(|(_, rests)| &rests.client)).await?;
        let refused = |refused: OAuthRefused| OAuthDenied::from(refused.of(&client));
        // Each turn writes the number after the last one that it saw; where somebody else has it by then, everything
        // is read and decided anew (lesson 10).
        for _ in 0..ATTEMPTS {
            let Some((family, rests)) = found else { return Err(refused(invalid_grant(Reuse::Invalid))) };
            match self.rotate(place, &client, family, rests, form.get("scope")).await? {
                Turn::Done(loaded, scopes, refresh) => {
                    return self.tokens(place, *loaded, scopes, None, refresh).await;
                }
                Turn::Refused(why) => return Err(refused(why)),
                Turn::Raced => found = self.family(place, text).await?,
            }
        }
        Err(refused(invalid_grant(Reuse::Again)))
    }

    /// The refresh token that a text is, with what became of it and what it rests on.
    pub(super) async fn family(&self, place: &Place, text: &str) -> Result<Option<(Family, Rests)>, Fault> {
        let Some((grant, number)) = RefreshToken::place_of(text) else { return Ok(None) };
        let hash = Plain::presented(text).hashed();
        Ok(standings::of_refresh_token(&self.db, place.environment, &grant, number, &hash).await?)
    }

    async fn rotate(
        &self,
        place: &Place,
        client: &Client,
        family: Family,
        rests: Rests,
        scope: Option<&str>,
    ) -> Result<Turn, Fault> {
        let Family { token, successor, number, last } = family;
        // Before anything is used up: a grant that has ended, a client that has none of it, a scope too many.
        if token.client != client.id {
            return Ok(Turn::Refused(invalid_grant(Reuse::Invalid)));
        }
        let loaded = match self.holds(place, rests).await? {
            Ok(loaded) => loaded,
            Err(refused) => return Ok(Turn::Refused(refused)),
        };
        let scopes = match narrowed(scope, &loaded.grant.scopes) {
            Ok(scopes) => scopes,
            Err(refused) => return Ok(Turn::Refused(refused)),
        };
        let (now, grant) = (self.clock.now(), token.grant.clone());
        let refresh = RefreshToken::text(&grant, last.saturating_add(1), &*self.chance);
        let hash = refresh.hashed();
        match token.present(client, hash.clone(), successor.as_ref(), now) {
            // That the token is used, or that its first successor is revoked, is told by the place of the next one.
            RefreshUse::Rotate(_) => {
                let number_after = last.saturating_add(1);
                let next = Next { grant, number: number_after, hash, given_for: number, from_memory: None };
                let first = refresh_tokens::insert(&self.db, &next, now).await?;
                Ok(if first { Turn::Done(Box::new(loaded), scopes, refresh) } else { Turn::Raced })
            }
            RefreshUse::Refuse(why) => Ok(Turn::Refused(invalid_grant(why))),
            RefreshUse::RevokeFamily(grant, why) => {
                self.end_grant(&grant).await?;
                Ok(Turn::Refused(invalid_grant(why)))
            }
        }
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

/// How one turn of a refresh ends.
enum Turn {
    Done(Box<Loaded>, Vec<String>, Plain),
    Refused(OAuthRefused),
    /// Somebody else used a token of the family after it was read.
    Raced,
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
