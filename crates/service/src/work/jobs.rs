//! Who does which kind of job: one match.

use super::{Held, Outcome};
use crate::Service;
use std::sync::Arc;
use store::jobs::Kind;
use store::notices::FirstTry;

/// The kinds that this program does. Others would be left in the queue.
pub const DONE_HERE: [Kind; 4] = [Kind::Run, Kind::Refresh, Kind::Notice, Kind::Build];

/// What a job's task leaves.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) outcome: Outcome,
    /// Kept with it in one unit of work: a message that was delivered at its first try.
    pub(super) first_try: Option<FirstTry>,
    /// The outcome is kept already.
    pub(super) is_settled: bool,
}

impl From<Outcome> for Over {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, first_try: None, is_settled: false }
    }
}

impl Over {
    /// The job was taken out, or given on, with what it did.
    pub(super) const fn settled() -> Self {
        Self { outcome: Outcome::Done, first_try: None, is_settled: true }
    }
}

impl Service {
    /// Does one job. It ends soon after [`Held::lost_or_stopping`] says so.
    pub(super) async fn do_job(self: Arc<Self>, mut held: Held) -> Over {
        // Those whose tasks are large are given a place of their own, so that the small ones stay small.
        match held.kind() {
            Kind::Notice => {
                let known = held.take_known();
                self.do_notice(&held, known).await
            }
            Kind::Refresh => Box::pin(self.do_refresh(&held)).await.into(),
            Kind::Build => Box::pin(self.do_build(&held)).await.into(),
            Kind::Run => {
                let known = held.take_known();
                Box::pin(self.do_run(&held, known)).await
            }
        }
    }
}
