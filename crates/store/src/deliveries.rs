//! What arrives at webhook addresses, kept until a run has taken it.

use crate::db::{Db, DbError, Query, Row, Tx, json, sql};
use crate::statements::statements;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect::webhook::Delivery;
use kernel::ids::{DeliveryId, OrganizationId, WebhookId};
use kernel::{Environment, Hashed, Time};

statements! {
    INSERT = "INSERT INTO deliveries (id, organization_id, tenant_id, webhook_id, dedupe, headers, body_encoding, body,
        received_at, taken_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL)
        ON CONFLICT (webhook_id, dedupe) WHERE dedupe IS NOT NULL DO NOTHING";
    // What `insert` was told by somebody who looked the address up stands in the WHERE clause here.
    RECEIVE_OWN = "INSERT INTO deliveries (id, organization_id, tenant_id, webhook_id, dedupe, headers, body_encoding,
        body, received_at, taken_at)
        SELECT $1, w.organization_id, w.tenant_id, w.id, $2, $3, $4, $5, CAST($6 AS BIGINT), CAST(NULL AS BIGINT)
        FROM webhooks AS w JOIN tenants AS t ON t.id = w.tenant_id AND t.archived_at IS NULL
        JOIN organizations AS o ON o.id = w.organization_id AND NOT o.disabled
        WHERE w.secret_hash = $7 AND w.environment = $8 AND w.connector = '' AND (w.ends_at IS NULL OR w.ends_at > $6)
        ON CONFLICT (webhook_id, dedupe) WHERE dedupe IS NOT NULL DO NOTHING";
    BY_ID = "SELECT id, organization_id, tenant_id, webhook_id, dedupe, headers, body_encoding, body, received_at
        FROM deliveries WHERE organization_id = $1 AND id = $2";
    RECEIVED = "SELECT id FROM deliveries
        WHERE organization_id = $1 AND webhook_id = $2 AND dedupe = $3 AND received_at >= $4";
    MARK_TAKEN = "UPDATE deliveries SET taken_at = $3 WHERE organization_id = $1 AND id = $2 AND taken_at IS NULL";
    DELETE_TAKEN = "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries
        WHERE taken_at < $1 ORDER BY taken_at LIMIT $2)";
}

/// A body as a column: text as it is, anything else (also text with a NUL, which PostgreSQL refuses) in base64.
fn encode(body: &[u8]) -> (&'static str, String) {
    match std::str::from_utf8(body) {
        Ok(text) if !text.contains('\0') => ("utf-8", text.to_owned()),
        _ => ("base64", STANDARD.encode(body)),
    }
}

fn delivery(mut row: Row) -> Result<Delivery, DbError> {
    let (id, organization, tenant, webhook) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (dedupe, headers) = (row.take()?, row.take_json()?);
    let (encoding, body) = (row.take::<String>()?, row.take::<String>()?);
    let body = match encoding.as_str() {
        "utf-8" => Some(body.into_bytes()),
        "base64" => STANDARD.decode(body).ok(),
        _ => None,
    };
    let body = body.ok_or_else(|| DbError::Corrupt("a delivery's body is not in its encoding".to_owned()))?;
    Ok(Delivery { id, organization, tenant, webhook, dedupe, headers, body, received: row.take()? })
}

/// `false` where a delivery with the same `dedupe` arrived at this address before: the unique index is what drops
/// it. A key that shall hold for a day only carries the day in it.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Delivery) -> Result<bool, DbError> {
    insertion(new)?.wrote(tx).await
}

/// The same as a unit of work of its own, without a transaction's round trips: what answers the sender.
///
/// # Errors
/// [`DbError`].
pub async fn receive(db: &Db, new: &Delivery) -> Result<bool, DbError> {
    Ok(db.execute(insertion(new)?).await? > 0)
}

/// A delivery at an address that may be a tenant's own.
#[derive(Debug)]
pub struct OwnDelivery<'a> {
    pub id: &'a DeliveryId,
    /// The hash of the address's secret.
    pub secret: &'a Hashed,
    pub environment: Environment,
    pub dedupe: Option<String>,
    pub headers: &'a [&'a (String, String)],
    pub body: &'a [u8],
    pub received: Time,
}

/// Looks the address up and keeps the delivery in one statement, where the address is a tenant's own (it belongs to
/// no connector) and takes deliveries now. `false` where it is another or does not, and where a delivery with the same
/// `dedupe` arrived before: nothing was kept then, and whoever asks must look the address up to know why.
///
/// # Errors
/// [`DbError`].
pub async fn receive_own(db: &Db, new: &OwnDelivery<'_>) -> Result<bool, DbError> {
    let (encoding, body) = encode(new.body);
    let query = sql(RECEIVE_OWN).bind(new.id).bind(new.dedupe.clone()).bind(json(&new.headers)?);
    let query = query.bind(encoding).bind(body).bind(new.received).bind(new.secret).bind(new.environment);
    Ok(db.execute(query).await? > 0)
}

fn insertion(new: &Delivery) -> Result<Query, DbError> {
    let (encoding, body) = encode(&new.body);
    let query = sql(INSERT).bind(&new.id).bind(&new.organization).bind(new.tenant).bind(&new.webhook);
    let query = query.bind(new.dedupe.clone()).bind(json(&new.headers)?).bind(encoding).bind(body);
    Ok(query.bind(new.received))
}

/// Whether a delivery with this `dedupe` arrived at this address at `since` or later.
///
/// # Errors
/// [`DbError`].
pub async fn was_received(
    tx: &mut Tx,
    organization: &OrganizationId,
    webhook: &WebhookId,
    dedupe: &str,
    since: Time,
) -> Result<bool, DbError> {
    Ok(sql(RECEIVED).bind(organization).bind(webhook).bind(dedupe).bind(since).maybe(tx).await?.is_some())
}

/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &DeliveryId,
) -> Result<Option<Delivery>, DbError> {
    sql(BY_ID).bind(organization).bind(id).maybe(tx).await?.map(delivery).transpose()
}

/// A run has taken it; from then on it may be cleaned up. `false` where one had before.
///
/// # Errors
/// [`DbError`].
pub async fn mark_taken(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &DeliveryId,
    now: Time,
) -> Result<bool, DbError> {
    sql(MARK_TAKEN).bind(organization).bind(id).bind(now).wrote(tx).await
}

/// Deletes at most `limit` deliveries that a run took before `before`. One that no run has taken is never deleted.
///
/// # Errors
/// [`DbError`].
pub async fn delete_taken(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_TAKEN).bind(before).bind(limit).execute(tx).await
}
