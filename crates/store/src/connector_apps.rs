//! An organization's app at an outside system: client id and secrets. Every change moves `config_version`.

use crate::db::{DbError, Row, Tx, json, sql};
use crate::organizations::bump_config_version;
use crate::statements::statements;
use kernel::ids::OrganizationId;
use kernel::{Environment, Sealed, Slug, Time};

/// An app as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorApp {
    pub organization: OrganizationId,
    pub environment: Environment,
    pub connector: Slug,
    pub client_id: String,
    /// The client secret and other secrets as JSON, sealed for the place
    /// `connector-app:{organization}:{environment}:{connector}`.
    pub secrets: Option<Sealed>,
    /// What is asked for instead of the connector's own scopes; empty for those.
    pub scopes: Vec<String>,
    pub modified: Time,
}

macro_rules! columns {
    () => {
        "organization_id, environment, connector, client_id, secrets, scopes, modified_at"
    };
}

statements! {
    PUT = concat!("INSERT INTO connector_apps (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (organization_id, environment, connector) DO UPDATE SET client_id = excluded.client_id,
        secrets = excluded.secrets, scopes = excluded.scopes, modified_at = excluded.modified_at");
    GET = concat!("SELECT ", columns!(), " FROM connector_apps
        WHERE organization_id = $1 AND environment = $2 AND connector = $3");
    LIST = concat!("SELECT ", columns!(), " FROM connector_apps
        WHERE organization_id = $1 ORDER BY environment, connector");
}

fn app(mut row: Row) -> Result<ConnectorApp, DbError> {
    let (organization, environment, connector) = (row.take()?, row.take()?, row.take()?);
    let (client_id, secrets, scopes) = (row.take()?, row.take()?, row.take_json()?);
    Ok(ConnectorApp {
        organization,
        environment,
        connector,
        client_id,
        secrets,
        scopes,
        modified: row.take()?,
    })
}

/// Makes or replaces it.
///
/// # Errors
/// [`DbError`].
pub async fn put(tx: &mut Tx, app: &ConnectorApp) -> Result<(), DbError> {
    let query =
        sql(PUT).bind(&app.organization).bind(app.environment).bind(&app.connector).bind(&app.client_id);
    query.bind(app.secrets.as_ref()).bind(json(&app.scopes)?).bind(app.modified).execute(tx).await?;
    bump_config_version(tx, &app.organization).await
}

/// # Errors
/// [`DbError`].
pub async fn get(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    connector: &Slug,
) -> Result<Option<ConnectorApp>, DbError> {
    sql(GET).bind(organization).bind(environment).bind(connector).maybe(tx).await?.map(app).transpose()
}

/// Of both environments.
///
/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx, organization: &OrganizationId) -> Result<Vec<ConnectorApp>, DbError> {
    sql(LIST).bind(organization).all(tx).await?.into_iter().map(app).collect()
}
