//! The key file, shown once, in the form that the SDKs in the field read.

use super::der::{pem, pkcs1_of, sec1, unpem};
use crate::ids::ServiceKeyId;
use kernel::SecretText;
use kernel::jose::{Algorithm, PublicKey, SigningKey, strict_json};
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

/// A private key in hand: to write its file, to register its public half, to sign. P-256 or RSA.
#[derive(Debug)]
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// A fresh key.
    ///
    /// # Errors
    /// [`KeyFileRefused::Algorithm`], [`KeyFileRefused::Generation`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyFileRefused> {
        match algorithm {
            Algorithm::Es256 | Algorithm::Rs256 => {
                SigningKey::generate(algorithm).map(Self).map_err(|_| KeyFileRefused::Generation)
            }
            // The SDKs in the field read neither.
            Algorithm::Hs256 | Algorithm::EdDsa => Err(KeyFileRefused::Algorithm),
        }
    }

    /// Reads what [`Self::pem`] writes.
    ///
    /// # Errors
    /// [`KeyFileRefused::PrivateKey`].
    pub fn read_pem(text: &str) -> Result<Self, KeyFileRefused> {
        let (algorithm, der) = match unpem(EC, text) {
            Some(der) => (Algorithm::Es256, der),
            None => (Algorithm::Rs256, unpem(RSA, text).ok_or(KeyFileRefused::PrivateKey)?),
        };
        SigningKey::from_der(algorithm, &der).map(Self).map_err(|_| KeyFileRefused::PrivateKey)
    }

    pub const fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// SEC 1 with curve and public key for ES256, PKCS#1 for RS256.
    ///
    /// # Errors
    /// [`KeyFileRefused::Generation`] where the library does not give the key out.
    pub fn pem(&self) -> Result<SecretText, KeyFileRefused> {
        if let (Some(scalar), PublicKey::P256 { point }) = (self.0.p256_scalar(), self.0.public()) {
            return Ok(SecretText::new(pem(EC, &sec1(&scalar, &point)).as_str()));
        }
        let pkcs8 = self.0.to_pkcs8().map_err(|_| KeyFileRefused::Generation)?;
        let inner = pkcs1_of(&pkcs8).ok_or(KeyFileRefused::Generation)?;
        Ok(SecretText::new(pem(RSA, inner).as_str()))
    }

    /// The public half as a JWK, JSON text.
    pub fn public_jwk(&self) -> String {
        self.0.public().to_jwk().to_string()
    }

    /// A JWT of exactly this header and payload.
    ///
    /// # Errors
    /// [`KeyFileRefused::Generation`] where the library cannot sign.
    pub fn sign(&self, header: &Value, payload: &str) -> Result<String, KeyFileRefused> {
        self.0.jws(header, payload).map_err(|_| KeyFileRefused::Generation)
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
