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
