//! The worker: claims what is ready, as much of each kind as there are slots, and keeps what became of it.
//!
//! One task of the process decides; each job runs in a task of its own. What ended and what is claimed next are one
//! unit of work, so that a busy queue costs one commit for many jobs.

use super::Outcome;
use super::held::{Held, Lease};
use super::jobs::DONE_HERE;
use super::options::seconds;
use crate::Service;
use futures_util::FutureExt as _;
use kernel::ids::{JobId, OrganizationId};
use kernel::{Plain, Time};
use metrics::{counter, gauge};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use store::DbError;
use store::jobs::claim::{self, Claim};
use store::jobs::outcome::{self, Ended};
use store::jobs::{Job, Kind};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Between two looks where nobody in this process rang.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long what became of a job may wait for company: mostly the next claim, whose commit it shares.
const GATHER: Duration = Duration::from_millis(4);
/// Between two tries where the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two notes of what the clock said.
const READ_EVERY: Duration = Duration::from_millis(100);
/// Jobs whose time has come, of one round.
const PROMOTED: i64 = 500;
/// Between two times that the queue's depth is counted.
const COUNT_EVERY: Duration = Duration::from_secs(30);

/// A job under way in this process.
#[derive(Debug)]
struct UnderWay {
    kind: Kind,
    organization: OrganizationId,
    lease: Arc<Lease>,
}

/// What a job's task says at its end.
#[derive(Debug)]
struct Said {
    id: JobId,
    /// Tells it from a later claim of the same job.
    lease: Arc<Lease>,
    outcome: Outcome,
}

/// What one round did.
#[derive(Debug, Default)]
struct Round {
    claimed: Vec<Job>,
    /// Whose turn was last, by kind.
    turns: Vec<(Kind, String)>,
    /// Whether there may be more that could be claimed at once.
    more: bool,
}

#[derive(Debug)]
struct Worker {
    service: Arc<Service>,
    /// Names this process in what it holds.
    holder: String,
    under_way: HashMap<JobId, UnderWay>,
    turns: BTreeMap<Kind, String>,
    /// What the clock said at which moments, back to one that is a grace ago.
    readings: VecDeque<(Instant, Time)>,
    ended: Vec<Ended>,
    said: mpsc::UnboundedReceiver<Said>,
    say: mpsc::UnboundedSender<Said>,
}

impl Service {
    /// Wakes this process's worker: to be called after the commit of a unit of work that enqueued.
    pub fn ring_work(&self) {
        self.work_bell.notify_one();
    }

    /// Works until the process stops: does what is in the queue, fires schedules, makes triggers of deliveries. What is
    /// under way at the stop is told so, finished or handed back.
    pub async fn work_on(self: Arc<Self>) {
        self.sweep_scratch().await;
        let mut beside = tokio::task::JoinSet::new();
        let (schedules, deliveries) = (Arc::clone(&self), Arc::clone(&self));
        beside.spawn(async move { schedules.keep_firing().await });
        beside.spawn(async move { deliveries.keep_taking_deliveries().await });
        Worker::new(self).run().await;
        while beside.join_next().await.is_some() {}
    }
}

impl Worker {
    fn new(service: Arc<Service>) -> Self {
        let (say, said) = mpsc::unbounded_channel();
        let holder = Plain::new(&*service.chance).reveal().chars().take(22).collect();
        Self {
            service,
            holder,
            under_way: HashMap::new(),
            turns: BTreeMap::new(),
            readings: VecDeque::new(),
            ended: Vec::new(),
            said,
            say,
        }
    }

    async fn run(mut self) {
        let counting = tokio::spawn(count(Arc::clone(&self.service)));
        let mut rung = true;
        while !self.service.stopping.has_begun() {
            match self.turn(rung).await {
                Ok(true) => rung = true,
                Ok(false) => rung = self.wait().await,
                Err(error) => {
                    tracing::warn!(%error, "the queue could not be worked on; it is tried again");
                    self.pause(PAUSE).await;
                    rung = true;
                }
            }
        }
        counting.abort();
        self.finish().await;
    }

    /// One turn: a look, where nobody rang, and a round where there is something to do. Whether to go on at once.
    async fn turn(&mut self, rung: bool) -> Result<bool, DbError> {
        let now = self.service.clock.now();
        let can_claim = DONE_HERE.into_iter().any(|kind| self.free(kind) > 0);
        let is_needed = if rung { can_claim } else { self.is_needed(now).await? };
        if self.ended.is_empty() && !is_needed {
            return Ok(false);
        }
        let round = self.round(now).await?;
        self.turns.extend(round.turns);
        for job in round.claimed {
            self.begin(job);
        }
        Ok(round.more)
    }

