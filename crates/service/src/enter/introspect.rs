//! Introspection (RFC 7662).

use super::grant::{Loaded, TokenHolder, UserToken};
use super::oauth::{OAuthDenied, OAuthRefused};
use crate::{Place, Service};
use ::enter::oidc::revocation::{AccessToken, Asked, Found, introspect};
use ::enter::oidc::{Client, RefreshToken, TokenKind};
use kernel::Plain;
use serde_json::Value;
use store::{DbError, refresh_tokens};

impl Service {
    /// What a client that has proven itself is told of a token.
    ///
    /// # Errors
    /// [`OAuthDenied`]: `invalid_client` for a public client.
    pub async fn introspect_token(
        &self,
        place: &Place,
        client: &Client,
        token: &str,
    ) -> Result<Value, OAuthDenied> {
        // Before anything is looked up: who may not ask is not answered faster or slower by what there is.
        self.told(place, client, None)?;
        if TokenKind::of_opaque(token) == Some(TokenKind::RefreshToken) {
            return self.introspect_refresh(place, client, token).await;
        }
        let Ok(TokenHolder::User(held)) = self.verify_access_token(place, token).await? else {
            return self.told(place, client, None);
        };
        let UserToken { loaded, jti, issued, expires } = &*held;
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
        self.told(place, client, Some(asked))
    }

    async fn introspect_refresh(
        &self,
        place: &Place,
        client: &Client,
        token: &str,
    ) -> Result<Value, OAuthDenied> {
        let (hash, environment, now) =
            (Plain::presented(token).hashed(), place.environment, self.clock.now());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let Some(token) = refresh_tokens::by_hash(tx, &hash).await? else { return Ok(None) };
                let loaded = Loaded::read(tx, environment, &token.grant, now).await?;
                Ok::<_, DbError>(loaded.map(|loaded| (token, loaded)))
            })
        });
        let found: Option<(RefreshToken, Loaded)> = read.await?;
        let asked = found.as_ref().map(|(token, loaded)| Asked {
            found: Found::Refresh(token),
            app: &loaded.app.id,
            grant: &loaded.grant,
            stands: loaded.standing().check(now).is_ok(),
        });
        self.told(place, client, asked)
    }

    fn told(&self, place: &Place, client: &Client, asked: Option<Asked<'_>>) -> Result<Value, OAuthDenied> {
        let told = introspect(client, asked, place.url(), self.clock.now());
        told.map_err(|why| OAuthRefused::new("invalid_client", why).of(client).into())
    }
}
