//! Runs: one row for each, from the moment in which its triggers are claimed.

use crate::db::{Db, DbError, Query, Row, Tx, json, next_id as next, sql};
use crate::listing::{Listed, Page};
use crate::statements::statements;
use connect::run::show::Runs;
use connect::run::{Mode, Phase, Run};
use kernel::ids::{OrganizationId, ReleaseId, RunId, TenantId, TriggerId};
use kernel::{Environment, Hashed, Time};

/// What a list may be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Id,
    Started,
    Completed,
}

impl Sort {
    pub const ALL: [Self; 3] = [Self::Id, Self::Started, Self::Completed];

    /// The published field's name (contract `connect.md`, 6).
    pub const fn field(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Started => "started_date",
            Self::Completed => "completed_date",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Started => "started_at",
            Self::Completed => "completed_at",
        }
    }
}

macro_rules! columns {
    ($prefix:literal) => {
        concat!(
            $prefix,
            "id, ",
            $prefix,
            "organization_id, ",
            $prefix,
            "environment, ",
            $prefix,
            "tenant_id, ",
            $prefix,
            "integration_id, ",
            $prefix,
            "release_id, ",
            $prefix,
            "mode, ",
            $prefix,
            "phase, ",
            $prefix,
            "started_at, ",
            $prefix,
            "completed_at, ",
            $prefix,
            "reason, ",
            $prefix,
            "attempts, ",
            $prefix,
            "rerun_of, ",
            $prefix,
            "configs, ",
            $prefix,
            "given_state, ",
            $prefix,
            "state, ",
            $prefix,
            "exit_code, ",
            $prefix,
            "log_bytes, ",
            $prefix,
            "cancel_at, ",
            $prefix,
            "waits_until, ",
            $prefix,
            "created_at"
        )
    };
}

