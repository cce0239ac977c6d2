//! What decides whether a tenant's next run can begin, and what that run is told, in one statement.
//!
//! Integrations and releases change seldom and are wide, so that of them only what names them is read: callers keep the
//! rest in memory and compare.

use crate::db::{DbError, Query, Row, Tx, sql};
use crate::statements::statements;
use crate::tenants;
use connect::run::{Class, PastRun, Phase};
use connect::tenant::Tenant;
use kernel::ids::{ReleaseId, RunId, TenantId};
use serde_json::Value;

/// Tenants of one statement on PostgreSQL.
const TOGETHER: usize = 16;
/// Columns of [`standing`], the first of which is the tenant's id.
pub(crate) const WIDTH: usize = 34;

/// How a tenant stands before a run of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub tenant: Tenant,
    /// Another one after every change of the tenant or of its metadata.
    pub revision: i64,
    /// Of the organization's configuration: another one after every change of its integrations.
    pub config_version: i64,
    /// The newest release that is ready, where the tenant's channel leads to it.
    pub newest: Option<ReleaseId>,
    pub has_open_run: bool,
    /// Which of the triggers that a run could take now go first.
    pub waiting: Option<Class>,
    pub metadata: Option<Value>,
    /// The newest run that has ended, and the newest that succeeded.
    pub last: Option<PastRun>,
    pub last_successful: Option<PastRun>,
}

// `(SELECT 1 .. LIMIT 1) IS NOT NULL` in place of `EXISTS`: of that PostgreSQL may make a table of all rows there are, of
// every tenant, where the statistics say that they are few.
macro_rules! standing_columns {
    () => {
        "t.id, t.organization_id, t.environment, t.integration_id, t.user_id, t.name, t.source, t.paused, t.archived_at,
        t.user_schedule, t.schedule, t.time_zone, t.channel, t.release_id, t.configs, t.created_at, t.modified_at, t.revision,
        (SELECT o.config_version FROM organizations AS o WHERE o.id = t.organization_id),
        CASE WHEN t.release_id IS NULL AND t.channel = 'Latest' THEN (SELECT r.id FROM releases AS r
            WHERE r.integration_id = t.integration_id AND r.ready_at IS NOT NULL ORDER BY r.id DESC LIMIT 1) END,
        (SELECT 1 FROM runs AS u WHERE u.tenant_id = t.id AND u.completed_at IS NULL LIMIT 1) IS NOT NULL AS is_open,
        CASE WHEN (SELECT 1 FROM triggers AS w WHERE w.tenant_id = t.id AND w.claimed_at IS NULL
                AND (w.mode = 'init' OR w.source = 'Cron') AND w.mode = 'init' AND w.source <> 'Cron'
                AND (NOT t.paused OR w.source IN ('API', 'Manual'))
                AND NOT EXISTS (SELECT 1 FROM reruns AS r WHERE r.trigger_id = w.id) LIMIT 1) IS NOT NULL THEN 'init'
            WHEN NOT t.paused AND (SELECT 1 FROM triggers AS w WHERE w.tenant_id = t.id AND w.claimed_at IS NULL
                AND (w.mode = 'init' OR w.source = 'Cron') AND w.source = 'Cron' LIMIT 1) IS NOT NULL THEN 'cron'
            WHEN (SELECT 1 FROM reruns AS r WHERE r.tenant_id = t.id
                AND (SELECT w.claimed_at IS NULL AND (NOT t.paused OR w.source IN ('API', 'Manual'))
                    FROM triggers AS w WHERE w.id = r.trigger_id) LIMIT 1) IS NOT NULL THEN 'rerun'
            WHEN (SELECT 1 FROM triggers AS w WHERE w.tenant_id = t.id AND w.claimed_at IS NULL
                AND (NOT t.paused OR w.source IN ('API', 'Manual')) LIMIT 1) IS NOT NULL THEN 'others' END AS waiting,
        m.tenant_id, m.data,
        l.id, l.phase, l.started_at, l.completed_at, l.state,
        s.id, s.phase, s.started_at, s.completed_at, s.state"
    };
}
pub(crate) use standing_columns;

macro_rules! standing_beside {
    () => {
        " LEFT JOIN tenant_metadata AS m ON m.tenant_id = t.id
        LEFT JOIN runs AS l ON l.id = (SELECT x.id FROM runs AS x
            WHERE x.tenant_id = t.id AND x.completed_at IS NOT NULL ORDER BY x.id DESC LIMIT 1)
        LEFT JOIN runs AS s ON l.phase <> 'Succeeded' AND s.id = (SELECT x.id FROM runs AS x
            WHERE x.tenant_id = t.id AND x.phase = 'Succeeded' ORDER BY x.id DESC LIMIT 1)"
    };
}
pub(crate) use standing_beside;

