//! How much is worked on at a time, and for how long a claim holds.

use super::slots::Pool;
use std::time::Duration;
use store::jobs::Kind;

/// What was chosen for the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Runs of integrations at a time, in this process.
    pub run_slots: usize,
    /// Runs at a URL that begin with their delivery, besides.
    pub http_run_slots: usize,
    pub refresh_slots: usize,
    pub notice_slots: usize,
    /// Builds of releases.
    pub build_slots: usize,
    /// How long a run may take, where its release does not say so.
    pub run_time: Duration,
    /// How much memory a run may use, where its release does not say so, in bytes.
    pub run_memory: u64,
    /// For how long a claim holds unless it is extended.
    pub lease: Duration,
    /// After the end of a lease, until another may claim: what the first one started has ended by then.
    pub grace: Duration,
    /// Between two looks at the queue, and at what was delivered, where nobody in this process rang.
    pub look: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            run_slots: 16,
            http_run_slots: 128,
            refresh_slots: 8,
            notice_slots: 64,
            build_slots: 2,
            run_time: Duration::from_secs(600),
            run_memory: 1 << 30,
            lease: Duration::from_secs(60),
            grace: Duration::from_secs(15),
            look: Duration::from_millis(500),
        }
    }
}

impl Options {
    /// How many of a kind are under way at a time.
    pub const fn slots(&self, kind: Kind) -> usize {
        match kind {
            Kind::Run => self.run_slots,
            Kind::Refresh => self.refresh_slots,
            Kind::Notice => self.notice_slots,
            Kind::Build => self.build_slots,
        }
    }

    pub(super) const fn slots_of(&self, pool: Pool) -> usize {
        match pool {
            Pool::Of(kind) => self.slots(kind),
            Pool::HttpRuns => self.http_run_slots,
        }
    }
}

/// In whole seconds, as times are counted.
pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
