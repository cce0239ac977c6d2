//! The next run of a tenant: what it is made of, and which way it goes (contract `runs.md`).

use super::trigger;
use super::{Held, Outcome};
use crate::{Fault, Service};
use ::connect::integration::Integration;
use ::connect::manifest::Runner;
use ::connect::release::Release;
use ::connect::run::{Class, Failure, Phase, Run, Trigger, fit, mode_of};
use ::connect::tenant::Tenant;
use kernel::ids::{OrganizationId, RunId, TenantId};
use kernel::{Chance, Plain, Time};
use metrics::counter;
use serde_json::Value;
use std::sync::Arc;
use store::runs::Begin;
use store::{Tx, integrations, releases, reruns, runs, tenant_metadata, tenants, triggers};

/// How often a run may be begun at all, lost nodes counted: beyond that it is the run that ends the nodes.
const MOST_BEGINNINGS: i64 = 50;

/// A run whose attempt has begun, with all that it is told.
#[derive(Debug)]
pub(super) struct Task {
    /// As it stands in the database.
    pub(super) run: Run,
    pub(super) tenant: Tenant,
    pub(super) integration: Integration,
    pub(super) release: Release,
    /// What started it; of a rerun, what started the run that is done once more.
    pub(super) triggers: Vec<Trigger>,
    pub(super) last: Option<Run>,
    pub(super) last_successful: Option<Run>,
    pub(super) metadata: Option<Value>,
    /// Of this attempt alone.
    pub(super) token: Plain,
}

/// What a claimed job finds.
enum Next {
    /// Nothing waits that could run now.
    Nothing,
    /// A report is awaited until then.
    Report(Time),
    /// An open run is over without another attempt.
    Over(Box<(Run, Tenant, How)>),
    Go(Box<Task>),
}

/// How a run that is not begun again ends.
enum How {
    Cancelled,
    Failed(Failure, &'static str),
}

impl Service {
    /// The next run of the tenant that the job names, from its beginning to its end.
    pub(super) async fn do_run(self: Arc<Self>, held: &Held) -> Outcome {
        match self.next_run(held).await {
            Ok(outcome) => outcome,
            Err(fault) => {
                tracing::warn!(tenant = held.subject(), %fault, "a run could not be carried out");
                held.later(fault.to_string())
            }
        }
    }

