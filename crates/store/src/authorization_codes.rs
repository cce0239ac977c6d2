//! Authorization codes, found by their hash.

use crate::db::{DbError, Row, Tx, json, sql};
use crate::statements::statements;
use enter::oidc::{AuthorizationCode, CodeState};
use kernel::{Hashed, Time};

macro_rules! columns {
    () => {
        "hash, grant_id, client_id, redirect_uri, challenge, nonce, scopes, issued_at, redeemed_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO authorization_codes (", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    BY_HASH = concat!("SELECT ", columns!(), " FROM authorization_codes WHERE hash = $1");
    // The NULL guard is the one thing that makes a code single-use: of any number of redemptions at once, on any
    // node, one sees its row written.
    MARK_REDEEMED = "UPDATE authorization_codes SET redeemed_at = $2 WHERE hash = $1 AND redeemed_at IS NULL";
    DELETE_BEFORE = "DELETE FROM authorization_codes WHERE hash IN
        (SELECT hash FROM authorization_codes WHERE issued_at < $1 ORDER BY issued_at LIMIT $2)";
}

fn code(mut row: Row) -> Result<AuthorizationCode, DbError> {
    let (hash, grant, client, redirect_uri) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (challenge, nonce, scopes, issued) = (row.take()?, row.take()?, row.take_json()?, row.take()?);
    let state = match row.take::<Option<Time>>()? {
        None => CodeState::Issued,
        Some(at) => CodeState::Redeemed { at },
    };
    Ok(AuthorizationCode { hash, client, grant, redirect_uri, challenge, nonce, scopes, issued, state })
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &AuthorizationCode) -> Result<(), DbError> {
    let redeemed = match new.state {
        CodeState::Issued => None,
        CodeState::Redeemed { at } => Some(at),
    };
    let query = sql(INSERT).bind(&new.hash).bind(&new.grant).bind(&new.client).bind(&new.redirect_uri);
    let query = query.bind(new.challenge.as_deref()).bind(new.nonce.as_deref()).bind(json(&new.scopes)?);
    query.bind(new.issued).bind(redeemed).execute(tx).await.map(drop)
}

/// By the hash of what was presented, which is what names it. Also a used one: a replay is to be noticed.
///
/// # Errors
/// [`DbError`].
pub async fn by_hash(tx: &mut Tx, hash: &Hashed) -> Result<Option<AuthorizationCode>, DbError> {
    sql(BY_HASH).bind(hash).maybe(tx).await?.map(code).transpose()
}

/// Uses a code up: `true` for exactly one caller.
///
/// # Errors
/// [`DbError`].
pub async fn mark_redeemed(tx: &mut Tx, hash: &Hashed, at: Time) -> Result<bool, DbError> {
    sql(MARK_REDEEMED).bind(hash).bind(at).wrote(tx).await
}

/// Deletes at most `limit` codes that were issued before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(before).bind(limit).execute(tx).await
}
