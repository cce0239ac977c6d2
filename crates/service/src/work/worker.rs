//! The worker: claims what is ready, as much of each kind as there are slots, and keeps what became of it.
//!
//! One task of the process decides; each job runs in a task of its own. What ended and what is claimed next share a unit
//! of work where they come together, so that a busy queue costs one commit for many jobs.

use super::depth;
use super::held::Known;
use super::jobs::{DONE_HERE, Over};
use super::options::seconds;
use super::slots::{AtWork, Reserved};
use super::unsure::Unsure;
use crate::Service;
use kernel::ids::JobId;
use kernel::{Plain, Time};
use metrics::counter;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use store::DbError;
use store::jobs::claim::{self, Claim, Look};
use store::jobs::outcome::{self, Ended};
use store::jobs::{Job, Kind};
use store::notices::{self, FirstTry};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long what became of a job may wait for company: mostly the next claim, whose commit it shares.
const GATHER: Duration = Duration::from_millis(4);
/// Between two tries where the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two notes of what the clock said.
const READ_EVERY: Duration = Duration::from_millis(100);
/// Jobs whose time has come, of one round.
const PROMOTED: i64 = 500;
/// While the process stops, between two looks at what is still under way.
const STOP_EVERY: Duration = Duration::from_millis(50);

/// What the worker is told.
#[derive(Debug)]
pub(super) enum Said {
    /// A job's task has ended; of a job that another does by now only what it kept beside it counts.
    Over(Option<JobId>, Over),
    /// Jobs that may have been born, or not.
    Unsure(Vec<JobId>),
}

/// What one round did.
#[derive(Debug, Default)]
struct Round {
    claimed: Vec<Job>,
    /// Whose turn was last, by kind.
    turns: Vec<(Kind, String)>,
    /// The slots of what was claimed, until it has begun.
    reserved: Vec<Reserved>,
    /// Whether there may be more that could be claimed at once.
    more: bool,
}

#[derive(Debug)]
struct Worker {
    service: Arc<Service>,
    at_work: AtWork,
    turns: BTreeMap<Kind, String>,
    /// What the clock said at which moments, back to one that is a grace ago.
    readings: VecDeque<(Instant, Time)>,
    looked: Option<Instant>,
    ended: Vec<Ended>,
    /// First tries that delivered a message.
    delivered: Vec<FirstTry>,
    unsure: Unsure,
    said: mpsc::UnboundedReceiver<Said>,
}

