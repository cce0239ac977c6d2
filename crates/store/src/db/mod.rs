//! The one room that knows how two databases are spoken to: SQLite in a file beside the program, or PostgreSQL by URL.
//! The few tables that have statements of their own for one of them ask [`Db::engine`].
//!
//! A unit of work is a closure over a [`Tx`]: `db.write(|tx| Box::pin(async move { .. }))`. It awaits nothing but
//! its statements. On SQLite the closure travels to the one writer thread, which runs many of them per fsync;
//! on PostgreSQL it runs on a pooled connection.

mod about;
mod batch;
mod catalogue;
mod error;
mod lanes;
mod postgres;
mod readers;
mod sqlite;
mod statement;
mod tls;
mod unit;
mod value;
mod writer;

pub use about::About;
pub use error::DbError;
pub use statement::{Query, Tx, next_id, next_ids, sql};
pub use value::{Cell, FromCell, IntoValue, Row, Value, json};

use futures_util::future::BoxFuture;
use readers::Readers;
use statement::Driver;
use std::sync::Arc;
use std::time::Duration;
use unit::Size;

/// Whether a commit on SQLite waits for the disk. PostgreSQL's own configuration decides there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// What was answered survives a loss of power.
    Full,
    /// What was answered survives the end of the process, but not a loss of power.
    Normal,
}

/// How to reach the database.
#[derive(Clone)]
pub struct Config {
    /// `sqlite:file` or `postgres://user:password@host/database`.
    pub url: String,
    pub synchronous: Synchronous,
    /// Connections to PostgreSQL at most.
    pub max_connections: usize,
    /// How long to wait while another process writes to the SQLite file.
    pub busy_timeout: Duration,
    /// How many units of work may wait for the SQLite writer before more are refused.
    pub write_queue: usize,
}

impl std::fmt::Debug for Config {
    // The URL may carry a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Config({:?}, {} connections)", self.synchronous, self.max_connections)
    }
}

impl Config {
    /// The URL with everything else as shipped: full durability, 16 connections, 5 s, 4096 waiting writes.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            synchronous: Synchronous::Full,
            max_connections: 16,
            busy_timeout: Duration::from_secs(5),
            write_queue: 4096,
        }
    }
}

/// The way that a write goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// With all others.
    Main,
    /// Whoever waits for it could wait longer: on PostgreSQL it goes by a connection of its own and holds up none that is
    /// sent now.
    Beside,
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    engine: Arc<Engine>,
}

#[derive(Debug)]
enum Engine {
    Sqlite { writer: writer::Writer, readers: Readers },
    Postgres { pool: deadpool_postgres::Pool, lanes: lanes::Lanes },
}

impl Db {
    /// Opens the database; a SQLite file is made where there is none. It is not migrated.
    ///
    /// # Errors
    /// [`DbError::Setup`] for a URL or a version that cannot be used, [`DbError::Unavailable`] where the server does
    /// not answer.
    pub async fn open(config: &Config) -> Result<Self, DbError> {
        let engine = if config.url.starts_with("postgres://") || config.url.starts_with("postgresql://") {
            let pool = postgres::pool(config)?;
            Engine::Postgres { lanes: lanes::Lanes::start(&pool, config), pool }
        } else if config.url.starts_with("sqlite:") {
            sqlite::check_version()?;
            let path = sqlite::path_of(&config.url)?;
            sqlite::create_private(&path)?;
            let session = sqlite::Session::open_writer(&path, config)?;
            let writer = writer::Writer::start(session, config.write_queue.max(1))?;
            Engine::Sqlite { writer, readers: Readers::new(path, config) }
        } else {
            let text = "the database URL must begin with sqlite: or postgres://";
            return Err(DbError::Setup(text.to_owned()));
        };
        let db = Self { engine: Arc::new(engine) };
        db.ping().await?;
        Ok(db)
    }

