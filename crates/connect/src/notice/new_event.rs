//! An event that has just happened, and the bytes that tell of it.

use super::event::EventType;
use crate::integration::Integration;
use crate::tenant::Tenant;
use kernel::ids::{OrganizationId, RunId, TenantId};
use kernel::{Environment, Slug, Time};
use serde_json::{Value, json};

/// Something that happened, before it is written: for `service::work::events::emit`.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    pub organization: OrganizationId,
    pub environment: Environment,
    pub event: EventType,
    /// Whose order it belongs to at an endpoint that wants events in order.
    pub tenant: Option<TenantId>,
    /// The message's `data`: a JSON object, never with a secret.
    pub body: Value,
}

/// Why a connector is no longer connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnection {
    /// The user in a dialog.
    User,
    /// A program with an API key, or the operator.
    Api,
    /// The outside system does not accept the credential any more: the user must connect again.
    Refused,
}

impl Disconnection {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Api => "api",
            Self::Refused => "refused",
        }
    }
}

/// How a run that failed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedRun<'a> {
    pub id: RunId,
    pub mode: &'a str,
    /// In the contract's words: `Failed (Timeout)`.
    pub phase: &'a str,
    /// For people, without any secret.
    pub reason: Option<&'a str>,
}

impl NewEvent {
    pub fn integration_created(integration: &Integration) -> Self {
        let own = integration.own_connector.iter();
        let connectors: Vec<&str> = own.chain(&integration.connectors).map(Slug::as_str).collect();
        let body = json!({
            "environment": integration.environment.as_str(),
            "integration": {
                "id": integration.id,
                "name": integration.name,
                "long_name": integration.long_name,
                "connectors": connectors,
            },
        });
        let (organization, environment) = (integration.organization.clone(), integration.environment);
        Self { organization, environment, event: EventType::IntegrationCreated, tenant: None, body }
    }

    fn of_tenant(event: EventType, tenant: &Tenant, username: &str, more: &[(&str, Value)]) -> Self {
        let mut body = json!({
            "environment": tenant.environment.as_str(),
            "tenant": {
                "id": tenant.id,
                "name": tenant.name,
                "integration_id": tenant.integration,
                "username": username,
            },
        });
        if let Some(members) = body.as_object_mut() {
            members.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        }
        let (organization, environment) = (tenant.organization.clone(), tenant.environment);
        Self { organization, environment, event, tenant: Some(tenant.id), body }
    }

    pub fn tenant_created(tenant: &Tenant, username: &str) -> Self {
        Self::of_tenant(EventType::TenantCreated, tenant, username, &[])
    }

    pub fn tenant_archived(tenant: &Tenant, username: &str) -> Self {
        Self::of_tenant(EventType::TenantArchived, tenant, username, &[])
    }

    pub fn tenant_connected(tenant: &Tenant, username: &str, connector: &Slug) -> Self {
        let connector = json!(connector.as_str());
        Self::of_tenant(EventType::TenantConnected, tenant, username, &[("connector", connector)])
    }

    pub fn tenant_disconnected(
        tenant: &Tenant,
        username: &str,
        connector: &Slug,
        reason: Disconnection,
    ) -> Self {
        let more = [("connector", json!(connector.as_str())), ("reason", json!(reason.as_str()))];
        Self::of_tenant(EventType::TenantDisconnected, tenant, username, &more)
    }

    pub fn run_failed(tenant: &Tenant, username: &str, run: FailedRun<'_>) -> Self {
        let FailedRun { id, mode, phase, reason } = run;
        let run = json!({ "id": id, "mode": mode, "phase": phase, "reason": reason });
        Self::of_tenant(EventType::RunFailed, tenant, username, &[("run", run)])
    }

    /// `partner` and `person` are the ids of the second door; `partner_user` is what the partner calls the user.
    pub fn user_provisioned(
        (organization, environment): (OrganizationId, Environment),
        partner: &str,
        person: &str,
        partner_user: &str,
    ) -> Self {
        let user = json!({ "id": person, "partner_user_id": partner_user });
        let body = json!({ "environment": environment.as_str(), "partner": partner, "user": user });
        Self { organization, environment, event: EventType::UserProvisioned, tenant: None, body }
    }

    pub fn session_ended(
        (organization, environment): (OrganizationId, Environment),
        partner: &str,
        person: &str,
        session: &str,
    ) -> Self {
        let body = json!({
            "environment": environment.as_str(),
            "partner": partner,
            "user": { "id": person },
            "session": session,
        });
        Self { organization, environment, event: EventType::SessionEnded, tenant: None, body }
    }

    /// What the order of an ordered endpoint is kept by: the tenant; without one the user; else nothing in particular.
    pub fn order(&self) -> String {
        let user = || self.body.pointer("/user/id").and_then(Value::as_str).map(str::to_owned);
        self.tenant.map(|tenant| tenant.to_string()).or_else(user).unwrap_or_else(|| "-".to_owned())
    }

    /// What is posted, kept as it is so that every try sends the same bytes.
    pub fn message(&self, at: Time) -> String {
        message(self.event, at, &self.body)
    }
}

/// `{"type", "timestamp", "data"}` (Standard Webhooks, section "Payload structure").
pub fn message(event: EventType, at: Time, data: &Value) -> String {
    let timestamp = format!("{}Z", at.iso_micros());
    json!({ "type": event.as_str(), "timestamp": timestamp, "data": data }).to_string()
}
