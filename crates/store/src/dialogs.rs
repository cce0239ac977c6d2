//! Dialogs: one row per landing, found by an id that its bearer gives.

use crate::db::{Db, DbError, Query, Row, Tx, json, sql};
use crate::statements::statements;
use crate::tenants::connected_tenant;
use connect::dialog::{Dialog, Stage, least_id};
use connect::token::REMEMBERED_S;
use kernel::ids::TenantId;
use kernel::{Hashed, Sealed, Slug, Time};

/// Stands for the tenant in a stage until the database knows it: a number that no sequence reaches.
const SOME_TENANT: i64 = (1 << 53) - 1;
/// Which of the bound values is the stage.
const STAGE: usize = 11;

macro_rules! columns {
    () => {
        "id, organization_id, environment, jti_hash, integration_id, connector, own_connector, visitor, own_token,
        inputs, stage, version, framed, parent, locale, announced_to, created_at, expires_at, replay_until"
    };
}

statements! {
    // The unique index on the token's name is the one thing that makes a token single-use. The organization's row is
    // the guard that the configuration by which the token was judged still counts. PostgreSQL opens the dialogs of all
    // who land meanwhile in one statement. SQLite opens one in two, of which the second writes one row and returns
    // none: of what is more it copies every page before it changes it, and makes a table for the answer.
    OPEN = concat!("WITH new (", columns!(), ", connected, some_tenant, known, username) AS (VALUES ($1, $2, $3, $4,
            CAST($5 AS BIGINT), $6, $7, $8, $9, $10, $11, CAST($12 AS BIGINT), CAST($13 AS BOOLEAN), $14, $15, $16,
            CAST($17 AS BIGINT), CAST($18 AS BIGINT), CAST($19 AS BIGINT), $20, $21, CAST($22 AS BIGINT), $23))
        INSERT INTO dialogs (", columns!(), ")
        SELECT id, organization_id, environment, jti_hash, integration_id, connector, own_connector, visitor, own_token,
            inputs, CASE WHEN tenant IS NULL THEN stage ELSE replace(connected, some_tenant, CAST(tenant AS TEXT)) END,
            version, framed, parent, locale, announced_to, created_at, expires_at, replay_until
        FROM (SELECT new.*, (", connected_tenant!("new.organization_id", "new.environment", "new.integration_id",
                "new.username", "new.connector"), ") AS tenant
            FROM new JOIN organizations AS o
                ON o.id = new.organization_id AND NOT o.disabled AND o.config_version = new.known) AS standing
        WHERE TRUE ON CONFLICT (jti_hash) DO NOTHING RETURNING id, stage");
    STANDING = concat!("SELECT (", connected_tenant!("$1", "$2", "$3", "$4", "$5"), ") FROM organizations
        WHERE id = $1 AND NOT disabled AND config_version = $6");
    OPEN_STANDING = concat!("INSERT INTO dialogs (", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        ON CONFLICT (jti_hash) DO NOTHING");
    BY_ID = concat!("SELECT ", columns!(), " FROM dialogs WHERE id = $1");
    // The organization's columns are renamed, because `columns!` names those of the dialog alone.
    WITH_CONFIG = concat!("SELECT ", columns!(), ", slug, config_version FROM dialogs
        JOIN (SELECT id AS owner, slug, config_version FROM organizations WHERE NOT disabled) AS o
            ON o.owner = organization_id
        WHERE id = $1");
    VERSION = "SELECT version FROM dialogs WHERE id = $1";
    SAVE_STAGE = "UPDATE dialogs SET stage = $3, version = version + 1 WHERE id = $1 AND version = $2";
    SAVE_INPUTS = "UPDATE dialogs SET inputs = $2 WHERE id = $1";
    FORGET_SECRETS = "UPDATE dialogs SET inputs = NULL, own_token = NULL WHERE id = $1";
    // The guard is the one thing that makes the announcement go to one page only.
    MARK_ANNOUNCED = "UPDATE dialogs SET announced_to = $2 WHERE id = $1
        AND (announced_to IS NULL OR announced_to = $2)";
    // Not before the token can no longer be accepted: until then the row is what refuses its replay.
    DELETE_EXPIRED = "DELETE FROM dialogs WHERE id IN (SELECT id FROM dialogs
        WHERE id < $1 AND replay_until < $2 AND expires_at < $2 ORDER BY id LIMIT $3)";
}

fn dialog(mut row: Row) -> Result<Dialog, DbError> {
    read(&mut row)
}

fn read(row: &mut Row) -> Result<Dialog, DbError> {
    let (id, organization, environment, jti) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (integration, connector, own_connector) = (row.take()?, row.take()?, row.take()?);
    let (visitor, own_token, inputs) = (row.take_json()?, row.take()?, row.take()?);
    let (stage, version, framed) = (row.take_json()?, row.take()?, row.take()?);
    let (parent, locale, announced_to) = (row.take()?, row.take()?, row.take()?);
    let (created, expires, replay_until) = (row.take()?, row.take()?, row.take()?);
    Ok(Dialog {
        id,
        organization,
        environment,
        jti,
        integration,
        connector,
        own_connector,
        visitor,
        own_token,
        inputs,
        stage,
        version,
        framed,
        parent,
        locale,
        announced_to,
        created,
        expires,
        replay_until,
    })
}

/// Records the token's `jti` and creates the dialog, in one durable statement; its stage. `None` where the token
/// was used before (on any node, also before a restart), where the organization's configuration is no longer at
/// `version`, and where it is disabled.
///
/// `new.stage` is that of a visitor who has nothing connected; `connected` gives the one of who has, in a tenant.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    db: &Db,
    new: &Dialog,
    version: i64,
    connected: impl Fn(TenantId) -> Stage,
) -> Result<Option<Stage>, DbError> {
    if db.engine() == "postgres" {
        let query = opening(sql(OPEN).for_many(), new, json(&new.stage)?)?;
        let query = query.bind(connected_somewhere(&connected)?).bind(SOME_TENANT.to_string());
        let query = query.bind(version).bind(&new.visitor.username);
        return db.write_one(query).await?.map(|mut row| row.take_json()).transpose();
    }
    let read = sql(STANDING).bind(&new.organization).bind(new.environment).bind(new.integration);
    let read = read.bind(&new.visitor.username).bind(&new.connector).bind(version);
    let alone = opening(sql(OPEN_STANDING), new, json(&new.stage)?)?;
    let somewhere = connected_somewhere(&connected)?;
    let decide = move |mut row: Row| {
        let tenant: Option<TenantId> = row.take()?;
        let query = match tenant {
            None => alone,
            Some(tenant) => {
                alone.rebind(STAGE, somewhere.replace(&SOME_TENANT.to_string(), &tenant.to_string()))
            }
        };
        Ok((query, tenant))
    };
    let opened = db.write_after(read, decide).await?;
    Ok(opened.map(|tenant| tenant.map_or_else(|| new.stage.clone(), connected)))
}

