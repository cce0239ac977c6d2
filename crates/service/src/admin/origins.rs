//! The origins that may frame an organization's pages and are told what happens in them.

use super::AdminRefused;
use crate::Service;
use kernel::ids::OrganizationId;
use kernel::{Actor, Environment, Origin};
use store::{audit, origins};

impl Service {
    /// `false` where it is registered already.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn add_origin(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        environment: Environment,
        origin: &str,
    ) -> Result<bool, AdminRefused> {
        let origin = Origin::parse(origin).map_err(AdminRefused::invalid)?;
        let event = self.event(actor, "origin.added", origin.as_str(), organization);
        let owner = organization.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let added = origins::add(tx, &owner, environment, &origin).await?;
                if added {
                    audit::insert(tx, &event).await?;
                }
                Ok(added)
            })
        });
        write.await
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn remove_origin(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        environment: Environment,
        origin: &str,
    ) -> Result<(), AdminRefused> {
        let origin = Origin::parse(origin).map_err(AdminRefused::invalid)?;
        let event = self.event(actor, "origin.removed", origin.as_str(), organization);
        let (owner, gone) = (organization.clone(), origin.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let removed = origins::remove(tx, &owner, environment, &gone).await?;
                if removed {
                    audit::insert(tx, &event).await?;
                }
                Ok::<_, AdminRefused>(removed)
            })
        });
        if write.await? { Ok(()) } else { Err(AdminRefused::not_found("origin", origin.as_str())) }
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn origins(
        &self,
        organization: &OrganizationId,
        environment: Environment,
    ) -> Result<Vec<Origin>, AdminRefused> {
        let owner = organization.clone();
        Ok(self
            .db
            .read(move |tx| Box::pin(async move { origins::list(tx, &owner, environment).await }))
            .await?)
    }
}
