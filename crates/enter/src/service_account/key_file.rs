//! The key file, shown once, in the form that the SDKs in the field read.

use super::der::{pem, pkcs1_of, rsa_public_of, sec1, unpem};
use crate::ids::ServiceKeyId;
use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::SecretText;
use kernel::jose::{Algorithm, strict_json};
use serde_json::{Value, json};

const EC: &str = "EC PRIVATE KEY";
const RSA: &str = "RSA PRIVATE KEY";

/// Why a key cannot be made or a key file not be read. Never with any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileRefused {
    #[error("keys are made for ES256 and RS256 only")]
    Algorithm,
    #[error("the key could not be made")]
    Generation,
    #[error("the key file is not JSON with `type` = `service_account`")]
    Form,
    #[error("the key file has no `{0}`")]
    Member(&'static str),
    #[error("`private_key` is neither a P-256 key in SEC 1 PEM nor an RSA key in PKCS#1 PEM")]
    PrivateKey,
}

/// A private key in hand: to write its file, to register its public half, to sign.
pub enum KeyPair {
    Es256(EcdsaKeyPair),
    Rs256 { pair: RsaKeyPair, pem: SecretText },
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyPair({})", self.algorithm().as_str())
    }
}

impl KeyPair {
    /// A fresh key. Its randomness is the cryptographic library's own, which takes none from outside.
    ///
    /// # Errors
    /// [`KeyFileRefused::Algorithm`], [`KeyFileRefused::Generation`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyFileRefused> {
        match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
                pair.map(Self::Es256).map_err(|_| KeyFileRefused::Generation)
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyFileRefused::Generation)?;
                let pkcs8: Pkcs8V1Der<'static> = pair.as_der().map_err(|_| KeyFileRefused::Generation)?;
                let inner = pkcs1_of(pkcs8.as_ref()).ok_or(KeyFileRefused::Generation)?;
                let pem = SecretText::new(pem(RSA, inner).as_str());
                Ok(Self::Rs256 { pair, pem })
            }
            Algorithm::Hs256 | Algorithm::EdDsa => Err(KeyFileRefused::Algorithm),
        }
    }

    /// Reads what [`Self::pem`] writes.
    ///
    /// # Errors
    /// [`KeyFileRefused::PrivateKey`].
    pub fn read_pem(text: &str) -> Result<Self, KeyFileRefused> {
        if let Some(der) = unpem(EC, text) {
            let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der);
            return pair.map(Self::Es256).map_err(|_| KeyFileRefused::PrivateKey);
        }
        let der = unpem(RSA, text).ok_or(KeyFileRefused::PrivateKey)?;
        let pair = RsaKeyPair::from_der(&der).map_err(|_| KeyFileRefused::PrivateKey)?;
        Ok(Self::Rs256 { pair, pem: SecretText::new(text) })
    }

    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::Rs256 { .. } => Algorithm::Rs256,
        }
    }

    /// SEC 1 with curve and public key for ES256, PKCS#1 for RS256.
    ///
    /// # Errors
    /// [`KeyFileRefused::Generation`] where the library does not give the key out.
    pub fn pem(&self) -> Result<SecretText, KeyFileRefused> {
        match self {
            Self::Rs256 { pem, .. } => Ok(pem.clone()),
            Self::Es256(pair) => {
                let scalar: EcPrivateKeyBin<'static> =
                    pair.private_key().as_be_bytes().map_err(|_| KeyFileRefused::Generation)?;
                let scalar: &[u8; 32] = scalar.as_ref().try_into().map_err(|_| KeyFileRefused::Generation)?;
                let der = sec1(scalar, pair.public_key().as_ref());
                Ok(SecretText::new(pem(EC, &der).as_str()))
            }
        }
    }

    /// The public half as a JWK, JSON text.
    pub fn public_jwk(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref().split_at_checked(33).unwrap_or_default();
                json!({ "crv": "P-256", "kty": "EC", "x": text(x.get(1..).unwrap_or_default()), "y": text(y) }).to_string()
            }
            Self::Rs256 { pair, .. } => {
                let (n, e) = rsa_public_of(pair.public_key().as_ref()).unwrap_or_default();
                json!({ "e": text(e), "kty": "RSA", "n": text(n) }).to_string()
            }
        }
    }

    /// A JWT of exactly this header and payload.
    ///
    /// # Errors
    /// [`KeyFileRefused::Generation`] where the library cannot sign.
    pub fn sign(&self, header: &Value, payload: &str) -> Result<String, KeyFileRefused> {
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload));
        let random = SystemRandom::new();
        let failed = |_| KeyFileRefused::Generation;
        let signature = match self {
            Self::Es256(pair) => pair.sign(&random, signed.as_bytes()).map_err(failed)?.as_ref().to_vec(),
            Self::Rs256 { pair, .. } => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).map_err(failed)?;
                signature
            }
        };
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// A key file (contract `enter.md`, section 4).
#[derive(Debug)]
pub struct KeyFile {
    pub key_id: ServiceKeyId,
    pub key: KeyPair,
    pub client_email: String,
    pub token_uri: String,
    /// What the SDKs write into `aud`.
    pub audience: String,
}

impl KeyFile {
    /// The file's text, its members in the published order.
    ///
    /// # Errors
    /// [`KeyFileRefused::Generation`].
    pub fn write(&self) -> Result<SecretText, KeyFileRefused> {
        let file = json!({
            "type": "service_account",
            "private_key_id": self.key_id,
            "private_key": self.key.pem()?.reveal(),
            "client_email": self.client_email,
            "token_uri": self.token_uri,
            "assertionHeaderData": { "alg": self.key.algorithm().as_str(), "kid": self.key_id },
            "assertionPayloadData": { "aud": self.audience, "iss": self.client_email, "sub": self.client_email },
        });
        Ok(SecretText::new(format!("{file:#}\n")))
    }

    /// # Errors
    /// [`KeyFileRefused`].
    pub fn read(text: &str) -> Result<Self, KeyFileRefused> {
        let file = strict_json(text.as_bytes()).map_err(|_| KeyFileRefused::Form)?;
        let member = |value: &Value, name: &'static str| {
            value.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(KeyFileRefused::Member(name))
        };
        if file.get("type").and_then(Value::as_str) != Some("service_account") {
            return Err(KeyFileRefused::Form);
        }
        let payload =
            file.get("assertionPayloadData").ok_or(KeyFileRefused::Member("assertionPayloadData"))?;
        Ok(Self {
            key_id: ServiceKeyId::parse(&member(&file, "private_key_id")?)
                .map_err(|_| KeyFileRefused::Member("private_key_id"))?,
            key: KeyPair::read_pem(&member(&file, "private_key")?)?,
            client_email: member(&file, "client_email")?,
            token_uri: member(&file, "token_uri")?,
            audience: member(payload, "aud")?,
        })
    }
}
