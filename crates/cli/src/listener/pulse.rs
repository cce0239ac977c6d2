//! Whether a connection says anything: how long it may take for a request's headers to arrive, and for an answer to go
//! on.

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::Version;
use hyper::body::{Frame, SizeHint};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// An answer of at most so many bytes counts as sent when it is made: the connection takes it at once, or is stuck.
const AT_ONCE: u64 = 64 * 1024;

/// Of one connection: whether a request is being answered, and when the last one was.
///
/// Decision: whoever has sent no whole headers within the bound is cut off, be it silent from the beginning, half way
/// through them, or between two requests; also whoever takes nothing more of an answer for so long. Attack: connections
/// that are held open by saying or taking little. Trade: whoever takes a little of a large answer each time keeps the
/// connection until its end; a timer for each request would say the same, and cost each of them.
#[derive(Debug)]
pub(super) struct Pulse {
    begun: Instant,
    open: AtomicU32,
    /// When the last request ended or an answer went on, in milliseconds since the beginning.
    last: AtomicU64,
    /// Bytes of large answers that the driver took and the other side did not.
    owed: AtomicU64,
    /// HTTP/2 asks by itself whether the other side is still there.
    asks_itself: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            open: AtomicU32::new(0),
            last: AtomicU64::new(0),
            owed: AtomicU64::new(0),
            asks_itself: AtomicBool::new(false),
        }
    }

    /// Something happened just now.
    pub(super) fn felt(&self) {
        let since = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Release);
    }

    /// So many bytes went out. They count only while some of an answer are owed: what TLS says by itself does not.
    fn sent(&self, bytes: usize) {
        let owed = self.owed.load(Ordering::Relaxed);
        if owed > 0 && bytes > 0 {
            self.owed.store(owed.saturating_sub(bytes as u64), Ordering::Relaxed);
            self.felt();
        }
    }

    /// Over when no request was being answered, and no answer went on, for so long.
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
        response.map(|body| Body::new(Lasting { body, beat: self }))
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.felt();
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A body, and the beat that lasts until the driver has its last piece. What it has and has not sent is owed.
struct Lasting {
    body: Body,
    beat: Beat,
}

impl HttpBody for Lasting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let size = frame.data_ref().map_or(0, Bytes::len) as u64;
            self.beat.0.owed.fetch_add(size, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection's stream, of which the pulse knows what goes out.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    pulse: Arc<Pulse>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, pulse: &Arc<Pulse>) -> Self {
        Self { stream, pulse: Arc::clone(pulse) }
    }

    fn counted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.pulse.sent(bytes);
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.counted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.counted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
