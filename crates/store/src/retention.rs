//! How long growing tables keep their rows, and the clean-up that makes it true.

mod tables;

pub use tables::{TABLES, Table};

use crate::db::{Db, DbError};
use crate::{
    attempts, audit, deliveries, dialogs, entry_codes, events, grants, held_entries, idempotency_keys, jobs,
    logout_notices, notice_endpoints, notices, pending_requests, pushed_requests, refusals, revoked_tokens,
    run_logs, runs, sessions, triggers, used_assertions, webhooks,
};
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

/// Codes of the second door and what waits in its browsers, counted from when they were made: a day. They are good for
/// a minute or a quarter of an hour; for the rest somebody who comes late, or twice, is told so. In seconds.
pub const ENTRIES_S: i64 = DAY_S;
/// Grants after they expired: a day, so that a token of theirs is refused for what it is. In seconds.
pub const GRANTS_S: i64 = DAY_S;
/// Browsers' sessions after they expired, if nothing hangs from them. In seconds.
pub const SESSIONS_S: i64 = 30 * DAY_S;
/// Notices of sessions that ended, after they were told or given up. In seconds.
pub const LOGOUT_NOTICES_S: i64 = 30 * DAY_S;
/// Answers kept for an `Idempotency-Key`: a day, as clients of such interfaces expect. In seconds.
pub const IDEMPOTENCY_KEYS_S: i64 = DAY_S;

/// Messages to endpoints that were delivered or are dead, with their tries, counted from when they were written. In
/// seconds.
pub const NOTICES_S: i64 = 30 * DAY_S;
/// What they told of: longer, for a message that was replayed near its end. In seconds.
pub const EVENTS_S: i64 = NOTICES_S + 30 * DAY_S;

/// Jobs that were given up. In seconds.
pub const DEAD_JOBS_S: i64 = 30 * DAY_S;
/// What runs wrote to their logs, after they ended. In seconds.
pub const RUN_LOGS_S: i64 = 30 * DAY_S;
/// Runs after they ended, but for the last one and the last successful one of each tenant. In seconds.
pub const RUNS_S: i64 = 90 * DAY_S;

/// Rows per unit of work: so few that no other writer waits long.
pub const BATCH: i64 = 500;
/// Units of work per table and sweep: what is more waits for the next sweep.
pub const BATCHES: usize = 40;

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
    pub idempotency_keys: u64,
    pub second_door: SweptAtSecondDoor,
    pub work: SweptWork,
}

/// As [`Swept`], for the tables of what goes on after connecting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweptWork {
    pub jobs: u64,
    pub run_logs: u64,
    pub runs: u64,
    pub notices: u64,
    pub events: u64,
    pub notice_endpoints: u64,
}

/// As [`Swept`], for the tables of the second door.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweptAtSecondDoor {
    pub entry_codes: u64,
    pub held_entries: u64,
    pub pending_requests: u64,
    pub pushed_requests: u64,
    pub revoked_tokens: u64,
    pub grants: u64,
    pub logout_notices: u64,
    pub sessions: u64,
    pub used_assertions: u64,
}

impl Swept {
    /// Each table's name and how many rows of it were deleted.
    pub fn tables(&self) -> [(&'static str, u64); 23] {
        let (second, work) = (&self.second_door, &self.work);
        [
            ("attempts", self.attempts),
            ("dialogs", self.dialogs),
            ("refusals", self.refusals),
            ("audit", self.audit),
            ("deliveries", self.deliveries),
            ("triggers", self.triggers),
            ("webhooks", self.webhooks),
            ("idempotency_keys", self.idempotency_keys),
            ("entry_codes", second.entry_codes),
            ("held_entries", second.held_entries),
            ("pending_requests", second.pending_requests),
            ("pushed_requests", second.pushed_requests),
            ("revoked_tokens", second.revoked_tokens),
            ("grants", second.grants),
            ("logout_notices", second.logout_notices),
            ("sessions", second.sessions),
            ("used_assertions", second.used_assertions),
            ("jobs", work.jobs),
            ("run_logs", work.run_logs),
            ("runs", work.runs),
            ("notices", work.notices),
            ("events", work.events),
            ("notice_endpoints", work.notice_endpoints),
        ]
    }
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
        idempotency_keys: in_batches!(
            db,
            idempotency_keys::delete_before,
            now.plus_seconds(-IDEMPOTENCY_KEYS_S)
        ),
        second_door: sweep_second_door(db, now).await?,
        work: sweep_work(db, now).await?,
    })
}

/// What hangs from something else goes before it.
async fn sweep_work(db: &Db, now: Time) -> Result<SweptWork, DbError> {
    Ok(SweptWork {
        jobs: in_batches!(db, jobs::letters::delete_died, now.plus_seconds(-DEAD_JOBS_S)),
        run_logs: in_batches!(db, run_logs::delete_before, now.plus_seconds(-RUN_LOGS_S)),
        runs: in_batches!(db, runs::delete_before, now.plus_seconds(-RUNS_S)),
        notices: in_batches!(db, notices::delete_over, now.plus_seconds(-NOTICES_S)),
        events: in_batches!(db, events::delete_before, now.plus_seconds(-EVENTS_S)),
        // After the last of its messages.
        notice_endpoints: in_batches!(db, notice_endpoints::delete_over, now.plus_seconds(-EVENTS_S)),
    })
}

/// What hangs from something else goes before it.
async fn sweep_second_door(db: &Db, now: Time) -> Result<SweptAtSecondDoor, DbError> {
    let entries = now.plus_seconds(-ENTRIES_S);
    Ok(SweptAtSecondDoor {
        held_entries: in_batches!(db, held_entries::delete_before, entries),
        entry_codes: in_batches!(db, entry_codes::delete_before, entries),
        pending_requests: in_batches!(db, pending_requests::delete_before, entries),
        pushed_requests: in_batches!(db, pushed_requests::delete_expired, now),
        revoked_tokens: in_batches!(db, revoked_tokens::delete_expired, now),
        // With their refresh tokens. Used ones, too, stay until then: that is what tells a second use from a made-up token.
        grants: in_batches!(db, grants::delete_expired, now.plus_seconds(-GRANTS_S)),
        logout_notices: in_batches!(db, logout_notices::delete_over, now.plus_seconds(-LOGOUT_NOTICES_S)),
        sessions: in_batches!(db, sessions::delete_over, now.plus_seconds(-SESSIONS_S)),
        used_assertions: in_batches!(db, used_assertions::delete_over, now),
    })
}
