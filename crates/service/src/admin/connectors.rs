//! An organization's own connectors, and the apps it registered at outside systems.

use super::AdminRefused;
use crate::{Fault, Service};
use connect::connector::Definition;
use connect::credential::App;
use kernel::ids::OrganizationId;
use kernel::{Actor, Environment, Slug};
use std::sync::Arc;
use store::audit;
use store::connector_apps::{self, ConnectorApp};
use store::organization_connectors::{self, OrganizationConnector};

/// A connector as a list shows it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub definition: Arc<Definition>,
    /// Whether it ships with the gateway or lies in the operator's folder.
    pub global: bool,
}

impl Service {
    /// Stores an organization's own definition, replacing one of the same name.
    ///
    /// # Errors
    /// [`AdminRefused::Invalid`] with every problem of the file, each with its line.
    pub async fn put_connector(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        file: &str,
        text: &str,
    ) -> Result<Definition, AdminRefused> {
        let definition = Definition::parse(file, text, self.policy).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            AdminRefused::Invalid(lines.join("\n"))
        })?;
        let name = Slug::for_connector(definition.id.as_str()).map_err(AdminRefused::invalid)?;
        let event = self.event(actor, "connector.stored", name.as_str(), organization);
        let row = OrganizationConnector {
            organization: organization.clone(),
            name,
            own: true,
            definition: text.to_owned(),
            modified: self.clock.now(),
        };
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                organization_connectors::put(tx, &row).await?;
                audit::insert(tx, &event).await
            })
        });
        write.await.map_err(AdminRefused::from)?;
        Ok(definition)
    }

    /// Every connector that an organization can use, its own first.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn connectors(
        &self,
        organization: Option<&OrganizationId>,
    ) -> Result<Vec<Listed>, AdminRefused> {
        let mut listed = Vec::new();
        if let Some(owner) = organization.cloned() {
            let read = self
                .db
                .read(move |tx| Box::pin(async move { organization_connectors::list(tx, &owner).await }));
            let rows: Vec<OrganizationConnector> = read.await.map_err(AdminRefused::from)?;
            let own = rows.iter().filter_map(|row| self.own_definition(row));
            listed.extend(own.map(|(_, definition)| Listed { definition, global: false }));
        }
        listed.extend(
            self.catalogue
                .iter()
                .map(|definition| Listed { definition: Arc::clone(definition), global: true }),
        );
        Ok(listed)
    }

    /// A stored definition, parsed. One that this release can no longer read is left out and logged.
    pub(crate) fn own_definition(&self, row: &OrganizationConnector) -> Option<(Slug, Arc<Definition>)> {
        match Definition::parse(row.name.as_str(), &row.definition, self.policy) {
            Ok(definition) => Some((row.name.clone(), Arc::new(definition))),
            Err(problems) => {
                let problem = problems.first().map(ToString::to_string).unwrap_or_default();
                tracing::error!(connector = %row.name, %problem, "a stored connector cannot be read");
                None
            }
        }
    }

    /// Stores the app that the organization registered at an outside system.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn put_app(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        environment: Environment,
        connector: &str,
        app: &App,
    ) -> Result<(), AdminRefused> {
        let connector = Slug::for_connector(connector).map_err(AdminRefused::invalid)?;
        let known = self.connectors(Some(organization)).await?;
        let found = known.iter().find(|it| it.definition.id == connector);
        let found = found.ok_or_else(|| AdminRefused::NotFound {
            what: "connector",
            name: connector.to_string(),
            hint: "; `vestibule connector list` shows them",
        })?;
        if !found.definition.needs_app() {
            return Err(AdminRefused::Invalid(format!("{connector} is connected without an app of yours")));
        }
        if app.client_id.trim().is_empty() {
            return Err(AdminRefused::invalid("the client id is empty"));
        }
        let content = serde_json::to_vec(app).map_err(Fault::from)?;
        let place = app_place(organization, environment, &connector);
        let sealed = self.vault.seal(&self.db, organization, &place, &content).await?;
        let event = self.event(actor, "connector_app.stored", connector.as_str(), organization);
        let row = ConnectorApp {
            organization: organization.clone(),
            environment,
            connector,
            client_id: app.client_id.clone(),
            secrets: Some(sealed),
            scopes: app.scopes.clone().unwrap_or_default(),
            modified: self.clock.now(),
        };
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                connector_apps::put(tx, &row).await?;
                audit::insert(tx, &event).await
            })
        });
        Ok(write.await?)
    }

    /// The apps of both environments, without their secrets.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn apps(&self, organization: &OrganizationId) -> Result<Vec<ConnectorApp>, AdminRefused> {
        let owner = organization.clone();
        Ok(self.db.read(move |tx| Box::pin(async move { connector_apps::list(tx, &owner).await })).await?)
    }

    /// An app's credentials, opened.
    pub(crate) async fn open_app(&self, app: &ConnectorApp) -> Result<App, Fault> {
        let Some(sealed) = &app.secrets else {
            return Ok(App { client_id: app.client_id.clone(), ..App::default() });
        };
        let place = app_place(&app.organization, app.environment, &app.connector);
        let opened = self.vault.open(&self.db, &app.organization, &place, sealed).await?;
        Ok(serde_json::from_slice(&opened)?)
    }
}

fn app_place(organization: &OrganizationId, environment: Environment, connector: &Slug) -> String {
    format!("connector-app:{organization}:{environment}:{connector}")
}
