//! Dead letters: work that was given up, to be looked at, done once more or deleted.

use super::AdminRefused;
use crate::Service;
use kernel::ids::{JobId, OrganizationId};
use kernel::{Actor, Environment};
use store::jobs::letters;
use store::{Listed, audit};

pub use store::jobs::{Job, Kind, Letters, State};

fn no_such_job(id: &JobId) -> AdminRefused {
    AdminRefused::not_found("dead job", id.as_str())
}

/// What is done with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Replay,
    Delete,
}

impl Service {
    /// A page of dead letters, and how many there are in all.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn dead_jobs(&self, which: Letters) -> Result<Listed<Job>, AdminRefused> {
        let read = self.db.read(move |tx| Box::pin(async move { letters::list(tx, &which).await }));
        Ok(read.await?)
    }

    /// One job, dead or alive; of this environment alone, where one is named.
    ///
    /// # Errors
    /// [`AdminRefused::NotFound`].
    pub async fn job(
        &self,
        organization: &OrganizationId,
        environment: Option<Environment>,
        id: &JobId,
    ) -> Result<Job, AdminRefused> {
        let (owner, wanted) = (organization.clone(), id.clone());
        let read = self
            .db
            .read(move |tx| Box::pin(async move { letters::by_id(tx, &owner, environment, &wanted).await }));
        let found: Option<Job> = read.await.map_err(AdminRefused::from)?;
        found.ok_or_else(|| no_such_job(id))
    }

    /// Has a dead letter done once more, as if it had never been tried.
    ///
    /// # Errors
    /// [`AdminRefused::NotFound`] for one that is not there, [`AdminRefused::Conflict`] for one that is not dead.
    pub async fn replay_job(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        environment: Option<Environment>,
        id: &JobId,
    ) -> Result<Job, AdminRefused> {
        self.deal_with_job(actor, organization, environment, id, Deed::Replay).await?;
        self.ring_work();
        self.job(organization, environment, id).await
    }

    /// Deletes a dead letter.
    ///
    /// # Errors
    /// As [`Self::replay_job`].
    pub async fn delete_job(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        environment: Option<Environment>,
        id: &JobId,
    ) -> Result<(), AdminRefused> {
        self.deal_with_job(actor, organization, environment, id, Deed::Delete).await
    }

    async fn deal_with_job(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        environment: Option<Environment>,
        id: &JobId,
        deed: Deed,
    ) -> Result<(), AdminRefused> {
        let job = self.job(organization, environment, id).await?;
        if job.state != State::Dead {
            return Err(AdminRefused::Conflict(format!(
                "job `{id}` is {}, and only dead ones are replayed or deleted",
                job.state.as_str()
            )));
        }
        let action = match deed {
            Deed::Replay => "job.replayed",
            Deed::Delete => "job.deleted",
        };
        let detail = serde_json::json!({ "kind": job.kind.as_str(), "subject": job.subject });
        let event = self.event(actor, action, id.as_str(), organization).with(detail);
        let (owner, wanted, now) = (organization.clone(), id.clone(), self.clock.now());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let done = match deed {
                    Deed::Replay => letters::replay(tx, &owner, &wanted, now).await?,
                    Deed::Delete => letters::delete(tx, &owner, &wanted).await?,
                };
                if done {
                    audit::insert(tx, &event).await?;
                }
                Ok::<_, AdminRefused>(done)
            })
        });
        if write.await? { Ok(()) } else { Err(AdminRefused::changed("job", id)) }
    }
}
