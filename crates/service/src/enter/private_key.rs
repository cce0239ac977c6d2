//! One of the gateway's own keys, ready to sign.

use ::enter::ids::IssuerKeyId;
use kernel::jose::{Algorithm, SigningKey, SigningRefused};
use serde_json::json;

/// What we sign is of these types; see [`::enter::oidc::TokenKind::header_type`].
const TYPES: [&str; 3] = ["at+jwt", "JWT", "logout+jwt"];

/// A private key with the headers of what it signs, in base64url.
pub(super) struct Private {
    key: SigningKey,
    headers: [String; 3],
}

impl Private {
    pub(super) fn new(id: &IssuerKeyId, algorithm: Algorithm, key: SigningKey) -> Self {
        let header =
            |typ: &str| SigningKey::header(&json!({ "alg": algorithm.as_str(), "typ": typ, "kid": id }));
        Self { key, headers: TYPES.map(header) }
    }

    /// # Errors
    /// [`SigningRefused`].
    pub(super) fn jws(&self, typ: &str, payload: &str) -> Result<String, SigningRefused> {
        let known = TYPES.iter().zip(&self.headers).find(|(known, _)| **known == typ);
        let (_, header) = known.ok_or(SigningRefused::Algorithm)?;
        self.key.jws_under(header, payload)
    }
}
