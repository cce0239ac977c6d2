//! What became of messages, as their owner reads it.

use super::{columns, count, message, status};
use crate::db::{DbError, Query, Row, Tx, sql};
use crate::listing::{Listed as Part, Page};
use crate::statements::statements;
use connect::notice::{Attempt, EventType, Message, Place, State};
use kernel::ids::{EndpointId, MessageId, OrganizationId};
use kernel::{Environment, Time};

macro_rules! tries {
    ($which:literal) => {
        concat!(
            "SELECT notice_id, number, at, took_us, status, failure FROM notice_attempts WHERE endpoint_id = $1",
            $which
        )
    };
}

statements! {
    COUNT = "SELECT COUNT(*) FROM notices WHERE endpoint_id = $1 AND ($2 = '' OR state = $2)";
    COUNT_ATTEMPTS = "SELECT (SELECT COUNT(*) FROM notice_attempts WHERE endpoint_id = $1) + (SELECT COUNT(*) FROM notices
        WHERE endpoint_id = $1 AND state = 'delivered' AND attempts = 1)";
    COUNT_FAILED_ATTEMPTS = "SELECT COUNT(*) FROM notice_attempts WHERE endpoint_id = $1 AND failure IS NOT NULL";
    ATTEMPTS = concat!(tries!(""), " AND at <= $2 AND (at < $2 OR notice_id < $4 OR (notice_id = $4 AND number < $5))
        ORDER BY at DESC, notice_id DESC, number DESC LIMIT $3");
    FAILED_ATTEMPTS = concat!(tries!(" AND failure IS NOT NULL"),
        " AND at <= $2 AND (at < $2 OR notice_id < $4 OR (notice_id = $4 AND number < $5))
        ORDER BY at DESC, notice_id DESC, number DESC LIMIT $3");
    FIRST_ATTEMPTS = concat!(tries!(""), " ORDER BY at, notice_id, number LIMIT $2");
    FIRST_FAILED_ATTEMPTS = concat!(tries!(" AND failure IS NOT NULL"), " ORDER BY at, notice_id, number LIMIT $2");
    // In the order in which they were written: when they were delivered stands in no index.
    AT_ONCE = "SELECT id, attempts, since, took_us, status, NULL FROM notices
        WHERE endpoint_id = $1 AND state = 'delivered' AND attempts = 1 AND id < $2 ORDER BY id DESC LIMIT $3";
    FIRST_AT_ONCE = "SELECT id, attempts, since, took_us, status, NULL FROM notices
        WHERE endpoint_id = $1 AND state = 'delivered' AND attempts = 1 ORDER BY id LIMIT $2";
    ONE = concat!("SELECT ", columns!(), ", e.event, e.tenant_id FROM notices AS n
        JOIN notice_endpoints AS p ON p.id = n.endpoint_id LEFT JOIN events AS e ON e.id = n.event_id
        WHERE p.organization_id = $1 AND p.environment = $2 AND n.id = $3 AND p.deleted_at IS NULL");
    OF_MESSAGE = "SELECT notice_id, number, at, took_us, status, failure FROM notice_attempts WHERE notice_id = $1
        UNION ALL SELECT id, attempts, since, took_us, status, NULL FROM notices
        WHERE id = $1 AND state = 'delivered' AND attempts = 1 ORDER BY number";
}

// A beginning that is never run by itself.
const OF_ENDPOINT: &str = concat!(
    "SELECT ",
    columns!(),
    ", e.event, e.tenant_id FROM notices AS n LEFT JOIN events AS e ON e.id = n.event_id WHERE n.endpoint_id = $1"
);

/// Each part stops where the page ends, so that the whole is never sorted.
fn of_states(states: &[State], descending: bool) -> String {
    let direction = if descending { "DESC" } else { "ASC" };
    let part = |state: &State| {
        let state = state.as_str();
        format!(
            "SELECT * FROM ({OF_ENDPOINT} AND n.state = '{state}' AND n.id < $2
            ORDER BY n.id {direction} LIMIT $3) AS {state}"
        )
    };
    let parts: Vec<_> = states.iter().map(part).collect();
    format!("{} ORDER BY 1 {direction} LIMIT $4 OFFSET $5", parts.join(" UNION ALL "))
}

/// The composed statements, for the test that prepares them.
pub(crate) fn composed() -> Vec<String> {
    let each = |descending| {
        let one = State::ALL.into_iter().map(move |state| of_states(&[state], descending));
        one.chain([of_states(&State::ALL, descending)])
    };
    [true, false].into_iter().flat_map(each).collect()
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

/// A page of an endpoint's messages by when they were written, of those older than `before`; and how many there are of
/// any age.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    endpoint: &EndpointId,
    state: Option<State>,
    before: &MessageId,
    page: Page<()>,
) -> Result<Part<Listed>, DbError> {
    let total = sql(COUNT).bind(endpoint).bind(state.map_or("", State::as_str)).one(tx).await?.take()?;
    let text = match state {
        None => of_states(&State::ALL, page.descending),
        Some(state) => of_states(&[state], page.descending),
    };
    let (limit, skip) = (page.limit.max(0), page.skip.max(0));
    let query = sql(text).bind(endpoint).bind(before).bind(limit.saturating_add(skip)).bind(limit).bind(skip);
    let rows = query.all(tx).await?.into_iter().map(listed).collect::<Result<_, _>>()?;
    Ok(Part { rows, total })
}

/// A page of an endpoint's tries with their places, and how many there are in all. A message that was delivered at its
/// first try stands where it was written, which is nearly when it was tried.
///
/// Newest first they begin behind `before`; a page of the oldest first begins at the beginning. What is skipped is read,
/// because the two kinds of tries stand in two tables.
///
/// # Errors
/// [`DbError`].
pub async fn attempts(
    tx: &mut Tx,
    endpoint: &EndpointId,
    failed_only: bool,
    before: &Place,
    page: Page<()>,
) -> Result<Part<(Place, Attempt)>, DbError> {
    let count = if failed_only { COUNT_FAILED_ATTEMPTS } else { COUNT_ATTEMPTS };
    let total = sql(count).bind(endpoint).one(tx).await?.take()?;
    let (limit, skip) = (page.limit.max(0), page.skip.max(0));
    let end = limit.saturating_add(skip);
    let [again, at_once] = if page.descending {
        older(endpoint, failed_only, before, end)
    } else {
        let again = if failed_only { FIRST_FAILED_ATTEMPTS } else { FIRST_ATTEMPTS };
        [again, FIRST_AT_ONCE].map(|text| sql(text).bind(endpoint).bind(end))
    };
    let mut found = Vec::new();
    for row in again.all(tx).await? {
        let tried = attempt(row)?;
        found.push((place(tried.at, &tried), tried));
    }
    if !failed_only {
        for row in at_once.all(tx).await? {
            let tried = attempt(row)?;
            found.push((place(tried.message.moment(), &tried), tried));
        }
        found.sort_by(|(one, _), (other, _)| if page.descending { other.cmp(one) } else { one.cmp(other) });
    }
    let cut = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let rows = found.into_iter().skip(cut(skip)).take(cut(limit)).collect();
    Ok(Part { rows, total })
}

/// What reads at most `limit` tries behind a place, newest first: those that stand by themselves, and those that
/// delivered at once.
fn older(endpoint: &EndpointId, failed_only: bool, before: &Place, limit: i64) -> [Query; 2] {
    let (message, number) =
        before.one.as_ref().map_or(("", 0), |(message, number)| (message.as_str(), *number));
    let again = sql(if failed_only { FAILED_ATTEMPTS } else { ATTEMPTS });
    let again = again.bind(endpoint).bind(before.at).bind(limit).bind(message).bind(i64::from(number));
    [again, sql(AT_ONCE).bind(endpoint).bind(&written_before(before)).bind(limit)]
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
