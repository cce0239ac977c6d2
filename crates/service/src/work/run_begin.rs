//! How runs begin: those of many tenants in one unit of work. A trigger is claimed exactly when its run is there.

use super::recalled::{Learned, Recalling};
use super::run::{How, Next, Task, run_token};
use crate::{Fault, Service};
use ::connect::integration::Integration;
use ::connect::release::{Release, Wanted, wanted};
use ::connect::run::{Class, Failure, Mode, PastRun, Phase, Run, Trigger, fit, mode_of};
use kernel::ids::{DeliveryId, OrganizationId, RunId, TenantId};
use kernel::{Chance, Plain, Time};
use std::collections::HashMap;
use std::sync::Arc;
use store::runs::begun::{self, Claim, New};
use store::runs::standing::{self, Standing};
use store::runs::{self, Begin};
use store::{Tx, integrations, releases, reruns, triggers};

/// How often a run may be begun at all, lost nodes counted: beyond that it is the run that ends the nodes.
const MOST_BEGINNINGS: i64 = 50;
/// Tenants of one unit of work: so few that no other writer waits long.
const TOGETHER: usize = 64;

/// Whose next run shall begin.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(super) organization: OrganizationId,
    pub(super) tenant: TenantId,
}

/// What one unit of work works with.
struct Beginning<'a> {
    recalling: Recalling<'a>,
    now: Time,
    chance: &'a dyn Chance,
}

/// A tenant whose next run begins.
#[derive(Debug)]
pub(crate) struct Starting {
    pub(super) standing: Standing,
    pub(super) integration: Arc<Integration>,
    pub(super) release: Arc<Release>,
}

impl Service {
    /// Begins the next run of a tenant, with those of others that are asked for meanwhile.
    pub(super) async fn begun(&self, asked: Asked) -> Result<Next, Fault> {
        self.beginnings.done(asked, TOGETHER, |all| self.begin_runs(all)).await
    }

    async fn begin_runs(&self, asked: Vec<Asked>) -> Vec<Result<Next, Fault>> {
        let (count, alone) = (asked.len(), asked.clone());
        match self.begin_together(asked).await {
            Ok(all) => all.into_iter().map(Ok).collect(),
            Err(fault) if count == 1 => vec![Err(fault)],
            // One that fails takes nobody else's with it.
            Err(_) => {
                let mut each = Vec::with_capacity(count);
                for one in alone {
                    let next = self.begin_together(vec![one]).await;
                    let next = next.map(|all| all.into_iter().next().unwrap_or(Next::Nothing));
                    each.push(next);
                }
                each
            }
        }
    }

    async fn begin_together(&self, asked: Vec<Asked>) -> Result<Vec<Next>, Fault> {
        for Asked { tenant, .. } in &asked {
            self.idle.take(*tenant);
        }
        let (now, chance, recalled) =
            (self.clock.now(), Arc::clone(&self.chance), Arc::clone(&self.recalled));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let mut beginning = Beginning { recalling: recalled.begin(), now, chance: &*chance };
                let all = beginning.all(tx, &asked).await?;
                Ok::<_, Fault>((all, beginning.recalling.learned()))
            })
        });
        let (all, learned): (Vec<Next>, Learned) = write.await?;
        self.recalled.learn(learned);
        Ok(all)
    }
}

