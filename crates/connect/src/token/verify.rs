//! The signature.

use super::Peek;
use crate::refusal::{Code, Refusal};
use crate::signing_key::{Algorithm, PublicKey, SECRET_BYTES};
use aws_lc_rs::hmac;
use serde_json::json;
use std::sync::Arc;

/// What a signature is checked with, opened from a key's record.
#[derive(Clone)]
pub enum VerifyingKey {
    /// The shared secret of an HS256 key.
    Secret(SharedSecret),
    /// A public JWK as JSON text: a registered one, or one out of a published set. It is checked at each use as
    /// at registration, because what a set holds was checked by nobody.
    Jwk(String),
}

/// A shared secret as it was given to the organization, made ready to check signatures. Cheap to clone.
#[derive(Clone)]
pub struct SharedSecret {
    key: Arc<hmac::Key>,
    is_long: bool,
}

impl SharedSecret {
    pub fn new(secret: &[u8]) -> Self {
        let key = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Self { key, is_long: secret.len() >= SECRET_BYTES }
    }

    fn proves(&self, message: &[u8], signature: &[u8]) -> bool {
        // An empty or short secret can be guessed from one token; registration refuses it too.
        self.is_long && hmac::verify(&self.key, message, signature).is_ok()
    }
}

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(..)",
            Self::Jwk(_) => "Jwk(..)",
        })
    }
}

/// The payload of a token whose signature was proven. Only [`verify_signature`] makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified(pub(super) Vec<u8>);

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verified({} bytes)", self.0.len())
    }
}

/// Checks the token's signature with one key. `algorithm` is that of the key's record.
///
/// Decision: the record's algorithm chooses the code path and must fit both the header and the kind of key, so
/// that no token can choose how its own signature is read (lesson 17). HMAC is compared in constant time.
///
/// # Errors
/// `token_algorithm` where header, record and kind of key do not agree, `token_signature` otherwise.
pub fn verify_signature(peek: &Peek, algorithm: Algorithm, key: &VerifyingKey) -> Result<Verified, Refusal> {
    if peek.algorithm != algorithm {
        let told = format!(
            "The token is signed with {}, but the key is registered for {}.",
            peek.algorithm.as_str(),
            algorithm.as_str()
        );
        return Err(Refusal::new(Code::TokenAlgorithm, told).seen(json!({ "alg": peek.algorithm.as_str() })));
    }
    let (message, signature) = (peek.signed.as_bytes(), peek.signature.as_slice());
    let proven = match (algorithm, key) {
        (Algorithm::Hs256, VerifyingKey::Secret(secret)) => secret.proves(message, signature),
        (Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa, VerifyingKey::Jwk(jwk)) => {
            let public = PublicKey::parse(algorithm, jwk).map_err(|error| {
                Refusal::new(
                    Code::TokenSignature,
                    format!("The registered key cannot be used: {error}. Register it anew."),
                )
            })?;
            public.proves(message, signature)
        }
        _ => {
            let told = format!("The registered key cannot verify {}.", algorithm.as_str());
            return Err(Refusal::new(Code::TokenAlgorithm, told));
        }
    };
    if proven {
        return Ok(Verified(peek.payload.clone()));
    }
    let told = "The signature does not belong to this header and payload under the organization's key. Check that the \
                secret or private key is the one of this organization and environment, and that the token is sent unchanged.";
    let seen = json!({ "alg": algorithm.as_str(), "kid": peek.kid.as_deref().map(super::shortened) });
    Err(Refusal::new(Code::TokenSignature, told).seen(seen))
}
