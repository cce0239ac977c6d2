//! How deep the queue is, told to the metrics.

use crate::Service;
use metrics::gauge;
use std::sync::Arc;
use std::time::Duration;

/// Between two times that it is counted.
const COUNT_EVERY: Duration = Duration::from_secs(30);

/// Tells the metrics how deep the queue is, until the task is ended.
pub(super) async fn tell(service: Arc<Service>) {
    loop {
        match service.db.read(|tx| Box::pin(store::jobs::letters::depth(tx))).await {
            Ok(depth) => {
                for (kind, state, jobs) in depth.figures() {
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "a gauge is a float, and the figure is small"
                    )]
                    gauge!("vestibule_jobs", "kind" => kind, "state" => state.as_str()).set(jobs as f64);
                }
                let now = service.clock.now();
                for (kind, _, oldest) in depth.ready {
                    let age = oldest.map_or(0, |oldest| now.seconds_since(oldest).max(0));
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "a gauge is a float, and the figure is small"
                    )]
                    gauge!("vestibule_jobs_oldest_seconds", "kind" => kind.as_str()).set(age as f64);
                }
            }
            Err(error) => tracing::warn!(%error, "the queue's depth could not be counted"),
        }
        tokio::time::sleep(COUNT_EVERY).await;
    }
}
