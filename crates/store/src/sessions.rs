//! Browsers' sessions with the gateway, found by the hash of their cookie's secret.

use crate::db::{DbError, Query, Row, Tx, json, sql};
use crate::statements::statements;
use enter::ids::SessionId;
use enter::session::Session;
use kernel::{Environment, Hashed, Time};

macro_rules! columns {
    () => {
        "id, hash, partner_id, person_id, partner_session, authenticated_at, detail, created_at, touched_at,
        expires_at, ended_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO sessions (environment, ", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
    BY_COOKIE = concat!("SELECT ", columns!(), " FROM sessions WHERE hash = $1 AND environment = $2");
    // The old secret is the guard: of two entries that renew one session at the same time, one does, and the
    // other finds a session that it did not decide about.
    RENEW = "UPDATE sessions SET hash = $3, authenticated_at = $4, detail = $5, touched_at = $6, expires_at = $7
        WHERE id = $1 AND hash = $2 AND ended_at IS NULL";
    CHANGE_SECRET = "UPDATE sessions SET hash = $3 WHERE id = $1 AND hash = $2";
    TOUCH = "UPDATE sessions SET touched_at = $2 WHERE id = $1 AND touched_at < $2 AND ended_at IS NULL";
    // What hangs from a session outlives it: grants that were given for longer, and notices of its end.
    DELETE_OVER = "DELETE FROM sessions WHERE id IN (SELECT s.id FROM sessions AS s WHERE s.expires_at < $1
        AND NOT EXISTS (SELECT 1 FROM grants AS g WHERE g.session_id = s.id)
        AND NOT EXISTS (SELECT 1 FROM logout_notices AS n WHERE n.session_id = s.id)
        ORDER BY s.expires_at LIMIT $2)";
}

pub(crate) fn session(row: &mut Row) -> Result<Session, DbError> {
    let (id, secret, partner, person) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (partner_session, authenticated, detail) = (row.take()?, row.take()?, row.take_json()?);
    let (created, touched, expires, ended) = (row.take()?, row.take()?, row.take()?, row.take()?);
    Ok(Session {
        id,
        secret,
        partner,
        person,
        partner_session,
        authenticated,
        detail,
        created,
        touched,
        expires,
        ended,
    })
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, environment: Environment, new: &Session) -> Result<(), DbError> {
    inserting(environment, new)?.execute(tx).await.map(drop)
}

pub(crate) fn inserting(environment: Environment, new: &Session) -> Result<Query, DbError> {
    let query = sql(INSERT).bind(environment).bind(&new.id).bind(&new.secret).bind(&new.partner);
    let query = query.bind(&new.person).bind(&new.partner_session).bind(new.authenticated);
    let query = query.bind(json(&new.detail)?).bind(new.created).bind(new.touched).bind(new.expires);
    Ok(query.bind(new.ended))
}

/// By the hash of the cookie's secret, which is what names it. Also one that is over: the rule decides.
///
/// # Errors
/// [`DbError`].
pub async fn by_cookie(
    tx: &mut Tx,
    environment: Environment,
    secret: &Hashed,
) -> Result<Option<Session>, DbError> {
    sql(BY_COOKIE)
        .bind(secret)
        .bind(environment)
        .maybe(tx)
        .await?
        .map(|mut row| session(&mut row))
        .transpose()
}

/// The same session after another entry: a new secret, new times, new detail. `false` where `old` is not its
/// secret any more, or it has ended.
///
/// # Errors
/// [`DbError`].
pub async fn renew(tx: &mut Tx, old: &Hashed, new: &Session) -> Result<bool, DbError> {
    let query = sql(RENEW).bind(&new.id).bind(old).bind(&new.secret).bind(new.authenticated);
    query.bind(json(&new.detail)?).bind(new.touched).bind(new.expires).wrote(tx).await
}

/// The session stays, but the cookie with `old` opens it no more.
///
/// # Errors
/// [`DbError`].
pub async fn change_secret(tx: &mut Tx, id: &SessionId, old: &Hashed, new: &Hashed) -> Result<bool, DbError> {
    sql(CHANGE_SECRET).bind(id).bind(old).bind(new).wrote(tx).await
}

/// # Errors
/// [`DbError`].
pub async fn touch(tx: &mut Tx, id: &SessionId, now: Time) -> Result<bool, DbError> {
    sql(TOUCH).bind(id).bind(now).wrote(tx).await
}

/// Deletes at most `limit` sessions that expired before `before` and that nothing hangs from any more.
///
/// # Errors
/// [`DbError`].
pub async fn delete_over(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_OVER).bind(before).bind(limit).execute(tx).await
}