statements! {
    // The index over runs that have not completed refuses a second one of the tenant.
    INSERT = concat!("INSERT INTO runs (", columns!(""), ", token_hash) VALUES
        ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        ON CONFLICT (tenant_id) WHERE completed_at IS NULL DO NOTHING");
    OPEN = concat!("SELECT ", columns!(""), " FROM runs
        WHERE tenant_id = $2 AND completed_at IS NULL AND organization_id = $1");
    BY_ID = concat!("SELECT ", columns!(""), " FROM runs
        WHERE id = $3 AND organization_id = $1 AND environment = $2");
    BY_TOKEN = concat!("SELECT ", columns!(""), " FROM runs WHERE token_hash = $1 AND completed_at IS NULL");
    BY_TRIGGER = concat!("SELECT ", columns!("r."), " FROM triggers AS t JOIN runs AS r ON r.id = t.run_id
        WHERE t.id = $3 AND r.organization_id = $1 AND r.environment = $2");
    // Whoever begins states the attempt that was before his: of two, one goes on.
    BEGIN = "UPDATE runs SET phase = 'Running', started_at = $4, attempts = attempts + 1, token_hash = $5,
        release_id = $6, reason = NULL, waits_until = NULL
        WHERE organization_id = $1 AND id = $2 AND attempts = $3 AND completed_at IS NULL";
    // An attempt that lost its lease has another number by then and changes nothing.
    SAVE = "UPDATE runs SET phase = $4, reason = $5, state = $6, exit_code = $7, started_at = $8, completed_at = $9,
        waits_until = $10, token_hash = CASE WHEN CAST($9 AS BIGINT) IS NULL THEN token_hash ELSE NULL END
        WHERE organization_id = $1 AND id = $2 AND attempts = $3 AND completed_at IS NULL";
    CANCEL = "UPDATE runs SET cancel_at = $3
        WHERE organization_id = $1 AND id = $2 AND cancel_at IS NULL AND completed_at IS NULL";
    CANCEL_WANTED = "SELECT cancel_at FROM runs WHERE organization_id = $1 AND id = $2";
    LOGGED = "UPDATE runs SET log_bytes = log_bytes + $4
        WHERE organization_id = $1 AND id = $2 AND attempts = $3 AND completed_at IS NULL";
    LAST = concat!("SELECT ", columns!(""), " FROM runs
        WHERE tenant_id = $2 AND completed_at IS NOT NULL AND organization_id = $1 ORDER BY id DESC LIMIT 1");
    LAST_SUCCESSFUL = concat!("SELECT ", columns!(""), " FROM runs
        WHERE tenant_id = $2 AND phase = 'Succeeded' AND organization_id = $1 ORDER BY id DESC LIMIT 1");
    // What the next run of a tenant is handed stays, however old it is.
    DELETE_BEFORE = "DELETE FROM runs WHERE id IN (SELECT r.id FROM runs AS r WHERE r.completed_at < $1
        AND r.id <> (SELECT MAX(l.id) FROM runs AS l WHERE l.tenant_id = r.tenant_id)
        AND r.id <> COALESCE((SELECT MAX(s.id) FROM runs AS s
            WHERE s.tenant_id = r.tenant_id AND s.phase = 'Succeeded'), 0)
        ORDER BY r.completed_at LIMIT $2)";
}

/// Beginnings that are never run by themselves.
const PAGE: &str = concat!("SELECT ", columns!(""), " FROM runs");
const COUNT: &str = "SELECT COUNT(*) FROM runs";
const OF_ORGANIZATION: &str = " WHERE organization_id = $1 AND environment = $2";
const OF_TENANT: &str = " WHERE tenant_id = $3 AND organization_id = $1 AND environment = $2";
const OF_TENANTS: &str = concat!(
    "SELECT ",
    columns!("r."),
    ", CASE WHEN r.completed_at IS NULL THEN 'current' ELSE 'past' END FROM tenants AS t JOIN runs AS r ON r.id IN (
        (SELECT MAX(o.id) FROM runs AS o WHERE o.tenant_id = t.id AND o.completed_at IS NULL),
        (SELECT MAX(l.id) FROM runs AS l WHERE l.tenant_id = t.id AND l.completed_at IS NOT NULL),
        (SELECT MAX(s.id) FROM runs AS s WHERE s.tenant_id = t.id AND s.phase = 'Succeeded'))
    WHERE t.organization_id = $1"
);
const CONFIGS_OF_TENANTS: &str =
    "SELECT t.tenant_id, t.data FROM tenant_dynamic_configs AS t WHERE t.organization_id = $1";
/// How many tenants one statement asks for: few texts to prepare, the last id repeated to fill up.
const GROUP: usize = 100;

fn of_group(start: &str, column: &str) -> String {
    let places: Vec<_> = (2..GROUP + 2).map(|number| format!("${number}")).collect();
    format!("{start} AND {column} IN ({})", places.join(", "))
}

/// The composed statements, for the test that prepares them.
pub(crate) fn composed() -> Vec<String> {
    let mut out = vec![of_group(OF_TENANTS, "t.id"), of_group(CONFIGS_OF_TENANTS, "t.tenant_id")];
    out.extend([format!("{COUNT}{OF_TENANT}"), format!("{COUNT}{OF_ORGANIZATION}")]);
    for sort in Sort::ALL {
        for descending in [true, false] {
            let page = Page { sort, descending, limit: 1, skip: 0 };
            out.push(format!("{PAGE}{OF_TENANT}{}", page.tail(sort.column(), 4)));
            out.push(format!("{PAGE}{OF_ORGANIZATION}{}", page.tail(sort.column(), 3)));
        }
    }
    out
}

fn run(row: &mut Row) -> Result<Run, DbError> {
    let (id, organization, environment) = (row.take()?, row.take()?, row.take()?);
    let (tenant, integration, release) = (row.take()?, row.take()?, row.take()?);
    let mode = row.take_word(Mode::parse)?;
    let (word, started, completed) = (row.take::<String>()?, row.take()?, row.take()?);
    let phase = Phase::from_stored(&word, started, completed);
    let phase = phase.ok_or_else(|| DbError::Corrupt("a run's phase and times contradict".to_owned()))?;
    let (reason, attempts, rerun_of) = (row.take()?, row.take()?, row.take()?);
    let (configs, given_state, state) = (row.take_json_or_null()?, row.take()?, row.take()?);
    let (exit_code, log_bytes, cancel, waits) = (row.take()?, row.take()?, row.take()?, row.take()?);
    Ok(Run {
        id,
        organization,
        environment,
        tenant,
        integration,
        release,
        mode,
        phase,
        reason,
        attempts,
        rerun_of,
        configs,
        given_state,
        state,
        exit_code,
        log_bytes,
        cancel,
        waits,
        created: row.take()?,
    })
}

async fn maybe(query: Query, tx: &mut Tx) -> Result<Option<Run>, DbError> {
    query.maybe(tx).await?.map(|mut row| run(&mut row)).transpose()
}

/// The id for a new run.
///
/// # Errors
/// [`DbError`].
pub async fn next_id(tx: &mut Tx) -> Result<RunId, DbError> {
    let number = next(tx, "runs").await?;
    RunId::new(number).map_err(|error| DbError::Bug(error.to_string()))
}

/// `false` where the tenant has an open run: nothing was written then. `token` is the hash of the run's own token.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Run, token: Option<&Hashed>) -> Result<bool, DbError> {
    let configs = new.configs.as_ref().map(json).transpose()?;
    let query = sql(INSERT).bind(new.id).bind(&new.organization).bind(new.environment).bind(new.tenant);
    let query = query.bind(new.integration).bind(new.release).bind(new.mode.as_str());
    let query = query.bind(new.phase.as_str()).bind(new.phase.started()).bind(new.phase.completed());
    let query = query.bind(new.reason.as_deref()).bind(new.attempts).bind(new.rerun_of).bind(configs);
    let query = query.bind(new.given_state.as_ref()).bind(new.state.as_ref()).bind(new.exit_code);
    let query = query.bind(new.log_bytes).bind(new.cancel).bind(new.waits).bind(new.created);
    query.bind(token).wrote(tx).await
}

/// The tenant's run that has not ended.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
) -> Result<Option<Run>, DbError> {
    maybe(sql(OPEN).bind(organization).bind(tenant), tx).await
}

/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: RunId,
) -> Result<Option<Run>, DbError> {
    maybe(sql(BY_ID).bind(organization).bind(environment).bind(id), tx).await
}

/// The open run whose own token has this hash.
///
/// # Errors
/// [`DbError`].
pub async fn by_token(tx: &mut Tx, token: &Hashed) -> Result<Option<Run>, DbError> {
    maybe(sql(BY_TOKEN).bind(token), tx).await
}

/// The run that took a trigger.
///
/// # Errors
/// [`DbError`].
pub async fn by_trigger(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    trigger: TriggerId,
) -> Result<Option<Run>, DbError> {
    maybe(sql(BY_TRIGGER).bind(organization).bind(environment).bind(trigger), tx).await
}

/// What an attempt begins with.
#[derive(Debug, Clone)]
pub struct Begin<'a> {
    pub release: Option<ReleaseId>,
    /// The hash of a token of this attempt's own; those of earlier ones end.
    pub token: &'a Hashed,
}