impl Beginning<'_> {
    /// For each tenant: finds its open run and begins it once more, or makes the next one of what waits.
    async fn all(&mut self, tx: &mut Tx, asked: &[Asked]) -> Result<Vec<Next>, Fault> {
        let ids: Vec<TenantId> = asked.iter().map(|asked| asked.tenant).collect();
        let (found, numbers) = standing::with_numbers(tx, &ids).await?;
        let mut standings: HashMap<TenantId, Standing> =
            found.into_iter().map(|standing| (standing.tenant.id, standing)).collect();
        let (mut all, mut starting) = (Vec::with_capacity(asked.len()), Vec::new());
        for Asked { organization, tenant } in asked {
            let standing = standings.remove(tenant).filter(|it| it.tenant.organization == *organization);
            let next = match standing {
                None => Some(Next::Nothing),
                Some(standing) => self.of(tx, standing, &mut starting).await?,
            };
            all.push(next);
        }
        let mut started = self.start(tx, starting, numbers).await?.into_iter();
        // Those that were not decided one by one, in their order.
        Ok(all.into_iter().map(|next| next.or_else(|| started.next()).unwrap_or(Next::Nothing)).collect())
    }

    /// What can be said of one tenant at once; `None` where its next run starts with the others.
    async fn of(
        &mut self,
        tx: &mut Tx,
        standing: Standing,
        starting: &mut Vec<Starting>,
    ) -> Result<Option<Next>, Fault> {
        let (owner, id) = (standing.tenant.organization.clone(), standing.tenant.id);
        if standing.has_open_run
            && let Some(run) = runs::open(tx, &owner, id).await?
        {
            return self.once_more(tx, run, standing).await.map(Some);
        }
        if standing.tenant.archived.is_some() {
            triggers::drop_waiting(tx, &owner, id, self.now).await?;
            return Ok(Some(Next::Nothing));
        }
        if standing.waiting.is_none() {
            return Ok(Some(Next::Nothing));
        }
        // Without a release the triggers wait for the first one, which wakes them.
        let Some((integration, Some(release))) = self.recalling.of(tx, &standing).await? else {
            return Ok(Some(Next::Nothing));
        };
        starting.push(Starting { standing, integration, release });
        Ok(None)
    }

    /// An open run: its node is gone, it failed and is tried again, or its report is awaited.
    async fn once_more(&self, tx: &mut Tx, run: Run, standing: Standing) -> Result<Next, Fault> {
        let (now, tenant) = (self.now, &standing.tenant);
        let over = |run, how| Ok(Next::Over(Box::new((run, standing.tenant.clone(), how))));
        if run.cancel.is_some() || tenant.archived.is_some() {
            return over(run, How::Cancelled);
        }
        if let Some(until) = run.waits {
            if now < until {
                return Ok(Next::Report(until));
            }
            return over(run, How::Failed(Failure::Timeout, "no report came in time"));
        }
        if run.attempts >= MOST_BEGINNINGS {
            return over(run, How::Failed(Failure::Platform, "it was begun too often"));
        }
        let owner = run.organization.clone();
        let integration = integrations::by_id(tx, &owner, tenant.environment, tenant.integration).await?;
        let Some(integration) = integration else { return over(run, How::Cancelled) };
        let release = match run.release {
            Some(id) => releases::by_id(tx, &owner, id).await?,
            None => None,
        };
        let Some(release) = release else {
            return over(run, How::Failed(Failure::Platform, "its release is gone"));
        };
        if !release.is_ready() {
            return over(run, How::Failed(Failure::Platform, "the files of its release are gone"));
        }
        let token = run_token(self.chance);
        let begin = Begin { release: Some(release.id), token: &token.hashed() };
        if !runs::begin(tx, &run, begin, now).await? {
            return Ok(Next::Nothing);
        }
        let phase = run.phase.start(now).map_err(|wrong| Fault::broken(wrong.to_string()))?;
        let run = Run { phase, attempts: run.attempts + 1, reason: None, waits: None, ..run };
        let triggers = triggers::of_run(tx, &owner, run.rerun_of.unwrap_or(run.id)).await?;
        Ok(Next::Go(Box::new(Task {
            run,
            standing,
            integration: Arc::new(integration),
            release: Arc::new(release),
            triggers,
            contents: HashMap::new(),
            token,
        })))
    }

    /// Makes the next runs of tenants that have none open and something waiting.
    async fn start(
        &self,
        tx: &mut Tx,
        starting: Vec<Starting>,
        numbers: Vec<RunId>,
    ) -> Result<Vec<Next>, Fault> {
        if starting.is_empty() {
            return Ok(Vec::new());
        }
        let numbers = begun::numbers(tx, starting.len(), numbers).await?;
        let claims: Vec<Claim> = starting.iter().zip(numbers).filter_map(claim_of).collect();
        let mut claimed = begun::claim(tx, &claims, self.now).await?;
        let mut tasks = Vec::with_capacity(starting.len());
        for (starting, claim) in starting.into_iter().zip(&claims) {
            let triggers = claimed.remove(&claim.run).unwrap_or_default();
            tasks.push(self.bundled(tx, starting, claim, triggers).await?);
        }
        self.write(tx, &mut tasks).await?;
        Ok(tasks
            .into_iter()
            .map(|task| task.map_or(Next::Nothing, |task| Next::Go(Box::new(task))))
            .collect())
    }

    /// The run of what was claimed for it; `None` where another took it meanwhile.
    async fn bundled(
        &self,
        tx: &mut Tx,
        starting: Starting,
        claim: &Claim,
        mut triggers: Vec<Trigger>,
    ) -> Result<Option<Task>, Fault> {
        // What others sent has a size, and a run takes only so much.
        if triggers.len() > 1 && triggers.iter().any(|it| it.delivery.is_some() || it.payload.is_some()) {
            let sizes = triggers::sizes(tx, &claim.organization, claim.run).await?;
            triggers.truncate(fit(sizes.into_iter().map(|(_, size)| size)));
            if let Some(last) = triggers.last() {
                triggers::give_back(tx, &claim.organization, claim.run, last.id).await?;
            }
        }
        let Some(mode) = mode_of(triggers.iter().map(|trigger| trigger.mode)) else { return Ok(None) };
        let rerun = match (claim.class, triggers.first()) {
            (Class::Rerun, Some(first)) => reruns::by_trigger(tx, claim.tenant, first.id).await?,
            _ => None,
        };
        let mut task = starting.task(claim.run, mode, triggers, run_token(self.chance), self.now);
        if let Some(rerun) = rerun {
            (task.run.rerun_of, task.run.configs, task.run.given_state) =
                (Some(rerun.run), rerun.configs, rerun.state);
        }
        Ok(Some(task))
    }

    /// Writes what begins.
    async fn write(&self, tx: &mut Tx, tasks: &mut [Option<Task>]) -> Result<(), Fault> {
        let taken = tasks.iter().flatten().flat_map(|task| &task.triggers);
        let taken: Vec<DeliveryId> = taken.filter_map(|trigger| trigger.delivery.clone()).collect();
        for task in tasks.iter_mut().flatten() {
            if let Some(before) = task.run.rerun_of {
                task.triggers = triggers::of_run(tx, &task.run.organization, before).await?;
            }
        }
        let hashes: Vec<_> = tasks.iter().flatten().map(|task| task.token.hashed()).collect();
        let new = tasks.iter().flatten().zip(&hashes);
        let new: Vec<New<'_>> =
            new.map(|(task, token)| New { run: &task.run, token, job: None, after: None }).collect();
        let mut contents = begun::begin_all(tx, &new, &taken, self.now).await?;
        for task in tasks.iter_mut().flatten() {
            let own = task.triggers.iter().filter_map(|trigger| trigger.delivery.as_ref());
            task.contents = own.filter_map(|id| contents.remove_entry(id)).collect();
        }
        Ok(())
    }
}

