//! The clean-up: one table after the other, in units of work so small that nobody waits for them.

use super::{
    AUDIT_S, BATCH, DAY_S, DEAD_JOBS_S, DELIVERIES_S, ENTRIES_S, EVENTS_S, FAILED_RELEASES_S, GRANTS_S,
    IDEMPOTENCY_KEYS_S, LOGOUT_NOTICES_S, NOTICES_S, REFUSALS_S, RELEASES_S, RETIRED_RELEASES_S, RUN_LOGS_S,
    RUNS_S, SESSIONS_S, Swept, SweptAtSecondDoor, SweptWork, TRIGGERS_S, UNFINISHED_RELEASES_S, WEBHOOKS_S,
};
use crate::db::{Db, DbError};
use crate::releases::retirement;
use crate::runs::over::{self, Stretch};
use crate::{
    attempts, audit, deliveries, dialogs, entry_codes, events, grants, held_entries, idempotency_keys, jobs,
    logout_notices, notice_endpoints, notices, pending_requests, pushed_requests, refusals, revoked_tokens,
    sessions, triggers, used_assertions, webhooks,
};
use connect::dialog::GRACE_S;
use kernel::Time;
use std::time::Duration;
use tokio::time::Instant;

/// The least pause after a unit of work.
const LEAST_PAUSE: Duration = Duration::from_millis(2);
/// And the longest: a database that hangs for once does not stop the clean-up.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Between two sweeps that look at all runs which were kept for the tenant's next one. In seconds.
const WHOLE_EVERY_S: i64 = DAY_S;

/// How far earlier sweeps of this process came with what is found by when a run ended: what stays there is not read
/// again every few minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    logs: Time,
    runs: Time,
    whole_at: Option<Time>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { logs: Time::from_micros(0), runs: Time::from_micros(0), whole_at: None }
    }
}

/// One sweep.
struct Sweep<'a> {
    db: &'a Db,
    now: Time,
    goes_on: &'a (dyn Fn() -> bool + Sync),
}

impl Sweep<'_> {
    /// Leaves the database to others for as long as it was taken.
    async fn pause(&self, took: Duration) {
        tokio::time::sleep(took.clamp(LEAST_PAUSE, LONGEST_PAUSE)).await;
    }

    fn ago(&self, seconds: i64) -> Time {
        self.now.plus_seconds(-seconds)
    }
}

/// Does `$unit` (a function of the unit of work) until it finds nothing more, with pauses between.
macro_rules! until_nothing_is_left {
    ($sweep:expr, |$tx:ident| $unit:expr) => {{
        let mut done = 0;
        while ($sweep.goes_on)() {
            let begun = Instant::now();
            let some: u64 = $sweep.db.write(move |$tx| Box::pin($unit)).await?;
            if some == 0 {
                break;
            }
            done += some;
            $sweep.pause(begun.elapsed()).await;
        }
        done
    }};
}

/// Deletes with `$delete(tx, before, limit)` what is older than so many seconds.
macro_rules! older {
    ($sweep:expr, $delete:path, $seconds:expr) => {{
        let before = $sweep.ago($seconds);
        until_nothing_is_left!($sweep, |tx| $delete(tx, before, BATCH))
    }};
}

/// Deletes what is over at `now`, in bounded steps. Any number of nodes may do it at the same time.
///
/// # Errors
/// [`DbError`]; what was deleted until then stays deleted.
pub async fn sweep(db: &Db, now: Time) -> Result<Swept, DbError> {
    sweep_on(db, now, &mut Marks::default(), &|| true).await
}

