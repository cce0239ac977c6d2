//! Addresses at which tenants take webhooks.

use crate::db::{Db, DbError, Row, Tx, sql};
use crate::statements::statements;
use connect::webhook::Webhook;
use kernel::ids::{OrganizationId, TenantId, WebhookId};
use kernel::{Hashed, Slug, Time};

/// An address as a delivery finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub webhook: Webhook,
    /// Whether its tenant is archived: then deliveries are answered with 410.
    pub tenant_archived: bool,
}

macro_rules! columns {
    () => {
        "w.id, w.organization_id, w.environment, w.tenant_id, w.connector, w.secret_hash, w.secret, w.created_at, w.ends_at"
    };
}

statements! {
    INSERT = "INSERT INTO webhooks (id, organization_id, environment, tenant_id, connector, secret_hash, secret,
        created_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (tenant_id, connector) WHERE ends_at IS NULL DO NOTHING";
    BY_SECRET_HASH = concat!("SELECT ", columns!(), ", t.archived_at IS NOT NULL
        FROM webhooks AS w JOIN tenants AS t ON t.id = w.tenant_id
        JOIN organizations AS o ON o.id = w.organization_id AND NOT o.disabled WHERE w.secret_hash = $1");
    CURRENT = concat!("SELECT ", columns!(), " FROM webhooks AS w
        WHERE w.organization_id = $1 AND w.tenant_id = $2 AND w.connector = $3 AND w.ends_at IS NULL");
    LIST = concat!("SELECT ", columns!(), " FROM webhooks AS w
        WHERE w.organization_id = $1 AND w.tenant_id = $2 ORDER BY w.created_at, w.id");
    ROTATE = "UPDATE webhooks SET ends_at = $3 WHERE organization_id = $1 AND id = $2 AND ends_at IS NULL";
    END = "UPDATE webhooks SET ends_at = $3
        WHERE organization_id = $1 AND id = $2 AND (ends_at IS NULL OR ends_at > $3)";
    // What came at an address says so itself.
    DELETE_ENDED = "DELETE FROM webhooks WHERE id IN (SELECT id FROM webhooks
        WHERE ends_at < $1 ORDER BY ends_at LIMIT $2)";
}

fn webhook(row: &mut Row) -> Result<Webhook, DbError> {
    let (id, organization, environment, tenant) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let connector = row.take_word(|text| match text {
        "" => Some(None),
        name => Slug::parse(name).ok().map(Some),
    })?;
    let (secret_hash, secret, created, ends) = (row.take()?, row.take()?, row.take()?, row.take()?);
    Ok(Webhook { id, organization, environment, tenant, connector, secret_hash, secret, created, ends })
}

fn stored(connector: Option<&Slug>) -> &str {
    connector.map_or("", Slug::as_str)
}

/// `false` where the tenant has a current address for this connector already: read it with [`current`].
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Webhook) -> Result<bool, DbError> {
    let query = sql(INSERT).bind(&new.id).bind(&new.organization).bind(new.environment).bind(new.tenant);
    let query = query.bind(stored(new.connector.as_ref())).bind(&new.secret_hash).bind(&new.secret);
    query.bind(new.created).bind(new.ends).wrote(tx).await
}

/// By the hash of the URL's secret, which is what names it. Also one that has ended: the rule decides. `None` where
/// the organization is disabled.
///
/// # Errors
/// [`DbError`].
pub async fn by_secret_hash(db: &Db, secret: &Hashed) -> Result<Option<Address>, DbError> {
    let Some(mut row) = db.maybe(sql(BY_SECRET_HASH).bind(secret)).await? else { return Ok(None) };
    Ok(Some(Address { webhook: webhook(&mut row)?, tenant_archived: row.take()? }))
}

/// The address in use; without a connector the tenant's published one.
///
/// # Errors
/// [`DbError`].
pub async fn current(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
    connector: Option<&Slug>,
) -> Result<Option<Webhook>, DbError> {
    let query = sql(CURRENT).bind(organization).bind(tenant).bind(stored(connector));
    query.maybe(tx).await?.map(|mut row| webhook(&mut row)).transpose()
}

/// All of a tenant, also those that have ended.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
) -> Result<Vec<Webhook>, DbError> {
    let rows = sql(LIST).bind(organization).bind(tenant).all(tx).await?;
    rows.into_iter().map(|mut row| webhook(&mut row)).collect()
}

/// Replaces the address `old` by `new`, in one unit of work; `old` takes deliveries until `ends`. `false` where
/// `old` is not the current one any more.
///
/// # Errors
/// [`DbError`].
pub async fn rotate(tx: &mut Tx, old: &WebhookId, ends: Time, new: &Webhook) -> Result<bool, DbError> {
    if !sql(ROTATE).bind(&new.organization).bind(old).bind(ends).wrote(tx).await? {
        return Ok(false);
    }
    if insert(tx, new).await? {
        return Ok(true);
    }
    Err(DbError::Bug("the new address belongs to another tenant or connector than the old one".to_owned()))
}

/// Ends an address at `at`, if it does not end earlier already.
///
/// # Errors
/// [`DbError`].
pub async fn end(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &WebhookId,
    at: Time,
) -> Result<bool, DbError> {
    sql(END).bind(organization).bind(id).bind(at).wrote(tx).await
}

/// Deletes at most `limit` addresses that ended before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_ended(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_ENDED).bind(before).bind(limit).execute(tx).await
}
