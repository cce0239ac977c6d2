//! PostgreSQL: two connections that many callers use at once, for single statements.
//!
//! What callers ask meanwhile is sent together and answered together. That saves most of what a statement costs
//! here: a look into the pool, a packet in each direction, two wake-ups, and for a write its own commit. Rows for the
//! same statement go as one, where it was made for many (see [`super::batch`]).

use super::batch::{self, Group, Line};
use super::postgres::{Plans, explain, explain_pool, forget_plans, parameters, row, statement};
use super::statement::Query;
use super::value::Row;
use super::{Config, DbError};
use deadpool_postgres::{Client, Pool};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How many writes share one commit at most: bounds how long the first of them waits.
const LARGEST_BATCH: usize = 128;

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
        let writing = Writing { pool: pool.clone(), line: None };
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
        let queries: Vec<&Query> = jobs.iter().map(|job| &job.query).collect();
        match self.at_once(&batch::groups(&queries)).await {
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

    async fn alone(&mut self, query: &Query) -> Result<Wrote, DbError> {
        let mut line = self.take().await?;
        let result = line.run(&Group::alone(query)).await;
        self.keep(line, !result.as_ref().is_err_and(is_weather));
        let wrote = result?.into_iter().next();
        wrote.ok_or_else(|| DbError::Bug("a statement had no outcome".to_owned()))
    }

    /// All of them in one commit. `None` where one of them failed, or where nothing is to be shared: PostgreSQL has
    /// then kept nothing. An error says that it is not known what was kept; callers' keys make a second try safe.
    async fn at_once(&mut self, groups: &[Group<'_>]) -> Result<Option<Vec<Wrote>>, DbError> {
        if let [group] = groups
            && group.len() < 2
        {
            return Ok(None);
        }
        let mut line = self.take().await?;
        let [group] = groups else {
            let outcome = line.in_one_transaction(groups).await;
            self.keep(line, outcome.is_ok());
            return outcome;
        };
        let outcome = line.run(group).await;
        let is_open = !line.client.is_closed();
        self.keep(line, is_open);
        match outcome {
            // What the server itself says was wrong, a deadlock with another node for example, has kept nothing.
            Err(_) if is_open => Ok(None),
            outcome => outcome.map(Some),
        }
    }
}
