//! What happened and somebody wanted to hear of, with the bytes that tell of it.

use crate::db::{DbError, Query, Tx, sql};
use crate::statements::statements;
use connect::notice::NewEvent;
use kernel::Time;
use kernel::ids::EventId;

statements! {
    INSERT = "INSERT INTO events (id, organization_id, environment, event, tenant_id, body, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    DELETE_BEFORE = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id < $1 ORDER BY id LIMIT $2)";
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, id: &EventId, new: &NewEvent, body: &str, now: Time) -> Result<(), DbError> {
    insertion(id, new, body, now).execute(tx).await.map(drop)
}

pub(crate) fn insertion(id: &EventId, new: &NewEvent, body: &str, now: Time) -> Query {
    let query = sql(INSERT).bind(id).bind(&new.organization).bind(new.environment).bind(new.event.as_str());
    query.bind(new.tenant).bind(body).bind(now)
}

/// Deletes at most `limit` events from before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(&EventId::earliest(before)).bind(limit).execute(tx).await
}