fn claim_of((starting, run): (&Starting, RunId)) -> Option<Claim> {
    let Standing { tenant, waiting, .. } = &starting.standing;
    let (organization, paused) = (tenant.organization.clone(), tenant.paused);
    waiting.map(|class| Claim { organization, tenant: tenant.id, run, class, paused })
}

impl Starting {
    /// How the tenant of a run stands after its end, where its next run can begin like this one.
    pub(super) fn after(task: &Task, ended: &Run) -> Option<Self> {
        let Task { standing, integration, release, .. } = task;
        let tenant = &standing.tenant;
        let is_same = match wanted(tenant, integration) {
            Wanted::Exactly(id) => id == release.id,
            Wanted::Newest => standing.newest == Some(release.id),
            Wanted::Nothing => false,
        };
        if !is_same || tenant.paused || tenant.archived.is_some() {
            return None;
        }
        let last = PastRun::from(ended.clone());
        let has_succeeded = matches!(last.phase, Phase::Succeeded { .. });
        let successful = if has_succeeded { Some(&last) } else { standing.last_successful.as_ref() };
        let standing = Standing {
            tenant: tenant.clone(),
            metadata: standing.metadata.clone(),
            last_successful: successful.cloned(),
            last: Some(last),
            has_open_run: false,
            waiting: None,
            ..*standing
        };
        Some(Self { standing, integration: Arc::clone(integration), release: Arc::clone(release) })
    }

    /// The first attempt of a new run.
    pub(super) fn task(self, id: RunId, mode: Mode, triggers: Vec<Trigger>, token: Plain, now: Time) -> Task {
        let Self { standing, integration, release } = self;
        let run = Run {
            id,
            organization: standing.tenant.organization.clone(),
            environment: standing.tenant.environment,
            tenant: standing.tenant.id,
            integration: integration.id,
            release: Some(release.id),
            mode,
            phase: Phase::Running { started: now },
            reason: None,
            attempts: 1,
            rerun_of: None,
            configs: None,
            given_state: None,
            state: None,
            exit_code: None,
            log_bytes: 0,
            cancel: None,
            waits: None,
            created: now,
        };
        Task { run, standing, integration, release, triggers, contents: HashMap::new(), token }
    }
}
