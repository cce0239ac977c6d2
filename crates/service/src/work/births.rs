//! Jobs that are begun where they are asked for (decision 0012): written as held by this process's worker, and begun
//! as soon as they are committed. That saves the claim, its commit, and the worker's being woken.

use super::held::{Held, Known, Lease};
use super::jobs::Over;
use super::options::{Options, seconds};
use super::slots::{AtWork, Pool, Slots};
use super::worker::Said;
use crate::Service;
use ::connect::manifest::Runner;
use futures_util::FutureExt as _;
use kernel::Time;
use kernel::ids::{JobId, OrganizationId};
use metrics::counter;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use store::jobs::birth::{self, Hold};
use store::jobs::{self, Job, Kind, Wish};
use store::{DbError, Tx};

/// Jobs of one kind that a unit of work asks for. It goes into the unit of work, comes back with its result, and
/// [`Births::begin`] is called after the commit. Where it is dropped instead (the unit of work failed, or whoever
/// waited for it has gone), its slots are given back, and the worker looks after a moment whether something of it was
/// kept.
#[derive(Debug)]
pub struct Births {
    slots: Arc<Slots>,
    kind: Kind,
    options: Options,
    until: Time,
    /// Whose slots were taken and not yet used.
    taken: Vec<(Pool, OrganizationId)>,
    born: Vec<(Job, Known)>,
    /// Something was enqueued that the worker has to claim.
    rings: bool,
}

impl Service {
    /// For a unit of work that asks for jobs of this kind which are due at once.
    pub fn births(&self, kind: Kind) -> Births {
        Births {
            slots: Arc::clone(&self.slots),
            kind,
            options: self.work,
            until: self.clock.now().plus_seconds(seconds(self.work.lease)),
            taken: Vec::new(),
            born: Vec::new(),
            rings: false,
        }
    }

    /// Does a job in a task of its own. `slot`: one that was taken before.
    pub(super) fn begin_job(self: &Arc<Self>, at_work: &AtWork, job: Job, known: Known, slot: Option<Pool>) {
        let until = job.held_until.unwrap_or(self.clock.now());
        let lease = Arc::new(Lease::new(until));
        let id = job.id.clone();
        counter!("vestibule_jobs_claimed_total", "kind" => job.kind.as_str()).increment(1);
        let what = (id.clone(), job.kind, job.organization.clone());
        self.slots.begins(what, slot, Arc::clone(&lease));
        let (service, say) = (Arc::clone(self), at_work.say.clone());
        let held = Held::new(job, known, &at_work.holder, Arc::clone(&lease), Arc::clone(&service));
        let broken = held.later("a mistake in this program ended it");
        tokio::spawn(async move {
            let over = AssertUnwindSafe(Arc::clone(&service).do_job(held)).catch_unwind().await;
            let over = over.unwrap_or_else(|_| Over::from(broken));
            let is_its_own = service.slots.ends(&id, &lease);
            if over.is_settled {
                counter!("vestibule_jobs_ended_total", "outcome" => over.outcome.as_str()).increment(1);
            }
            let left = (is_its_own && !over.is_settled).then_some(id);
            say.send(Said::Over(left, over)).ok();
        });
    }
}

impl Births {
    /// Takes a slot for one job of this organization; `None` where there is none, or where somebody would be overtaken.
    pub fn hold(&mut self, organization: &OrganizationId) -> Option<Hold> {
        self.hold_in(Pool::Of(self.kind), organization)
    }

    /// [`Births::hold`], of a run: one at a URL has slots of its own.
    pub(super) fn hold_run(&mut self, runner: Runner, organization: &OrganizationId) -> Option<Hold> {
        match runner {
            Runner::Http => self.hold_in(Pool::HttpRuns, organization),
            Runner::Process => self.hold(organization),
        }
    }

    fn hold_in(&mut self, pool: Pool, organization: &OrganizationId) -> Option<Hold> {
        let holder = self.slots.take(pool, organization, self.options.slots_of(pool));
        let Some(holder) = holder else {
            self.rings = true;
            return None;
        };
        self.taken.push((pool, organization.clone()));
        Some(Hold { holder: holder.to_string(), until: self.until })
    }

    /// A job with this hold is about to be written by a statement of its own, which says whether it was.
    pub(super) fn expect(&mut self, job: Job) {
        self.born.push((job, Known::Nothing));
    }

    /// What was expected last was written, and this is known of it.
    pub(super) fn know(&mut self, known: Known) {
        if let Some((_, of_it)) = self.born.last_mut() {
            *of_it = known;
        }
    }

    /// Nothing of what was expected was written.
    pub(super) fn withdraw(&mut self) {
        self.born.clear();
    }

    /// [`jobs::enqueue`], held from the start where there is a slot. Whether it will be begun here.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn enqueue(
        &mut self,
        tx: &mut Tx,
        organization: &OrganizationId,
        subject: String,
        id: JobId,
        now: Time,
    ) -> Result<bool, DbError> {
        let wish = Wish { kind: self.kind, organization, subject, due: now };
        let Some(hold) = self.hold(organization) else {
            jobs::enqueue(tx, &wish, id, now).await?;
            return Ok(false);
        };
        let born = birth::enqueue_held(tx, wish, id, &hold).await?;
        self.rings |= born.is_none();
        let is_born = born.is_some();
        self.born.extend(born.map(|job| (job, Known::Nothing)));
        Ok(is_born)
    }

    /// Something was enqueued that the worker has to claim.
    pub(super) fn ring(&mut self) {
        self.rings = true;
    }

    /// Begins what was born and wakes the worker where it has to claim something: to be called after the commit.
    pub fn begin(mut self) {
        let born = std::mem::take(&mut self.born);
        if self.rings {
            self.slots.ring();
        }
        if born.is_empty() {
            return;
        }
        // Without a worker what is held is another's after the lease.
        let Some(at_work) = self.slots.at_work() else { return };
        let Some(service) = at_work.service.upgrade() else { return };
        for (job, known) in born {
            let pool = if known.is_http_run() { Pool::HttpRuns } else { Pool::Of(job.kind) };
            let place = self.taken.iter().position(|(of, whose)| *of == pool && *whose == job.organization);
            let slot = place.map(|place| self.taken.swap_remove(place).0);
            service.begin_job(&at_work, job, known, slot);
        }
    }
}

impl Drop for Births {
    fn drop(&mut self) {
        for (pool, organization) in self.taken.drain(..) {
            self.slots.give_back(pool, &organization);
        }
        if self.born.is_empty() {
            return;
        }
        let ids = self.born.drain(..).map(|(job, _)| job.id).collect();
        if let Some(at_work) = self.slots.at_work() {
            at_work.say.send(Said::Unsure(ids)).ok();
        }
    }
}