/// The stage of a visitor who is connected, in a tenant that only the database knows.
fn connected_somewhere(connected: &impl Fn(TenantId) -> Stage) -> Result<String, DbError> {
    let some_tenant = TenantId::new(SOME_TENANT).map_err(|error| DbError::Bug(error.to_string()))?;
    json(&connected(some_tenant))
}

fn opening(query: Query, new: &Dialog, stage: String) -> Result<Query, DbError> {
    let query = query.bind(&new.id).bind(&new.organization).bind(new.environment).bind(&new.jti);
    let query = query.bind(new.integration).bind(&new.connector).bind(new.own_connector.as_ref());
    let query = query.bind(json(&new.visitor)?).bind(new.own_token.as_ref()).bind(new.inputs.as_ref());
    let query = query.bind(stage).bind(new.version).bind(new.framed).bind(new.parent.as_ref());
    let query = query.bind(&new.locale).bind(new.announced_to.as_ref()).bind(new.created).bind(new.expires);
    Ok(query.bind(new.replay_until))
}

/// By its id.
///
/// # Errors
/// [`DbError`].
pub async fn by_id(tx: &mut Tx, id: &Hashed) -> Result<Option<Dialog>, DbError> {
    sql(BY_ID).bind(id).maybe(tx).await?.map(dialog).transpose()
}

/// The same with its organization's slug and the version of that one's configuration, in one statement, because
/// every page asks it. `None` also where the organization is disabled.
///
/// # Errors
/// [`DbError`].
pub async fn with_config(db: &Db, id: &Hashed) -> Result<Option<(Dialog, Slug, i64)>, DbError> {
    let row = db.maybe(sql(WITH_CONFIG).bind(id)).await?;
    row.map(|mut row| Ok((read(&mut row)?, row.take()?, row.take()?))).transpose()
}

/// Only the version, for a listener that asks whether anything moved.
///
/// # Errors
/// [`DbError`].
pub async fn version(tx: &mut Tx, id: &Hashed) -> Result<Option<i64>, DbError> {
    sql(VERSION).bind(id).maybe(tx).await?.map(|mut row| row.take()).transpose()
}

/// Moves the dialog on, if it still is as it was read (compare-and-swap). `false` where another request was faster.
///
/// # Errors
/// [`DbError`].
pub async fn save_stage(
    tx: &mut Tx,
    id: &Hashed,
    expected_version: i64,
    stage: &Stage,
) -> Result<bool, DbError> {
    sql(SAVE_STAGE).bind(id).bind(expected_version).bind(json(stage)?).wrote(tx).await
}

/// Keeps what was typed into the form, in the same unit of work as the stage that goes with it.
///
/// # Errors
/// [`DbError`].
pub async fn save_inputs(tx: &mut Tx, id: &Hashed, inputs: Option<&Sealed>) -> Result<bool, DbError> {
    sql(SAVE_INPUTS).bind(id).bind(inputs).wrote(tx).await
}

/// Drops the sealed inputs and the own token as soon as nothing needs them any more.
///
/// # Errors
/// [`DbError`].
pub async fn forget_secrets(tx: &mut Tx, id: &Hashed) -> Result<(), DbError> {
    sql(FORGET_SECRETS).bind(id).execute(tx).await.map(drop)
}

/// `true` for one page only, and for it as often as it asks: the messages for the parent window may be handed to it.
///
/// # Errors
/// [`DbError`].
pub async fn mark_announced(tx: &mut Tx, id: &Hashed, page: &Hashed) -> Result<bool, DbError> {
    sql(MARK_ANNOUNCED).bind(id).bind(page).wrote(tx).await
}

/// Deletes at most `limit` dialogs that are over and whose token can no longer be accepted, with their attempts. Ids
/// stand in the order of time, so those that can be due are the first ones: no index but theirs is needed.
///
/// # Errors
/// [`DbError`].
pub async fn delete_expired(tx: &mut Tx, now: Time, limit: i64) -> Result<u64, DbError> {
    let young = least_id(now.plus_seconds(-REMEMBERED_S));
    sql(DELETE_EXPIRED).bind(&young).bind(now).bind(limit).execute(tx).await
}
