//! Access tokens that were revoked by themselves, by their `jti`, until they would have expired.

use crate::db::{DbError, Tx, sql};
use crate::statements::statements;
use kernel::Time;

statements! {
    INSERT = "INSERT INTO revoked_tokens (jti, until_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING";
    FIND = "SELECT 1 FROM revoked_tokens WHERE jti = $1";
    DELETE_EXPIRED = "DELETE FROM revoked_tokens WHERE jti IN
        (SELECT jti FROM revoked_tokens WHERE until_at < $1 ORDER BY until_at LIMIT $2)";
}

/// Revoking again changes nothing.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, jti: &str, until: Time) -> Result<(), DbError> {
    sql(INSERT).bind(jti).bind(until).execute(tx).await.map(drop)
}

/// # Errors
/// [`DbError`].
pub async fn is_revoked(tx: &mut Tx, jti: &str) -> Result<bool, DbError> {
    Ok(sql(FIND).bind(jti).maybe(tx).await?.is_some())
}

/// Deletes at most `limit` whose token has expired before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_expired(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_EXPIRED).bind(before).bind(limit).execute(tx).await
}
