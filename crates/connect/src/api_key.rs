//! An API key: named, scoped, shown once, stored hashed (contract `connect.md`, section 6).

use kernel::ids::{ApiKeyId, OrganizationId};
use kernel::{Environment, Hashed, Time};

/// What a key may do.
pub const SCOPES: &[&str] = &[
    "audit:read",
    "connectors:call",
    "connectors:read",
    "connectors:write",
    "credentials:read",
    "integrations:read",
    "integrations:write",
    "jobs:read",
    "jobs:write",
    "runs:read",
    "runs:write",
    "settings:read",
    "settings:write",
    "tenants:read",
    "tenants:write",
    "users:read",
    "webhooks:read",
    "webhooks:write",
];

/// An API key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub organization: OrganizationId,
    pub environment: Environment,
    pub name: String,
    pub hash: Hashed,
    pub scopes: Vec<String>,
    pub created: Time,
    pub revoked: Option<Time>,
}
