//! Organizations and what each decides about its tokens.

use crate::db::{Db, DbError, Row, Tx, sql};
use crate::statements::statements;
use kernel::ids::OrganizationId;
use kernel::{Organization, Slug};

/// An organization with the settings that only the first door reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationRecord {
    pub organization: Organization,
    /// How old a token's `iat` may be, in seconds; 300 unless the organization chooses (contract `connect.md`, 1).
    pub token_max_age_s: i64,
    /// How far ahead `iat` may be, in seconds; 60 unless the organization chooses.
    pub token_ahead_s: i64,
}

macro_rules! columns {
    () => {
        "id, slug, name, brand, color, logo, token_max_age_s, token_ahead_s, config_version, created_at, disabled"
    };
}

statements! {
    INSERT = concat!("INSERT INTO organizations (", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (slug) DO NOTHING");
    BY_ID = concat!("SELECT ", columns!(), " FROM organizations WHERE id = $1");
    BY_SLUG = concat!("SELECT ", columns!(), " FROM organizations WHERE slug = $1");
    VERSION = "SELECT config_version FROM organizations WHERE slug = $1 AND NOT disabled";
    VERSION_BY_ID = "SELECT slug, config_version FROM organizations WHERE id = $1 AND NOT disabled";
    LIST = concat!("SELECT ", columns!(), " FROM organizations ORDER BY slug");
    UPDATE = "UPDATE organizations SET name = $2, brand = $3, color = $4, logo = $5, token_max_age_s = $6,
        token_ahead_s = $7, disabled = $8, config_version = config_version + 1 WHERE id = $1";
    BUMP = "UPDATE organizations SET config_version = config_version + 1 WHERE id = $1";
}

fn record(mut row: Row) -> Result<OrganizationRecord, DbError> {
    let (id, slug, name, brand) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (color, logo) = (row.take()?, row.take()?);
    let (token_max_age_s, token_ahead_s) = (row.take()?, row.take()?);
    let (config_version, created, disabled) = (row.take()?, row.take()?, row.take()?);
    let organization = Organization { id, slug, name, brand, color, logo, config_version, created, disabled };
    Ok(OrganizationRecord { organization, token_max_age_s, token_ahead_s })
}

/// `false` where the slug is taken.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &OrganizationRecord) -> Result<bool, DbError> {
    let organization = &new.organization;
    let query = sql(INSERT).bind(&organization.id).bind(&organization.slug).bind(&organization.name);
    let query =
        query.bind(&organization.brand).bind(organization.color.as_ref()).bind(organization.logo.clone());
    let query = query.bind(new.token_max_age_s).bind(new.token_ahead_s).bind(organization.config_version);
    query.bind(organization.created).bind(organization.disabled).wrote(tx).await
}

/// # Errors
/// [`DbError`].
pub async fn by_id(tx: &mut Tx, id: &OrganizationId) -> Result<Option<OrganizationRecord>, DbError> {
    sql(BY_ID).bind(id).maybe(tx).await?.map(record).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn by_slug(tx: &mut Tx, slug: &Slug) -> Result<Option<OrganizationRecord>, DbError> {
    sql(BY_SLUG).bind(slug).maybe(tx).await?.map(record).transpose()
}

/// The version of the configuration; `None` where there is no such organization or it is disabled. A cache asks
/// this before it answers.
///
/// # Errors
/// [`DbError`].
pub async fn config_version(db: &Db, slug: &Slug) -> Result<Option<i64>, DbError> {
    db.maybe(sql(VERSION).bind(slug)).await?.map(|mut row| row.take()).transpose()
}

/// The same by id, with the slug.
///
/// # Errors
/// [`DbError`].
pub async fn config_version_by_id(db: &Db, id: &OrganizationId) -> Result<Option<(Slug, i64)>, DbError> {
    let row = db.maybe(sql(VERSION_BY_ID).bind(id)).await?;
    row.map(|mut row| Ok((row.take()?, row.take()?))).transpose()
}

/// All of them, by slug: for the operator.
///
/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx) -> Result<Vec<OrganizationRecord>, DbError> {
    sql(LIST).all(tx).await?.into_iter().map(record).collect()
}

/// Writes everything but id, slug, and creation time; the configuration's version moves.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, changed: &OrganizationRecord) -> Result<bool, DbError> {
    let organization = &changed.organization;
    let query = sql(UPDATE).bind(&organization.id).bind(&organization.name).bind(&organization.brand);
    let query = query.bind(organization.color.as_ref()).bind(organization.logo.clone());
    query
        .bind(changed.token_max_age_s)
        .bind(changed.token_ahead_s)
        .bind(organization.disabled)
        .wrote(tx)
        .await
}

/// Tells every cache that something of this organization's configuration changed. The store's own functions that
/// write keys, origins, connectors, apps and integrations call it themselves.
///
/// # Errors
/// [`DbError`].
pub async fn bump_config_version(tx: &mut Tx, organization: &OrganizationId) -> Result<(), DbError> {
    sql(BUMP).bind(organization).execute(tx).await.map(drop)
}
