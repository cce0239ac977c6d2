//! Why a landing is refused: one stable code, one HTTP status and one public text each
//! (contract `connect.md`, section 1).

use kernel::ids::{OrganizationId, RefusalId};
use kernel::{Environment, Time};

macro_rules! codes {
    ($($variant:ident = $text:literal, $status:literal;)*) => {
        /// The stable codes of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($variant),* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As the contract spells it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    TokenMissing = "token_missing", 401;
    TokenMalformed = "token_malformed", 401;
    TokenAlgorithm = "token_algorithm", 401;
    TokenSignature = "token_signature", 401;
    TokenExpired = "token_expired", 401;
    TokenNotYetValid = "token_not_yet_valid", 401;
    TokenStale = "token_stale", 401;
    TokenReplayed = "token_replayed", 401;
    TokenAudience = "token_audience", 401;
    ClaimMissing = "claim_missing", 400;
    ClaimInvalid = "claim_invalid", 400;
    OrganizationUnknown = "organization_unknown", 404;
    ConnectorUnknown = "connector_unknown", 404;
    IntegrationUnknown = "integration_unknown", 404;
    FrameOriginForbidden = "frame_origin_forbidden", 403;
}

/// A refusal as a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// Which claim, as a path: `iat`, `ti.xti.connector_name`.
    pub claim: Option<String>,
    /// For the organization's developers: what was wrong and what to do. Never a secret, never the token.
    pub message: String,
    /// What was seen, for the refusal's record: never the token, never a secret.
    pub seen: serde_json::Value,
}

impl Refusal {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, claim: None, message: message.into(), seen: serde_json::Value::Null }
    }

    #[must_use]
    pub fn of_claim(mut self, claim: impl Into<String>) -> Self {
        self.claim = Some(claim.into());
        self
    }

    #[must_use]
    pub fn seen(mut self, seen: serde_json::Value) -> Self {
        self.seen = seen;
        self
    }
}

/// A refusal as it was recorded: what `vestibule refusals` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRefusal {
    /// Shown to the person as the reference.
    pub id: RefusalId,
    pub at: Time,
    pub environment: Environment,
    /// `None` where the organization is not known.
    pub organization: Option<OrganizationId>,
    /// `code` as text: other doors record theirs in the same table.
    pub code: String,
    pub status: u16,
    pub claim: Option<String>,
    pub message: String,
    pub seen: serde_json::Value,
    /// Which request: the route's pattern, never its query.
    pub route: String,
}
