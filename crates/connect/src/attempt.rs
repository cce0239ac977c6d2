//! One attempt to sign in at the outside system: from the start link to the callback.

mod callback;
mod proof;
mod ticket;

pub use callback::{Answer, CallbackQuery, CallbackRefused, ProviderError};
pub use proof::{code_matches, pkce_challenge, pkce_verifier, short_code};
pub use ticket::{Ticket, TicketKey, TicketRefused};

use crate::dialog::Failure;
use kernel::ids::{AttemptId, OrganizationId};
use kernel::{Environment, Hashed, Sealed, Slug, Time};
use serde::{Deserialize, Serialize};

/// How long a start link lives, in seconds (design `browser.md`).
pub const TICKET_LIFETIME_S: i64 = 120;
/// How long a person may take at the outside system, in seconds.
pub const LIFETIME_S: i64 = 15 * 60;

/// What the callback brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A credential, pending until the dialog confirms it.
    Arrived,
    Refused {
        failure: Failure,
        detail: Option<String>,
    },
}

/// An attempt as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    /// The dialog's hashed id.
    pub dialog: Hashed,
    pub organization: OrganizationId,
    pub environment: Environment,
    pub connector: Slug,
    /// SHA-256 of the start ticket: unique, which is what makes the ticket single-use.
    pub ticket: Hashed,
    /// SHA-256 of the `state` parameter; unique.
    pub state: Hashed,
    /// SHA-256 of the cookie that the callback must present (lesson 20).
    pub cookie: Hashed,
    /// The PKCE verifier, sealed for the place `attempt-verifier:{id}`; `None` where the provider takes none.
    pub verifier: Option<Sealed>,
    /// The start was not opened by our own framed page: a short code must be typed into the dialog.
    pub needs_code: bool,
    /// Opened in the frame's own tab (`target=_top`): the callback page itself goes on.
    pub in_tab: bool,
    pub created: Time,
    pub expires: Time,
    /// When the callback used the state up.
    pub used: Option<Time>,
    pub outcome: Option<Outcome>,
    /// The pending credential and what was captured, as JSON, sealed for the place `attempt-pending:{id}`.
    pub pending: Option<Sealed>,
}
