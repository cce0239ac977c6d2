//! A company's receiver of notices, which answers as a test says.

use super::PATIENCE;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

/// What arrived.
#[derive(Clone)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, String::from_utf8_lossy(&self.body))
    }
}

impl Received {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

/// How it answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    /// Answers only once this is rung.
    gate: Option<Arc<Notify>>,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn after(mut self, gate: &Arc<Notify>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }
}

type Answers = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

#[derive(Clone)]
struct Inside {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<Answers>>,
    count: watch::Sender<usize>,
}

pub(super) struct Sink {
    address: String,
    inside: Inside,
    server: tokio::task::JoinHandle<()>,
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sink({})", self.address)
    }
}

impl Sink {
    /// It takes everything.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answers: Answers = Arc::new(|_| Reply::status(204));
        let inside = Inside {
            received: Arc::default(),
            answers: Arc::new(Mutex::new(answers)),
            count: watch::Sender::new(0),
        };
        let router = Router::new().fallback(receive).with_state(inside.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, inside, server }
    }

    /// `127.0.0.1:PORT`
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn answers(&self, with: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        *self.inside.answers.lock().unwrap() = Arc::new(with);
    }

    /// Everything that arrived so far.
    pub(super) fn received(&self) -> Vec<Received> {
        self.inside.received.lock().unwrap().clone()
    }

    pub(super) fn at(&self, path: &str) -> Vec<Received> {
        self.received().into_iter().filter(|received| received.path == path).collect()
    }

    /// Waits until this holds of what has arrived.
    pub(super) async fn hears(&self, what: &str, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let mut count = self.inside.count.subscribe();
        let heard = async {
            loop {
                count.borrow_and_update();
                let received = self.received();
                if enough(&received) {
                    return received;
                }
                count.changed().await.unwrap();
            }
        };
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        heard.unwrap_or_else(|_| panic!("waited in vain for {what}; {} arrived", self.received().len()))
    }

    pub(super) async fn hears_so_many(&self, count: usize) -> Vec<Received> {
        self.hears(&format!("{count} messages"), |received| received.len() >= count).await
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(inside): State<Inside>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let received = Received { path: uri.path().to_owned(), headers, body: body.to_vec() };
    let answers = Arc::clone(&inside.answers.lock().unwrap());
    let reply = answers(&received);
    inside.received.lock().unwrap().push(received);
    inside.count.send_modify(|count| *count += 1);
    if let Some(gate) = reply.gate {
        gate.notified().await;
    }
    let mut response = StatusCode::from_u16(reply.status).unwrap().into_response();
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
