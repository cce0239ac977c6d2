//! Messages: one event for one endpoint each, from the moment they are written until they are delivered or dead.

pub mod log;
pub mod replay;
pub mod tell;

use crate::db::{Db, DbError, Query, Row, Tx, sql};
use crate::notice_endpoints::{disabled, previous};
use crate::statements::statements;
use connect::notice::{Attempt, Disabled, EndpointUrl, Message, State, Subject};
use kernel::ids::{EndpointId, EventId, MessageId, OrganizationId};
use kernel::{Sealed, Time};

/// First tries of one statement.
const TOGETHER: usize = 16;

macro_rules! columns {
    () => {
        "n.id, n.endpoint_id, n.event_id, n.lane, n.state, n.since, n.begun_at, n.failures, n.attempts, n.next_at,
        n.failure"
    };
}
use columns;

macro_rules! due {
    ($which:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            ", p.organization_id, e.body, p.url, p.disabled, p.failing_since, p.resume_at, p.secret,
            p.previous_secret, p.previous_until, p.deleted_at IS NOT NULL FROM notices AS n
            JOIN notice_endpoints AS p ON p.id = n.endpoint_id LEFT JOIN events AS e ON e.id = n.event_id
            WHERE p.organization_id = $1 AND n.state = 'waiting' AND ",
            $which
        )
    };
}

statements! {
    INSERT = "INSERT INTO notices (id, endpoint_id, event_id, lane, place, state, since, begun_at, failures, attempts,
        next_at, failure, took_us, status)
        VALUES ($1, $2, $3, NULL, NULL, 'waiting', $4, $4, 0, 0, NULL, NULL, NULL, NULL)";
    // Behind everything that waits in the lane. What a transaction cannot see yet runs beside it, and so has no order.
    INSERT_IN_LANE = "INSERT INTO notices (id, endpoint_id, event_id, lane, place, state, since, begun_at, failures,
        attempts, next_at, failure, took_us, status)
        SELECT $1, $2, $3, $5, COALESCE(MAX(place), 0) + 1, 'waiting', $4, $4, 0, 0, NULL, NULL, NULL, NULL
        FROM notices WHERE lane = $5 AND state = 'waiting'";
    DUE = due!("n.id = $2");
    FIRST_IN_LANE = due!("n.lane = $2 ORDER BY n.place, n.id LIMIT 1");
    // The number of tries is the guard: whoever was overtaken, by another worker or a replay, changes nothing.
    DELIVERED = "UPDATE notices SET state = 'delivered', since = $3, attempts = attempts + 1, next_at = NULL,
        failure = NULL, took_us = $4, status = $5 WHERE id = $1 AND attempts = $2 AND state = 'waiting'";
    // Their ids stand there twice, so that PostgreSQL finds the few by their key, also while it takes the table for small.
    DELIVERED_AT_ONCE = "WITH new (id, at, took, status) AS MATERIALIZED (VALUES
            ($1, CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT)), ($5, $6, $7, $8), ($9, $10, $11, $12),
            ($13, $14, $15, $16), ($17, $18, $19, $20), ($21, $22, $23, $24), ($25, $26, $27, $28), ($29, $30, $31, $32),
            ($33, $34, $35, $36), ($37, $38, $39, $40), ($41, $42, $43, $44), ($45, $46, $47, $48), ($49, $50, $51, $52),
            ($53, $54, $55, $56), ($57, $58, $59, $60), ($61, $62, $63, $64))
        UPDATE notices SET state = 'delivered', since = new.at, attempts = 1, next_at = NULL, failure = NULL,
            took_us = new.took, status = new.status
        FROM new WHERE notices.id = new.id AND notices.attempts = 0 AND notices.state <> 'delivered'
            AND notices.state <> 'dead' AND notices.id IN
            ($1, $5, $9, $13, $17, $21, $25, $29, $33, $37, $41, $45, $49, $53, $57, $61)";
    FAILED = "UPDATE notices SET state = $3, since = $4, attempts = attempts + 1, failures = failures + 1, next_at = $5,
        failure = $6 WHERE id = $1 AND attempts = $2 AND state = 'waiting'";
    DIE = "UPDATE notices SET state = 'dead', since = $2, next_at = NULL, failure = $3
        WHERE id = $1 AND state = 'waiting'";
    DIE_IN_LANE = "UPDATE notices SET state = 'dead', since = $2, next_at = NULL, failure = $3
        WHERE lane = $1 AND state = 'waiting'";
    LOG = "INSERT INTO notice_attempts (notice_id, number, endpoint_id, at, took_us, status, failure)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (notice_id, number) DO NOTHING";
    DELETE_OVER = "DELETE FROM notices WHERE id IN (SELECT id FROM notices
        WHERE id < $1 AND state <> 'waiting' ORDER BY id LIMIT $2)";
}

