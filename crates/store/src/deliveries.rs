//! What arrives at webhook addresses, kept until a run has taken it.

use crate::db::{Db, DbError, Query, Row, Tx, json, sql};
use crate::runs::standing::{self, Standing};
use crate::statements::{never_set, statements};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect::run::Size;
use connect::webhook::{CUSTOM, Delivery};
use kernel::ids::{DeliveryId, OrganizationId, RunId, TenantId, TriggerId, WebhookId};
use kernel::{Environment, Hashed, Time};
use serde_json::json as object;
use std::collections::{HashMap, HashSet};

// What of a delivery is read before its run begins: how large it is, and itself where it is small. Larger ones would be
// kept in memory for as long as they wait.
macro_rules! arrived {
    () => {
        "id, organization_id, tenant_id, OCTET_LENGTH(headers) AS text_bytes, OCTET_LENGTH(body) AS body_bytes,
        CASE WHEN OCTET_LENGTH(headers) + OCTET_LENGTH(body) <= 16384 THEN headers END AS headers, body_encoding,
        CASE WHEN OCTET_LENGTH(headers) + OCTET_LENGTH(body) <= 16384 THEN body END AS body, connector"
    };
}

const FRESH_ON_SQLITE: &str =
    concat!("SELECT ", arrived!(), " FROM deliveries WHERE trigger_id IS NULL ORDER BY id LIMIT $1");
// Rows that another node takes are passed over instead of waited for, as in the queue. Beside the first delivery of each
// tenant stands how the tenant stands, and numbers are given at once: one round trip.
const FRESH_ON_POSTGRES: &str = concat!(
    "WITH fresh AS (SELECT ",
    arrived!(),
    " FROM deliveries WHERE trigger_id IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED),
    placed AS (SELECT fresh.*, ROW_NUMBER() OVER (PARTITION BY tenant_id ORDER BY id) AS place FROM fresh)
    SELECT placed.id, placed.organization_id, placed.tenant_id, placed.text_bytes, placed.body_bytes, placed.headers,
        placed.body_encoding, placed.body, placed.connector, nextval('triggers_ids'),
        CASE WHEN NOT t.paused AND t.archived_at IS NULL
            AND (SELECT 1 FROM runs AS u WHERE u.tenant_id = t.id AND u.completed_at IS NULL LIMIT 1) IS NULL
            AND (SELECT 1 FROM releases AS r WHERE r.integration_id = t.integration_id AND r.ready_at IS NOT NULL LIMIT 1)
                IS NOT NULL
            THEN nextval('runs_ids') END, ",
    standing::standing_columns!(),
    " FROM placed LEFT JOIN tenants AS t ON t.id = placed.tenant_id AND placed.place = 1",
    standing::standing_beside!(),
    " ORDER BY placed.id"
);
// A run that was not begun has taken nothing.
const MAKE_TRIGGERS_ON_POSTGRES: &str =
    "INSERT INTO triggers (id, organization_id, tenant_id, source, mode, delivery_id, payload, created_at, claimed_at,
        run_id)
    SELECT new.id, new.organization, new.tenant, 'Webhook', 'webhook', new.delivery, NULL, CAST($2 AS BIGINT),
        CASE WHEN u.id IS NOT NULL THEN CAST($2 AS BIGINT) END, u.id
    FROM json_to_recordset(CAST($1 AS JSON)) AS new (id BIGINT, organization TEXT, tenant BIGINT, delivery TEXT, run BIGINT)
    LEFT JOIN runs AS u ON u.id = new.run";
