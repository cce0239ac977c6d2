//! What arrives at webhook addresses, kept until a run has taken it.

use crate::db::{Db, DbError, Query, Row, Tx, json, next_ids, sql};
use crate::statements::statements;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect::webhook::Delivery;
use kernel::ids::{DeliveryId, OrganizationId, TenantId, WebhookId};
use kernel::{Environment, Hashed, Time};

/// Deliveries of one statement.
const TOGETHER: usize = 32;

// A delivery and its trigger's number, 32 times.
macro_rules! fresh {
    () => {
        "WITH fresh (delivery, number) AS (VALUES ($1, CAST($2 AS BIGINT)), ($3, $4), ($5, $6), ($7, $8),
            ($9, $10), ($11, $12), ($13, $14), ($15, $16), ($17, $18), ($19, $20), ($21, $22), ($23, $24),
            ($25, $26), ($27, $28), ($29, $30), ($31, $32), ($33, $34), ($35, $36), ($37, $38), ($39, $40),
            ($41, $42), ($43, $44), ($45, $46), ($47, $48), ($49, $50), ($51, $52), ($53, $54), ($55, $56),
            ($57, $58), ($59, $60), ($61, $62), ($63, $64)) "
    };
}

// On PostgreSQL rows that another node takes are passed over instead of waited for, as in the queue.
const FRESH_ON_SQLITE: &str =
    "SELECT id, organization_id, tenant_id FROM deliveries WHERE trigger_id IS NULL ORDER BY id LIMIT $1";
const FRESH_ON_POSTGRES: &str =
    "SELECT id, organization_id, tenant_id FROM deliveries WHERE trigger_id IS NULL
    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED";

/// The texts that only SQLite is told.
pub(crate) const ON_SQLITE: &[(&str, &str)] = &[("deliveries::FRESH", FRESH_ON_SQLITE)];
/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[("deliveries::FRESH", FRESH_ON_POSTGRES)];

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
    // The same of all that arrives meanwhile, for PostgreSQL.
    RECEIVE_OWN_MANY = "WITH new (id, dedupe, headers, body_encoding, body, received_at, secret_hash, environment)
        AS (VALUES ($1, $2, $3, $4, $5, CAST($6 AS BIGINT), $7, $8))
        INSERT INTO deliveries (id, organization_id, tenant_id, webhook_id, dedupe, headers, body_encoding, body,
            received_at, taken_at)
        SELECT new.id, w.organization_id, w.tenant_id, w.id, new.dedupe, new.headers, new.body_encoding, new.body,
            new.received_at, CAST(NULL AS BIGINT)
        FROM new JOIN webhooks AS w ON w.secret_hash = new.secret_hash AND w.environment = new.environment
            AND w.connector = '' AND (w.ends_at IS NULL OR w.ends_at > new.received_at)
        JOIN tenants AS t ON t.id = w.tenant_id AND t.archived_at IS NULL
        JOIN organizations AS o ON o.id = w.organization_id AND NOT o.disabled
        WHERE TRUE ON CONFLICT (webhook_id, dedupe) WHERE dedupe IS NOT NULL DO NOTHING RETURNING id";
    BY_ID = "SELECT id, organization_id, tenant_id, webhook_id, dedupe, headers, body_encoding, body, received_at
        FROM deliveries WHERE organization_id = $1 AND id = $2";
    RECEIVED = "SELECT id FROM deliveries
        WHERE organization_id = $1 AND webhook_id = $2 AND dedupe = $3 AND received_at >= $4";
    MARK_TAKEN = "UPDATE deliveries SET taken_at = $3 WHERE organization_id = $1 AND id = $2 AND taken_at IS NULL";
    IS_FRESH = "SELECT id FROM deliveries WHERE trigger_id IS NULL ORDER BY id LIMIT 1";
    MAKE_TRIGGERS = concat!(fresh!(), "INSERT INTO triggers (id, organization_id, tenant_id, source, mode, delivery_id,
        payload, created_at, claimed_at, run_id)
        SELECT fresh.number, d.organization_id, d.tenant_id, 'Webhook', 'webhook', d.id, CAST(NULL AS TEXT),
        CAST($65 AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
        FROM fresh JOIN deliveries AS d ON d.id = fresh.delivery");
    NAME_TRIGGERS = concat!(fresh!(), "UPDATE deliveries SET trigger_id = fresh.number FROM fresh
        WHERE deliveries.id = fresh.delivery AND deliveries.trigger_id IS NULL");
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
    let receive = if db.engine() == "postgres" { sql(RECEIVE_OWN_MANY).for_many() } else { sql(RECEIVE_OWN) };
    let query = receive.bind(new.id).bind(new.dedupe.clone()).bind(json(&new.headers)?);
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

/// A delivery that has no trigger yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    pub id: DeliveryId,
    pub organization: OrganizationId,
    pub tenant: TenantId,
}

/// Whether there is one: a look that costs no writer's time.
///
/// # Errors
/// [`DbError`].
pub async fn is_fresh(db: &Db) -> Result<bool, DbError> {
    Ok(db.maybe(sql(IS_FRESH)).await?.is_some())
}

/// The oldest that have no trigger yet, at most `limit`, each for this caller alone until its unit of work ends.
///
/// # Errors
/// [`DbError`].
pub async fn fresh(tx: &mut Tx, limit: i64) -> Result<Vec<Fresh>, DbError> {
    let text = if tx.is_postgres() { FRESH_ON_POSTGRES } else { FRESH_ON_SQLITE };
    let rows = sql(text).bind(limit).all(tx).await?;
    let read = rows
        .into_iter()
        .map(|mut row| Ok(Fresh { id: row.take()?, organization: row.take()?, tenant: row.take()? }));
    read.collect()
}

/// Makes a trigger of each: source Webhook, mode webhook.
///
/// # Errors
/// [`DbError`].
pub async fn make_triggers(tx: &mut Tx, fresh: &[Fresh], now: Time) -> Result<(), DbError> {
    for some in fresh.chunks(TOGETHER) {
        let numbers = next_ids(tx, "triggers", some.len()).await?;
        named(MAKE_TRIGGERS, some, &numbers).bind(now).execute(tx).await?;
        named(NAME_TRIGGERS, some, &numbers).execute(tx).await?;
    }
    Ok(())
}

fn named(text: &'static str, fresh: &[Fresh], numbers: &[i64]) -> Query {
    let pairs = fresh.iter().map(|fresh| fresh.id.as_str()).zip(numbers.iter().copied());
    // Places that are left over name no delivery.
    let pairs = pairs.chain(std::iter::repeat(("", 0))).take(TOGETHER);
    pairs.fold(sql(text), |query, (delivery, number)| query.bind(delivery).bind(number))
}
