//! Deliveries become triggers: what arrived at a webhook address is a reason for a run of its tenant.
//!
//! Accepting a delivery stays one insert (decision 0007), and this is what works off the list of those. A delivery of a
//! tenant that is paused or archived by now gets its trigger as any other: whether a run takes it, keeps it waiting or
//! drops it is decided when one begins, so that it is decided in one place.

use super::births::Births;
use super::held::Known;
use super::idle::Idle;
use super::recalled::{Learned, Recalled, Recalling};
use super::run::{Task, run_token};
use super::run_begin::Starting;
use crate::Service;
use ::connect::run::{LARGEST, Mode, Source, Trigger, fit};
use kernel::ids::{DeliveryId, JobId, RunId, TenantId, TriggerId};
use kernel::{Chance, Hashed, Time};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use store::deliveries::{Fresh, Made};
use store::jobs::Kind;
use store::jobs::birth::Wished;
use store::runs::begun::{self, New};
use store::runs::standing::Standing;
use store::{DbError, Tx, deliveries};

/// How long a delivery that no run can take now waits for company: what arrives close together shares one unit of work,
/// which would else be a commit beside each delivery's own.
const GATHER: Duration = Duration::from_millis(5);
/// Deliveries of one unit of work: so few that no other writer waits long.
const BATCH: i64 = 256;

/// What one batch came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Whether there was something to take.
    pub any: bool,
    /// Whether there may be more.
    pub more: bool,
    /// Whether a run takes one of them, now or when the one before it has ended.
    pub runs: bool,
}

impl Service {
    /// Wakes whoever makes triggers of deliveries in this process: called after a delivery was kept.
    pub(crate) fn ring_deliveries(&self) {
        self.deliveries_bell.notify_one();
    }

    /// Makes triggers of what arrives, until the process stops. Any number of nodes may do it.
    pub(super) async fn keep_taking_deliveries(&self) {
        let (mut rung, mut runs) = (true, true);
        while !self.stopping.has_begun() {
            match self.take_deliveries(rung).await {
                Ok(taken) => {
                    // A ring may be for what the batch before it took along.
                    runs = if taken.any { taken.runs } else { runs };
                    if taken.more {
                        continue;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "deliveries could not be made triggers; they are tried again");
                }
            }
            rung = tokio::select! {
                () = self.deliveries_bell.notified() => true,
                () = tokio::time::sleep(self.work.look) => false,
                () = self.stopping.begun() => false,
            };
            if rung && !runs {
                tokio::time::sleep(GATHER).await;
            }
        }
    }

    /// Makes triggers of one batch, and runs of those whose tenant has nothing else to do. `at_once`: without a look
    /// beforehand, which saves the writer's time where there is mostly nothing.
    ///
    /// # Errors
    /// [`DbError`]; then nothing of the batch has changed.
    pub async fn take_deliveries(&self, at_once: bool) -> Result<Taken, DbError> {
        if !at_once && !deliveries::is_fresh(&self.db).await? {
            return Ok(Taken::default());
        }
        let (now, chance, recalled) =
            (self.clock.now(), Arc::clone(&self.chance), Arc::clone(&self.recalled));
        let (births, idle) = (self.births(Kind::Run), Arc::clone(&self.idle));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let mut taking = Taking::new(births, &recalled, &idle, now, &*chance);
                let taken = taking.all(tx).await?;
                Ok::<_, DbError>((taken, taking.births, taking.recalling.learned()))
            })
        });
        let (taken, births, learned): (Taken, Births, Learned) = write.await?;
        births.begin();
        self.recalled.learn(learned);
        Ok(taken)
    }
}

/// What becomes of a tenant's deliveries.
enum Prospect {
    /// A run that takes all of them, and nothing else, can begin now.
    Now(Box<Starting>),
    /// A run can begin, but has more to choose from.
    Claimed,
    /// A run is open.
    AfterAnother,
    /// The tenant has no run now: it is paused or archived, or its integration has no release.
    None,
}

/// What one unit of work works with.
struct Taking<'a> {
    births: Births,
    recalling: Recalling<'a>,
    idle: &'a Idle,
    now: Time,
    chance: &'a dyn Chance,
}

impl<'a> Taking<'a> {
    fn new(
        births: Births,
        recalled: &'a Recalled,
        idle: &'a Idle,
        now: Time,
        chance: &'a dyn Chance,
    ) -> Self {
        Self { births, recalling: recalled.begin(), idle, now, chance }
    }

