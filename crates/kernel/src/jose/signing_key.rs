//! A private key that signs: made here, kept sealed as PKCS#8, never shown.

use super::der::{Spki, read_rsa};
use super::{Algorithm, PublicKey};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use zeroize::Zeroizing;

/// Why a key cannot be made, read or used. Never with any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningRefused {
    #[error("HS256 has no key pair")]
    Algorithm,
    #[error("the key could not be made")]
    Generation,
    #[error("it is no private key for this algorithm")]
    Form,
    #[error("the key could not sign")]
    Signing,
}

/// A private key in hand. Its randomness is the cryptographic library's own, which takes none from outside.
pub enum SigningKey {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.algorithm().as_str())
    }
}

impl SigningKey {
    /// A fresh key: RSA of 2048 bits, P-256 or Ed25519. RSA takes a noticeable part of a second.
    ///
    /// # Errors
    /// [`SigningRefused::Algorithm`], [`SigningRefused::Generation`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, SigningRefused> {
        let failed = |_| SigningRefused::Generation;
        Ok(match algorithm {
            Algorithm::Rs256 => Self::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?)),
            Algorithm::Es256 => Self::P256(Box::new(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?,
            )),
            Algorithm::EdDsa => Self::Ed25519(Box::new(Ed25519KeyPair::generate().map_err(failed)?)),
            Algorithm::Hs256 => return Err(SigningRefused::Algorithm),
        })
    }

    /// Reads what [`Self::to_pkcs8`] writes; for RSA and P-256 also the bare PKCS#1 and SEC 1 forms.
    ///
    /// # Errors
    /// [`SigningRefused::Form`].
    pub fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, SigningRefused> {
        let wrong = |_| SigningRefused::Form;
        Ok(match algorithm {
            Algorithm::Rs256 => Self::Rsa(Box::new(
                RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)).map_err(wrong)?,
            )),
            Algorithm::Es256 => {
                let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_pkcs8(curve, der);
                Self::P256(Box::new(
                    pair.or_else(|_| EcdsaKeyPair::from_private_key_der(curve, der)).map_err(wrong)?,
                ))
            }
            Algorithm::EdDsa => Self::Ed25519(Box::new(Ed25519KeyPair::from_pkcs8(der).map_err(wrong)?)),
            Algorithm::Hs256 => return Err(SigningRefused::Algorithm),
        })
    }

    /// The private key as PKCS#8: to be sealed at once.
    ///
    /// # Errors
    /// [`SigningRefused::Generation`] where the library does not give the key out.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, SigningRefused> {
        let failed = |_| SigningRefused::Generation;
        Ok(Zeroizing::new(match self {
            Self::Rsa(pair) => {
                let der: Pkcs8V1Der<'static> = pair.as_der().map_err(failed)?;
                der.as_ref().to_vec()
            }
            Self::P256(pair) => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Self::Ed25519(pair) => pair.to_pkcs8().map_err(failed)?.as_ref().to_vec(),
        }))
    }

    /// The scalar of a P-256 key, 32 bytes; `None` for other kinds.
    pub fn p256_scalar(&self) -> Option<Zeroizing<[u8; 32]>> {
        let Self::P256(pair) = self else { return None };
        let scalar: EcPrivateKeyBin<'static> = pair.private_key().as_be_bytes().ok()?;
        scalar.as_ref().try_into().ok().map(Zeroizing::new)
    }

    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Rsa(pair) => match read_rsa(pair.public_key().as_ref()) {
                Some(Spki::Rsa { n, e }) => PublicKey::Rsa { n, e },
                // The library's own RSAPublicKey always reads; an empty one would prove nothing.
                _ => PublicKey::Rsa { n: Vec::new(), e: Vec::new() },
            },
            Self::P256(pair) => PublicKey::P256 { point: pair.public_key().as_ref().to_vec() },
            Self::Ed25519(pair) => PublicKey::Ed25519 { x: pair.public_key().as_ref().to_vec() },
        }
    }

    /// The signature over `message`, in the form that JWS has (RFC 7518, section 3; RFC 8037).
    ///
    /// # Errors
    /// [`SigningRefused::Signing`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningRefused> {
        let random = SystemRandom::new();
        let failed = |_| SigningRefused::Signing;
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Self::P256(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
        }
    }

    /// A JWS in compact form of exactly this header and payload. The header's `alg` is the caller's to write.
    ///
    /// # Errors
    /// [`SigningRefused::Signing`].
    pub fn jws(&self, header: &Value, payload: &str) -> Result<String, SigningRefused> {
        self.jws_under(&Self::header(header), payload)
    }

    /// A header as it stands in front of what is signed.
    pub fn header(header: &Value) -> String {
        URL_SAFE_NO_PAD.encode(header.to_string())
    }

    /// The same under a header that [`Self::header`] has written.
    ///
    /// # Errors
    /// [`SigningRefused::Signing`].
    pub fn jws_under(&self, header: &str, payload: &str) -> Result<String, SigningRefused> {
        // Header, payload and signature in base64url, with two points.
        let room = header.len() + payload.len() / 3 * 4 + 128;
        let mut text = String::with_capacity(room);
        text.push_str(header);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        let signature = self.sign(text.as_bytes())?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Compact;
    use serde_json::json;

    #[test]
    fn each_kind_signs_what_its_public_half_proves_also_after_it_was_kept() {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            let made = SigningKey::generate(algorithm).unwrap();
            assert_eq!(made.algorithm(), algorithm);
            let kept = SigningKey::from_der(algorithm, &made.to_pkcs8().unwrap()).unwrap();
            let jwk = made.public().to_jwk().to_string();
            assert_eq!(kept.public().to_jwk().to_string(), jwk);
            let public = PublicKey::parse(algorithm, &jwk).unwrap();
            let text = kept.jws(&json!({ "alg": algorithm.as_str() }), r#"{"a":1}"#).unwrap();
            let read = Compact::parse(&text, 4096).unwrap();
            assert!(read.proven_by(&public), "{algorithm:?}");
            assert_eq!(read.payload, br#"{"a":1}"#);
            let other = SigningKey::generate(algorithm).unwrap().public();
            assert!(!read.proven_by(&other), "{algorithm:?}");
            assert_eq!(format!("{made:?}"), format!("SigningKey({})", algorithm.as_str()));
        }
    }

    #[test]
    fn a_key_is_read_only_for_its_own_algorithm() {
        let all = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
        for algorithm in all {
            let der = SigningKey::generate(algorithm).unwrap().to_pkcs8().unwrap();
            for other in all.into_iter().filter(|other| *other != algorithm) {
                assert_eq!(SigningKey::from_der(other, &der).err(), Some(SigningRefused::Form));
            }
        }
        assert_eq!(SigningKey::generate(Algorithm::Hs256).err(), Some(SigningRefused::Algorithm));
    }

    #[test]
    fn only_p256_gives_its_scalar() {
        assert!(SigningKey::generate(Algorithm::Es256).unwrap().p256_scalar().is_some());
        assert!(SigningKey::generate(Algorithm::EdDsa).unwrap().p256_scalar().is_none());
    }
}
