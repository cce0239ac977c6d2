//! The one writer of a SQLite file: a thread that runs what is queued in one transaction per fsync.

use super::statement::{Driver, Tx};
use super::unit::{Job, Size};
use super::{DbError, sqlite};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tokio::sync::oneshot;

/// How many units of work share one commit at most: bounds how long the first of them waits.
const LARGEST_BATCH: usize = 256;

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// The way to the writer thread. When it is dropped, the thread finishes what is queued and ends.
pub(super) struct Writer {
    queue: Mutex<Option<SyncSender<Message>>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    pub(super) fn start(session: sqlite::Session, queue: usize) -> Result<Self, DbError> {
        let (sender, receiver) = sync_channel(queue);
        let thread = std::thread::Builder::new().name("sqlite-writer".to_owned());
        let started = thread.spawn(move || Thread { tx: Tx::new(Driver::Sqlite(session)) }.serve(&receiver));
        started.map_err(|error| DbError::Setup(format!("the writer's thread cannot be started: {error}")))?;
        Ok(Self { queue: Mutex::new(Some(sender)) })
    }

    /// Queues a unit of work. Decision: a full queue is refused at once instead of waited for, so that an
    /// overloaded gateway answers 503 quickly rather than late; the bound is a setting.
    pub(super) fn submit(&self, job: Box<dyn Job>) -> Result<(), DbError> {
        let sender = self.queue.lock().ok().and_then(|queue| queue.clone());
        let Some(sender) = sender else { return Err(closing()) };
        sender.try_send(Message::Job(job)).map_err(|error| match error {
            TrySendError::Full(_) => DbError::Unavailable("too many writes are waiting".to_owned()),
            TrySendError::Disconnected(_) => closing(),
        })
    }

    /// Refuses new work, finishes what is queued, closes the file.
    pub(super) async fn close(&self) {
        let sender = self.queue.lock().ok().and_then(|mut queue| queue.take());
        let Some(sender) = sender else { return };
        let (done, closed) = oneshot::channel();
        let mut message = Message::Close(done);
        while let Err(TrySendError::Full(back)) = sender.try_send(message) {
            message = back;
            tokio::task::yield_now().await;
        }
        drop(closed.await);
    }
}

/// Why a queued unit of work got no answer: the thread is gone.
pub(super) fn ended() -> DbError {
    DbError::Unavailable("the writer ended before it answered".to_owned())
}

fn closing() -> DbError {
    DbError::Unavailable("the database is being closed".to_owned())
}

struct Thread {
    tx: Tx,
}

impl Thread {
    fn serve(mut self, receiver: &Receiver<Message>) {
        let mut closing = None;
        while let Ok(first) = receiver.recv() {
            let mut jobs = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Job(job) => jobs.push(job),
                    Message::Close(done) => closing = Some(done),
                }
                next = if jobs.len() < LARGEST_BATCH { receiver.try_recv().ok() } else { None };
            }
            self.group(jobs);
            if closing.is_some() {
                break;
            }
        }
        // A call that raced with closing may still have put something behind the last message.
        self.group(
            receiver
                .try_iter()
                .filter_map(|m| if let Message::Job(job) = m { Some(job) } else { None })
                .collect(),
        );
        self.maintain("PRAGMA wal_checkpoint(TRUNCATE)");
        drop(self.tx);
        if let Some(done) = closing {
            done.send(()).ok();
        }
    }

    fn frame(&mut self, text: &'static str) -> Result<(), DbError> {
        match &mut self.tx.driver {
            Driver::Sqlite(session) => session.frame(text),
            Driver::Postgres(_) => Err(DbError::Bug("the SQLite writer holds another connection".to_owned())),
        }
    }

    fn in_transaction(&self) -> bool {
        matches!(&self.tx.driver, Driver::Sqlite(session) if session.in_transaction())
    }

    fn last_error(&mut self) -> DbError {
        let last = match &mut self.tx.driver {
            Driver::Sqlite(session) => session.take_last_error(),
            Driver::Postgres(_) => None,
        };
        last.unwrap_or_else(|| DbError::Unavailable("the database rolled the transaction back".to_owned()))
    }

    /// Runs the jobs in one transaction and answers all of them after its commit.
    fn group(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        jobs.retain(|job| !job.is_abandoned());
        if jobs.is_empty() {
            return;
        }
        let alone = jobs.len() == 1;
        let mut done = Vec::with_capacity(jobs.len());
        for mut job in jobs {
            let begun = if self.in_transaction() { Ok(()) } else { self.frame("BEGIN IMMEDIATE") };
            let ran = begun.and_then(|()| self.run_one(job.as_mut(), alone));
            match ran {
                Ok(()) if self.in_transaction() => done.push(job),
                // The transaction is gone, and with it everything before: a full disk, for example.
                Ok(()) if alone => job.answer(None),
                Ok(()) => {
                    let error = self.last_error();
                    done.drain(..).for_each(|earlier: Box<dyn Job>| earlier.answer(Some(&error)));
                    job.answer(None);
                }
                Err(error) => {
                    self.roll_back();
                    done.drain(..).for_each(|earlier: Box<dyn Job>| earlier.answer(Some(&error)));
                    job.answer(Some(&error));
                }
            }
        }
        let committed = if self.in_transaction() { self.frame("COMMIT") } else { Ok(()) };
        if committed.is_err() {
            self.roll_back();
        }
        done.into_iter().for_each(|job| job.answer(committed.as_ref().err()));
    }

    /// Runs one job between savepoints, so that its failure undoes its own changes only. A job that is alone
    /// needs none: the transaction is its own. Nor does a single statement, and that pays: within a savepoint
    /// SQLite copies every page before it changes it, about a quarter of the cost of an insert.
    fn run_one(&mut self, job: &mut dyn Job, alone: bool) -> Result<(), DbError> {
        let size = job.size();
        let bare = alone || size != Size::Any;
        if !bare {
            self.frame("SAVEPOINT job")?;
        }
        let ran = job.run(&mut self.tx);
        if !ran && size == Size::Sure && !alone {
            // A part of it may stand: nothing of this commit is kept.
            return Err(self.last_error());
        }
        // A caller that went away in the meantime is as good as one that rolls back, where that is still possible.
        let keep = ran && (!job.is_abandoned() || (bare && !alone));
        if !self.in_transaction() {
            return Ok(());
        }
        match (bare, keep) {
            (true, true) => Ok(()),
            (true, false) if alone => self.frame("ROLLBACK"),
            (true, false) => Ok(()),
            (false, true) => self.frame("RELEASE job"),
            (false, false) => {
                self.frame("ROLLBACK TO job")?;
                self.frame("RELEASE job")
            }
        }
    }

    fn roll_back(&mut self) {
        if self.in_transaction() && self.frame("ROLLBACK").is_err() {
            tracing::error!("a failed transaction could not be rolled back");
        }
    }

    fn maintain(&mut self, text: &'static str) {
        let result = match &mut self.tx.driver {
            Driver::Sqlite(session) => session.script(text),
            Driver::Postgres(_) => Ok(()),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "upkeep of the database failed");
        }
    }
}
