//! Service accounts of partners, and their public keys.

use crate::db::{Db, DbError, Row, Tx, json, sql};
use crate::listing::{Kept, next_revision};
use crate::revision::present;
use crate::standings::Revision;
use crate::statements::statements;
use enter::ids::{PartnerId, ServiceKeyId};
use enter::service_account::{ServiceAccount, ServiceKey, Switches};
use kernel::ids::OrganizationId;
use kernel::jose::Algorithm;
use kernel::{Environment, Time};

/// A service account with what only its administration needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountRecord {
    pub account: ServiceAccount,
    pub name: String,
    pub created: Time,
}

macro_rules! columns {
    () => {
        "s.email, s.partner_id, s.scopes, s.disabled_at, s.name, s.created_at, s.modified_at"
    };
}

macro_rules! key_columns {
    () => {
        "k.id, k.service_account, k.algorithm, k.public_jwk, k.generated_here, k.without_jti, k.audience_in_header,
        k.legacy_audience, k.expires_at, k.disabled_at"
    };
}

statements! {
    INSERT = "INSERT INTO service_accounts (email, partner_id, scopes, disabled_at, name, created_at,
        modified_at) VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (email) DO NOTHING";
    FIND = concat!("SELECT ", columns!(), " FROM service_accounts AS s JOIN partners AS p ON p.id = s.partner_id
        WHERE s.email = $1 AND p.environment = $2");
    // All that an assertion or a token of a service account rests on, in one question.
    PRINCIPAL = concat!("SELECT ", present!(), ", EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $4), p.id, p.modified_at,
        CASE WHEN o.disabled THEN COALESCE(p.disabled_at, p.modified_at) ELSE p.disabled_at END,
        s.email, s.partner_id, s.scopes, s.disabled_at, ", key_columns!(), " FROM service_accounts AS s
        JOIN partners AS p ON p.id = s.partner_id JOIN organizations AS o ON o.id = p.organization_id
        LEFT JOIN service_keys AS k ON k.id = $3 AND k.service_account = s.email
        WHERE s.email = $1 AND p.environment = $2");
    OF_PARTNER = concat!("SELECT ", columns!(), " FROM service_accounts AS s WHERE s.partner_id = $1 ORDER BY s.email");
    OWNED = concat!("SELECT ", columns!(), " FROM service_accounts AS s JOIN partners AS p ON p.id = s.partner_id
        WHERE s.email = $1 AND p.organization_id = $2 AND p.environment = $3");
    UPDATE = "UPDATE service_accounts SET name = $3, scopes = $4, disabled_at = $5, modified_at = $6
        WHERE email = $1 AND partner_id = $2 AND modified_at = $7";
    DELETE = "DELETE FROM service_accounts WHERE email = $1 AND partner_id = $2";
    INSERT_KEY = "INSERT INTO service_keys (id, service_account, algorithm, public_jwk, generated_here, without_jti,
        audience_in_header, legacy_audience, expires_at, disabled_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING";
    KEY = concat!("SELECT ", key_columns!(), " FROM service_keys AS k
        JOIN service_accounts AS s ON s.email = k.service_account JOIN partners AS p ON p.id = s.partner_id
        WHERE k.id = $1 AND p.environment = $2");
    OWNED_KEY = concat!("SELECT ", key_columns!(), " FROM service_keys AS k
        JOIN service_accounts AS s ON s.email = k.service_account JOIN partners AS p ON p.id = s.partner_id
        WHERE k.id = $1 AND p.organization_id = $2 AND p.environment = $3");
    KEYS_OF = concat!("SELECT ", key_columns!(), " FROM service_keys AS k WHERE k.service_account = $1
        ORDER BY k.created_at, k.id");
    LENIENT = concat!("SELECT ", key_columns!(), " FROM service_keys AS k
        WHERE k.without_jti OR k.audience_in_header OR k.legacy_audience ORDER BY k.id");
    SET_SWITCHES = "UPDATE service_keys SET without_jti = $3, audience_in_header = $4, legacy_audience = $5
        WHERE id = $1 AND service_account = $2 AND generated_here";
    SET_KEY_DISABLED = "UPDATE service_keys SET disabled_at = $3 WHERE id = $1 AND service_account = $2";
    SET_KEY_EXPIRES = "UPDATE service_keys SET expires_at = $3 WHERE id = $1 AND service_account = $2";
}

fn record(mut row: Row) -> Result<Kept<ServiceAccountRecord>, DbError> {
    let (email, partner, scopes, disabled) = (row.take()?, row.take()?, row.take_json()?, row.take()?);
    let account = ServiceAccount { email, partner, scopes, disabled };
    let noun = ServiceAccountRecord { account, name: row.take()?, created: row.take()? };
    Ok(Kept { noun, revision: row.take()? })
}

fn key_of(mut row: Row) -> Result<ServiceKey, DbError> {
    read_key(row.take()?, row)
}

/// The columns of a key after its id.
fn read_key(id: ServiceKeyId, mut row: Row) -> Result<ServiceKey, DbError> {
    let (account, algorithm) = (row.take()?, row.take_word(Algorithm::parse)?);
    let key = ServiceKey::new(id, account, algorithm, row.take()?, row.take()?);
    let (without_jti, audience_in_header, legacy_audience) = (row.take()?, row.take()?, row.take()?);
    let key = key.with_switches(Switches { without_jti, audience_in_header, legacy_audience });
    let mut key = key.map_err(|_| DbError::Corrupt("a key that was brought has switches on".to_owned()))?;
    (key.expires, key.disabled) = (row.take()?, row.take()?);
    Ok(key)
}

/// `false` where the address is taken, by whomever.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, record: &ServiceAccountRecord) -> Result<bool, DbError> {
    let account = &record.account;
    let query = sql(INSERT).bind(&account.email).bind(&account.partner).bind(json(&account.scopes)?);
    query.bind(account.disabled).bind(&record.name).bind(record.created).wrote(tx).await
}

/// By `client_email`, byte for byte; also a disabled one: the rules decide. The environment is its partner's.
///
/// # Errors
/// [`DbError`].
pub async fn find(
    tx: &mut Tx,
    environment: Environment,
    email: &str,
) -> Result<Option<ServiceAccount>, DbError> {
    let row = sql(FIND).bind(email).bind(environment).maybe(tx).await?;
    Ok(row.map(record).transpose()?.map(|kept| kept.noun.account))
}

/// A service account with its partner, and one of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The revision at which this was read; see [`crate::revision`].
    pub revision: i64,
    /// The access token that was asked about is revoked by itself.
    pub revoked: bool,
    pub account: ServiceAccount,
    pub partner: Revision<PartnerId>,
    /// `None` where the key is not there, or another account's (lesson 16).
    pub key: Option<ServiceKey>,
}

/// By `client_email` and `kid`, byte for byte; also what is switched off or over: the rules decide. `jti` is an access
/// token's, empty where there is none.
///
/// # Errors
/// [`DbError`].
pub async fn principal(
    db: &Db,
    environment: Environment,
    email: &str,
    key: &ServiceKeyId,
    jti: &str,
) -> Result<Option<Principal>, DbError> {
    let query = sql(PRINCIPAL).bind(email).bind(environment).bind(key).bind(jti);
    let Some(mut row) = db.maybe(query).await? else { return Ok(None) };
    let (revision, revoked) = (row.take()?, row.take()?);
    let partner = Revision { id: row.take()?, version: row.take()?, disabled: row.take()? };
    let (email, of, scopes) = (row.take()?, row.take()?, row.take_json()?);
    let account = ServiceAccount { email, partner: of, scopes, disabled: row.take()? };
    let id = row.take::<Option<ServiceKeyId>>()?;
    let key = id.map(|id| read_key(id, row)).transpose()?;
    Ok(Some(Principal { revision, revoked, account, partner, key }))
}

/// By address, also disabled ones.
///
/// # Errors
/// [`DbError`].
pub async fn of_partner(
    tx: &mut Tx,
    partner: &PartnerId,
) -> Result<Vec<Kept<ServiceAccountRecord>>, DbError> {
    sql(OF_PARTNER).bind(partner).all(tx).await?.into_iter().map(record).collect()
}

/// One of a partner of the organization's own.
///
/// # Errors
/// [`DbError`].
pub async fn owned(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    email: &str,
) -> Result<Option<Kept<ServiceAccountRecord>>, DbError> {
    sql(OWNED).bind(email).bind(organization).bind(environment).maybe(tx).await?.map(record).transpose()
}

/// Name, scopes, and whether it is switched on. The new revision; `None` where it is not there or `seen` is not its
/// latest revision.
///
/// # Errors
/// [`DbError`].
pub async fn update(
    tx: &mut Tx,
    record: &ServiceAccountRecord,
    seen: Time,
    now: Time,
) -> Result<Option<Time>, DbError> {
    let (account, next) = (&record.account, next_revision(seen, now));
    let query = sql(UPDATE).bind(&account.email).bind(&account.partner).bind(&record.name);
    let query = query.bind(json(&account.scopes)?).bind(account.disabled).bind(next).bind(seen);
    Ok(query.wrote(tx).await?.then_some(next))
}

/// With its keys. `false` where there is none.
///
/// # Errors
/// [`DbError`].
pub async fn delete(tx: &mut Tx, partner: &PartnerId, email: &str) -> Result<bool, DbError> {
    sql(DELETE).bind(email).bind(partner).wrote(tx).await
}

/// `false` where the key's id is taken, by whomever.
///
/// # Errors
/// [`DbError`].
pub async fn insert_key(tx: &mut Tx, key: &ServiceKey, now: Time) -> Result<bool, DbError> {
    let switches = key.switches();
    let query = sql(INSERT_KEY).bind(&key.id).bind(&key.account).bind(key.algorithm.as_str());
    let query = query.bind(&key.public_jwk).bind(key.generated_here).bind(switches.without_jti);
    let query = query.bind(switches.audience_in_header).bind(switches.legacy_audience);
    query.bind(key.expires).bind(key.disabled).bind(now).wrote(tx).await
}

/// By `kid`, of whichever service account: the caller compares [`ServiceKey::account`] with the assertion's issuer
/// (lesson 16). Also one that is over: the rules decide.
///
/// # Errors
/// [`DbError`].
pub async fn key(
    tx: &mut Tx,
    environment: Environment,
    id: &ServiceKeyId,
) -> Result<Option<ServiceKey>, DbError> {
    sql(KEY).bind(id).bind(environment).maybe(tx).await?.map(key_of).transpose()
}

/// A key of a service account of the organization's own.
///
/// # Errors
/// [`DbError`].
pub async fn owned_key(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &ServiceKeyId,
) -> Result<Option<ServiceKey>, DbError> {
    sql(OWNED_KEY).bind(id).bind(organization).bind(environment).maybe(tx).await?.map(key_of).transpose()
}

/// Oldest first, also those that are over.
///
/// # Errors
/// [`DbError`].
pub async fn keys_of(tx: &mut Tx, email: &str) -> Result<Vec<ServiceKey>, DbError> {
    sql(KEYS_OF).bind(email).all(tx).await?.into_iter().map(key_of).collect()
}

/// Every key of the gateway that has a switch on, for `doctor`.
///
/// # Errors
/// [`DbError`].
pub async fn lenient_keys(tx: &mut Tx) -> Result<Vec<ServiceKey>, DbError> {
    sql(LENIENT).all(tx).await?.into_iter().map(key_of).collect()
}

/// `false` for a key that is not there or was not generated here; the guard in the SQL repeats the rule.
///
/// # Errors
/// [`DbError`].
pub async fn set_switches(
    tx: &mut Tx,
    email: &str,
    id: &ServiceKeyId,
    switches: Switches,
) -> Result<bool, DbError> {
    let query = sql(SET_SWITCHES).bind(id).bind(email).bind(switches.without_jti);
    query.bind(switches.audience_in_header).bind(switches.legacy_audience).wrote(tx).await
}

/// Switches a key off (`Some`: since when) or on again.
///
/// # Errors
/// [`DbError`].
pub async fn set_key_disabled(
    tx: &mut Tx,
    email: &str,
    id: &ServiceKeyId,
    disabled: Option<Time>,
) -> Result<bool, DbError> {
    sql(SET_KEY_DISABLED).bind(id).bind(email).bind(disabled).wrote(tx).await
}

/// Sets when a key ends by itself; `None`: never.
///
/// # Errors
/// [`DbError`].
pub async fn set_key_expires(
    tx: &mut Tx,
    email: &str,
    id: &ServiceKeyId,
    expires: Option<Time>,
) -> Result<bool, DbError> {
    sql(SET_KEY_EXPIRES).bind(id).bind(email).bind(expires).wrote(tx).await
}
