//! The queue: one row per thing to do about one subject (decision 0012).
//!
//! A job is enqueued in the transaction of the change that it follows. Whoever works claims it for a while
//! ([`claim`]) and says what became of it ([`outcome`]); what nobody could do is a dead letter ([`letters`]).

pub mod birth;
pub mod claim;
pub mod letters;
pub mod outcome;

use crate::db::{DbError, Query, Row, Tx, sql};
use crate::statements::statements;
use kernel::Time;
use kernel::ids::{JobId, OrganizationId};

pub use birth::Hold;
pub use claim::{Claim, Look};
pub use letters::Letters;
pub use outcome::{Ended, Outcome};

/// What is to be done, and so what a job's subject names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The next run of a tenant; the subject is its id.
    Run,
    /// A fresh credential for a connection; the subject is its id.
    Refresh,
    /// A notice to an endpoint; the subject is a message's id, or the lane of an endpoint that is told in order.
    Notice,
    /// A release out of its repository; the subject is its id.
    Build,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Run, Self::Refresh, Self::Notice, Self::Build];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Refresh => "refresh",
            Self::Notice => "notice",
            Self::Build => "build",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Anybody may take it.
    Ready,
    /// Its time has not come.
    Waiting,
    /// Somebody does it.
    Held,
    /// Nobody could do it; kept to be looked at and replayed.
    Dead,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Ready, Self::Waiting, Self::Held, Self::Dead];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Dead => "dead",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A job as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub kind: Kind,
    pub organization: OrganizationId,
    pub subject: String,
    pub state: State,
    /// How many times it was begun since it was last done.
    pub attempts: u32,
    pub due: Time,
    /// Asked for again while it is held: done once more, at this time.
    pub again: Option<Time>,
    pub holder: Option<String>,
    pub held_until: Option<Time>,
    /// Why it was not done the last time.
    pub failure: Option<String>,
    pub created: Time,
    pub died: Option<Time>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish<'a> {
    pub kind: Kind,
    pub organization: &'a OrganizationId,
    pub subject: String,
    /// Not before this time.
    pub due: Time,
}

macro_rules! columns {
    () => {
        "id, kind, organization_id, subject, state, attempts, due_at, again_at, holder, held_until, failure,
        created_at, died_at"
    };
}
pub(crate) use columns;

macro_rules! inserted {
    () => {
        "INSERT INTO jobs (id, kind, organization_id, subject, state, attempts, due_at, again_at, holder, held_until,
        failure, created_at, died_at) VALUES ($1, $2, $3, $4, $5, 0, $6, NULL, NULL, NULL, NULL, $7, NULL)
        ON CONFLICT (kind, subject) DO UPDATE SET "
    };
}

