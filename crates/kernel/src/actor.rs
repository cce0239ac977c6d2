//! Who acts: every use case takes one, and the audit log names it.

use crate::ids::{ApiKeyId, OrganizationId};
use serde::{Deserialize, Serialize};

/// The one on whose behalf something happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A person at the command line of the gateway's own machine.
    Operator,
    /// A program with an organization's API key.
    ApiKey { organization: OrganizationId, key: String, scopes: Vec<String> },
    /// An end user in a dialog, vouched for by a signed token; `acting` is who acts for the user (`ti.aid`).
    EndUser { organization: OrganizationId, username: String, acting: Option<String> },
    /// A partner's backend with a token of its service account; `email` is its `client_email`.
    ServiceAccount { organization: OrganizationId, email: String },
    /// The gateway itself: clean-up, schedules.
    Gateway,
}

impl Actor {
    pub fn api_key(organization: OrganizationId, key: &ApiKeyId, scopes: Vec<String>) -> Self {
        Self::ApiKey { organization, key: key.to_string(), scopes }
    }

    /// How the audit log shows the actor.
    pub fn label(&self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::ApiKey { key, .. } => format!("api-key:{key}"),
            Self::EndUser { username, acting: Some(acting), .. } => format!("user:{username} (by {acting})"),
            Self::EndUser { username, acting: None, .. } => format!("user:{username}"),
            Self::ServiceAccount { email, .. } => format!("service-account:{email}"),
            Self::Gateway => "gateway".to_owned(),
        }
    }
}
