//! A key with which an organization signs its tenant tokens.

mod der;
mod public_key;

pub use public_key::{KeyRefused, PublicKey, SECRET_BYTES, check_jwk, check_secret};

use kernel::ids::{OrganizationId, SigningKeyId};
use kernel::{Environment, SafeUrl, Sealed, Time};

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

/// What the signature is checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// A shared secret, sealed for the place `signing_key:{id}`. Only for HS256.
    Secret(Sealed),
    /// A public key as a JWK (RFC 7517), JSON text without private members.
    PublicJwk(String),
    /// Where the organization publishes its keys as a JWK set; the token's `kid` chooses among them.
    JwksUrl(SafeUrl),
}

/// A signing key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    pub id: SigningKeyId,
    pub organization: OrganizationId,
    pub environment: Environment,
    pub algorithm: Algorithm,
    pub material: Material,
    /// What people call it.
    pub name: String,
    pub created: Time,
    /// The end of the overlap after a rotation; `None` while it is in full use.
    pub retires: Option<Time>,
    pub revoked: Option<Time>,
}

impl SigningKey {
    /// Whether tokens signed with it are accepted at `now`.
    pub fn is_live(&self, now: Time) -> bool {
        self.revoked.is_none() && self.retires.is_none_or(|end| now < end)
    }
}
