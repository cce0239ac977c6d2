//! Messages for the parent window, addressed (contract `connect.md`, section 4).

use crate::pages::ParentMessage;
use connect::message;
use service::OrganizationConfig;

/// One copy per target: the browser delivers only the one whose origin is the parent's.
pub fn addressed(config: &OrganizationConfig, data: &serde_json::Value) -> Vec<ParentMessage> {
    let targets = targets(config);
    targets.into_iter().map(|target_origin| ParentMessage { target_origin, data: data.clone() }).collect()
}

/// The registered origins; `*` only in a sandbox that has none.
pub fn targets(config: &OrganizationConfig) -> Vec<String> {
    message::targets(config.environment, &config.origins)
}

/// `{brand}-error`.
pub fn error(config: &OrganizationConfig, said: &str, code: &str, detail: &str) -> Vec<ParentMessage> {
    addressed(config, &message::error(&config.organization.brand, code, &format!("{said} ({detail})")))
}
