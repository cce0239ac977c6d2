//! A tenant: one installation of one integration for one user.

use crate::integration::Channel;
use kernel::ids::{IntegrationId, OrganizationId, ReleaseId, TenantId, UserId};
use kernel::{Environment, Time};

/// Who made it (contract `connect.md`, section 5). `Connect` for the auth-only page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Admin,
    Api,
    Connect,
    Marketplace,
}

impl Source {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Api => "api",
            Self::Connect => "connect",
            Self::Marketplace => "marketplace",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Api, Self::Connect, Self::Marketplace]
            .into_iter()
            .find(|source| source.as_str() == text)
    }
}

/// A tenant as it is stored. (organization, environment, integration, user) is unique among those that are
/// not archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    pub organization: OrganizationId,
    pub environment: Environment,
    pub integration: IntegrationId,
    pub user: UserId,
    /// Lower-case letters and digits, `-` inside.
    pub name: String,
    pub source: Source,
    pub paused: bool,
    pub archived: Option<Time>,
    /// What was chosen: five-field cron.
    pub user_schedule: Option<String>,
    /// What counts: `user_schedule` with the tenant's own offset.
    pub schedule: Option<String>,
    /// In which time zone the schedule is read, as in `Europe/Berlin`.
    pub time_zone: String,
    /// Which release it follows, unless it has one of its own.
    pub channel: Channel,
    /// The one release that was chosen for it, whatever its channel says.
    pub release: Option<ReleaseId>,
    /// A JSON object.
    pub configs: serde_json::Value,
    pub created: Time,
    pub modified: Time,
}
