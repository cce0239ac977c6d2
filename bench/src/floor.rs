//! The floor: what the same number of requests and durable commits cost with nothing else around them.

use crate::process::{Server, free_address};
use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use kernel::{Chance, SystemChance};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use store::{Config, Db, DbError, Synchronous, sql};

/// Serves an empty handler and one that keeps the request's body in a row, through the store of the gateway.
#[derive(Debug, Clone, clap::Args)]
pub struct FloorArguments {
    /// Address to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Database, as in the gateway's settings.
    #[arg(long)]
    database: String,
    /// SQLite: do not wait for the disk.
    #[arg(long)]
    normal: bool,
}

const TABLE: &str = "CREATE TABLE floor (id TEXT NOT NULL PRIMARY KEY, content TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO floor (id, content) VALUES ($1, $2)";

/// Runs until the process is ended.
///
/// # Errors
/// When the database or the port cannot be used.
pub async fn serve(arguments: &FloorArguments) -> Result<()> {
    let synchronous = if arguments.normal { Synchronous::Normal } else { Synchronous::Full };
    let db = Db::open(&Config { synchronous, ..Config::new(&arguments.database) }).await?;
    db.execute(sql(TABLE)).await?;
    let router = Router::new()
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/ready", get(|| async { "ready" }))
        .route("/commit", post(commit))
        .route("/forward", post(forward))
        .with_state((db, plain_client()?));
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| {
            // Without it the figures would show the kernel's waiting for more to send.
            let _ = stream.set_nodelay(true);
        }),
        router,
    )
    .await
    .context("serving")
}

#[expect(clippy::disallowed_methods, reason = "a plain client is what this is the floor of")]
fn plain_client() -> Result<reqwest::Client> {
    reqwest::Client::builder().tcp_nodelay(true).build().context("a client")
}

type Shared = (Db, reqwest::Client);

async fn commit(State((db, _)): State<Shared>, body: String) -> Result<StatusCode, StatusCode> {
    keep(&db, body).await
}

/// Keeps the body, then posts it to the address of `x-forward`.
async fn forward(
    State((db, client)): State<Shared>,
    headers: HeaderMap,
    body: String,
) -> Result<StatusCode, StatusCode> {
    let to = headers.get("x-forward").and_then(|to| to.to_str().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    let kept = keep(&db, body.clone()).await?;
    let posted = client.post(to).body(body).send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    if posted.status().is_success() { Ok(kept) } else { Err(StatusCode::BAD_GATEWAY) }
}

async fn keep(db: &Db, body: String) -> Result<StatusCode, StatusCode> {
    let number = (&SystemChance as &dyn Chance).bytes::<16>();
    let id = format!("{:032x}", u128::from_be_bytes(number));
    let wrote: Result<u64, DbError> = db.execute(sql(INSERT).bind(id).bind(body)).await;
    wrote.map(|_| StatusCode::CREATED).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// Starts the floor as a process of its own.
///
/// # Errors
/// When it does not become ready.
pub async fn start(database: &str, synchronous: Synchronous, log: &Path) -> Result<Server> {
    let address = free_address();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["floor", "--listen", &address.to_string(), "--database", database]);
    if synchronous == Synchronous::Normal {
        command.arg("--normal");
    }
    Server::start(&mut command, address, "/ready", log).await
}
