//! PostgreSQL: three connections that many callers use at once, for statements of few round trips.
//!
//! What callers ask meanwhile is sent together and answered together. That saves most of what a statement costs
//! here: a look into the pool, a packet in each direction, two wake-ups, and for a write its own commit. Rows for the
//! same statement go as one, where it was made for many (see [`super::batch`]).

use super::batch::{self, Line};
use super::postgres::{Plans, explain, explain_pool, forget_plans, parameters, row, statement};
use super::statement::{MANY, Query};
use super::value::Row;
use super::{Config, DbError, Way};
use deadpool_postgres::{Client, Pool};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How many callers share one commit at most: bounds how long the first of them waits. Rows of all of them are one group,
/// which keeps their turns over its statements.
const LARGEST_BATCH: usize = MANY;

/// A connection for reading. Another one takes its place when it breaks.
#[derive(Debug)]
struct Reading {
    pool: Pool,
    client: Mutex<Option<(Arc<Client>, Plans)>>,
}

impl Reading {
    async fn client(&self) -> Result<Arc<Client>, DbError> {
        if let Some((client, are_due)) = self.known() {
            if are_due {
                forget_plans(&client).await.map_err(|error| explain(&error))?;
            }
            return Ok(client);
        }
        let client = Arc::new(self.pool.get().await.map_err(|error| explain_pool(&error))?);
        let kept = Some((Arc::clone(&client), Plans::new()));
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(client)
    }

    /// The connection that is there, and whether its plans are to be made anew.
    fn known(&self) -> Option<(Arc<Client>, bool)> {
        let mut known = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let (client, plans) = known.as_mut().filter(|(client, _)| !client.is_closed())?;
        Some((Arc::clone(client), plans.are_due()))
    }

    fn leave(&self) {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// What a statement did: how many rows it wrote, and the first one that it returned.
#[derive(Default)]
pub(super) struct Wrote {
    pub(super) count: u64,
    pub(super) row: Option<Row>,
}

/// Statements of one caller, one behind the other.
struct Job {
    queries: Vec<Query>,
    answer: oneshot::Sender<Result<Vec<Wrote>, DbError>>,
}

/// The connections: one reads, one writes what somebody waits for, one what somebody could wait for longer.
#[derive(Debug)]
pub(super) struct Lanes {
    reading: Reading,
    main: Writer,
    beside: Writer,
}

/// The way to a task that writes.
#[derive(Debug)]
struct Writer {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Lanes {
    pub(super) fn start(pool: &Pool, config: &Config) -> Self {
        let reading = Reading { pool: pool.clone(), client: Mutex::default() };
        Self { reading, main: Writer::start(pool, config), beside: Writer::start(pool, config) }
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

    /// One statement. Decision: a full queue is refused at once instead of waited for, as on SQLite.
    pub(super) async fn write(&self, query: Query) -> Result<Wrote, DbError> {
        let wrote = self.main.write(vec![query]).await?.into_iter().next();
        wrote.ok_or_else(|| DbError::Bug("a statement had no outcome".to_owned()))
    }

    /// Several in one transaction, each of which sees what those before it wrote; none is sent later for it.
    pub(super) async fn write_in_turn(&self, way: Way, queries: Vec<Query>) -> Result<Vec<Wrote>, DbError> {
        match way {
            Way::Main => self.main.write(queries).await,
            Way::Beside => self.beside.write(queries).await,
        }
    }

    /// Refuses new writes and finishes what is queued.
    pub(super) async fn close(&self) {
        self.main.close().await;
        self.beside.close().await;
        self.reading.leave();
    }
}

impl Writer {
    fn start(pool: &Pool, config: &Config) -> Self {
        let (sender, receiver) = mpsc::channel(config.write_queue.max(1));
        let writing = Writing { pool: pool.clone(), line: None };
        let task = Mutex::new(Some(tokio::spawn(writing.serve(receiver))));
        Self { queue: Mutex::new(Some(sender)), task }
    }

    async fn write(&self, queries: Vec<Query>) -> Result<Vec<Wrote>, DbError> {
        let (answer, answered) = oneshot::channel();
        let sent = match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.try_send(Job { queries, answer }),
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

    async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.await.ok();
        }
    }
}

fn closing() -> DbError {
    DbError::Unavailable("the database is being closed".to_owned())
}

/// Whether an error is the connection's rather than the statement's: then another one is taken.
fn is_weather(error: &DbError) -> bool {
    matches!(error, DbError::Unavailable(_))
}

/// A task that writes, with its connection.
struct Writing {
    pool: Pool,
    line: Option<Line>,
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
        match self.at_once(jobs).await {
            Ok(Ok(all)) => {
                let mut all = all.into_iter();
                for Job { queries, answer } in jobs.drain(..) {
                    answer.send(Ok(all.by_ref().take(queries.len()).collect())).ok();
                }
            }
            Ok(Err(error)) if jobs.len() < 2 => {
                for job in jobs.drain(..) {
                    job.answer.send(Err(error.clone())).ok();
                }
            }
            // Each by itself: a statement that fails takes nobody else's with it.
            Ok(Err(_)) => {
                for job in jobs.drain(..) {
                    let alone = self.at_once(std::slice::from_ref(&job)).await;
                    job.answer.send(alone.and_then(|kept| kept)).ok();
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
    async fn take(&mut self) -> Result<Line, DbError> {
        match self.line.take().filter(|line| !line.client.is_closed()) {
            Some(mut line) => line.renew().await.map(|()| line),
            None => self.pool.get().await.map(Line::new).map_err(|error| explain_pool(&error)),
        }
    }

    /// Gives the connection back to this task, or ends it where its state is not known.
    fn keep(&mut self, line: Line, is_known: bool) {
        if is_known {
            self.line = Some(line);
        } else {
            drop(Client::take(line.client));
        }
    }

    /// All of them in one commit. The inner error is what the server says, a deadlock with another node for example:
    /// PostgreSQL has then kept nothing. The outer one says that it is not known what was kept; callers' keys make a
    /// second try safe.
    async fn at_once(&mut self, jobs: &[Job]) -> Result<Result<Vec<Wrote>, DbError>, DbError> {
        let queries: Vec<&Query> = jobs.iter().flat_map(|job| &job.queries).collect();
        let groups = batch::groups(&queries);
        let mut line = self.take().await?;
        let [group] = &groups[..] else {
            let outcome = line.in_one_transaction(&groups).await;
            self.keep(line, outcome.is_ok());
            return outcome;
        };
        let outcome = line.run(group).await;
        let is_open = !line.client.is_closed();
        self.keep(line, is_open && !outcome.as_ref().is_err_and(is_weather));
        match outcome {
            Err(error) if !is_open => Err(error),
            outcome => Ok(outcome),
        }
    }
}
