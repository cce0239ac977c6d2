//! Data keys: what seals an organization's secrets, itself wrapped by a master key.

use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use kernel::ids::OrganizationId;
use kernel::{Time, WrappedKey};

/// A wrapped data key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKeyRecord {
    /// What sealed texts name (`v1.{id}...`).
    pub id: String,
    pub organization: OrganizationId,
    pub wrapped: WrappedKey,
    pub created: Time,
    /// Since when another one seals; this one still opens.
    pub retired: Option<Time>,
}

macro_rules! columns {
    () => {
        "id, organization_id, wrapped, created_at, retired_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO data_keys (", columns!(), ") VALUES ($1, $2, $3, $4, NULL)
        ON CONFLICT (organization_id) WHERE retired_at IS NULL DO NOTHING");
    CURRENT = concat!("SELECT ", columns!(), " FROM data_keys WHERE organization_id = $1 AND retired_at IS NULL");
    BY_ID = concat!("SELECT ", columns!(), " FROM data_keys WHERE organization_id = $1 AND id = $2");
    LIST = concat!("SELECT ", columns!(), " FROM data_keys WHERE organization_id = $1 ORDER BY created_at, id");
    AFTER = concat!("SELECT ", columns!(), " FROM data_keys WHERE id > $1 ORDER BY id LIMIT $2");
    RETIRE = "UPDATE data_keys SET retired_at = $3 WHERE organization_id = $1 AND id = $2 AND retired_at IS NULL";
    REWRAP = "UPDATE data_keys SET wrapped = $3 WHERE organization_id = $1 AND id = $2";
}

fn record(mut row: Row) -> Result<DataKeyRecord, DbError> {
    let (id, organization, wrapped) = (row.take()?, row.take()?, row.take()?);
    Ok(DataKeyRecord { id, organization, wrapped, created: row.take()?, retired: row.take()? })
}

/// Makes `new` the organization's key unless it has a current one already; returns the one that counts. Two nodes
/// that do this at once end up with the same key, because the unique index lets one row in.
///
/// # Errors
/// [`DbError`].
pub async fn insert_if_absent(tx: &mut Tx, new: &DataKeyRecord) -> Result<DataKeyRecord, DbError> {
    let query = sql(INSERT).bind(&new.id).bind(&new.organization).bind(&new.wrapped).bind(new.created);
    query.execute(tx).await?;
    record(sql(CURRENT).bind(&new.organization).one(tx).await?)
}

/// # Errors
/// [`DbError`].
pub async fn current(tx: &mut Tx, organization: &OrganizationId) -> Result<Option<DataKeyRecord>, DbError> {
    sql(CURRENT).bind(organization).maybe(tx).await?.map(record).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &str,
) -> Result<Option<DataKeyRecord>, DbError> {
    sql(BY_ID).bind(organization).bind(id).maybe(tx).await?.map(record).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx, organization: &OrganizationId) -> Result<Vec<DataKeyRecord>, DbError> {
    sql(LIST).bind(organization).all(tx).await?.into_iter().map(record).collect()
}

/// Of all organizations, by id, at most `limit` of those after `id`.
///
/// # Errors
/// [`DbError`].
pub async fn after(tx: &mut Tx, id: &str, limit: i64) -> Result<Vec<DataKeyRecord>, DbError> {
    sql(AFTER).bind(id).bind(limit).all(tx).await?.into_iter().map(record).collect()
}

/// Ends a key's sealing; the next [`insert_if_absent`] brings its successor. `false` where it had ended.
///
/// # Errors
/// [`DbError`].
pub async fn retire(tx: &mut Tx, organization: &OrganizationId, id: &str, at: Time) -> Result<bool, DbError> {
    sql(RETIRE).bind(organization).bind(id).bind(at).wrote(tx).await
}

/// Replaces the wrapping, after a master key was rotated.
///
/// # Errors
/// [`DbError`].
pub async fn rewrap(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &str,
    wrapped: &WrappedKey,
) -> Result<bool, DbError> {
    sql(REWRAP).bind(organization).bind(id).bind(wrapped).wrote(tx).await
}
