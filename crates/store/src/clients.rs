//! The apps' OpenID Connect clients and the hashes of their secrets.

use crate::db::{DbError, Query, Row, Tx, json, sql};
use crate::listing::{Kept, next_revision};
use crate::statements::statements;
use enter::ids::{AppId, ClientId};
use enter::oidc::{Authentication, Client, ClientKeys, ClientKind};
use kernel::ids::OrganizationId;
use kernel::jose::Algorithm;
use kernel::{Environment, Hashed, SafeUrl, Time};

/// A client with what only its administration needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRecord {
    /// With the hashes of all its secrets that have not ended.
    pub client: Client,
    pub name: String,
    pub created: Time,
}

macro_rules! columns {
    () => {
        "c.id, c.app_id, c.kind, c.method, c.assertion_algorithm, c.jwks, c.jwks_url, c.redirect_uris,
        c.post_logout_redirect_uris, c.scopes, c.id_token_algorithm, c.forgiveness, c.backchannel_logout_uri,
        c.disabled_at, c.name, c.created_at, c.modified_at, c.version, s.hash, s.ends_at"
    };
}

// One row per secret that is in force at $2, or one without a hash.
macro_rules! with_secrets {
    () => {
        "FROM clients AS c JOIN apps AS a ON a.id = c.app_id
        LEFT JOIN client_secrets AS s ON s.client_id = c.id AND (s.ends_at IS NULL OR s.ends_at > $2)"
    };
}

statements! {
    INSERT = "INSERT INTO clients (id, app_id, kind, method, assertion_algorithm, jwks, jwks_url, redirect_uris,
        post_logout_redirect_uris, scopes, id_token_algorithm, forgiveness, backchannel_logout_uri, name, disabled_at,
        created_at, modified_at, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $16)
        ON CONFLICT (id) DO NOTHING";
    FIND = concat!("SELECT ", columns!(), " ", with_secrets!(), "
        WHERE c.id = $1 AND a.environment = $3 ORDER BY s.created_at, s.hash");
    OWNED = concat!("SELECT ", columns!(), " ", with_secrets!(), "
        WHERE c.id = $1 AND a.organization_id = $3 AND a.environment = $4 ORDER BY s.created_at, s.hash");
    OF_APP = concat!("SELECT ", columns!(), " ", with_secrets!(), "
        WHERE c.app_id = $1 ORDER BY c.id, s.created_at, s.hash");
    UPDATE = "UPDATE clients SET kind = $3, method = $4, assertion_algorithm = $5, jwks = $6, jwks_url = $7,
        redirect_uris = $8, post_logout_redirect_uris = $9, scopes = $10, id_token_algorithm = $11, forgiveness = $12,
        backchannel_logout_uri = $13, name = $14, disabled_at = $15, modified_at = $16, version = version + 1
        WHERE id = $1 AND app_id = $2 AND modified_at = $17";
    DELETE = "DELETE FROM clients WHERE id = $1 AND app_id = $2";
    ADD_SECRET = "INSERT INTO client_secrets (hash, client_id, created_at) VALUES ($1, $2, $3)";
    CHANGED = "UPDATE clients SET version = version + 1 WHERE id = $1";
    // An end only ever comes nearer.
    END_SECRETS = "UPDATE client_secrets SET ends_at = $2 WHERE client_id = $1 AND hash <> $3
        AND (ends_at IS NULL OR ends_at > $2)";
    DELETE_ENDED = "DELETE FROM client_secrets WHERE client_id = $1 AND ends_at <= $2";
}

fn method(authentication: &Authentication) -> &'static str {
    match authentication {
        Authentication::None => "none",
        Authentication::Secret(_) => "client_secret",
        Authentication::PrivateKeyJwt { .. } => "private_key_jwt",
    }
}

fn authentication(row: &mut Row) -> Result<Authentication, DbError> {
    let method = row.take::<String>()?;
    let algorithm = row.take::<Option<String>>()?;
    let keys: Option<Vec<String>> = row.take_json_or_null()?;
    let url: Option<SafeUrl> = row.take()?;
    let corrupt = || DbError::Corrupt("a client's way to prove itself is not whole".to_owned());
    match method.as_str() {
        "none" => Ok(Authentication::None),
        "client_secret" => Ok(Authentication::Secret(Vec::new())),
        "private_key_jwt" => {
            let algorithm = algorithm.as_deref().and_then(Algorithm::parse).ok_or_else(corrupt)?;
            let registered = keys.map(ClientKeys::Registered);
            let keys = registered.or(url.map(ClientKeys::Published)).ok_or_else(corrupt)?;
            Ok(Authentication::PrivateKeyJwt { algorithm, keys })
        }
        _ => Err(corrupt()),
    }
}

/// A client as it was at one moment, for whoever keeps it in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub client: Client,
    /// Another one after every change of the client and of its secrets.
    pub version: i64,
    /// When the next of its secrets ends by itself.
    pub until: Option<Time>,
}

