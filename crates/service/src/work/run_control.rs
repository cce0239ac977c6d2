//! What people and programs ask of runs: start one, end one, do one once more.

use super::Outcome;
use super::trigger::{Cause, enqueue, trigger};
use crate::connect::look_up::Caller;
use crate::{Fault, Service};
use ::connect::run::{Mode, Source};
use kernel::ids::{IntegrationId, JobId, OrganizationId, RunId, TenantId, TriggerId};
use kernel::{Actor, Environment, Time, audit};
use serde_json::{Value, json};
use std::sync::Arc;
use store::jobs::{self, Kind, Wish};
use store::reruns::{self, Rerun};
use store::{audit as audit_log, integrations, runs, tenants, triggers, users};

/// What a run was asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub source: Source,
    pub mode: Mode,
    pub payload: Option<Value>,
}

/// What became of asking for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Synced {
    Triggered(TriggerId),
    NoIntegration,
    NoTenant,
    /// Several users have the integration, and none was named.
    WhichUser,
    Archived,
}

/// What became of asking that a run end, or be done once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Controlled {
    /// It ends soon.
    Ending,
    /// This trigger becomes the run that does it once more.
    Again(TriggerId),
    NoRun,
    /// It has ended already, or its tenant is archived.
    Over(&'static str),
}

/// Which organization and environment, and who acts.
#[derive(Debug, Clone)]
pub struct Desk {
    pub organization: OrganizationId,
    pub environment: Environment,
    pub actor: Actor,
}

impl From<&Caller> for Desk {
    fn from(caller: &Caller) -> Self {
        let (organization, environment) = (caller.organization.clone(), caller.environment);
        Self { organization, environment, actor: caller.actor() }
    }
}

/// What is chosen for a rerun; what is `None` is as it would be for any run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// A JSON object, in place of the tenant's.
    pub configs: Option<Value>,
    /// In place of what the last run handed on.
    pub state: Option<String>,
}

impl Service {
    fn run_event(&self, desk: &Desk, action: &'static str, subject: RunId, detail: Value) -> audit::Event {
        let owner = Some(desk.organization.clone());
        let event = audit::Event::new(
            action,
            subject.to_string(),
            owner,
            desk.actor.clone(),
            self.clock.now(),
            &*self.chance,
        );
        event.with(detail)
    }