impl Service {
    /// Wakes this process's worker: to be called after the commit of a unit of work that enqueued.
    pub fn ring_work(&self) {
        self.slots.ring();
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

impl Drop for Worker {
    fn drop(&mut self) {
        self.service.slots.leave();
    }
}

impl Worker {
    fn new(service: Arc<Service>) -> Self {
        let (say, said) = mpsc::unbounded_channel();
        let holder: String = Plain::new(&*service.chance).reveal().chars().take(22).collect();
        let at_work =
            AtWork { service: Arc::downgrade(&service), holder: Arc::from(holder), say, is_open: true };
        service.slots.open(at_work.clone());
        Self {
            service,
            at_work,
            turns: BTreeMap::new(),
            readings: VecDeque::new(),
            looked: None,
            ended: Vec::new(),
            delivered: Vec::new(),
            unsure: Unsure::default(),
            said,
        }
    }

    async fn run(mut self) {
        let counting = tokio::spawn(depth::tell(Arc::clone(&self.service)));
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
        while let Some(job) = self.unsure.found(&self.service, &self.at_work.holder).await? {
            self.service.begin_job(&self.at_work, job, Known::Nothing, None);
        }
        let now = self.service.clock.now();
        let claims = if rung { self.can_claim() } else { self.is_needed(now).await? };
        if self.ended.is_empty() && self.delivered.is_empty() && !claims {
            return Ok(false);
        }
        let round = self.round(now, claims).await?;
        self.turns.extend(round.turns);
        for job in round.claimed {
            self.service.begin_job(&self.at_work, job, Known::Nothing, None);
        }
        Ok(round.more)
    }

    /// Whether a slot is free; of the other kinds something may wait from now on.
    fn can_claim(&self) -> bool {
        let mut is_free = false;
        for kind in DONE_HERE {
            match self.free(kind) {
                0 => self.service.slots.waits(kind, true),
                _ => is_free = true,
            }
        }
        is_free
    }

    /// Looks whether a claim would find something, where the last look is long enough ago.
    async fn is_needed(&mut self, now: Time) -> Result<bool, DbError> {
        if self.looked.is_some_and(|last| last.elapsed() < self.service.work.look) {
            return Ok(false);
        }
        let before = self.released_before(now);
        let look = claim::look(&self.service.db).await?;
        self.looked = Some(Instant::now());
        self.learn(&look);
        let (is_due, is_over) = look.is_overdue(now, before);
        let is_free = look.ready.iter().any(|kind| DONE_HERE.contains(kind) && self.free(*kind) > 0);
        Ok(is_due || is_over || is_free)
    }

    /// Of what is not ready nothing waits for a slot; what is ready does where none is free.
    fn learn(&self, look: &Look) {
        for kind in DONE_HERE {
            let is_ready = look.ready.contains(&kind);
            if !is_ready || self.free(kind) == 0 {
                self.service.slots.waits(kind, is_ready);
            }
        }
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
        self.service.slots.free(kind, self.service.work.slots(kind))
    }

    /// Keeps what ended and, where `claims` says so or something of it is to be done once more, makes ready what is due
    /// and claims for every free slot: one unit of work.
    async fn round(&mut self, now: Time, claims: bool) -> Result<Round, DbError> {
        let before = self.released_before(now);
        let (holder, ended) = (Arc::clone(&self.at_work.holder), self.ended.clone());
        let delivered = self.delivered.clone();
        let kept = (ended.len(), delivered.len());
        let (service, turns) = (Arc::clone(&self.service), self.turns.clone());
        let round = self.service.db.write(move |tx| {
            Box::pin(async move {
                let mut round = Round::default();
                notices::delivered_at_once(tx, &delivered).await?;
                let is_left = outcome::keep(tx, &holder, &ended, now).await?;
                if !claims && !is_left {
                    return Ok(round);
                }
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
                for kind in DONE_HERE {
                    if made_ready == 0 && !look.ready.contains(&kind) {
                        service.slots.waits(kind, false);
                        continue;
                    }
                    let Some((mut claim, mut reserved)) = service.claim_of(kind, &holder, &turns, now) else {
                        service.slots.waits(kind, true);
                        continue;
                    };
                    let claimed = claim::claim(tx, &mut claim).await?;
                    let is_all = reserved.took(claimed.len(), claim.is_left);
                    round.more |= is_all && service.slots.free(kind, claim.slots) > 0;
                    round.claimed.extend(claimed);
                    round.turns.push((kind, claim.after));
                    round.reserved.push(reserved);
                }
                Ok::<_, DbError>(round)
            })
        });
        let round = round.await?;
        self.delivered.drain(..kept.1);
        for Ended { outcome, .. } in self.ended.drain(..kept.0) {
            counter!("vestibule_jobs_ended_total", "outcome" => outcome.as_str()).increment(1);
        }
        Ok(round)
    }

    /// Waits for a reason for the next turn; whether it is a ring.
    async fn wait(&mut self) -> bool {
        let service = Arc::clone(&self.service);
        let until = Instant::now() + if self.ended.is_empty() { service.work.look } else { GATHER };
        loop {
            tokio::select! {
                () = service.slots.rung() => return true,
                said = self.said.recv() => {
                    self.hear(said);
                    self.hear_all();
                    // Something may wait for the slot that became free.
                    if service.slots.can_begin_what_waits(|kind| service.work.slots(kind)) {
                        return true;
                    }
                    if !self.ended.is_empty() {
                        return self.gather().await;
                    }
                }
                () = tokio::time::sleep_until(until) => return false,
                () = service.stopping.begun() => return false,
            }
        }
    }

    /// Gives the next claim, and whatever else ends, a moment to come, so that it shares its commit with what ended.
    async fn gather(&mut self) -> bool {
        let service = Arc::clone(&self.service);
        let rung = tokio::select! {
            () = service.slots.rung() => true,
            () = tokio::time::sleep(GATHER) => false,
        };
        self.hear_all();
        rung || service.slots.can_begin_what_waits(|kind| service.work.slots(kind))
    }

    fn hear_all(&mut self) {
        while let Ok(said) = self.said.try_recv() {
            self.hear(Some(said));
        }
    }

    fn hear(&mut self, said: Option<Said>) {
        match said {
            Some(Said::Over(id, Over { outcome, first_try, .. })) => {
                self.ended.extend(id.map(|id| Ended { id, outcome }));
                self.delivered.extend(first_try);
            }
            Some(Said::Unsure(ids)) => self.unsure.add(ids),
            None => {}
        }
    }

    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.service.stopping.begun() => {}
        }
    }

    /// The process stops: those under way have been told. Waits for them, and for what is being born, at most as long as
    /// a lease holds, and keeps what became of them. What does not end by then is another's after its lease.
    async fn finish(mut self) {
        self.service.slots.close();
        let last = Instant::now() + self.service.work.lease;
        while !self.service.slots.are_empty() && Instant::now() < last {
            if let Ok(said) = tokio::time::timeout(STOP_EVERY, self.said.recv()).await {
                self.hear(said);
            }
        }
        self.hear_all();
        if self.ended.is_empty() && self.delivered.is_empty() {
            return;
        }
        let now = self.service.clock.now();
        if let Err(error) = self.round(now, false).await {
            tracing::warn!(%error, "what became of the last jobs could not be kept; another does them again");
        }
    }
}

impl Service {
    /// A claim for slots that are kept free for it; `None` where none is.
    fn claim_of(
        &self,
        kind: Kind,
        holder: &str,
        turns: &BTreeMap<Kind, String>,
        now: Time,
    ) -> Option<(Claim, Reserved)> {
        let slots = self.work.slots(kind);
        let (reserved, under_way) = self.slots.reserve(kind, slots)?;
        let claim = Claim {
            kind,
            holder: holder.to_owned(),
            until: now.plus_seconds(seconds(self.work.lease)),
            free: reserved.asked,
            slots,
            under_way,
            after: turns.get(&kind).cloned().unwrap_or_default(),
            is_left: false,
        };
        Some((claim, reserved))
    }
}
