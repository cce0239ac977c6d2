//! What this process has under way, and how much more it may begin: shared by its worker, which claims, and by whoever
//! enqueues here, whose jobs are begun without a claim ([`super::births`]).

use super::held::Lease;
use super::worker::Said;
use crate::Service;
use kernel::ids::{JobId, OrganizationId};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use store::jobs::Kind;
use tokio::sync::{Notify, mpsc};

/// The slots of all kinds, and the bell of the worker that fills them.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    bell: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    at_work: Option<AtWork>,
    used: BTreeMap<Pool, Used>,
    under_way: HashMap<JobId, UnderWay>,
}

/// Which slots a job takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pool {
    /// Those of its kind. All that is claimed takes them.
    Of(Kind),
    /// Those of runs at a URL that are born here: such a run waits for an answer, which costs little.
    HttpRuns,
}

impl Pool {
    const fn kind(self) -> Kind {
        match self {
            Self::Of(kind) => kind,
            Self::HttpRuns => Kind::Run,
        }
    }
}

/// The worker of this process, for those who begin jobs beside it.
#[derive(Debug, Clone)]
pub(super) struct AtWork {
    pub(super) service: Weak<Service>,
    /// Names this process in what it holds.
    pub(super) holder: Arc<str>,
    pub(super) say: mpsc::UnboundedSender<Said>,
    /// Whether it takes what is born; not while the process stops.
    pub(super) is_open: bool,
}

/// Slots of one pool.
#[derive(Debug, Default)]
struct Used {
    /// Under way or about to be born, by organization.
    by: BTreeMap<OrganizationId, usize>,
    total: usize,
    /// Kept free for a claim that is on its way.
    claiming: usize,
    /// Something ready may be left that had no slot: it goes before everything that is born.
    somebody_waits: bool,
}

/// A job under way in this process.
#[derive(Debug)]
struct UnderWay {
    pool: Pool,
    organization: OrganizationId,
    lease: Arc<Lease>,
}

impl Used {
    fn free(&self, most: usize) -> usize {
        most.saturating_sub(self.total + self.claiming)
    }

    /// Nobody is overtaken: neither what is ready already nor, where several organizations have work under way, one of
    /// them by another that has its part of the slots.
    fn may_begin(&self, organization: &OrganizationId, most: usize) -> bool {
        let own = self.by.get(organization).copied().unwrap_or(0);
        let parties = self.by.len() + usize::from(own == 0);
        let part = if parties > 1 { (most / parties).max(1) } else { most };
        !self.somebody_waits && self.free(most) > 0 && own < part
    }

    fn take(&mut self, organization: &OrganizationId) {
        *self.by.entry(organization.clone()).or_default() += 1;
        self.total += 1;
    }

    fn give_back(&mut self, organization: &OrganizationId) {
        if let Some(count) = self.by.get_mut(organization) {
            self.total = self.total.saturating_sub(1);
            *count -= 1;
            if *count == 0 {
                self.by.remove(organization);
            }
        }
    }
}

impl Slots {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes this process's worker.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// The worker begins.
    pub(super) fn open(&self, at_work: AtWork) {
        self.state().at_work = Some(at_work);
    }

    /// Nothing more is born here; what was born before its commit is still begun.
    pub(super) fn close(&self) {
        if let Some(at_work) = &mut self.state().at_work {
            at_work.is_open = false;
        }
    }

    /// The worker has ended.
    pub(super) fn leave(&self) {
        self.state().at_work = None;
    }

    pub(super) fn at_work(&self) -> Option<AtWork> {
        self.state().at_work.clone()
    }

    /// A slot for a job that is born, and who holds it; `None` where the process does not work, or it would overtake.
    pub(super) fn take(&self, pool: Pool, organization: &OrganizationId, most: usize) -> Option<Arc<str>> {
        let mut state = self.state();
        let holder = Arc::clone(&state.at_work.as_ref().filter(|at_work| at_work.is_open)?.holder);
        let used = state.used.entry(pool).or_default();
        if used.may_begin(organization, most) {
            used.take(organization);
            return Some(holder);
        }
        // What is enqueued now in place of being born is claimed, and is the next to have a slot of its kind.
        let is_full = used.total >= most;
        state.used.entry(Pool::Of(pool.kind())).or_default().somebody_waits |= is_full;
        None
    }

