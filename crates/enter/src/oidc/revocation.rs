//! Revocation (RFC 7009) and introspection (RFC 7662): who may ask about which token, and what follows.

use super::{Client, Grant, RefreshState, RefreshToken};
use crate::ids::{AppId, ClientId, GrantId, PartnerId};
use kernel::Time;
use serde_json::{Value, json};

/// A user's access token, proven and in time.
#[derive(Debug, Clone, Copy)]
pub struct AccessToken<'a> {
    pub jti: &'a str,
    pub client: &'a ClientId,
    pub grant: &'a GrantId,
    pub partner: &'a PartnerId,
    pub issued: Time,
    pub expires: Time,
}

/// What a presented token turned out to be.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// Of a kind that is not taken here (lesson 8).
    OtherKind,
    /// Nothing of ours, or nothing any more.
    Nothing,
    Access(AccessToken<'a>),
    Refresh(&'a RefreshToken),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// Everything of this sign-in: what a refresh token could still bring goes with it.
    Grant(GrantId),
    /// This one access token, until it would have expired.
    Token { jti: String, until: Time },
    /// Status 200 all the same: the caller wanted it gone, and it is (RFC 7009, section 2.2).
    Nothing,
    /// `unsupported_token_type`, status 400.
    Unsupported,
}

/// Decides a revocation by a client that has proven itself; a public one has named itself, and shows a token that
/// only its own user could have.
///
/// Decision: another client's token is answered like an unknown one and lives on, so that nobody learns from here
/// whether a token that was found is good.
pub fn revoke(client: &Client, found: Found<'_>) -> Revocation {
    match found {
        Found::OtherKind => Revocation::Unsupported,
        Found::Refresh(token) if token.client == client.id => Revocation::Grant(token.grant.clone()),
        Found::Access(token) if *token.client == client.id => {
            Revocation::Token { jti: token.jti.to_owned(), until: token.expires }
        }
        Found::Nothing | Found::Refresh(_) | Found::Access(_) => Revocation::Nothing,
    }
}

/// What is known about a token that somebody asks about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub found: Found<'a>,
    /// The app of the client that got the token.
    pub app: &'a AppId,
    pub grant: &'a Grant,
    /// Whether what the grant rests on stands ([`super::Standing::check`]), and the token was not revoked by itself.
    pub stands: bool,
}

/// Why nobody is told anything: `invalid_client`, status 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("introspection needs a client with a secret or a key")]
pub struct MayNotAsk;

/// Answers an introspection. `asked` is `None` for a token that is none of ours.
///
/// Decision: only clients that can prove themselves may ask, and only about tokens of their own app: an app's
/// backend may ask about the tokens of its browser client. Every other question is answered `{"active": false}`,
/// whatever the reason.
///
/// # Errors
/// [`MayNotAsk`] for public clients, which anybody can pretend to be.
pub fn introspect(
    client: &Client,
    asked: Option<Asked<'_>>,
    issuer: &str,
    now: Time,
) -> Result<Value, MayNotAsk> {
    if client.is_public() {
        return Err(MayNotAsk);
    }
    let inactive = Ok(json!({ "active": false }));
    let Some(asked) = asked.filter(|asked| *asked.app == client.app && asked.stands) else { return inactive };
    let mut answer = json!({
        "active": true,
        "iss": issuer,
        "sub": asked.grant.person,
        "client_id": asked.grant.client,
        "scope": asked.grant.scopes.join(" "),
        "sid": asked.grant.session,
    });
    let more = match asked.found {
        Found::Access(token) if now < token.expires && *token.grant == asked.grant.id => json!({
            "token_type": "Bearer",
            "aud": issuer,
            "jti": token.jti,
            "partner_id": token.partner,
            "iat": token.issued.seconds(),
            "exp": token.expires.seconds(),
        }),
        Found::Refresh(token)
            if token.state == RefreshState::Live && now < token.expires && token.grant == asked.grant.id =>
        {
            json!({ "exp": token.expires.seconds() })
        }
        _ => return inactive,
    };
    if let (Value::Object(answer), Value::Object(more)) = (&mut answer, more) {
        answer.extend(more);
        if let Some(account) = &asked.grant.account {
            answer.insert("account_id".to_owned(), json!(account));
        }
    }
    Ok(answer)
}
