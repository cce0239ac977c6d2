//! Looking things up for programs: who calls, tenants and integrations in their published shapes
//! (contract `connect.md`, sections 5 and 6).

use crate::{Fault, OrganizationConfig, Service};
use ::connect::api_key::ApiKey;
use ::connect::connection::Connection;
use ::connect::tenant::Tenant;
use ::connect::tenant_json::{self, TenantView, integration_v2};
use kernel::ids::{ApiKeyId, IntegrationId, OrganizationId, TenantId};
use kernel::{Actor, Environment, Plain, Slug, User};
use std::sync::Arc;
use store::{api_keys, connections, integrations, tenants, users, webhooks};

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

/// A tenant with what its JSON is made of.
struct Whole {
    tenant: Tenant,
    integration: Slug,
    user: User,
    connections: Vec<Connection>,
}

impl Service {
    /// Who presents this API key; `None` for a key that is unknown, revoked, of another environment, or of an
    /// organization that is disabled.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn caller(&self, environment: Environment, key: &Plain) -> Result<Option<Caller>, Fault> {
        let hash = key.hashed();
        let found =
            self.db.read(move |tx| Box::pin(async move { api_keys::by_hash(tx, &hash).await })).await?;
        let live = found.filter(|key| key.environment == environment && key.revoked.is_none());
        let Some(ApiKey { id, organization, scopes, .. }) = live else { return Ok(None) };
        let config = self.config_of(&organization, environment).await?;
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
                let (Some(user), Some(integration)) = (user, integration) else { return Ok(None) };
                Ok::<_, Fault>(Some(Whole { tenant, integration: integration.name, user, connections }))
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
        archived: Option<bool>,
    ) -> Result<(Vec<serde_json::Value>, i64), Fault> {
        let (organization, environment) = (caller.organization.clone(), caller.environment);
        let filter =
            tenants::Filter { organization, environment, archived, integration: None, username: None };
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let found = tenants::list(tx, &filter, page).await?;
                let ids: Vec<TenantId> = found.rows.iter().map(|tenant| tenant.id).collect();
                let all = connections::of_tenants(tx, &filter.organization, &ids).await?;
                Ok::<_, Fault>((found.rows, all, found.total))
            })
        });
        let (found, all, total) = read.await?;
        let namespace = caller.config.organization.namespace(environment);
        let listed = found.iter().map(|tenant| {
            let own: Vec<Connection> = all.iter().filter(|it| it.tenant == tenant.id).cloned().collect();
            tenant_json::v2(tenant, &own, None, &namespace)
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
            release: None,
            user: &whole.user,
            connections: &whole.connections,
            namespace: &namespace,
            brand: &config.organization.brand,
            issuer: self.places.of(config.environment).map_or("", crate::Place::url),
        };
        match shape {
            Shape::V1 => tenant_json::v1(&view),
            Shape::V2 => tenant_json::v2(&whole.tenant, &whole.connections, None, &namespace),
        }
    }
}
