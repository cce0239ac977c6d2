//! Integrations and the connectors they consist of. Every change moves `config_version`.

use crate::db::{DbError, Query, Row, Tx, next_id as next, sql};
use crate::listing::{Listed, Page};
use crate::organizations::bump_config_version;
use crate::statements::statements;
use connect::integration::{Channel, Integration, Repository};
use kernel::ids::{IntegrationId, OrganizationId};
use kernel::{Environment, Slug};

/// What a list may be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Id,
    Name,
    LongName,
    Created,
    Modified,
}

impl Sort {
    pub const ALL: [Self; 5] = [Self::Id, Self::Name, Self::LongName, Self::Created, Self::Modified];

    /// The published field's name (contract `connect.md`, 6).
    pub const fn field(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::LongName => "long_name",
            Self::Created => "created_date",
            Self::Modified => "modified_date",
        }
    }

    pub fn parse(field: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.field() == field)
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::LongName => "long_name",
            Self::Created => "created_at",
            Self::Modified => "modified_at",
        }
    }
}

macro_rules! columns {
    () => {
        "id, organization_id, environment, name, long_name, is_external, own_connector, schedule, shift_all, channel,
        default_release_id, repository_url, repository_path, repository_branch, created_at, modified_at"
    };
}

// Connectors travel as one text: no name contains a comma.
macro_rules! select {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            ", (SELECT string_agg(c.connector, ',' ORDER BY c.position)
            FROM integration_connectors AS c WHERE c.integration_id = integrations.id) FROM integrations"
        )
    };
}

statements! {
    INSERT = concat!("INSERT INTO integrations (", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        ON CONFLICT (organization_id, environment, name) DO NOTHING");
    INSERT_CONNECTOR = "INSERT INTO integration_connectors (integration_id, position, connector) VALUES ($1, $2, $3)";
    DELETE_CONNECTORS = "DELETE FROM integration_connectors WHERE integration_id = $1";
    BY_NAME = concat!(select!(), " WHERE organization_id = $1 AND environment = $2 AND name = $3");
    BY_ID = concat!(select!(), " WHERE organization_id = $1 AND environment = $2 AND id = $3");
    PAGE = concat!(select!(), " WHERE organization_id = $1 AND environment = $2");
    ALL = concat!(select!(), " WHERE organization_id = $1 AND environment = $2 ORDER BY id");
    COUNT = "SELECT COUNT(*) FROM integrations WHERE organization_id = $1 AND environment = $2";
    UPDATE = "UPDATE integrations SET long_name = $3, is_external = $4, own_connector = $5, schedule = $6,
        shift_all = $7, channel = $8, default_release_id = $9, repository_url = $10, repository_path = $11,
        repository_branch = $12, modified_at = $13
        WHERE organization_id = $1 AND id = $2";
}

/// The composed statements, for the test that prepares them.
pub(crate) fn composed() -> Vec<String> {
    let page = |sort: Sort, descending| Page { sort, descending, limit: 1, skip: 0 };
    let both = |sort: Sort| {
        [false, true].map(|descending| format!("{PAGE}{}", page(sort, descending).tail(sort.column(), 3)))
    };
    Sort::ALL.into_iter().flat_map(both).collect()
}

fn integration(mut row: Row) -> Result<Integration, DbError> {
    let (id, organization, environment) = (row.take()?, row.take()?, row.take()?);
    let (name, long_name, external, own_connector) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (schedule, shift_all, channel) = (row.take()?, row.take()?, row.take_word(Channel::parse)?);
    let default_release = row.take()?;
    let (url, path, branch): (Option<String>, _, _) = (row.take()?, row.take()?, row.take()?);
    let repository = url.map(|url| Repository { url, path, branch });
    let (created, modified) = (row.take()?, row.take()?);
    let listed = row.take::<Option<String>>()?.unwrap_or_default();
    let connectors =
        listed.split(',').filter(|name| !name.is_empty()).map(Slug::parse).collect::<Result<_, _>>();
    let connectors =
        connectors.map_err(|_| DbError::Corrupt("a connector's name is not a name".to_owned()))?;
    Ok(Integration {
        id,
        organization,
        environment,
        name,
        long_name,
        external,
        own_connector,
        connectors,
        schedule,
        shift_all,
        channel,
        default_release,
        repository,
        created,
        modified,
    })
}

/// The id for a new integration.
///
/// # Errors
/// [`DbError`].
pub async fn next_id(tx: &mut Tx) -> Result<IntegrationId, DbError> {
    let number = next(tx, "integrations").await?;
    IntegrationId::new(number).map_err(|error| DbError::Bug(error.to_string()))
}

/// `false` where the name is taken in this environment.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Integration) -> Result<bool, DbError> {
    let query = sql(INSERT).bind(new.id).bind(&new.organization).bind(new.environment).bind(&new.name);
    let query = query.bind(&new.long_name).bind(new.external).bind(new.own_connector.as_ref());
    let query = query.bind(new.schedule.clone()).bind(new.shift_all).bind(new.channel.as_str());
    let query = with_repository(query.bind(new.default_release), new.repository.as_ref());
    if !query.bind(new.created).bind(new.modified).wrote(tx).await? {
        return Ok(false);
    }
    insert_connectors(tx, new).await?;
    bump_config_version(tx, &new.organization).await?;
    Ok(true)
}

