//! Looking things up for programs: who calls, tenants and integrations in their published shapes
//! (contract `connect.md`, sections 5 and 6).

use crate::admin::Holder;
use crate::{Fault, OrganizationConfig, Service};
use ::connect::api_key::ApiKey;
use ::connect::connection::Connection;
use ::connect::integration::Channel;
use ::connect::run::show::Runs;
use ::connect::tenant::Tenant;
use ::connect::tenant_json::{self, TenantView, integration_v2};
use kernel::ids::{ApiKeyId, IntegrationId, OrganizationId, ReleaseId, TenantId};
use kernel::{Actor, Environment, Plain, Slug, User};
use std::sync::Arc;
use store::releases::Channels;
use store::{api_keys, connections, integrations, releases, runs, tenants, users, webhooks};

pub use store::Page;
pub use store::integrations::Sort as IntegrationSort;
pub use store::tenants::Sort as TenantSort;

/// A program with a live API key.
#[derive(Debug, Clone)]
pub struct Caller {
    pub organization: OrganizationId,
    pub environment: Environment,
    pub config: Arc<OrganizationConfig>,
    pub key: ApiKeyId,
    pub scopes: Vec<String>,
}

impl Caller {
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }

    /// Whose records it works on.
    pub fn holder(&self) -> Holder {
        Holder { organization: self.organization.clone(), environment: self.environment }
    }

    pub fn actor(&self) -> Actor {
        Actor::api_key(self.organization.clone(), &self.key, self.scopes.clone())
    }
}

/// Which published shape of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    V1,
    V2,
}

/// Which tenants a list has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChosenTenants {
    /// `None`: those in use and archived ones.
    pub archived: Option<bool>,
    pub integration: Option<IntegrationId>,
    /// The user's name, the token's `sub`.
    pub username: Option<String>,
}

/// The release that a tenant's runs use, from what the channels lead to.
fn followed(tenant: &Tenant, channels: &[Channels]) -> Option<ReleaseId> {
    let channel = channels.iter().find(|it| it.integration == tenant.integration)?;
    tenant.release.or(match tenant.channel {
        Channel::Default => channel.default,
        Channel::Latest => channel.latest,
    })
}

/// A tenant's runs, taken from those of a page.
fn runs_of(all: &mut Vec<(TenantId, Runs)>, tenant: TenantId) -> Runs {
    let at = all.iter().position(|(id, _)| *id == tenant);
    at.map(|at| all.swap_remove(at).1).unwrap_or_default()
}

/// A tenant with what its JSON is made of.
struct Whole {
    tenant: Tenant,
    integration: Slug,
    release: Option<(ReleaseId, String)>,
    user: User,
    connections: Vec<Connection>,
    runs: Runs,
}

