//! Signing as an organization's own service would, with the pieces in the test's hand.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connect::refusal::Refusal;
use connect::signing_key::{Algorithm, Material, SigningKey};
use connect::token::{self, SharedSecret, Verified, VerifyingKey};
use kernel::ids::{OrganizationId, SigningKeyId};
use kernel::{Environment, Sealed, SeededChance, Time};
use serde_json::Value;

pub(crate) const NOW: Time = Time::from_seconds(1_700_000_000);
pub(crate) const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn secret() -> VerifyingKey {
    VerifyingKey::Secret(SharedSecret::new(SECRET))
}

/// A token of exactly these texts, signed with HMAC-SHA-256 whatever the header says.
pub(crate) fn hmac_token(header: &str, payload: &str, secret: &[u8]) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", encode(tag))
}

pub(crate) fn hs256(payload: &Value) -> String {
    hmac_token(r#"{"alg":"HS256","typ":"JWT"}"#, &payload.to_string(), SECRET)
}

/// The proven payload of a text.
pub(crate) fn proven(payload: &str) -> Verified {
    let text = hmac_token(r#"{"alg":"HS256"}"#, payload, SECRET);
    verify(&text, Algorithm::Hs256, &secret()).unwrap()
}

pub(crate) fn verify(text: &str, algorithm: Algorithm, key: &VerifyingKey) -> Result<Verified, Refusal> {
    token::verify_signature(&token::peek(text, token::POST_BYTES)?, algorithm, key)
}

/// A fresh P-256 key: signs tokens, and its public JWK.
pub(crate) struct Es256(EcdsaKeyPair);

impl Es256 {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn jwk(&self) -> String {
        let point = self.0.public_key().as_ref();
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        serde_json::json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }).to_string()
    }

    pub(crate) fn token(&self, payload: &str) -> String {
        self.token_with(r#"{"alg":"ES256"}"#, payload)
    }

    pub(crate) fn token_with(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature))
    }
}

/// A live key's record. `number` makes its id.
pub(crate) fn record(number: u64, algorithm: Algorithm, material: Material) -> SigningKey {
    let chance = SeededChance::new(number);
    SigningKey {
        id: SigningKeyId::new(NOW, &chance),
        organization: OrganizationId::new(NOW, &SeededChance::new(1)),
        environment: Environment::Production,
        algorithm,
        material,
        name: format!("key {number}"),
        created: NOW,
        retires: None,
        revoked: None,
    }
}

pub(crate) fn sealed() -> Material {
    Material::Secret(Sealed::from_stored("v1.k.x"))
}
