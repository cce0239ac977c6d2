//! How Acme's own backend signs a tenant token: all that a company needs to write. The demo shows this file.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// A JSON Web Token, HS256, with the secret that the gateway shares with the company.
pub(super) fn sign_tenant_token(secret: &str, claims: &serde_json::Value) -> String {
    let header = BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = BASE64.encode(claims.to_string());
    let signed = format!("{header}.{payload}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = BASE64.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}
