//! Connections: accepted, bounded in time, brought to an end in order.

mod pulse;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use pulse::{Beat, Pulse, Watched};
use rustls::ServerConfig;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service as _;

/// Bytes of one request's headers, in both protocols.
const HEADER_BYTES: usize = 64 * 1024;
/// Requests of one HTTP/2 connection at a time.
const STREAMS: u32 = 100;
/// How often a silent HTTP/2 connection is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Pause after an error of the listener itself (no file descriptors left), so that it does not spin.
const PAUSE: Duration = Duration::from_millis(100);

/// What a client that speaks plain HTTP to a port with TLS is told: the bare end of a connection explains nothing.
const NOT_PLAIN: &str = "This port speaks HTTPS: ask for the same address with https.\n";

/// How connections are treated.
#[derive(Debug, Clone)]
pub struct Listening {
    /// For TLS to be agreed on, again for a request's headers to arrive, and for each step of a large answer.
    pub header_read: Duration,
    /// What open requests get at a stop.
    pub stop: Duration,
    /// At a time. The next one waits until one ends, those after it in the operating system's queue: nobody who
    /// is served already loses anything.
    pub connections: usize,
    /// Without it the listener speaks plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
}

/// How the serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every request was answered.
    InOrder,
    /// Some were cut off, because the time for it was over or a second stop was asked for.
    Cut,
}

/// Answers the requests of a listener.
pub trait Answers: Clone + Send + Sync + 'static {
    fn answer(self, peer: SocketAddr, request: Request<Body>) -> impl Future<Output = Response> + Send;
}

impl Answers for web::front::Front {
    async fn answer(self, peer: SocketAddr, request: Request<Body>) -> Response {
        Self::answer(&self, Some(peer.ip()), request).await
    }
}

impl Answers for Router {
    async fn answer(mut self, peer: SocketAddr, mut request: Request<Body>) -> Response {
        request.extensions_mut().insert(ConnectInfo(peer));
        let Ok(response) = self.call(request).await;
        response
    }
}

/// Serves until `stop` is over; then takes no new connection, lets open requests finish within
/// [`Listening::stop`], and less where `at_once` is over before.
pub async fn serve(
    listener: TcpListener,
    answers: impl Answers,
    how: &Listening,
    stop: impl Future<Output = ()>,
    at_once: impl Future<Output = ()>,
) -> Ended {
    let graceful = GracefulShutdown::new();
    let connection = Connection { builder: Arc::new(builder(how)), answers, header_read: how.header_read };
    let tls = how.tls.clone().map(TlsAcceptor::from);
    let mut room = Room::new(how.connections);
    tokio::pin!(stop);
    loop {
        let next = async {
            let (stream, peer) = listener.accept().await?;
            io::Result::Ok((stream, peer, room.place().await))
        };
        let next = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        match next {
            Ok((stream, peer, place)) => {
                let (connection, watcher, tls) = (connection.clone(), graceful.watcher(), tls.clone());
                tokio::spawn(async move {
                    connection.begin(stream, peer, tls, watcher).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Most concern one connection that is gone already; the others need somebody to look.
                if !is_gone(&error) {
                    tracing::error!(%error, "no connection can be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => Ended::InOrder,
        () = tokio::time::sleep(how.stop) => Ended::Cut,
        () = at_once => Ended::Cut,
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn builder(how: &Listening) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let mut one = builder.http1();
    // The driver would set and clear a timer for every request; `Pulse` does the same with one for a connection.
    one.header_read_timeout(None);
    // A hundred headers at most is the driver's own bound; to state it would have it clear room for as many each time.
    one.max_buf_size(HEADER_BYTES);
    let mut two = builder.http2();
    two.timer(TokioTimer::new()).keep_alive_interval(PING_EVERY).keep_alive_timeout(how.header_read);
    two.max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX)).max_concurrent_streams(STREAMS);
    builder
}

/// The places for connections.
struct Room {
    places: Arc<Semaphore>,
    size: usize,
    is_full: bool,
}

impl Room {
    fn new(size: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(size)), size, is_full: false }
    }

    /// A place for one more connection, as soon as there is one; `None` only if there are no places at all.
    async fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.is_full = false;
            return Some(place);
        }
        // Told once for as long as it lasts.
        if !self.is_full {
            self.is_full = true;
            tracing::warn!(connections = self.size, "`limits.connections` is reached; new connections wait");
        }
        metrics::counter!("vestibule_connections_waited_total").increment(1);
        Arc::clone(&self.places).acquire_owned().await.ok()
    }
}

#[derive(Clone)]
struct Connection<A> {
    builder: Arc<Builder<TokioExecutor>>,
    answers: A,
    header_read: Duration,
}

impl<A: Answers> Connection<A> {
    async fn begin(self, stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, watcher: Watcher) {
        // An answer is written at once; nothing is gained by waiting for more of it.
        let _ = stream.set_nodelay(true);
        let pulse = Arc::new(Pulse::new());
        let Some(tls) = tls else {
            return self.speak(Watched::new(stream, &pulse), pulse, peer, watcher).await;
        };
        // Below TLS, which takes some of an answer before it is sent.
        match tokio::time::timeout(self.header_read, agree(stream, &pulse, &tls)).await {
            Ok(Ok(Some(stream))) => self.speak(stream, pulse, peer, watcher).await,
            Ok(Ok(None)) => tracing::debug!("plain HTTP came to a port with TLS"),
            Ok(Err(error)) => tracing::debug!(%error, "TLS was not agreed on"),
            Err(_) => tracing::debug!("TLS was not agreed on in time"),
        }
    }

    async fn speak<S>(self, stream: S, pulse: Arc<Pulse>, peer: SocketAddr, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { builder, answers, header_read } = self;
        pulse.felt();
        let beats = Arc::clone(&pulse);
        let service = service_fn(move |request: Request<Incoming>| {
            let (answers, beat) = (answers.clone(), Beat::begin(&beats, request.version()));
            async move {
                let answer = answers.answer(peer, request.map(Body::new)).await;
                Ok::<_, Infallible>(beat.lasting(answer))
            }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        tokio::select! {
            biased;
            ended = watcher.watch(connection) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
            }
            () = pulse.quiet_for(header_read) => tracing::debug!("a silent connection was closed"),
        }
    }
}

/// Agrees on TLS; `None` for a client that spoke plain HTTP and was told so.
async fn agree(
    mut stream: TcpStream,
    pulse: &Arc<Pulse>,
    tls: &TlsAcceptor,
) -> io::Result<Option<TlsStream<Watched<TcpStream>>>> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A method's name begins with a letter; TLS begins with 22.
    if !first.first().is_some_and(u8::is_ascii_uppercase) {
        return tls.accept(Watched::new(stream, pulse)).await.map(Some);
    }
    // What came is read before the end, because a connection closed over unread bytes is reset, and the answer
    // is lost with it.
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await?;
    let length = NOT_PLAIN.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{NOT_PLAIN}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(None)
}

#[cfg(test)]
mod tests;
