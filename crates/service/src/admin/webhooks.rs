//! A tenant's webhook addresses: rotated, the old one living 7 days or ending at once.

use super::AdminRefused;
use crate::Service;
use connect::webhook::Webhook;
use kernel::ids::{OrganizationId, TenantId, WebhookId};
use kernel::{Actor, Plain, Slug};
use store::{audit, webhooks};

/// How long a rotated address lives on, in seconds (contract `connect.md`, section 7: 7 days).
pub const OVERLAP_S: i64 = 7 * 24 * 3600;

impl Service {
    /// Makes a new address and gives its URL.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn rotate_webhook(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        tenant: TenantId,
        connector: Option<&Slug>,
        at_once: bool,
    ) -> Result<String, AdminRefused> {
        let (owner, wanted) = (organization.clone(), connector.cloned());
        let read = self.db.read(move |tx| {
            Box::pin(async move { webhooks::current(tx, &owner, tenant, wanted.as_ref()).await })
        });
        let found: Option<Webhook> = read.await.map_err(AdminRefused::from)?;
        let old =
            found.ok_or_else(|| AdminRefused::not_found("webhook address of tenant", tenant.to_string()))?;
        let now = self.clock.now();
        let (id, secret) = (WebhookId::new(now, &*self.chance), Plain::new(&*self.chance));
        let place = format!("webhook:{id}");
        let sealed = self.vault.seal(&self.db, organization, &place, secret.reveal().as_bytes()).await?;
        let ends = if at_once { now } else { now.plus_seconds(OVERLAP_S) };
        let new = Webhook {
            id,
            secret_hash: secret.hashed(),
            secret: sealed,
            created: now,
            ends: None,
            ..old.clone()
        };
        let event = self.event(actor, "webhook.rotated", old.id.to_string(), organization);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let rotated = webhooks::rotate(tx, &old.id, ends, &new).await?;
                if rotated {
                    audit::insert(tx, &event).await?;
                }
                Ok::<_, AdminRefused>((rotated, new))
            })
        });
        match write.await? {
            (true, new) => Ok(self.webhook_link(new.environment, secret.reveal())),
            (false, _) => {
                Err(AdminRefused::invalid("the address was rotated by somebody else just now; look again"))
            }
        }
    }
}
