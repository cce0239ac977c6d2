//! When tenants' schedules fire next: a narrow row of its own for each tenant that has one, not paused and not archived.

use crate::db::{Db, DbError, Query, Tx, sql};
use crate::statements::statements;
use kernel::Time;
use kernel::ids::{IntegrationId, OrganizationId, TenantId};

/// Rows of one statement.
const TOGETHER: usize = 32;

// On PostgreSQL rows that another node fires are passed over instead of waited for, as in the queue.
macro_rules! due {
    ($skip:literal) => {
        concat!(
            "SELECT s.tenant_id, s.organization_id, s.cron, s.zone, s.next_at,
            EXISTS (SELECT 1 FROM releases AS r WHERE r.integration_id = s.integration_id AND r.ready_at IS NOT NULL)
            FROM schedules AS s WHERE s.next_at <= $1 ORDER BY s.next_at LIMIT $2",
            $skip
        )
    };
}

const DUE_ON_SQLITE: &str = due!("");
const DUE_ON_POSTGRES: &str = due!(" FOR UPDATE SKIP LOCKED");

/// The texts that only SQLite is told.
pub(crate) const ON_SQLITE: &[(&str, &str)] = &[("schedules::DUE", DUE_ON_SQLITE)];
/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[("schedules::DUE", DUE_ON_POSTGRES)];

statements! {
    SET = "INSERT INTO schedules (tenant_id, organization_id, integration_id, cron, zone, next_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id) DO UPDATE SET
        cron = excluded.cron, zone = excluded.zone, next_at = excluded.next_at";
    REMOVE = "DELETE FROM schedules WHERE organization_id = $1 AND tenant_id = $2";
    NEXT = "SELECT next_at FROM schedules ORDER BY next_at LIMIT 1";
    OF_TENANT = "SELECT cron, zone, next_at FROM schedules WHERE organization_id = $1 AND tenant_id = $2";
    WAITS = "SELECT 1 FROM triggers
        WHERE tenant_id = $2 AND claimed_at IS NULL AND organization_id = $1 AND source = 'Cron' LIMIT 1";
    // The time that was read is the guard: of any number of nodes that saw a firing, one makes it.
    MOVE = "WITH moved (tenant, seen, next) AS (VALUES
        (CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT)),
        ($4, $5, $6), ($7, $8, $9), ($10, $11, $12), ($13, $14, $15), ($16, $17, $18), ($19, $20, $21),
        ($22, $23, $24), ($25, $26, $27), ($28, $29, $30), ($31, $32, $33), ($34, $35, $36), ($37, $38, $39),
        ($40, $41, $42), ($43, $44, $45), ($46, $47, $48), ($49, $50, $51), ($52, $53, $54), ($55, $56, $57),
        ($58, $59, $60), ($61, $62, $63), ($64, $65, $66), ($67, $68, $69), ($70, $71, $72), ($73, $74, $75),
        ($76, $77, $78), ($79, $80, $81), ($82, $83, $84), ($85, $86, $87), ($88, $89, $90), ($91, $92, $93),
        ($94, $95, $96))
        UPDATE schedules SET next_at = moved.next FROM moved
        WHERE schedules.tenant_id = moved.tenant AND schedules.next_at = moved.seen RETURNING schedules.tenant_id";
}

/// A tenant's schedule as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub tenant: TenantId,
    pub organization: OrganizationId,
    pub integration: IntegrationId,
    /// With the tenant's offset.
    pub cron: String,
    pub zone: String,
    pub next: Time,
}

/// One whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub tenant: TenantId,
    pub organization: OrganizationId,
    pub cron: String,
    pub zone: String,
    /// When it was to fire: the guard of [`fire`].
    pub at: Time,
    /// Whether its integration has anything to run.
    pub can_run: bool,
}

/// # Errors
/// [`DbError`].
pub async fn set(tx: &mut Tx, schedule: &Schedule) -> Result<(), DbError> {
    let query = sql(SET).bind(schedule.tenant).bind(&schedule.organization).bind(schedule.integration);
    let query = query.bind(&schedule.cron).bind(&schedule.zone).bind(schedule.next);
    query.execute(tx).await.map(drop)
}

/// # Errors
/// [`DbError`].
pub async fn remove(tx: &mut Tx, organization: &OrganizationId, tenant: TenantId) -> Result<bool, DbError> {
    sql(REMOVE).bind(organization).bind(tenant).wrote(tx).await
}

/// When the next one fires, of all tenants. One statement, by itself.
///
/// # Errors
/// [`DbError`].
pub async fn next(db: &Db) -> Result<Option<Time>, DbError> {
    db.maybe(sql(NEXT)).await?.map(|mut row| row.take()).transpose()
}

/// A tenant's cron, zone and when it fires next.
///
/// # Errors
/// [`DbError`].
pub async fn of_tenant(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
) -> Result<Option<(String, String, Time)>, DbError> {
    let Some(mut row) = sql(OF_TENANT).bind(organization).bind(tenant).maybe(tx).await? else {
        return Ok(None);
    };
    Ok(Some((row.take()?, row.take()?, row.take()?)))
}

/// At most `limit` of those whose time has come, earliest first.
///
/// # Errors
/// [`DbError`].
pub async fn due(tx: &mut Tx, now: Time, limit: i64) -> Result<Vec<Due>, DbError> {
    let text = if tx.is_postgres() { DUE_ON_POSTGRES } else { DUE_ON_SQLITE };
    let rows = sql(text).bind(now).bind(limit).all(tx).await?;
    let read = rows.into_iter().map(|mut row| {
        let (tenant, organization, cron, zone) = (row.take()?, row.take()?, row.take()?, row.take()?);
        Ok(Due { tenant, organization, cron, zone, at: row.take()?, can_run: row.take()? })
    });
    read.collect()
}

/// Moves each to its next time; those that nobody else has moved meanwhile.
///
/// # Errors
/// [`DbError`].
pub async fn fire(tx: &mut Tx, moves: &[(Due, Time)]) -> Result<Vec<TenantId>, DbError> {
    let mut fired = Vec::new();
    for some in moves.chunks(TOGETHER) {
        let mut query: Query = sql(MOVE);
        for (due, next) in some {
            query = query.bind(due.tenant).bind(due.at).bind(*next);
        }
        // Places that are left over name no tenant.
        for _ in some.len()..TOGETHER {
            query = query.bind(0_i64).bind(0_i64).bind(0_i64);
        }
        for mut row in query.all(tx).await? {
            fired.push(row.take()?);
        }
    }
    Ok(fired)
}

/// Whether a firing of this tenant waits for a run already.
///
/// # Errors
/// [`DbError`].
pub async fn waits(tx: &mut Tx, organization: &OrganizationId, tenant: TenantId) -> Result<bool, DbError> {
    Ok(sql(WAITS).bind(organization).bind(tenant).maybe(tx).await?.is_some())
}
