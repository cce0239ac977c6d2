//! Refresh tokens, found by their hash.

use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use enter::oidc::{RefreshState, RefreshToken};
use kernel::{Hashed, Time};

macro_rules! columns {
    () => {
        "hash, grant_id, client_id, state, used_at, successor, issued_at, expires_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO refresh_tokens (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    BY_HASH = concat!("SELECT ", columns!(), " FROM refresh_tokens WHERE hash = $1");
    // One statement, because it sees one moment also on PostgreSQL: a successor that is read after somebody else's
    // refresh does not fit the token that was read before it, and would look used.
    WITH_SUCCESSOR = "SELECT t.hash, t.grant_id, t.client_id, t.state, t.used_at, t.successor, t.issued_at, t.expires_at,
        s.hash, s.grant_id, s.client_id, s.state, s.used_at, s.successor, s.issued_at, s.expires_at
        FROM refresh_tokens AS t LEFT JOIN refresh_tokens AS s ON s.hash = t.successor WHERE t.hash = $1";
    // The guard on the state (and, from the second use on, on the successor) that the decision was made from is
    // the one thing that lets one of many uses at once win; the others decide again.
    SAVE = "UPDATE refresh_tokens SET state = $2, used_at = $3, successor = $4
        WHERE hash = $1 AND state = $5 AND COALESCE(successor, '') = $6";
    // Only one that nobody has used: a successor that was used in the meantime makes the decision void.
    REVOKE_UNUSED = "UPDATE refresh_tokens SET state = 'revoked' WHERE hash = $1 AND state = 'live'";
    DELETE_EXPIRED = "DELETE FROM refresh_tokens WHERE hash IN
        (SELECT hash FROM refresh_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
}

/// The columns `state`, `used_at` and `successor`.
fn written(state: &RefreshState) -> (&'static str, Option<Time>, Option<&Hashed>) {
    match state {
        RefreshState::Live => ("live", None, None),
        RefreshState::Rotated { at, successor } => ("rotated", Some(*at), Some(successor)),
        RefreshState::Forgiven { at, successor } => ("forgiven", Some(*at), Some(successor)),
        RefreshState::Revoked => ("revoked", None, None),
    }
}

/// The next eight columns; `None` where there is no row behind them.
fn token(row: &mut Row) -> Result<Option<RefreshToken>, DbError> {
    let (hash, grant, client) =
        (row.take::<Option<_>>()?, row.take::<Option<_>>()?, row.take::<Option<_>>()?);
    let (state, used, successor) =
        (row.take::<Option<String>>()?, row.take::<Option<Time>>()?, row.take::<Option<Hashed>>()?);
    let (_issued, expires) = (row.take::<Option<Time>>()?, row.take::<Option<Time>>()?);
    let Some((((hash, grant), client), expires)) = hash.zip(grant).zip(client).zip(expires) else {
        return Ok(None);
    };
    let state = match (state.as_deref(), used, successor) {
        (Some("live"), _, _) => RefreshState::Live,
        (Some("rotated"), Some(at), Some(successor)) => RefreshState::Rotated { at, successor },
        (Some("forgiven"), Some(at), Some(successor)) => RefreshState::Forgiven { at, successor },
        (Some("revoked"), _, _) => RefreshState::Revoked,
        _ => return Err(DbError::Corrupt("a refresh token's state does not fit together".to_owned())),
    };
    Ok(Some(RefreshToken { hash, client, grant, expires, state }))
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &RefreshToken, issued: Time) -> Result<(), DbError> {
    let (state, used, successor) = written(&new.state);
    let query = sql(INSERT).bind(&new.hash).bind(&new.grant).bind(&new.client).bind(state).bind(used);
    query.bind(successor).bind(issued).bind(new.expires).execute(tx).await.map(drop)
}

/// By the hash of what was presented, which is what names it. Also a used one: reuse is to be noticed.
///
/// # Errors
/// [`DbError`].
pub async fn by_hash(tx: &mut Tx, hash: &Hashed) -> Result<Option<RefreshToken>, DbError> {
    let row = sql(BY_HASH).bind(hash).maybe(tx).await?;
    row.map_or(Ok(None), |mut row| token(&mut row))
}

/// The same with the successor that it names, as both are at one moment.
///
/// # Errors
/// [`DbError`].
pub async fn with_successor(
    tx: &mut Tx,
    hash: &Hashed,
) -> Result<Option<(RefreshToken, Option<RefreshToken>)>, DbError> {
    let Some(mut row) = sql(WITH_SUCCESSOR).bind(hash).maybe(tx).await? else { return Ok(None) };
    let Some(found) = token(&mut row)? else { return Ok(None) };
    Ok(Some((found, token(&mut row)?)))
}

/// Stores the next state of a token where it is still in the state `from` that the decision was made from.
///
/// # Errors
/// [`DbError`].
pub async fn save(tx: &mut Tx, next: &RefreshToken, from: &RefreshState) -> Result<bool, DbError> {
    let (state, used, successor) = written(&next.state);
    let (old, _, known) = written(from);
    let query = sql(SAVE).bind(&next.hash).bind(state).bind(used).bind(successor);
    query.bind(old).bind(known.map_or("", Hashed::as_str)).wrote(tx).await
}

/// Revokes a token that nobody has used; `false` where somebody has.
///
/// # Errors
/// [`DbError`].
pub async fn revoke_unused(tx: &mut Tx, hash: &Hashed) -> Result<bool, DbError> {
    sql(REVOKE_UNUSED).bind(hash).wrote(tx).await
}

/// Deletes at most `limit` tokens that ended before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_expired(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_EXPIRED).bind(before).bind(limit).execute(tx).await
}
