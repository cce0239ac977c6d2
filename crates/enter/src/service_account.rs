//! Service accounts: how a partner's backend proves itself (contract `enter.md`, section 4).

mod access_token;
mod assertion;
mod der;
mod key_file;
mod scopes;

pub use access_token::{ACCESS_TOKEN_LIFETIME_S, AccessClaims, ascii_json};
pub use assertion::{
    ASSERTION_BYTES, AssertionRefused, Exchange, Granted, Named, Proof, Replay, Rules, judge, named,
};
pub use key_file::{KeyFile, KeyFileRefused, KeyPair};
pub use scopes::Scope;

use crate::ids::{PartnerId, ServiceKeyId};
use kernel::Time;
use kernel::jose::Algorithm;

/// A service account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// `client_email`: issuer and subject of its assertions; unique in the gateway.
    pub email: String,
    pub partner: PartnerId,
    /// What tokens for it may do, as [`Scope`] spells it.
    pub scopes: Vec<String>,
    pub disabled: Option<Time>,
}

/// Leniencies for SDKs in the field, each off unless somebody turned it on for this one key.
///
/// Decision: each of them weakens the proof (a copy of the assertion may be repeated, or one that was made for
/// somebody else is taken), so they exist per key, only for keys that we generated, are shown by `doctor` and
/// written to the audit log. The trade: partners with old SDKs have to flip a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    /// An assertion without `jti` may repeat until its `exp`.
    pub without_jti: bool,
    /// `aud` may stand in the JOSE header.
    pub audience_in_header: bool,
    /// The settings' audiences of the older exchange (`vendasta.com`) are taken.
    pub legacy_audience: bool,
}

/// A service account's key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceKey {
    /// `kid`.
    pub id: ServiceKeyId,
    /// The account's [`ServiceAccount::email`].
    pub account: String,
    /// The record's, never the token's (lesson 17).
    pub algorithm: Algorithm,
    /// As `kernel::jose::check_jwk` writes it.
    pub public_jwk: String,
    /// Whether we generated it, so that nobody else can hold the private key of it.
    pub generated_here: bool,
    switches: Switches,
    pub expires: Option<Time>,
    pub disabled: Option<Time>,
}

/// A key that somebody brought takes no leniency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("switches are only for keys that were generated here; make a new key")]
pub struct SwitchesRefused;

impl ServiceKey {
    pub fn new(
        id: ServiceKeyId,
        account: String,
        algorithm: Algorithm,
        public_jwk: String,
        generated_here: bool,
    ) -> Self {
        let switches = Switches::default();
        Self { id, account, algorithm, public_jwk, generated_here, switches, expires: None, disabled: None }
    }

    /// # Errors
    /// [`SwitchesRefused`] for a key that was not generated here.
    pub fn with_switches(self, switches: Switches) -> Result<Self, SwitchesRefused> {
        if self.generated_here || switches == Switches::default() {
            Ok(Self { switches, ..self })
        } else {
            Err(SwitchesRefused)
        }
    }

    /// Those in force: none for a key that was brought, whatever its record says.
    pub fn switches(&self) -> Switches {
        if self.generated_here { self.switches } else { Switches::default() }
    }

    pub fn is_live(&self, now: Time) -> bool {
        self.disabled.is_none() && self.expires.is_none_or(|end| now < end)
    }
}