impl Service {
    /// Who presents this API key; `None` for a key that is unknown, revoked, of another environment, or of an
    /// organization that is disabled.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn caller(&self, environment: Environment, key: &Plain) -> Result<Option<Caller>, Fault> {
        let found = api_keys::caller(&self.db, &key.hashed()).await?;
        let live = found.filter(|(key, ..)| key.environment == environment && key.revoked.is_none());
        let Some((ApiKey { id, organization, scopes, .. }, slug, version)) = live else { return Ok(None) };
        let config = self.config_at(&slug, environment, version).await?;
        Ok(config.map(|config| Caller { organization, environment, config, key: id, scopes }))
    }

    /// One tenant of the caller's organization and environment.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn tenant(
        &self,
        caller: &Caller,
        id: TenantId,
        shape: Shape,
    ) -> Result<Option<serde_json::Value>, Fault> {
        self.tenant_of(&caller.config, id, shape).await
    }

    /// The same for the operator, who needs no key.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn tenant_of(
        &self,
        config: &OrganizationConfig,
        id: TenantId,
        shape: Shape,
    ) -> Result<Option<serde_json::Value>, Fault> {
        let (owner, environment) = (config.organization.id.clone(), config.environment);
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let Some(tenant) = tenants::by_id(tx, &owner, environment, id).await? else {
                    return Ok(None);
                };
                let user = users::by_id(tx, &owner, tenant.user).await?;
                let integration = integrations::by_id(tx, &owner, environment, tenant.integration).await?;
                let connections = connections::of_tenant(tx, &owner, tenant.id).await?;
                let runs = runs_of(&mut runs::of_tenants(tx, &owner, &[tenant.id]).await?, tenant.id);
                let (Some(user), Some(integration)) = (user, integration) else { return Ok(None) };
                let release = Self::release_of(tx, &tenant, &integration).await?;
                let release = release.map(|release| (release.id, release.name));
                let integration = integration.name;
                Ok::<_, Fault>(Some(Whole { tenant, integration, release, user, connections, runs }))
            })
        });
        Ok(read.await?.map(|whole| self.shaped(config, &whole, shape)))
    }

    /// A page of tenants in the v2 shape, and how many there are in all.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn tenants(
        &self,
        caller: &Caller,
        page: Page<TenantSort>,
        chosen: ChosenTenants,
    ) -> Result<(Vec<serde_json::Value>, i64), Fault> {
        let (organization, environment) = (caller.organization.clone(), caller.environment);
        let ChosenTenants { archived, integration, username } = chosen;
        let filter = tenants::Filter { organization, environment, archived, integration, username };
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let found = tenants::list(tx, &filter, page).await?;
                let ids: Vec<TenantId> = found.rows.iter().map(|tenant| tenant.id).collect();
                let all = connections::of_tenants(tx, &filter.organization, &ids).await?;
                let runs = runs::of_tenants(tx, &filter.organization, &ids).await?;
                let channels = releases::channels(tx, &filter.organization).await?;
                Ok::<_, Fault>((found.rows, all, runs, channels, found.total))
            })
        });
        let (found, all, mut runs, channels, total) = read.await?;
        let namespace = caller.config.organization.namespace(environment);
        let listed = found.iter().map(|tenant| {
            let own: Vec<Connection> = all.iter().filter(|it| it.tenant == tenant.id).cloned().collect();
            let own_runs = runs_of(&mut runs, tenant.id);
            tenant_json::v2(tenant, &own, &own_runs, followed(tenant, &channels), &namespace)
        });
        Ok((listed.collect(), total))
    }

    /// A page of integrations, and how many there are in all.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn integrations(
        &self,
        caller: &Caller,
        page: Page<IntegrationSort>,
    ) -> Result<(Vec<serde_json::Value>, i64), Fault> {
        let (owner, environment) = (caller.organization.clone(), caller.environment);
        let read = self
            .db
            .read(move |tx| Box::pin(async move { integrations::list(tx, &owner, environment, page).await }));
        let found = read.await?;
        let is_global = |connector: &Slug| !caller.config.definitions.contains_key(connector);
        Ok((
            found.rows.iter().map(|integration| integration_v2(integration, is_global)).collect(),
            found.total,
        ))
    }

    /// One integration.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn integration(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<Option<serde_json::Value>, Fault> {
        let (owner, environment) = (caller.organization.clone(), caller.environment);
        let read = self
            .db
            .read(move |tx| Box::pin(async move { integrations::by_id(tx, &owner, environment, id).await }));
        let is_global = |connector: &Slug| !caller.config.definitions.contains_key(connector);
        Ok(read.await?.map(|found| integration_v2(&found, is_global)))
    }

    /// The current webhook address of a tenant: its own, or that of one connector.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn webhook_url(
        &self,
        organization: &OrganizationId,
        tenant: TenantId,
        connector: Option<&Slug>,
    ) -> Result<Option<String>, Fault> {
        let (owner, connector) = (organization.clone(), connector.cloned());
        let read = self.db.read(move |tx| {
            Box::pin(async move { webhooks::current(tx, &owner, tenant, connector.as_ref()).await })
        });
        let Some(webhook) = read.await? else { return Ok(None) };
        let place = format!("webhook:{}", webhook.id);
        let secret = self.vault.open(&self.db, organization, &place, &webhook.secret).await?;
        Ok(Some(self.webhook_link(webhook.environment, &String::from_utf8_lossy(&secret))))
    }

    /// The address of a webhook secret.
    pub(crate) fn webhook_link(&self, environment: Environment, secret: &str) -> String {
        let place = self.places.of(environment);
        place.map(|place| place.link(&format!("/v1/webhooks/{secret}"))).unwrap_or_default()
    }

    fn shaped(&self, config: &OrganizationConfig, whole: &Whole, shape: Shape) -> serde_json::Value {
        let namespace = config.organization.namespace(config.environment);
        let view = TenantView {
            tenant: &whole.tenant,
            integration: (whole.tenant.integration, &whole.integration),
            release: whole.release.as_ref().map(|(id, name)| (*id, name.as_str())),
            user: &whole.user,
            connections: &whole.connections,
            runs: &whole.runs,
            namespace: &namespace,
            brand: &config.organization.brand,
            issuer: self.places.of(config.environment).map_or("", crate::Place::url),
        };
        match shape {
            Shape::V1 => tenant_json::v1(&view),
            Shape::V2 => {
                let release = whole.release.as_ref().map(|(id, _)| *id);
                tenant_json::v2(&whole.tenant, &whole.connections, &whole.runs, release, &namespace)
            }
        }
    }
}
