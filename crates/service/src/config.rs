//! What an organization configured, in memory, and still true.
//!
//! Decision: the configuration is kept per organization and environment and used only while the
//! organization's `config_version` in the database is the one it was read at. Every change of a key, an
//! origin or an integration moves that number in its own transaction, also from another node or from the
//! command line, so a revoked key is refused by the very next request. Trade: one point read per landing.

use crate::{Fault, Service};
use ::connect::connector::Definition;
use ::connect::credential::App;
use ::connect::integration::Integration;
use ::connect::signing_key::{Material, SigningKey};
use ::connect::token::SharedSecret;
use kernel::ids::{OrganizationId, SigningKeyId};
use kernel::{Environment, Organization, Origin, Slug};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use store::{connector_apps, integrations, organization_connectors, organizations, origins, signing_keys};

/// One organization in one environment.
#[derive(Debug)]
pub struct OrganizationConfig {
    pub organization: Organization,
    pub environment: Environment,
    /// Seconds since `iat` that a token is accepted.
    pub token_max_age_s: i64,
    /// Seconds that `iat` may lie ahead.
    pub token_ahead_s: i64,
    pub signing_keys: Vec<SigningKey>,
    /// The shared secrets of `signing_keys`, opened.
    pub secrets: HashMap<SigningKeyId, SharedSecret>,
    pub origins: Vec<Origin>,
    pub integrations: Vec<Integration>,
    /// The apps registered at outside systems, opened.
    pub apps: HashMap<Slug, App>,
    /// The organization's own definitions that this environment sees; they stand before those that ship.
    pub definitions: HashMap<Slug, Arc<Definition>>,
}

impl OrganizationConfig {
    pub fn integration(&self, name: &Slug) -> Option<&Integration> {
        self.integrations.iter().find(|integration| integration.name == *name)
    }
}

/// The configurations that are in memory.
#[derive(Debug, Default)]
pub struct Configs(RwLock<HashMap<(Slug, Environment), Arc<OrganizationConfig>>>);

impl Service {
    /// The configuration of the organization with this slug; `None` where there is none or it is disabled.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn config(
        &self,
        slug: &Slug,
        environment: Environment,
    ) -> Result<Option<Arc<OrganizationConfig>>, Fault> {
        match organizations::config_version(&self.db, slug).await? {
            Some(version) => self.config_at(slug, environment, version).await,
            None => Ok(None),
        }
    }

    /// The same by id, for what already belongs to an organization.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn config_of(
        &self,
        organization: &OrganizationId,
        environment: Environment,
    ) -> Result<Option<Arc<OrganizationConfig>>, Fault> {
        match organizations::config_version_by_id(&self.db, organization).await? {
            Some((slug, version)) => self.config_at(&slug, environment, version).await,
            None => Ok(None),
        }
    }

    /// What is in memory, of whatever version: whoever uses it compares the version before anything is decided
    /// for good.
    pub(crate) fn remembered(
        &self,
        slug: &Slug,
        environment: Environment,
    ) -> Option<Arc<OrganizationConfig>> {
        let known = self.configs.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&(slug.clone(), environment)).cloned()
    }

    /// What is in memory where it is of this version, else what the database has now.
    pub(crate) async fn config_at(
        &self,
        slug: &Slug,
        environment: Environment,
        version: i64,
    ) -> Result<Option<Arc<OrganizationConfig>>, Fault> {
        let known = self.remembered(slug, environment);
        if let Some(known) = known.filter(|known| known.organization.config_version == version) {
            return Ok(Some(known));
        }
        let key = (slug.clone(), environment);
        let Some(config) = self.read_config(slug, environment).await? else { return Ok(None) };
        let config = Arc::new(config);
        self.configs.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&config));
        Ok(Some(config))
    }

    async fn read_config(
        &self,
        slug: &Slug,
        environment: Environment,
    ) -> Result<Option<OrganizationConfig>, Fault> {
        let wanted = slug.clone();
        let now = self.clock.now();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let Some(found) = organizations::by_slug(tx, &wanted).await? else { return Ok(None) };
                let id = found.organization.id.clone();
                let keys = signing_keys::live(tx, &id, environment, now).await?;
                let origins = origins::list(tx, &id, environment).await?;
                let integrations = integrations::all(tx, &id, environment).await?;
                let apps = connector_apps::list(tx, &id).await?;
                let definitions = organization_connectors::list(tx, &id, environment).await?;
                Ok::<_, Fault>(Some((found, keys, origins, integrations, apps, definitions)))
            })
        });
        let Some((found, signing_keys, origins, integrations, apps, definitions)) = read.await? else {
            return Ok(None);
        };
        let owner = found.organization.id.clone();
        let mut secrets = HashMap::new();
        for key in &signing_keys {
            if let Material::Secret(sealed) = &key.material {
                let place = format!("signing_key:{}", key.id);
                let opened = self.vault.open(&self.db, &owner, &place, sealed).await?;
                secrets.insert(key.id.clone(), SharedSecret::new(&opened));
            }
        }
        let mut opened_apps = HashMap::new();
        for app in apps.into_iter().filter(|app| app.environment == environment) {
            let opened = self.open_app(&app).await?;
            opened_apps.insert(app.connector, opened);
        }
        let definitions = definitions.into_iter().filter_map(|row| self.own_definition(&row)).collect();
        Ok(Some(OrganizationConfig {
            organization: found.organization,
            environment,
            token_max_age_s: found.token_max_age_s,
            token_ahead_s: found.token_ahead_s,
            signing_keys,
            secrets,
            origins,
            integrations,
            apps: opened_apps,
            definitions,
        }))
    }
}
