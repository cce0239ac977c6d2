//! Tenant tokens, signed before a window begins, as an organization's own server would sign them.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Clock as _, SystemClock};
use serde_json::json;

/// Signs tokens of one organization.
#[derive(Debug)]
pub struct Signer {
    key: hmac::Key,
    header: String,
    made: u64,
}

impl Signer {
    /// `secret` as the gateway showed it, `kid` the key's id.
    pub fn new(secret: &str, kid: &str) -> Self {
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": kid }).to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self { key, header: URL_SAFE_NO_PAD.encode(header), made: 0 }
    }

    /// A token with the claims of contract `connect.md`, section 1, for the user of this number.
    pub fn sign(&mut self, user: u64) -> String {
        self.made += 1;
        let claims = json!({
            "iat": SystemClock.now().seconds(),
            "jti": format!("bench-{:020}", self.made),
            "sub": format!("user{user}@acme.example"),
            "external_id": format!("{user:08}"),
            "ti": { "udn": "Anna Schmidt", "ufn": "Anna Maria Schmidt" },
            "xti": {
                "connector_name": crate::world::OWN_CONNECTOR,
                "integration_name": crate::world::INTEGRATION,
                "token": "2f1c0a9b8d7e6f5a4b3c2d1e0f9a8b7c",
            },
        });
        let signed = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