    async fn is_needed(&mut self, now: Time) -> Result<bool, DbError> {
        let before = self.released_before(now);
        let look = claim::look(&self.service.db).await?;
        let (is_due, is_over) = look.is_overdue(now, before);
        let is_free = look.ready.iter().any(|kind| DONE_HERE.contains(kind) && self.free(*kind) > 0);
        Ok(is_due || is_over || is_free)
    }

    /// Leases that ended before this time are over for good: a grace ago, by the clock, and by what the clock said when
    /// a grace ago really was. Where somebody sets the clock an hour ahead, whoever holds a lease has that long to
    /// notice and to end what it started. A process that has just begun knows of no such moment and waits for it.
    fn released_before(&mut self, now: Time) -> Time {
        let (moment, grace) = (Instant::now(), self.service.work.grace);
        let last = self.readings.back().map(|(then, _)| moment.duration_since(*then));
        if last.is_none_or(|since| since >= READ_EVERY) {
            self.readings.push_back((moment, now));
        }
        while self.readings.get(1).is_some_and(|(then, _)| moment.duration_since(*then) >= grace) {
            self.readings.pop_front();
        }
        let known = self.readings.front().filter(|(then, _)| moment.duration_since(*then) >= grace);
        let said = known.map_or(Time::from_micros(0), |(_, said)| *said);
        said.min(now.plus_seconds(-seconds(grace)))
    }

    fn free(&self, kind: Kind) -> usize {
        let used = self.under_way.values().filter(|job| job.kind == kind).count();
        self.service.work.slots(kind).saturating_sub(used)
    }

    /// Keeps what ended, makes ready what is due, claims for every free slot: one unit of work.
    async fn round(&mut self, now: Time) -> Result<Round, DbError> {
        let before = self.released_before(now);
        let claims: Vec<Claim> = DONE_HERE.into_iter().filter_map(|kind| self.claim_of(kind, now)).collect();
        let (holder, ended) = (self.holder.clone(), self.ended.clone());
        let kept = ended.len();
        let round = self.service.db.write(move |tx| {
            Box::pin(async move {
                let mut round = Round::default();
                outcome::keep(tx, &holder, &ended, now).await?;
                // One look tells what the rest of the round would find, so that nothing is asked in vain.
                let look = claim::look_in(tx).await?;
                let (is_due, is_over) = look.is_overdue(now, before);
                let mut made_ready = 0;
                if is_due {
                    made_ready += claim::promote(tx, now, PROMOTED).await?;
                }
                if is_over {
                    made_ready += claim::release_expired(tx, before, PROMOTED).await?;
                }
                round.more = made_ready >= u64::try_from(PROMOTED).unwrap_or(u64::MAX);
                for mut claim in claims {
                    if made_ready == 0 && !look.ready.contains(&claim.kind) {
                        continue;
                    }
                    round.claimed.extend(claim::claim(tx, &mut claim).await?);
                    round.turns.push((claim.kind, claim.after));
                }
                Ok::<_, DbError>(round)
            })
        });
        let round = round.await?;
        for Ended { outcome, .. } in self.ended.drain(..kept) {
            counter!("vestibule_jobs_ended_total", "outcome" => outcome.as_str()).increment(1);
        }
        Ok(round)
    }

    fn claim_of(&self, kind: Kind, now: Time) -> Option<Claim> {
        let free = self.free(kind);
        if free == 0 {
            return None;
        }
        let mut under_way = BTreeMap::new();
        for job in self.under_way.values().filter(|job| job.kind == kind) {
            *under_way.entry(job.organization.clone()).or_default() += 1;
        }
        Some(Claim {
            kind,
            holder: self.holder.clone(),
            until: now.plus_seconds(seconds(self.service.work.lease)),
            free,
            slots: self.service.work.slots(kind),
            under_way,
            after: self.turns.get(&kind).cloned().unwrap_or_default(),
        })
    }

