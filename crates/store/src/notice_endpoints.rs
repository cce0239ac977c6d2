//! Where organizations hear of events.

use crate::db::{Db, DbError, Row, Tx, sql};
use crate::listing::next_revision;
use crate::statements::statements;
use connect::notice::{Disabled, Endpoint, EndpointUrl, EventType};
use kernel::ids::{EndpointId, OrganizationId};
use kernel::{Environment, Sealed, Time};

macro_rules! columns {
    () => {
        "id, organization_id, environment, url, description, ordered, disabled, failing_since, resume_at, secret,
        previous_secret, previous_until, created_at, modified_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO notice_endpoints (", columns!(), ", deleted_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, NULL)");
    CHOOSE = "INSERT INTO notice_choices (endpoint_id, event) VALUES ($1, $2)";
    UNCHOOSE = "DELETE FROM notice_choices WHERE endpoint_id = $1";
    CHOICES = "SELECT c.endpoint_id, c.event FROM notice_endpoints AS p JOIN notice_choices AS c ON c.endpoint_id = p.id
        WHERE p.organization_id = $1 AND p.environment = $2 AND p.deleted_at IS NULL";
    LIST = concat!("SELECT ", columns!(), " FROM notice_endpoints
        WHERE organization_id = $1 AND environment = $2 AND deleted_at IS NULL ORDER BY id");
    FAILING = concat!("SELECT ", columns!(), " FROM notice_endpoints
        WHERE failing_since < $1 AND disabled IS NULL AND deleted_at IS NULL ORDER BY failing_since, id LIMIT $2");
    // What somebody else changed since it was read is not written over.
    UPDATE = "UPDATE notice_endpoints SET url = $4, description = $5, ordered = $6, disabled = $7, failing_since = $8,
        resume_at = $9, secret = $10, previous_secret = $11, previous_until = $12, modified_at = $13
        WHERE organization_id = $1 AND id = $2 AND modified_at = $3 AND deleted_at IS NULL";
    DELETE = "UPDATE notice_endpoints SET deleted_at = $4
        WHERE organization_id = $1 AND environment = $2 AND id = $3 AND deleted_at IS NULL";
    LISTENERS = "SELECT p.id, p.ordered FROM notice_endpoints AS p
        JOIN notice_choices AS c ON c.endpoint_id = p.id AND c.event = $3
        WHERE p.organization_id = $1 AND p.environment = $2 AND p.disabled IS NULL AND p.deleted_at IS NULL
        ORDER BY p.id";
    // The NULL guards keep a row that many tries are about from being written by more than the first of them.
    FAILS = "UPDATE notice_endpoints SET failing_since = $2 WHERE id = $1 AND failing_since IS NULL";
    RECOVERED = "UPDATE notice_endpoints SET failing_since = NULL, resume_at = NULL
        WHERE id = $1 AND (failing_since IS NOT NULL OR resume_at IS NOT NULL)";
    REST = "UPDATE notice_endpoints SET resume_at = $2 WHERE id = $1 AND (resume_at IS NULL OR resume_at < $2)";
    GONE = "UPDATE notice_endpoints SET disabled = 'gone', modified_at = $2 WHERE id = $1 AND disabled IS NULL";
    DELETE_OVER = "DELETE FROM notice_endpoints WHERE id IN (SELECT id FROM notice_endpoints
        WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2)";
}

/// An endpoint that chose an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub endpoint: EndpointId,
    pub ordered: bool,
}

fn endpoint(mut row: Row) -> Result<Endpoint, DbError> {
    let (id, organization, environment) = (row.take()?, row.take()?, row.take()?);
    let url = row.take_word(|text| EndpointUrl::parse(text).ok())?;
    let (description, ordered) = (row.take()?, row.take()?);
    let disabled = disabled(row.take()?)?;
    let (failing, resume, secret) = (row.take()?, row.take()?, row.take()?);
    let previous = previous(row.take()?, row.take()?);
    let (created, modified) = (row.take()?, row.take()?);
    Ok(Endpoint {
        id,
        organization,
        environment,
        url,
        description,
        events: Vec::new(),
        ordered,
        disabled,
        failing,
        resume,
        secret,
        previous,
        created,
        modified,
    })
}

pub(crate) fn disabled(text: Option<String>) -> Result<Option<Disabled>, DbError> {
    let read =
        |text: String| Disabled::parse(&text).ok_or_else(|| corrupt("an endpoint is disabled for no reason"));
    text.map(read).transpose()
}

pub(crate) fn previous(secret: Option<Sealed>, until: Option<Time>) -> Option<(Sealed, Time)> {
    secret.zip(until)
}

fn corrupt(what: &str) -> DbError {
    DbError::Corrupt(what.to_owned())
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Endpoint) -> Result<(), DbError> {
    let query =
        sql(INSERT).bind(&new.id).bind(&new.organization).bind(new.environment).bind(new.url.as_str());
    let query = query.bind(&new.description).bind(new.ordered).bind(new.disabled.map(Disabled::as_str));
    let query = query.bind(new.failing).bind(new.resume).bind(&new.secret);
    let (previous, until) = new.previous.as_ref().map(|(secret, until)| (secret, *until)).unzip();
    query.bind(previous).bind(until).bind(new.created).bind(new.modified).execute(tx).await?;
    choose(tx, new).await
}

async fn choose(tx: &mut Tx, endpoint: &Endpoint) -> Result<(), DbError> {
    for event in &endpoint.events {
        sql(CHOOSE).bind(&endpoint.id).bind(event.as_str()).execute(tx).await?;
    }
    Ok(())
}

/// All of one environment, oldest first; not those that were deleted.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
) -> Result<Vec<Endpoint>, DbError> {
    let rows = sql(LIST).bind(organization).bind(environment).all(tx).await?;
    let mut endpoints = rows.into_iter().map(endpoint).collect::<Result<Vec<_>, _>>()?;
    for mut row in sql(CHOICES).bind(organization).bind(environment).all(tx).await? {
        let (id, event): (EndpointId, _) = (row.take()?, row.take_word(EventType::parse)?);
        if let Some(endpoint) = endpoints.iter_mut().find(|endpoint| endpoint.id == id) {
            endpoint.events.push(event);
        }
    }
    for endpoint in &mut endpoints {
        endpoint.events.sort_unstable();
    }
    Ok(endpoints)
}

