//! The next run of a tenant: what it is made of, and which way it goes (contract `runs.md`).

use super::held::Known;
use super::jobs::Over;
use super::options::seconds;
use super::run_begin::Asked;
use super::run_end::Done;
use super::{Held, Outcome, trigger};
use crate::{Fault, Service};
use ::connect::integration::Integration;
use ::connect::manifest::Runner;
use ::connect::release::Release;
use ::connect::run::{Failure, Run, Trigger};
use ::connect::tenant::Tenant;
use kernel::ids::{DeliveryId, TenantId};
use kernel::{Chance, Plain, Time};
use metrics::counter;
use std::collections::HashMap;
use std::sync::Arc;
use store::deliveries::Content;
use store::runs::standing::Standing;
use store::{Tx, triggers};

/// A run whose attempt has begun, with all that it is told.
#[derive(Debug)]
pub(crate) struct Task {
    /// As it stands in the database.
    pub(super) run: Run,
    /// Of its tenant, before it began.
    pub(super) standing: Standing,
    pub(super) integration: Arc<Integration>,
    pub(super) release: Arc<Release>,
    /// What started it; of a rerun, what started the run that is done once more.
    pub(super) triggers: Vec<Trigger>,
    pub(super) contents: Contents,
    /// Of this attempt alone.
    pub(super) token: Plain,
}

/// What was sent with the deliveries of a run, where it is small; the others are read when they are needed. It is taken
/// out when the run is told, so that it is not kept for as long as the run takes.
pub(super) type Contents = HashMap<DeliveryId, Content>;

/// What a claimed job finds.
#[derive(Debug)]
pub(crate) enum Next {
    /// Nothing waits that could run now.
    Nothing,
    /// A report is awaited until then.
    Report(Time),
    /// An open run is over without another attempt.
    Over(Box<(Run, Tenant, How)>),
    Go(Box<Task>),
}

/// How a run that is not begun again ends.
#[derive(Debug)]
pub(crate) enum How {
    Cancelled,
    Failed(Failure, &'static str),
}

impl Service {
    /// The next run of the tenant that the job names, from its beginning to its end; and the one after it, where
    /// something waits for that and nobody else waits for the slot.
    pub(super) async fn do_run(self: Arc<Self>, held: &Held, known: Known) -> Over {
        let mut known = match known {
            Known::Run(task) => Some(Next::Go(task)),
            _ => None,
        };
        loop {
            match self.next_run(held, known.take()).await {
                Ok(Done::Left(outcome)) => return outcome.into(),
                Ok(Done::Settled) => return Over::settled(),
                Ok(Done::Again) => {}
                Err(fault) => {
                    tracing::warn!(tenant = held.subject(), %fault, "a run could not be carried out");
                    return held.later(fault.to_string()).into();
                }
            }
            // Each run extends the lease by itself; many short ones would not.
            if let Err(outcome) = self.has_lease(held).await {
                return outcome.into();
            }
        }
    }

    async fn has_lease(&self, held: &Held) -> Result<(), Outcome> {
        let left = held.until().seconds_since(self.clock.now());
        if left > seconds(self.work.lease) / 2 {
            return Ok(());
        }
        match held.extend().await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(self.lost_run()),
            Err(error) => Err(held.later(error.to_string())),
        }
    }

    async fn next_run(self: &Arc<Self>, held: &Held, known: Option<Next>) -> Result<Done, Fault> {
        let next = match known {
            Some(next) => next,
            None => {
                let Ok(tenant) = TenantId::parse(held.subject()) else { return Ok(Outcome::Done.into()) };
                self.begun(Asked { organization: held.organization().clone(), tenant }).await?
            }
        };
        match next {
            Next::Nothing => Ok(Outcome::Done.into()),
            Next::Report(until) => Ok(Outcome::Wait { at: until }.into()),
            Next::Over(over) => {
                let ((run, tenant, how), now) = (*over, self.clock.now());
                let (phase, reason) = match how {
                    How::Cancelled => (run.phase.cancel(now), None),
                    How::Failed(why, reason) => (run.phase.fail(why, now), Some(reason.to_owned())),
                };
                let phase = phase.map_err(|wrong| Fault::broken(wrong.to_string()))?;
                self.end_run(Run { phase, reason, waits: None, ..run }, &tenant).await?;
                Ok(Outcome::Done.into())
            }
            Next::Go(task) => {
                counter!("vestibule_runs_begun_total", "mode" => task.run.mode.as_str()).increment(1);
                match task.release.manifest.runner {
                    Runner::Process => Box::pin(self.run_process(held, *task)).await,
                    Runner::Http => self.run_http(held, *task).await,
                }
            }
        }
    }
}

/// A secret of one attempt: an integration at a URL of its own fetches credentials and reports with it.
pub(super) fn run_token(chance: &dyn Chance) -> Plain {
    Plain::with_prefix("vst_run_", chance)
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
