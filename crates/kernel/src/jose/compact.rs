//! A JWS in compact form, taken apart without believing any of it (RFC 7515, section 7.1).

use super::{JsonRefused, PublicKey, strict_json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Header members with which a token brings or names its own key: such a key proves nothing (RFC 8725; lesson 17).
pub const OWN_KEY: &[&str] = &["jwk", "jku", "x5u", "x5c"];
/// Header members that change how the rest is to be read.
pub const OTHER_RULES: &[&str] = &["crit", "b64", "zip", "enc"];

/// Why a text is no JWS in compact form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompactRefused {
    #[error("it is empty")]
    Empty,
    #[error("it has {bytes} bytes; at most {most} are taken")]
    TooLarge { bytes: usize, most: usize },
    #[error("it must be three parts with a point between each: header.payload.signature")]
    Parts { seen: usize },
    #[error("its {0} is not base64url without padding (RFC 7515, section 2)")]
    NotBase64(&'static str),
    #[error("its header is refused: {0}")]
    Header(JsonRefused),
    #[error("its header must be a JSON object")]
    HeaderNotObject,
}

/// The three parts; nothing in them is proven.
#[derive(Clone, PartialEq, Eq)]
pub struct Compact {
    pub header: Map<String, Value>,
    /// What the signature is over: the first two parts as they were sent.
    pub signed: String,
    pub payload: Vec<u8>,
    pub signature: Vec<u8>,
}

impl std::fmt::Debug for Compact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Compact({} bytes)", self.payload.len())
    }
}

impl Compact {
    /// Takes `text` apart: at most `most` bytes long. An empty signature is left to the caller, who may want to
    /// say something about the algorithm first.
    ///
    /// # Errors
    /// [`CompactRefused`], in the order of its variants.
    pub fn parse(text: &str, most: usize) -> Result<Self, CompactRefused> {
        if text.is_empty() {
            return Err(CompactRefused::Empty);
        }
        if text.len() > most {
            return Err(CompactRefused::TooLarge { bytes: text.len(), most });
        }
        let parts: Vec<&str> = text.splitn(5, '.').collect();
        let &[header, payload, signature] = parts.as_slice() else {
            return Err(CompactRefused::Parts { seen: parts.len() });
        };
        let header_bytes = decoded(header, "header")?;
        let (payload_bytes, signature) = (decoded(payload, "payload")?, decoded(signature, "signature")?);
        match strict_json(&header_bytes).map_err(CompactRefused::Header)? {
            Value::Object(read) => Ok(Self {
                header: read,
                signed: [header, payload].join("."),
                payload: payload_bytes,
                signature,
            }),
            _ => Err(CompactRefused::HeaderNotObject),
        }
    }

    /// Whether the signature is `key`'s over header and payload.
    pub fn proven_by(&self, key: &PublicKey) -> bool {
        key.proves(self.signed.as_bytes(), &self.signature)
    }
}

/// The engine refuses padding, white space and bits beyond the last byte: one token has one spelling, so that
/// no changed text verifies (lesson 18).
fn decoded(part: &str, name: &'static str) -> Result<Vec<u8>, CompactRefused> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| CompactRefused::NotBase64(name))
}
