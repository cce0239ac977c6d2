//! Revocation (RFC 7009).

use super::oauth::{OAuthDenied, OAuthRefused};
use crate::{Place, Service};
use ::enter::ids::{ClientId, GrantId, PartnerId};
use ::enter::oidc::revocation::{AccessToken, Found, Revocation, revoke};
use ::enter::oidc::{Client, RefreshToken, TokenKind};
use kernel::Time;
use serde_json::Value;
use store::{DbError, grants, revoked_tokens};

/// A user's access token as it says of itself, proven and in time.
struct Said {
    jti: String,
    client: ClientId,
    grant: GrantId,
    partner: PartnerId,
    issued: Time,
    expires: Time,
}

enum Presented {
    OtherKind,
    Nothing,
    Access(Said),
    Refresh(RefreshToken),
}

impl Service {
    /// Ends the token that a client which has proven itself presents.
    ///
    /// # Errors
    /// [`OAuthDenied`].
    pub async fn revoke_token(&self, place: &Place, client: &Client, token: &str) -> Result<(), OAuthDenied> {
        let presented = self.presented(place, token).await?;
        let found = match &presented {
            Presented::OtherKind => Found::OtherKind,
            Presented::Nothing => Found::Nothing,
            Presented::Refresh(token) => Found::Refresh(token),
            Presented::Access(said) => Found::Access(AccessToken {
                jti: &said.jti,
                client: &said.client,
                grant: &said.grant,
                partner: &said.partner,
                issued: said.issued,
                expires: said.expires,
            }),
        };
        let now = self.clock.now();
        let todo = revoke(client, found);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                match &todo {
                    Revocation::Grant(grant) => grants::revoke(tx, grant, now).await.map(drop)?,
                    Revocation::Token { jti, until } => revoked_tokens::insert(tx, jti, *until).await?,
                    Revocation::Nothing | Revocation::Unsupported => {}
                }
                Ok::<_, DbError>(todo)
            })
        });
        if write.await? == Revocation::Unsupported {
            let text = "only access tokens and refresh tokens are revoked here";
            return Err(OAuthRefused::new("unsupported_token_type", text).of(client).into());
        }
        Ok(())
    }

    async fn presented(&self, place: &Place, token: &str) -> Result<Presented, OAuthDenied> {
        match TokenKind::of_opaque(token) {
            Some(TokenKind::RefreshToken) => {
                let found = self.family(place, token).await?.map(|(family, _)| family.token);
                return Ok(found.map_or(Presented::Nothing, Presented::Refresh));
            }
            Some(_) => return Ok(Presented::OtherKind),
            None => {}
        }
        let typ = |kind: TokenKind| kind.header_type().unwrap_or_default();
        if let Some(claims) = self.own_token(place.environment, token, typ(TokenKind::AccessToken)).await? {
            let said = said(&claims).filter(|said| self.clock.now() < said.expires);
            return Ok(said.map_or(Presented::Nothing, Presented::Access));
        }
        for kind in [TokenKind::IdToken, TokenKind::LogoutToken] {
            if self.own_token(place.environment, token, typ(kind)).await?.is_some() {
                return Ok(Presented::OtherKind);
            }
        }
        Ok(Presented::Nothing)
    }
}

fn said(claims: &serde_json::Map<String, Value>) -> Option<Said> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_i64).map(Time::from_seconds);
    Some(Said {
        jti: text("jti")?.to_owned(),
        client: ClientId::parse(text("client_id")?).ok()?,
        grant: GrantId::parse(text("grant")?).ok()?,
        partner: PartnerId::parse(text("partner_id")?).ok()?,
        issued: time("iat")?,
        expires: time("exp")?,
    })
}