fn with_repository(query: Query, repository: Option<&Repository>) -> Query {
    let of = |part: fn(&Repository) -> Option<&str>| repository.and_then(part);
    let query = query.bind(of(|it| Some(&it.url))).bind(of(|it| it.path.as_deref()));
    query.bind(of(|it| it.branch.as_deref()))
}

async fn insert_connectors(tx: &mut Tx, integration: &Integration) -> Result<(), DbError> {
    for (position, connector) in (0_i64..).zip(&integration.connectors) {
        sql(INSERT_CONNECTOR).bind(integration.id).bind(position).bind(connector).execute(tx).await?;
    }
    Ok(())
}

/// # Errors
/// [`DbError`].
pub async fn by_name(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    name: &Slug,
) -> Result<Option<Integration>, DbError> {
    sql(BY_NAME).bind(organization).bind(environment).bind(name).maybe(tx).await?.map(integration).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: IntegrationId,
) -> Result<Option<Integration>, DbError> {
    sql(BY_ID).bind(organization).bind(environment).bind(id).maybe(tx).await?.map(integration).transpose()
}

/// All of them: what a landing chooses among.
///
/// # Errors
/// [`DbError`].
pub async fn all(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
) -> Result<Vec<Integration>, DbError> {
    let rows = sql(ALL).bind(organization).bind(environment).all(tx).await?;
    rows.into_iter().map(integration).collect()
}

/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    page: Page<Sort>,
) -> Result<Listed<Integration>, DbError> {
    let total = sql(COUNT).bind(organization).bind(environment).one(tx).await?.take()?;
    let query =
        sql(format!("{PAGE}{}", page.tail(page.sort.column(), 3))).bind(organization).bind(environment);
    let rows = query.bind(page.limit.max(0)).bind(page.skip.max(0)).all(tx).await?;
    Ok(Listed { rows: rows.into_iter().map(integration).collect::<Result<_, _>>()?, total })
}

/// Writes everything but id, environment, name and creation time. `false` where there is no such integration.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, changed: &Integration) -> Result<bool, DbError> {
    let query = sql(UPDATE).bind(&changed.organization).bind(changed.id).bind(&changed.long_name);
    let query =
        query.bind(changed.external).bind(changed.own_connector.as_ref()).bind(changed.schedule.clone());
    let query = query.bind(changed.shift_all).bind(changed.channel.as_str()).bind(changed.default_release);
    if !with_repository(query, changed.repository.as_ref()).bind(changed.modified).wrote(tx).await? {
        return Ok(false);
    }
    sql(DELETE_CONNECTORS).bind(changed.id).execute(tx).await?;
    insert_connectors(tx, changed).await?;
    bump_config_version(tx, &changed.organization).await?;
    Ok(true)
}
