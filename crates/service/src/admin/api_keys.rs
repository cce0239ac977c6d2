//! API keys: named, scoped, shown once.

use super::AdminRefused;
use crate::Service;
use connect::api_key::{ApiKey, SCOPES};
use kernel::ids::{ApiKeyId, OrganizationId};
use kernel::{Actor, Environment, Plain};
use store::{api_keys, audit};

impl Service {
    /// Makes a key; the secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`AdminRefused`], also for a scope that does not exist.
    pub async fn create_api_key(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        environment: Environment,
        name: &str,
        scopes: &[String],
    ) -> Result<(ApiKey, Plain), AdminRefused> {
        if let Some(unknown) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
            return Err(AdminRefused::Invalid(format!(
                "there is no scope `{unknown}`; there are {}",
                SCOPES.join(", ")
            )));
        }
        if scopes.is_empty() {
            return Err(AdminRefused::Invalid(format!(
                "a key needs at least one scope of {}",
                SCOPES.join(", ")
            )));
        }
        let now = self.clock.now();
        let prefix = match environment {
            Environment::Production => "vst_live_",
            Environment::Sandbox => "vst_test_",
        };
        let secret = Plain::with_prefix(prefix, &*self.chance);
        let key = ApiKey {
            id: ApiKeyId::new(now, &*self.chance),
            organization: organization.clone(),
            environment,
            name: name.to_owned(),
            hash: secret.hashed(),
            scopes: scopes.to_vec(),
            created: now,
            revoked: None,
        };
        let event = self.event(actor, "api_key.created", key.id.to_string(), organization);
        let row = key.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                api_keys::insert(tx, &row).await?;
                audit::insert(tx, &event).await
            })
        });
        write.await.map_err(AdminRefused::from)?;
        Ok((key, secret))
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn revoke_api_key(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        id: &ApiKeyId,
    ) -> Result<(), AdminRefused> {
        let event = self.event(actor, "api_key.revoked", id.to_string(), organization);
        let (owner, key, now) = (organization.clone(), id.clone(), self.clock.now());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let revoked = api_keys::revoke(tx, &owner, &key, now).await?;
                if revoked {
                    audit::insert(tx, &event).await?;
                }
                Ok::<_, AdminRefused>(revoked)
            })
        });
        if write.await? { Ok(()) } else { Err(AdminRefused::not_found("live API key", id.as_str())) }
    }

    /// Both environments, also revoked ones.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn api_keys(&self, organization: &OrganizationId) -> Result<Vec<ApiKey>, AdminRefused> {
        let owner = organization.clone();
        Ok(self.db.read(move |tx| Box::pin(async move { api_keys::list(tx, &owner).await })).await?)
    }
}
