//! Who does which kind of job: one match.

use super::{Held, Outcome};
use crate::Service;
use std::sync::Arc;
use store::jobs::Kind;

/// The kinds that this program does. Others would be left in the queue.
pub const DONE_HERE: [Kind; 0] = [];

impl Service {
    /// Does one job. It ends soon after [`Held::lost_or_stopping`] says so.
    pub(super) async fn do_job(self: Arc<Self>, held: Held) -> Outcome {
        match held.kind() {
            Kind::Run | Kind::Refresh | Kind::Notice => Outcome::HandBack,
        }
    }
}
