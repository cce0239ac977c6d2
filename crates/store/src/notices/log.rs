//! What became of messages, as their owner reads it.

use super::{columns, count, message, status};
use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use connect::notice::{Attempt, EventType, Message, State};
use kernel::ids::{EndpointId, MessageId, OrganizationId};
use kernel::{Environment, Time};

macro_rules! listed {
    ($state:literal) => {
        concat!(
            "SELECT * FROM (SELECT ",
            columns!(),
            ", e.event, e.tenant_id FROM notices AS n
            LEFT JOIN events AS e ON e.id = n.event_id
            WHERE n.endpoint_id = $1 AND n.state = '",
            $state,
            "' AND n.id < $2
            ORDER BY n.id DESC LIMIT $3) AS ",
            $state
        )
    };
}

statements! {
    LIST_WAITING = listed!("waiting");
    LIST_DELIVERED = listed!("delivered");
    LIST_DEAD = listed!("dead");
    // Each part stops at the limit, so that the whole is never sorted.
    LIST = concat!(listed!("waiting"), " UNION ALL ", listed!("delivered"), " UNION ALL ", listed!("dead"),
        " ORDER BY 1 DESC LIMIT $3");
    ATTEMPTS = "SELECT * FROM (SELECT a.notice_id, a.number, a.at, a.took_us, a.status, a.failure
            FROM notice_attempts AS a WHERE a.endpoint_id = $1 AND a.at < $2 ORDER BY a.at DESC LIMIT $3) AS tried
        UNION ALL SELECT * FROM (SELECT n.id, n.attempts, n.since AS at, n.took_us, n.status, NULL
            FROM notices AS n WHERE n.endpoint_id = $1 AND n.state = 'delivered' AND n.attempts = 1 AND n.id < $4
            AND n.since < $2 ORDER BY n.id DESC LIMIT $3) AS at_once
        ORDER BY at DESC LIMIT $3";
    FAILED_ATTEMPTS = "SELECT notice_id, number, at, took_us, status, failure FROM notice_attempts
        WHERE endpoint_id = $1 AND at < $2 AND failure IS NOT NULL ORDER BY at DESC LIMIT $3";
    ONE = concat!("SELECT ", columns!(), ", e.event, e.tenant_id FROM notices AS n
        JOIN notice_endpoints AS p ON p.id = n.endpoint_id LEFT JOIN events AS e ON e.id = n.event_id
        WHERE p.organization_id = $1 AND p.environment = $2 AND n.id = $3 AND p.deleted_at IS NULL");
    OF_MESSAGE = "SELECT notice_id, number, at, took_us, status, failure FROM notice_attempts WHERE notice_id = $1
        UNION ALL SELECT id, attempts, since, took_us, status, NULL FROM notices
        WHERE id = $1 AND state = 'delivered' AND attempts = 1 ORDER BY number";
}

/// A message with what its event is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub message: Message,
    /// `None` where the event was cleaned up since.
    pub event: Option<EventType>,
    pub tenant: Option<i64>,
}

fn listed(mut row: Row) -> Result<Listed, DbError> {
    let message = message(&mut row)?;
    let event = row.take::<Option<String>>()?.as_deref().and_then(EventType::parse);
    Ok(Listed { message, event, tenant: row.take()? })
}

fn attempt(mut row: Row) -> Result<Attempt, DbError> {
    let (message, number, at) = (row.take()?, count(row.take()?), row.take()?);
    let took_us = row.take::<Option<i64>>()?.unwrap_or_default();
    Ok(Attempt { message, number, at, took_us, status: status(row.take()?)?, failure: row.take()? })
}

/// An endpoint's messages, newest first; those older than `before`.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    endpoint: &EndpointId,
    state: Option<State>,
    before: &MessageId,
    limit: i64,
) -> Result<Vec<Listed>, DbError> {
    let text = match state {
        None => LIST,
        Some(State::Waiting) => LIST_WAITING,
        Some(State::Delivered) => LIST_DELIVERED,
        Some(State::Dead) => LIST_DEAD,
    };
    let rows = sql(text).bind(endpoint).bind(before).bind(limit).all(tx).await?;
    rows.into_iter().map(listed).collect()
}

/// An endpoint's tries, newest first; those from before `before`. A message that was delivered at once stands here by
/// the time when it was written, which is nearly that of the try.
///
/// # Errors
/// [`DbError`].
pub async fn attempts(
    tx: &mut Tx,
    endpoint: &EndpointId,
    failed_only: bool,
    before: Time,
    limit: i64,
) -> Result<Vec<Attempt>, DbError> {
    let query = sql(if failed_only { FAILED_ATTEMPTS } else { ATTEMPTS });
    let query = query.bind(endpoint).bind(before).bind(limit);
    // Ids know their millisecond only.
    let after = Time::from_micros(before.micros().saturating_add(1_000));
    let query = if failed_only { query } else { query.bind(&MessageId::earliest(after)) };
    query.all(tx).await?.into_iter().map(attempt).collect()
}

/// # Errors
/// [`DbError`].
pub async fn one(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &MessageId,
) -> Result<Option<Listed>, DbError> {
    sql(ONE).bind(organization).bind(environment).bind(id).maybe(tx).await?.map(listed).transpose()
}

/// The tries of one message, first to last.
///
/// # Errors
/// [`DbError`].
pub async fn of_message(tx: &mut Tx, message: &MessageId) -> Result<Vec<Attempt>, DbError> {
    sql(OF_MESSAGE).bind(message).all(tx).await?.into_iter().map(attempt).collect()
}
