//! Signing keys: with which an organization's tokens are checked. Every change moves `config_version`.

use crate::db::{DbError, Row, Tx, sql};
use crate::organizations::bump_config_version;
use crate::statements::statements;
use connect::signing_key::{Algorithm, Material, SigningKey};
use kernel::ids::{OrganizationId, SigningKeyId};
use kernel::{Environment, SafeUrl, Sealed, Time};

macro_rules! columns {
    () => {
        "id, organization_id, environment, algorithm, material_kind, material, name, created_at, retires_at, revoked_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO signing_keys (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    LIVE = concat!("SELECT ", columns!(), " FROM signing_keys WHERE organization_id = $1 AND environment = $2
        AND revoked_at IS NULL AND (retires_at IS NULL OR retires_at > $3) ORDER BY created_at, id");
    LIST = concat!("SELECT ", columns!(), " FROM signing_keys WHERE organization_id = $1 ORDER BY created_at, id");
    BY_ID = concat!("SELECT ", columns!(), " FROM signing_keys WHERE organization_id = $1 AND id = $2");
    RETIRE = "UPDATE signing_keys SET retires_at = $3 WHERE organization_id = $1 AND id = $2
        AND revoked_at IS NULL AND (retires_at IS NULL OR retires_at > $3)";
    REVOKE = "UPDATE signing_keys SET revoked_at = $3 WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL";
}

fn parts(material: &Material) -> (&'static str, &str) {
    match material {
        Material::Secret(sealed) => ("secret", sealed.as_str()),
        Material::PublicJwk(jwk) => ("jwk", jwk),
        Material::JwksUrl(url) => ("jwks_url", url.as_str()),
    }
}

fn key(mut row: Row) -> Result<SigningKey, DbError> {
    let (id, organization, environment) = (row.take()?, row.take()?, row.take()?);
    let algorithm = row.take_word(Algorithm::parse)?;
    let kind = row.take::<String>()?;
    let material = row.take_word(|text| match kind.as_str() {
        "secret" => Some(Material::Secret(Sealed::from_stored(text))),
        "jwk" => Some(Material::PublicJwk(text.to_owned())),
        "jwks_url" => SafeUrl::parse(text).ok().map(Material::JwksUrl),
        _ => None,
    })?;
    let (name, created, retires, revoked) = (row.take()?, row.take()?, row.take()?, row.take()?);
    Ok(SigningKey { id, organization, environment, algorithm, material, name, created, retires, revoked })
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, key: &SigningKey) -> Result<(), DbError> {
    let (kind, material) = parts(&key.material);
    let query =
        sql(INSERT).bind(&key.id).bind(&key.organization).bind(key.environment).bind(key.algorithm.as_str());
    let query =
        query.bind(kind).bind(material).bind(&key.name).bind(key.created).bind(key.retires).bind(key.revoked);
    query.execute(tx).await?;
    bump_config_version(tx, &key.organization).await
}

/// Those that tokens may be signed with at `now`, oldest first.
///
/// # Errors
/// [`DbError`].
pub async fn live(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    now: Time,
) -> Result<Vec<SigningKey>, DbError> {
    sql(LIVE).bind(organization).bind(environment).bind(now).all(tx).await?.into_iter().map(key).collect()
}

/// All of both environments, also retired and revoked ones.
///
/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx, organization: &OrganizationId) -> Result<Vec<SigningKey>, DbError> {
    sql(LIST).bind(organization).all(tx).await?.into_iter().map(key).collect()
}

/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &SigningKeyId,
) -> Result<Option<SigningKey>, DbError> {
    sql(BY_ID).bind(organization).bind(id).maybe(tx).await?.map(key).transpose()
}

/// Sets the end of a key's overlap. It can only come nearer: `false` where it ends earlier already or is revoked.
///
/// # Errors
/// [`DbError`].
pub async fn retire(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &SigningKeyId,
    at: Time,
) -> Result<bool, DbError> {
    let wrote = sql(RETIRE).bind(organization).bind(id).bind(at).wrote(tx).await?;
    bump_config_version(tx, organization).await?;
    Ok(wrote)
}

/// Ends a key at once and for ever; `false` where it was revoked before.
///
/// # Errors
/// [`DbError`].
pub async fn revoke(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &SigningKeyId,
    at: Time,
) -> Result<bool, DbError> {
    let wrote = sql(REVOKE).bind(organization).bind(id).bind(at).wrote(tx).await?;
    bump_config_version(tx, organization).await?;
    Ok(wrote)
}
