//! What runs and callers of the API keep with a tenant: a JSON object.

use crate::db::{DbError, Row, Tx, json, sql};
use crate::statements::statements;
use kernel::Time;
use kernel::ids::{OrganizationId, TenantId};
use serde_json::Value;

statements! {
    BY_TENANT = "SELECT data, created_at, modified_at FROM tenant_metadata
        WHERE organization_id = $1 AND tenant_id = $2";
    // Whoever changes it holds the row from its reading on, so that no change is lost between two.
    HOLD = "INSERT INTO tenant_metadata (tenant_id, organization_id, data, created_at, modified_at)
        VALUES ($2, $1, '{}', $3, $3)
        ON CONFLICT (tenant_id) DO UPDATE SET modified_at = excluded.modified_at
            WHERE tenant_metadata.organization_id = excluded.organization_id
        RETURNING data, created_at, modified_at";
    SAVE = "UPDATE tenant_metadata SET data = $3 WHERE organization_id = $1 AND tenant_id = $2";
    TELL_TENANT = "UPDATE tenants SET revision = revision + 1 WHERE organization_id = $1 AND id = $2";
}

/// A tenant's metadata as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantMetadata {
    pub data: Value,
    pub created: Time,
    pub modified: Time,
}

fn metadata(mut row: Row) -> Result<TenantMetadata, DbError> {
    Ok(TenantMetadata { data: row.take_json()?, created: row.take()?, modified: row.take()? })
}

/// `None` where nobody has kept any yet.
///
/// # Errors
/// [`DbError`].
pub async fn by_tenant(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
) -> Result<Option<TenantMetadata>, DbError> {
    sql(BY_TENANT).bind(organization).bind(tenant).maybe(tx).await?.map(metadata).transpose()
}

/// What is kept, an empty object where nothing is, held until the end of this unit of work: others who want to change
/// it wait. [`save`] follows.
///
/// # Errors
/// [`DbError`].
pub async fn hold(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
    now: Time,
) -> Result<TenantMetadata, DbError> {
    metadata(sql(HOLD).bind(organization).bind(tenant).bind(now).one(tx).await?)
}

/// Keeps `data` in place of what was read by [`hold`] in the same unit of work, and moves the tenant's revision.
///
/// # Errors
/// [`DbError`].
pub async fn save(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
    data: &Value,
) -> Result<(), DbError> {
    sql(SAVE).bind(organization).bind(tenant).bind(json(data)?).execute(tx).await?;
    sql(TELL_TENANT).bind(organization).bind(tenant).execute(tx).await.map(drop)
}
