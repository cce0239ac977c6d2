//! The messages for the parent window (contract `connect.md`, section 4).

use super::view::DialogContext;
use crate::{Fault, OrganizationConfig, Service};
use ::connect::dialog::{Failure, Stage};
use ::connect::message;
use kernel::ids::TenantId;
use kernel::{Environment, Plain};
use std::sync::Arc;
use store::dialogs;

/// How long a page's name for itself is, in bytes: ours has 32.
const PAGE_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

impl Service {
    /// The message that waits for the parent; a success and a cancellation are handed to one page only, which
    /// names itself by `page`, a random text of its own: it may ask again where the answer was lost, and a page that
    /// is loaded again, or another one, gets nothing. One that does not name itself is told once. A failure may be
    /// told again: the person may have tried again.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn announce(
        &self,
        environment: Environment,
        bearer: &Plain,
        page: Option<&str>,
    ) -> Result<Option<(Arc<OrganizationConfig>, serde_json::Value)>, Fault> {
        let Some(context) = self.dialog(environment, bearer).await? else { return Ok(None) };
        let brand = &context.config.organization.brand;
        let data = match &context.dialog.stage {
            Stage::Success { tenant } => {
                let data = self.success(&context, *tenant).await?;
                self.mark_announced(&context, page).await?.then_some(data)
            }
            Stage::Cancelled => {
                self.mark_announced(&context, page).await?.then(|| message::install_cancel(brand))
            }
            Stage::Failed { failure, detail, .. } => {
                let code = failure_code(*failure)?;
                let told = detail.clone().unwrap_or_else(|| code.replace('_', " "));
                Some(message::error(brand, &code, &format!("{told} (reference {})", context.reference())))
            }
            _ => None,
        };
        Ok(data.map(|data| (Arc::clone(&context.config), data)))
    }

    async fn mark_announced(&self, context: &DialogContext, page: Option<&str>) -> Result<bool, Fault> {
        let id = context.dialog.id.clone();
        let page = page.filter(|page| PAGE_BYTES.contains(&page.len())).map(Plain::presented);
        let page = page.unwrap_or_else(|| Plain::new(&*self.chance)).hashed();
        let write =
            self.db.write(move |tx| Box::pin(async move { dialogs::mark_announced(tx, &id, &page).await }));
        Ok(write.await?)
    }

    async fn success(&self, context: &DialogContext, tenant: TenantId) -> Result<serde_json::Value, Fault> {
        let config = &context.config;
        let shape = super::look_up::Shape::V1;
        let found = self.tenant_of(config, tenant, shape).await?;
        let found = found.ok_or_else(|| Fault::broken(format!("tenant {tenant} is not in the database")))?;
        let url = self.webhook_url(&config.organization.id, tenant, None).await?.unwrap_or_default();
        let targets = message::targets(config.environment, &config.origins);
        Ok(message::success(&config.organization.brand, &targets, &url, found))
    }
}

/// The stable code of a failure.
pub(crate) fn failure_code(failure: Failure) -> Result<String, Fault> {
    match serde_json::to_value(failure)? {
        serde_json::Value::String(code) => Ok(code),
        _ => Err(Fault::broken("a failure has no code")),
    }
}