/// A message that is to be delivered, with all that its delivery needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub message: Message,
    pub organization: OrganizationId,
    /// What is posted; `None` where its event was cleaned up since.
    pub body: Option<String>,
    pub url: EndpointUrl,
    pub disabled: Option<Disabled>,
    pub failing: Option<Time>,
    pub resume: Option<Time>,
    pub secret: Sealed,
    pub previous: Option<(Sealed, Time)>,
    /// The endpoint was deleted.
    pub deleted: bool,
}

fn count(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

fn message(row: &mut Row) -> Result<Message, DbError> {
    let (id, endpoint, event, lane) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (state, since, begun) = (row.take_word(State::parse)?, row.take()?, row.take()?);
    let (failures, attempts) = (count(row.take()?), count(row.take()?));
    let (next, failure) = (row.take()?, row.take()?);
    Ok(Message { id, endpoint, event, lane, state, since, begun, failures, attempts, next, failure })
}

fn status(number: Option<i64>) -> Result<Option<u16>, DbError> {
    let read = number.map(u16::try_from).transpose();
    read.map_err(|_| DbError::Corrupt("an answer has no HTTP status".to_owned()))
}

fn due(mut row: Row) -> Result<Due, DbError> {
    let message = message(&mut row)?;
    let organization = row.take()?;
    let (body, url) = (row.take()?, row.take_word(|text| EndpointUrl::parse(text).ok())?);
    let disabled = disabled(row.take()?)?;
    let (failing, resume, secret) = (row.take()?, row.take()?, row.take()?);
    let previous = previous(row.take()?, row.take()?);
    let deleted = row.take()?;
    Ok(Due { message, organization, body, url, disabled, failing, resume, secret, previous, deleted })
}

/// Writes a message that waits to be delivered.
///
/// # Errors
/// [`DbError`].
pub async fn insert(
    tx: &mut Tx,
    id: &MessageId,
    endpoint: &EndpointId,
    event: &EventId,
    lane: Option<&str>,
    now: Time,
) -> Result<(), DbError> {
    addition(id, endpoint, event, lane, now).execute(tx).await.map(drop)
}

fn addition(id: &MessageId, endpoint: &EndpointId, event: &EventId, lane: Option<&str>, now: Time) -> Query {
    match lane {
        Some(lane) => sql(INSERT_IN_LANE).bind(id).bind(endpoint).bind(event).bind(now).bind(lane),
        None => insertion(id, endpoint, event, now),
    }
}

/// Outside a lane.
fn insertion(id: &MessageId, endpoint: &EndpointId, event: &EventId, now: Time) -> Query {
    sql(INSERT).bind(id).bind(endpoint).bind(event).bind(now)
}

/// What a job is about, if it is still to be delivered: the message, or the first one of the lane.
///
/// # Errors
/// [`DbError`].
pub async fn due_of(
    db: &Db,
    organization: &OrganizationId,
    subject: &Subject,
) -> Result<Option<Due>, DbError> {
    let query = match subject {
        Subject::Message(id) => sql(DUE).bind(organization).bind(id),
        Subject::Lane(lane) => sql(FIRST_IN_LANE).bind(organization).bind(lane),
    };
    db.maybe(query).await?.map(due).transpose()
}

/// A first try that delivered, by itself. `false` where the message was overtaken.
///
/// # Errors
/// [`DbError`].
pub async fn delivered_first(db: &Db, message: &Message, attempt: &Attempt) -> Result<bool, DbError> {
    Ok(db.execute(delivery(message, attempt)).await? > 0)
}

/// A first try that delivered, which is what nearly all of them are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstTry {
    pub message: MessageId,
    /// When the answer was there.
    pub at: Time,
    pub took_us: i64,
    pub status: Option<u16>,
}

