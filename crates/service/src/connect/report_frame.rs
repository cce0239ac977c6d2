//! A browser's own report that it did not let a page of ours be framed (contract `connect.md`, section 1).

use crate::{Fault, Service};
use ::connect::refusal::{Code, Refusal};
use kernel::{Environment, Origin, Slug};

impl Service {
    /// Records `frame_origin_forbidden` where an origin that is not registered tried to frame a page of this
    /// organization. Anybody can send such a report; it is a hint for the organization's developers and changes
    /// nothing.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn report_frame(
        &self,
        environment: Environment,
        organization: &str,
        parent: &Origin,
    ) -> Result<(), Fault> {
        let Ok(slug) = Slug::parse(organization) else { return Ok(()) };
        let Some(config) = self.config(&slug, environment).await? else { return Ok(()) };
        if environment == Environment::Sandbox || config.origins.contains(parent) {
            return Ok(());
        }
        let message = format!(
            "a browser reports that {parent} tried to frame the page; add it with `vestibule origin add` if it is yours"
        );
        let seen = serde_json::json!({ "origin": parent.as_str(), "told_by": "browser report" });
        let refusal = Refusal::new(Code::FrameOriginForbidden, message).seen(seen);
        self.refuse(refusal, environment, Some(config), "/reports/frames/{organization}").await;
        Ok(())
    }
}
