//! Against real servers on loopback. "No connection" is counted at the listener, not read from the error.

use super::*;
use crate::call_error::Unreached;
use crate::guard::Looking;
use axum::Router;
use axum::body::Body;
use axum::extract::Request as Incoming;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get};
use kernel::SecretText;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

mod broken;
mod tls;

/// An axum server that counts the connections it took.
struct Server {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
}

struct Counted(TcpListener, Arc<AtomicUsize>);

impl axum::serve::Listener for Counted {
    type Io = tokio::net::TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let taken = self.0.accept().await.unwrap();
        self.1.fetch_add(1, Ordering::SeqCst);
        taken
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Server {
    async fn start(routes: Router) -> Self {
        Self::start_at("127.0.0.1:0", routes).await
    }

    async fn start_at(at: &str, routes: Router) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let (address, taken) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Counted(listener, Arc::clone(&taken));
        tokio::spawn(async move { axum::serve(counted, routes).await });
        Self { address, taken }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    fn connections(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

fn hello() -> Router {
    Router::new().fallback(any(|| async { ([(header::CONNECTION, "close")], "hello") }))
}

fn limits() -> Limits {
    Limits { timeout: Duration::from_secs(5), ..Limits::default() }
}

fn client(allow: &[String]) -> Client {
    Client::new(limits(), Allow::parse(allow).unwrap()).unwrap()
}

fn client_for(server: &Server) -> Client {
    client(&[server.address.to_string()])
}

fn refused_by(outcome: Result<Response, CallError>) -> Rule {
    match outcome {
        Err(CallError::Refused { rule, .. }) => rule,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Answers each look-up with the next list; the last one stays.
#[derive(Debug)]
struct Scripted(Mutex<VecDeque<Vec<IpAddr>>>);

impl Names for Scripted {
    fn look_up(&self, _host: String) -> Looking {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(answer.unwrap_or_default()) })
    }
}

fn scripted(allow: &[&str], answers: &[&[&str]]) -> Client {
    let parsed = answers.iter().map(|list| list.iter().map(|text| text.parse().unwrap()).collect());
    let names = Arc::new(Scripted(Mutex::new(parsed.collect())));
    Client::with_names(limits(), Allow::parse(allow).unwrap(), names).unwrap()
}

#[tokio::test]
async fn an_allowed_address_answers() {
    let server = Server::start(hello()).await;
    let answer = client_for(&server).send(Request::get(server.url("/"))).await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &b"hello"[..]));
    assert_eq!(answer.content_type().as_deref(), Some("text/plain"));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn lesson_23_no_connection_to_an_inner_address() {
    let server = Server::start(hello()).await;
    let port = server.address.port();
    let client = client(&[]);
    for host in [
        "127.0.0.1",
        "[::ffff:127.0.0.1]",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "169.254.169.254",
        "0.0.0.0",
        "[::1]",
        "[::]",
    ] {
        for scheme in ["http", "https"] {
            let url = Url::parse(&format!("{scheme}://{host}:{port}/")).unwrap();
            refused_by(client.send(Request::get(url)).await);
        }
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn lesson_23_a_redirect_to_an_inner_address_is_not_followed() {
    let inner = Server::start(hello()).await;
    let port = inner.address.port();
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "0x7f.1", "169.254.169.254", "x.localhost"] {
        let target = format!("http://{host}:{port}/secret");
        let redirect = get(move || async move { Redirect::temporary(&target) });
        let outer = Server::start(Router::new().route("/", redirect)).await;
        let outcome = client_for(&outer).send(Request::get(outer.url("/")).max_redirects(5)).await;
        assert!(matches!(refused_by(outcome), Rule::Loopback | Rule::LinkLocal), "{host}");
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn lesson_23_the_second_answer_of_a_name_is_judged_too() {
    let open = Server::start_at("127.0.0.2:0", hello()).await;
    let port = open.address.port();
    let inner = Server::start_at(&format!("127.0.0.1:{port}"), hello()).await;
    let allow = open.address.to_string();
    let client = scripted(&[&allow], &[&["127.0.0.2"], &["127.0.0.1"]]);
    let call = || Request::get(Url::parse(&format!("http://rebinding.example:{port}/")).unwrap());
    assert_eq!(client.send(call()).await.unwrap().status, 200);
    assert_eq!(refused_by(client.send(call()).await), Rule::Loopback);
    assert_eq!((open.connections(), inner.connections()), (1, 0));
}

#[tokio::test]
async fn lesson_23_of_a_mixed_answer_only_the_open_address_is_used() {
    let open = Server::start_at("127.0.0.2:0", hello()).await;
    let port = open.address.port();
    let inner = Server::start_at(&format!("127.0.0.1:{port}"), hello()).await;
    let allow = open.address.to_string();
    let client = scripted(&[&allow], &[&["127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2"]]);
    let url = Url::parse(&format!("http://mixed.example:{port}/")).unwrap();
    assert_eq!(client.send(Request::get(url)).await.unwrap().status, 200);
    assert_eq!((open.connections(), inner.connections()), (1, 0));
}

#[tokio::test]
async fn lesson_23_names_with_inner_addresses_are_refused_over_tls() {
    let server = Server::start(hello()).await;
    let port = server.address.port();
    for (address, rule) in [
        ("127.0.0.1", Rule::Loopback),
        ("10.0.0.1", Rule::Private),
        ("169.254.169.254", Rule::LinkLocal),
        ("::ffff:127.0.0.1", Rule::Loopback),
        ("64:ff9b::7f00:1", Rule::Embedded),
        ("fe80::1", Rule::LinkLocal),
    ] {
        let client = scripted(&[], &[&[address]]);
        let url = Url::parse(&format!("https://service.example:{port}/")).unwrap();
        assert_eq!(refused_by(client.send(Request::get(url)).await), rule, "{address}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn plain_http_to_a_public_address_is_refused() {
    let client = scripted(&[], &[&["8.8.8.8"]]);
    let url = Url::parse("http://public.example/").unwrap();
    assert_eq!(refused_by(client.send(Request::get(url)).await), Rule::PlainHttp);
}

#[tokio::test]
async fn an_exact_host_is_allowed_at_its_port_only() {
    let (one, other) = (Server::start(hello()).await, Server::start(hello()).await);
    let client = client(&[format!("provider.localhost:{}", one.address.port())]);
    let call = |host: &str, server: &Server| {
        client.send(Request::get(Url::parse(&format!("http://{host}:{}/", server.address.port())).unwrap()))
    };
    assert_eq!(call("provider.localhost", &one).await.unwrap().status, 200);
    assert_eq!(call("Provider.Localhost.", &one).await.unwrap().status, 200);
    assert_eq!(refused_by(call("provider.localhost", &other).await), Rule::Loopback);
    assert_eq!(refused_by(call("other.localhost", &one).await), Rule::Loopback);
    assert_eq!(refused_by(call("127.0.0.1", &one).await), Rule::Loopback);
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn lesson_23_a_large_body_is_cut_off() {
    let megabyte = || axum::body::Bytes::from(vec![b'x'; 1 << 20]);
    let endless = move || async move {
        let pieces = futures_util::stream::iter((0..10).map(move |_| Ok::<_, std::io::Error>(megabyte())));
        Body::from_stream(pieces)
    };
    let announced = || async { vec![b'x'; 10 << 20] };
    let zipped = Router::new()
        .route("/zipped", get(|| async { vec![b'0'; 10 << 20] }))
        .layer(tower_http::compression::CompressionLayer::new());
    let routes = Router::new().route("/stream", get(endless)).route("/length", get(announced)).merge(zipped);
    let server = Server::start(routes).await;
    let client = client_for(&server);
    for path in ["/stream", "/length", "/zipped"] {
        let error = client.send(Request::get(server.url(path))).await.unwrap_err();
        let limit = 1 << 20;
        assert_eq!(error, CallError::TooLarge { host: server.address.to_string(), limit }, "{path}");
        assert!(!error.is_weather());
    }
    let all = client.send(Request::get(server.url("/stream")).max_body(10 << 20)).await.unwrap();
    assert_eq!(all.body.len(), 10 << 20);
}

#[tokio::test]
async fn lesson_23_a_server_that_never_answers_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let held = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        // Ends only when the other side closes.
        socket.read_to_end(&mut seen).await.unwrap();
        seen
    });
    let after = Duration::from_millis(100);
    let url = Url::parse(&format!("http://{address}/token?client_secret=hunter2")).unwrap();
    let error = client(&[address.to_string()]).send(Request::get(url).timeout(after)).await.unwrap_err();
    assert_eq!(error, CallError::TimedOut { host: address.to_string(), after });
    assert!(error.is_weather());
    assert!(held.await.unwrap().starts_with(b"GET /token"));
}

#[tokio::test]
async fn lesson_23_a_body_that_drips_is_left_too() {
    let drip = || async {
        Body::from_stream(futures_util::stream::pending::<Result<&'static str, std::io::Error>>())
    };
    let server = Server::start(Router::new().route("/", get(drip))).await;
    let request = Request::get(server.url("/")).timeout(Duration::from_millis(100));
    assert!(matches!(client_for(&server).send(request).await, Err(CallError::TimedOut { .. })));
}

async fn echo(headers: HeaderMap, request: Incoming) -> impl IntoResponse {
    let line = format!("{} {}", request.method(), request.uri().path());
    let body = axum::body::to_bytes(request.into_body(), 1024).await.unwrap();
    let names = ["authorization", "x-api-key", "cookie", "x-plain", "content-type"];
    let seen = names.iter().filter(|name| headers.contains_key(**name)).copied().collect::<Vec<_>>();
    format!("{line} [{}] {}", seen.join(","), String::from_utf8_lossy(&body))
}

#[tokio::test]
async fn redirects_keep_secrets_at_their_origin() {
    let other = Server::start(Router::new().fallback(any(echo))).await;
    let there = other.url("/there").to_string();
    let routes = Router::new()
        .route("/here", any(echo))
        .route("/same", any(|| async { Redirect::temporary("/here") }))
        .route("/see", any(|| async { Redirect::to("/here") }))
        .route("/away", any(move || async move { Redirect::temporary(&there) }))
        .route("/loop", any(|| async { Redirect::temporary("/loop") }))
        .route("/nowhere", any(|| async { (StatusCode::FOUND, "no location") }));
    let server = Server::start(routes).await;
    let client = client(&[server.address.to_string(), other.address.to_string()]);
    let with_secrets = |request: Request| {
        request
            .bearer(&SecretText::new("t"))
            .secret_header("x-api-key", SecretText::new("k"))
            .header("Cookie", "c=1")
            .header("x-plain", "p")
            .max_redirects(3)
    };
    let text =
        |outcome: Result<Response, CallError>| String::from_utf8(outcome.unwrap().body.to_vec()).unwrap();

    let same = client.send(with_secrets(Request::get(server.url("/same")))).await;
    assert_eq!(text(same), "GET /here [authorization,x-api-key,cookie,x-plain] ");
    let kept = client.send(Request::post(server.url("/same")).form([("a", "b c")]).max_redirects(1)).await;
    assert_eq!(text(kept), "POST /here [content-type] a=b+c");
    let seen = client.send(Request::post(server.url("/see")).form([("a", "b")]).max_redirects(1)).await;
    assert_eq!(text(seen), "GET /here [] ");
    let away = client.send(with_secrets(Request::get(server.url("/away")))).await;
    assert_eq!(text(away), "GET /there [x-plain] ");

    let taken = other.connections();
    let body = Request::post(server.url("/away")).form([("client_secret", "s")]).max_redirects(3);
    assert_eq!(refused_by(client.send(body).await), Rule::BodyToAnotherOrigin);
    assert_eq!(other.connections(), taken);

    let round = client.send(Request::get(server.url("/loop")).max_redirects(3)).await.unwrap_err();
    assert!(matches!(round, CallError::BadAnswer { why: Malformed::TooManyRedirects, .. }));
    let nowhere = client.send(Request::get(server.url("/nowhere")).max_redirects(3)).await.unwrap_err();
    assert!(matches!(nowhere, CallError::BadAnswer { why: Malformed::Redirect, .. }));
    assert_eq!(client.send(Request::get(server.url("/away"))).await.unwrap().status, 307);
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let server = Server::start(hello()).await;
    let client = client_for(&server);
    let url = Url::parse(&format!("http://{}/path-secret?code=query-secret", server.address)).unwrap();
    let request = Request::post(url)
        .header("Authorization", "Basic header-secret")
        .secret_header("x-key", SecretText::new("header-secret"))
        .form([("client_secret", "body-secret")]);
    let answer = client.send(request.clone()).await.unwrap();
    let mut elsewhere = request.clone();
    elsewhere.url = Url::parse("https://user-secret:pw-secret@8.8.8.8/path-secret?x=query-secret").unwrap();
    let refused = client.send(elsewhere).await.unwrap_err();
    let bad = client.send(request.clone().header("x\n", "header-secret")).await.unwrap_err();
    assert_eq!(bad.code(), "call_bad_request");
    let shown = format!("{request:?} {answer:?} {client:?} {refused} {refused:?} {bad} {bad:?}");
    assert!(!shown.contains("secret") && !shown.contains("hello"), "{shown}");
}

#[tokio::test]
async fn headers_of_the_connection_cannot_be_set() {
    let server = Server::start(hello()).await;
    for name in ["Host", "content-length", "Transfer-Encoding", "connection"] {
        let outcome = client_for(&server).send(Request::get(server.url("/")).header(name, "x")).await;
        assert_eq!(outcome.unwrap_err().code(), "call_bad_request", "{name}");
    }
}
