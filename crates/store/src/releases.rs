//! Releases of integrations.

pub(crate) mod parts;
pub mod retirement;

pub use parts::{Files, PART_BYTES, part, put_part};

use crate::db::{DbError, Row, Tx, json, next_id as next, sql};
use crate::listing::{Listed, Page};
use crate::organizations::bump_config_version;
use crate::statements::statements;
use connect::release::{Archive, Release, Standing};
use kernel::Time;
use kernel::ids::{IntegrationId, OrganizationId, ReleaseId};

/// What a list may be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Id,
    Name,
    Tag,
    Created,
    Modified,
}

impl Sort {
    pub const ALL: [Self; 5] = [Self::Id, Self::Name, Self::Tag, Self::Created, Self::Modified];

    /// The published field's name (contract `connect.md`, 6).
    pub const fn field(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Tag => "tag",
            Self::Created => "created_date",
            Self::Modified => "modified_date",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Tag => "tag",
            Self::Created => "created_at",
            Self::Modified => "modified_at",
        }
    }
}

/// What channels lead to at one integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels {
    pub integration: IntegrationId,
    pub default: Option<ReleaseId>,
    /// The newest that is ready.
    pub latest: Option<ReleaseId>,
}

macro_rules! columns {
    () => {
        "id, organization_id, integration_id, name, tag, branch, revision, secret, manifest, archive_hash,
        archive_bytes, ready_at, failure, retired_at, created_at, modified_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO releases (", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, NULL, $14, $15)
        ON CONFLICT (integration_id, tag) DO NOTHING");
    BY_ID = concat!("SELECT ", columns!(), " FROM releases WHERE organization_id = $1 AND id = $2");
    BY_TAG = concat!("SELECT ", columns!(), " FROM releases
        WHERE organization_id = $1 AND integration_id = $2 AND tag = $3");
    LATEST = concat!("SELECT ", columns!(), " FROM releases
        WHERE organization_id = $1 AND integration_id = $2 AND ready_at IS NOT NULL ORDER BY id DESC LIMIT 1");
    NEWEST_SIGNING = concat!("SELECT ", columns!(), " FROM releases
        WHERE organization_id = $1 AND integration_id = $2 AND secret IS NOT NULL ORDER BY id DESC LIMIT 1");
    COUNT = "SELECT COUNT(*) FROM releases WHERE organization_id = $1 AND integration_id = $2 AND ready_at IS NOT NULL";
    ALL = concat!("SELECT ", columns!(), " FROM releases
        WHERE organization_id = $1 AND integration_id = $2 ORDER BY id DESC LIMIT $3");
    CHANNELS = "SELECT i.id, i.default_release_id, (SELECT MAX(r.id) FROM releases AS r
            WHERE r.integration_id = i.id AND r.ready_at IS NOT NULL)
        FROM integrations AS i WHERE i.organization_id = $1";
    // Only what is still being built becomes ready or fails, so that two workers cannot both finish it.
    READY = "UPDATE releases SET archive_hash = $3, archive_bytes = $4, ready_at = $5, modified_at = $5
        WHERE organization_id = $1 AND id = $2 AND ready_at IS NULL AND failure IS NULL AND retired_at IS NULL";
    FAILED = "UPDATE releases SET failure = $3, archive_hash = NULL, archive_bytes = 0, modified_at = $4
        WHERE organization_id = $1 AND id = $2 AND ready_at IS NULL AND failure IS NULL AND retired_at IS NULL";
    // One that tenants or the channel `Default` lead to stays.
    DELETE = "DELETE FROM releases WHERE organization_id = $1 AND id = $2
        AND NOT EXISTS (SELECT 1 FROM integrations AS i WHERE i.id = releases.integration_id AND i.default_release_id = $2)
        AND NOT EXISTS (SELECT 1 FROM tenants AS t WHERE t.organization_id = $1
            AND t.integration_id = releases.integration_id AND t.release_id = $2 AND t.archived_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM runs AS u WHERE u.release_id = $2 AND u.completed_at IS NULL)";
    SET_DEFAULT = "UPDATE integrations SET default_release_id = $3, modified_at = $4
        WHERE organization_id = $1 AND id = $2 AND EXISTS (SELECT 1 FROM releases AS r
            WHERE r.id = $3 AND r.integration_id = integrations.id AND r.ready_at IS NOT NULL)";
    // The first release that becomes ready is the default until somebody chooses another.
    FIRST_DEFAULT = "UPDATE integrations SET default_release_id = $3, modified_at = $4
        WHERE organization_id = $1 AND id = $2 AND default_release_id IS NULL";
}

// A beginning that is never run by itself: `list` goes on with the order.
const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM releases WHERE organization_id = $1 AND integration_id = $2 AND ready_at IS NOT NULL"
);

/// The composed statements, for the test that prepares them.
pub(crate) fn composed() -> Vec<String> {
    let page = |sort: Sort, descending| Page { sort, descending, limit: 1, skip: 0 };
    let both = |sort: Sort| {
        [false, true].map(|descending| format!("{PAGE}{}", page(sort, descending).tail(sort.column(), 3)))
    };
    Sort::ALL.into_iter().flat_map(both).collect()
}

fn release(mut row: Row) -> Result<Release, DbError> {
    let (id, organization, integration) = (row.take()?, row.take()?, row.take()?);
    let (name, tag, branch, revision) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (secret, manifest) = (row.take()?, row.take_json()?);
    let (hash, bytes): (Option<String>, i64) = (row.take()?, row.take()?);
    let (ready, failure, retired): (Option<Time>, Option<String>, Option<Time>) =
        (row.take()?, row.take()?, row.take()?);
    let standing = match (ready, failure, retired) {
        (Some(at), _, _) => Standing::Ready(at),
        (None, Some(failure), _) => Standing::Failed(failure),
        (None, None, Some(at)) => Standing::Retired(at),
        (None, None, None) => Standing::Building,
    };
    let archive = hash.map(|hash| Archive { hash, bytes });
    let (created, modified) = (row.take()?, row.take()?);
    Ok(Release {
        id,
        organization,
        integration,
        name,
        tag,
        branch,
        revision,
        manifest,
        secret,
        archive,
        standing,
        created,
        modified,
    })
}

/// The id for a new release.
///
/// # Errors
/// [`DbError`].
pub async fn next_id(tx: &mut Tx) -> Result<ReleaseId, DbError> {
    let number = next(tx, "releases").await?;
    ReleaseId::new(number).map_err(|error| DbError::Bug(error.to_string()))
}

/// `false` where the integration has a release with this tag.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Release) -> Result<bool, DbError> {
    let (ready, failure) = match &new.standing {
        Standing::Building => (None, None),
        Standing::Ready(at) => (Some(*at), None),
        Standing::Failed(failure) => (None, Some(failure.as_str())),
        Standing::Retired(_) => return Err(DbError::Bug("a new release has files".to_owned())),
    };
    let archive = new.archive.as_ref();
    let query = sql(INSERT).bind(new.id).bind(&new.organization).bind(new.integration).bind(&new.name);
    let query = query.bind(&new.tag).bind(new.branch.as_deref()).bind(new.revision.as_deref());
    let query = query.bind(new.secret.as_ref()).bind(json(&new.manifest)?);
    let query = query.bind(archive.map(|it| it.hash.as_str())).bind(archive.map_or(0, |it| it.bytes));
    query.bind(ready).bind(failure).bind(new.created).bind(new.modified).wrote(tx).await
}

/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: ReleaseId,
) -> Result<Option<Release>, DbError> {
    sql(BY_ID).bind(organization).bind(id).maybe(tx).await?.map(release).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn by_tag(
    tx: &mut Tx,
    organization: &OrganizationId,
    integration: IntegrationId,
    tag: &str,
) -> Result<Option<Release>, DbError> {
    let query = sql(BY_TAG).bind(organization).bind(integration).bind(tag);
    query.maybe(tx).await?.map(release).transpose()
}

/// The newest that is ready.
///
/// # Errors
/// [`DbError`].
pub async fn latest(
    tx: &mut Tx,
    organization: &OrganizationId,
    integration: IntegrationId,
) -> Result<Option<Release>, DbError> {
    sql(LATEST).bind(organization).bind(integration).maybe(tx).await?.map(release).transpose()
}

/// The newest whose runs are signed, ready or not.
///
/// # Errors
/// [`DbError`].
pub async fn newest_signing(
    tx: &mut Tx,
    organization: &OrganizationId,
    integration: IntegrationId,
) -> Result<Option<Release>, DbError> {
    sql(NEWEST_SIGNING).bind(organization).bind(integration).maybe(tx).await?.map(release).transpose()
}

/// A page of those that are ready.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: &OrganizationId,
    integration: IntegrationId,
    page: Page<Sort>,
) -> Result<Listed<Release>, DbError> {
    let total = sql(COUNT).bind(organization).bind(integration).one(tx).await?.take()?;
    let query = sql(format!("{PAGE}{}", page.tail(page.sort.column(), 3)));
    let query = query.bind(organization).bind(integration).bind(page.limit.max(0)).bind(page.skip.max(0));
    let rows = query.all(tx).await?;
    Ok(Listed { rows: rows.into_iter().map(release).collect::<Result<_, _>>()?, total })
}

/// The newest first, whatever became of them: for the operator.
///
/// # Errors
/// [`DbError`].
pub async fn newest(
    tx: &mut Tx,
    organization: &OrganizationId,
    integration: IntegrationId,
    limit: i64,
) -> Result<Vec<Release>, DbError> {
    let query = sql(ALL).bind(organization).bind(integration).bind(limit.max(0));
    query.all(tx).await?.into_iter().map(release).collect()
}

/// What the channels of an organization's integrations lead to.
///
/// # Errors
/// [`DbError`].
pub async fn channels(tx: &mut Tx, organization: &OrganizationId) -> Result<Vec<Channels>, DbError> {
    let rows = sql(CHANNELS).bind(organization).all(tx).await?;
    let read =
        |mut row: Row| Ok(Channels { integration: row.take()?, default: row.take()?, latest: row.take()? });
    rows.into_iter().map(read).collect()
}

/// It is built: these are its files, where it has any, and those it was built from go. `false` where it is not there, or is no longer being built.
///
/// # Errors
/// [`DbError`].
pub async fn set_ready(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: ReleaseId,
    archive: Option<&Archive>,
    now: Time,
) -> Result<bool, DbError> {
    let query = sql(READY).bind(organization).bind(id).bind(archive.map(|it| it.hash.as_str()));
    if !query.bind(archive.map_or(0, |it| it.bytes)).bind(now).wrote(tx).await? {
        return Ok(false);
    }
    parts::delete_source(tx, id).await?;
    Ok(true)
}

/// It could not be built; its parts go. `false` as in [`set_ready`].
///
/// # Errors
/// [`DbError`].
pub async fn set_failed(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: ReleaseId,
    failure: &str,
    now: Time,
) -> Result<bool, DbError> {
    if !sql(FAILED).bind(organization).bind(id).bind(failure).bind(now).wrote(tx).await? {
        return Ok(false);
    }
    parts::delete(tx, id).await?;
    Ok(true)
}

/// Deletes it with its files. `false` where it is not there, or where it is the default, a tenant's, or a run's that
/// has not ended.
///
/// # Errors
/// [`DbError`].
pub async fn delete(tx: &mut Tx, organization: &OrganizationId, id: ReleaseId) -> Result<bool, DbError> {
    sql(DELETE).bind(organization).bind(id).wrote(tx).await
}

/// What `Default` means from now on. `false` where the integration has no such release that is ready.
///
/// # Errors
/// [`DbError`].
pub async fn set_default(
    tx: &mut Tx,
    organization: &OrganizationId,
    integration: IntegrationId,
    id: ReleaseId,
    now: Time,
) -> Result<bool, DbError> {
    if !sql(SET_DEFAULT).bind(organization).bind(integration).bind(id).bind(now).wrote(tx).await? {
        return Ok(false);
    }
    bump_config_version(tx, organization).await?;
    Ok(true)
}

/// The same where the integration has no default yet.
///
/// # Errors
/// [`DbError`].
pub async fn set_first_default(
    tx: &mut Tx,
    organization: &OrganizationId,
    integration: IntegrationId,
    id: ReleaseId,
    now: Time,
) -> Result<bool, DbError> {
    if !sql(FIRST_DEFAULT).bind(organization).bind(integration).bind(id).bind(now).wrote(tx).await? {
        return Ok(false);
    }
    bump_config_version(tx, organization).await?;
    Ok(true)
}
