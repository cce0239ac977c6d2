//! The companies' own system: what `xti.token` opens, and where they publish their keys.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The token that opens it.
pub const OWN_TOKEN: &str = "own-system-token-1";

#[derive(Debug, Default)]
struct Memory {
    refuses: bool,
    /// Bearer tokens in the order of their coming.
    tokens: Vec<String>,
    key_set: Value,
    key_set_reads: usize,
    redirect: String,
    /// What was registered at `/hooks`.
    hooks: Vec<Value>,
}

type Shared = Arc<Mutex<Memory>>;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct OwnSystem {
    address: String,
    memory: Shared,
    server: JoinHandle<()>,
}

impl OwnSystem {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port").to_string();
        let memory = Shared::default();
        let router = Router::new()
            .route("/me", get(me))
            .route("/keys.json", get(key_set))
            .route("/redirected.json", get(redirected))
            .route("/sites", get(sites))
            .route("/hooks", post(hook))
            .with_state(Arc::clone(&memory));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the company's own system serves");
        });
        Self { address, memory, server }
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `http://127.0.0.1:PORT` and the path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on every token is refused.
    pub fn refuse(&self) {
        self.memory().refuses = true;
    }

    /// The tokens that were presented, oldest first.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        self.memory().tokens.clone()
    }

    /// Publishes a set of public keys (RFC 7517) at `/keys.json`.
    pub fn publish(&self, keys: &[Value]) {
        self.memory().key_set = json!({ "keys": keys });
    }

    /// From now on `/redirected.json` sends there.
    pub fn redirect_to(&self, url: &str) {
        url.clone_into(&mut self.memory().redirect);
    }

    /// What was registered at `/hooks`, oldest first.
    #[must_use]
    pub fn hooks(&self) -> Vec<Value> {
        self.memory().hooks.clone()
    }

    /// How often the set was read.
    #[must_use]
    pub fn key_set_reads(&self) -> usize {
        self.memory().key_set_reads
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("the own system's memory")
    }
}

impl Drop for OwnSystem {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn me(State(memory): State<Shared>, headers: HeaderMap) -> Response {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    let mut memory = memory.lock().expect("the own system's memory");
    let good = token == OWN_TOKEN && !memory.refuses;
    memory.tokens.push(token);
    if good {
        axum::Json(json!({ "account": "Acme Desk" })).into_response()
    } else {
        (StatusCode::UNAUTHORIZED, axum::Json(json!({ "error": "unknown token" }))).into_response()
    }
}

/// Two, so that a person must choose.
async fn sites() -> Response {
    axum::Json(json!([{ "id": "s-1", "name": "North" }, { "id": "s-2", "name": "South <&>" }]))
        .into_response()
}

async fn hook(State(memory): State<Shared>, axum::Json(hook): axum::Json<Value>) -> Response {
    memory.lock().expect("the own system's memory").hooks.push(hook);
    (StatusCode::CREATED, axum::Json(json!({ "id": "h-1" }))).into_response()
}

async fn key_set(State(memory): State<Shared>) -> Response {
    let mut memory = memory.lock().expect("the own system's memory");
    memory.key_set_reads += 1;
    axum::Json(memory.key_set.clone()).into_response()
}

async fn redirected(State(memory): State<Shared>) -> Response {
    let to = memory.lock().expect("the own system's memory").redirect.clone();
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}
