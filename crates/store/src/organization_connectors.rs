//! Connectors that an organization defines itself. Every change moves `config_version`.

use crate::db::{DbError, Row, Tx, sql};
use crate::organizations::bump_config_version;
use crate::statements::statements;
use kernel::ids::OrganizationId;
use kernel::{Slug, Time};

/// A definition as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationConnector {
    pub organization: OrganizationId,
    pub name: Slug,
    /// Whether it is the organization's own system, connected with `xti.token`.
    pub own: bool,
    /// The TOML of `connectors.md`, as it was written.
    pub definition: String,
    pub modified: Time,
}

statements! {
    PUT = "INSERT INTO organization_connectors (organization_id, name, own, definition, modified_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (organization_id, name)
        DO UPDATE SET own = excluded.own, definition = excluded.definition, modified_at = excluded.modified_at";
    GET = "SELECT organization_id, name, own, definition, modified_at FROM organization_connectors
        WHERE organization_id = $1 AND name = $2";
    LIST = "SELECT organization_id, name, own, definition, modified_at FROM organization_connectors
        WHERE organization_id = $1 ORDER BY name";
}

fn connector(mut row: Row) -> Result<OrganizationConnector, DbError> {
    let (organization, name, own) = (row.take()?, row.take()?, row.take()?);
    Ok(OrganizationConnector { organization, name, own, definition: row.take()?, modified: row.take()? })
}

/// Makes or replaces it.
///
/// # Errors
/// [`DbError`].
pub async fn put(tx: &mut Tx, connector: &OrganizationConnector) -> Result<(), DbError> {
    let query = sql(PUT).bind(&connector.organization).bind(&connector.name).bind(connector.own);
    query.bind(&connector.definition).bind(connector.modified).execute(tx).await?;
    bump_config_version(tx, &connector.organization).await
}

/// # Errors
/// [`DbError`].
pub async fn get(
    tx: &mut Tx,
    organization: &OrganizationId,
    name: &Slug,
) -> Result<Option<OrganizationConnector>, DbError> {
    sql(GET).bind(organization).bind(name).maybe(tx).await?.map(connector).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx, organization: &OrganizationId) -> Result<Vec<OrganizationConnector>, DbError> {
    sql(LIST).bind(organization).all(tx).await?.into_iter().map(connector).collect()
}