    /// Gives back the slot of a job that was not born; somebody may wait for it.
    pub(super) fn give_back(&self, pool: Pool, organization: &OrganizationId) {
        let mut state = self.state();
        let used = state.used.entry(pool).or_default();
        used.give_back(organization);
        if used.somebody_waits {
            self.ring();
        }
    }

    /// A job begins: with the slot that it was born with, or with one of its kind that is taken now. The lease of the same job, where
    /// this process held it, lost it, and did not notice, is lost.
    pub(super) fn begins(
        &self,
        (id, kind, organization): (JobId, Kind, OrganizationId),
        slot: Option<Pool>,
        lease: Arc<Lease>,
    ) {
        let mut state = self.state();
        let pool = slot.unwrap_or(Pool::Of(kind));
        if slot.is_none() {
            state.used.entry(pool).or_default().take(&organization);
        }
        if let Some(before) = state.under_way.insert(id, UnderWay { pool, organization, lease }) {
            before.lease.lose();
            state.used.entry(before.pool).or_default().give_back(&before.organization);
        }
    }

    /// A job has ended; `false` where another has taken its place by now, so that nothing of it counts.
    pub(super) fn ends(&self, id: &JobId, lease: &Arc<Lease>) -> bool {
        let mut state = self.state();
        let is_its_own = state.under_way.get(id).is_some_and(|job| Arc::ptr_eq(&job.lease, lease));
        if is_its_own && let Some(job) = state.under_way.remove(id) {
            state.used.entry(job.pool).or_default().give_back(&job.organization);
        }
        is_its_own
    }

    /// Whether something ready may be left that had no slot.
    pub(super) fn somebody_waits(&self, kind: Kind) -> bool {
        self.state().used.get(&Pool::Of(kind)).is_some_and(|used| used.somebody_waits)
    }

    pub(super) fn is_under_way(&self, id: &JobId) -> bool {
        self.state().under_way.contains_key(id)
    }

    /// Whether nothing is under way or about to be born.
    pub(super) fn are_empty(&self) -> bool {
        self.state().used.values().all(|used| used.total == 0)
    }

    pub(super) fn free(&self, kind: Kind, most: usize) -> usize {
        self.state().used.get(&Pool::Of(kind)).map_or(most, |used| used.free(most))
    }

    /// Whether there is a kind of which something waits that now has a slot; `most` says how many there are.
    pub(super) fn can_begin_what_waits(&self, most: impl Fn(Kind) -> usize) -> bool {
        let is_so = |(pool, used): (&Pool, &Used)| used.somebody_waits && used.free(most(pool.kind())) > 0;
        self.state().used.iter().any(is_so)
    }

    /// Says whether something of this kind may be ready that has no slot.
    pub(super) fn waits(&self, kind: Kind, somebody_waits: bool) {
        self.state().used.entry(Pool::Of(kind)).or_default().somebody_waits = somebody_waits;
    }

    /// Slots for a claim, with what each organization has under way. Where nobody is known to wait a half of them is left
    /// to what is born meanwhile.
    pub(super) fn reserve(
        self: &Arc<Self>,
        kind: Kind,
        most: usize,
    ) -> Option<(Reserved, BTreeMap<OrganizationId, usize>)> {
        let mut state = self.state();
        let used = state.used.entry(Pool::Of(kind)).or_default();
        let free = used.free(most);
        let count = if used.somebody_waits { free } else { free.div_ceil(2) };
        // Before there is anything that would give slots back: that takes the lock which is held here.
        if count == 0 {
            return None;
        }
        used.claiming += count;
        Some((Reserved { slots: Arc::clone(self), kind, asked: count, count }, used.by.clone()))
    }
}

/// Slots that are kept free for a claim; given back at its end.
#[derive(Debug)]
pub(super) struct Reserved {
    slots: Arc<Slots>,
    kind: Kind,
    pub(super) asked: usize,
    count: usize,
}

impl Reserved {
    /// The claim took so many: the others are free again. `is_left`: something that is ready may be left. Whether that is
    /// all that was asked for.
    pub(super) fn took(&mut self, count: usize, is_left: bool) -> bool {
        let is_all = count >= self.asked;
        let mut state = self.slots.state();
        let used = state.used.entry(Pool::Of(self.kind)).or_default();
        used.claiming = used.claiming.saturating_sub(self.count.saturating_sub(count));
        used.somebody_waits = is_left || is_all;
        self.count = self.count.min(count);
        is_all
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        let used = state.used.entry(Pool::Of(self.kind)).or_default();
        used.claiming = used.claiming.saturating_sub(self.count);
    }
}

#[cfg(test)]
mod tests;
