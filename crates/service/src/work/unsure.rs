//! Jobs that may have been born: whoever asked for them did not come back to begin them, or was not told whether they
//! were kept.

use crate::Service;
use kernel::ids::JobId;
use std::collections::VecDeque;
use std::time::Duration;
use store::DbError;
use store::jobs::{Job, birth};
use tokio::time::Instant;

/// Between two looks for what a unit of work may have kept that nobody waited for.
const FIND_EVERY: Duration = Duration::from_secs(1);
/// After which such a unit of work has ended, as statements have a limit.
const SURE_AFTER: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct One {
    id: JobId,
    since: Instant,
    next: Instant,
}

/// Those that are looked for.
#[derive(Debug, Default)]
pub(super) struct Unsure(VecDeque<One>);

impl Unsure {
    pub(super) fn add(&mut self, ids: Vec<JobId>) {
        let (since, next) = (Instant::now(), Instant::now() + FIND_EVERY);
        self.0.extend(ids.into_iter().map(|id| One { id, since, next }));
    }

    /// The next one that this holder has, and that is not under way; `None` where there is none by now.
    ///
    /// # Errors
    /// [`DbError`]; what was looked for is looked for again.
    pub(super) async fn found(&mut self, service: &Service, holder: &str) -> Result<Option<Job>, DbError> {
        while let Some(One { id, since, .. }) = self.0.pop_front_if(|one| one.next <= Instant::now()) {
            let (holder, wanted) = (holder.to_owned(), id.clone());
            let read = service
                .db
                .read(move |tx| Box::pin(async move { birth::held_by(tx, &wanted, &holder).await }));
            let found: Result<Option<Job>, DbError> = read.await;
            if !matches!(found, Ok(Some(_))) && since.elapsed() < SURE_AFTER {
                self.0.push_back(One { id: id.clone(), since, next: Instant::now() + FIND_EVERY });
            }
            if let Some(job) = found?.filter(|_| !service.slots.is_under_way(&id)) {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }
}
