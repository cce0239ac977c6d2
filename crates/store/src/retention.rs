//! How long growing tables keep their rows, and the clean-up that makes it true.

mod sweep;
mod tables;

pub use sweep::{Marks, sweep, sweep_on};
pub use tables::{TABLES, Table};

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

/// Files of releases that nothing leads to, beyond the newest of each integration, counted from when they became ready
/// or were let go of. In seconds.
pub const RELEASES_S: i64 = 30 * DAY_S;
/// Rows of releases whose files are gone: as long as the audit log tells of them. In seconds.
pub const RETIRED_RELEASES_S: i64 = AUDIT_S;
/// Rows of releases that could not be built. In seconds.
pub const FAILED_RELEASES_S: i64 = 14 * DAY_S;
/// After that a release that still stands as being built, and that no worker will build, has failed. In seconds.
pub const UNFINISHED_RELEASES_S: i64 = DAY_S;

/// Rows per unit of work: so few that no other writer waits long.
pub const BATCH: i64 = 500;

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
    pub releases: u64,
    pub release_parts: u64,
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
    pub fn tables(&self) -> [(&'static str, u64); 25] {
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
            ("releases", work.releases),
            ("release_parts", work.release_parts),
        ]
    }
}