    async fn next_run(self: &Arc<Self>, held: &Held) -> Result<Outcome, Fault> {
        let Ok(tenant) = TenantId::parse(held.subject()) else { return Ok(Outcome::Done) };
        let (owner, now, chance) = (held.organization().clone(), self.clock.now(), Arc::clone(&self.chance));
        let found = self
            .db
            .write(move |tx| Box::pin(async move { next(tx, &owner, tenant, now, &*chance).await }))
            .await?;
        match found {
            Next::Nothing => Ok(Outcome::Done),
            Next::Report(until) => Ok(Outcome::Wait { at: until }),
            Next::Over(over) => {
                let (run, tenant, how) = *over;
                let (phase, reason) = match how {
                    How::Cancelled => (run.phase.cancel(now), None),
                    How::Failed(why, reason) => (run.phase.fail(why, now), Some(reason.to_owned())),
                };
                let phase = phase.map_err(|wrong| Fault::broken(wrong.to_string()))?;
                self.end_run(Run { phase, reason, waits: None, ..run }, &tenant).await?;
                Ok(Outcome::Done)
            }
            Next::Go(task) => {
                counter!("vestibule_runs_begun_total", "mode" => task.run.mode.as_str()).increment(1);
                match task.release.manifest.runner {
                    Runner::Process => self.run_process(held, *task).await,
                    Runner::Http => self.run_http(held, *task).await,
                }
            }
        }
    }
}

/// Finds the tenant's open run and begins it once more, or makes the next one of what waits. One unit of work: a
/// trigger is claimed exactly when its run is there.
async fn next(
    tx: &mut Tx,
    owner: &OrganizationId,
    tenant: TenantId,
    now: Time,
    chance: &dyn Chance,
) -> Result<Next, Fault> {
    let Some(tenant) = tenants::in_any_environment(tx, owner, tenant).await? else {
        return Ok(Next::Nothing);
    };
    let open = runs::open(tx, owner, tenant.id).await?;
    if let Some(run) = open {
        return once_more(tx, run, tenant, now, chance).await;
    }
    if tenant.archived.is_some() {
        triggers::drop_waiting(tx, owner, tenant.id, now).await?;
        return Ok(Next::Nothing);
    }
    if !triggers::is_waiting(tx, owner, tenant.id, tenant.paused).await? {
        return Ok(Next::Nothing);
    }
    let integration = integrations::by_id(tx, owner, tenant.environment, tenant.integration).await?;
    let Some(integration) = integration else { return Ok(Next::Nothing) };
    // Without a release the triggers wait for the first one, which wakes them.
    let Some(release) = Service::release_of(tx, &tenant, &integration).await? else {
        return Ok(Next::Nothing);
    };
    let Some(bundle) = claim(tx, &tenant, now).await? else { return Ok(Next::Nothing) };
    let token = run_token(chance);
    let run = Run {
        id: bundle.run,
        organization: owner.clone(),
        environment: tenant.environment,
        tenant: tenant.id,
        integration: integration.id,
        release: Some(release.id),
        mode: bundle.mode,
        phase: Phase::Running { started: now },
        reason: None,
        attempts: 1,
        rerun_of: bundle.rerun.as_ref().map(|rerun| rerun.run),
        configs: bundle.rerun.as_ref().and_then(|rerun| rerun.configs.clone()),
        given_state: bundle.rerun.and_then(|rerun| rerun.state),
        state: None,
        exit_code: None,
        log_bytes: 0,
        cancel: None,
        waits: None,
        created: now,
    };
    if !runs::insert(tx, &run, Some(&token.hashed())).await? {
        return Err(Fault::broken(format!("tenant {} has a second run", tenant.id)));
    }
    triggers::take_deliveries(tx, owner, run.id, now).await?;
    gather(tx, Begun { run, tenant, integration, release, triggers: bundle.triggers, token }).await
}

/// An open run: its node is gone, it failed and is tried again, or its report is awaited.
async fn once_more(
    tx: &mut Tx,
    run: Run,
    tenant: Tenant,
    now: Time,
    chance: &dyn Chance,
) -> Result<Next, Fault> {
    let over = |run, tenant, how| Ok(Next::Over(Box::new((run, tenant, how))));
    if run.cancel.is_some() || tenant.archived.is_some() {
        return over(run, tenant, How::Cancelled);
    }
    if let Some(until) = run.waits {
        if now < until {
            return Ok(Next::Report(until));
        }
        return over(run, tenant, How::Failed(Failure::Timeout, "no report came in time"));
    }
    if run.attempts >= MOST_BEGINNINGS {
        return over(run, tenant, How::Failed(Failure::Platform, "it was begun too often"));
    }
    let owner = run.organization.clone();
    let integration = integrations::by_id(tx, &owner, tenant.environment, tenant.integration).await?;
    let Some(integration) = integration else { return over(run, tenant, How::Cancelled) };
    let release = match run.release {
        Some(id) => releases::by_id(tx, &owner, id).await?.filter(Release::is_ready),
        None => None,
    };
    let Some(release) = release else {
        return over(run, tenant, How::Failed(Failure::Platform, "its release is gone"));
    };
    let token = run_token(chance);
    let begin = Begin { release: Some(release.id), token: &token.hashed() };
    if !runs::begin(tx, &run, begin, now).await? {
        return Ok(Next::Nothing);
    }
    let phase = run.phase.start(now).map_err(|wrong| Fault::broken(wrong.to_string()))?;
    let run = Run { phase, attempts: run.attempts + 1, reason: None, waits: None, ..run };
    let triggers = triggers::of_run(tx, &owner, run.id).await?;
    gather(tx, Begun { run, tenant, integration, release, triggers, token }).await
}

/// A secret of one attempt: an integration at a URL of its own fetches credentials and reports with it.
fn run_token(chance: &dyn Chance) -> Plain {
    Plain::with_prefix("vst_run_", chance)
}

struct Bundle {
    run: RunId,
    mode: ::connect::run::Mode,
    triggers: Vec<Trigger>,
    rerun: Option<reruns::Rerun>,
}

/// Claims what may run together, for a run of a new id.
async fn claim(tx: &mut Tx, tenant: &Tenant, now: Time) -> Result<Option<Bundle>, Fault> {
    let run = runs::next_id(tx).await?;
    let owner = &tenant.organization;
    for class in Class::IN_ORDER {
        let mut claimed = triggers::claim(tx, owner, tenant.id, run, class, tenant.paused, now).await?;
        // What others sent has a size, and a run takes only so much.
        if claimed.len() > 1 && claimed.iter().any(|it| it.delivery.is_some() || it.payload.is_some()) {
            let sizes = triggers::sizes(tx, owner, run).await?;
            claimed.truncate(fit(sizes.into_iter().map(|(_, size)| size)));
            if let Some(last) = claimed.last() {
                triggers::give_back(tx, owner, run, last.id).await?;
            }
        }
        let Some(mode) = mode_of(claimed.iter().map(|trigger| trigger.mode)) else { continue };
        let rerun = match (class, claimed.first()) {
            (Class::Rerun, Some(first)) => reruns::by_trigger(tx, tenant.id, first.id).await?,
            _ => None,
        };
        return Ok(Some(Bundle { run, mode, triggers: claimed, rerun }));
    }
    Ok(None)
}

struct Begun {
    run: Run,
    tenant: Tenant,
    integration: Integration,
    release: Release,
    triggers: Vec<Trigger>,
    token: Plain,
}

/// What else an attempt is told.
async fn gather(tx: &mut Tx, begun: Begun) -> Result<Next, Fault> {
    let Begun { run, tenant, integration, release, triggers: own, token } = begun;
    let owner = &tenant.organization;
    let triggers = match run.rerun_of {
        Some(before) => triggers::of_run(tx, owner, before).await?,
        None => own,
    };
    let (last, last_successful) = runs::last(tx, owner, tenant.id).await?;
    let metadata = tenant_metadata::by_tenant(tx, owner, tenant.id).await?.map(|kept| kept.data);
    let task = Task { run, tenant, integration, release, triggers, last, last_successful, metadata, token };
    Ok(Next::Go(Box::new(task)))
}

/// Enqueues a look at a tenant's triggers where some wait, at the end of a unit of work that ended a run.
pub(super) async fn look_again(
    tx: &mut Tx,
    tenant: &Tenant,
    now: Time,
    chance: &dyn Chance,
) -> Result<bool, Fault> {
    let waits = triggers::is_waiting(tx, &tenant.organization, tenant.id, tenant.paused).await?;
    if waits {
        trigger::enqueue(tx, &tenant.organization, tenant.id, now, chance).await?;
    }
    Ok(waits)
}
