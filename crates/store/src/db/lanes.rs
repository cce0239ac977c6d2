//! PostgreSQL: two connections that many callers use at once, for single statements.
//!
//! What callers ask meanwhile is sent together and answered together. That saves most of what a statement costs
//! here: a look into the pool, a packet in each direction, two wake-ups, and for a write its own commit.

use super::postgres::{explain, explain_pool, parameters, row, statement};
use super::statement::Query;
use super::value::Row;
use super::{Config, DbError};
use deadpool_postgres::{Client, Pool};
use futures_util::TryStreamExt as _;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

/// How many writes share one commit at most: bounds how long the first of them waits.
const LARGEST_BATCH: usize = 128;

/// A connection for reading. Another one takes its place when it breaks.
#[derive(Debug)]
struct Reading {
    pool: Pool,
    client: Mutex<Option<Arc<Client>>>,
}

impl Reading {
    async fn client(&self) -> Result<Arc<Client>, DbError> {
        let known = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(client) = known.filter(|client| !client.is_closed()) {
            return Ok(client);
        }
        let client = Arc::new(self.pool.get().await.map_err(|error| explain_pool(&error))?);
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&client));
        Ok(client)
    }

    fn leave(&self) {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// What a statement did: how many rows it wrote, and the first one that it returned.
pub(super) struct Wrote {
    pub(super) count: u64,
    pub(super) row: Option<Row>,
}

struct Job {
    query: Query,
    answer: oneshot::Sender<Result<Wrote, DbError>>,
}

/// The two connections: one reads, one writes.
#[derive(Debug)]
pub(super) struct Lanes {
    reading: Reading,
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Lanes {
    pub(super) fn start(pool: &Pool, config: &Config) -> Self {
        let (sender, receiver) = mpsc::channel(config.write_queue.max(1));
        let writing = Writing { pool: pool.clone(), client: None };
        let writer = Mutex::new(Some(tokio::spawn(writing.serve(receiver))));
        let reading = Reading { pool: pool.clone(), client: Mutex::default() };
        Self { reading, queue: Mutex::new(Some(sender)), writer }
    }

    pub(super) async fn maybe(&self, query: &Query) -> Result<Option<Row>, DbError> {
        let client = self.reading.client().await?;
        let rows = async {
            let statement = statement(&client, query).await?;
            let rows = client.query(&statement, &parameters(query)).await;
            rows.map_err(|error| explain(&error))?.first().map(row).transpose()
        };
        rows.await.inspect_err(|error| {
            if is_weather(error) {
                self.reading.leave();
            }
        })
    }

    /// Decision: a full queue is refused at once instead of waited for, as on SQLite.
    pub(super) async fn write(&self, query: Query) -> Result<Wrote, DbError> {
        let (answer, answered) = oneshot::channel();
        let sent = match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.try_send(Job { query, answer }),
            None => return Err(closing()),
        };
        sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                DbError::Unavailable("too many writes are waiting".to_owned())
            }
            mpsc::error::TrySendError::Closed(_) => closing(),
        })?;
        answered.await.unwrap_or_else(|_| Err(closing()))
    }

    /// Refuses new writes and finishes what is queued.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            writer.await.ok();
        }
        self.reading.leave();
    }
}

fn closing() -> DbError {
    DbError::Unavailable("the database is being closed".to_owned())
}

/// Whether an error is the connection's rather than the statement's: then another one is taken.
fn is_weather(error: &DbError) -> bool {
    matches!(error, DbError::Unavailable(_))
}

/// The one task that writes, with its connection.
struct Writing {
    pool: Pool,
    client: Option<Client>,
}

impl Writing {
    /// Writes what is queued until nobody can queue any more. What comes while one batch is on its way is the next.
    async fn serve(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        while queue.recv_many(&mut jobs, LARGEST_BATCH).await > 0 {
            jobs.retain(|job| !job.answer.is_closed());
            self.run(&mut jobs).await;
        }
    }