// What becomes of a job that is there already when it is asked for; one that was waiting or dead is then as named.
macro_rules! asked_again {
    ($state:literal) => {
        concat!("state = CASE WHEN jobs.state IN ('held', 'ready') THEN jobs.state
            WHEN jobs.state = 'waiting' AND jobs.failure IS NOT NULL THEN jobs.state ELSE ", $state, " END,
        due_at = CASE WHEN jobs.state = 'dead' THEN excluded.due_at WHEN jobs.state = 'held' THEN jobs.due_at
            WHEN jobs.state = 'waiting' AND jobs.failure IS NOT NULL THEN jobs.due_at
            WHEN excluded.due_at < jobs.due_at THEN excluded.due_at ELSE jobs.due_at END,
        again_at = CASE WHEN jobs.state <> 'held' THEN NULL
            WHEN jobs.again_at IS NULL OR excluded.due_at < jobs.again_at THEN excluded.due_at ELSE jobs.again_at END,
        attempts = CASE WHEN jobs.state = 'dead' THEN 0 ELSE jobs.attempts END,
        failure = CASE WHEN jobs.state = 'dead' THEN NULL ELSE jobs.failure END, died_at = NULL")
    };
}
pub(crate) use asked_again;

statements! {
    // The conflict takes the row's lock: a claim that is committed by then is seen as held, one that comes later sees
    // what the caller's transaction wrote beside the job. So nothing that is asked for is missed.
    ENQUEUE = concat!(inserted!(), asked_again!("excluded.state"));
    PUT = concat!(inserted!(), "
        state = CASE WHEN jobs.state = 'held' THEN jobs.state ELSE excluded.state END,
        due_at = CASE WHEN jobs.state = 'held' THEN jobs.due_at ELSE excluded.due_at END,
        again_at = CASE WHEN jobs.state = 'held' THEN excluded.due_at ELSE NULL END,
        attempts = CASE WHEN jobs.state = 'held' THEN jobs.attempts ELSE 0 END, failure = NULL, died_at = NULL");
    MOVE = "UPDATE jobs SET state = CASE WHEN state = 'held' THEN state ELSE 'waiting' END,
        due_at = CASE WHEN state = 'held' THEN due_at ELSE $3 END,
        again_at = CASE WHEN state = 'held' THEN $3 ELSE NULL END,
        attempts = CASE WHEN state = 'held' THEN attempts ELSE 0 END, failure = NULL, died_at = NULL
        WHERE kind = $1 AND subject = $2";
    REMOVE = "DELETE FROM jobs WHERE kind = $1 AND subject = $2";
    OF_SUBJECT = concat!("SELECT ", columns!(), " FROM jobs WHERE kind = $1 AND subject = $2");
}

fn job(mut row: Row) -> Result<Job, DbError> {
    let (id, kind, organization) = (row.take()?, row.take_word(Kind::parse)?, row.take()?);
    let (subject, state) = (row.take()?, row.take_word(State::parse)?);
    let (attempts, due, again) = (row.take::<i64>()?, row.take()?, row.take()?);
    let attempts = u32::try_from(attempts.max(0)).unwrap_or(u32::MAX);
    let (holder, held_until, failure) = (row.take()?, row.take()?, row.take()?);
    let (created, died) = (row.take()?, row.take()?);
    Ok(Job {
        id,
        kind,
        organization,
        subject,
        state,
        attempts,
        due,
        again,
        holder,
        held_until,
        failure,
        created,
        died,
    })
}

fn insertion(text: &'static str, wish: &Wish<'_>, id: &JobId, now: Time) -> Query {
    let state = if wish.due <= now { State::Ready } else { State::Waiting };
    let query = sql(text).bind(id).bind(wish.kind.as_str()).bind(wish.organization).bind(&wish.subject);
    query.bind(state.as_str()).bind(wish.due).bind(now)
}

/// Asks for something to be done. Where the job is there already:
///
/// - ready or waiting, its time becomes the earlier of the two;
/// - waiting because it failed, it keeps its back-off: who asks often shall not wear out what is down;
/// - held, it is done once more afterwards;
/// - dead, it is revived.
///
/// Several of one unit of work are best asked for in the order of their subjects, as the last thing in it: units of work
/// that lock the same rows in different orders stop each other.
///
/// # Errors
/// [`DbError`].
pub async fn enqueue(tx: &mut Tx, wish: &Wish<'_>, id: JobId, now: Time) -> Result<(), DbError> {
    asking(wish, &id, now).execute(tx).await.map(drop)
}

pub(crate) fn asking(wish: &Wish<'_>, id: &JobId, now: Time) -> Query {
    insertion(ENQUEUE, wish, id, now)
}

/// As [`enqueue`], at exactly the wish's time, whatever time the job had: for what depends on one date that changes.
/// A held job is waiting for that time afterwards.
///
/// # Errors
/// [`DbError`].
pub async fn put(tx: &mut Tx, wish: &Wish<'_>, id: JobId, now: Time) -> Result<(), DbError> {
    insertion(PUT, wish, &id, now).execute(tx).await.map(drop)
}

/// Gives a job that is there exactly this time, also one that is backing off or dead; `false` where there is none.
///
/// # Errors
/// [`DbError`].
pub async fn move_due(tx: &mut Tx, kind: Kind, subject: &str, due: Time) -> Result<bool, DbError> {
    sql(MOVE).bind(kind.as_str()).bind(subject).bind(due).wrote(tx).await
}

/// Takes a job out, whatever its state. Who holds it learns so when the lease is to be extended or the outcome is kept.
///
/// # Errors
/// [`DbError`].
pub async fn remove(tx: &mut Tx, kind: Kind, subject: &str) -> Result<bool, DbError> {
    sql(REMOVE).bind(kind.as_str()).bind(subject).wrote(tx).await
}

/// # Errors
/// [`DbError`].
pub async fn of_subject(tx: &mut Tx, kind: Kind, subject: &str) -> Result<Option<Job>, DbError> {
    sql(OF_SUBJECT).bind(kind.as_str()).bind(subject).maybe(tx).await?.map(job).transpose()
}
