//! A release is built: source, manifest, build command, packed, kept (contract `connect.md`, section 6; decision 0012).

use super::git::{Repository, Trust};
use super::release_archive::{ArchiveRefused, Packed, pack, unpack};
use super::release_source::{Ready, blocking};
use super::{Held, Outcome};
use crate::{Fault, Service};
use connect::integration::Integration;
use connect::manifest::{NAME, OLDER_NAME, Problem, Runner};
use connect::release::{Release, Standing, check_tag};
use kernel::ids::{IntegrationId, OrganizationId, ReleaseId};
use kernel::{Actor, Environment};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use store::releases::{self, Files};
use store::{DbError, integrations};

/// Why there is no release.
#[derive(Debug, thiserror::Error)]
pub enum BuildRefused {
    #[error("there is no integration {0}")]
    NoIntegration(String),
    #[error("integration `{0}` has no repository; set one with `vestibule integration set`, or by API")]
    NoRepository(String),
    #[error("the release `{0}` exists already; choose another tag, or delete it first")]
    Taken(String),
    #[error("{0}")]
    Invalid(String),
    /// What was fetched is not what is needed, or nothing was.
    #[error("{0}")]
    Source(String),
    #[error("there is no {NAME} (and no {OLDER_NAME}) in the folder")]
    NoManifest,
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Manifest(Vec<Problem>),
    #[error("{0}")]
    Failed(String),
    #[error(transparent)]
    Archive(#[from] ArchiveRefused),
    #[error("{0}")]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<DbError> for BuildRefused {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

/// Where the source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder of this machine, as it is.
    Folder(PathBuf),
    /// A repository, and the folder in it.
    Git(Repository, Option<String>),
}

/// What shall be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub organization: OrganizationId,
    pub environment: Environment,
    pub integration: IntegrationId,
    pub tag: String,
}

/// What a build says while it goes on, for the person who waits.
pub type Log<'a> = &'a mut (dyn FnMut(&[u8]) + Send);

/// How much of a build's log stands in the failure that is kept, in bytes: its end.
const TAIL: usize = 4096;

impl Service {
    /// Builds a release from a folder or repository, to the end: for the command line.
    ///
    /// # Errors
    /// [`BuildRefused`]; there is no release then.
    pub async fn build_release(
        &self,
        actor: &Actor,
        order: &Order,
        source: &Source,
        log: Log<'_>,
    ) -> Result<Release, BuildRefused> {
        let integration = self.integration_to_build(order).await?;
        let ready = self.source_of(order, source, Trust::Operator, log).await?;
        for connector in &ready.manifest.connectors {
            let mut known = integration.own_connector.iter().chain(&integration.connectors);
            if !known.any(|known| known.as_str() == connector) {
                log(format!("note: the integration does not connect `{connector}`\n").as_bytes());
            }
        }
        if let Some(build) = &ready.manifest.build {
            self.run_build(build, &ready.folder, &ready.scratch, log).await?;
        }
        let packed = packed(&ready).await?;
        let release = self.draft(order, &integration, &ready).await?;
        self.keep_release(actor, release, packed, Files::Built).await
    }

    /// Builds a release from the integration's registered repository: for the API. A release without a build command
    /// is ready at once. One with a build command is there at once and stands as `building` until a worker has run
    /// it: its source is kept with it, so that what is built is what was seen here.
    ///
    /// # Errors
    /// [`BuildRefused`]; there is no release then.
    pub async fn order_release(
        &self,
        actor: &Actor,
        order: &Order,
        branch: Option<String>,
    ) -> Result<Release, BuildRefused> {
        let integration = self.integration_to_build(order).await?;
        let Some(registered) = integration.repository.clone() else {
            return Err(BuildRefused::NoRepository(integration.name.to_string()));
        };
        let repository = Repository { url: registered.url, branch: branch.or(registered.branch) };
        let source = Source::Git(repository, registered.path);
        let ready = self.source_of(order, &source, Trust::Organization, &mut |_| {}).await?;
        let packed = packed(&ready).await?;
        let files = if ready.manifest.build.is_some() { Files::Source } else { Files::Built };
        let release = self.draft(order, &integration, &ready).await?;
        self.keep_release(actor, release, packed, files).await
    }