/// The next attempt of a run that is as it was read; `false` where it is not any more.
///
/// # Errors
/// [`DbError`].
pub async fn begin(tx: &mut Tx, read: &Run, begin: Begin<'_>, now: Time) -> Result<bool, DbError> {
    let query = sql(BEGIN).bind(&read.organization).bind(read.id).bind(read.attempts).bind(now);
    query.bind(begin.token).bind(begin.release).wrote(tx).await
}

/// Writes how the attempt `run.attempts` stands: phase, reason, state, exit code, and until when it waits. `false`
/// where another attempt has begun or the run has ended: nothing was written then.
///
/// # Errors
/// [`DbError`].
pub async fn save(tx: &mut Tx, run: &Run) -> Result<bool, DbError> {
    let query = sql(SAVE).bind(&run.organization).bind(run.id).bind(run.attempts);
    let query = query.bind(run.phase.as_str()).bind(run.reason.as_deref()).bind(run.state.as_ref());
    let query = query.bind(run.exit_code).bind(run.phase.started()).bind(run.phase.completed());
    query.bind(run.waits).wrote(tx).await
}

/// Asks that a run end; `false` where it has, or was asked before.
///
/// # Errors
/// [`DbError`].
pub async fn ask_to_cancel(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: RunId,
    now: Time,
) -> Result<bool, DbError> {
    sql(CANCEL).bind(organization).bind(id).bind(now).wrote(tx).await
}

