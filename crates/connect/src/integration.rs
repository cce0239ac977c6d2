//! An integration: what is installed for a user when the outside system is connected.

use kernel::ids::{IntegrationId, OrganizationId, ReleaseId};
use kernel::{Environment, Slug, Time};

/// Which release of an integration its tenants follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Default,
    Latest,
}

impl Channel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "Default",
            Self::Latest => "Latest",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Default, Self::Latest].into_iter().find(|channel| channel.as_str() == text)
    }
}

/// Where an integration's source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// As git takes it: https or ssh.
    pub url: String,
    /// The folder inside it that has the manifest; `None` for its root.
    pub path: Option<String>,
    /// `None` for the one that the repository says.
    pub branch: Option<String>,
}

/// An integration as it is stored. One of its connectors may be the organization's own; the others are the
/// outside systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integration {
    pub id: IntegrationId,
    pub organization: OrganizationId,
    pub environment: Environment,
    /// `integration_name` in a token.
    pub name: Slug,
    pub long_name: String,
    /// `Internal` or `External` in the published API.
    pub external: bool,
    /// The organization's own connector, where the integration has one.
    pub own_connector: Option<Slug>,
    /// The outside systems, in the order in which they are connected; at least one.
    pub connectors: Vec<Slug>,
    /// What a new tenant's `user_schedule` is: five-field cron, or `None` for no schedule.
    pub schedule: Option<String>,
    /// Whether hourly and daily schedules are shifted per tenant too (contract `connect.md`, section 5).
    pub shift_all: bool,
    /// Which release a new tenant follows.
    pub channel: Channel,
    /// What `Default` means.
    pub default_release: Option<ReleaseId>,
    /// Where its releases are built from by API.
    pub repository: Option<Repository>,
    pub created: Time,
    pub modified: Time,
}