    /// Runs the jobs and leaves none behind.
    async fn run(&mut self, jobs: &mut Vec<Job>) {
        let together = if jobs.len() > 1 { self.in_one_commit(jobs).await } else { Ok(None) };
        match together {
            Ok(Some(all)) => {
                for (job, wrote) in jobs.drain(..).zip(all) {
                    job.answer.send(Ok(wrote)).ok();
                }
            }
            // Each by itself: a statement that fails takes nobody else's with it.
            Ok(None) => {
                for Job { query, answer } in jobs.drain(..) {
                    answer.send(self.alone(&query).await).ok();
                }
            }
            Err(error) => {
                for job in jobs.drain(..) {
                    job.answer.send(Err(error.clone())).ok();
                }
            }
        }
    }

    /// The connection, taken out so that one whose state is not known never comes back.
    async fn take(&mut self) -> Result<Client, DbError> {
        match self.client.take().filter(|client| !client.is_closed()) {
            Some(client) => Ok(client),
            None => self.pool.get().await.map_err(|error| explain_pool(&error)),
        }
    }

    async fn alone(&mut self, query: &Query) -> Result<Wrote, DbError> {
        let client = self.take().await?;
        let result = match statement(&client, query).await {
            Ok(statement) => write(&client, &statement, &parameters(query)).await,
            Err(error) => Err(error),
        };
        match &result {
            Err(error) if is_weather(error) => drop(Client::take(client)),
            _ => self.client = Some(client),
        }
        result
    }

    /// All of them in one transaction. `None` where one of them failed: PostgreSQL has then kept nothing. An error
    /// says that it is not known what was kept; callers' keys make a second try safe.
    async fn in_one_commit(&mut self, jobs: &[Job]) -> Result<Option<Vec<Wrote>>, DbError> {
        let client = self.take().await?;
        let outcome = together(&client, jobs).await;
        match outcome {
            Ok(_) => self.client = Some(client),
            Err(_) => drop(Client::take(client)),
        }
        outcome
    }
}

/// The statement is sent when this is first polled.
async fn write(
    client: &Client,
    statement: &Statement,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Wrote, DbError> {
    let written = async {
        let mut returned = pin!(client.query_raw(statement, values.iter().copied()).await?);
        let mut first = None;
        while let Some(next) = returned.try_next().await? {
            first.get_or_insert(next);
        }
        Ok((returned.rows_affected().unwrap_or(0), first))
    };
    let (count, first) = written.await.map_err(|error: tokio_postgres::Error| explain(&error))?;
    Ok(Wrote { count, row: first.as_ref().map(row).transpose()? })
}

/// Sends BEGIN, every statement and COMMIT without waiting in between.
async fn together(client: &Client, jobs: &[Job]) -> Result<Option<Vec<Wrote>>, DbError> {
    let mut statements = Vec::with_capacity(jobs.len());
    for job in jobs {
        let Ok(statement) = statement(client, &job.query).await else { return Ok(None) };
        statements.push((statement, parameters(&job.query)));
    }
    let mut begin = pin!(client.batch_execute("BEGIN"));
    let begun = poll_fn(|context| Poll::Ready(begin.as_mut().poll(context))).await;
    let mut sent = Vec::with_capacity(jobs.len());
    for (statement, values) in &statements {
        let mut writing = Box::pin(write(client, statement, values));
        // So they leave in this order, and COMMIT behind them.
        let early = poll_fn(|context| Poll::Ready(writing.as_mut().poll(context))).await;
        sent.push((writing, early));
    }
    let committed = client.batch_execute("COMMIT").await;
    let begun = if let Poll::Ready(begun) = begun { begun } else { begin.await };
    begun.and(committed).map_err(|error| explain(&error))?;
    let mut all = Vec::with_capacity(jobs.len());
    for (writing, early) in sent {
        let result = if let Poll::Ready(result) = early { result } else { writing.await };
        let Ok(wrote) = result else { return Ok(None) };
        all.push(wrote);
    }
    Ok(Some(all))
}