/// Whether somebody asked that it end: a look that costs no writer's time.
///
/// # Errors
/// [`DbError`].
pub async fn is_to_end(db: &Db, organization: &OrganizationId, id: RunId) -> Result<bool, DbError> {
    let row = db.maybe(sql(CANCEL_WANTED).bind(organization).bind(id)).await?;
    let cancel = row.map(|mut row| row.take::<Option<Time>>()).transpose()?;
    Ok(cancel.flatten().is_some())
}

/// Counts bytes of the log and holds the row until the end of the unit of work; `false` where this attempt is over.
pub(crate) async fn logged(tx: &mut Tx, run: &Run, bytes: i64) -> Result<bool, DbError> {
    sql(LOGGED).bind(&run.organization).bind(run.id).bind(run.attempts).bind(bytes).wrote(tx).await
}

/// The newest run of a tenant that has ended, and the newest that succeeded.
///
/// # Errors
/// [`DbError`].
pub async fn last(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
) -> Result<(Option<Run>, Option<Run>), DbError> {
    let last = maybe(sql(LAST).bind(organization).bind(tenant), tx).await?;
    if last.as_ref().is_none_or(|run| matches!(run.phase, Phase::Succeeded { .. })) {
        return Ok((last.clone(), last));
    }
    let successful = maybe(sql(LAST_SUCCESSFUL).bind(organization).bind(tenant), tx).await?;
    Ok((last, successful))
}

/// The runs of one tenant, or of all of them.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    tenant: Option<TenantId>,
    page: Page<Sort>,
) -> Result<Listed<Run>, DbError> {
    let (which, next) = if tenant.is_some() { (OF_TENANT, 4) } else { (OF_ORGANIZATION, 3) };
    let bound = |text: String| {
        let query = sql(text).bind(organization).bind(environment);
        tenant.map_or(query.clone(), |tenant| query.bind(tenant))
    };
    let total = bound(format!("{COUNT}{which}")).one(tx).await?.take()?;
    let query = bound(format!("{PAGE}{which}{}", page.tail(page.sort.column(), next)));
    let rows = query.bind(page.limit.max(0)).bind(page.skip.max(0)).all(tx).await?;
    Ok(Listed { rows: rows.into_iter().map(|mut row| run(&mut row)).collect::<Result<_, _>>()?, total })
}

/// What `status` shows of each of these tenants; those without runs or dynamic configs are left out.
///
/// # Errors
/// [`DbError`].
pub async fn of_tenants(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenants: &[TenantId],
) -> Result<Vec<(TenantId, Runs)>, DbError> {
    let mut found: Vec<(TenantId, Runs)> = Vec::new();
    for group in tenants.chunks(GROUP) {
        let Some(last) = group.last() else { continue };
        let ask = |start: &str, column: &str| {
            let filled = group.iter().chain(std::iter::repeat(last)).take(GROUP);
            filled.fold(sql(of_group(start, column)).bind(organization), |query, tenant| query.bind(*tenant))
        };
        for mut row in ask(OF_TENANTS, "t.id").all(tx).await? {
            let run = run(&mut row)?;
            let runs = entry(&mut found, run.tenant);
            if run.phase.is_open() {
                runs.current = Some(run);
                continue;
            }
            if matches!(run.phase, Phase::Succeeded { .. }) {
                runs.last_successful = Some(run.clone());
            }
            if runs.last.as_ref().is_none_or(|last| last.id < run.id) {
                runs.last = Some(run);
            }
        }
        for mut row in ask(CONFIGS_OF_TENANTS, "t.tenant_id").all(tx).await? {
            let tenant = row.take()?;
            entry(&mut found, tenant).dynamic_configs = Some(row.take_json()?);
        }
    }
    Ok(found)
}

fn entry(found: &mut Vec<(TenantId, Runs)>, tenant: TenantId) -> &mut Runs {
    let at = found.iter().position(|(id, _)| *id == tenant).unwrap_or_else(|| {
        found.push((tenant, Runs::default()));
        found.len() - 1
    });
    // It was found or pushed just now.
    #[expect(clippy::indexing_slicing, reason = "the position was found or made above")]
    &mut found[at].1
}

/// Deletes at most `limit` runs that ended before `before`, with their logs, but for what the next run of a tenant is
/// handed.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(before).bind(limit).execute(tx).await
}
