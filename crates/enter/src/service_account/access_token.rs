//! Access tokens for service accounts, and JSON that every client in the field decodes.

use crate::ids::{PartnerId, ServiceKeyId};
use crate::members::{AsciiObject, Members as _, escaped};
use kernel::Time;
use serde_json::Value;

/// How long an access token lives, in seconds (contract `enter.md`, section 5).
pub const ACCESS_TOKEN_LIFETIME_S: i64 = 30 * 60;

/// What an access token for a service account says.
#[derive(Debug, Clone, Copy)]
pub struct AccessClaims<'a> {
    pub issuer: &'a str,
    /// The service account's email.
    pub subject: &'a str,
    pub partner: &'a PartnerId,
    pub scopes: &'a [String],
    /// The key that proved it: with that key the token ends, too (lesson 14).
    pub key: &'a ServiceKeyId,
    /// Names the token for revocation.
    pub jti: &'a str,
    pub now: Time,
}

impl AccessClaims<'_> {
    /// The payload, ready to sign.
    pub fn payload(&self) -> String {
        let issued = self.now.seconds();
        let mut claims = AsciiObject::default();
        claims.text("iss", self.issuer);
        claims.text("sub", self.subject);
        claims.text("aud", self.issuer);
        claims.text("partner_id", self.partner.as_str());
        claims.text("scope", &self.scopes.join(" "));
        claims.text("key", self.key.as_str());
        claims.text("jti", self.jti);
        claims.number("iat", issued);
        claims.number("exp", issued.saturating_add(ACCESS_TOKEN_LIFETIME_S));
        claims.end()
    }
}

/// Compact JSON in ASCII without `>`, `?`, `~` and DEL.
///
/// Some clients decode a token's payload as plain base64. Its alphabet differs from base64url's only in the
/// digits 62 and 63, which ASCII text yields only through these four characters.
pub fn ascii_json(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() && !matches!(c, '>' | '?' | '~' | '\u{7f}') {
            out.push(c);
        } else {
            escaped(c, &mut out);
        }
    }
    out
}
