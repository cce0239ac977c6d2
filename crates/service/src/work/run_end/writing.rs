//! What the end of an attempt writes, in one unit of work.

use crate::Fault;
use crate::work::events;
use crate::work::run::look_again;
use ::connect::connection::{Connection, Status};
use ::connect::notice::NewEvent;
use ::connect::run::outcome;
use ::connect::run::{Phase, Run};
use ::connect::tenant::Tenant;
use ::connect::tenant_json::variable;
use kernel::{Actor, Chance, Time, audit};
use serde_json::Value;
use std::sync::Arc;
use store::jobs::{self, Kind};
use store::{Tx, audit as audit_log, connections, dynamic_configs, run_logs, runs, tenant_metadata, users};

/// What one unit of work writes.
#[derive(Clone)]
pub(super) struct Writing {
    pub(super) run: Run,
    pub(super) tenant: Tenant,
    pub(super) log: String,
    pub(super) metadata: Option<serde_json::Map<String, Value>>,
    pub(super) dynamic_configs: Option<Value>,
    /// Variables of connectors whose credential was refused.
    pub(super) disconnected: Vec<String>,
    pub(super) now: Time,
    pub(super) chance: Arc<dyn Chance>,
}

/// What became of it.
pub(super) enum Written {
    /// Somebody else has gone on with the run, or ended it: nothing was written.
    Overtaken,
    Kept {
        rings: bool,
    },
    /// The metadata did not fit together: nothing was written.
    Unfit(String),
}

pub(super) enum NotWritten {
    Unfit(String),
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for NotWritten {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Writing {
    /// Of a run that ends, whatever it had to say.
    pub(super) fn of(run: Run, tenant: &Tenant, now: Time, chance: Arc<dyn Chance>) -> Self {
        Self {
            run,
            tenant: tenant.clone(),
            log: String::new(),
            metadata: None,
            dynamic_configs: None,
            disconnected: Vec::new(),
            now,
            chance,
        }
    }

    /// Whether there is nothing to write but the run itself.
    pub(super) fn is_bare(&self) -> bool {
        let has_failed = matches!(self.run.phase, Phase::Failed { .. });
        !self.run.phase.is_open()
            && !has_failed
            && self.run.reason.is_none()
            && self.log.is_empty()
            && self.metadata.is_none()
            && self.dynamic_configs.is_none()
            && self.disconnected.is_empty()
    }

    pub(super) async fn write(self, tx: &mut Tx) -> Result<Written, NotWritten> {
        let (owner, tenant) = (&self.run.organization, self.run.tenant);
        if !self.log.is_empty() && !run_logs::append(tx, &self.run, &self.log).await? {
            return Ok(Written::Overtaken);
        }
        // The attempt's number is the guard: whoever lost the run to another changes nothing of it.
        if !runs::save(tx, &self.run).await? {
            return Ok(Written::Overtaken);
        }
        if let Some(members) = self.metadata {
            let before = tenant_metadata::hold(tx, owner, tenant, self.now).await?;
            let merged = outcome::merged(Some(&before.data), members);
            let merged = merged.map_err(|unfit| NotWritten::Unfit(unfit.0))?;
            tenant_metadata::save(tx, owner, tenant, &merged).await?;
        }
        if let Some(found) = &self.dynamic_configs {
            dynamic_configs::put(tx, owner, tenant, found, self.now).await?;
        }
        let (chance, now) = (&*self.chance, self.now);
        let mut told = Vec::new();
        if !self.disconnected.is_empty() {
            for connection in connections::of_tenant(tx, owner, tenant).await? {
                let named = self.disconnected.contains(&variable(connection.connector.as_str()));
                if named && disconnect(tx, &connection, &self.run, now, chance).await? {
                    told.push(connection);
                }
            }
        }
        let failed = matches!(self.run.phase, Phase::Failed { .. });
        let mut rings = false;
        if failed || !told.is_empty() {
            let user = users::by_id(tx, owner, self.tenant.user).await?;
            let username = user.map(|user| user.username).unwrap_or_default();
            for connection in told {
                let reason = events::Disconnection::Refused;
                let event =
                    NewEvent::tenant_disconnected(&self.tenant, &username, &connection.connector, reason);
                rings |= events::emit(tx, &event, now, chance).await?;
            }
            if failed {
                let run = events::FailedRun {
                    id: self.run.id,
                    mode: self.run.mode.as_str(),
                    phase: self.run.phase.as_str(),
                    reason: self.run.reason.as_deref(),
                };
                rings |= events::emit(tx, &NewEvent::run_failed(&self.tenant, &username, run), now, chance)
                    .await?;
            }
        }
        if !self.run.phase.is_open() {
            rings |= look_again(tx, &self.tenant, now, chance).await?;
        }
        Ok(Written::Kept { rings })
    }
}

/// A run says that a connection's credential is refused. `false` where it is disconnected already.
async fn disconnect(
    tx: &mut Tx,
    connection: &Connection,
    run: &Run,
    now: Time,
    chance: &dyn Chance,
) -> Result<bool, Fault> {
    if connection.status == Status::Disconnected
        || !connections::set_disconnected(tx, connection, now).await?
    {
        return Ok(false);
    }
    let (owner, subject) = (Some(connection.organization.clone()), connection.tenant.to_string());
    let event = audit::Event::new("tenant.disconnected", subject, owner, Actor::Gateway, now, chance);
    let detail = serde_json::json!({ "connector": connection.connector.as_str(), "run": run.id });
    audit_log::insert(tx, &event.with(detail)).await?;
    jobs::remove(tx, Kind::Refresh, connection.id.as_str()).await?;
    Ok(true)
}
