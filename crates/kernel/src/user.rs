//! A user of an organization: someone it vouched for with a signed token.

use crate::ids::{OrganizationId, UserId};
use crate::{Environment, Time};

/// The key is (organization, environment, username), where `username` is the token's `sub` byte for byte.
/// Neither e-mail nor `external_id` ever identifies anybody (contract `connect.md`, section 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub organization: OrganizationId,
    pub environment: Environment,
    pub username: String,
    pub email: Option<String>,
    pub external_id: Option<String>,
    /// The token's `meta`, any JSON.
    pub meta: serde_json::Value,
    /// What the token said of the user, as the published tenant shape shows it under `attributes.jwt`.
    pub attributes: serde_json::Value,
    pub created: Time,
    pub modified: Time,
}
