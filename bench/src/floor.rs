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
use std::sync::{Arc, Mutex, PoisonError};
use store::{Config, Db, Synchronous, sql};

/// Serves an empty handler and one that keeps the request's body in a row.
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
    /// Keep each row in a commit of its own, with the plain libraries, instead of through the store.
    #[arg(long)]
    alone: bool,
}

/// Of PostgreSQL, at most: as many as the largest number of clients.
const CONNECTIONS: usize = 64;
const TABLE: &str = "CREATE TABLE floor (id TEXT NOT NULL PRIMARY KEY, content TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO floor (id, content) VALUES ($1, $2)";

/// Runs until the process is ended.
///
/// # Errors
/// When the database or the port cannot be used.
pub async fn serve(arguments: &FloorArguments) -> Result<()> {
    let keeper = Keeper::open(arguments).await?;
    let router = Router::new()
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/ready", get(|| async { "ready" }))
        .route("/commit", post(commit))
        .route("/forward", post(forward))
        .with_state((keeper, plain_client()?));
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

type Shared = (Keeper, reqwest::Client);

async fn commit(State((keeper, _)): State<Shared>, body: String) -> Result<StatusCode, StatusCode> {
    keep(&keeper, body).await
}

/// Keeps the body, then posts it to the address of `x-forward`.
async fn forward(
    State((keeper, client)): State<Shared>,
    headers: HeaderMap,
    body: String,
) -> Result<StatusCode, StatusCode> {
    let to = headers.get("x-forward").and_then(|to| to.to_str().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    let kept = keep(&keeper, body.clone()).await?;
    let posted = client.post(to).body(body).send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    if posted.status().is_success() { Ok(kept) } else { Err(StatusCode::BAD_GATEWAY) }
}

async fn keep(keeper: &Keeper, body: String) -> Result<StatusCode, StatusCode> {
    let number = (&SystemChance as &dyn Chance).bytes::<16>();
    let id = format!("{:032x}", u128::from_be_bytes(number));
    keeper.keep(id, body).await.map(|()| StatusCode::CREATED).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// Who keeps the rows.
#[derive(Clone)]
enum Keeper {
    /// The gateway's store: rows that arrive together share a commit.
    Together(Db),
    /// One connection, one commit for each row.
    Sqlite(Arc<Mutex<rusqlite::Connection>>),
    /// As many connections as are asked for, one commit for each row.
    Postgres(deadpool_postgres::Pool),
}

impl Keeper {
    #[expect(clippy::disallowed_methods, reason = "the plain drivers are what this is the floor of")]
    async fn open(arguments: &FloorArguments) -> Result<Self> {
        let url = &arguments.database;
        if !arguments.alone {
            let synchronous = if arguments.normal { Synchronous::Normal } else { Synchronous::Full };
            let db = Db::open(&Config { synchronous, ..Config::new(url) }).await?;
            db.execute(sql(TABLE)).await?;
            return Ok(Self::Together(db));
        }
        if let Some(path) = url.strip_prefix("sqlite:") {
            let connection = rusqlite::Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            let synchronous = if arguments.normal { "normal" } else { "full" };
            connection.pragma_update(None, "synchronous", synchronous)?;
            connection.execute_batch(TABLE)?;
            return Ok(Self::Sqlite(Arc::new(Mutex::new(connection))));
        }
        let manager = deadpool_postgres::Manager::new(url.parse()?, tokio_postgres::NoTls);
        let pool = deadpool_postgres::Pool::builder(manager).max_size(CONNECTIONS).build()?;
        pool.get().await?.batch_execute(TABLE).await?;
        Ok(Self::Postgres(pool))
    }

    async fn keep(&self, id: String, body: String) -> Result<()> {
        match self {
            Self::Together(db) => drop(db.execute(sql(INSERT).bind(id).bind(body)).await?),
            Self::Sqlite(connection) => {
                let connection = Arc::clone(connection);
                let insert = move || {
                    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                    connection.prepare_cached(INSERT)?.execute([&id, &body])
                };
                tokio::task::spawn_blocking(insert).await??;
            }
            Self::Postgres(pool) => {
                let client = pool.get().await?;
                let insert = client.prepare_cached(INSERT).await?;
                client.execute(&insert, &[&id, &body]).await?;
            }
        }
        Ok(())
    }
}

/// Starts the floor as a process of its own; `alone`: with a commit for each row.
///
/// # Errors
/// When it does not become ready.
pub async fn start(database: &str, synchronous: Synchronous, alone: bool, log: &Path) -> Result<Server> {
    let address = free_address();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["floor", "--listen", &address.to_string(), "--database", database]);
    if synchronous == Synchronous::Normal {
        command.arg("--normal");
    }
    if alone {
        command.arg("--alone");
    }
    Server::start(&mut command, address, "/ready", log).await
}
