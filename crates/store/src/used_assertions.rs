//! The `jti` of assertions that were taken: of service accounts and of clients alike, each under its own principal.

use crate::db::{DbError, Tx, sql};
use crate::statements::statements;
use kernel::{Hashed, Time};

statements! {
    // The primary key is the one thing that makes an assertion single-use: of any number of copies at once, on any
    // node, one sees its row written.
    INSERT = "INSERT INTO used_assertions (principal, jti_hash, until_at) VALUES ($1, $2, $3)
        ON CONFLICT (principal, jti_hash) DO NOTHING";
    DELETE_OVER = "DELETE FROM used_assertions WHERE (principal, jti_hash) IN
        (SELECT principal, jti_hash FROM used_assertions WHERE until_at < $1 ORDER BY until_at LIMIT $2)";
}

/// Uses a `jti` up: `true` for exactly one assertion. `principal` is who it speaks for, with its kind in front
/// (`service_account:..`, `client:..`), so that one cannot use up another's. `until` is later than any moment at which
/// the assertion could be taken.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, principal: &str, jti: &Hashed, until: Time) -> Result<bool, DbError> {
    sql(INSERT).bind(principal).bind(jti).bind(until).wrote(tx).await
}

/// Deletes at most `limit` that no assertion could repeat at `now`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_over(tx: &mut Tx, now: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_OVER).bind(now).bind(limit).execute(tx).await
}
