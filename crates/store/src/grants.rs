//! Grants: the families of codes and tokens. Revoking one is one update here. What they rest on is read in
//! [`crate::standings`].

use crate::db::{Db, DbError, Query, Row, Tx, json, sql};
use crate::revision::present;
use crate::statements::statements;
use enter::ids::{ClientId, GrantId, PersonId, SessionId};
use enter::oidc::{AuthorizationCode, Grant};
use kernel::{Hashed, Time};

macro_rules! own {
    () => {
        "id, client_id, person_id, session_id, account_id, scopes, claims, created_at, expires_at, revoked_at,
        code_hash, redirect_uri, challenge, nonce"
    };
}

statements! {
    INSERT = concat!("INSERT INTO grants (", own!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)");
    // What was decided from memory is confirmed with the row: the revision of what is watched, and the session as it was
    // found by its cookie. SQLite does it in two statements, of which the second writes one row and nothing else;
    // PostgreSQL takes the grants of all who ask meanwhile in one.
    CONFIRMED = concat!("SELECT 1 FROM sessions WHERE id = $1 AND hash = $2 AND ended_at IS NULL AND $3 = ", present!());
    INSERT_CONFIRMED = concat!("WITH new (", own!(), ", cookie, revision) AS (VALUES ($1, $2, $3, $4, $5, $6, $7,
            CAST($8 AS BIGINT), CAST($9 AS BIGINT), CAST($10 AS BIGINT), $11, $12, $13, $14, $15, CAST($16 AS BIGINT)))
        INSERT INTO grants (", own!(), ")
        SELECT new.id, new.client_id, new.person_id, new.session_id, new.account_id, new.scopes, new.claims,
            new.created_at, new.expires_at, new.revoked_at, new.code_hash, new.redirect_uri, new.challenge, new.nonce
        FROM new JOIN sessions AS s ON s.id = new.session_id AND s.hash = new.cookie AND s.ended_at IS NULL
        JOIN revisions AS r ON r.name = 'second_door' AND r.value = new.revision
        WHERE TRUE RETURNING id");
    BURN = "UPDATE grants SET burnt_at = $2 WHERE id = $1 AND burnt_at IS NULL";
    REVOKE = "UPDATE grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    REVOKE_OF_SESSION = "UPDATE grants SET revoked_at = $2 WHERE session_id = $1 AND revoked_at IS NULL";
    // By the sessions, which have an index for it: a grant's person is its session's.
    REVOKE_OF_PERSON = "UPDATE grants SET revoked_at = $3 WHERE client_id = $2 AND revoked_at IS NULL
        AND session_id IN (SELECT id FROM sessions WHERE person_id = $1)";
    DELETE_EXPIRED = "DELETE FROM grants WHERE id IN
        (SELECT id FROM grants WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
}

pub(crate) fn grant(row: &mut Row) -> Result<Grant, DbError> {
    let (id, client, person, session) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (account, scopes, claims) = (row.take()?, row.take_json()?, row.take_json_or_null()?);
    let (created, expires, revoked) = (row.take()?, row.take()?, row.take()?);
    Ok(Grant { id, client, person, session, account, scopes, claims, created, expires, revoked })
}

fn inserting(text: &'static str, new: &Grant, code: &AuthorizationCode) -> Result<Query, DbError> {
    let query = sql(text).bind(&new.id).bind(&new.client).bind(&new.person).bind(&new.session);
    let query = query.bind(new.account.as_ref()).bind(json(&new.scopes)?);
    let query = query.bind(new.claims.as_ref().map(json).transpose()?);
    let query = query.bind(new.created).bind(new.expires).bind(new.revoked).bind(&code.hash);
    Ok(query.bind(&code.redirect_uri).bind(code.challenge.as_deref()).bind(code.nonce.as_deref()))
}

/// With the code that begins it, which is of the same client, scopes and time.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Grant, code: &AuthorizationCode) -> Result<(), DbError> {
    inserting(INSERT, new, code)?.execute(tx).await.map(drop)
}

/// The same by itself, where what it was decided by is still so; it shares its commit with others. `cookie` is the
/// hash that the session was found by, `revision` that of everything else ([`crate::revision`]). `false` where
/// something has changed: nothing is kept then.
///
/// # Errors
/// [`DbError`].
pub async fn insert_confirmed(
    db: &Db,
    new: &Grant,
    code: &AuthorizationCode,
    cookie: &Hashed,
    revision: i64,
) -> Result<bool, DbError> {
    if db.engine() == "postgres" {
        let query = inserting(INSERT_CONFIRMED, new, code)?.for_many();
        return Ok(db.execute(query.bind(cookie).bind(revision)).await? > 0);
    }
    let still = sql(CONFIRMED).bind(&new.session).bind(cookie).bind(revision);
    let query = inserting(INSERT, new, code)?;
    Ok(db.write_after(still, move |_| Ok((query, ()))).await?.is_some())
}

/// Uses a code up that brings nothing; `false` where that has happened.
///
/// # Errors
/// [`DbError`].
pub async fn burn(tx: &mut Tx, id: &GrantId, now: Time) -> Result<bool, DbError> {
    sql(BURN).bind(id).bind(now).wrote(tx).await
}

/// Ends a grant and with it every token of it; `false` where it had ended.
///
/// # Errors
/// [`DbError`].
pub async fn revoke(tx: &mut Tx, id: &GrantId, now: Time) -> Result<bool, DbError> {
    sql(REVOKE).bind(id).bind(now).wrote(tx).await
}

/// Ends all of a session; how many were still in force.
///
/// # Errors
/// [`DbError`].
pub async fn revoke_of_session(tx: &mut Tx, session: &SessionId, now: Time) -> Result<u64, DbError> {
    sql(REVOKE_OF_SESSION).bind(session).bind(now).execute(tx).await
}

/// Ends all that a person granted a client, when consent is taken back; how many were still in force.
///
/// # Errors
/// [`DbError`].
pub async fn revoke_of_person(
    tx: &mut Tx,
    person: &PersonId,
    client: &ClientId,
    now: Time,
) -> Result<u64, DbError> {
    sql(REVOKE_OF_PERSON).bind(person).bind(client).bind(now).execute(tx).await
}

/// Deletes at most `limit` grants that ended before `before`, with their codes and tokens.
///
/// # Errors
/// [`DbError`].
pub async fn delete_expired(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_EXPIRED).bind(before).bind(limit).execute(tx).await
}
