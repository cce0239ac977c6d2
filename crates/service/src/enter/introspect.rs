//! Introspection (RFC 7662).

use super::client_proof::Claimed;
use super::grant::{Loaded, TokenClaims, UserToken, only_known};
use super::oauth::{OAuthDenied, OAuthRefused};
use crate::{Place, Service};
use ::enter::oidc::revocation::{AccessToken, Asked, Found, introspect};
use ::enter::oidc::{Client, Grant, TokenKind};
use serde_json::Value;

impl Service {
    /// What a client that has proven itself is told of a token.
    ///
    /// # Errors
    /// [`OAuthDenied`]: `invalid_client` for a public client.
    pub async fn introspect_token(
        &self,
        place: &Place,
        client: Claimed,
        token: Option<&str>,
    ) -> Result<Value, OAuthDenied> {
        let Some(token) = token else {
            let client = self.confirmed(place, client, None).await?;
            return Err(OAuthRefused::new("invalid_request", "token is missing").of(&client).into());
        };
        // Before anything is looked up: who may not ask is not answered faster or slower by what there is.
        self.told(place, &client.client, None)?;
        if TokenKind::of_opaque(token) == Some(TokenKind::RefreshToken) {
            return self.introspect_refresh(place, client, token).await;
        }
        if let Some((known, claims)) = self.remembered_token(place, token).await?
            && let Some(client) = client.confirmed_at(known.revision)
        {
            return self.told_from_memory(place, client, &known.loaded, &claims);
        }
        let found = self.user_token(place, token).await?;
        let client = self.confirmed(place, client, found.as_ref().map(|(_, client)| client)).await?;
        let Some((UserToken { loaded, jti, issued, expires }, _)) = &found else {
            return self.told(place, &client, None);
        };
        let access = AccessToken {
            jti,
            client: &loaded.grant.client,
            grant: &loaded.grant.id,
            partner: &loaded.session.partner,
            issued: *issued,
            expires: *expires,
        };
        let found = Found::Access(access);
        // It was verified with all that it rests on.
        let asked = Asked { found, app: &loaded.app.id, grant: &loaded.grant, stands: true };
        self.told(place, &client, Some(asked))
    }

    fn told_from_memory(
        &self,
        place: &Place,
        client: &Client,
        loaded: &Loaded,
        claims: &TokenClaims,
    ) -> Result<Value, OAuthDenied> {
        let narrowed;
        let grant = if loaded.grant.scopes == claims.scopes {
            &loaded.grant
        } else {
            let scopes = only_known(claims.scopes.clone(), &loaded.grant.scopes);
            narrowed = Grant { scopes, ..loaded.grant.clone() };
            &narrowed
        };
        let access = AccessToken {
            jti: &claims.jti,
            client: &grant.client,
            grant: &grant.id,
            partner: &loaded.session.partner,
            issued: claims.issued,
            expires: claims.expires,
        };
        let asked = Asked { found: Found::Access(access), app: &loaded.app.id, grant, stands: true };
        self.told(place, client, Some(asked))
    }

    async fn introspect_refresh(
        &self,
        place: &Place,
        client: Claimed,
        token: &str,
    ) -> Result<Value, OAuthDenied> {
        let found = self.family(place, token).await?;
        let client = self.confirmed(place, client, found.as_ref().map(|(_, rests)| &rests.client)).await?;
        let Some((family, rests)) = found else { return self.told(place, &client, None) };
        let loaded = self.loaded(place.environment, rests).await?;
        let asked = loaded.as_ref().map(|loaded| Asked {
            found: Found::Refresh(&family.token),
            app: &loaded.app.id,
            grant: &loaded.grant,
            stands: loaded.standing().check(self.clock.now()).is_ok(),
        });
        self.told(place, &client, asked)
    }

    fn told(&self, place: &Place, client: &Client, asked: Option<Asked<'_>>) -> Result<Value, OAuthDenied> {
        let told = introspect(client, asked, place.url(), self.clock.now());
        told.map_err(|why| OAuthRefused::new("invalid_client", why).of(client).into())
    }
}