/// The client of a row, and one of its secrets.
struct Found {
    kept: Kept<ClientRecord>,
    version: i64,
    hash: Option<Hashed>,
    ends: Option<Time>,
}

fn found(mut row: Row) -> Result<Found, DbError> {
    let (id, app, kind) = (row.take()?, row.take()?, row.take_word(ClientKind::parse)?);
    let authentication = authentication(&mut row)?;
    let (redirect_uris, post_logout_redirect_uris) = (row.take_json()?, row.take_json()?);
    let (scopes, id_token_algorithm) = (row.take_json()?, row.take_word(Algorithm::parse)?);
    let (forgiveness, backchannel_logout_uri, disabled) = (row.take()?, row.take()?, row.take()?);
    let client = Client {
        id,
        app,
        kind,
        authentication,
        redirect_uris,
        post_logout_redirect_uris,
        scopes,
        id_token_algorithm,
        forgiveness,
        backchannel_logout_uri,
        disabled,
    };
    let noun = ClientRecord { client, name: row.take()?, created: row.take()? };
    let kept = Kept { noun, revision: row.take()? };
    Ok(Found { kept, version: row.take()?, hash: row.take()?, ends: row.take()? })
}

/// Rows of one client follow one another; they become one record.
fn records(rows: Vec<Row>) -> Result<Vec<Kept<ClientRecord>>, DbError> {
    let mut records: Vec<Kept<ClientRecord>> = Vec::new();
    for row in rows {
        let Found { kept: new, hash, .. } = found(row)?;
        if records.last().is_none_or(|last| last.noun.client.id != new.noun.client.id) {
            records.push(new);
        }
        let known = records.last_mut().map(|last| &mut last.noun.client.authentication);
        if let (Some(Authentication::Secret(hashes)), Some(hash)) = (known, hash) {
            hashes.push(hash);
        }
    }
    Ok(records)
}

/// Binds what [`INSERT`] and [`UPDATE`] have in common, in their order.
fn bind(query: Query, record: &ClientRecord) -> Result<Query, DbError> {
    let client = &record.client;
    let (algorithm, jwks, url) = match &client.authentication {
        Authentication::None | Authentication::Secret(_) => (None, None, None),
        Authentication::PrivateKeyJwt { algorithm, keys: ClientKeys::Registered(keys) } => {
            (Some(algorithm.as_str()), Some(json(keys)?), None)
        }
        Authentication::PrivateKeyJwt { algorithm, keys: ClientKeys::Published(url) } => {
            (Some(algorithm.as_str()), None, Some(url))
        }
    };
    let query = query.bind(&client.id).bind(&client.app).bind(client.kind.as_str());
    let query = query.bind(method(&client.authentication)).bind(algorithm).bind(jwks).bind(url);
    let query = query.bind(json(&client.redirect_uris)?).bind(json(&client.post_logout_redirect_uris)?);
    let query = query.bind(json(&client.scopes)?).bind(client.id_token_algorithm.as_str());
    Ok(query
        .bind(client.forgiveness)
        .bind(client.backchannel_logout_uri.as_ref())
        .bind(&record.name)
        .bind(client.disabled))
}

/// Without its secrets, which [`add_secret`] keeps. `false` where the id is taken, by whomever.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, record: &ClientRecord) -> Result<bool, DbError> {
    bind(sql(INSERT), record)?.bind(record.created).wrote(tx).await
}

