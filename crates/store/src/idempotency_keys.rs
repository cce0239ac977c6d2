//! What a request with an `Idempotency-Key` was answered, so that the same request gets the same answer again.

use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use kernel::ids::OrganizationId;
use kernel::{Environment, Hashed, Sealed, Time};

statements! {
    // The primary key lets one of any number of requests at once, on any node, do the work. One that began before
    // `$6` and has no answer lost its gateway, and whoever comes next may take its place.
    BEGIN = "INSERT INTO idempotency_keys (organization_id, environment, key_hash, request_hash, status, answer,
        created_at) VALUES ($1, $2, $3, $4, NULL, NULL, $5)
        ON CONFLICT (organization_id, environment, key_hash) DO UPDATE SET created_at = $5
        WHERE idempotency_keys.status IS NULL AND idempotency_keys.request_hash = $4
            AND idempotency_keys.created_at < $6";
    FIND = "SELECT request_hash, status, answer FROM idempotency_keys
        WHERE organization_id = $1 AND environment = $2 AND key_hash = $3";
    // The time is the guard: whoever was overtaken changes nothing of what the other one did.
    FINISH = "UPDATE idempotency_keys SET status = $5, answer = $6
        WHERE organization_id = $1 AND environment = $2 AND key_hash = $3 AND created_at = $4 AND status IS NULL";
    FORGET = "DELETE FROM idempotency_keys
        WHERE organization_id = $1 AND environment = $2 AND key_hash = $3 AND created_at = $4 AND status IS NULL";
    DELETE_BEFORE = "DELETE FROM idempotency_keys WHERE (organization_id, environment, key_hash) IN
        (SELECT organization_id, environment, key_hash FROM idempotency_keys
            WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
}

/// One key of one organization in one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub organization: OrganizationId,
    pub environment: Environment,
    pub hash: Hashed,
}

/// What is known of a key that was used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// SHA-256 of the request it was used for.
    pub request: Hashed,
    /// Status and sealed answer; the answer is `None` where it was too large to keep. `None` while the request is
    /// being carried out.
    pub answer: Option<(u16, Option<Sealed>)>,
}

fn known(mut row: Row) -> Result<Known, DbError> {
    let request = row.take()?;
    let (status, answer): (Option<i64>, _) = (row.take()?, row.take()?);
    let status = status.map(u16::try_from).transpose();
    let status = status.map_err(|_| DbError::Corrupt("a kept answer has no HTTP status".to_owned()))?;
    Ok(Known { request, answer: status.map(|status| (status, answer)) })
}

/// Takes the key for this request: `None` where the caller may do the work, else what is known of its first use. One
/// that was begun before `stale` and never finished is taken over by the same request.
///
/// # Errors
/// [`DbError`].
pub async fn begin(
    tx: &mut Tx,
    key: &Key,
    request: &Hashed,
    now: Time,
    stale: Time,
) -> Result<Option<Known>, DbError> {
    let query = sql(BEGIN).bind(&key.organization).bind(key.environment).bind(&key.hash);
    if query.bind(request).bind(now).bind(stale).wrote(tx).await? {
        return Ok(None);
    }
    let query = sql(FIND).bind(&key.organization).bind(key.environment).bind(&key.hash);
    known(query.one(tx).await?).map(Some)
}

/// Keeps what the request begun at `begun` was answered; `answer` is sealed, or `None` where it is too large. `false`
/// where another one has taken over.
///
/// # Errors
/// [`DbError`].
pub async fn finish(
    tx: &mut Tx,
    key: &Key,
    begun: Time,
    status: u16,
    answer: Option<&Sealed>,
) -> Result<bool, DbError> {
    let query = sql(FINISH).bind(&key.organization).bind(key.environment).bind(&key.hash).bind(begun);
    query.bind(i64::from(status)).bind(answer).wrote(tx).await
}

/// Gives the key of a request that changed nothing back.
///
/// # Errors
/// [`DbError`].
pub async fn forget(tx: &mut Tx, key: &Key, begun: Time) -> Result<bool, DbError> {
    let query = sql(FORGET).bind(&key.organization).bind(key.environment).bind(&key.hash);
    query.bind(begun).wrote(tx).await
}

/// Deletes at most `limit` keys from before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(before).bind(limit).execute(tx).await
}
