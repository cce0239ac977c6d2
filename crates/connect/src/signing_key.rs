//! A key with which an organization signs its tenant tokens.

pub use kernel::jose::{Algorithm, KeyRefused, PublicKey, SECRET_BYTES, check_jwk, check_secret};

use kernel::ids::{OrganizationId, SigningKeyId};
use kernel::{Environment, SafeUrl, Sealed, Time};

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