// `RECEIVE_OWN` of all that arrives meanwhile. Each address is looked up by itself, or all tenants there are would be put
// together with all that arrived.
const RECEIVE_OWN_ON_POSTGRES: &str = "WITH new (id, dedupe, headers, body_encoding, body, received_at, secret_hash, environment)
        AS (VALUES ($1, $2, $3, $4, $5, CAST($6 AS BIGINT), $7, $8))
        INSERT INTO deliveries (id, organization_id, tenant_id, webhook_id, connector, dedupe, headers, body_encoding,
            body, received_at, taken_at)
        SELECT new.id, w.organization_id, w.tenant_id, w.id, w.connector, new.dedupe, new.headers, new.body_encoding, new.body,
            new.received_at, CAST(NULL AS BIGINT)
        FROM new CROSS JOIN LATERAL (SELECT id, organization_id, tenant_id, connector FROM webhooks
            WHERE secret_hash = new.secret_hash AND environment = new.environment AND connector = ''
                AND (ends_at IS NULL OR ends_at > new.received_at) LIMIT 1) AS w
        WHERE (SELECT archived_at IS NULL FROM tenants WHERE id = w.tenant_id)
            AND (SELECT NOT disabled FROM organizations WHERE id = w.organization_id)
        ON CONFLICT (webhook_id, dedupe) WHERE dedupe IS NOT NULL DO NOTHING RETURNING id";
// They are this caller's alone since he read them. That they have no trigger yet is not asked again, or PostgreSQL would
// look for these few among all that have none.
const NAME_TRIGGERS_ON_POSTGRES: &str =
    "UPDATE deliveries SET trigger_id = new.id, taken_at = CASE WHEN u.id IS NOT NULL THEN CAST($2 AS BIGINT) END
    FROM json_to_recordset(CAST($1 AS JSON)) AS new (id BIGINT, delivery TEXT, run BIGINT)
    LEFT JOIN runs AS u ON u.id = new.run
    WHERE deliveries.id = new.delivery";

/// The texts that only SQLite is told.
pub(crate) const ON_SQLITE: &[(&str, &str)] = &[("deliveries::FRESH", FRESH_ON_SQLITE)];
/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[
    ("deliveries::RECEIVE_OWN", RECEIVE_OWN_ON_POSTGRES),
    ("deliveries::FRESH", FRESH_ON_POSTGRES),
    ("deliveries::MAKE_TRIGGERS", MAKE_TRIGGERS_ON_POSTGRES),
    ("deliveries::NAME_TRIGGERS", NAME_TRIGGERS_ON_POSTGRES),
];

statements! {
    INSERT = "INSERT INTO deliveries (id, organization_id, tenant_id, webhook_id, connector, dedupe, headers,
        body_encoding, body, received_at, taken_at)
        VALUES ($1, $2, $3, $4, (SELECT w.connector FROM webhooks AS w WHERE w.id = $4), $5, $6, $7, $8, $9, NULL)
        ON CONFLICT (webhook_id, dedupe) WHERE dedupe IS NOT NULL DO NOTHING";
    // What `insert` was told by somebody who looked the address up stands in the WHERE clause here.
    RECEIVE_OWN = "INSERT INTO deliveries (id, organization_id, tenant_id, webhook_id, connector, dedupe, headers,
        body_encoding, body, received_at, taken_at)
        SELECT $1, w.organization_id, w.tenant_id, w.id, w.connector, $2, $3, $4, $5, CAST($6 AS BIGINT), CAST(NULL AS BIGINT)
        FROM webhooks AS w
        WHERE w.secret_hash = $7 AND w.environment = $8 AND w.connector = '' AND (w.ends_at IS NULL OR w.ends_at > $6)
            AND (SELECT archived_at IS NULL FROM tenants WHERE id = w.tenant_id)
            AND (SELECT NOT disabled FROM organizations WHERE id = w.organization_id)
        ON CONFLICT (webhook_id, dedupe) WHERE dedupe IS NOT NULL DO NOTHING";
    BY_ID = "SELECT id, organization_id, tenant_id, webhook_id, dedupe, headers, body_encoding, body, received_at
        FROM deliveries WHERE organization_id = $1 AND id = $2";
    CONTENT = "SELECT headers, body_encoding, body, connector
        FROM deliveries WHERE organization_id = $1 AND id = $2";
    RECEIVED = "SELECT id FROM deliveries
        WHERE organization_id = $1 AND webhook_id = $2 AND dedupe = $3 AND received_at >= $4";
    MARK_TAKEN = "UPDATE deliveries SET taken_at = $3 WHERE organization_id = $1 AND id = $2 AND taken_at IS NULL";
    IS_FRESH = "SELECT id FROM deliveries WHERE trigger_id IS NULL ORDER BY id LIMIT 1";
    MAKE_TRIGGER = "INSERT INTO triggers (id, organization_id, tenant_id, source, mode, delivery_id, payload, created_at,
        claimed_at, run_id) VALUES ($1, $2, $3, 'Webhook', 'webhook', $4, NULL, $5, $6, $7)";
    NAME_TRIGGER = concat!("UPDATE deliveries SET trigger_id = $2, taken_at = $3 WHERE id = $1 AND ",
        never_set!("trigger_id"));
    DELETE_TAKEN = "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries
        WHERE taken_at < $1 ORDER BY taken_at LIMIT $2)";
}