/// With the hashes of the secrets in force at `now`; also a disabled one: the rules decide. The environment is that
/// of the client's app.
///
/// # Errors
/// [`DbError`].
pub async fn find(
    tx: &mut Tx,
    environment: Environment,
    id: &ClientId,
    now: Time,
) -> Result<Option<Client>, DbError> {
    let rows = sql(FIND).bind(id).bind(now).bind(environment).all(tx).await?;
    Ok(records(rows)?.into_iter().next().map(|kept| kept.noun.client))
}

/// As [`find`], for whoever keeps it in memory.
///
/// # Errors
/// [`DbError`].
pub async fn known(
    tx: &mut Tx,
    environment: Environment,
    id: &ClientId,
    now: Time,
) -> Result<Option<Known>, DbError> {
    let rows = sql(FIND).bind(id).bind(now).bind(environment).all(tx).await?;
    let found = rows.into_iter().map(found).collect::<Result<Vec<_>, _>>()?;
    let until = found.iter().filter_map(|row| row.ends).min();
    let hashes: Vec<Hashed> = found.iter().filter_map(|row| row.hash.clone()).collect();
    let first = found.into_iter().next();
    Ok(first.map(|Found { kept, version, .. }| {
        let mut client = kept.noun.client;
        if let Authentication::Secret(all) = &mut client.authentication {
            *all = hashes;
        }
        Known { client, version, until }
    }))
}

/// A client of an app of the organization's own, with the hashes of the secrets in force at `now`.
///
/// # Errors
/// [`DbError`].
pub async fn owned(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &ClientId,
    now: Time,
) -> Result<Option<Kept<ClientRecord>>, DbError> {
    let rows = sql(OWNED).bind(id).bind(now).bind(organization).bind(environment).all(tx).await?;
    Ok(records(rows)?.into_iter().next())
}

/// By id, also disabled ones, with the hashes of the secrets in force at `now`.
///
/// # Errors
/// [`DbError`].
pub async fn of_app(tx: &mut Tx, app: &AppId, now: Time) -> Result<Vec<Kept<ClientRecord>>, DbError> {
    records(sql(OF_APP).bind(app).bind(now).all(tx).await?)
}

/// Everything but whose it is and its secrets. The new revision; `None` where it is not there or `seen` is not its
/// latest revision.
///
/// # Errors
/// [`DbError`].
pub async fn update(
    tx: &mut Tx,
    record: &ClientRecord,
    seen: Time,
    now: Time,
) -> Result<Option<Time>, DbError> {
    let next = next_revision(seen, now);
    Ok(bind(sql(UPDATE), record)?.bind(next).bind(seen).wrote(tx).await?.then_some(next))
}

/// With its secrets and grants. `false` where there is none.
///
/// # Errors
/// [`DbError`].
pub async fn delete(tx: &mut Tx, app: &AppId, id: &ClientId) -> Result<bool, DbError> {
    sql(DELETE).bind(id).bind(app).wrote(tx).await
}

/// A further secret, in force from now on.
///
/// # Errors
/// [`DbError`].
pub async fn add_secret(tx: &mut Tx, id: &ClientId, hash: &Hashed, now: Time) -> Result<(), DbError> {
    sql(CHANGED).bind(id).execute(tx).await?;
    sql(ADD_SECRET).bind(hash).bind(id).bind(now).execute(tx).await.map(drop)
}

/// Ends all secrets that are in force but `keep`, at `at`; how many. What has ended at `now` is forgotten.
///
/// # Errors
/// [`DbError`].
pub async fn end_secrets(
    tx: &mut Tx,
    id: &ClientId,
    keep: Option<&Hashed>,
    at: Time,
    now: Time,
) -> Result<u64, DbError> {
    let keep = keep.map_or("", Hashed::as_str);
    sql(CHANGED).bind(id).execute(tx).await?;
    let ended = sql(END_SECRETS).bind(id).bind(at).bind(keep).execute(tx).await?;
    sql(DELETE_ENDED).bind(id).bind(now).execute(tx).await?;
    Ok(ended)
}