/// The same from where an earlier sweep of this process ended, and for as long as `goes_on` says so: it is asked between
/// two units of work.
///
/// # Errors
/// [`DbError`]; what was deleted until then stays deleted.
pub async fn sweep_on(
    db: &Db,
    now: Time,
    marks: &mut Marks,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Result<Swept, DbError> {
    let sweep = Sweep { db, now, goes_on };
    Ok(Swept {
        // Not before the dialog's grace is over too: until then a pending credential may still be confirmed.
        attempts: older!(sweep, attempts::delete_expired, GRACE_S),
        dialogs: older!(sweep, dialogs::delete_expired, 0),
        refusals: older!(sweep, refusals::delete_before, REFUSALS_S),
        audit: older!(sweep, audit::delete_before, AUDIT_S),
        triggers: older!(sweep, triggers::delete_claimed, TRIGGERS_S),
        deliveries: older!(sweep, deliveries::delete_taken, DELIVERIES_S),
        webhooks: older!(sweep, webhooks::delete_ended, WEBHOOKS_S),
        idempotency_keys: older!(sweep, idempotency_keys::delete_before, IDEMPOTENCY_KEYS_S),
        second_door: second_door(&sweep).await?,
        work: work(&sweep, marks).await?,
    })
}

/// What hangs from something else goes before it.
async fn work(sweep: &Sweep<'_>, marks: &mut Marks) -> Result<SweptWork, DbError> {
    let run_logs = run_logs(sweep, marks).await?;
    let runs = runs(sweep, marks).await?;
    let (releases, release_parts) = releases(sweep).await?;
    Ok(SweptWork {
        jobs: older!(sweep, jobs::letters::delete_died, DEAD_JOBS_S),
        run_logs,
        runs,
        notices: older!(sweep, notices::delete_over, NOTICES_S),
        events: older!(sweep, events::delete_before, EVENTS_S),
        // After the last of its messages.
        notice_endpoints: older!(sweep, notice_endpoints::delete_over, EVENTS_S),
        releases,
        release_parts,
    })
}

async fn run_logs(sweep: &Sweep<'_>, marks: &mut Marks) -> Result<u64, DbError> {
    let (mut deleted, before) = (0, sweep.ago(RUN_LOGS_S));
    // Somebody set the clock back.
    if marks.logs > before {
        marks.logs = Time::from_micros(0);
    }
    while (sweep.goes_on)() {
        let after = marks.logs;
        let read = sweep.db.read(move |tx| Box::pin(over::logged(tx, after, before, BATCH)));
        let Some(Stretch { until, any }) = read.await? else { break };
        if any {
            deleted += until_nothing_is_left!(sweep, |tx| over::delete_logs(tx, after, until, BATCH));
            if !(sweep.goes_on)() {
                break;
            }
        }
        marks.logs = until;
    }
    Ok(deleted)
}

/// The last run of a tenant stays until there is another. So once a day all that stayed are looked at again.
async fn runs(sweep: &Sweep<'_>, marks: &mut Marks) -> Result<u64, DbError> {
    let (mut deleted, before) = (0, sweep.ago(RUNS_S));
    let is_time = marks.whole_at.is_none_or(|at| sweep.now.seconds_since(at) >= WHOLE_EVERY_S);
    if is_time || marks.runs > before {
        (marks.runs, marks.whole_at) = (Time::from_micros(0), Some(sweep.now));
    }
    while (sweep.goes_on)() {
        let after = marks.runs;
        let read = sweep.db.read(move |tx| Box::pin(over::ended(tx, after, before, BATCH)));
        let Some(Stretch { until, any }) = read.await? else { break };
        if any {
            let begun = Instant::now();
            deleted += sweep.db.write(move |tx| Box::pin(over::delete(tx, after, until))).await?;
            sweep.pause(begun.elapsed()).await;
        }
        marks.runs = until;
    }
    Ok(deleted)
}

/// Rows and parts of files.
async fn releases(sweep: &Sweep<'_>) -> Result<(u64, u64), DbError> {
    let (now, unused, unfinished) = (sweep.now, sweep.ago(RELEASES_S), sweep.ago(UNFINISHED_RELEASES_S));
    until_nothing_is_left!(sweep, |tx| retirement::retire(tx, unused, now, BATCH));
    until_nothing_is_left!(sweep, |tx| retirement::abandon(tx, unfinished, now, BATCH));
    // Those that have just gone too.
    let parts = older!(sweep, retirement::delete_parts, -1);
    let failed = older!(sweep, retirement::delete_failed, FAILED_RELEASES_S);
    let retired = older!(sweep, retirement::delete_retired, RETIRED_RELEASES_S);
    Ok((failed + retired, parts))
}

/// What hangs from something else goes before it.
async fn second_door(sweep: &Sweep<'_>) -> Result<SweptAtSecondDoor, DbError> {
    Ok(SweptAtSecondDoor {
        held_entries: older!(sweep, held_entries::delete_before, ENTRIES_S),
        entry_codes: older!(sweep, entry_codes::delete_before, ENTRIES_S),
        pending_requests: older!(sweep, pending_requests::delete_before, ENTRIES_S),
        pushed_requests: older!(sweep, pushed_requests::delete_expired, 0),
        revoked_tokens: older!(sweep, revoked_tokens::delete_expired, 0),
        // With their refresh tokens. Used ones, too, stay until then: that is what tells a second use from a made-up token.
        grants: older!(sweep, grants::delete_expired, GRANTS_S),
        logout_notices: older!(sweep, logout_notices::delete_over, LOGOUT_NOTICES_S),
        sessions: older!(sweep, sessions::delete_over, SESSIONS_S),
        used_assertions: older!(sweep, used_assertions::delete_over, 0),
    })
}
