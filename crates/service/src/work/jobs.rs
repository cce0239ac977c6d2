//! Who does which kind of job: one match.

use super::{Held, Outcome};
use crate::Service;
use std::sync::Arc;
use store::jobs::Kind;

/// The kinds that this program does. Others would be left in the queue.
pub const DONE_HERE: [Kind; 4] = [Kind::Run, Kind::Refresh, Kind::Notice, Kind::Build];

impl Service {
    /// Does one job. It ends soon after [`Held::lost_or_stopping`] says so.
    pub(super) async fn do_job(self: Arc<Self>, held: Held) -> Outcome {
        match held.kind() {
            Kind::Refresh => self.do_refresh(&held).await,
            Kind::Notice => self.do_notice(&held).await,
            Kind::Build => self.do_build(&held).await,
            Kind::Run => self.do_run(&held).await,
        }
    }
}
