//! What became of a job that was held.

use crate::db::{DbError, Query, Tx, json, sql};
use crate::statements::statements;
use kernel::Time;
use kernel::ids::JobId;

/// Jobs of one statement.
const TOGETHER: usize = 16;

/// What whoever did it says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Over; done once more only where it was asked for meanwhile.
    Done,
    /// Not over, and nothing is wrong: begun again at this time, or earlier when somebody asks.
    Wait { at: Time },
    /// It failed; tried again at this time and not earlier, also where somebody asks meanwhile.
    Again { at: Time, failure: String },
    /// Given up: a dead letter. Where it was asked for meanwhile it is done once more instead.
    Dead { failure: String },
    /// Not begun, or given up at a point where that does not matter: anybody may take it at once, and the try does not
    /// count.
    HandBack,
}

impl Outcome {
    /// For metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Wait { .. } => "wait",
            Self::Again { .. } => "again",
            Self::Dead { .. } => "dead",
            Self::HandBack => "handed_back",
        }
    }
}

/// A job with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub id: JobId,
    pub outcome: Outcome,
}

macro_rules! of_holder {
    () => {
        " WHERE holder = $1 AND id = $2"
    };
}
// What is asked for while it was held begins anew: no tries, no failure.
macro_rules! anew {
    () => {
        "attempts = 0, failure = NULL, due_at = again_at, again_at = NULL, holder = NULL, held_until = NULL"
    };
}

// Locked in one order, as by everybody who asks for several: tenants by their numbers, all others by their names.
const LOCK_ON_POSTGRES: &str = "SELECT locked.id FROM (
        SELECT found.id FROM json_array_elements_text(CAST($2 AS JSON)) AS named (id)
        CROSS JOIN LATERAL (SELECT id, subject FROM jobs WHERE jobs.id = named.id AND holder = $1 LIMIT 1) AS found
        ORDER BY LENGTH(found.subject), found.subject) AS sorted
    CROSS JOIN LATERAL (SELECT id FROM jobs WHERE jobs.id = sorted.id AND holder = $1 FOR UPDATE) AS locked";

/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[("jobs/outcome::LOCK", LOCK_ON_POSTGRES)];

statements! {
    // Every guard names the holder, which only what is held has: whoever lost the lease changes nothing of what another
    // does. The state is not asked for, or PostgreSQL would look for the few by reading all that is held.
    DELETE_DONE = "DELETE FROM jobs WHERE holder = $1 AND again_at IS NULL AND id IN
        ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    ONCE_MORE = concat!("UPDATE jobs SET state = CASE WHEN again_at <= $18 THEN 'ready' ELSE 'waiting' END, ", anew!(),
        " WHERE holder = $1 AND again_at IS NOT NULL AND id IN
        ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)");
    WAIT = concat!("UPDATE jobs SET state = CASE WHEN again_at <= $4 OR $3 <= $4 THEN 'ready' ELSE 'waiting' END,
        attempts = 0, failure = NULL, due_at = CASE WHEN again_at < $3 THEN again_at ELSE $3 END, again_at = NULL,
        holder = NULL, held_until = NULL", of_holder!(), " RETURNING state = 'ready'");
    AGAIN = concat!("UPDATE jobs SET state = 'waiting', due_at = $3, failure = $4, again_at = NULL, holder = NULL,
        held_until = NULL", of_holder!());
    DIE = concat!("UPDATE jobs SET state = 'dead', failure = $3, died_at = $4, holder = NULL, held_until = NULL",
        of_holder!(), " AND again_at IS NULL");
    HAND_BACK = concat!("UPDATE jobs SET state = 'ready', attempts = attempts - 1, again_at = NULL, holder = NULL,
        held_until = NULL", of_holder!());
}

/// Keeps what became of any number of jobs. Of one that is not this holder's any more nothing is kept. Whether one of
/// them is to be done once more, and may be ready: whoever claims has to look, because whoever asked for it did so while
/// it was held and wakes nobody.
///
/// # Errors
/// [`DbError`]; nothing of it is kept then.
pub async fn keep(tx: &mut Tx, holder: &str, ended: &[Ended], now: Time) -> Result<bool, DbError> {
    let mut is_left = false;
    if tx.is_postgres() && ended.len() > 1 {
        let ids: Vec<&str> = ended.iter().map(|ended| ended.id.as_str()).collect();
        sql(LOCK_ON_POSTGRES).bind(holder).bind(json(&ids)?).all(tx).await?;
    }
    let done: Vec<&JobId> =
        ended.iter().filter(|ended| ended.outcome == Outcome::Done).map(|ended| &ended.id).collect();
    for some in done.chunks(TOGETHER) {
        let deleted = of_many(DELETE_DONE, holder, some).execute(tx).await?;
        if usize::try_from(deleted).unwrap_or(usize::MAX) < some.len() {
            is_left |= of_many(ONCE_MORE, holder, some).bind(now).execute(tx).await? > 0;
        }
    }
    for Ended { id, outcome } in ended {
        let of = |text: &'static str| sql(text).bind(holder).bind(id);
        match outcome {
            Outcome::Done => {}
            Outcome::Wait { at } => {
                if let Some(mut row) = of(WAIT).bind(*at).bind(now).maybe(tx).await? {
                    is_left |= row.take::<bool>()?;
                }
            }
            Outcome::Again { at, failure } => drop(of(AGAIN).bind(*at).bind(failure).execute(tx).await?),
            Outcome::HandBack => is_left |= of(HAND_BACK).wrote(tx).await?,
            Outcome::Dead { failure } => {
                if !of(DIE).bind(failure).bind(now).wrote(tx).await? {
                    is_left |= of_many(ONCE_MORE, holder, &[id]).bind(now).execute(tx).await? > 0;
                }
            }
        }
    }
    Ok(is_left)
}

/// The statement of at most [`TOGETHER`] jobs; the places of those that are fewer name no job.
fn of_many(text: &'static str, holder: &str, ids: &[&JobId]) -> Query {
    let ids = ids.iter().map(|id| id.as_str()).chain(std::iter::repeat("")).take(TOGETHER);
    ids.fold(sql(text).bind(holder), |query, id| query.bind(id))
}
