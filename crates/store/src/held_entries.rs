//! Entries that wait for a person's answer, in one browser.

use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use kernel::{Environment, Hashed, Time};

macro_rules! columns {
    () => {
        "token_hash, cookie_hash, environment, code_hash, since, answered_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO held_entries (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6)");
    FIND = concat!("SELECT ", columns!(), " FROM held_entries WHERE token_hash = $1 AND environment = $2");
    // The NULL guard is the one thing that makes an answer count once.
    ANSWER = "UPDATE held_entries SET answered_at = $2 WHERE token_hash = $1 AND answered_at IS NULL";
    DELETE_BEFORE = "DELETE FROM held_entries WHERE token_hash IN
        (SELECT token_hash FROM held_entries WHERE since < $1 ORDER BY since LIMIT $2)";
}

/// A redeemed code whose entry is not decided yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldEntry {
    /// Of the page's token; unique.
    pub token: Hashed,
    /// Of the cookie that binds the answer to the browser that was asked.
    pub cookie: Hashed,
    pub environment: Environment,
    /// Of the entry code.
    pub code: Hashed,
    pub since: Time,
    pub answered: Option<Time>,
}

fn held(mut row: Row) -> Result<HeldEntry, DbError> {
    let (token, cookie, environment) = (row.take()?, row.take()?, row.take()?);
    Ok(HeldEntry { token, cookie, environment, code: row.take()?, since: row.take()?, answered: row.take()? })
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &HeldEntry) -> Result<(), DbError> {
    let query = sql(INSERT).bind(&new.token).bind(&new.cookie).bind(new.environment).bind(&new.code);
    query.bind(new.since).bind(new.answered).execute(tx).await.map(drop)
}

/// By the hash of the page's token, which is what names it. Also an answered one: the rule decides.
///
/// # Errors
/// [`DbError`].
pub async fn find(
    tx: &mut Tx,
    environment: Environment,
    token: &Hashed,
) -> Result<Option<HeldEntry>, DbError> {
    sql(FIND).bind(token).bind(environment).maybe(tx).await?.map(held).transpose()
}

/// `true` for exactly one caller.
///
/// # Errors
/// [`DbError`].
pub async fn answer(tx: &mut Tx, token: &Hashed, now: Time) -> Result<bool, DbError> {
    sql(ANSWER).bind(token).bind(now).wrote(tx).await
}

/// Deletes at most `limit` entries from before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(before).bind(limit).execute(tx).await
}
