//! Tokens of ours that come back: access tokens at the gateway's own endpoints, ID tokens as hints.

use super::authenticate::Hint;
use super::{Client, LogoutHint, TokenKind};
use crate::ids::{AccountId, ClientId, GrantId, PartnerId, PersonId, ServiceKeyId, SessionId};
use crate::signing::KeyRing;
use kernel::Time;
use kernel::jose::{Compact, strict_json};
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes.
pub const TOKEN_BYTES: usize = 16 * 1024;

/// A user's access token, proven and in time. What it rests on must still be looked up (lesson 14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserToken {
    pub jti: String,
    pub client: ClientId,
    pub person: PersonId,
    pub grant: GrantId,
    pub session: SessionId,
    pub partner: PartnerId,
    pub account: Option<AccountId>,
    pub scopes: Vec<String>,
    pub issued: Time,
    pub expires: Time,
}

/// A service account's access token, proven and in time. What it rests on must still be looked up (lesson 14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    pub jti: String,
    /// The service account's email.
    pub account: String,
    pub partner: PartnerId,
    /// The key that proved it.
    pub key: ServiceKeyId,
    pub scopes: Vec<String>,
    pub issued: Time,
    pub expires: Time,
}

/// Whose access token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    User(UserToken),
    Service(ServiceToken),
}

/// `invalid_token` (RFC 6750, section 3.1), with words for the caller's engineer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerRefused {
    #[error("the access token is missing")]
    Missing,
    #[error("this is no access token; send what the token endpoint answered as access_token")]
    OtherKind,
    #[error("the access token is not one of this gateway's")]
    Unproven,
    #[error("the access token has expired; get a new one")]
    Expired,
    #[error("the access token was revoked, or what it rests on has ended; get a new one")]
    Revoked,
}

/// Proves an access token. Everything that is not one of ours, of this kind, unchanged and in time, is refused
/// (lessons 8, 17 and 18).
///
/// # Errors
/// [`BearerRefused`].
pub fn judge_access_token(
    text: &str,
    ring: &KeyRing,
    issuer: &str,
    now: Time,
) -> Result<Bearer, BearerRefused> {
    if text.is_empty() {
        return Err(BearerRefused::Missing);
    }
    if TokenKind::of_opaque(text).is_some() {
        return Err(BearerRefused::OtherKind);
    }
    let claims = proven(text, TokenKind::AccessToken, ring, issuer)?;
    let one = |name: &str| claims.get(name).and_then(Value::as_str);
    if one("aud") != Some(issuer) {
        return Err(BearerRefused::Unproven);
    }
    let bearer = read(&claims).ok_or(BearerRefused::Unproven)?;
    let expires = match &bearer {
        Bearer::User(token) => token.expires,
        Bearer::Service(token) => token.expires,
    };
    if now < expires { Ok(bearer) } else { Err(BearerRefused::Expired) }
}

/// The claims of a token of `kind` that one of our keys has signed for this issuer.
fn proven(
    text: &str,
    kind: TokenKind,
    ring: &KeyRing,
    issuer: &str,
) -> Result<Map<String, Value>, BearerRefused> {
    let compact = Compact::parse(text, TOKEN_BYTES).map_err(|_| BearerRefused::OtherKind)?;
    if compact.header.get("typ").and_then(Value::as_str) != kind.header_type() {
        return Err(BearerRefused::OtherKind);
    }
    if !ring.proves(&compact) {
        return Err(BearerRefused::Unproven);
    }
    match strict_json(&compact.payload) {
        Ok(Value::Object(claims)) if claims.get("iss").and_then(Value::as_str) == Some(issuer) => Ok(claims),
        _ => Err(BearerRefused::Unproven),
    }
}

fn read(claims: &Map<String, Value>) -> Option<Bearer> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_i64).map(Time::from_seconds);
    let scopes = text("scope")?.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect();
    let (jti, partner) = (text("jti")?.to_owned(), PartnerId::parse(text("partner_id")?).ok()?);
    let (issued, expires) = (time("iat")?, time("exp")?);
    if let Some(key) = text("key") {
        let (account, key) = (text("sub")?.to_owned(), ServiceKeyId::parse(key).ok()?);
        return Some(Bearer::Service(ServiceToken { jti, account, partner, key, scopes, issued, expires }));
    }
    let account = match text("account_id") {
        None => None,
        Some(account) => Some(AccountId::parse(account).ok()?),
    };
    Some(Bearer::User(UserToken {
        jti,
        client: ClientId::parse(text("client_id")?).ok()?,
        person: PersonId::parse(text("sub")?).ok()?,
        grant: GrantId::parse(text("grant")?).ok()?,
        session: SessionId::parse(text("sid")?).ok()?,
        partner,
        account,
        scopes,
        issued,
        expires,
    }))
}

/// Reads `id_token_hint`. Its `exp` does not count: a hint is mostly shown when the token is old (RP-Initiated Logout,
/// section 4). `None` for whatever is no ID token of ours.
pub fn judge_hint(text: &str, ring: &KeyRing, issuer: &str) -> Option<LogoutHint> {
    let claims = proven(text, TokenKind::IdToken, ring, issuer).ok()?;
    let one = |name: &str| claims.get(name).and_then(Value::as_str);
    Some(LogoutHint {
        client: ClientId::parse(one("aud")?).ok()?,
        person: PersonId::parse(one("sub")?).ok()?,
        session: one("sid").and_then(|sid| SessionId::parse(sid).ok()),
    })
}

impl Hint {
    /// An authorize request's `id_token_hint`, judged for its client.
    pub fn of(text: Option<&str>, client: &Client, ring: &KeyRing, issuer: &str) -> Self {
        let Some(text) = text else { return Self::None };
        let hint = judge_hint(text, ring, issuer).filter(|hint| hint.client == client.id);
        hint.map_or(Self::Unproven, |hint| Self::Person(hint.person))
    }
}
