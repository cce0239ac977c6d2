//! Where notices and runs arrive: it answers at once, and whoever waits for one learns that it came.

use anyhow::{Context as _, Result};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// For one to arrive: a delivery that failed is tried again after seconds, and then the figure says so.
const WITHIN: Duration = Duration::from_secs(30);

/// One that arrived before somebody asked, or somebody who waits.
#[derive(Debug)]
enum Place {
    Arrived,
    Awaited(oneshot::Sender<()>),
}

type Places = Arc<Mutex<HashMap<String, Place>>>;

/// The running sink; it ends with this value.
#[derive(Debug)]
pub struct Sink {
    pub address: SocketAddr,
    places: Places,
    task: JoinHandle<()>,
}

fn mark(places: &Places, name: String) {
    let mut all = places.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(Place::Awaited(waiting)) = all.remove(&name) {
        // Whoever gave up waiting has said so.
        waiting.send(()).ok();
    } else {
        all.insert(name, Place::Arrived);
    }
}

impl Sink {
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self> {
        let places = Places::default();
        let router = Router::new()
            .route("/plain", post(|_: Bytes| async { StatusCode::NO_CONTENT }))
            .route("/notice", post(notice))
            .route("/run", post(run))
            .with_state(Arc::clone(&places));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            // Without it the figures would show the kernel's waiting for more to send.
            let _ = stream.set_nodelay(true);
        });
        // It serves until it is aborted, so there is no outcome to look at.
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { address, places, task })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What arrived under this name so far does not count.
    pub fn forget(&self, name: &str) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Waits until something of this name has arrived; at once where it has already.
    ///
    /// # Errors
    /// When nothing arrives.
    pub async fn arrival(&self, name: &str) -> Result<()> {
        let (waiting, arrived) = oneshot::channel();
        {
            let mut all = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Place::Arrived) = all.remove(name) {
                return Ok(());
            }
            all.insert(name.to_owned(), Place::Awaited(waiting));
        }
        let arrived = tokio::time::timeout(WITHIN, arrived).await;
        arrived.with_context(|| format!("`{name}` did not arrive"))?.context("another one waits for it")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn notice(State(places): State<Places>, headers: HeaderMap, _: Bytes) -> StatusCode {
    let named = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    let signed = headers.contains_key("webhook-signature");
    match named.filter(|_| signed) {
        Some(id) => {
            mark(&places, id.to_owned());
            StatusCode::NO_CONTENT
        }
        None => StatusCode::BAD_REQUEST,
    }
}

async fn run(State(places): State<Places>, body: Bytes) -> (StatusCode, Json<Value>) {
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    match message.pointer("/tenant/id").and_then(Value::as_i64) {
        Some(tenant) => {
            mark(&places, run_of(tenant));
            (StatusCode::OK, Json(json!({ "phase": "Succeeded" })))
        }
        None => (StatusCode::BAD_REQUEST, Json(json!({}))),
    }
}

/// The name under which a tenant's runs arrive.
pub fn run_of(tenant: i64) -> String {
    format!("tenant {tenant}")
}
