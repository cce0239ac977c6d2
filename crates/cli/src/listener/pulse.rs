//! Whether a connection says anything: how long it may take for a request's headers to arrive.

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::Version;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// An answer of at most so many bytes counts as sent when it is made: the connection takes it at once, or is stuck.
const AT_ONCE: u64 = 64 * 1024;

/// Of one connection: whether a request is being answered, and when the last one was.
///
/// Decision: whoever has sent no whole headers within the bound is cut off, be it silent from the beginning, half way
/// through them, or between two requests. Attack: connections that are held open by saying little. Trade: none that
/// shows; a timer for each request would say the same, and cost each of them.
#[derive(Debug)]
pub(super) struct Pulse {
    begun: Instant,
    open: AtomicU32,
    /// When the last request ended, in milliseconds since the beginning.
    last: AtomicU64,
    /// HTTP/2 asks by itself whether the other side is still there.
    asks_itself: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            open: AtomicU32::new(0),
            last: AtomicU64::new(0),
            asks_itself: AtomicBool::new(false),
        }
    }

    /// Over when no request was being answered for so long.
    pub(super) async fn quiet_for(&self, bound: Duration) {
        let mut look = self.begun + bound;
        loop {
            sleep_until(look).await;
            let now = Instant::now();
            if self.asks_itself.load(Ordering::Acquire) || self.open.load(Ordering::Acquire) > 0 {
                look = now + bound;
                continue;
            }
            look = self.begun + Duration::from_millis(self.last.load(Ordering::Acquire)) + bound;
            if look <= now {
                return;
            }
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Beat(Arc<Pulse>);

impl Beat {
    pub(super) fn begin(pulse: &Arc<Pulse>, version: Version) -> Self {
        pulse.open.fetch_add(1, Ordering::AcqRel);
        if version == Version::HTTP_2 {
            pulse.asks_itself.store(true, Ordering::Release);
        }
        Self(Arc::clone(pulse))
    }

    /// The answer, with which this ends; with the last piece of one that is sent piece by piece.
    pub(super) fn lasting(self, response: Response) -> Response {
        if response.body().size_hint().upper().is_some_and(|size| size <= AT_ONCE) {
            return response;
        }
        response.map(|body| Body::new(Lasting { body, _beat: self }))
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        let since = u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(since, Ordering::Release);
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A body, and the beat that lasts as long.
struct Lasting {
    body: Body,
    _beat: Beat,
}

impl HttpBody for Lasting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
