//! What was chosen for runs that are to be done once more.

use crate::db::{DbError, Tx, json, sql};
use crate::statements::statements;
use kernel::Sealed;
use kernel::ids::{RunId, TenantId, TriggerId};
use serde_json::Value;

statements! {
    INSERT = "INSERT INTO reruns (trigger_id, tenant_id, run_id, configs, state) VALUES ($1, $2, $3, $4, $5)";
    BY_TRIGGER = "SELECT trigger_id, tenant_id, run_id, configs, state FROM reruns
        WHERE trigger_id = $2 AND tenant_id = $1";
}

/// A choice, beside the trigger that asks for the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerun {
    pub trigger: TriggerId,
    pub tenant: TenantId,
    /// The run that is done once more.
    pub run: RunId,
    /// In place of the tenant's.
    pub configs: Option<Value>,
    /// In place of the last run's, sealed for the place `rerun:{trigger}`.
    pub state: Option<Sealed>,
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Rerun) -> Result<(), DbError> {
    let configs = new.configs.as_ref().map(json).transpose()?;
    let query = sql(INSERT).bind(new.trigger).bind(new.tenant).bind(new.run).bind(configs);
    query.bind(new.state.as_ref()).execute(tx).await.map(drop)
}

/// `None` for a trigger that asks for a run of its own.
///
/// # Errors
/// [`DbError`].
pub async fn by_trigger(tx: &mut Tx, tenant: TenantId, trigger: TriggerId) -> Result<Option<Rerun>, DbError> {
    let Some(mut row) = sql(BY_TRIGGER).bind(tenant).bind(trigger).maybe(tx).await? else { return Ok(None) };
    let (trigger, tenant, run) = (row.take()?, row.take()?, row.take()?);
    Ok(Some(Rerun { trigger, tenant, run, configs: row.take_json_or_null()?, state: row.take()? }))
}
