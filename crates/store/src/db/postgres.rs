//! PostgreSQL: the pool, how a statement runs, what its errors mean.

use super::statement::Query;
use super::value::{Cell, Row, Value};
use super::{Config, DbError, tls};
use crate::revision;
use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Metrics, Pool, PoolError, RecyclingMethod, Runtime,
    TimeoutType,
};
use futures_util::TryStreamExt as _;
use futures_util::future::{join, join_all, join3};
use std::pin::pin;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{NoTls, Statement};

/// How long a caller waits for a free connection before it is told that the database is busy.
const WAIT: Duration = Duration::from_secs(3);
const CONNECT: Duration = Duration::from_secs(5);
/// One for single reads, two for what is written by itself, one for everything else.
const FEWEST: usize = 4;
/// How long a connection keeps its plans. PostgreSQL itself makes them anew only when it has counted a table again, which
/// is up to a minute later, and by then one that was empty can have a hundred thousand rows. Made again, they go by how
/// large the tables are by now.
const PLANS: Duration = Duration::from_secs(2);
/// Nothing here takes long; what does is stuck, and must not hold locks for ever. Statements find few rows by their
/// keys: to plan one anew for each value, or to compile it, would cost more than to run it. A plan may be made while
/// its table is empty, and a read of the whole of it looks cheap then; it is kept for long after that has become wrong. So
/// rows are found by an index, one by one, which is what the statements are written for and all that SQLite does.
const SESSION: &str = "SET statement_timeout = '15s'; SET lock_timeout = '5s'; \
                       SET idle_in_transaction_session_timeout = '15s'; SET client_min_messages = 'warning'; \
                       SET plan_cache_mode = 'force_generic_plan'; SET jit = off; SET enable_seqscan = off; \
                       SET enable_hashjoin = off; SET enable_mergejoin = off";

pub(super) fn pool(config: &Config) -> Result<Pool, DbError> {
    let target = tls::target(&config.url)?;
    let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match target.tls {
        Some(tls) => Manager::from_config(target.config, tls, manager_config),
        None => Manager::from_config(target.config, NoTls, manager_config),
    };
    let prepare = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
        Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
    });
    // Those of one that comes and goes: as often as it gets older by so much.
    let replan = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, metrics: &Metrics| {
        let now = metrics.age();
        let before = now.saturating_sub(metrics.last_used());
        let is_due = now.as_millis() / PLANS.as_millis() != before.as_millis() / PLANS.as_millis();
        Box::pin(async move {
            if is_due { forget_plans(client).await.map_err(HookError::Backend) } else { Ok(()) }
        })
    });
    let pool = Pool::builder(manager)
        .max_size(config.max_connections.max(FEWEST))
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CONNECT))
        .recycle_timeout(Some(CONNECT))
        .post_create(prepare)
        .pre_recycle(replan)
        .runtime(Runtime::Tokio1);
    pool.build().map_err(|error| DbError::Setup(error.to_string()))
}

/// Until when the plans of a connection that is held on to are good.
#[derive(Debug)]
pub(super) struct Plans {
    until: Instant,
}

impl Plans {
    pub(super) fn new() -> Self {
        Self { until: Instant::now() + PLANS }
    }

    /// Whether they are old. Who is told so forgets them; until they are old again nobody else is.
    pub(super) fn are_due(&mut self) -> bool {
        let now = Instant::now();
        let are_due = now >= self.until;
        if are_due {
            self.until = now + PLANS;
        }
        are_due
    }
}

/// Has each statement of a connection planned anew at its next use.
pub(super) async fn forget_plans(client: &tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("DISCARD PLANS").await
}

/// How statements relate to transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Each statement by itself: reads, and writes of one statement.
    Single,
    /// `BEGIN` travels together with the first statement, which saves a round trip.
    Transaction,
}

/// A pooled connection at work.
#[derive(Debug)]
pub(super) struct Session {
    client: Option<Client>,
    mode: Mode,
    open: bool,
}

impl Session {
    pub(super) async fn take(pool: &Pool, mode: Mode) -> Result<Self, DbError> {
        let client = pool.get().await.map_err(|error| explain_pool(&error))?;
        Ok(Self { client: Some(client), mode, open: false })
    }

    fn client(&self) -> Result<&Client, DbError> {
        self.client.as_ref().ok_or_else(|| DbError::Bug("the connection was given back already".to_owned()))
    }

    /// Whether `BEGIN` is still to be sent; from here on the connection counts as inside a transaction.
    fn starts_now(&mut self) -> bool {
        let starts = self.mode == Mode::Transaction && !self.open;
        self.open |= starts;
        starts
    }

