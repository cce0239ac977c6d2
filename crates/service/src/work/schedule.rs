//! Schedules: each fires when its time has come, once, on whichever node sees it first.

use super::trigger::{Cause, trigger};
use crate::Service;
use ::connect::run::{Mode, Source};
use ::connect::schedule::next_after;
use ::connect::tenant::Tenant;
use kernel::{Chance, Time};
use std::collections::HashMap;
use std::time::Duration;
use store::schedules::{self, Due, Schedule};
use store::{DbError, Tx};

/// Between two looks at whether a time has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Schedules of one unit of work: so few that no other writer waits long.
const BATCH: i64 = 256;
/// For a schedule that never fires again: looked at once more in ten years.
const NEVER_S: i64 = 10 * 366 * 24 * 3600;

/// Keeps a tenant's firing in step with the tenant: to be called in the unit of work that makes a tenant or changes its
/// schedule, its time zone, whether it is paused or archived, with the tenant as it is then.
///
/// # Errors
/// [`DbError`].
pub async fn keep_in_step(tx: &mut Tx, tenant: &Tenant, now: Time) -> Result<(), DbError> {
    let cron = tenant.schedule.as_deref().filter(|_| !tenant.paused && tenant.archived.is_none());
    let next = cron.and_then(|cron| next_after(cron, &tenant.time_zone, now).map(|next| (cron, next)));
    let Some((cron, next)) = next else {
        return schedules::remove(tx, &tenant.organization, tenant.id).await.map(drop);
    };
    let schedule = Schedule {
        tenant: tenant.id,
        organization: tenant.organization.clone(),
        integration: tenant.integration,
        cron: cron.to_owned(),
        zone: tenant.time_zone.clone(),
        next,
    };
    schedules::set(tx, &schedule).await
}

impl Service {
    /// Fires what is due, until the process stops. Any number of nodes may do it.
    pub(super) async fn keep_firing(&self) {
        while !self.stopping.has_begun() {
            match self.fire_due().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "schedules could not be fired; they are tried again"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.stopping.begun() => {}
            }
        }
    }

    /// Fires one batch of what is due; whether there may be more.
    ///
    /// # Errors
    /// [`DbError`]; then nothing of the batch has fired.
    pub async fn fire_due(&self) -> Result<bool, DbError> {
        let now = self.clock.now();
        if schedules::next(&self.db).await?.is_none_or(|next| next > now) {
            return Ok(false);
        }
        let chance = std::sync::Arc::clone(&self.chance);
        let (seen, fired) =
            self.db.write(move |tx| Box::pin(async move { fire(tx, now, &*chance).await })).await?;
        if fired > 0 {
            metrics::counter!("vestibule_schedules_fired_total").increment(fired);
            self.ring_work();
        }
        Ok(seen >= usize::try_from(BATCH).unwrap_or(usize::MAX))
    }
}

/// How many were due, and how many triggers came of it.
async fn fire(tx: &mut Tx, now: Time, chance: &dyn Chance) -> Result<(usize, u64), DbError> {
    let due = schedules::due(tx, now, BATCH).await?;
    // Many tenants share a schedule, and all that is due now moves to what follows now: a gateway that was down for a
    // day fires each once.
    let mut known: HashMap<(String, String), Time> = HashMap::new();
    let mut moves: Vec<(Due, Time)> = due
        .into_iter()
        .map(|due| {
            let key = (due.cron.clone(), due.zone.clone());
            let next = *known.entry(key).or_insert_with(|| {
                next_after(&due.cron, &due.zone, now).unwrap_or_else(|| now.plus_seconds(NEVER_S))
            });
            (due, next)
        })
        .collect();
    // Everybody asks for the jobs of tenants in the order of their numbers.
    moves.sort_by_key(|(due, _)| due.tenant);
    let moved: std::collections::HashSet<_> = schedules::fire(tx, &moves).await?.into_iter().collect();
    let mut fired = 0;
    for (due, _) in &moves {
        // Without anything to run a trigger would only wait; one that waits stands for all that follow it.
        if !due.can_run || !moved.contains(&due.tenant) {
            continue;
        }
        if schedules::waits(tx, &due.organization, due.tenant).await? {
            continue;
        }
        let cause = Cause {
            organization: &due.organization,
            tenant: due.tenant,
            source: Source::Cron,
            mode: Mode::Normal,
            delivery: None,
            payload: None,
        };
        trigger(tx, &cause, now, chance).await?;
        fired += 1;
    }
    Ok((moves.len(), fired))
}
