//! Releases are looked at, chosen and deleted.

use super::{AdminRefused, Holder, LIST_MOST};
use crate::Service;
use crate::work::trigger;
use connect::integration::Integration;
use connect::release::Release;
use kernel::ids::{IntegrationId, ReleaseId};
use kernel::{Actor, SecretText};
use std::sync::Arc;
pub use store::releases::Sort;
use store::releases::{self, retirement};
use store::{Page, audit, integrations};

/// Which release of an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Default,
    Latest,
    Exactly(ReleaseId),
}

fn no_integration(id: IntegrationId) -> AdminRefused {
    AdminRefused::NotFound {
        what: "integration",
        name: id.to_string(),
        hint: "; `vestibule integration list` shows them",
    }
}

fn no_release(text: impl Into<String>) -> AdminRefused {
    AdminRefused::NotFound { what: "release", name: text.into(), hint: "" }
}

impl Service {
    /// The integration of this id, or of this name.
    ///
    /// # Errors
    /// [`AdminRefused::NotFound`].
    pub async fn integration_named(&self, holder: &Holder, text: &str) -> Result<Integration, AdminRefused> {
        let all = self.all_integrations(&holder.organization, holder.environment).await?;
        let found = all.into_iter().find(|it| it.name.as_str() == text || it.id.to_string() == text);
        found.ok_or_else(|| AdminRefused::NotFound {
            what: "integration",
            name: text.to_owned(),
            hint: "; `vestibule integration list` shows them",
        })
    }

    /// A page of those that are ready, and how many there are; `None` where there is no such integration.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn releases(
        &self,
        holder: &Holder,
        integration: IntegrationId,
        page: Page<Sort>,
    ) -> Result<(Vec<Release>, i64), AdminRefused> {
        let Holder { organization, environment } = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let found = integrations::by_id(tx, &organization, environment, integration).await?;
                found.ok_or_else(|| no_integration(integration))?;
                let listed = releases::list(tx, &organization, integration, page).await?;
                Ok((listed.rows, listed.total))
            })
        });
        read.await
    }

    /// The newest first, those that are being built or failed included.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn newest_releases(
        &self,
        holder: &Holder,
        integration: IntegrationId,
    ) -> Result<Vec<Release>, AdminRefused> {
        let organization = holder.organization.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move { releases::newest(tx, &organization, integration, LIST_MOST).await })
        });
        Ok(read.await?)
    }

    /// # Errors
    /// [`AdminRefused::NotFound`].
    pub async fn release(
        &self,
        holder: &Holder,
        integration: IntegrationId,
        which: Which,
    ) -> Result<Release, AdminRefused> {
        let Holder { organization, environment } = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let found = integrations::by_id(tx, &organization, environment, integration).await?;
                let found = found.ok_or_else(|| no_integration(integration))?;
                let release = match (which, found.default_release) {
                    (Which::Exactly(id), _) | (Which::Default, Some(id)) => {
                        releases::by_id(tx, &organization, id).await?
                    }
                    (Which::Default, None) => None,
                    (Which::Latest, _) => releases::latest(tx, &organization, integration).await?,
                };
                Ok::<_, AdminRefused>(release.filter(|release| release.integration == integration))
            })
        });
        read.await?.ok_or_else(|| match which {
            Which::Default => no_release("default"),
            Which::Latest => no_release("latest"),
            Which::Exactly(id) => no_release(id.to_string()),
        })
    }

    /// A release by its id or its tag.
    ///
    /// # Errors
    /// [`AdminRefused::NotFound`].
    pub async fn release_named(
        &self,
        holder: &Holder,
        integration: IntegrationId,
        text: &str,
    ) -> Result<Release, AdminRefused> {
        let (organization, tag) = (holder.organization.clone(), text.to_owned());
        let read = self.db.read(move |tx| {
            Box::pin(async move { releases::by_tag(tx, &organization, integration, &tag).await })
        });
        if let Some(found) = read.await? {
            return Ok(found);
        }
        let id = ReleaseId::parse(text).map_err(|_| no_release(text))?;
        self.release(holder, integration, Which::Exactly(id)).await
    }

    /// The secret that the runs of an `http` release are signed with (`whsec_..`, Standard Webhooks); `None` for one
    /// whose runs are programs here. The audit log says who looked.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn show_release_secret(
        &self,
        actor: &Actor,
        release: &Release,
    ) -> Result<Option<SecretText>, AdminRefused> {
        let Some(secret) = self.release_secret(release).await? else { return Ok(None) };
        let shown = self.event(actor, "release.secret_shown", release.name.as_str(), &release.organization);
        let write = self.db.write(move |tx| Box::pin(async move { audit::insert(tx, &shown).await }));
        write.await?;
        Ok(Some(secret.text()))
    }

    /// What `Default` means from now on.
    ///
    /// # Errors
    /// [`AdminRefused`]; a release that is not ready cannot be it.
    pub async fn set_default_release(
        &self,
        actor: &Actor,
        holder: &Holder,
        integration: IntegrationId,
        id: ReleaseId,
    ) -> Result<(), AdminRefused> {
        let (owner, now, chance) = (holder.organization.clone(), self.clock.now(), Arc::clone(&self.chance));
        let environment = holder.environment;
        let event = self.event(actor, "release.made_default", id.to_string(), &owner);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let no_such = || AdminRefused::Invalid("the integration has no such release".to_owned());
                let found = releases::by_id(tx, &owner, id).await?;
                found.filter(|it| it.integration == integration).ok_or_else(no_such)?.usable()?;
                let before = integrations::by_id(tx, &owner, environment, integration).await?;
                if let Some(before) = before.and_then(|it| it.default_release).filter(|before| *before != id)
                {
                    retirement::let_go(tx, &owner, before, now).await?;
                }
                if !releases::set_default(tx, &owner, integration, id, now).await? {
                    return Err(no_such());
                }
                trigger::wake_integration(tx, &owner, integration, now, &*chance).await?;
                Ok(audit::insert(tx, &event).await?)
            })
        });
        write.await?;
        self.ring_work();
        Ok(())
    }

    /// # Errors
    /// [`AdminRefused::Conflict`] for one that something leads to.
    pub async fn delete_release(
        &self,
        actor: &Actor,
        holder: &Holder,
        release: &Release,
    ) -> Result<(), AdminRefused> {
        let (owner, id) = (holder.organization.clone(), release.id);
        let event = self.event(actor, "release.deleted", id.to_string(), &owner);
        let name = release.name.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if !releases::delete(tx, &owner, id).await? {
                    let text = format!(
                        "release `{name}` is the integration's default, a tenant's own, or a run's that has not ended"
                    );
                    return Err(AdminRefused::Conflict(text));
                }
                Ok(audit::insert(tx, &event).await?)
            })
        });
        write.await
    }
}
