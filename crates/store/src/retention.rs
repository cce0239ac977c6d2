//! How long growing tables keep their rows, and the clean-up that makes it true.

use crate::db::{Db, DbError};
use crate::{attempts, audit, deliveries, dialogs, refusals, triggers, webhooks};
use connect::dialog::GRACE_S;
use kernel::Time;

const DAY_S: i64 = 24 * 60 * 60;

/// Refusals: two weeks, so that a developer can look into what a customer reports. In seconds.
pub const REFUSALS_S: i64 = 14 * DAY_S;
/// The audit log: thirteen months, so that a year can be compared with the one before. In seconds.
pub const AUDIT_S: i64 = 396 * DAY_S;
/// Deliveries after a run took them; one that no run took is kept without end. In seconds.
pub const DELIVERIES_S: i64 = 30 * DAY_S;
/// Triggers after a run claimed them. In seconds.
pub const TRIGGERS_S: i64 = 30 * DAY_S;
/// Webhook addresses after they ended, if they have no deliveries. In seconds.
pub const WEBHOOKS_S: i64 = 30 * DAY_S;

/// Rows per unit of work: so few that no other writer waits long.
const BATCH: i64 = 500;
/// Units of work per table and sweep: what is more waits for the next sweep.
const BATCHES: usize = 40;

/// How many rows a sweep deleted, by table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub attempts: u64,
    pub dialogs: u64,
    pub refusals: u64,
    pub audit: u64,
    pub deliveries: u64,
    pub triggers: u64,
    pub webhooks: u64,
}

/// Deletes with `$delete(tx, before, limit)` in bounded units of work until nothing is left or the bound is met.
macro_rules! in_batches {
    ($db:expr, $delete:path, $before:expr) => {{
        let mut deleted = 0;
        for _ in 0..BATCHES {
            let before: Time = $before;
            let batch: u64 = $db.write(move |tx| Box::pin($delete(tx, before, BATCH))).await?;
            deleted += batch;
            if batch == 0 {
                break;
            }
        }
        deleted
    }};
}

/// Deletes what is over at `now`, in bounded steps. Any number of nodes may do it at the same time.
///
/// # Errors
/// [`DbError`]; what was deleted until then stays deleted.
pub async fn sweep(db: &Db, now: Time) -> Result<Swept, DbError> {
    Ok(Swept {
        // Not before the dialog's grace is over too: until then a pending credential may still be confirmed.
        attempts: in_batches!(db, attempts::delete_expired, now.plus_seconds(-GRACE_S)),
        dialogs: in_batches!(db, dialogs::delete_expired, now),
        refusals: in_batches!(db, refusals::delete_before, now.plus_seconds(-REFUSALS_S)),
        audit: in_batches!(db, audit::delete_before, now.plus_seconds(-AUDIT_S)),
        triggers: in_batches!(db, triggers::delete_claimed, now.plus_seconds(-TRIGGERS_S)),
        deliveries: in_batches!(db, deliveries::delete_taken, now.plus_seconds(-DELIVERIES_S)),
        webhooks: in_batches!(db, webhooks::delete_ended, now.plus_seconds(-WEBHOOKS_S)),
    })
}