    async fn all(&mut self, tx: &mut Tx) -> Result<Taken, DbError> {
        let (fresh, mut standings) = deliveries::fresh(tx, BATCH).await?;
        if fresh.is_empty() {
            return Ok(Taken::default());
        }
        // Everybody asks for the jobs of tenants in the order of their numbers.
        let mut of_tenants: BTreeMap<TenantId, Vec<&Fresh>> = BTreeMap::new();
        for delivery in &fresh {
            of_tenants.entry(delivery.tenant).or_default().push(delivery);
        }
        let mut made = deliveries::numbered(tx, &fresh).await?;
        let (mut wished, mut begun, mut runs) = (Vec::with_capacity(of_tenants.len()), Vec::new(), false);
        for (tenant, own) in of_tenants {
            let Some(first) = own.first() else { continue };
            self.idle.take(tenant);
            let prospect = match standings.remove(&tenant) {
                Some(standing) => self.prospect(tx, standing, &own).await?,
                None => Prospect::None,
            };
            runs |= !matches!(prospect, Prospect::None);
            let (id, mut hold) = (JobId::new(self.now, self.chance), None);
            match prospect {
                Prospect::Now(next) => {
                    hold = self.births.hold_run(next.release.manifest.runner, &first.organization);
                    if hold.is_some() {
                        let run = deliveries::run_number(tx, first).await?;
                        begun.push((id.clone(), self.task(*next, run, &mut made, tenant)));
                    }
                }
                // Its job is somebody's, who sees at its end that it was asked for.
                Prospect::AfterAnother => {}
                Prospect::Claimed | Prospect::None => self.births.ring(),
            }
            let (organization, subject) = (first.organization.clone(), tenant.to_string());
            wished.push(Wished { id, organization, subject, hold });
        }
        self.write(tx, &wished, begun, &mut made).await?;
        let more = i64::try_from(fresh.len()).unwrap_or(i64::MAX) >= BATCH;
        Ok(Taken { any: true, more, runs })
    }

    /// What becomes of a tenant's deliveries, as it stands now.
    async fn prospect(
        &mut self,
        tx: &mut Tx,
        standing: Standing,
        own: &[&Fresh],
    ) -> Result<Prospect, DbError> {
        let tenant = &standing.tenant;
        if standing.has_open_run {
            return Ok(Prospect::AfterAnother);
        }
        if tenant.paused || tenant.archived.is_some() {
            return Ok(Prospect::None);
        }
        let is_all_of_one_run = standing.waiting.is_none()
            && i64::try_from(own.len()).is_ok_and(|count| count <= LARGEST)
            && fit(own.iter().map(|delivery| delivery.size)) == own.len();
        Ok(match self.recalling.of(tx, &standing).await? {
            Some((integration, Some(release))) if is_all_of_one_run => {
                Prospect::Now(Box::new(Starting { standing, integration, release }))
            }
            Some((_, Some(_))) => Prospect::Claimed,
            _ => Prospect::None,
        })
    }

    /// The run that takes all of a tenant's deliveries.
    fn task(&self, next: Starting, run: RunId, made: &mut [Made<'_>], tenant: TenantId) -> Task {
        let (mut triggers, mut contents) = (Vec::new(), HashMap::new());
        for made in made.iter_mut().filter(|made| made.delivery.tenant == tenant) {
            made.run = Some(run);
            let delivery = made.delivery;
            triggers.push(taken(made.trigger, delivery.id.clone(), &next.standing, (run, self.now)));
            contents.extend(delivery.content.clone().map(|content| (delivery.id.clone(), content)));
        }
        let task = next.task(run, Mode::Webhook, triggers, run_token(self.chance), self.now);
        Task { contents, ..task }
    }

    /// Writes triggers, jobs and runs; those that are there are begun after the commit.
    async fn write(
        &mut self,
        tx: &mut Tx,
        wished: &[Wished],
        begun: Vec<(JobId, Task)>,
        made: &mut [Made<'_>],
    ) -> Result<(), DbError> {
        let hashes: Vec<Hashed> = begun.iter().map(|(_, task)| task.token.hashed()).collect();
        let new = begun.iter().zip(&hashes);
        let new: Vec<New<'_>> = new
            .map(|((job, task), token)| New {
                run: &task.run,
                token,
                job: Some(job),
                after: task.standing.last.as_ref().map(|last| last.id),
            })
            .collect();
        // Before it is known whether they are: where the commit's answer is lost, somebody looks.
        for job in wished.iter().filter_map(|wished| wished.born(Kind::Run, self.now)) {
            self.births.expect(job);
        }
        let born = begun::born(tx, wished, &new, made, self.now).await?;
        self.births.withdraw();
        let mut tasks: HashMap<JobId, Task> = begun.into_iter().collect();
        // A job that was somebody's at the look may have ended before it was asked for: it is new then, and nobody's.
        if born.is_left || born.jobs.len() < tasks.len() {
            self.births.ring();
        }
        for job in born.jobs {
            // Where another node was quicker with the run the job finds what there is to do.
            let task = tasks.remove(&job.id).filter(|task| born.runs.contains(&task.run.id));
            self.births.expect(job);
            self.births.know(task.map_or(Known::Nothing, |task| Known::Run(Box::new(task))));
        }
        Ok(())
    }
}

/// The trigger of a delivery of this tenant, which a run has taken.
pub(super) fn taken(
    id: TriggerId,
    delivery: DeliveryId,
    standing: &Standing,
    (run, now): (RunId, Time),
) -> Trigger {
    Trigger {
        id,
        organization: standing.tenant.organization.clone(),
        tenant: standing.tenant.id,
        source: Source::Webhook,
        mode: Mode::Webhook,
        delivery: Some(delivery),
        payload: None,
        created: now,
        run: Some(run),
    }
}
