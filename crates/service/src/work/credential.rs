//! Credentials for use: fresh ones, renewed on demand (contract `connectors.md`, last paragraph).

use super::refresh::Need;
use crate::{Fault, OrganizationConfig, Service};
use ::connect::connection::{Connection, Status};
use ::connect::connector::Definition;
use ::connect::credential::{App, Credential};
use ::connect::refresh::{self, Freshness};
use kernel::ids::{ConnectionId, OrganizationId, TenantId};
use kernel::{Slug, Time};
use std::sync::Arc;
use store::connections;

/// What a credential is wanted for: metrics tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A run of the tenant.
    Run,
    /// A call through the gateway.
    Call,
    /// A program of the organization fetches it.
    Read,
}

impl Why {
    const fn label(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Call => "call",
            Self::Read => "read",
        }
    }
}

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum NoCredential {
    /// No such tenant, or it is archived, or it has no such connector.
    #[error("this tenant has no such connector")]
    NotFound,
    /// The person must connect (again).
    #[error("this connector is not connected; the user must connect it")]
    Disconnected,
    /// The token has ended and could not be renewed just now.
    #[error("the token has ended and could not be renewed just now")]
    NotNow { again: Time },
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A connection that is connected, with all that is needed to use it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) connection: Connection,
    pub(crate) credential: Credential,
    pub(crate) definition: Arc<Definition>,
    pub(crate) config: Arc<OrganizationConfig>,
}

impl Known {
    /// The app that the organization registered at the outside system.
    pub(crate) fn app(&self) -> Option<&App> {
        self.config.apps.get(&self.connection.connector)
    }

    pub(crate) fn freshness(&self, now: Time) -> Freshness {
        refresh::freshness(&self.definition, &self.credential, now)
    }
}

/// Which connection.
#[derive(Debug, Clone)]
pub(crate) enum Which {
    Of(TenantId, Slug),
    Named(ConnectionId),
}

impl Service {
    /// The credential of a tenant's connection, fresh: where its time to be renewed has come, it is renewed first. One
    /// that is still good is handed out also where that fails.
    ///
    /// # Errors
    /// [`NoCredential`].
    pub async fn credential_of(
        self: &Arc<Self>,
        organization: &OrganizationId,
        tenant: TenantId,
        connector: &Slug,
        why: Why,
    ) -> Result<(Connection, Credential), NoCredential> {
        let known = self.known_fresh(organization, tenant, connector, why).await?;
        Ok((known.connection, known.credential))
    }

    /// The same with the connector's definition and the organization's configuration.
    pub(crate) async fn known_fresh(
        self: &Arc<Self>,
        organization: &OrganizationId,
        tenant: TenantId,
        connector: &Slug,
        why: Why,
    ) -> Result<Known, NoCredential> {
        let found = self.fresh_of(organization, tenant, connector).await;
        let outcome = match &found {
            Ok(_) => "given",
            Err(NoCredential::NotFound) => "not_found",
            Err(NoCredential::Disconnected) => "disconnected",
            Err(NoCredential::NotNow { .. }) => "not_now",
            Err(NoCredential::Fault(_)) => "fault",
        };
        metrics::counter!("vestibule_credentials_total", "for" => why.label(), "outcome" => outcome)
            .increment(1);
        found
    }

    async fn fresh_of(
        self: &Arc<Self>,
        organization: &OrganizationId,
        tenant: TenantId,
        connector: &Slug,
    ) -> Result<Known, NoCredential> {
        let known = self.known(organization, Which::Of(tenant, connector.clone())).await?;
        // What can't be renewed is handed out as it is: whether it is still good only the outside system knows.
        if !refresh::can_renew(&known.definition, &known.credential) {
            return Ok(known);
        }
        match known.freshness(self.clock.now()) {
            Freshness::Fresh => Ok(known),
            Freshness::Due => self.renewed(known, Need::Soon).await,
            Freshness::Stale => self.renewed(known, Need::Now).await,
        }
    }

    /// A connection as it is now, its credential opened.
    pub(crate) async fn known(
        &self,
        organization: &OrganizationId,
        which: Which,
    ) -> Result<Known, NoCredential> {
        let owner = organization.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let connection = match &which {
                    Which::Of(tenant, connector) => {
                        connections::by_connector(tx, &owner, *tenant, connector).await?
                    }
                    Which::Named(id) => connections::by_id(tx, &owner, id).await?,
                };
                let Some(connection) = connection else { return Ok(None) };
                let home = connections::home(tx, &owner, &connection.id).await?;
                Ok::<_, Fault>(home.map(|home| (connection, home)))
            })
        });
        let (connection, home) = read.await?.ok_or(NoCredential::NotFound)?;
        if home.is_archived {
            return Err(NoCredential::NotFound);
        }
        if connection.status == Status::Disconnected {
            return Err(NoCredential::Disconnected);
        }
        let config = self.config_of(organization, home.environment).await?.ok_or(NoCredential::NotFound)?;
        let definition = self.definition(&config, &connection.connector).ok_or_else(|| {
            Fault::broken(format!("connector {} is no longer loaded", connection.connector))
        })?;
        let credential = self.credential(&connection).await?.ok_or(NoCredential::Disconnected)?;
        Ok(Known { connection, credential, definition, config })
    }
}
