//! Closed-loop load: each client sends its next request when the answer to the last one is there.

use crate::process::Server;
use anyhow::Result;
use futures_util::future::try_join_all;
use std::time::Duration;
use tokio::time::Instant;

/// What one client does again and again.
pub trait Work {
    /// One operation; `false` where nothing is left to do.
    ///
    /// # Errors
    /// When the server answers what it should not.
    fn operate(&mut self) -> impl Future<Output = Result<bool>>;
}

/// One window of load on one server.
#[derive(Debug, Clone)]
pub struct Window {
    pub operations: usize,
    pub elapsed: Duration,
    pub processor_time: Duration,
    /// Of each operation, in microseconds.
    latencies: Vec<u32>,
    /// At the end, in bytes.
    pub memory: u64,
}

/// Several windows put together: medians, and quantiles over all operations.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    pub per_second: f64,
    /// The server's own, per operation.
    pub processor_ms: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub memory: u64,
}

/// Has every worker operate for the length of a window.
///
/// # Errors
/// The first one that a worker met.
pub async fn run<W: Work>(server: &Server, workers: &mut [W], length: Duration) -> Result<Window> {
    let before = server.processor_time()?;
    let begun = Instant::now();
    let all = try_join_all(workers.iter_mut().map(|worker| repeat(worker, begun + length))).await?;
    let elapsed = begun.elapsed();
    let processor_time = server.processor_time()?.saturating_sub(before);
    let latencies = all.concat();
    Ok(Window { operations: latencies.len(), elapsed, processor_time, latencies, memory: server.memory()? })
}

async fn repeat<W: Work>(worker: &mut W, until: Instant) -> Result<Vec<u32>> {
    let mut latencies = Vec::with_capacity(100_000);
    let mut begun = Instant::now();
    while begun < until && worker.operate().await? {
        let ended = Instant::now();
        latencies.push(u32::try_from((ended - begun).as_micros()).unwrap_or(u32::MAX));
        begun = ended;
    }
    Ok(latencies)
}

impl Window {
    /// Operations in a second.
    pub fn per_second(&self) -> f64 {
        count(self.operations) / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

impl Summary {
    /// Medians of the windows' rates and costs; quantiles over all operations of all windows.
    pub fn of(windows: &[Window]) -> Self {
        let cost =
            |window: &Window| window.processor_time.as_secs_f64() * 1e3 / count(window.operations.max(1));
        let mut latencies: Vec<u32> =
            windows.iter().flat_map(|window| window.latencies.iter().copied()).collect();
        latencies.sort_unstable();
        let quantile = |part: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an index below the length"
            )]
            let at = (count(latencies.len()) * part) as usize;
            latencies.get(at).or(latencies.last()).map_or(0.0, |micros| f64::from(*micros) / 1e3)
        };
        Self {
            per_second: median(windows.iter().map(Window::per_second)),
            processor_ms: median(windows.iter().map(cost)),
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
            memory: windows.last().map_or(0, |window| window.memory),
        }
    }
}

/// The middle one; of an even number the upper of the two.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}
