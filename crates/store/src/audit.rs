//! The audit log: written in the same unit of work as the change it tells of.

use crate::db::{DbError, Query, Row, Tx, json, sql};
use crate::statements::statements;
use kernel::ids::{AuditId, OrganizationId};
use kernel::{Actor, Time, audit::Event};

/// An event as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: AuditId,
    pub at: Time,
    pub organization: Option<OrganizationId>,
    pub actor: Actor,
    pub action: String,
    pub subject: String,
    pub detail: serde_json::Value,
}

macro_rules! columns {
    () => {
        "id, at, organization_id, actor, action, subject, detail"
    };
}

statements! {
    INSERT = concat!("INSERT INTO audit (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7)");
    LIST = concat!("SELECT ", columns!(), " FROM audit
        WHERE organization_id = $1 AND at >= $2 ORDER BY at DESC, id DESC LIMIT $3");
    LIST_ALL = concat!("SELECT ", columns!(), " FROM audit WHERE at >= $1 ORDER BY at DESC, id DESC LIMIT $2");
    DELETE_BEFORE = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)";
}

fn entry(mut row: Row) -> Result<Entry, DbError> {
    let (id, at, organization, actor) = (row.take()?, row.take()?, row.take()?, row.take_json()?);
    Ok(Entry { id, at, organization, actor, action: row.take()?, subject: row.take()?, detail: row.take()? })
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, event: &Event) -> Result<(), DbError> {
    insertion(event)?.execute(tx).await.map(drop)
}

pub(crate) fn insertion(event: &Event) -> Result<Query, DbError> {
    let query = sql(INSERT).bind(&event.id).bind(event.at).bind(event.organization.as_ref());
    let query = query.bind(json(&event.actor)?).bind(event.action).bind(&event.subject);
    Ok(query.bind(&event.detail))
}

/// The newest since `since`, at most `limit`; of one organization, or of all for the operator.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: Option<&OrganizationId>,
    since: Time,
    limit: i64,
) -> Result<Vec<Entry>, DbError> {
    let query = match organization {
        Some(organization) => sql(LIST).bind(organization).bind(since),
        None => sql(LIST_ALL).bind(since),
    };
    query.bind(limit.max(0)).all(tx).await?.into_iter().map(entry).collect()
}

/// Deletes at most `limit` events from before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(before).bind(limit).execute(tx).await
}
