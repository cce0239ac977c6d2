//! One line of the audit log: who did what to which thing, and when. Never a secret.

use crate::ids::{AuditId, OrganizationId};
use crate::{Actor, Chance, Time};

/// An event as it is stored, in the same transaction as the change it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: AuditId,
    pub at: Time,
    /// `None` for what concerns the whole gateway.
    pub organization: Option<OrganizationId>,
    pub actor: Actor,
    /// Noun and verb in the past tense: `tenant.connected`, `signing_key.revoked`.
    pub action: &'static str,
    /// The id of the thing.
    pub subject: String,
    /// What a reader needs beyond that, without any secret.
    pub detail: serde_json::Value,
}

impl Event {
    pub fn new(
        action: &'static str,
        subject: impl Into<String>,
        organization: Option<OrganizationId>,
        actor: Actor,
        now: Time,
        chance: &dyn Chance,
    ) -> Self {
        let id = AuditId::new(now, chance);
        Self {
            id,
            at: now,
            organization,
            actor,
            action,
            subject: subject.into(),
            detail: serde_json::Value::Null,
        }
    }

    #[must_use]
    pub fn with(mut self, detail: serde_json::Value) -> Self {
        self.detail = detail;
        self
    }
}
