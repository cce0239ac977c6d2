//! Origins that may frame an organization's pages. Every change moves `config_version`.

use crate::db::{DbError, Tx, sql};
use crate::organizations::bump_config_version;
use crate::statements::statements;
use kernel::ids::OrganizationId;
use kernel::{Environment, Origin};

statements! {
    ADD = "INSERT INTO origins (organization_id, environment, origin) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    REMOVE = "DELETE FROM origins WHERE organization_id = $1 AND environment = $2 AND origin = $3";
    LIST = "SELECT origin FROM origins WHERE organization_id = $1 AND environment = $2 ORDER BY origin";
}

/// `false` where it was registered already.
///
/// # Errors
/// [`DbError`].
pub async fn add(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    origin: &Origin,
) -> Result<bool, DbError> {
    let added = sql(ADD).bind(organization).bind(environment).bind(origin).wrote(tx).await?;
    bump_config_version(tx, organization).await?;
    Ok(added)
}

/// `false` where it was not registered.
///
/// # Errors
/// [`DbError`].
pub async fn remove(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    origin: &Origin,
) -> Result<bool, DbError> {
    let removed = sql(REMOVE).bind(organization).bind(environment).bind(origin).wrote(tx).await?;
    bump_config_version(tx, organization).await?;
    Ok(removed)
}

/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
) -> Result<Vec<Origin>, DbError> {
    let rows = sql(LIST).bind(organization).bind(environment).all(tx).await?;
    rows.into_iter().map(|mut row| row.take()).collect()
}