    /// Asks for a run of one tenant.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn sync_tenant(&self, desk: &Desk, tenant: TenantId, asked: Asked) -> Result<Synced, Fault> {
        let (owner, environment) = (desk.organization.clone(), desk.environment);
        let (now, chance) = (self.clock.now(), Arc::clone(&self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let Some(found) = tenants::by_id(tx, &owner, environment, tenant).await? else {
                    return Ok(Synced::NoTenant);
                };
                if found.archived.is_some() {
                    return Ok(Synced::Archived);
                }
                let Asked { source, mode, payload } = asked;
                let cause = Cause { organization: &owner, tenant, source, mode, delivery: None, payload };
                Ok::<_, Fault>(Synced::Triggered(trigger(tx, &cause, now, &*chance).await?))
            })
        });
        let synced = write.await?;
        self.ring_work();
        Ok(synced)
    }

    /// Asks for a run of the tenant that this user has of an integration; where nobody is named, of its only one.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn sync_integration(
        &self,
        desk: &Desk,
        integration: IntegrationId,
        username: Option<String>,
        asked: Asked,
    ) -> Result<Synced, Fault> {
        let (owner, environment) = (desk.organization.clone(), desk.environment);
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                if integrations::by_id(tx, &owner, environment, integration).await?.is_none() {
                    return Ok(Err(Synced::NoIntegration));
                }
                if let Some(username) = username {
                    let user = users::by_username(tx, &owner, environment, &username).await?;
                    let Some(user) = user else { return Ok(Err(Synced::NoTenant)) };
                    let found = tenants::find(tx, &owner, environment, integration, user.id).await?;
                    return Ok(found.map(|tenant| tenant.id).ok_or(Synced::NoTenant));
                }
                let filter = tenants::Filter {
                    organization: owner,
                    environment,
                    archived: Some(false),
                    integration: Some(integration),
                    username: None,
                };
                let page = store::Page { sort: tenants::Sort::Id, descending: false, limit: 2, skip: 0 };
                let found = tenants::list(tx, &filter, page).await?;
                Ok::<_, Fault>(match found.rows.as_slice() {
                    [] => Err(Synced::NoTenant),
                    [only] => Ok(only.id),
                    _ => Err(Synced::WhichUser),
                })
            })
        });
        match read.await? {
            Ok(tenant) => self.sync_tenant(desk, tenant, asked).await,
            Err(synced) => Ok(synced),
        }
    }

    /// Asks that a run end. One that is under way ends within a few seconds, wherever it runs.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn cancel_run(&self, desk: &Desk, id: RunId) -> Result<Controlled, Fault> {
        let (owner, environment) = (desk.organization.clone(), desk.environment);
        let (now, chance) = (self.clock.now(), Arc::clone(&self.chance));
        let event = self.run_event(desk, "run.cancelled", id, Value::Null);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let Some(run) = runs::by_id(tx, &owner, environment, id).await? else {
                    return Ok(Controlled::NoRun);
                };
                if !run.phase.is_open() {
                    return Ok(Controlled::Over("this run has ended"));
                }
                if runs::ask_to_cancel(tx, &owner, id, now).await? {
                    audit_log::insert(tx, &event.with(json!({ "tenant": run.tenant }))).await?;
                }
                // Whoever holds it looks by himself; where nobody does, somebody shall.
                move_or_enqueue(tx, &owner, run.tenant, now, &*chance).await?;
                Ok::<_, Fault>(Controlled::Ending)
            })
        });
        let ending = write.await?;
        self.ring_work();
        Ok(ending)
    }

    /// Does a run once more: with its triggers, and with configs and state of one's choice.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn rerun(&self, desk: &Desk, id: RunId, chosen: Chosen) -> Result<Controlled, Fault> {
        let (owner, environment) = (desk.organization.clone(), desk.environment);
        let (now, chance) = (self.clock.now(), Arc::clone(&self.chance));
        let event = self.run_event(desk, "run.rerun", id, Value::Null);
        let source = if matches!(desk.actor, Actor::ApiKey { .. }) { Source::Api } else { Source::Manual };
        let key = self.vault.current_key(&self.db, &desk.organization).await?;
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let Some(run) = runs::by_id(tx, &owner, environment, id).await? else {
                    return Ok(Controlled::NoRun);
                };
                let tenant = tenants::by_id(tx, &owner, environment, run.tenant).await?;
                if tenant.is_none_or(|tenant| tenant.archived.is_some()) {
                    return Ok(Controlled::Over("its tenant is archived"));
                }
                let trigger = ::connect::run::Trigger {
                    id: triggers::next_id(tx).await?,
                    organization: owner.clone(),
                    tenant: run.tenant,
                    source,
                    mode: run.mode,
                    delivery: None,
                    payload: None,
                    created: now,
                    run: None,
                };
                triggers::insert(tx, &trigger).await?;
                let place = format!("rerun:{}", trigger.id);
                let state = chosen.state.map(|state| key.seal(&place, state.as_bytes(), &*chance));
                let rerun = Rerun {
                    trigger: trigger.id,
                    tenant: run.tenant,
                    // The first of a line: its triggers are what all of them are told.
                    run: run.rerun_of.unwrap_or(run.id),
                    configs: chosen.configs,
                    state,
                };
                reruns::insert(tx, &rerun).await?;
                audit_log::insert(tx, &event.with(json!({ "tenant": run.tenant, "trigger": trigger.id })))
                    .await?;
                enqueue(tx, &owner, run.tenant, now, &*chance).await?;
                Ok::<_, Fault>(Controlled::Again(trigger.id))
            })
        });
        let again = write.await?;
        self.ring_work();
        Ok(again)
    }

    /// After a report: the tenant's job, which waits for it, goes on as this outcome says.
    pub(super) async fn move_run(
        &self,
        owner: OrganizationId,
        tenant: TenantId,
        outcome: &Outcome,
    ) -> Result<(), Fault> {
        let (now, chance) = (self.clock.now(), Arc::clone(&self.chance));
        let due = match outcome {
            Outcome::Again { at, .. } | Outcome::Wait { at } => *at,
            _ => now,
        };
        let write = self.db.write(move |tx| {
            Box::pin(async move { move_or_enqueue(tx, &owner, tenant, due, &*chance).await })
        });
        write.await?;
        self.ring_work();
        Ok(())
    }
}

/// Has the tenant's job looked at then, also where it waits for something else.
async fn move_or_enqueue(
    tx: &mut store::Tx,
    owner: &OrganizationId,
    tenant: TenantId,
    due: Time,
    chance: &dyn kernel::Chance,
) -> Result<(), Fault> {
    let wish = Wish { kind: Kind::Run, organization: owner, subject: tenant.to_string(), due };
    Ok(jobs::put(tx, &wish, JobId::new(due, chance), due).await?)
}
