//! What init runs found out: the choices of a tenant's configuration.

use crate::db::{DbError, Tx, json, sql};
use crate::statements::statements;
use kernel::Time;
use kernel::ids::{OrganizationId, TenantId};
use serde_json::Value;

statements! {
    BY_TENANT = "SELECT data FROM tenant_dynamic_configs WHERE organization_id = $1 AND tenant_id = $2";
    PUT = "INSERT INTO tenant_dynamic_configs (tenant_id, organization_id, data, modified_at) VALUES ($2, $1, $3, $4)
        ON CONFLICT (tenant_id) DO UPDATE SET data = excluded.data, modified_at = excluded.modified_at
            WHERE tenant_dynamic_configs.organization_id = excluded.organization_id";
}

/// A JSON object by name under the schema's `definitions`; `None` where no init run has filled any.
///
/// # Errors
/// [`DbError`].
pub async fn by_tenant(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
) -> Result<Option<Value>, DbError> {
    let row = sql(BY_TENANT).bind(organization).bind(tenant).maybe(tx).await?;
    row.map(|mut row| row.take_json()).transpose()
}

/// In place of what an earlier init run found.
///
/// # Errors
/// [`DbError`].
pub async fn put(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
    data: &Value,
    now: Time,
) -> Result<(), DbError> {
    sql(PUT).bind(organization).bind(tenant).bind(json(data)?).bind(now).execute(tx).await.map(drop)
}