    /// Builds a release that waits for it.
    pub(super) async fn do_build(&self, held: &Held) -> Outcome {
        let Ok(id) = ReleaseId::parse(held.subject()) else { return Outcome::Done };
        let work = self.build_waiting(held.organization(), id);
        let built = tokio::select! {
            built = work => built,
            // What it started ends with it.
            _ = held.lost_or_stopping() => return Outcome::HandBack,
            () = extended(held) => return Outcome::HandBack,
        };
        match built {
            Ok(()) => Outcome::Done,
            Err(BuildRefused::Fault(fault)) => held.later(fault.to_string()),
            Err(BuildRefused::Disk(error)) => held.later(error.to_string()),
            Err(refused) => match self.fail_release(held.organization(), id, &refused.to_string()).await {
                Ok(()) => Outcome::Done,
                Err(fault) => held.later(fault.to_string()),
            },
        }
    }

    async fn build_waiting(&self, organization: &OrganizationId, id: ReleaseId) -> Result<(), BuildRefused> {
        let owner = organization.clone();
        let read = self.db.read(move |tx| Box::pin(async move { releases::by_id(tx, &owner, id).await }));
        let waiting = read.await?.filter(|release| release.standing == Standing::Building);
        let Some(release) = waiting else { return Ok(()) };
        let (Some(archive), Some(build)) = (release.archive.clone(), release.manifest.build.clone()) else {
            return Err(BuildRefused::Failed("its source is gone".to_owned()));
        };
        let source = self.packed(id, Files::Source).await?;
        let scratch = self.build_folder(&format!("release-{id}"))?;
        let folder = scratch.path().join("source");
        fs::create_dir_all(&folder)?;
        let into = folder.clone();
        blocking(move || unpack(&source, &archive, &into)).await??;
        let mut tail = Vec::new();
        let mut log = |piece: &[u8]| {
            tail.extend_from_slice(piece);
            let over = tail.len().saturating_sub(TAIL);
            tail.drain(..over);
        };
        let ran = self.run_build(&build, &folder, &scratch, &mut log).await;
        if let Err(BuildRefused::Failed(why)) = ran {
            let tail = String::from_utf8_lossy(&tail).into_owned();
            return Err(BuildRefused::Failed(format!("{why}\n{tail}").trim_end().to_owned()));
        }
        ran?;
        let packed = blocking(move || pack(&folder)).await??;
        self.write_parts(id, Files::Built, &packed.bytes).await?;
        self.make_ready(&release, Some(packed.archive)).await
    }

    /// The integration, unless the tag is no tag or is taken.
    async fn integration_to_build(&self, order: &Order) -> Result<Integration, BuildRefused> {
        check_tag(&order.tag).map_err(BuildRefused::Invalid)?;
        let wanted = order.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let Order { organization, environment, integration, tag } = wanted;
                let found = integrations::by_id(tx, &organization, environment, integration).await?;
                let taken = releases::by_tag(tx, &organization, integration, &tag).await?;
                // One that failed makes room for the next try.
                Ok::<_, DbError>((found, taken.filter(|it| !matches!(it.standing, Standing::Failed(_)))))
            })
        });
        let (found, taken) = read.await?;
        if taken.is_some() {
            return Err(BuildRefused::Taken(order.tag.clone()));
        }
        found.ok_or_else(|| BuildRefused::NoIntegration(order.integration.to_string()))
    }
}

/// Keeps the lease as long as the work goes on; returns where it is lost.
async fn extended(held: &Held) {
    while let Ok(Some(_)) | Err(_) = held.extend().await {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// Of an `http` release there is nothing to keep.
async fn packed(ready: &Ready) -> Result<Option<Packed>, BuildRefused> {
    if ready.manifest.runner == Runner::Http {
        return Ok(None);
    }
    let folder = ready.folder.clone();
    Ok(Some(blocking(move || pack(&folder)).await??))
}
