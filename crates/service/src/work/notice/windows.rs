//! The windows of all endpoints that this process calls.

use connect::notice::Window;
use kernel::ids::EndpointId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a message waits for a place at an endpoint that answers quickly.
const MOMENT: Duration = Duration::from_millis(250);
/// Beyond so many endpoints, those to which nothing is on its way are forgotten.
const REMEMBERED: usize = 10_000;

/// What is known of endpoints, by id.
#[derive(Debug, Default)]
pub(crate) struct Windows(Mutex<HashMap<EndpointId, Seen>>);

#[derive(Debug, Default)]
struct Seen {
    window: Window,
    /// Rung when a place becomes free.
    free: Arc<Notify>,
}

/// Whether a message may be on its way.
#[derive(Debug)]
pub(super) enum Place<'a> {
    Taken(Taken<'a>),
    None { stay_away_s: i64 },
}

/// A place at one endpoint; given back at its end, whatever that is.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    windows: &'a Windows,
    endpoint: EndpointId,
    most: usize,
    /// Milliseconds, and whether the message was taken. A try that was cut off says nothing good of its endpoint.
    result: (u128, bool),
}

impl Windows {
    /// A place at this endpoint: at once, in a moment where it is quick, or later. Of `slots` an endpoint gets at most
    /// three quarters.
    pub(super) async fn enter(&self, endpoint: &EndpointId, slots: usize) -> Place<'_> {
        let most = (slots * 3 / 4).max(1);
        let last = Instant::now() + MOMENT;
        loop {
            let waits = {
                let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.len() > REMEMBERED {
                    seen.retain(|_, seen| !seen.window.is_idle());
                }
                let seen = seen.entry(endpoint.clone()).or_default();
                if seen.window.enter() {
                    let endpoint = endpoint.clone();
                    return Place::Taken(Taken { windows: self, endpoint, most, result: (0, false) });
                }
                if !seen.window.is_quick() || Instant::now() >= last {
                    return Place::None { stay_away_s: seen.window.stay_away_s() };
                }
                Arc::clone(&seen.free)
            };
            // A ring between the look and this line is kept for whoever waits next.
            let _ = tokio::time::timeout_at(last, waits.notified()).await;
        }
    }

    fn leave(&self, endpoint: &EndpointId, (took_ms, taken): (u128, bool), most: usize) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = seen.get_mut(endpoint) {
            seen.window.leave(took_ms, taken, most);
            seen.free.notify_one();
        }
    }
}

impl Taken<'_> {
    pub(super) fn leave(mut self, took: Duration, taken: bool) {
        self.result = (took.as_millis(), taken);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.windows.leave(&self.endpoint, self.result, self.most);
    }
}
