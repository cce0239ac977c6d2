//! Why runs shall start, kept until one has.

use crate::db::{DbError, Row, Tx, json, next_id as next, sql};
use crate::statements::{never_set, statements};
use connect::run::{Class, Mode, Size, Source, Trigger};
use kernel::ids::{IntegrationId, OrganizationId, RunId, TenantId, TriggerId};
use kernel::{Environment, Time};

macro_rules! columns {
    () => {
        "id, organization_id, tenant_id, source, mode, delivery_id, payload, created_at, run_id"
    };
}

// The claim of one class. `$5` is false for a tenant that is paused: then only what somebody asked for is taken.
macro_rules! claim {
    ($class:literal) => {
        concat!(
            "UPDATE triggers SET claimed_at = $3, run_id = $4 WHERE ",
            never_set!("claimed_at"),
            " AND id IN (
            SELECT t.id FROM triggers AS t WHERE t.tenant_id = $2 AND t.claimed_at IS NULL AND t.organization_id = $1
                AND ($5 OR t.source IN ('API', 'Manual')) AND ",
            $class,
            " ORDER BY t.id LIMIT $6) RETURNING ",
            columns!()
        )
    };
}

statements! {
    INSERT = concat!("INSERT INTO triggers (", columns!(), ", claimed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL)");
    LIST = concat!("SELECT ", columns!(), " FROM triggers
        WHERE organization_id = $1 AND tenant_id = $2 ORDER BY id DESC LIMIT $3");
    OF_RUN = concat!("SELECT ", columns!(), " FROM triggers WHERE organization_id = $1 AND run_id = $2 ORDER BY id");
    BY_ID = "SELECT t.id, t.organization_id, t.tenant_id, t.source, t.mode, t.delivery_id, t.payload, t.created_at,
        t.run_id FROM triggers AS t JOIN tenants AS n ON n.id = t.tenant_id
        WHERE t.organization_id = $1 AND n.environment = $2 AND t.id = $3";
    UNCLAIMED = "SELECT COUNT(*) FROM triggers WHERE claimed_at IS NULL";
    UNCLAIMED_OF_TENANT = "SELECT COUNT(*) FROM triggers
        WHERE organization_id = $1 AND tenant_id = $2 AND claimed_at IS NULL";
    IS_WAITING = "SELECT 1 FROM triggers WHERE tenant_id = $2 AND claimed_at IS NULL AND organization_id = $1
        AND ($3 OR source IN ('API', 'Manual')) LIMIT 1";
    WAITING_TENANTS = "SELECT DISTINCT t.tenant_id FROM tenants AS n
        JOIN triggers AS t ON t.tenant_id = n.id AND t.claimed_at IS NULL
        WHERE n.organization_id = $1 AND n.integration_id = $2 AND n.archived_at IS NULL
        AND t.tenant_id > $3 ORDER BY t.tenant_id LIMIT $4";
    CLAIM_INIT = claim!("(t.mode = 'init' OR t.source = 'Cron') AND t.mode = 'init' AND t.source <> 'Cron'
        AND NOT EXISTS (SELECT 1 FROM reruns AS r WHERE r.trigger_id = t.id)");
    CLAIM_CRON = claim!("(t.mode = 'init' OR t.source = 'Cron') AND t.source = 'Cron'");
    CLAIM_RERUN = claim!("t.id IN (SELECT r.trigger_id FROM reruns AS r WHERE r.tenant_id = $2)");
    CLAIM_OTHERS = claim!("t.mode <> 'init' AND t.source <> 'Cron'
        AND NOT EXISTS (SELECT 1 FROM reruns AS r WHERE r.trigger_id = t.id)");
    SIZES = "SELECT t.id, COALESCE(OCTET_LENGTH(t.payload), 0) + COALESCE(OCTET_LENGTH(d.headers), 0),
        COALESCE(OCTET_LENGTH(d.body), 0) FROM triggers AS t LEFT JOIN deliveries AS d ON d.id = t.delivery_id
        WHERE t.run_id = $2 AND t.organization_id = $1 ORDER BY t.id";
    GIVE_BACK = "UPDATE triggers SET claimed_at = NULL, run_id = NULL
        WHERE organization_id = $1 AND run_id = $2 AND id > $3";
    DROP = "UPDATE triggers SET claimed_at = $3 WHERE organization_id = $1 AND tenant_id = $2 AND claimed_at IS NULL";
    DROP_DELIVERIES = "UPDATE deliveries SET taken_at = $3 WHERE taken_at IS NULL AND organization_id = $1 AND id IN (
        SELECT t.delivery_id FROM triggers AS t
        WHERE t.tenant_id = $2 AND t.claimed_at IS NULL AND t.delivery_id IS NOT NULL)";
    DELETE_CLAIMED = "DELETE FROM triggers WHERE id IN (SELECT id FROM triggers
        WHERE claimed_at < $1 ORDER BY claimed_at LIMIT $2)";
}

pub(crate) fn trigger(mut row: Row) -> Result<Trigger, DbError> {
    let (id, organization, tenant) = (row.take()?, row.take()?, row.take()?);
    let (source, mode) = (row.take_word(Source::parse)?, row.take_word(Mode::parse)?);
    let (delivery, payload) = (row.take()?, row.take_json_or_null()?);
    let (created, run) = (row.take()?, row.take()?);
    Ok(Trigger { id, organization, tenant, source, mode, delivery, payload, created, run })
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
    let payload = new.payload.as_ref().map(json).transpose()?;
    let query = sql(INSERT).bind(new.id).bind(&new.organization).bind(new.tenant);
    let query = query.bind(new.source.as_str()).bind(new.mode.as_str()).bind(new.delivery.as_ref());
    query.bind(payload).bind(new.created).bind(new.run).execute(tx).await.map(drop)
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

/// Those that a run took, oldest first.
///
/// # Errors
/// [`DbError`].
pub async fn of_run(tx: &mut Tx, organization: &OrganizationId, run: RunId) -> Result<Vec<Trigger>, DbError> {
    sql(OF_RUN).bind(organization).bind(run).all(tx).await?.into_iter().map(trigger).collect()
}

/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: TriggerId,
) -> Result<Option<Trigger>, DbError> {
    sql(BY_ID).bind(organization).bind(environment).bind(id).maybe(tx).await?.map(trigger).transpose()
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

/// Whether a tenant has any that a run could take now.
///
/// # Errors
/// [`DbError`].
pub async fn is_waiting(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
    paused: bool,
) -> Result<bool, DbError> {
    Ok(sql(IS_WAITING).bind(organization).bind(tenant).bind(!paused).maybe(tx).await?.is_some())
}

/// Tenants of an integration, after `after` in the order of their ids, that have triggers waiting.
///
/// # Errors
/// [`DbError`].
pub async fn waiting_tenants(
    tx: &mut Tx,
    organization: &OrganizationId,
    integration: IntegrationId,
    after: Option<TenantId>,
    limit: i64,
) -> Result<Vec<TenantId>, DbError> {
    let after = after.map_or(0, TenantId::number);
    let query = sql(WAITING_TENANTS).bind(organization).bind(integration).bind(after).bind(limit.max(0));
    query.all(tx).await?.into_iter().map(|mut row| row.take()).collect()
}

/// Takes for this run what waits of one class, oldest first, as many as a run may have; empty where nothing does.
///
/// # Errors
/// [`DbError`].
pub async fn claim(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
    run: RunId,
    class: Class,
    paused: bool,
    now: Time,
) -> Result<Vec<Trigger>, DbError> {
    let text = match class {
        Class::Init => CLAIM_INIT,
        Class::Cron => CLAIM_CRON,
        Class::Rerun => CLAIM_RERUN,
        Class::Others => CLAIM_OTHERS,
    };
    let query =
        sql(text).bind(organization).bind(tenant).bind(now).bind(run).bind(!paused).bind(class.most());
    let mut claimed: Vec<Trigger> =
        query.all(tx).await?.into_iter().map(trigger).collect::<Result<_, _>>()?;
    claimed.sort_by_key(|trigger| trigger.id);
    Ok(claimed)
}

/// What the triggers of a run bring along, in the order of their ids.
///
/// # Errors
/// [`DbError`].
pub async fn sizes(
    tx: &mut Tx,
    organization: &OrganizationId,
    run: RunId,
) -> Result<Vec<(TriggerId, Size)>, DbError> {
    let rows = sql(SIZES).bind(organization).bind(run).all(tx).await?;
    let number = |bytes: i64| usize::try_from(bytes).unwrap_or(usize::MAX);
    rows.into_iter()
        .map(|mut row| {
            let id = row.take()?;
            Ok((id, Size { text: number(row.take()?), body: number(row.take()?) }))
        })
        .collect()
}

/// Those after `last` wait for another run.
///
/// # Errors
/// [`DbError`].
pub async fn give_back(
    tx: &mut Tx,
    organization: &OrganizationId,
    run: RunId,
    last: TriggerId,
) -> Result<u64, DbError> {
    sql(GIVE_BACK).bind(organization).bind(run).bind(last).execute(tx).await
}

/// What waits for a tenant that is archived waits for nothing: it is marked, so that it can be cleaned up. Returns how
/// many there were.
///
/// # Errors
/// [`DbError`].
pub async fn drop_waiting(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
    now: Time,
) -> Result<u64, DbError> {
    sql(DROP_DELIVERIES).bind(organization).bind(tenant).bind(now).execute(tx).await?;
    sql(DROP).bind(organization).bind(tenant).bind(now).execute(tx).await
}

/// Deletes at most `limit` triggers that a run claimed before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_claimed(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_CLAIMED).bind(before).bind(limit).execute(tx).await
}
