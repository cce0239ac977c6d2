//! What a run is told: credentials, configs, what earlier runs handed on, the bodies of deliveries.

use super::credential::{self, NoCredential};
use super::run::{Contents, Task};
use crate::{Fault, Service};
use ::connect::config_schema::with_defaults;
use ::connect::connection::Connection;
use ::connect::connector::Definition;
use ::connect::run::environment::{Past, Payload, Secrets, Surroundings, Told, ToldTrigger};
use ::connect::run::{Failure, PastRun, Run};
use kernel::Sealed;
use kernel::ids::{DeliveryId, OrganizationId, TenantId};
use serde_json::{Map, Value};
use std::sync::Arc;
use store::deliveries::Content;
use store::{connections, deliveries};

/// Why an attempt never began.
pub(super) enum NotBegun {
    Failed { why: Failure, reason: String },
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for NotBegun {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl NotBegun {
    pub(super) fn platform(reason: impl std::fmt::Display) -> Self {
        Self::Failed { why: Failure::Platform, reason: reason.to_string() }
    }
}

/// Those that the manifest names, in its order, or, where it names nothing, all that the tenant has. What the tenant never
/// had cannot be what it lacks.
fn named_by(names: &[String], connections: &[Connection]) -> Vec<Connection> {
    if names.is_empty() {
        return connections.to_vec();
    }
    let named = names
        .iter()
        .filter_map(|name| connections.iter().find(|connection| connection.connector.as_str() == name));
    named.cloned().collect()
}

impl Service {
    /// The connections of a run's tenant, as they are now.
    pub(super) async fn connections_of(
        &self,
        owner: &OrganizationId,
        tenant: TenantId,
    ) -> Result<Vec<Connection>, Fault> {
        let owner = owner.clone();
        let read =
            self.db.read(move |tx| Box::pin(async move { connections::of_tenant(tx, &owner, tenant).await }));
        Ok(read.await?)
    }

    /// The credentials that the release reads, renewed where it is time. One that cannot be had ends the attempt.
    pub(super) async fn run_secrets(
        self: &Arc<Self>,
        task: &Task,
        connections: &[Connection],
    ) -> Result<Vec<Secrets>, NotBegun> {
        let mut all = Vec::new();
        for connection in named_by(&task.release.manifest.connectors, connections) {
            let connector = connection.connector.clone();
            let found = self.known_fresh_of(connection, task.run.environment, credential::Why::Run).await;
            match found {
                Ok(known) => {
                    let definition: &Definition = &known.definition;
                    all.push(Secrets::of(connector.as_str(), definition, &known.credential, known.app()));
                }
                Err(NoCredential::NotFound) => {}
                Err(NoCredential::Fault(fault)) => return Err(NotBegun::Fault(fault)),
                Err(no @ (NoCredential::Disconnected | NoCredential::NotNow { .. })) => {
                    return Err(NotBegun::Failed {
                        why: Failure::Refresh,
                        reason: format!("{connector}: {no}"),
                    });
                }
            }
        }
        Ok(all)
    }

    /// Every value of a tenant's credentials, as they are kept now: none of them may stand in a log.
    pub(super) async fn masked_values(
        &self,
        owner: &OrganizationId,
        tenant: TenantId,
    ) -> Result<Vec<String>, Fault> {
        self.values_of(&self.connections_of(owner, tenant).await?).await
    }

    /// Every value of the credentials of these connections.
    pub(super) async fn values_of(&self, connections: &[Connection]) -> Result<Vec<String>, Fault> {
        let mut values = Vec::new();
        for connection in connections {
            if let Some(credential) = self.credential(connection).await? {
                values.extend(credential.secret_values().into_iter().map(str::to_owned));
            }
        }
        Ok(values)
    }

    /// Configs, earlier states and metadata, opened.
    pub(super) async fn told_of_run(&self, task: &Task) -> Result<Opened, Fault> {
        let chosen = task.run.configs.as_ref().unwrap_or(&task.standing.tenant.configs);
        let configs = match &task.release.manifest.configs {
            Some(configs) => with_defaults(&configs.schema, chosen),
            None => chosen.clone(),
        };
        let owner = &task.run.organization;
        let successful = self.past_run(owner, task.standing.last_successful.as_ref(), None).await?;
        let before = successful.as_ref().and_then(|past| past.state.clone());
        let last = self.past_run(owner, task.standing.last.as_ref(), before).await?;
        let mut opened = Opened {
            configs: configs.as_object().cloned().unwrap_or_default(),
            last,
            last_successful: successful,
            metadata: task.standing.metadata.clone().unwrap_or_else(|| Value::Object(Map::new())),
        };
        if let Some(given) = &task.run.given_state {
            opened.give(&self.given_state(&task.run, given).await?);
        }
        Ok(opened)
    }

    /// A run that ended; where it did not come to its last word, `before` is what it hands on.
    async fn past_run(
        &self,
        owner: &OrganizationId,
        run: Option<&PastRun>,
        before: Option<String>,
    ) -> Result<Option<Past>, Fault> {
        let Some(run) = run else { return Ok(None) };
        let state = match &run.state {
            Some(sealed) => Some(self.open_text(owner, &format!("run:{}", run.id), sealed).await?),
            None if run.had_its_say() => None,
            None => before,
        };
        let (started, completed) = (run.phase.started(), run.phase.completed());
        Ok(Some(Past { phase: run.phase.as_str(), started, completed, state }))
    }

    /// The state that somebody chose for a rerun: it was sealed for the trigger that asked for it.
    async fn given_state(&self, run: &Run, sealed: &Sealed) -> Result<String, Fault> {
        let (owner, id) = (run.organization.clone(), run.id);
        let read =
            self.db.read(move |tx| Box::pin(async move { store::triggers::of_run(tx, &owner, id).await }));
        let trigger = read.await?.into_iter().next();
        let trigger = trigger.ok_or_else(|| Fault::broken("a rerun has no trigger"))?;
        self.open_text(&run.organization, &format!("rerun:{}", trigger.id), sealed).await
    }

    async fn open_text(&self, owner: &OrganizationId, place: &str, sealed: &Sealed) -> Result<String, Fault> {
        let opened = self.vault.open(&self.db, owner, place, sealed).await?;
        Ok(String::from_utf8_lossy(&opened).into_owned())
    }

    /// What was sent with a delivery: as it was read with the run, from which it is taken out, or from the database now.
    pub(super) async fn take_content(
        &self,
        run: &Run,
        contents: &mut Contents,
        id: DeliveryId,
    ) -> Result<Option<Content>, Fault> {
        if let Some(known) = contents.remove(&id) {
            return Ok(Some(known));
        }
        let owner = run.organization.clone();
        let read =
            self.db.read(move |tx| Box::pin(async move { deliveries::content_by_id(tx, &owner, &id).await }));
        Ok(read.await?)
    }

    /// Lays the bodies of deliveries into files, one at a time: together they may be large.
    pub(super) async fn lay_bodies(
        &self,
        task: &Task,
        mut contents: Contents,
        folder: &str,
    ) -> Result<Vec<Payload>, NotBegun> {
        let mut payloads = Vec::new();
        for trigger in &task.triggers {
            let Some(id) = trigger.delivery.clone() else {
                payloads.push(trigger.payload.clone().map_or(Payload::Nothing, Payload::Given));
                continue;
            };
            let content = self.take_content(&task.run, &mut contents, id).await?;
            let Some(Content { source, headers, body }) = content else {
                payloads.push(Payload::Nothing);
                continue;
            };
            let file = format!("{folder}/trigger-{}", trigger.id);
            std::fs::create_dir_all(folder).map_err(NotBegun::platform)?;
            tokio::fs::write(&file, &body).await.map_err(NotBegun::platform)?;
            payloads.push(Payload::Delivery { source, file, headers });
        }
        Ok(payloads)
    }
}

/// What a run is told beside its credentials.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) configs: Map<String, Value>,
    pub(super) last: Option<Past>,
    pub(super) last_successful: Option<Past>,
    pub(super) metadata: Value,
}

impl Opened {
    /// A chosen state stands in for what earlier runs handed on.
    fn give(&mut self, state: &str) {
        let past = |before: Option<Past>| {
            let before =
                before.unwrap_or(Past { phase: "Succeeded", started: None, completed: None, state: None });
            Some(Past { state: Some(state.to_owned()), ..before })
        };
        (self.last, self.last_successful) = (past(self.last.take()), past(self.last_successful.take()));
    }

    pub(super) fn made(
        &self,
        task: &Task,
        secrets: &[Secrets],
        triggers: &[ToldTrigger],
        files: &str,
    ) -> Surroundings {
        let told = Told {
            integration: (task.integration.id, task.integration.name.as_str()),
            tenant: (task.standing.tenant.id, &task.standing.tenant.name),
            mode: task.run.mode,
            environment: task.run.environment,
            configs: &self.configs,
            secrets,
            triggers,
            metadata: &self.metadata,
            last: self.last.as_ref(),
            last_successful: self.last_successful.as_ref(),
            files,
        };
        told.surroundings()
    }
}
