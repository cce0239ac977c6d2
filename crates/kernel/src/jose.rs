//! Signed tokens as both doors read them: strict JSON, checked keys, and a JWS taken apart (RFC 7515, RFC 7517,
//! RFC 8725). What a token may say is for the doors to decide.

mod compact;
mod der;
mod json;
mod public_key;
mod signing_key;

pub use compact::{Compact, CompactRefused, OTHER_RULES, OWN_KEY};
pub use json::{JsonRefused, strict_json};
pub use public_key::{KeyRefused, PublicKey, SECRET_BYTES, check_jwk, check_secret};
pub use signing_key::{SigningKey, SigningRefused};

/// The algorithm of a key. It always comes from the key's record, never from a token (lesson 17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in a JOSE header (RFC 7518, RFC 8037).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

/// What a refusal may show of a text that came in: 64 characters, without control characters.
pub fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
    if text.chars().count() > 64 {
        shown.push('…');
    }
    shown
}
