//! What became of messages, as their owner reads it.

use super::{columns, count, message, status};
use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use connect::notice::{Attempt, EventType, Message, Place, State};
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
    ATTEMPTS = "SELECT notice_id, number, at, took_us, status, failure FROM notice_attempts
        WHERE endpoint_id = $1 AND at <= $2 AND (at < $2 OR notice_id < $4 OR (notice_id = $4 AND number < $5))
        ORDER BY at DESC, notice_id DESC, number DESC LIMIT $3";
    FAILED_ATTEMPTS = "SELECT notice_id, number, at, took_us, status, failure FROM notice_attempts
        WHERE endpoint_id = $1 AND failure IS NOT NULL
        AND at <= $2 AND (at < $2 OR notice_id < $4 OR (notice_id = $4 AND number < $5))
        ORDER BY at DESC, notice_id DESC, number DESC LIMIT $3";
    // In the order in which they were written: when they were delivered stands in no index.
    AT_ONCE = "SELECT id, attempts, since, took_us, status, NULL FROM notices
        WHERE endpoint_id = $1 AND state = 'delivered' AND attempts = 1 AND id < $2 ORDER BY id DESC LIMIT $3";
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

/// An endpoint's tries with their places, newest first; those that stand before `before`. A message that was delivered
/// at its first try stands where it was written, which is nearly when it was tried.
///
/// # Errors
/// [`DbError`].
pub async fn attempts(
    tx: &mut Tx,
    endpoint: &EndpointId,
    failed_only: bool,
    before: &Place,
    limit: i64,
) -> Result<Vec<(Place, Attempt)>, DbError> {
    let (message, number) =
        before.one.as_ref().map_or(("", 0), |(message, number)| (message.as_str(), *number));
    let query = sql(if failed_only { FAILED_ATTEMPTS } else { ATTEMPTS });
    let query = query.bind(endpoint).bind(before.at).bind(limit).bind(message).bind(i64::from(number));
    let mut found = Vec::new();
    for row in query.all(tx).await? {
        let tried = attempt(row)?;
        found.push((place(tried.at, &tried), tried));
    }
    if !failed_only {
        let query = sql(AT_ONCE).bind(endpoint).bind(&written_before(before)).bind(limit);
        for row in query.all(tx).await? {
            let tried = attempt(row)?;
            found.push((place(tried.message.moment(), &tried), tried));
        }
        found.sort_by(|(one, _), (other, _)| other.cmp(one));
        found.truncate(usize::try_from(limit).unwrap_or(0));
    }
    Ok(found)
}

fn place(at: Time, tried: &Attempt) -> Place {
    Place { at, one: Some((tried.message.clone(), tried.number)) }
}

/// The first id of which the moment is not before a place. Ids know their millisecond only.
fn written_before(place: &Place) -> MessageId {
    let whole = Time::from_micros(place.at.millis().saturating_mul(1_000));
    match &place.one {
        _ if whole < place.at => MessageId::earliest(Time::from_micros(whole.micros().saturating_add(1_000))),
        Some((message, _)) if message.moment() == place.at => message.clone(),
        _ => MessageId::earliest(place.at),
    }
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