statements! {
    OF_TENANT = concat!("SELECT ", standing_columns!(), " FROM tenants AS t", standing_beside!(), " WHERE t.id = $1");
}

// With a number for the run of each that can have one.
const OF_TENANTS_ON_POSTGRES: &str = concat!(
    "SELECT CASE WHEN seen.waiting IS NOT NULL AND NOT seen.is_open THEN nextval('runs_ids') END, seen.* FROM (SELECT ",
    standing_columns!(),
    " FROM (VALUES (CAST($1 AS BIGINT)), ($2), ($3), ($4), ($5), ($6), ($7), ($8), ($9), ($10), ($11), ($12), ($13),
        ($14), ($15), ($16)) AS wanted (id) JOIN tenants AS t ON t.id = wanted.id",
    standing_beside!(),
    " OFFSET 0) AS seen"
);

/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[("runs/standing::OF_TENANTS", OF_TENANTS_ON_POSTGRES)];

fn class(word: &str) -> Option<Class> {
    match word {
        "init" => Some(Class::Init),
        "cron" => Some(Class::Cron),
        "rerun" => Some(Class::Rerun),
        "others" => Some(Class::Others),
        _ => None,
    }
}

fn past(row: &mut Row) -> Result<PastRun, DbError> {
    let (id, word, started, completed) = (row.take()?, row.take::<String>()?, row.take()?, row.take()?);
    let phase = Phase::from_stored(&word, started, completed);
    let phase = phase.ok_or_else(|| DbError::Corrupt("a run's phase and times contradict".to_owned()))?;
    Ok(PastRun { id, phase, state: row.take()? })
}

/// Reads [`standing_columns`].
pub(crate) fn standing(row: &mut Row) -> Result<Standing, DbError> {
    let tenant = tenants::read(row)?;
    let (revision, config_version) = (row.take()?, row.take()?);
    let (newest, has_open_run) = (row.take()?, row.take()?);
    let waiting = row.maybe(1, |row| row.take_word(class))?;
    let metadata = row.maybe(2, |row| {
        let _: TenantId = row.take()?;
        row.take()
    })?;
    let last = row.maybe(5, past)?;
    let successful = row.maybe(5, past)?;
    let is_success = |run: &PastRun| matches!(run.phase, Phase::Succeeded { .. });
    let last_successful = successful.or_else(|| last.clone().filter(is_success));
    Ok(Standing {
        tenant,
        revision,
        config_version,
        newest,
        has_open_run,
        waiting,
        metadata,
        last,
        last_successful,
    })
}

/// How these tenants stand, in any order; one that is not there is left out.
///
/// # Errors
/// [`DbError`].
pub async fn of_tenants(tx: &mut Tx, tenants: &[TenantId]) -> Result<Vec<Standing>, DbError> {
    let mut rows = Vec::with_capacity(tenants.len());
    for tenant in tenants {
        rows.extend(sql(OF_TENANT).bind(*tenant).maybe(tx).await?);
    }
    read(rows)
}

/// The same, with numbers for their runs: a few, where it costs nothing to have them at once.
///
/// # Errors
/// [`DbError`].
pub async fn with_numbers(tx: &mut Tx, tenants: &[TenantId]) -> Result<(Vec<Standing>, Vec<RunId>), DbError> {
    if !tx.is_postgres() {
        return Ok((of_tenants(tx, tenants).await?, Vec::new()));
    }
    let queries: Vec<Query> = tenants.chunks(TOGETHER).map(of_some).collect();
    let (mut numbers, mut standings) = (Vec::new(), Vec::with_capacity(tenants.len()));
    for mut row in tx.together(&queries).await?.into_iter().flatten() {
        numbers.extend(row.take::<Option<RunId>>()?);
        standings.push(standing(&mut row)?);
    }
    numbers.sort_unstable();
    Ok((standings, numbers))
}

fn read(rows: impl IntoIterator<Item = Row>) -> Result<Vec<Standing>, DbError> {
    rows.into_iter().map(|mut row| standing(&mut row)).collect()
}

fn of_some(tenants: &[TenantId]) -> Query {
    // Places that are left over name no tenant.
    let ids = tenants.iter().map(|id| id.number()).chain(std::iter::repeat(0)).take(TOGETHER);
    ids.fold(sql(OF_TENANTS_ON_POSTGRES), Query::bind)
}
