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
mod tests {
    use super::*;
    use axum::routing::get;
    use std::future::pending;
    use tokio::sync::oneshot;

    fn how(header_read_ms: u64, stop_ms: u64) -> Listening {
        let (header_read, stop) = (Duration::from_millis(header_read_ms), Duration::from_millis(stop_ms));
        Listening { header_read, stop, tls: None, connections: 100 }
    }

    struct Running {
        address: SocketAddr,
        stop: Option<oneshot::Sender<()>>,
        ended: tokio::task::JoinHandle<Ended>,
    }

    async fn running(router: Router, how: Listening) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(async move {
            serve(listener, router, &how, async { stopped.await.unwrap() }, pending()).await
        });
        Running { address, stop: Some(stop), ended }
    }

    async fn said(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text).await;
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn silent_and_half_spoken_connections_are_closed() {
        let running = running(Router::new(), how(50, 0)).await;
        for half in ["", "GET / HT", "PRI * HTTP/2", "GET / HTTP/1.1\r\nHost: x\r\nX: "] {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            stream.write_all(half.as_bytes()).await.unwrap();
            let told = tokio::time::timeout(Duration::from_secs(10), said(&mut stream)).await;
            assert!(!told.unwrap_or_else(|_| panic!("{half:?} is still open")).contains("200"), "{half:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_is_closed_between_requests_and_not_within_one() {
        let (enter, mut entered) = tokio::sync::mpsc::unbounded_channel();
        let leave = Arc::new(tokio::sync::Notify::new());
        let leaves = Arc::clone(&leave);
        let slow = move || {
            let (enter, leaves) = (enter.clone(), Arc::clone(&leaves));
            async move {
                enter.send(()).unwrap();
                leaves.notified().await;
                "done"
            }
        };
        // The pieces of the second one come when the test lets them.
        let pieces = Arc::clone(&leave);
        let long = move || {
            let pieces = Arc::clone(&pieces);
            let piece = move |at: u8| {
                let pieces = Arc::clone(&pieces);
                async move {
                    if at > 0 {
                        pieces.notified().await;
                    }
                    (at < 2).then(|| (std::io::Result::Ok(format!("piece {at}")), at + 1))
                }
            };
            async move { Body::from_stream(futures_util::stream::unfold(0, piece)) }
        };
        let bound = Duration::from_millis(50);
        let running =
            running(Router::new().route("/slow", get(slow)).route("/long", get(long)), how(50, 0)).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        entered.recv().await.unwrap();
        // Somebody who is silent for as long is cut off meanwhile.
        let mut silent = TcpStream::connect(running.address).await.unwrap();
        let begun = tokio::time::Instant::now();
        assert_eq!(said(&mut silent).await, "");
        assert!(begun.elapsed() >= bound);
        leave.notify_one();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).ends_with("done") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "cut off within a request");
        }
        stream.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        while !String::from_utf8_lossy(&seen).contains("piece 0") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "cut off within a request");
        }
        let mut silent = TcpStream::connect(running.address).await.unwrap();
        assert_eq!(said(&mut silent).await, "");
        leave.notify_one();
        while !String::from_utf8_lossy(&seen).contains("piece 1") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "cut off within an answer");
        }
        leave.notify_one();
        assert!(said(&mut stream).await.ends_with("0\r\n\r\n"), "the answer ends, and then the connection");
    }

    const LARGE: usize = 230 * 1024;
    const PIECE: usize = 4096;

    /// A connection with a bound of a second, over which a large answer in one piece comes; it holds one [`PIECE`].
    fn asked_for_much() -> (tokio::io::DuplexStream, tokio::task::JoinHandle<()>) {
        let answers = Router::new().route("/", get(|| async { vec![b'x'; LARGE] }));
        let how = how(1_000, 0);
        let builder = Arc::new(builder(&how));
        let connection = Connection { builder, answers, header_read: how.header_read };
        let (client, server) = tokio::io::duplex(PIECE);
        let (pulse, peer) = (Arc::new(Pulse::new()), SocketAddr::from(([127, 0, 0, 1], 1)));
        let spoken = async move {
            let graceful = GracefulShutdown::new();
            connection.speak(Watched::new(server, &pulse), pulse, peer, graceful.watcher()).await;
        };
        (client, tokio::spawn(spoken))
    }

    #[tokio::test]
    async fn a_large_answer_goes_on_while_it_is_taken() {
        let (mut client, _) = asked_for_much();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let (mut seen, begun) = (Vec::with_capacity(LARGE + PIECE), tokio::time::Instant::now());
        while begun.elapsed() < Duration::from_millis(1_500) {
            assert_ne!(client.read_buf(&mut seen).await.unwrap(), 0, "cut off within an answer");
            assert!(seen.len() < LARGE, "it was taken before the bound was over");
            // A quarter of the bound.
            Pulse::new().quiet_for(Duration::from_millis(250)).await;
        }
        client.read_to_end(&mut seen).await.unwrap();
        assert!(seen.ends_with(&[b'x'; LARGE]), "all of it came");
    }

    #[tokio::test]
    async fn nobody_waits_for_who_takes_nothing_more_of_an_answer() {
        let (mut client, served) = asked_for_much();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut seen = Vec::with_capacity(LARGE);
        client.read_buf(&mut seen).await.unwrap();
        served.await.unwrap();
        client.read_to_end(&mut seen).await.unwrap();
        assert!(!seen.is_empty() && seen.len() < LARGE);
    }

    #[tokio::test]
    async fn an_open_request_is_finished_and_no_new_one_is_taken() {
        let (entered, mut enters) = tokio::sync::mpsc::channel(1);
        let (leave, leaves) = oneshot::channel::<()>();
        let leaves = Arc::new(tokio::sync::Mutex::new(Some(leaves)));
        let slow = move || {
            let (entered, leaves) = (entered.clone(), Arc::clone(&leaves));
            async move {
                entered.send(()).await.unwrap();
                let leaves = leaves.lock().await.take().unwrap();
                leaves.await.unwrap();
                "done"
            }
        };
        let mut running = running(Router::new().route("/slow", get(slow)), how(10_000, 10_000)).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        enters.recv().await.unwrap();
        let mut idle = TcpStream::connect(running.address).await.unwrap();
        running.stop.take().unwrap().send(()).unwrap();
        assert_eq!(said(&mut idle).await, "", "a connection without a request ends at once");
        assert!(TcpStream::connect(running.address).await.is_err(), "nothing listens any more");
        assert!(!running.ended.is_finished());
        leave.send(()).unwrap();
        assert!(said(&mut stream).await.ends_with("done"));
        assert_eq!(running.ended.await.unwrap(), Ended::InOrder);
    }

    #[tokio::test]
    async fn a_request_that_does_not_end_is_cut_off() {
        let router = Router::new().route("/never", get(pending::<&str>));
        let mut running = running(router, how(10_000, 20)).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        stream.flush().await.unwrap();
        // The request has begun once a second one on its own connection is answered.
        let mut other = TcpStream::connect(running.address).await.unwrap();
        other.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        assert!(said(&mut other).await.starts_with("HTTP/1.1 404"));
        running.stop.take().unwrap().send(()).unwrap();
        assert_eq!(running.ended.await.unwrap(), Ended::Cut);
    }

    #[tokio::test]
    async fn one_connection_too_many_waits_until_another_ends() {
        let (entered, mut enters) = tokio::sync::mpsc::unbounded_channel();
        let handler = move || {
            let entered = entered.clone();
            async move { entered.send(()).unwrap() }
        };
        let two = Listening { connections: 2, ..how(10_000, 10_000) };
        let mut running = running(Router::new().route("/", get(handler)), two).await;
        let mut streams = Vec::new();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            streams.push(stream);
        }
        // Two are answered and stay open.
        for stream in &mut streams[..2] {
            enters.recv().await.unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
        }
        // The third is connected, but nobody reads what it says.
        let third = tokio::time::timeout(Duration::from_millis(50), enters.recv()).await;
        assert!(third.is_err(), "three were served at once");
        drop(streams.remove(0));
        enters.recv().await.unwrap();
        let mut last = streams.pop().unwrap();
        assert_ne!(last.read(&mut [0; 1024]).await.unwrap(), 0);
        // A stop is heard also while every place is taken.
        running.stop.take().unwrap().send(()).unwrap();
        assert_eq!(running.ended.await.unwrap(), Ended::InOrder);
    }
}