    /// `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        match &*self.engine {
            Engine::Sqlite { .. } => "sqlite",
            Engine::Postgres { .. } => "postgres",
        }
    }

    /// A unit of work that writes: all of it is kept and durable when this returns `Ok`, nothing of it otherwise.
    /// The body awaits only statements on its `tx`, never anything else.
    ///
    /// # Errors
    /// What the body returns; [`DbError`] where the database could not keep it.
    pub async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        match &*self.engine {
            Engine::Sqlite { writer, .. } => {
                let (unit, answer) = unit::Unit::new(body, Size::Any);
                writer.submit(Box::new(unit))?;
                answer.await.unwrap_or_else(|_| Err(E::from(writer::ended())))
            }
            Engine::Postgres { pool, .. } => {
                let session = postgres::Session::take(pool, postgres::Mode::Transaction).await?;
                on_postgres(session, body).await
            }
        }
    }

    /// Reads. Several statements see one state on SQLite; on PostgreSQL each sees what is committed when it starts.
    ///
    /// # Errors
    /// What the body returns; [`DbError::Bug`] for a body that writes.
    pub async fn read<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
        T: Send,
        E: From<DbError> + Send,
    {
        match &*self.engine {
            Engine::Sqlite { readers, .. } => readers.read(body),
            Engine::Postgres { pool, .. } => {
                let session = postgres::Session::take(pool, postgres::Mode::Single).await?;
                on_postgres(session, body).await
            }
        }
    }

    /// One statement that writes, by itself; it shares its commit with others that arrive at the same time. Returns
    /// how many rows it wrote.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn execute(&self, query: Query) -> Result<u64, DbError> {
        if query.moves() {
            return self.write(|tx| Box::pin(query.execute(tx))).await;
        }
        match &*self.engine {
            Engine::Sqlite { writer, .. } => {
                let (unit, answer) =
                    unit::Unit::new(|tx| Box::pin(async move { query.execute(tx).await }), Size::Single);
                writer.submit(Box::new(unit))?;
                answer.await.unwrap_or_else(|_| Err(writer::ended()))
            }
            Engine::Postgres { lanes, .. } => {
                query.checked()?;
                lanes.write(query).await.map(|wrote| wrote.count)
            }
        }
    }

    /// The same for a statement with RETURNING that writes one row or none: the row.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn write_one(&self, query: Query) -> Result<Option<Row>, DbError> {
        if query.moves() {
            return self.write(|tx| Box::pin(query.maybe(tx))).await;
        }
        match &*self.engine {
            Engine::Sqlite { writer, .. } => {
                let (unit, answer) =
                    unit::Unit::new(|tx| Box::pin(async move { query.maybe(tx).await }), Size::Single);
                writer.submit(Box::new(unit))?;
                answer.await.unwrap_or_else(|_| Err(writer::ended()))
            }
            Engine::Postgres { lanes, .. } => {
                query.checked()?;
                lanes.write(query).await.map(|wrote| wrote.row)
            }
        }
    }

    /// Reads one row and, where there is one, writes what `decide` makes of it, in one unit of work that shares its
    /// commit as [`Self::execute`] does on SQLite. Returns what `decide` gave beside the statement, where that wrote a
    /// row. On PostgreSQL these are the round trips of a transaction.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn write_after<T, F>(&self, read: Query, decide: F) -> Result<Option<T>, DbError>
    where
        T: Send + 'static,
        F: FnOnce(Row) -> Result<(Query, T), DbError> + Send + 'static,
    {
        match &*self.engine {
            Engine::Sqlite { writer, .. } => {
                let (unit, answer) =
                    unit::Unit::new(|tx| Box::pin(read_then_write(tx, read, decide)), Size::Single);
                writer.submit(Box::new(unit))?;
                answer.await.unwrap_or_else(|_| Err(writer::ended()))
            }
            Engine::Postgres { .. } => self.write(|tx| Box::pin(read_then_write(tx, read, decide))).await,
        }
    }

    /// Several statements that write one row or none, each of which sees what those before it wrote: what they
    /// returned. All of them share a commit as [`Self::execute`] does on PostgreSQL.
    ///
    /// # Errors
    /// [`DbError`]; then nothing of them was written.
    pub(crate) async fn write_in_turn(
        &self,
        way: Way,
        queries: Vec<Query>,
    ) -> Result<Vec<Option<Row>>, DbError> {
        queries.iter().try_for_each(Query::checked)?;
        match &*self.engine {
            Engine::Sqlite { .. } => {
                let rows = self.write(|tx| Box::pin(async move { tx.together(&queries).await })).await?;
                Ok(rows.into_iter().map(|rows| rows.into_iter().next()).collect())
            }
            Engine::Postgres { lanes, .. } => {
                let wrote = lanes.write_in_turn(way, queries).await?;
                Ok(wrote.into_iter().map(|wrote| wrote.row).collect())
            }
        }
    }

    /// Reads, and where there is a row runs all of `writes` and returns it; see [`Self::write_what_follows`].
    ///
    /// # Errors
    /// [`DbError`].
    pub(crate) async fn write_all_after(
        &self,
        read: Query,
        writes: Vec<Query>,
    ) -> Result<Option<Row>, DbError> {
        writes.iter().try_for_each(Query::checked)?;
        self.write_what_follows(read, |row| Ok((writes, row))).await
    }

    /// Reads, and where there is a row runs all that `decide` makes of it. What was read must be all that they could
    /// fail by: on SQLite nothing but a failure of the database itself undoes a part of them, and that undoes
    /// everybody's of the same commit. They share it as [`Self::execute`] does. A text among them that nobody has
    /// looked at must be among those that are read by.
    ///
    /// # Errors
    /// [`DbError`].
    pub(crate) async fn write_what_follows<T, F>(&self, read: Query, decide: F) -> Result<Option<T>, DbError>
    where
        T: Send + 'static,
        F: FnOnce(Row) -> Result<(Vec<Query>, T), DbError> + Send + 'static,
    {
        read.checked()?;
        match &*self.engine {
            Engine::Sqlite { writer, .. } => {
                let (unit, answer) =
                    unit::Unit::new(|tx| Box::pin(read_then_write_all(tx, read, decide)), Size::Sure);
                writer.submit(Box::new(unit))?;
                answer.await.unwrap_or_else(|_| Err(writer::ended()))
            }
            Engine::Postgres { .. } => self.write(|tx| Box::pin(read_then_write_all(tx, read, decide))).await,
        }
    }

    /// One statement that reads at most one row, by itself: no snapshot's frame on SQLite, no connection of its own
    /// on PostgreSQL.
    ///
    /// # Errors
    /// [`DbError`]; [`DbError::Bug`] for a statement that writes, on SQLite.
    pub async fn maybe(&self, query: Query) -> Result<Option<Row>, DbError> {
        query.checked()?;
        match &*self.engine {
            Engine::Sqlite { readers, .. } => readers.maybe(&query),
            Engine::Postgres { lanes, .. } => lanes.maybe(&query).await,
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn ping(&self) -> Result<(), DbError> {
        self.read(|tx| Box::pin(async move { sql("SELECT 1").one(tx).await.map(drop) })).await
    }

    /// Refuses new work, finishes what has begun, and closes the connections.
    pub async fn close(&self) {
        match &*self.engine {
            Engine::Sqlite { writer, readers } => {
                readers.forget();
                writer.close().await;
            }
            Engine::Postgres { pool, lanes } => {
                lanes.close().await;
                pool.close();
            }
        }
    }
}

async fn read_then_write<T>(
    tx: &mut Tx,
    read: Query,
    decide: impl FnOnce(Row) -> Result<(Query, T), DbError>,
) -> Result<Option<T>, DbError> {
    let Some(row) = read.maybe(tx).await? else { return Ok(None) };
    let (write, told) = decide(row)?;
    Ok(write.wrote(tx).await?.then_some(told))
}

async fn read_then_write_all<T>(
    tx: &mut Tx,
    read: Query,
    decide: impl FnOnce(Row) -> Result<(Vec<Query>, T), DbError>,
) -> Result<Option<T>, DbError> {
    let Some(row) = read.maybe(tx).await? else { return Ok(None) };
    let (writes, told) = decide(row)?;
    for write in writes {
        write.execute(tx).await?;
    }
    Ok(Some(told))
}

async fn on_postgres<T, E, F>(session: postgres::Session, body: F) -> Result<T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
    E: From<DbError>,
{
    let mut tx = Tx::new(Driver::Postgres(session));
    let mut result = body(&mut tx).await;
    if tx.failed && result.is_ok() {
        result = Err(E::from(DbError::Bug("a unit of work went on after a failed statement".to_owned())));
    }
    let Driver::Postgres(session) = &mut tx.driver else { return result };
    match session.finish(result.is_ok(), tx.moves).await {
        // The body's own error says more than a rollback that failed; dropping the session deals with that.
        Err(error) if result.is_ok() => Err(E::from(error)),
        _ => result,
    }
}
