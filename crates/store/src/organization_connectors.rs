//! Connectors that an organization defines itself. Every change moves `config_version`.

use crate::db::{DbError, Row, Tx, sql};
use crate::organizations::bump_config_version;
use crate::statements::statements;
use kernel::ids::OrganizationId;
use kernel::{Environment, Slug, Time};

/// A definition as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationConnector {
    pub organization: OrganizationId,
    pub name: Slug,
    /// What was stored for production is seen in both environments, what was stored for the sandbox only there.
    pub environment: Environment,
    /// Whether it is the organization's own system, connected with `xti.token`.
    pub own: bool,
    /// The TOML of `connectors.md`, as it was written.
    pub definition: String,
    pub modified: Time,
}

statements! {
    /// Security: the last line keeps the sandbox from changing what production sees.
    PUT = "INSERT INTO organization_connectors (organization_id, name, environment, own, definition, modified_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (organization_id, name)
        DO UPDATE SET environment = excluded.environment, own = excluded.own, definition = excluded.definition,
            modified_at = excluded.modified_at
        WHERE organization_connectors.environment = 'sandbox' OR excluded.environment = 'production'";
    LIST = "SELECT organization_id, name, environment, own, definition, modified_at FROM organization_connectors
        WHERE organization_id = $1 AND environment IN ('production', $2) ORDER BY name";
}

fn connector(mut row: Row) -> Result<OrganizationConnector, DbError> {
    let (organization, name, environment, own) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (definition, modified) = (row.take()?, row.take()?);
    Ok(OrganizationConnector { organization, name, environment, own, definition, modified })
}

/// Makes or replaces it; what is stored for production takes the place of the sandbox's. `false` where it is for the
/// sandbox and production has one of this name.
///
/// # Errors
/// [`DbError`].
pub async fn put(tx: &mut Tx, connector: &OrganizationConnector) -> Result<bool, DbError> {
    let query = sql(PUT).bind(&connector.organization).bind(&connector.name).bind(connector.environment);
    let query = query.bind(connector.own).bind(&connector.definition).bind(connector.modified);
    let is_put = query.execute(tx).await? > 0;
    if is_put {
        bump_config_version(tx, &connector.organization).await?;
    }
    Ok(is_put)
}

/// Those that are seen in this environment.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
) -> Result<Vec<OrganizationConnector>, DbError> {
    let rows = sql(LIST).bind(organization).bind(environment).all(tx).await?;
    rows.into_iter().map(connector).collect()
}
