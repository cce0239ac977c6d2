//! Runs that ended so long ago that their logs go, or they themselves: found stretch by stretch in the order in which
//! they ended, so that what stays is not read by who deletes.

use crate::db::{DbError, Query, Tx, sql};
use crate::statements::statements;
use kernel::Time;

// What the next run of a tenant is handed stays, however old it is.
macro_rules! is_over {
    () => {
        "r.id <> (SELECT MAX(l.id) FROM runs AS l WHERE l.tenant_id = r.tenant_id)
            AND r.id <> COALESCE((SELECT MAX(s.id) FROM runs AS s
                WHERE s.tenant_id = r.tenant_id AND s.phase = 'Succeeded'), 0)"
    };
}

statements! {
    LOGGED = "SELECT r.completed_at, EXISTS (SELECT 1 FROM run_logs AS l WHERE l.run_id = r.id) FROM runs AS r
        WHERE r.completed_at > $1 AND r.completed_at < $2 ORDER BY r.completed_at LIMIT $3";
    DELETE_LOGS = "DELETE FROM run_logs WHERE run_id IN (SELECT l.run_id FROM runs AS r
        CROSS JOIN run_logs AS l WHERE l.run_id = r.id AND r.completed_at > $1 AND r.completed_at <= $2 LIMIT $3)";
    ENDED = concat!("SELECT r.completed_at, ", is_over!(), " FROM runs AS r
        WHERE r.completed_at > $1 AND r.completed_at < $2 ORDER BY r.completed_at LIMIT $3");
    DELETE = concat!("DELETE FROM runs WHERE id IN (SELECT r.id FROM runs AS r
        WHERE r.completed_at > $1 AND r.completed_at <= $2 AND ", is_over!(), ")");
}

/// Runs that ended one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// When the last of them ended.
    pub until: Time,
    /// Whether there is anything to delete.
    pub any: bool,
}

async fn stretch(query: Query, tx: &mut Tx) -> Result<Option<Stretch>, DbError> {
    let mut found = None;
    for mut row in query.all(tx).await? {
        let (until, here): (Time, bool) = (row.take()?, row.take()?);
        let before = found.is_some_and(|known: Stretch| known.any);
        found = Some(Stretch { until, any: before || here });
    }
    Ok(found)
}

/// The next at most `limit` runs that ended after `after` and before `before`, and whether they have logs.
///
/// # Errors
/// [`DbError`].
pub async fn logged(tx: &mut Tx, after: Time, before: Time, limit: i64) -> Result<Option<Stretch>, DbError> {
    stretch(sql(LOGGED).bind(after).bind(before).bind(limit), tx).await
}

/// Deletes logs of the runs that ended after `after` and not after `until`; `limit` bounds how many parts are looked at.
///
/// # Errors
/// [`DbError`].
pub async fn delete_logs(tx: &mut Tx, after: Time, until: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_LOGS).bind(after).bind(until).bind(limit).execute(tx).await
}

/// The next at most `limit` runs that ended after `after` and before `before`, and whether some of them can go.
///
/// # Errors
/// [`DbError`].
pub async fn ended(tx: &mut Tx, after: Time, before: Time, limit: i64) -> Result<Option<Stretch>, DbError> {
    stretch(sql(ENDED).bind(after).bind(before).bind(limit), tx).await
}

/// Deletes those that ended after `after` and not after `until`, with their logs, but for what the next run of a tenant
/// is handed.
///
/// # Errors
/// [`DbError`].
pub async fn delete(tx: &mut Tx, after: Time, until: Time) -> Result<u64, DbError> {
    sql(DELETE).bind(after).bind(until).execute(tx).await
}
