//! An organization's own connectors, and the apps it registered at outside systems.

use super::{AdminRefused, Holder};
use crate::{Fault, Service};
use connect::connector::{Definition, Policy, shipped_files};
use connect::credential::App;
use kernel::ids::OrganizationId;
use kernel::{Actor, Environment, Slug, Time};
use serde_json::json;
use std::sync::Arc;
use store::audit;
use store::connector_apps;
use store::organization_connectors::{self, OrganizationConnector};

pub use store::connector_apps::ConnectorApp;

/// A connector as a list shows it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub definition: Arc<Definition>,
    /// Whether it ships with the gateway or lies in the operator's folder.
    pub global: bool,
    /// For which environment an own one was stored; one of production is seen in both.
    pub environment: Option<Environment>,
    /// An own definition as it was written.
    text: Option<String>,
    /// When the organization stored it.
    pub modified: Option<Time>,
}

impl Listed {
    /// The definition as it was written, where that is known: not of what lies in the operator's folder.
    pub fn written(&self, policy: Policy) -> Option<String> {
        match &self.text {
            Some(text) => Some(text.clone()),
            None => shipped_text(&self.definition, policy),
        }
    }
}

/// The text of a definition that ships, unless the operator's folder has another one of its name.
fn shipped_text(definition: &Definition, policy: Policy) -> Option<String> {
    let named = format!("{}.toml", definition.id);
    let (file, text) = shipped_files().find(|(file, _)| *file == named)?;
    let is_it = Definition::parse(file, text, policy).is_ok_and(|shipped| shipped == *definition);
    is_it.then(|| text.to_owned())
}

impl Service {
    /// Stores an organization's own definition for both environments, replacing one of the same name.
    ///
    /// # Errors
    /// [`AdminRefused::Connector`] with every problem of the file, each with its line.
    pub async fn put_connector(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        file: &str,
        text: &str,
    ) -> Result<Definition, AdminRefused> {
        let both = Holder { organization: organization.clone(), environment: Environment::Production };
        Ok(self.put_connector_of(actor, &both, file, text).await?.0)
    }

    /// The same for a program of one environment, and whether that environment saw none of this name.
    ///
    /// Decision: what production sees is stored with a key of production; what a key of the sandbox stores is seen in
    /// the sandbox alone, under a name that neither production nor the gateway's own connectors have. Attack: a
    /// definition says where credentials are sent, so that a sandbox's key, which many have, would reach those of
    /// production, at once or when an integration there connects that name. Trade: a connector in use is tried under
    /// another name first.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn put_connector_of(
        &self,
        actor: &Actor,
        holder: &Holder,
        file: &str,
        text: &str,
    ) -> Result<(Definition, bool), AdminRefused> {
        let Holder { organization, environment } = holder.clone();
        let definition = Definition::parse(file, text, self.policy).map_err(AdminRefused::Connector)?;
        let name = Slug::for_connector(definition.id.as_str()).map_err(AdminRefused::invalid)?;
        if environment != Environment::Production && self.catalogue.find(&name).is_some() {
            return Err(AdminRefused::Conflict(format!(
                "`{name}` is a connector of the gateway: take another name, or store it with a key of production"
            )));
        }
        let event = self.event(actor, "connector.stored", name.as_str(), &organization);
        let event = event.with(json!({ "environment": environment.as_str() }));
        let (now, text) = (self.clock.now(), text.to_owned());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let seen = organization_connectors::list(tx, &organization, environment).await?;
                let is_new = !seen.iter().any(|row| row.name == name);
                let row = OrganizationConnector {
                    organization,
                    name,
                    environment,
                    own: true,
                    definition: text,
                    modified: now,
                };
                if !organization_connectors::put(tx, &row).await? {
                    return Err(AdminRefused::Conflict(format!(
                        "`{}` is a connector of production too: take another name, or store it with a key of \
                         production",
                        row.name
                    )));
                }
                audit::insert(tx, &event).await?;
                Ok(is_new)
            })
        });
        let is_new = write.await?;
        Ok((definition, is_new))
    }

    /// Every connector that an organization can use in an environment, its own first.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn connectors(
        &self,
        organization: Option<&OrganizationId>,
        environment: Environment,
    ) -> Result<Vec<Listed>, AdminRefused> {
        let mut listed = Vec::new();
        if let Some(owner) = organization.cloned() {
            let read = self.db.read(move |tx| {
                Box::pin(async move { organization_connectors::list(tx, &owner, environment).await })
            });
            let rows: Vec<OrganizationConnector> = read.await.map_err(AdminRefused::from)?;
            let own = rows.iter().filter_map(|row| {
                let (_, definition) = self.own_definition(row)?;
                let (text, modified) = (Some(row.definition.clone()), Some(row.modified));
                Some(Listed { definition, global: false, environment: Some(row.environment), text, modified })
            });
            listed.extend(own);
        }
        listed.extend(self.catalogue.iter().map(|definition| Listed {
            definition: Arc::clone(definition),
            global: true,
            environment: None,
            text: None,
            modified: None,
        }));
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
        let known = self.connectors(Some(organization), environment).await?;
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