/// Keeps many first tries that delivered, in few statements. Of a message that was overtaken nothing is kept.
///
/// # Errors
/// [`DbError`].
pub async fn delivered_at_once(tx: &mut Tx, tries: &[FirstTry]) -> Result<(), DbError> {
    for some in tries.chunks(TOGETHER) {
        let mut query = sql(DELIVERED_AT_ONCE);
        for FirstTry { message, at, took_us, status } in some {
            query = query.bind(message).bind(*at).bind(*took_us).bind(status.map(i64::from));
        }
        // Places that are left over name no message.
        for _ in some.len()..TOGETHER {
            query = query.bind("").bind(0_i64).bind(0_i64).bind(None::<i64>);
        }
        query.execute(tx).await?;
    }
    Ok(())
}

fn delivery(message: &Message, attempt: &Attempt) -> Query {
    let query = sql(DELIVERED).bind(&message.id).bind(i64::from(message.attempts));
    query.bind(attempt.at).bind(attempt.took_us).bind(attempt.status.map(i64::from))
}

/// A later try that delivered.
///
/// # Errors
/// [`DbError`].
pub async fn delivered(tx: &mut Tx, message: &Message, attempt: &Attempt) -> Result<bool, DbError> {
    let wrote = delivery(message, attempt).wrote(tx).await?;
    if wrote {
        log(tx, &message.endpoint, attempt).await?;
    }
    Ok(wrote)
}

/// A try that failed: tried again at `next`, or dead.
///
/// # Errors
/// [`DbError`].
pub async fn failed(
    tx: &mut Tx,
    message: &Message,
    attempt: &Attempt,
    next: Option<Time>,
) -> Result<bool, DbError> {
    let state = if next.is_some() { State::Waiting } else { State::Dead };
    let since = if next.is_some() { message.since } else { attempt.at };
    let query = sql(FAILED).bind(&message.id).bind(i64::from(message.attempts)).bind(state.as_str());
    let wrote = query.bind(since).bind(next).bind(attempt.failure.as_deref()).wrote(tx).await?;
    if wrote {
        log(tx, &message.endpoint, attempt).await?;
    }
    Ok(wrote)
}

async fn log(tx: &mut Tx, endpoint: &EndpointId, attempt: &Attempt) -> Result<(), DbError> {
    let query = sql(LOG).bind(&attempt.message).bind(i64::from(attempt.number)).bind(endpoint);
    let query = query.bind(attempt.at).bind(attempt.took_us).bind(attempt.status.map(i64::from));
    query.bind(attempt.failure.as_deref()).execute(tx).await.map(drop)
}

/// Gives up without a try; with `whole_lane` on everything that waits in its lane, where it is in one.
///
/// # Errors
/// [`DbError`].
pub async fn die(
    tx: &mut Tx,
    message: &Message,
    whole_lane: bool,
    failure: &str,
    now: Time,
) -> Result<u64, DbError> {
    let query = match &message.lane {
        Some(lane) if whole_lane => sql(DIE_IN_LANE).bind(lane),
        _ => sql(DIE).bind(&message.id),
    };
    query.bind(now).bind(failure).execute(tx).await
}

/// Deletes at most `limit` messages from before `before` that are delivered or dead, with their tries.
///
/// # Errors
/// [`DbError`].
pub async fn delete_over(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_OVER).bind(&MessageId::earliest(before)).bind(limit).execute(tx).await
}
