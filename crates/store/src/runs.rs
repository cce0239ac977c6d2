//! Runs: one row for each, from the moment in which its triggers are claimed.

use crate::db::{Db, DbError, Query, Row, Tx, json, next_id as next, sql};
use crate::statements::{never_set, statements};
use connect::run::{Mode, Phase, Run};
use kernel::ids::{OrganizationId, ReleaseId, RunId, TenantId, TriggerId};
use kernel::{Environment, Hashed, Time};

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

pub mod arriving;
pub mod begun;
pub mod ended;
mod listed;
pub mod over;
pub mod standing;

pub(crate) use listed::composed;
pub use listed::{Sort, list, of_tenants};

statements! {
    // The index over runs that have not completed refuses a second one of the tenant.
    INSERT = concat!("INSERT INTO runs (", columns!(""), ", token_hash) VALUES
        ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        ON CONFLICT (tenant_id) WHERE completed_at IS NULL DO NOTHING");
    OPEN = concat!("SELECT ", columns!(""), " FROM runs
        WHERE tenant_id = $2 AND completed_at IS NULL AND organization_id = $1");
    BY_ID = concat!("SELECT ", columns!(""), " FROM runs
        WHERE id = $3 AND organization_id = $1 AND environment = $2");
    BY_TOKEN = concat!("SELECT ", columns!(""), " FROM runs WHERE id = $1 AND token_hash = $2");
    BY_TRIGGER = concat!("SELECT ", columns!("r."), " FROM triggers AS t JOIN runs AS r ON r.id = t.run_id
        WHERE t.id = $3 AND r.organization_id = $1 AND r.environment = $2");
    // Whoever begins states the attempt that was before his: of two, one goes on.
    BEGIN = concat!("UPDATE runs SET phase = 'Running', started_at = $4, attempts = attempts + 1, token_hash = $5,
        release_id = $6, reason = NULL, waits_until = NULL
        WHERE organization_id = $1 AND id = $2 AND attempts = $3 AND ", never_set!("completed_at"));
    // An attempt that lost its lease has another number by then and changes nothing.
    SAVE = concat!("UPDATE runs SET phase = $4, reason = $5, state = $6, exit_code = $7, started_at = $8, completed_at = $9,
        waits_until = $10, token_hash = CASE WHEN CAST($9 AS BIGINT) IS NULL THEN token_hash ELSE NULL END
        WHERE organization_id = $1 AND id = $2 AND attempts = $3 AND ", never_set!("completed_at"));
    CANCEL = concat!("UPDATE runs SET cancel_at = $3
        WHERE organization_id = $1 AND id = $2 AND cancel_at IS NULL AND ", never_set!("completed_at"));
    CANCEL_WANTED = "SELECT cancel_at FROM runs WHERE organization_id = $1 AND id = $2";
    LOGGED = concat!("UPDATE runs SET log_bytes = log_bytes + $4
        WHERE organization_id = $1 AND id = $2 AND attempts = $3 AND ", never_set!("completed_at"));
    LAST = concat!("SELECT ", columns!(""), " FROM runs
        WHERE tenant_id = $2 AND completed_at IS NOT NULL AND organization_id = $1 ORDER BY id DESC LIMIT 1");
    LAST_SUCCESSFUL = concat!("SELECT ", columns!(""), " FROM runs
        WHERE tenant_id = $2 AND phase = 'Succeeded' AND organization_id = $1 ORDER BY id DESC LIMIT 1");
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

/// The run of this id, while it is open and its own token has this hash: the end of a run takes its token away.
///
/// # Errors
/// [`DbError`].
pub async fn by_token(tx: &mut Tx, id: RunId, token: &Hashed) -> Result<Option<Run>, DbError> {
    maybe(sql(BY_TOKEN).bind(id).bind(token), tx).await
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
