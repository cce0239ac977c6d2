//! A connection: one tenant's credential for one connector.

use kernel::ids::{ConnectionId, OrganizationId, TenantId};
use kernel::{Sealed, Slug, Time};

/// As the published API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Connected,
    Disconnected,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "Connected",
            Self::Disconnected => "Disconnected",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Connected, Self::Disconnected].into_iter().find(|status| status.as_str() == text)
    }
}

/// A connection as it is stored. (tenant, connector) is unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    pub organization: OrganizationId,
    pub tenant: TenantId,
    pub connector: Slug,
    /// Whether the connector is the organization's own.
    pub own: bool,
    pub status: Status,
    /// A `credential::Credential` as JSON, sealed for the place `connection:{id}`; gone when disconnected.
    pub credential: Option<Sealed>,
    /// Who it is at the outside system, for people: `anna@example.com`.
    pub account: Option<String>,
    /// When the access token ends, where the provider says so.
    pub expires: Option<Time>,
    /// Moves with every write; a writer states the version it read (compare-and-swap).
    pub version: i64,
    pub last_change: Time,
    pub created: Time,
}