/// A body as a column: text as it is, anything else (also text with a NUL, which PostgreSQL refuses) in base64.
pub(crate) fn encode(body: &[u8]) -> (&'static str, String) {
    match std::str::from_utf8(body) {
        Ok(text) if !text.contains('\0') => ("utf-8", text.to_owned()),
        _ => ("base64", STANDARD.encode(body)),
    }
}

fn delivery(mut row: Row) -> Result<Delivery, DbError> {
    let (id, organization, tenant, webhook) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (dedupe, headers) = (row.take()?, row.take_json()?);
    let (encoding, body) = (row.take::<String>()?, row.take::<String>()?);
    let body = decode(&encoding, body)?;
    Ok(Delivery { id, organization, tenant, webhook, dedupe, headers, body, received: row.take()? })
}

fn decode(encoding: &str, body: String) -> Result<Vec<u8>, DbError> {
    let body = match encoding {
        "utf-8" => Some(body.into_bytes()),
        "base64" => STANDARD.decode(body).ok(),
        _ => None,
    };
    body.ok_or_else(|| DbError::Corrupt("a delivery's body is not in its encoding".to_owned()))
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
    let receive =
        if db.engine() == "postgres" { sql(RECEIVE_OWN_ON_POSTGRES).for_many() } else { sql(RECEIVE_OWN) };
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

/// What of a delivery a run is told.
///
/// # Errors
/// [`DbError`].
pub async fn content_by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &DeliveryId,
) -> Result<Option<Content>, DbError> {
    let Some(mut row) = sql(CONTENT).bind(organization).bind(id).maybe(tx).await? else { return Ok(None) };
    content(&mut row)
}

/// What was sent, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The connector at whose address it came, or `custom`.
    pub source: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A delivery that has no trigger yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    pub id: DeliveryId,
    pub organization: OrganizationId,
    pub tenant: TenantId,
    pub size: Size,
    /// Where it is small.
    pub content: Option<Content>,
    /// Numbers that were taken with it: its trigger's, and one for a run that it may begin.
    numbers: Option<(TriggerId, Option<RunId>)>,
}

/// Whether there is one: a look that costs no writer's time.
///
/// # Errors
/// [`DbError`].
pub async fn is_fresh(db: &Db) -> Result<bool, DbError> {
    Ok(db.maybe(sql(IS_FRESH)).await?.is_some())
}

/// The oldest that have no trigger yet, at most `limit`, each for this caller alone until its unit of work ends; and how
/// their tenants stand.
///
/// # Errors
/// [`DbError`].
pub async fn fresh(tx: &mut Tx, limit: i64) -> Result<(Vec<Fresh>, HashMap<TenantId, Standing>), DbError> {
    let (mut all, mut standings) = (Vec::new(), HashMap::new());
    if tx.is_postgres() {
        for mut row in sql(FRESH_ON_POSTGRES).bind(limit).all(tx).await? {
            let mut fresh = arrived(&mut row)?;
            fresh.numbers = Some((row.take()?, row.take()?));
            if let Some(standing) = row.maybe(standing::WIDTH, standing::standing)? {
                standings.insert(fresh.tenant, standing);
            }
            all.push(fresh);
        }
        return Ok((all, standings));
    }
    for mut row in sql(FRESH_ON_SQLITE).bind(limit).all(tx).await? {
        all.push(arrived(&mut row)?);
    }
    let tenants: HashSet<TenantId> = all.iter().map(|fresh| fresh.tenant).collect();
    let tenants: Vec<TenantId> = tenants.into_iter().collect();
    let found = standing::of_tenants(tx, &tenants).await?;
    standings.extend(found.into_iter().map(|standing| (standing.tenant.id, standing)));
    Ok((all, standings))
}

