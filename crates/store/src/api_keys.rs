//! API keys, found by their hash.

use crate::db::{Db, DbError, Row, Tx, json, sql};
use crate::statements::statements;
use connect::api_key::ApiKey;
use kernel::ids::{ApiKeyId, OrganizationId};
use kernel::{Hashed, Slug, Time};

macro_rules! columns {
    () => {
        "id, organization_id, environment, name, hash, scopes, created_at, revoked_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO api_keys (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    CALLER = "SELECT k.id, k.organization_id, k.environment, k.name, k.hash, k.scopes, k.created_at, k.revoked_at,
        o.slug, o.config_version FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id
        WHERE k.hash = $1 AND NOT o.disabled";
    LIST = concat!("SELECT ", columns!(), " FROM api_keys WHERE organization_id = $1 ORDER BY created_at, id");
    REVOKE = "UPDATE api_keys SET revoked_at = $3 WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL";
}

fn key(row: &mut Row) -> Result<ApiKey, DbError> {
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

/// By the hash of what was presented, which is what names it; also a revoked one: the rule decides. With what tells whether its organization's configuration is still the one in memory: the slug and the
/// version. `None` also where the organization is disabled.
///
/// # Errors
/// [`DbError`].
pub async fn caller(db: &Db, hash: &Hashed) -> Result<Option<(ApiKey, Slug, i64)>, DbError> {
    let found = db.maybe(sql(CALLER).bind(hash)).await?;
    found.map(|mut row| Ok((key(&mut row)?, row.take()?, row.take()?))).transpose()
}

/// Of both environments, also revoked ones.
///
/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx, organization: &OrganizationId) -> Result<Vec<ApiKey>, DbError> {
    sql(LIST).bind(organization).all(tx).await?.into_iter().map(|mut row| key(&mut row)).collect()
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
