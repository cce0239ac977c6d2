//! API keys, found by their hash.

use crate::db::{DbError, Row, Tx, json, sql};
use crate::statements::statements;
use connect::api_key::ApiKey;
use kernel::ids::{ApiKeyId, OrganizationId};
use kernel::{Hashed, Time};

macro_rules! columns {
    () => {
        "id, organization_id, environment, name, hash, scopes, created_at, revoked_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO api_keys (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    BY_HASH = concat!("SELECT ", columns!(), " FROM api_keys WHERE hash = $1");
    LIST = concat!("SELECT ", columns!(), " FROM api_keys WHERE organization_id = $1 ORDER BY created_at, id");
    REVOKE = "UPDATE api_keys SET revoked_at = $3 WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL";
}

fn key(mut row: Row) -> Result<ApiKey, DbError> {
    let (id, organization, environment, name) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (hash, scopes, created, revoked) = (row.take()?, row.take_json()?, row.take()?, row.take()?);
    Ok(ApiKey { id, organization, environment, name, hash, scopes, created, revoked })
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, key: &ApiKey) -> Result<(), DbError> {
    let query = sql(INSERT).bind(&key.id).bind(&key.organization).bind(key.environment).bind(&key.name);
    query
        .bind(&key.hash)
        .bind(json(&key.scopes)?)
        .bind(key.created)
        .bind(key.revoked)
        .execute(tx)
        .await
        .map(drop)
}

/// By the hash of what was presented, which is what names it. Also a revoked one: the rule decides.
///
/// # Errors
/// [`DbError`].
pub async fn by_hash(tx: &mut Tx, hash: &Hashed) -> Result<Option<ApiKey>, DbError> {
    sql(BY_HASH).bind(hash).maybe(tx).await?.map(key).transpose()
}

/// Of both environments, also revoked ones.
///
/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx, organization: &OrganizationId) -> Result<Vec<ApiKey>, DbError> {
    sql(LIST).bind(organization).all(tx).await?.into_iter().map(key).collect()
}

/// `false` where it was revoked before.
///
/// # Errors
/// [`DbError`].
pub async fn revoke(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &ApiKeyId,
    now: Time,
) -> Result<bool, DbError> {
    sql(REVOKE).bind(organization).bind(id).bind(now).wrote(tx).await
}
