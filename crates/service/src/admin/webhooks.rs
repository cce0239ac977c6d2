//! A tenant's webhook addresses: rotated, the old one living 7 days or ending at once.

use super::tenants::TenantRefused;
use super::{AdminRefused, Holder};
use crate::Service;
use connect::webhook::{Webhook, source};
use kernel::ids::{OrganizationId, TenantId, WebhookId};
use kernel::{Actor, Plain, Slug, Time};
use store::{audit, webhooks};

/// How long a rotated address lives on, in seconds (contract `connect.md`, section 7: 7 days).
pub const OVERLAP_S: i64 = 7 * 24 * 3600;

/// An address as it is shown to whoever may have it.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookAddress {
    pub connector: Option<Slug>,
    pub url: String,
    pub created: Time,
    /// After a rotation: when the old one ends.
    pub ends: Option<Time>,
}

impl std::fmt::Debug for WebhookAddress {
    /// Whoever has the URL can deliver.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookAddress").field("connector", &self.connector).finish_non_exhaustive()
    }
}

impl WebhookAddress {
    /// Where what arrives here comes from, as a run is told.
    pub fn source(&self) -> &str {
        source(self.connector.as_ref())
    }
}

impl Service {
    /// The addresses of a tenant that take deliveries: its own first, then by connector; each before those
    /// that it took the place of.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn webhook_addresses(
        &self,
        holder: &Holder,
        tenant: TenantId,
    ) -> Result<Vec<WebhookAddress>, AdminRefused> {
        self.held_tenant(holder, tenant).await?;
        let owner = holder.organization.clone();
        let read = self.db.read(move |tx| Box::pin(async move { webhooks::list(tx, &owner, tenant).await }));
        let (found, now): (Vec<Webhook>, _) = (read.await.map_err(AdminRefused::from)?, self.clock.now());
        let mut addresses = Vec::new();
        for webhook in found.into_iter().filter(|webhook| webhook.ends.is_none_or(|ends| ends > now)) {
            let place = format!("webhook:{}", webhook.id);
            let secret = self.vault.open(&self.db, &holder.organization, &place, &webhook.secret).await?;
            let url = self.webhook_link(webhook.environment, &String::from_utf8_lossy(&secret));
            let Webhook { connector, created, ends, .. } = webhook;
            addresses.push(WebhookAddress { connector, url, created, ends });
        }
        addresses.sort_by(|one, other| {
            let place = |it: &WebhookAddress| (it.ends.is_some(), it.created);
            one.connector.cmp(&other.connector).then_with(|| place(one).cmp(&place(other)))
        });
        Ok(addresses)
    }

    /// Makes a new address of a tenant that the holder has.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn rotate_webhook_of(
        &self,
        actor: &Actor,
        holder: &Holder,
        tenant: TenantId,
        connector: Option<&Slug>,
        at_once: bool,
    ) -> Result<WebhookAddress, AdminRefused> {
        self.held_tenant(holder, tenant).await?;
        let created = self.clock.now();
        let url = self.rotate_webhook(actor, &holder.organization, tenant, connector, at_once).await?;
        Ok(WebhookAddress { connector: connector.cloned(), url, created, ends: None })
    }

    /// That the tenant is one of the holder's environment too: addresses are found by organization.
    async fn held_tenant(&self, holder: &Holder, id: TenantId) -> Result<(), AdminRefused> {
        match self.tenant_record(holder, id).await {
            Ok(_) => Ok(()),
            Err(TenantRefused::Fault(fault)) => Err(fault.into()),
            Err(_) => Err(AdminRefused::not_found("tenant", id.to_string())),
        }
    }

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
