//! Deliveries become triggers: what arrived at a webhook address is a reason for a run of its tenant.
//!
//! Accepting a delivery stays one insert (decision 0007), and this is what works off the list of those. A delivery of a
//! tenant that is paused or archived by now gets its trigger as any other: whether a run takes it, keeps it waiting or
//! drops it is decided when one begins, so that it is decided in one place.

use crate::Service;
use std::collections::BTreeMap;
use std::time::Duration;
use store::jobs::{self, Kind};
use store::{DbError, deliveries};

/// Between two looks where nobody in this process rang.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a delivery waits for company: what arrives close together shares one unit of work, which would else be a
/// commit beside each delivery's own.
const GATHER: Duration = Duration::from_millis(5);
/// Deliveries of one unit of work: so few that no other writer waits long.
const BATCH: i64 = 256;

impl Service {
    /// Wakes whoever makes triggers of deliveries in this process: called after a delivery was kept.
    pub(crate) fn ring_deliveries(&self) {
        self.deliveries_bell.notify_one();
    }

    /// Makes triggers of what arrives, until the process stops. Any number of nodes may do it.
    pub(super) async fn keep_taking_deliveries(&self) {
        let mut rung = true;
        while !self.stopping.has_begun() {
            match self.take_deliveries(rung).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "deliveries could not be made triggers; they are tried again");
                }
            }
            rung = tokio::select! {
                () = self.deliveries_bell.notified() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
                () = self.stopping.begun() => false,
            };
            if rung {
                tokio::time::sleep(GATHER).await;
            }
        }
    }

    /// Makes triggers of one batch; whether there may be more. `at_once`: without a look beforehand, which saves the
    /// writer's time where there is mostly nothing.
    ///
    /// # Errors
    /// [`DbError`]; then nothing of the batch has changed.
    pub async fn take_deliveries(&self, at_once: bool) -> Result<bool, DbError> {
        if !at_once && !deliveries::is_fresh(&self.db).await? {
            return Ok(false);
        }
        let (now, chance) = (self.clock.now(), std::sync::Arc::clone(&self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let fresh = deliveries::fresh(tx, BATCH).await?;
                if fresh.is_empty() {
                    return Ok::<_, DbError>(0);
                }
                deliveries::make_triggers(tx, &fresh, now).await?;
                let tenants: BTreeMap<_, _> = fresh
                    .iter()
                    .map(|delivery| (delivery.tenant.to_string(), &delivery.organization))
                    .collect();
                jobs::enqueue_now(tx, Kind::Run, tenants, now, &*chance).await?;
                Ok(fresh.len())
            })
        });
        let taken = write.await?;
        if taken > 0 {
            self.ring_work();
        }
        Ok(taken >= usize::try_from(BATCH).unwrap_or(usize::MAX))
    }
}