/// One of them. There are few, so it is found in the list.
///
/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &EndpointId,
) -> Result<Option<Endpoint>, DbError> {
    Ok(list(tx, organization, environment).await?.into_iter().find(|endpoint| endpoint.id == *id))
}

/// Of all organizations those that have taken nothing since before `before`, without their events: for the operator.
///
/// # Errors
/// [`DbError`].
pub async fn failing(tx: &mut Tx, before: Time, limit: i64) -> Result<Vec<Endpoint>, DbError> {
    sql(FAILING).bind(before).bind(limit).all(tx).await?.into_iter().map(endpoint).collect()
}

/// Writes a change back; `None` where somebody else made one since it was read. What is returned has its new revision.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, changed: &Endpoint, now: Time) -> Result<Option<Endpoint>, DbError> {
    let modified = next_revision(changed.modified, now);
    let query = sql(UPDATE).bind(&changed.organization).bind(&changed.id).bind(changed.modified);
    let query = query.bind(changed.url.as_str()).bind(&changed.description).bind(changed.ordered);
    let query = query.bind(changed.disabled.map(Disabled::as_str)).bind(changed.failing).bind(changed.resume);
    let (previous, until) = changed.previous.as_ref().map(|(secret, until)| (secret, *until)).unzip();
    let query = query.bind(&changed.secret).bind(previous).bind(until).bind(modified);
    if !query.wrote(tx).await? {
        return Ok(None);
    }
    sql(UNCHOOSE).bind(&changed.id).execute(tx).await?;
    choose(tx, changed).await?;
    Ok(Some(Endpoint { modified, ..changed.clone() }))
}

/// It is not seen any more and gets nothing; its row goes after its messages.
///
/// # Errors
/// [`DbError`].
pub async fn delete(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &EndpointId,
    now: Time,
) -> Result<bool, DbError> {
    sql(DELETE).bind(organization).bind(environment).bind(id).bind(now).wrote(tx).await
}

/// Who is to be told of this event, by id.
///
/// # Errors
/// [`DbError`].
pub async fn listeners(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    event: EventType,
) -> Result<Vec<Listener>, DbError> {
    let rows = sql(LISTENERS).bind(organization).bind(environment).bind(event.as_str()).all(tx).await?;
    let listener = |mut row: Row| Ok(Listener { endpoint: row.take()?, ordered: row.take()? });
    rows.into_iter().map(listener).collect()
}

/// A try has failed: notes since when, if that is new.
///
/// # Errors
/// [`DbError`].
pub async fn fails(tx: &mut Tx, id: &EndpointId, now: Time) -> Result<bool, DbError> {
    sql(FAILS).bind(id).bind(now).wrote(tx).await
}

/// A try has succeeded where the one before had failed.
///
/// # Errors
/// [`DbError`].
pub async fn recovered(db: &Db, id: &EndpointId) -> Result<bool, DbError> {
    Ok(db.execute(sql(RECOVERED).bind(id)).await? > 0)
}

/// It asked to be left alone until then.
///
/// # Errors
/// [`DbError`].
pub async fn rest(tx: &mut Tx, id: &EndpointId, until: Time) -> Result<bool, DbError> {
    sql(REST).bind(id).bind(until).wrote(tx).await
}

/// It wants no messages any more; `false` where it was switched off before.
///
/// # Errors
/// [`DbError`].
pub async fn gone(tx: &mut Tx, id: &EndpointId, now: Time) -> Result<bool, DbError> {
    sql(GONE).bind(id).bind(now).wrote(tx).await
}

/// Deletes at most `limit` rows that were deleted for their owner before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_over(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_OVER).bind(before).bind(limit).execute(tx).await
}
