//! Integrations: what is installed for a user.

use super::AdminRefused;
use crate::Service;
use crate::work::events::{NewEvent, emit};
use connect::integration::{Channel, Integration};
use connect::schedule;
use connect::tenant_json::variable;
use kernel::ids::OrganizationId;
use kernel::{Actor, Environment, Slug};
use std::sync::Arc;
use store::{audit, integrations};

/// A new integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIntegration {
    /// `integration_name` in a token.
    pub name: String,
    pub long_name: Option<String>,
    pub external: bool,
    /// The organization's own connector: `connector_name` in a token.
    pub own_connector: Option<String>,
    /// The outside systems; at least one.
    pub connectors: Vec<String>,
    /// Five-field cron.
    pub schedule: Option<String>,
    pub shift_all: bool,
}

/// `a-b` and `a_b` would share `A_B_AUTH_STATUS` in a tenant's status (contract `connect.md`, section 5).
fn check_variables<'a>(connectors: impl Iterator<Item = &'a Slug>) -> Result<(), AdminRefused> {
    let mut seen: Vec<(String, &Slug)> = Vec::new();
    for connector in connectors {
        let name = variable(connector.as_str());
        if let Some((_, other)) = seen.iter().find(|(known, _)| *known == name) {
            let text = format!(
                "`{other}` and `{connector}` would both be shown as {name}_AUTH_STATUS; use one of them"
            );
            return Err(AdminRefused::Invalid(text));
        }
        seen.push((name, connector));
    }
    Ok(())
}

impl Service {
    /// # Errors
    /// [`AdminRefused`], also for connectors that are not known.
    pub async fn create_integration(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        environment: Environment,
        new: NewIntegration,
    ) -> Result<Integration, AdminRefused> {
        let name = Slug::parse(&new.name).map_err(AdminRefused::invalid)?;
        let known = self.connectors(Some(organization)).await?;
        let connector = |text: &str| {
            let slug = Slug::for_connector(text).map_err(AdminRefused::invalid)?;
            let found = known.iter().any(|it| it.definition.id == slug);
            let hint = "; `vestibule connector list` shows them, `vestibule connector add` stores your own";
            if found {
                Ok(slug)
            } else {
                Err(AdminRefused::NotFound { what: "connector", name: text.to_owned(), hint })
            }
        };
        let own_connector = new.own_connector.as_deref().map(connector).transpose()?;
        let connectors = new.connectors.iter().map(|text| connector(text)).collect::<Result<Vec<_>, _>>()?;
        if connectors.is_empty() {
            return Err(AdminRefused::invalid("an integration connects at least one outside system"));
        }
        if own_connector.as_ref().is_some_and(|own| connectors.contains(own)) {
            return Err(AdminRefused::invalid(
                "the own connector cannot be an outside system of the same integration",
            ));
        }
        check_variables(own_connector.iter().chain(&connectors))?;
        if let Some(cron) = &new.schedule {
            schedule::check(cron).map_err(AdminRefused::invalid)?;
        }
        let (owner, now) = (organization.clone(), self.clock.now());
        let chance = Arc::clone(&self.chance);
        let long_name = new.long_name.unwrap_or_else(|| name.to_string());
        let event = self.event(actor, "integration.created", name.as_str(), organization);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let integration = Integration {
                    id: integrations::next_id(tx).await?,
                    organization: owner,
                    environment,
                    name,
                    long_name,
                    external: new.external,
                    own_connector,
                    connectors,
                    schedule: new.schedule,
                    shift_all: new.shift_all,
                    channel: Channel::Default,
                    default_release: None,
                    repository: None,
                    created: now,
                    modified: now,
                };
                if !integrations::insert(tx, &integration).await? {
                    return Err(AdminRefused::Taken {
                        what: "integration",
                        name: integration.name.to_string(),
                    });
                }
                audit::insert(tx, &event).await?;
                emit(tx, &NewEvent::integration_created(&integration), now, &*chance).await?;
                Ok(integration)
            })
        });
        let created = write.await?;
        self.ring_work();
        Ok(created)
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn all_integrations(
        &self,
        organization: &OrganizationId,
        environment: Environment,
    ) -> Result<Vec<Integration>, AdminRefused> {
        let owner = organization.clone();
        Ok(self
            .db
            .read(move |tx| Box::pin(async move { integrations::all(tx, &owner, environment).await }))
            .await?)
    }
}
