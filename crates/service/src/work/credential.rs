//! Credentials for use: fresh ones, renewed on demand (contract `connectors.md`, last paragraph).

use super::refresh::Need;
use crate::connect::look_up::Caller;
use crate::{Fault, OrganizationConfig, Service};
use ::connect::connection::{Connection, Status};
use ::connect::connector::flow::access;
use ::connect::connector::{Definition, OutgoingRequest};
use ::connect::credential::{App, Credential};
use ::connect::refresh::{self, Freshness};
use kernel::ids::{ConnectionId, OrganizationId, TenantId};
use kernel::{Environment, SecretText, Slug, Time};
use std::sync::Arc;
use store::{audit, connections};

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

    /// What must not come back to a caller in an error, although the outside system repeated it: tokens, the app's
    /// secret, secret fields, and the headers of the request that carried them.
    pub(crate) fn secrets_in(&self, request: &OutgoingRequest) -> Vec<String> {
        let app = self.app();
        let credential = &self.credential;
        let tokens =
            [&credential.access, &credential.refresh, &app.and_then(|app| app.client_secret.clone())]
                .map(|secret| secret.as_ref().map(|secret| secret.reveal().to_owned()));
        let inputs = self.definition.secret_inputs().filter_map(|input| credential.inputs.get(&input.key));
        let captures = self.definition.capture.secret.iter().filter_map(|name| credential.captures.get(name));
        let fields = app.into_iter().flat_map(|app| app.fields.iter()).map(|(_, value)| value);
        let headers = request.headers.iter().filter(|header| header.secret);
        let headers = headers.flat_map(|header| header.value.reveal().split(' '));
        let texts = inputs.chain(captures).chain(fields).chain(headers).map(ToOwned::to_owned);
        let mut secrets: Vec<String> = tokens.into_iter().flatten().chain(texts).collect();
        // Shorter ones are words, such as the scheme of a header.
        secrets.retain(|secret| secret.len() >= 8);
        // Those that hold others go first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        secrets
    }

    pub(crate) fn freshness(&self, now: Time) -> Freshness {
        refresh::freshness(&self.definition, &self.credential, now)
    }
}

/// Which connection.
#[derive(Debug, Clone)]
pub(crate) enum Which {
    Of {
        tenant: TenantId,
        connector: Slug,
        /// Of the caller's key: a tenant of another one is not there. `None` for who works in any.
        environment: Option<Environment>,
    },
    Named(ConnectionId),
}

fn counted(found: Result<Known, NoCredential>, why: Why) -> Result<Known, NoCredential> {
    let outcome = match &found {
        Ok(_) => "given",
        Err(NoCredential::NotFound) => "not_found",
        Err(NoCredential::Disconnected) => "disconnected",
        Err(NoCredential::NotNow { .. }) => "not_now",
        Err(NoCredential::Fault(_)) => "fault",
    };
    metrics::counter!("vestibule_credentials_total", "for" => why.label(), "outcome" => outcome).increment(1);
    found
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
        let which = Which::Of { tenant, connector: connector.clone(), environment: None };
        let known = self.known_fresh(organization, which, why).await?;
        Ok((known.connection, known.credential))
    }

    /// The same with the connector's definition and the organization's configuration.
    pub(crate) async fn known_fresh(
        self: &Arc<Self>,
        organization: &OrganizationId,
        which: Which,
        why: Why,
    ) -> Result<Known, NoCredential> {
        counted(self.fresh_of(organization, which).await, why)
    }

    /// The same of a connection that was just read, of a tenant of this environment that is not archived.
    pub(crate) async fn known_fresh_of(
        self: &Arc<Self>,
        connection: Connection,
        environment: Environment,
        why: Why,
    ) -> Result<Known, NoCredential> {
        let known = match self.known_here(connection, environment).await {
            Ok(known) => self.freshened(known).await,
            Err(no) => Err(no),
        };
        counted(known, why)
    }

    async fn fresh_of(
        self: &Arc<Self>,
        organization: &OrganizationId,
        which: Which,
    ) -> Result<Known, NoCredential> {
        self.freshened(self.known(organization, which).await?).await
    }

    async fn freshened(self: &Arc<Self>, known: Known) -> Result<Known, NoCredential> {
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
        let only = match &which {
            Which::Of { environment, .. } => *environment,
            Which::Named(_) => None,
        };
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let connection = match &which {
                    Which::Of { tenant, connector, .. } => {
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
        if home.is_archived || only.is_some_and(|only| only != home.environment) {
            return Err(NoCredential::NotFound);
        }
        self.known_here(connection, home.environment).await
    }

    async fn known_here(
        &self,
        connection: Connection,
        environment: Environment,
    ) -> Result<Known, NoCredential> {
        if connection.status == Status::Disconnected {
            return Err(NoCredential::Disconnected);
        }
        let config = self.config_of(&connection.organization, environment).await?;
        let config = config.ok_or(NoCredential::NotFound)?;
        let definition = self.definition(&config, &connection.connector).ok_or_else(|| {
            Fault::broken(format!("connector {} is no longer loaded", connection.connector))
        })?;
        let credential = self.credential(&connection).await?.ok_or(NoCredential::Disconnected)?;
        Ok(Known { connection, credential, definition, config })
    }

    /// What a program of the organization needs to call the outside system itself: the fresh access token, when it
    /// ends, and the API's base, headers and query. Never the refresh token nor the app's secret. Who read it stands in
    /// the audit log before it is handed out.
    ///
    /// # Errors
    /// [`NoCredential`].
    pub async fn read_credential(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        connector: &Slug,
    ) -> Result<serde_json::Value, NoCredential> {
        let environment = Some(caller.environment);
        let which = Which::Of { tenant, connector: connector.clone(), environment };
        let known = self.known_fresh(&caller.organization, which, Why::Read).await?;
        let detail = serde_json::json!({ "connector": connector.as_str() });
        let event = self.event(&caller.actor(), "credential.read", tenant.to_string(), &caller.organization);
        let event = event.with(detail);
        let write = self.db.write(move |tx| Box::pin(async move { audit::insert(tx, &event).await }));
        write.await.map_err(Fault::from)?;
        Ok(self.shown(&known))
    }

    fn shown(&self, known: &Known) -> serde_json::Value {
        let Known { connection, credential, definition, .. } = known;
        let access = access(definition, credential.variables(known.app(), None));
        let expires_in = credential.expires.map(|end| end.seconds_since(self.clock.now()).max(0));
        serde_json::json!({
            "connector": connection.connector.as_str(),
            "kind": definition.kind.as_str(),
            "account": connection.account,
            "access_token": credential.access.as_ref().map(SecretText::reveal),
            "token_type": credential.token_type,
            "scopes": credential.scopes,
            "expires_at": credential.expires.map(Time::iso_seconds),
            "expires_in": expires_in,
            "api_base_url": access.base,
            "headers": access.headers,
            "query_params": access.query,
        })
    }
}