fn arrived(row: &mut Row) -> Result<Fresh, DbError> {
    let (id, organization, tenant) = (row.take()?, row.take()?, row.take()?);
    let number = |bytes: i64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let size = Size { text: number(row.take()?), body: number(row.take()?) };
    Ok(Fresh { id, organization, tenant, size, content: content(row)?, numbers: None })
}

/// Reads headers, encoding, body and connector; headers and body are NULL for a large one.
pub(crate) fn content(row: &mut Row) -> Result<Option<Content>, DbError> {
    let headers = row.take_json_or_null()?;
    let (encoding, body): (String, Option<String>) = (row.take()?, row.take()?);
    let connector: String = row.take()?;
    let (Some(headers), Some(body)) = (headers, body) else { return Ok(None) };
    let source = if connector.is_empty() { CUSTOM.to_owned() } else { connector };
    Ok(Some(Content { source, headers, body: decode(&encoding, body)? }))
}

/// A delivery with the trigger that it becomes, and the run that takes it at once.
#[derive(Debug)]
pub struct Made<'a> {
    pub delivery: &'a Fresh,
    pub trigger: TriggerId,
    pub run: Option<RunId>,
}

/// Gives each a number for its trigger, in the order in which they arrived.
///
/// # Errors
/// [`DbError`].
pub async fn numbered<'a>(tx: &mut Tx, fresh: &'a [Fresh]) -> Result<Vec<Made<'a>>, DbError> {
    let given = fresh.iter().map(|delivery| {
        let (trigger, _) = delivery.numbers?;
        Some(Made { delivery, trigger, run: None })
    });
    if let Some(made) = given.collect() {
        return Ok(made);
    }
    let numbers = crate::db::next_ids(tx, "triggers", fresh.len()).await?;
    let made = fresh.iter().zip(numbers).map(|(delivery, number)| {
        let trigger = TriggerId::new(number).map_err(|error| DbError::Bug(error.to_string()))?;
        Ok(Made { delivery, trigger, run: None })
    });
    made.collect()
}

/// A number for a run that a delivery begins.
///
/// # Errors
/// [`DbError`].
pub async fn run_number(tx: &mut Tx, fresh: &Fresh) -> Result<RunId, DbError> {
    match fresh.numbers {
        Some((_, Some(run))) => Ok(run),
        _ => crate::runs::next_id(tx).await,
    }
}

/// Makes a trigger of each: source Webhook, mode webhook. One with a run is taken by it.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn make_triggers(tx: &mut Tx, made: &[Made<'_>], now: Time) -> Result<(), DbError> {
    for Made { delivery, trigger, run } in made {
        let taken = run.map(|_| now);
        let query = sql(MAKE_TRIGGER).bind(*trigger).bind(&delivery.organization).bind(delivery.tenant);
        query.bind(&delivery.id).bind(now).bind(taken).bind(*run).execute(tx).await?;
        sql(NAME_TRIGGER).bind(&delivery.id).bind(*trigger).bind(taken).execute(tx).await?;
    }
    Ok(())
}

/// The statements of [`make_triggers`], to be sent with others. A run that is not there takes nothing.
pub(crate) fn on_postgres(made: &[Made<'_>], now: Time) -> Result<[Query; 2], DbError> {
    let rows = made.iter().map(|Made { delivery, trigger, run }| {
        object!({
            "id": trigger, "organization": delivery.organization, "tenant": delivery.tenant,
            "delivery": delivery.id, "run": run,
        })
    });
    let rows = json(&rows.collect::<Vec<_>>())?;
    let make = sql(MAKE_TRIGGERS_ON_POSTGRES).bind(rows.clone()).bind(now);
    Ok([make, sql(NAME_TRIGGERS_ON_POSTGRES).bind(rows).bind(now)])
}
