//! Attempts to sign in at an outside system.

use crate::db::{DbError, Row, Tx, json, sql};
use crate::statements::statements;
use connect::attempt::{Attempt, Outcome};
use kernel::ids::{AttemptId, OrganizationId};
use kernel::{Hashed, Sealed, Time};

macro_rules! columns {
    () => {
        "id, dialog_id, organization_id, environment, connector, ticket_hash, state_hash, cookie_hash, verifier,
        needs_code, in_tab, created_at, expires_at, used_at, outcome, pending"
    };
}

statements! {
    // The unique index on the ticket's hash is the one thing that makes a start link single-use.
    INSERT = concat!("INSERT INTO attempts (", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        ON CONFLICT (ticket_hash) DO NOTHING");
    BY_STATE = concat!("SELECT ", columns!(), " FROM attempts WHERE state_hash = $1");
    BY_ID = concat!("SELECT ", columns!(), " FROM attempts WHERE organization_id = $1 AND id = $2");
    // The NULL guard is the one thing that makes `state` single-use: of any number of callbacks at once, on any
    // node, one sees its row written.
    CLAIM = "UPDATE attempts SET used_at = $3 WHERE organization_id = $1 AND id = $2 AND used_at IS NULL";
    SAVE_OUTCOME = "UPDATE attempts SET outcome = $3, pending = $4
        WHERE organization_id = $1 AND id = $2 AND used_at IS NOT NULL AND outcome IS NULL";
    FORGET_PENDING = "UPDATE attempts SET pending = NULL, verifier = NULL
        WHERE organization_id = $1 AND id = $2 AND pending IS NOT NULL";
    DELETE_EXPIRED = "DELETE FROM attempts WHERE id IN (SELECT a.id FROM attempts AS a
        JOIN dialogs AS d ON d.id = a.dialog_id
        WHERE a.expires_at < $1 AND d.expires_at < $1 ORDER BY a.expires_at LIMIT $2)";
}

fn attempt(mut row: Row) -> Result<Attempt, DbError> {
    let (id, dialog, organization, environment) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (connector, ticket, state, cookie) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (verifier, needs_code, in_tab) = (row.take()?, row.take()?, row.take()?);
    let (created, expires, used) = (row.take()?, row.take()?, row.take()?);
    let (outcome, pending) = (row.take_json_or_null()?, row.take()?);
    Ok(Attempt {
        id,
        dialog,
        organization,
        environment,
        connector,
        ticket,
        state,
        cookie,
        verifier,
        needs_code,
        in_tab,
        created,
        expires,
        used,
        outcome,
        pending,
    })
}

/// `false` where the start ticket was used before.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Attempt) -> Result<bool, DbError> {
    let query = sql(INSERT).bind(&new.id).bind(&new.dialog).bind(&new.organization).bind(new.environment);
    let query = query.bind(&new.connector).bind(&new.ticket).bind(&new.state).bind(&new.cookie);
    let query = query.bind(new.verifier.as_ref()).bind(new.needs_code).bind(new.in_tab).bind(new.created);
    let outcome = new.outcome.as_ref().map(json).transpose()?;
    query.bind(new.expires).bind(new.used).bind(outcome).bind(new.pending.as_ref()).wrote(tx).await
}

/// By the hash of the `state` parameter, which is what names it.
///
/// # Errors
/// [`DbError`].
pub async fn by_state(tx: &mut Tx, state: &Hashed) -> Result<Option<Attempt>, DbError> {
    sql(BY_STATE).bind(state).maybe(tx).await?.map(attempt).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &AttemptId,
) -> Result<Option<Attempt>, DbError> {
    sql(BY_ID).bind(organization).bind(id).maybe(tx).await?.map(attempt).transpose()
}

/// Uses the `state` up: `true` for exactly one callback.
///
/// # Errors
/// [`DbError`].
pub async fn claim(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &AttemptId,
    now: Time,
) -> Result<bool, DbError> {
    sql(CLAIM).bind(organization).bind(id).bind(now).wrote(tx).await
}

/// What the claimed callback brought; `false` where an outcome is there already or nothing was claimed.
///
/// # Errors
/// [`DbError`].
pub async fn save_outcome(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &AttemptId,
    outcome: &Outcome,
    pending: Option<&Sealed>,
) -> Result<bool, DbError> {
    sql(SAVE_OUTCOME).bind(organization).bind(id).bind(json(outcome)?).bind(pending).wrote(tx).await
}

/// Drops the pending credential, once it is the connection's or is not wanted any more: `true` for exactly one
/// caller.
///
/// # Errors
/// [`DbError`].
pub async fn forget_pending(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &AttemptId,
) -> Result<bool, DbError> {
    sql(FORGET_PENDING).bind(organization).bind(id).wrote(tx).await
}

/// Deletes at most `limit` attempts that are over, and whose dialog is.
///
/// # Errors
/// [`DbError`].
pub async fn delete_expired(tx: &mut Tx, now: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_EXPIRED).bind(now).bind(limit).execute(tx).await
}
