//! A job in the hands of whoever does it.

use super::Outcome;
use super::options::seconds;
use super::run::Task;
use crate::Service;
use ::connect::manifest::Runner;
use kernel::Time;
use kernel::ids::{JobId, OrganizationId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use store::DbError;
use store::jobs::{Job, Kind};
use store::notices::Due;

/// Between two looks at whether the lease is over: the clock may have been set meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so many tries that failed for a reason of ours a job is a dead letter.
const MOST_TRIES: u32 = 20;

/// Why whoever does a job shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The lease is over or another's. Whatever was started must end, and nothing more may be written.
    Lost,
    /// The process stops: what can be given up is handed back.
    Stopping,
}

/// The end of a lease, seen by whoever does the job and by the worker that gave it.
#[derive(Debug)]
pub(super) struct Lease {
    until: AtomicI64,
    /// Another has it by now, or the job was taken out.
    lost: AtomicBool,
}

impl Lease {
    pub(super) const fn new(until: Time) -> Self {
        Self { until: AtomicI64::new(until.micros()), lost: AtomicBool::new(false) }
    }

    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    fn until(&self) -> Time {
        Time::from_micros(self.until.load(Ordering::SeqCst))
    }
}

/// What whoever asked for a job knows of it, where it is begun at once: what its task need not ask the database for.
#[derive(Debug)]
pub(super) enum Known {
    Nothing,
    /// A message as it was written.
    Notice(Box<Due>),
    /// A run that has begun with its job.
    Run(Box<Task>),
}

impl Known {
    pub(super) fn is_http_run(&self) -> bool {
        matches!(self, Self::Run(task) if task.release.manifest.runner == Runner::Http)
    }
}

/// A job that this process holds for a while.
#[derive(Debug)]
pub struct Held {
    job: Job,
    known: Known,
    holder: Arc<str>,
    lease: Arc<Lease>,
    service: Arc<Service>,
}

impl Held {
    pub(super) fn new(
        job: Job,
        known: Known,
        holder: &Arc<str>,
        lease: Arc<Lease>,
        service: Arc<Service>,
    ) -> Self {
        Self { job, known, holder: Arc::clone(holder), lease, service }
    }

    /// What is known of it at its birth; once.
    pub(super) fn take_known(&mut self) -> Known {
        std::mem::replace(&mut self.known, Known::Nothing)
    }

    pub fn id(&self) -> &JobId {
        &self.job.id
    }

    pub fn kind(&self) -> Kind {
        self.job.kind
    }

    pub fn organization(&self) -> &OrganizationId {
        &self.job.organization
    }

    pub fn subject(&self) -> &str {
        &self.job.subject
    }

    /// How many times it was begun since it was last done, this time included: 1 at the first try.
    pub fn attempts(&self) -> u32 {
        self.job.attempts
    }

    /// Who holds it: another for each process that works.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// The end of the lease. What was started must have ended by then; a grace later another may begin.
    pub fn until(&self) -> Time {
        self.lease.until()
    }

    /// Whether the lease still holds, as far as this process knows.
    pub fn is_held(&self) -> bool {
        !self.lease.is_lost() && self.service.clock.now() < self.until()
    }

    /// Moves the end of the lease to a whole lease from now, which it returns; `None` where it is lost: then whatever
    /// was started must end.
    ///
    /// # Errors
    /// [`DbError`]; the lease is as it was then, and may be extended again as long as it is not over.
    pub async fn extend(&self) -> Result<Option<Time>, DbError> {
        if !self.is_held() {
            return Ok(None);
        }
        let until = self.service.clock.now().plus_seconds(seconds(self.service.work.lease));
        if !store::jobs::claim::extend(&self.service.db, &self.job.id, &self.holder, until).await? {
            self.lease.lose();
            return Ok(None);
        }
        self.lease.until.fetch_max(until.micros(), Ordering::SeqCst);
        Ok(Some(until))
    }

    /// Waits until the lease is over or the process stops. To be awaited beside the work.
    pub async fn lost_or_stopping(&self) -> Why {
        tokio::select! {
            () = self.service.stopping.begun() => Why::Stopping,
            () = self.lost() => Why::Lost,
        }
    }

    /// Waits until the lease is over, also while the process stops: for what is finished before the end.
    pub async fn lost(&self) {
        while self.is_held() {
            let left = self.until().micros().saturating_sub(self.service.clock.now().micros());
            let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
            tokio::time::sleep(left.min(LOOK_EVERY)).await;
        }
    }

    /// It could not be done for a reason of ours (the database, the machine): tried again after a while that grows with
    /// the tries, and given up after many.
    pub fn later(&self, failure: impl Into<String>) -> Outcome {
        let failure = failure.into();
        if self.attempts() >= MOST_TRIES {
            return Outcome::Dead { failure };
        }
        let wait = ::connect::back_off::after(self.attempts(), &*self.service.chance);
        Outcome::Again { at: self.service.clock.now().plus_seconds(seconds(wait)), failure }
    }
}
