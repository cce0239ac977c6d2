//! Accounts, their users, and who may act for which account (contract `enter.md`, section 1).

use crate::ids::{AccountId, PartnerId, PersonId};
use kernel::Time;
use serde::{Deserialize, Serialize};

/// A business of a partner's. It belongs to exactly one partner, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub partner: PartnerId,
    pub name: String,
    /// What the partner calls it.
    pub customer_identifier: Option<String>,
    pub disabled: Option<Time>,
}

/// Who a user is: the partner, and the partner's own id for the user, byte for byte.
///
/// Decision: nothing else identifies anybody, least of all an e-mail address, which another partner may claim,
/// its owner may change and a stranger may get later (lesson 24).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    pub partner: PartnerId,
    pub partner_user: PartnerUserId,
}

/// A user's id at the partner: any text of 1 to 255 characters without control characters, also one that looks
/// like an id of ours. Never trimmed, folded or normalized.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartnerUserId(String);

/// A text that is no user's id at a partner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a user's id has 1 to 255 characters and no control character")]
pub struct NotAUserId;

impl PartnerUserId {
    /// # Errors
    /// [`NotAUserId`].
    pub fn parse(text: &str) -> Result<Self, NotAUserId> {
        let fits = (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAUserId) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub identity: Identity,
    /// An attribute: not unique, never a key.
    pub email: Option<String>,
    pub email_verified: bool,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub locale: Option<String>,
    pub picture: Option<String>,
    pub disabled: Option<Time>,
}

impl Person {
    /// The names that are known, in the order in which they are written in most places.
    pub fn name(&self) -> Option<String> {
        let parts: Vec<&str> =
            [&self.given_name, &self.family_name].into_iter().flatten().map(String::as_str).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

/// The role that just-in-time entry gives.
pub const MEMBER: &str = "member";

/// That a user may act for an account, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    pub person: PersonId,
    pub account: AccountId,
    pub roles: Vec<String>,
}
