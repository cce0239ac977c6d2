//! The dialog: what happens between a landing and the installed tenant, one stage at a time.

mod names;
mod rules;

pub use names::{id_of, least_id, new_bearer, reference, token_name};
pub use rules::{CODE_TRIES, Event, INSTALLING_S, NotNow, Opening, Way};

use kernel::ids::{AttemptId, IntegrationId, OrganizationId, TenantId};
use kernel::{Environment, Hashed, Origin, Sealed, Slug, Time};
use serde::{Deserialize, Serialize};

/// How long a dialog lives, in seconds (contract `connect.md`, section 1).
pub const LIFETIME_S: i64 = 15 * 60;
/// How long after its end a dialog may still finish what was begun in time, in seconds: as long as a person may
/// take at the outside system.
pub const GRACE_S: i64 = crate::attempt::LIFETIME_S;

/// The person the organization vouched for, from the token's claims. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// The token's `sub`, byte for byte.
    pub username: String,
    /// `ti.uem`, else `sub` if it has an `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `ti.udn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// `ti.ufn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Any JSON; `null` where absent.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub meta: serde_json::Value,
    /// `ti.ili`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_integrations: Vec<String>,
    /// `ti.aid` and `ti.adn`: the person acting for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting_name: Option<String>,
    /// `xti` as sent, in its own order, with `token` masked.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub extra: serde_json::Value,
}

/// What went wrong, as the person is told (design `browser.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    PopupBlocked,
    UserDenied,
    WrongAccount,
    MissingScopes,
    ProviderDown,
    InvalidCredentials,
    StateMismatch,
    TimedOut,
    Capped,
    ServerError,
}

/// Something to choose among, offered by an `after` step with `choose`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub value: String,
    pub label: String,
}

/// Where a dialog stands. Each stage carries what the next one needs. It is stored in this form and never sent
/// to a page as it is: `code` must come from the person, not from us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Opened as a link instead of in a frame: "Connect HubSpot to Anna in Acme?"
    ConfirmIdentity,
    /// The user has this connection already: reconnect or disconnect.
    Connected {
        tenant: TenantId,
    },
    /// Inputs are asked: a key, a password, or what the sign-in address needs.
    Form,
    /// One button opens the outside system.
    Ready,
    /// The outside system is open in a popup or a tab.
    Waiting {
        attempt: AttemptId,
    },
    /// The callback came back and its credential is pending. With `code`, the short code shown there must be
    /// typed here first; `tries` counts wrong ones.
    Arrived {
        attempt: AttemptId,
        code: Option<String>,
        tries: u8,
    },
    /// A step after connecting offers several; the person chooses one.
    Choose {
        attempt: Option<AttemptId>,
        step: usize,
        choices: Vec<Choice>,
    },
    /// Outgoing calls and the installation are under way; taken for failed after `until`.
    Installing {
        until: Time,
    },
    Success {
        tenant: TenantId,
    },
    /// `at_input` names the field where the failure belongs to one; `detail` is technical and folded away.
    Failed {
        failure: Failure,
        at_input: Option<String>,
        detail: Option<String>,
    },
    Cancelled,
}

/// A dialog as it is stored. Its bearer is a secret of 256 bits in the URL's path; of it only a hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// [`id_of`] its bearer.
    pub id: Hashed,
    pub organization: OrganizationId,
    pub environment: Environment,
    /// The token's [`token_name`]: unique, which is what refuses a replay.
    pub jti: Hashed,
    pub integration: IntegrationId,
    /// The outside system.
    pub connector: Slug,
    pub own_connector: Option<Slug>,
    pub visitor: Visitor,
    /// `xti.token`, the credential for the own connector, sealed for the place `dialog-token:{id}`.
    pub own_token: Option<Sealed>,
    /// What was typed into the form before a sign-in, as JSON, sealed for the place `dialog-inputs:{id}`.
    pub inputs: Option<Sealed>,
    pub stage: Stage,
    /// Moves with every write of the stage; a writer states the version it read (compare-and-swap).
    pub version: i64,
    /// Whether the landing came as a frame's document (`Sec-Fetch-Dest: iframe`).
    pub framed: bool,
    /// The parent's origin where the landing's Referer told it.
    pub parent: Option<Origin>,
    /// BCP 47 tag that the page was negotiated to.
    pub locale: String,
    /// The page that the messages for the parent window were handed to, by the hash of its name for itself.
    pub announced_to: Option<Hashed>,
    pub created: Time,
    pub expires: Time,
    /// Until when the row must stay so that the token cannot be used again.
    pub replay_until: Time,
}
