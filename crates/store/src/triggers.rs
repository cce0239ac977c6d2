//! Why runs shall start, kept until one has.

use crate::db::{DbError, Row, Tx, next_id as next, sql};
use crate::statements::statements;
use connect::tenant::Trigger;
use kernel::Time;
use kernel::ids::{OrganizationId, TenantId, TriggerId};

const SOURCES: [&str; 4] = ["API", "Webhook", "Cron", "Manual"];
const MODES: [&str; 3] = ["init", "normal", "webhook"];

statements! {
    INSERT = "INSERT INTO triggers (id, organization_id, tenant_id, source, mode, delivery_id, created_at, claimed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)";
    LIST = "SELECT id, organization_id, tenant_id, source, mode, delivery_id, created_at FROM triggers
        WHERE organization_id = $1 AND tenant_id = $2 ORDER BY id DESC LIMIT $3";
    UNCLAIMED = "SELECT COUNT(*) FROM triggers WHERE claimed_at IS NULL";
    UNCLAIMED_OF_TENANT = "SELECT COUNT(*) FROM triggers
        WHERE organization_id = $1 AND tenant_id = $2 AND claimed_at IS NULL";
    DELETE_CLAIMED = "DELETE FROM triggers WHERE id IN (SELECT id FROM triggers
        WHERE claimed_at < $1 ORDER BY claimed_at LIMIT $2)";
}

fn trigger(mut row: Row) -> Result<Trigger, DbError> {
    let (id, organization, tenant) = (row.take()?, row.take()?, row.take()?);
    let source = row.take_word(|text| SOURCES.into_iter().find(|source| *source == text))?;
    let mode = row.take_word(|text| MODES.into_iter().find(|mode| *mode == text))?;
    Ok(Trigger { id, organization, tenant, source, mode, delivery: row.take()?, created: row.take()? })
}

/// The id for a new trigger.
///
/// # Errors
/// [`DbError`].
pub async fn next_id(tx: &mut Tx) -> Result<TriggerId, DbError> {
    let number = next(tx, "triggers").await?;
    TriggerId::new(number).map_err(|error| DbError::Bug(error.to_string()))
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Trigger) -> Result<(), DbError> {
    if !SOURCES.contains(&new.source) || !MODES.contains(&new.mode) {
        return Err(DbError::Bug("a trigger of a source or mode that could not be read back".to_owned()));
    }
    let query =
        sql(INSERT).bind(new.id).bind(&new.organization).bind(new.tenant).bind(new.source).bind(new.mode);
    query.bind(new.delivery.as_ref()).bind(new.created).execute(tx).await.map(drop)
}

/// The newest of a tenant.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
    limit: i64,
) -> Result<Vec<Trigger>, DbError> {
    let query = sql(LIST).bind(organization).bind(tenant).bind(limit.max(0));
    query.all(tx).await?.into_iter().map(trigger).collect()
}

/// How many wait for a run, of all organizations: for the operator's metrics.
///
/// # Errors
/// [`DbError`].
pub async fn count_unclaimed(tx: &mut Tx) -> Result<i64, DbError> {
    sql(UNCLAIMED).one(tx).await?.take()
}

/// How many of a tenant's wait for a run.
///
/// # Errors
/// [`DbError`].
pub async fn count_unclaimed_of_tenant(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
) -> Result<i64, DbError> {
    sql(UNCLAIMED_OF_TENANT).bind(organization).bind(tenant).one(tx).await?.take()
}

/// Deletes at most `limit` triggers that a run claimed before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_claimed(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_CLAIMED).bind(before).bind(limit).execute(tx).await
}
