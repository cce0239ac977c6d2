//! What a serving process does beside answering: it deletes what is over, tells apps of logouts, changes its signing
//! keys, keeps its figures small, and reads its certificate again.

use crate::process_metrics;
use crate::tls::Certificates;
use kernel::Chance;
use metrics::counter;
use metrics_exporter_prometheus::PrometheusHandle;
use service::Service;
use std::sync::Arc;
use std::time::Duration;
use store::retention::{self, Marks, Swept};
use tokio::task::JoinSet;

/// Between two sweeps, before the spread.
const SWEEP_EVERY: Duration = Duration::from_secs(300);
/// Between two looks at the process's own figures.
const OBSERVE_EVERY: Duration = Duration::from_secs(10);
/// Between two looks for apps that are to be told of a logout, where nobody in this process has just written one.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// Between two looks at the plan of the gateway's signing keys, before the spread.
const KEYS_EVERY: Duration = Duration::from_secs(1800);
/// Between two looks at the certificate's files.
const REREAD_EVERY: Duration = Duration::from_secs(60);

/// Waits, and says whether to go on: `false` once the process stops.
async fn next(service: &Service, pause: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        () = service.stopping.begun() => false,
    }
}

/// Half of `base` to one and a half of it, so that nodes which start together do not sweep together.
fn spread(base: Duration, chance: &dyn Chance) -> Duration {
    let [byte] = chance.bytes::<1>();
    base.mul_f64(0.5 + f64::from(byte) / 255.0)
}

/// Deletes what is over every few minutes, until the process stops.
pub async fn sweep(service: Arc<Service>) {
    // The first sweep comes soon, because a node that is restarted daily shall sweep too.
    let mut pause = spread(SWEEP_EVERY / 10, &*service.chance);
    let mut marks = Marks::default();
    while next(&service, pause).await {
        let goes_on = || !service.stopping.has_begun();
        match retention::sweep_on(&service.db, service.clock.now(), &mut marks, &goes_on).await {
            Ok(swept) => told(swept),
            Err(error) => tracing::warn!(%error, "the clean-up did not finish; the next one goes on"),
        }
        match service.sweep_release_folders().await {
            Ok(0) => {}
            Ok(releases) => tracing::info!(releases, "removed releases from this machine that no run uses"),
            Err(error) => {
                tracing::warn!(%error, "releases that no run uses cannot be removed from this machine");
            }
        }
        pause = spread(SWEEP_EVERY, &*service.chance);
    }
}

fn told(swept: Swept) {
    let tables = swept.tables();
    for (table, rows) in tables {
        counter!("vestibule_rows_swept_total", "table" => table).increment(rows);
    }
    let deleted = tables.iter().filter(|(_, rows)| *rows > 0).map(|(table, rows)| format!("{table}: {rows}"));
    let deleted: Vec<_> = deleted.collect();
    if !deleted.is_empty() {
        tracing::info!(rows = deleted.join(", "), "cleaned up");
    }
}

/// Keeps the figures of the process fresh, and small also where nobody reads them.
pub async fn observe(service: Arc<Service>, metrics: PrometheusHandle) {
    while next(&service, OBSERVE_EVERY).await {
        process_metrics::observe();
        metrics.run_upkeep();
    }
}

/// Reads the certificate again every minute, until the process stops.
pub async fn reread(service: Arc<Service>, certificates: Arc<Certificates>) {
    while next(&service, REREAD_EVERY).await {
        let certificates = Arc::clone(&certificates);
        match tokio::task::spawn_blocking(move || certificates.reread()).await {
            Ok(Ok(true)) => tracing::info!("new connections get the renewed certificate"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::error!(%error, "the certificate in use stays in use"),
            Err(error) => tracing::error!(%error, "the certificate could not be read again"),
        }
    }
}

/// Tells apps of sessions that have ended, until the process stops. A round that has begun is finished; it is bounded
/// by the time that an app gets to answer.
pub async fn tell(service: Arc<Service>) {
    while !service.stopping.has_begun() {
        match service.tell_apps().await {
            Ok(round) if !round.is_empty() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "apps could not be told of a logout; they are tried again"),
        }
        tokio::select! {
            () = service.notice_due(TELL_EVERY) => {}
            () = service.stopping.begun() => {}
        }
    }
}

/// Does what goes on after connecting, until the process stops.
pub async fn work(service: Arc<Service>) {
    // Programs of releases may run under this process's own account; its environment may hold the master key.
    runner::hide_this_process();
    service.work_on().await;
}

/// Begins what every process does beside its own task: the clean-up, notices of logouts, signing keys, figures.
pub fn begin(beside: &mut JoinSet<()>, service: &Arc<Service>, metrics: &PrometheusHandle) {
    beside.spawn(sweep(Arc::clone(service)));
    beside.spawn(tell(Arc::clone(service)));
    beside.spawn(change_keys(Arc::clone(service)));
    beside.spawn(observe(Arc::clone(service), metrics.clone()));
}

/// Changes the gateway's signing keys when their time comes, until the process stops.
pub async fn change_keys(service: Arc<Service>) {
    // The first look comes soon, because a node that is restarted daily shall look too.
    let mut pause = spread(KEYS_EVERY / 60, &*service.chance);
    while next(&service, pause).await {
        for place in service.places.all() {
            let environment = place.environment;
            match service.keep_issuer_keys(environment).await {
                Ok(0) => {}
                Ok(steps) => tracing::info!(%environment, steps, "the signing keys changed"),
                Err(error) => tracing::error!(%environment, %error, "the signing keys could not be changed"),
            }
        }
        pause = spread(KEYS_EVERY, &*service.chance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededChance;

    #[test]
    fn pauses_differ_and_stay_near() {
        let chance = SeededChance::new(1);
        let pauses: Vec<_> = (0..100).map(|_| spread(SWEEP_EVERY, &chance)).collect();
        assert!(pauses.iter().all(|pause| (150..=450).contains(&pause.as_secs())), "{pauses:?}");
        assert!(pauses.iter().any(|pause| pause.as_secs() < 220));
        assert!(pauses.iter().any(|pause| pause.as_secs() > 380));
    }
}