    pub(super) async fn execute(&mut self, query: &Query) -> Result<u64, DbError> {
        let statement = statement(self.client()?, query).await?;
        let parameters = parameters(query);
        let starts = self.starts_now();
        let client = self.client()?;
        if !starts {
            return client.execute(&statement, &parameters).await.map_err(|error| explain(&error));
        }
        let (begun, result) =
            join(client.batch_execute("BEGIN"), client.execute(&statement, &parameters)).await;
        begun.map_err(|error| explain(&error))?;
        result.map_err(|error| explain(&error))
    }

    pub(super) async fn rows(&mut self, query: &Query) -> Result<Vec<Row>, DbError> {
        let statement = statement(self.client()?, query).await?;
        let parameters = parameters(query);
        let starts = self.starts_now();
        let client = self.client()?;
        let result = if starts {
            let (begun, result) =
                join(client.batch_execute("BEGIN"), client.query(&statement, &parameters)).await;
            begun.map_err(|error| explain(&error))?;
            result
        } else {
            client.query(&statement, &parameters).await
        };
        result.map_err(|error| explain(&error))?.iter().map(row).collect()
    }

    /// Sends all of them without waiting in between. What comes behind one that failed has failed with it.
    pub(super) async fn together(&mut self, queries: &[Query]) -> Result<Vec<Vec<Row>>, DbError> {
        let statements = self.statements(queries).await?;
        let starts = self.starts_now();
        let client = self.client()?;
        // They leave in this order: each is sent when it is first polled.
        let begin = async { if starts { client.batch_execute("BEGIN").await } else { Ok(()) } };
        let sent = queries.iter().zip(&statements).map(|(query, statement)| rows(client, query, statement));
        let (begun, done) = join(begin, join_all(sent)).await;
        begun.map_err(|error| explain(&error))?;
        done.into_iter().collect()
    }

    /// The same, with COMMIT behind them; of a transaction in which something failed the server makes a ROLLBACK.
    pub(super) async fn last(&mut self, queries: &[Query]) -> Result<Vec<Vec<Row>>, DbError> {
        let statements = self.statements(queries).await?;
        let starts = self.starts_now();
        let client = self.client()?;
        let begin = async { if starts { client.batch_execute("BEGIN").await } else { Ok(()) } };
        let sent = queries.iter().zip(&statements).map(|(query, statement)| rows(client, query, statement));
        let (begun, done, committed) = join3(begin, join_all(sent), client.batch_execute("COMMIT")).await;
        begun.and(committed).map_err(|error| explain(&error))?;
        self.open = false;
        done.into_iter().collect()
    }

    async fn statements(&self, queries: &[Query]) -> Result<Vec<Statement>, DbError> {
        let mut statements = Vec::with_capacity(queries.len());
        for query in queries {
            statements.push(statement(self.client()?, query).await?);
        }
        Ok(statements)
    }

    pub(super) async fn script(&mut self, text: &str) -> Result<(), DbError> {
        if self.starts_now() {
            self.client()?.batch_execute("BEGIN").await.map_err(|error| explain(&error))?;
        }
        self.client()?.batch_execute(text).await.map_err(|error| explain(&error))
    }

    pub(super) async fn prepare(&mut self, text: &str) -> Result<(), DbError> {
        self.client()?.prepare(text).await.map(drop).map_err(|error| explain(&error))
    }

    /// Ends the unit of work. A lost connection during COMMIT leaves the outcome unknown; it is reported as
    /// weather, and callers' keys make a second try safe.
    pub(super) async fn finish(&mut self, keep: bool, moves: bool) -> Result<(), DbError> {
        if self.open {
            let text = match (keep, moves) {
                (true, false) => "COMMIT",
                // The row that all such changes meet in is locked last, and no longer than for this.
                (true, true) => revision::MOVE_AND_COMMIT,
                (false, _) => "ROLLBACK",
            };
            self.client()?.batch_execute(text).await.map_err(|error| explain(&error))?;
            self.open = false;
        }
        Ok(())
    }
}

impl Drop for Session {
    /// A caller that went away, or an error: the transaction is rolled back before the connection is used again.
    fn drop(&mut self) {
        let Some(client) = self.client.take().filter(|_| self.open) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            drop(Client::take(client));
            return;
        };
        runtime.spawn(async move {
            if client.batch_execute("ROLLBACK").await.is_err() {
                drop(Client::take(client));
            }
        });
    }
}

/// The statement as this connection has prepared it, at its first use.
pub(super) async fn statement(client: &Client, query: &Query) -> Result<Statement, DbError> {
    let types: Vec<Type> = query.values.iter().map(type_of).collect();
    let prepared = client.prepare_typed_cached(&query.text, &types).await;
    let statement = prepared.map_err(|error| explain(&error))?;
    if statement.params().len() == query.values.len() {
        return Ok(statement);
    }
    Err(DbError::Bug("as many values must be bound as there are placeholders".to_owned()))
}

pub(super) const fn type_of(value: &Value) -> Type {
    match value {
        Value::Text(_) => Type::TEXT,
        Value::Int(_) => Type::INT8,
        Value::Bool(_) => Type::BOOL,
    }
}

