//! Pushed authorization requests (RFC 9126), found by the hash of their reference.

use crate::db::{DbError, Row, Tx, json, sql};
use crate::statements::statements;
use enter::oidc::authorize::Parameters;
use enter::oidc::par::PushedRequest;
use kernel::{Hashed, Time};

macro_rules! columns {
    () => {
        "hash, client_id, parameters, expires_at, used_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO pushed_requests (", columns!(), ") VALUES ($1, $2, $3, $4, $5)");
    BY_HASH = concat!("SELECT ", columns!(), " FROM pushed_requests WHERE hash = $1");
    // The NULL guard is the one thing that makes a reference single-use.
    MARK_USED = "UPDATE pushed_requests SET used_at = $2 WHERE hash = $1 AND used_at IS NULL";
    DELETE_EXPIRED = "DELETE FROM pushed_requests WHERE hash IN
        (SELECT hash FROM pushed_requests WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
}

fn pushed(mut row: Row) -> Result<PushedRequest, DbError> {
    let (hash, client) = (row.take()?, row.take()?);
    let parameters = Parameters::from_stored(row.take_json()?);
    Ok(PushedRequest { hash, client, parameters, expires: row.take()?, used: row.take()? })
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &PushedRequest) -> Result<(), DbError> {
    let query = sql(INSERT).bind(&new.hash).bind(&new.client).bind(json(&new.parameters.pairs())?);
    query.bind(new.expires).bind(new.used).execute(tx).await.map(drop)
}

/// By the hash of the reference, which is what names it. Also a used or expired one: the rule decides.
///
/// # Errors
/// [`DbError`].
pub async fn by_hash(tx: &mut Tx, hash: &Hashed) -> Result<Option<PushedRequest>, DbError> {
    sql(BY_HASH).bind(hash).maybe(tx).await?.map(pushed).transpose()
}

/// Uses a reference up: `true` for exactly one caller.
///
/// # Errors
/// [`DbError`].
pub async fn mark_used(tx: &mut Tx, hash: &Hashed, at: Time) -> Result<bool, DbError> {
    sql(MARK_USED).bind(hash).bind(at).wrote(tx).await
}

/// Deletes at most `limit` that ended before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_expired(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_EXPIRED).bind(before).bind(limit).execute(tx).await
}
