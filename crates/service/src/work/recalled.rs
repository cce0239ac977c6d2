//! Integrations and releases in memory, for runs.
//!
//! An integration is used only while its organization's `config_version` is the one it was read at, which is read with
//! each run's tenant: so a change holds with the next run, on every node. A release that is ready does not change any
//! more, and stays as long as anything leads to it. What was read in a unit of work is remembered after its commit.

use ::connect::integration::Integration;
use ::connect::release::{Release, Wanted, wanted};
use kernel::ids::{IntegrationId, ReleaseId};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use store::runs::standing::Standing;
use store::{DbError, Tx, integrations, releases};

/// How many of each are kept; beyond that all are read anew.
const MOST: usize = 1000;

#[derive(Debug, Default)]
struct Kept {
    integrations: HashMap<IntegrationId, (i64, Arc<Integration>)>,
    releases: HashMap<ReleaseId, Arc<Release>>,
}

/// What is in memory.
#[derive(Debug, Default)]
pub(crate) struct Recalled(RwLock<Kept>);

/// What one unit of work uses: what is in memory, and what it has read itself.
#[derive(Debug)]
pub(super) struct Recalling<'a> {
    known: &'a Recalled,
    read: Kept,
}

/// What was read, for [`Recalled::learn`] after the commit.
#[derive(Debug)]
pub(super) struct Learned(Kept);

impl Recalled {
    pub(super) fn begin(&self) -> Recalling<'_> {
        Recalling { known: self, read: Kept::default() }
    }

    pub(super) fn learn(&self, Learned(read): Learned) {
        if read.integrations.is_empty() && read.releases.is_empty() {
            return;
        }
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.integrations.len().max(kept.releases.len()) > MOST {
            *kept = Kept::default();
        }
        kept.integrations.extend(read.integrations);
        kept.releases.extend(read.releases);
    }

    fn integration(&self, id: IntegrationId, version: i64) -> Option<Arc<Integration>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.integrations.get(&id).filter(|(at, _)| *at == version).map(|(_, known)| Arc::clone(known))
    }

    fn release(&self, id: ReleaseId) -> Option<Arc<Release>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.releases.get(&id).map(Arc::clone)
    }
}

impl Recalling<'_> {
    pub(super) fn learned(self) -> Learned {
        Learned(self.read)
    }

    /// The integration of a tenant, and the release that its runs use now, where there is one that is ready.
    ///
    /// # Errors
    /// [`DbError`].
    pub(super) async fn of(
        &mut self,
        tx: &mut Tx,
        standing: &Standing,
    ) -> Result<Option<(Arc<Integration>, Option<Arc<Release>>)>, DbError> {
        let Some(integration) = self.integration(tx, standing).await? else { return Ok(None) };
        let id = match wanted(&standing.tenant, &integration) {
            Wanted::Exactly(id) => Some(id),
            Wanted::Newest => standing.newest,
            Wanted::Nothing => None,
        };
        let release = match id {
            Some(id) => self.release(tx, standing, id).await?,
            None => None,
        };
        let release = release.filter(|release| release.integration == standing.tenant.integration);
        Ok(Some((integration, release)))
    }

    async fn integration(
        &mut self,
        tx: &mut Tx,
        standing: &Standing,
    ) -> Result<Option<Arc<Integration>>, DbError> {
        let (tenant, version) = (&standing.tenant, standing.config_version);
        let read = self.read.integrations.get(&tenant.integration).filter(|(at, _)| *at == version);
        if let Some((_, known)) = read {
            return Ok(Some(Arc::clone(known)));
        }
        if let Some(known) = self.known.integration(tenant.integration, version) {
            return Ok(Some(known));
        }
        let found =
            integrations::by_id(tx, &tenant.organization, tenant.environment, tenant.integration).await?;
        let Some(found) = found.map(Arc::new) else { return Ok(None) };
        self.read.integrations.insert(tenant.integration, (version, Arc::clone(&found)));
        Ok(Some(found))
    }

    async fn release(
        &mut self,
        tx: &mut Tx,
        standing: &Standing,
        id: ReleaseId,
    ) -> Result<Option<Arc<Release>>, DbError> {
        if let Some(known) = self.read.releases.get(&id).map(Arc::clone).or_else(|| self.known.release(id)) {
            return Ok(Some(known));
        }
        let found = releases::by_id(tx, &standing.tenant.organization, id).await?;
        let Some(found) = found.filter(Release::is_ready).map(Arc::new) else { return Ok(None) };
        self.read.releases.insert(id, Arc::clone(&found));
        Ok(Some(found))
    }
}