pub(super) fn parameter(value: &Value) -> &(dyn ToSql + Sync) {
    match value {
        Value::Text(text) => text,
        Value::Int(number) => number,
        Value::Bool(flag) => flag,
    }
}

pub(super) fn parameters(query: &Query) -> Vec<&(dyn ToSql + Sync)> {
    query.values.iter().map(parameter).collect()
}

async fn rows(client: &Client, query: &Query, statement: &Statement) -> Result<Vec<Row>, DbError> {
    written(client, statement, &parameters(query)).await.map(|(_, rows)| rows)
}

/// How many rows were written, and those that came back. The statement is sent when this is first polled.
pub(super) async fn written(
    client: &Client,
    statement: &Statement,
    values: &[&(dyn ToSql + Sync)],
) -> Result<(u64, Vec<Row>), DbError> {
    let written = async {
        let mut returned = pin!(client.query_raw(statement, values.iter().copied()).await?);
        let mut rows = Vec::new();
        while let Some(next) = returned.try_next().await? {
            rows.push(next);
        }
        Ok((returned.rows_affected().unwrap_or(0), rows))
    };
    let (count, rows) = written.await.map_err(|error: tokio_postgres::Error| explain(&error))?;
    Ok((count, rows.iter().map(row).collect::<Result<_, _>>()?))
}

pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row, DbError> {
    let cell = |(index, column): (usize, &tokio_postgres::Column)| {
        let cell = match *column.type_() {
            Type::TEXT | Type::VARCHAR | Type::NAME => {
                row.try_get::<_, Option<String>>(index).map(|v| v.map(Cell::Text))
            }
            Type::INT8 => row.try_get::<_, Option<i64>>(index).map(|v| v.map(Cell::Int)),
            Type::INT4 => row.try_get::<_, Option<i32>>(index).map(|v| v.map(|n| Cell::Int(i64::from(n)))),
            Type::BOOL => row.try_get::<_, Option<bool>>(index).map(|v| v.map(Cell::Bool)),
            _ => return Err(DbError::bad_column(index + 1, "TEXT, BIGINT or BOOLEAN")),
        };
        cell.map(|cell| cell.unwrap_or(Cell::Null)).map_err(|_| DbError::bad_column(index + 1, "readable"))
    };
    row.columns().iter().enumerate().map(cell).collect::<Result<_, _>>().map(Row::new)
}

pub(super) fn explain_pool(error: &PoolError) -> DbError {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => {
            DbError::Unavailable("every connection is in use".to_owned())
        }
        PoolError::Timeout(_) => DbError::Unavailable("the server does not answer in time".to_owned()),
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => explain(error),
        PoolError::Closed => DbError::Unavailable("the database is being closed".to_owned()),
        other => DbError::Unavailable(other.to_string()),
    }
}

/// PostgreSQL's texts may repeat values (`Key (slug)=(acme) already exists`), so only those of classes that
/// cannot are passed on; the others are told by their code.
pub(super) fn explain(error: &tokio_postgres::Error) -> DbError {
    let Some(told) = error.as_db_error() else {
        // Not from the server: a broken connection, or a value of the wrong type.
        let weather =
            error.is_closed() || std::error::Error::source(error).is_some_and(|s| s.is::<std::io::Error>());
        let text = error.to_string();
        return if weather { DbError::Unavailable(text) } else { other(error, text) };
    };
    let code = told.code();
    if *code == SqlState::UNIQUE_VIOLATION {
        return DbError::Unique { index: told.constraint().unwrap_or("unknown").to_owned() };
    }
    if *code == SqlState::FOREIGN_KEY_VIOLATION {
        return DbError::Reference;
    }
    if *code == SqlState::DISK_FULL {
        return DbError::Full;
    }
    let shown = format!("{} ({})", told.message(), code.code());
    match code.code().get(..2) {
        // Connection, resources, operator, serialization and deadlock, lock time-out, cancelled, cached plan.
        Some("08" | "40" | "53" | "55" | "57") => DbError::Unavailable(shown),
        Some("0A") if told.message().contains("cached plan") => DbError::Unavailable(shown),
        Some("28" | "3D" | "3F") => DbError::Setup(format!("PostgreSQL refuses the connection: {shown}")),
        Some("XX" | "58") => DbError::Corrupt(shown),
        Some("42" | "25" | "26" | "0A") => DbError::Bug(shown),
        _ => DbError::Bug(format!("PostgreSQL answers with SQLSTATE {}", code.code())),
    }
}

fn other(error: &tokio_postgres::Error, text: String) -> DbError {
    // While connecting, everything that is not the server's word is the network's or the certificate's.
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    if text.contains("connect") || text.contains("TLS") || text.contains("authentication") {
        return DbError::Unavailable(format!("{text}{source}"));
    }
    DbError::Bug(text)
}
