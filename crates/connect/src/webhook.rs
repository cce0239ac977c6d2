//! Inbound webhooks: a tenant's addresses and what arrives there (contract `connect.md`, section 7).

use kernel::ids::{DeliveryId, OrganizationId, TenantId, WebhookId};
use kernel::{Environment, Hashed, Sealed, Slug, Time};

/// An address. With `connector` it is `{webhook.url}` of that connector and its scheme is mandatory; without,
/// it is the tenant's published one and takes anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: WebhookId,
    pub organization: OrganizationId,
    pub environment: Environment,
    pub tenant: TenantId,
    pub connector: Option<Slug>,
    /// SHA-256 of the URL's secret: the index.
    pub secret_hash: Hashed,
    /// The secret itself, sealed for the place `webhook:{id}`, because the URL is shown again later.
    pub secret: Sealed,
    pub created: Time,
    /// After a rotation: when the old one ends. `None` for the current one.
    pub ends: Option<Time>,
}

/// Where a delivery comes from, as a run is told: the connector's name, or `custom` for the tenant's own address.
pub fn source(connector: Option<&Slug>) -> &str {
    connector.map_or(CUSTOM, Slug::as_str)
}

/// The source of what arrives at a tenant's own address.
pub const CUSTOM: &str = "custom";

/// One delivery as it is stored: the raw body and the headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub organization: OrganizationId,
    pub tenant: TenantId,
    pub webhook: WebhookId,
    /// Unique per webhook where present: what drops a repeated delivery.
    pub dedupe: Option<String>,
    /// In the order received, names in lower case; without cookies and authorization.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub received: Time,
}
