//! Integrations: what is installed for a user.

use super::{AdminRefused, Holder};
use crate::Service;
use crate::work::events::{NewEvent, emit};
use crate::work::git::{self, Trust};
use connect::integration::{Channel, Integration, Repository};
use connect::schedule;
use connect::tenant_json::variable;
use kernel::ids::{IntegrationId, OrganizationId};
use kernel::{Actor, Environment, Slug};
use serde_json::json;
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

/// What of an integration is changed; `None` leaves it as it is, `Some(None)` takes it away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntegrationChange {
    pub long_name: Option<String>,
    pub external: Option<bool>,
    /// For tenants that are made from now on.
    pub schedule: Option<Option<String>>,
    pub shift_all: Option<bool>,
    /// Which release tenants follow that are made from now on.
    pub channel: Option<Channel>,
    /// Taking the address away takes path and branch away too.
    pub repository_url: Option<Option<String>>,
    pub repository_path: Option<Option<String>>,
    pub repository_branch: Option<Option<String>>,
}

impl IntegrationChange {
    fn names(&self) -> Vec<&'static str> {
        let named = [
            (self.long_name.is_some(), "long_name"),
            (self.external.is_some(), "type"),
            (self.schedule.is_some(), "schedule"),
            (self.shift_all.is_some(), "shift_all"),
            (self.channel.is_some(), "default_release_channel"),
            (self.repository_url.is_some(), "repository_url"),
            (self.repository_path.is_some(), "repository_path"),
            (self.repository_branch.is_some(), "repository_tracking_branch"),
        ];
        named.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect()
    }

    fn check(&self, trust: Trust) -> Result<(), AdminRefused> {
        if let Some(name) = &self.long_name {
            super::checked_name(name)?;
        }
        if let Some(Some(text)) = &self.schedule {
            schedule::check(text).map_err(AdminRefused::invalid)?;
        }
        if let Some(Some(url)) = &self.repository_url {
            git::check_url(url, trust).map_err(AdminRefused::Invalid)?;
        }
        if let Some(Some(path)) = &self.repository_path {
            git::check_path(path).map_err(AdminRefused::Invalid)?;
        }
        if let Some(Some(branch)) = &self.repository_branch {
            git::check_branch(branch).map_err(AdminRefused::Invalid)?;
        }
        Ok(())
    }

    fn apply(self, integration: &mut Integration) -> Result<(), AdminRefused> {
        integration.long_name = self.long_name.unwrap_or_else(|| integration.long_name.clone());
        integration.external = self.external.unwrap_or(integration.external);
        integration.schedule = self.schedule.unwrap_or_else(|| integration.schedule.clone());
        integration.shift_all = self.shift_all.unwrap_or(integration.shift_all);
        integration.channel = self.channel.unwrap_or(integration.channel);
        let before = integration.repository.take();
        let (url, path, branch) = before.map_or((None, None, None), |it| (Some(it.url), it.path, it.branch));
        let (path, branch) = (self.repository_path.unwrap_or(path), self.repository_branch.unwrap_or(branch));
        integration.repository = match self.repository_url.clone().unwrap_or(url) {
            Some(url) => Some(Repository { url, path, branch }),
            None if self.repository_url.is_some() || (path.is_none() && branch.is_none()) => None,
            None => {
                return Err(AdminRefused::invalid(
                    "a path or branch belongs to a repository: give its address",
                ));
            }
        };
        Ok(())
    }
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
        let known = self.connectors(Some(organization), environment).await?;
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
    pub async fn change_integration(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: IntegrationId,
        change: IntegrationChange,
        trust: Trust,
    ) -> Result<Integration, AdminRefused> {
        change.check(trust)?;
        let (holder, now) = (holder.clone(), self.clock.now());
        let event = self.event(actor, "integration.changed", id.to_string(), &holder.organization);
        let event = event.with(json!({ "changed": change.names() }));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let Holder { organization, environment } = &holder;
                let found = integrations::by_id(tx, organization, *environment, id).await?;
                let not_found = || AdminRefused::not_found("integration", id.to_string());
                let mut integration = found.ok_or_else(not_found)?;
                change.apply(&mut integration)?;
                integration.modified = now;
                if !integrations::update(tx, &integration).await? {
                    return Err(not_found());
                }
                audit::insert(tx, &event).await?;
                Ok(integration)
            })
        });
        write.await
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