    fn begin(&mut self, job: Job) {
        let (id, kind, organization) = (job.id.clone(), job.kind, job.organization.clone());
        let until = job.held_until.unwrap_or(self.service.clock.now());
        let lease = Arc::new(Lease::new(until));
        counter!("vestibule_jobs_claimed_total", "kind" => kind.as_str()).increment(1);
        let under_way = UnderWay { kind, organization, lease: Arc::clone(&lease) };
        // The same job once more: this process held it, lost it, and did not notice.
        if let Some(before) = self.under_way.insert(id.clone(), under_way) {
            before.lease.lose();
        }
        let (service, say) = (Arc::clone(&self.service), self.say.clone());
        let held = Held::new(job, &self.holder, Arc::clone(&lease), Arc::clone(&service));
        let broken = held.later("a mistake in this program ended it");
        tokio::spawn(async move {
            let outcome = AssertUnwindSafe(service.do_job(held)).catch_unwind().await.unwrap_or(broken);
            say.send(Said { id, lease, outcome }).ok();
        });
    }

    /// Waits for a reason for the next turn; whether it is a ring.
    async fn wait(&mut self) -> bool {
        let service = Arc::clone(&self.service);
        let full = DONE_HERE.into_iter().any(|kind| self.free(kind) == 0);
        let pause = if self.ended.is_empty() { LOOK_EVERY } else { GATHER };
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = service.work_bell.notified() => return true,
                said = self.said.recv() => {
                    self.hear(said);
                    while let Ok(said) = self.said.try_recv() {
                        self.hear(Some(said));
                    }
                    // Where every slot was taken something may wait for this one.
                    if full {
                        return true;
                    }
                    if pause == LOOK_EVERY {
                        return self.gather().await;
                    }
                }
                () = tokio::time::sleep_until(until) => return false,
                () = service.stopping.begun() => return false,
            }
        }
    }

    /// Gives the next claim a moment to come, so that it shares its commit with what ended.
    async fn gather(&mut self) -> bool {
        let until = Instant::now() + GATHER;
        let service = Arc::clone(&self.service);
        loop {
            tokio::select! {
                () = service.work_bell.notified() => return true,
                said = self.said.recv() => self.hear(said),
                () = tokio::time::sleep_until(until) => return false,
            }
        }
    }

    fn hear(&mut self, said: Option<Said>) {
        let Some(Said { id, lease, outcome }) = said else { return };
        let is_its_own = self.under_way.get(&id).is_some_and(|job| Arc::ptr_eq(&job.lease, &lease));
        if is_its_own {
            self.under_way.remove(&id);
            self.ended.push(Ended { id, outcome });
        }
    }

    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.service.stopping.begun() => {}
        }
    }

    /// The process stops: those under way have been told. Waits for them, at most as long as a lease holds, and keeps
    /// what became of them. What does not end by then is another's after its lease.
    async fn finish(mut self) {
        let last = Instant::now() + self.service.work.lease;
        while !self.under_way.is_empty() {
            match tokio::time::timeout_at(last, self.said.recv()).await {
                Ok(said) => self.hear(said),
                Err(_) => break,
            }
        }
        let (holder, ended, now) =
            (self.holder.clone(), std::mem::take(&mut self.ended), self.service.clock.now());
        if ended.is_empty() {
            return;
        }
        let keep = self
            .service
            .db
            .write(move |tx| Box::pin(async move { outcome::keep(tx, &holder, &ended, now).await }));
        if let Err(error) = keep.await {
            tracing::warn!(%error, "what became of the last jobs could not be kept; another does them again");
        }
    }
}

/// Tells the metrics how deep the queue is, until the task is ended.
async fn count(service: Arc<Service>) {
    loop {
        match service.db.read(|tx| Box::pin(store::jobs::letters::depth(tx))).await {
            Ok(depth) => {
                for (kind, state, jobs) in depth.figures() {
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "a gauge is a float, and the figure is small"
                    )]
                    gauge!("vestibule_jobs", "kind" => kind, "state" => state.as_str()).set(jobs as f64);
                }
                let now = service.clock.now();
                for (kind, _, oldest) in depth.ready {
                    let age = oldest.map_or(0, |oldest| now.seconds_since(oldest).max(0));
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "a gauge is a float, and the figure is small"
                    )]
                    gauge!("vestibule_jobs_oldest_seconds", "kind" => kind.as_str()).set(age as f64);
                }
            }
            Err(error) => tracing::warn!(%error, "the queue's depth could not be counted"),
        }
        tokio::time::sleep(COUNT_EVERY).await;
    }
}
