//! The kinds of events, each with a sample of what is told.

use serde_json::{Value, json};

/// What an organization can be told of, in the contract's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    IntegrationCreated,
    TenantCreated,
    TenantArchived,
    TenantConnected,
    TenantDisconnected,
    RunFailed,
    UserProvisioned,
    SessionEnded,
}

impl EventType {
    pub const ALL: [Self; 8] = [
        Self::IntegrationCreated,
        Self::TenantCreated,
        Self::TenantArchived,
        Self::TenantConnected,
        Self::TenantDisconnected,
        Self::RunFailed,
        Self::UserProvisioned,
        Self::SessionEnded,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IntegrationCreated => "integration.created",
            Self::TenantCreated => "tenant.created",
            Self::TenantArchived => "tenant.archived",
            Self::TenantConnected => "tenant.connected",
            Self::TenantDisconnected => "tenant.disconnected",
            Self::RunFailed => "run.failed",
            Self::UserProvisioned => "user.provisioned",
            Self::SessionEnded => "session.ended",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == text)
    }

    /// When it happens, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::IntegrationCreated => "an integration was made",
            Self::TenantCreated => "a user installed an integration for the first time",
            Self::TenantArchived => "a tenant was archived; it runs no more",
            Self::TenantConnected => "a connector of a tenant was connected, also once more",
            Self::TenantDisconnected => {
                "a connector of a tenant is no longer connected: a person or program took it away, or the outside \
                 system does not accept the credential any more"
            }
            Self::RunFailed => "a run ended in another way than `Succeeded` or `Cancelled`",
            Self::UserProvisioned => "a partner's user entered for the first time and was made just then",
            Self::SessionEnded => "a user's session at the second door has ended before its time",
        }
    }

    /// A `data` of this event, for the documentation and for test messages. The real ones have the same members.
    pub fn sample(self) -> Value {
        let tenant = json!({ "id": 11, "name": "anna-orders", "integration_id": 3, "username": "anna" });
        let user = json!({ "id": "U-4T9ZQ0M3RVB7KXJ2WS81FC6PDH", "partner_user_id": "anna" });
        match self {
            Self::IntegrationCreated => json!({
                "environment": "sandbox",
                "integration": { "id": 3, "name": "orders", "long_name": "Orders", "connectors": ["hubspot"] },
            }),
            Self::TenantCreated | Self::TenantArchived => {
                json!({ "environment": "sandbox", "tenant": tenant })
            }
            Self::TenantConnected => {
                json!({ "environment": "sandbox", "tenant": tenant, "connector": "hubspot" })
            }
            Self::TenantDisconnected => json!({
                "environment": "sandbox",
                "tenant": tenant,
                "connector": "hubspot",
                "reason": "refused",
            }),
            Self::RunFailed => json!({
                "environment": "sandbox",
                "tenant": tenant,
                "run": { "id": 512, "mode": "normal", "phase": "Failed (Integration Issue)", "reason": "exit code 1" },
            }),
            Self::UserProvisioned => {
                json!({ "environment": "sandbox", "partner": "PT-1", "user": user })
            }
            Self::SessionEnded => json!({
                "environment": "sandbox",
                "partner": "PT-1",
                "user": { "id": "U-4T9ZQ0M3RVB7KXJ2WS81FC6PDH" },
                "session": "S-0KCXW2J9F4T9ZQ0M3RVB7KXJ2W",
            }),
        }
    }
}

impl std::fmt::Display for EventType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_names_these_and_no_others() {
        let contract = "integration.created, tenant.created, tenant.archived, tenant.connected, tenant.disconnected, \
                        run.failed, user.provisioned, session.ended";
        let names: Vec<&str> = EventType::ALL.into_iter().map(EventType::as_str).collect();
        assert_eq!(names.join(", "), contract);
        for event in EventType::ALL {
            assert_eq!(EventType::parse(event.as_str()), Some(event));
            assert_eq!(event.sample().get("environment"), Some(&json!("sandbox")), "{event}");
        }
        assert_eq!(EventType::parse("tenant.Created"), None);
    }
}
