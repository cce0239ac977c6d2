//! Disconnecting: revoked at the outside system where that can be done, then taken away here.

use super::look_up::{Caller, Shape};
use super::turn::opening;
use super::view::DialogContext;
use crate::work::events::{Disconnection, tell_disconnected};
use crate::{Fault, OrganizationConfig, Service};
use ::connect::connection::{Connection, Status};
use ::connect::credential::Credential;
use ::connect::dialog::{Dialog, Event, Stage};
use kernel::ids::TenantId;
use kernel::{Actor, Environment, Plain, Slug, audit};
use outbound::Revocation;
use std::sync::Arc;
use store::jobs::{self, Kind};
use store::{audit as audit_log, connections, tenants};

/// How a request to disconnect ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Disconnected {
    /// The tenant in the v2 shape.
    Done(serde_json::Value),
    NoTenant,
    NoConnection,
}

impl Service {
    /// The person disconnects in the dialog; the dialog then begins anew.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn disconnect_in_dialog(
        self: &Arc<Self>,
        environment: Environment,
        bearer: &Plain,
    ) -> Result<Option<DialogContext>, Fault> {
        let Some(context) = self.dialog(environment, bearer).await? else { return Ok(None) };
        let service = Arc::clone(self);
        self.stopping.to_its_end(async move { service.disconnect_context(&context).await }).await?;
        self.dialog(environment, bearer).await
    }

    async fn disconnect_context(self: &Arc<Self>, context: &DialogContext) -> Result<(), Fault> {
        if let (Stage::Connected { .. }, Some(connection)) = (&context.dialog.stage, &context.connection) {
            let visitor = &context.dialog.visitor;
            let actor = Actor::EndUser {
                organization: context.dialog.organization.clone(),
                username: visitor.username.clone(),
                acting: visitor.acting_name.clone().or_else(|| visitor.acting_id.clone()),
            };
            self.take_away(&context.config, connection, actor).await?;
            self.advance(&context.dialog, Event::Disconnected(opening(&context.definition, false, None)))
                .await?;
        }
        Ok(())
    }

    /// A program disconnects one connector of a tenant.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn disconnect(
        self: &Arc<Self>,
        caller: &Caller,
        id: TenantId,
        connector: &Slug,
    ) -> Result<Disconnected, Fault> {
        let (organization, environment) = (caller.organization.clone(), caller.environment);
        let wanted = connector.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let Some(tenant) = tenants::by_id(tx, &organization, environment, id).await? else {
                    return Ok(None);
                };
                let connection = connections::by_connector(tx, &organization, tenant.id, &wanted).await?;
                Ok::<_, Fault>(Some(connection))
            })
        });
        let connection = match read.await? {
            None => return Ok(Disconnected::NoTenant),
            Some(None) => return Ok(Disconnected::NoConnection),
            Some(Some(connection)) => connection,
        };
        let (service, config, actor) = (Arc::clone(self), Arc::clone(&caller.config), caller.actor());
        let away = async move { service.take_away(&config, &connection, actor).await };
        self.stopping.to_its_end(away).await?;
        let tenant = self.tenant(caller, id, Shape::V2).await?;
        Ok(tenant.map_or(Disconnected::NoTenant, Disconnected::Done))
    }

    /// Revokes and takes away. A provider that cannot revoke just now does not keep us from letting go: the
    /// credential is gone here either way, and the audit log says what happened outside.
    async fn take_away(
        &self,
        config: &OrganizationConfig,
        connection: &Connection,
        actor: Actor,
    ) -> Result<(), Fault> {
        if connection.status == Status::Disconnected {
            return Ok(());
        }
        let mut connection = connection.clone();
        // A renewal that came in between has changed the row, and the token that was revoked is not the one it holds.
        while !self.take_away_once(config, &connection, &actor).await? {
            let (owner, id) = (connection.organization.clone(), connection.id.clone());
            let read =
                self.db.read(move |tx| Box::pin(async move { connections::by_id(tx, &owner, &id).await }));
            match read.await? {
                Some(now) if now.last_change == connection.last_change => connection = now,
                // Somebody connected again, or disconnected.
                _ => break,
            }
        }
        self.ring_work();
        Ok(())
    }

    /// `false` where the connection has changed since it was read.
    async fn take_away_once(
        &self,
        config: &OrganizationConfig,
        connection: &Connection,
        actor: &Actor,
    ) -> Result<bool, Fault> {
        let revoked = self.revoke(config, connection).await?;
        let now = self.clock.now();
        let detail = serde_json::json!({ "connector": connection.connector.as_str(), "revoked": revoked });
        let subject = connection.tenant.to_string();
        let owner = Some(connection.organization.clone());
        let reason = match actor {
            Actor::EndUser { .. } => Disconnection::User,
            _ => Disconnection::Api,
        };
        let event =
            audit::Event::new("tenant.disconnected", subject, owner, actor.clone(), now, &*self.chance)
                .with(detail);
        let (read, environment) = (connection.clone(), config.environment);
        let chance = Arc::clone(&self.chance);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let is_away = connections::set_disconnected(tx, &read, now).await?;
                if is_away {
                    audit_log::insert(tx, &event).await?;
                    jobs::remove(tx, Kind::Refresh, read.id.as_str()).await?;
                    let (whose, what) = ((&read.organization, environment), (&read.connector, reason));
                    tell_disconnected(tx, whose, read.tenant, what, now, &*chance).await?;
                }
                Ok::<_, Fault>(is_away)
            })
        });
        write.await
    }

    /// `true` where the outside system says the credential is revoked, `null` where it has no way to.
    async fn revoke(
        &self,
        config: &OrganizationConfig,
        connection: &Connection,
    ) -> Result<Option<bool>, Fault> {
        let Some(definition) = self.definition(config, &connection.connector) else { return Ok(None) };
        let Some(credential) = self.credential(connection).await? else { return Ok(None) };
        let app = config.apps.get(&connection.connector);
        match self.providers.revoke(&definition, app, &credential).await {
            Ok(Revocation::NotOffered) => Ok(None),
            Ok(Revocation::Revoked) => Ok(Some(true)),
            Err(failure) => {
                tracing::info!(connection = %connection.id, detail = failure.detail, "not revoked outside");
                Ok(Some(false))
            }
        }
    }

    /// Gives a credential back that will not be kept. Not where the user has this connection already: the outside
    /// system may know both by one token, and the connection in use would end.
    pub(crate) async fn give_back(&self, dialog: &Dialog, credential: &Credential) -> Result<(), Fault> {
        if self.connected(dialog).await?.is_some() {
            return Ok(());
        }
        let config = self.config_of(&dialog.organization, dialog.environment).await?;
        let Some(config) = config else { return Ok(()) };
        let Some(definition) = self.definition(&config, &dialog.connector) else { return Ok(()) };
        let app = config.apps.get(&dialog.connector);
        if let Err(failure) = self.providers.revoke(&definition, app, credential).await {
            tracing::info!(detail = failure.detail, "a credential that was not kept could not be revoked");
        }
        Ok(())
    }

    /// What a connection holds, opened.
    pub(crate) async fn credential(&self, connection: &Connection) -> Result<Option<Credential>, Fault> {
        let Some(sealed) = &connection.credential else { return Ok(None) };
        let place = format!("connection:{}", connection.id);
        let opened = self.vault.open(&self.db, &connection.organization, &place, sealed).await?;
        Ok(Some(serde_json::from_slice(&opened)?))
    }
}
