//! A release is written: its row, its files part by part, and that it is ready.

use super::release_archive::Packed;
use super::release_build::{BuildRefused, Order};
use super::release_source::Ready;
use super::trigger;
use crate::{Fault, Service};
use connect::integration::Integration;
use connect::manifest::Runner;
use connect::notice::EndpointSecret;
use connect::release::{Archive, Release, Standing};
use kernel::ids::{JobId, OrganizationId, ReleaseId};
use kernel::{Actor, Sealed};
use std::sync::Arc;
use store::jobs::{self, Kind, Wish};
use store::releases::{self, Files, PART_BYTES};
use store::{DbError, audit};

impl Service {
    /// The release as it begins.
    pub(super) async fn draft(
        &self,
        order: &Order,
        integration: &Integration,
        ready: &Ready,
    ) -> Result<Release, BuildRefused> {
        let numbered = self.db.write(|tx| Box::pin(async move { releases::next_id(tx).await }));
        let id = numbered.await?;
        let now = self.clock.now();
        Ok(Release {
            id,
            organization: order.organization.clone(),
            integration: integration.id,
            name: format!("{}-{}", integration.name, order.tag),
            tag: order.tag.clone(),
            branch: ready.branch.clone(),
            revision: ready.revision.clone(),
            manifest: ready.manifest.clone(),
            secret: self.secret_of(order, ready.manifest.runner, id).await?,
            archive: None,
            standing: Standing::Building,
            created: now,
            modified: now,
        })
    }

    /// The key that `http` runs are signed with, in the form of Standard Webhooks: the one of the integration's newest
    /// `http` release, so that whoever checks signatures need not know of releases, or a new one for the first.
    async fn secret_of(
        &self,
        order: &Order,
        runner: Runner,
        id: ReleaseId,
    ) -> Result<Option<Sealed>, BuildRefused> {
        if runner != Runner::Http {
            return Ok(None);
        }
        let (owner, integration) = (order.organization.clone(), order.integration);
        let read = self
            .db
            .read(move |tx| Box::pin(async move { releases::newest_signing(tx, &owner, integration).await }));
        let before = match read.await? {
            Some(release) => self.release_secret(&release).await?,
            None => None,
        };
        let secret = before.unwrap_or_else(|| EndpointSecret::new(&*self.chance));
        let (place, text) = (format!("release:{id}"), secret.text());
        Ok(Some(self.vault.seal(&self.db, &order.organization, &place, text.reveal().as_bytes()).await?))
    }

    /// What the runs of this release are signed with; `None` for one that runs here.
    pub(crate) async fn release_secret(&self, release: &Release) -> Result<Option<EndpointSecret>, Fault> {
        let Some(sealed) = &release.secret else { return Ok(None) };
        let place = format!("release:{}", release.id);
        let opened = self.vault.open(&self.db, &release.organization, &place, sealed).await?;
        let secret = EndpointSecret::parse(&String::from_utf8_lossy(&opened));
        secret
            .map(Some)
            .map_err(|_| Fault::broken(format!("release {} has no secret that reads", release.id)))
    }

    /// Writes the release, then its files part by part, then that it is ready. Until the last step nobody uses it, and
    /// where this process ends in between, it can be deleted.
    pub(super) async fn keep_release(
        &self,
        actor: &Actor,
        mut release: Release,
        packed: Option<Packed>,
        files: Files,
    ) -> Result<Release, BuildRefused> {
        release.archive = packed.as_ref().map(|packed| packed.archive.clone());
        let event = self.event(actor, "release.created", release.name.as_str(), &release.organization);
        let detail = serde_json::json!({ "release": release.id, "revision": release.revision });
        let (new, event) = (release.clone(), event.with(detail));
        let written = self.db.write(move |tx| {
            Box::pin(async move {
                let taken = releases::by_tag(tx, &new.organization, new.integration, &new.tag).await?;
                if let Some(failed) = taken.filter(|it| matches!(it.standing, Standing::Failed(_))) {
                    releases::delete(tx, &new.organization, failed.id).await?;
                }
                if !releases::insert(tx, &new).await? {
                    return Err(BuildRefused::Taken(new.tag));
                }
                Ok(audit::insert(tx, &event).await?)
            })
        });
        written.await?;
        if let Some(packed) = &packed {
            self.write_parts(release.id, files, &packed.bytes).await?;
        }
        if files == Files::Source {
            self.enqueue_build(&release).await?;
            return Ok(release);
        }
        let now = self.clock.now();
        let (done, archive) = (release.clone(), release.archive.clone());
        self.make_ready(&done, archive).await?;
        release.standing = Standing::Ready(now);
        Ok(release)
    }

    /// Writes packed files, each part a unit of work of its own.
    pub(super) async fn write_parts(
        &self,
        id: ReleaseId,
        files: Files,
        packed: &[u8],
    ) -> Result<(), BuildRefused> {
        for (number, part) in (0_i64..).zip(packed.chunks(PART_BYTES)) {
            let part = part.to_vec();
            let write = self.db.write(move |tx| {
                Box::pin(async move { releases::put_part(tx, id, files, number, &part).await })
            });
            write.await?;
        }
        Ok(())
    }

    async fn enqueue_build(&self, release: &Release) -> Result<(), BuildRefused> {
        let (now, job) = (self.clock.now(), JobId::new(self.clock.now(), &*self.chance));
        let (organization, subject) = (release.organization.clone(), release.id.to_string());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let wish = Wish { kind: Kind::Build, organization: &organization, subject, due: now };
                jobs::enqueue(tx, &wish, job, now).await
            })
        });
        write.await?;
        self.ring_work();
        Ok(())
    }

    /// It can be used from now on; the first one is the integration's default.
    pub(super) async fn make_ready(
        &self,
        release: &Release,
        archive: Option<Archive>,
    ) -> Result<(), BuildRefused> {
        let (owner, integration, id, now) =
            (release.organization.clone(), release.integration, release.id, self.clock.now());
        let chance = Arc::clone(&self.chance);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if releases::set_ready(tx, &owner, id, archive.as_ref(), now).await? {
                    releases::set_first_default(tx, &owner, integration, id, now).await?;
                    // Triggers of its tenants waited for it.
                    trigger::wake_integration(tx, &owner, integration, now, &*chance).await?;
                }
                Ok::<_, DbError>(())
            })
        });
        write.await?;
        self.ring_work();
        Ok(())
    }

    /// The build failed for good.
    pub(super) async fn fail_release(
        &self,
        organization: &OrganizationId,
        id: ReleaseId,
        why: &str,
    ) -> Result<(), Fault> {
        let (owner, now) = (organization.clone(), self.clock.now());
        let why: String = why.chars().filter(|c| !c.is_control() || *c == '\n').collect();
        let event = self.event(&Actor::Operator, "release.failed", id.to_string(), organization);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if releases::set_failed(tx, &owner, id, &why, now).await? {
                    audit::insert(tx, &event).await?;
                }
                Ok::<_, DbError>(())
            })
        });
        Ok(write.await?)
    }
}
