//! The gateway's own signing keys, a set for each environment, as each is an issuer.

use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use enter::ids::IssuerKeyId;
use enter::signing::IssuerKey;
use kernel::jose::Algorithm;
use kernel::{Environment, Sealed, Time};

/// A signing key as it is stored, with its private half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptKey {
    pub key: IssuerKey,
    /// Counts the keys of this environment and algorithm, from 1 on.
    pub generation: i64,
    /// PKCS#8, sealed by a master key.
    pub private_key: Sealed,
}

macro_rules! columns {
    () => {
        "id, environment, algorithm, generation, public_jwk, private_key, published_at, active_at, retired_at,
        removed_at"
    };
}

statements! {
    // The unique index on the generation is the one thing that makes two nodes at once end up with one key.
    INSERT = concat!("INSERT INTO issuer_keys (", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (environment, algorithm, generation) DO NOTHING");
    KEPT = concat!("SELECT ", columns!(), " FROM issuer_keys
        WHERE environment = $1 AND removed_at IS NULL ORDER BY algorithm, generation");
    NEWEST = "SELECT COALESCE(MAX(generation), 0) FROM issuer_keys WHERE environment = $1 AND algorithm = $2";
    // What tells a cached set from the present one, at the price of one row: every change makes one of these grow.
    VERSION = "SELECT COUNT(*), CAST(COALESCE(SUM(generation), 0) AS BIGINT), COUNT(retired_at), COUNT(removed_at)
        FROM issuer_keys WHERE environment = $1";
    RETIRE = "UPDATE issuer_keys SET retired_at = $3 WHERE environment = $1 AND id = $2 AND retired_at IS NULL";
    REMOVE = "UPDATE issuer_keys SET removed_at = $3, private_key = ''
        WHERE environment = $1 AND id = $2 AND removed_at IS NULL";
    RESEAL = "UPDATE issuer_keys SET private_key = $3 WHERE environment = $1 AND id = $2 AND removed_at IS NULL";
}

fn kept_key(mut row: Row) -> Result<KeptKey, DbError> {
    let id = row.take::<String>()?;
    let id = IssuerKeyId::parse(&id).map_err(|_| DbError::Corrupt("a signing key's id".to_owned()))?;
    let _environment: Environment = row.take()?;
    let (algorithm, generation, public_jwk) = (row.take()?, row.take()?, row.take()?);
    let (private_key, published, active) = (row.take()?, row.take()?, row.take()?);
    let (retired, removed) = (row.take()?, row.take()?);
    let key = IssuerKey { id, algorithm, public_jwk, published, active, retired, removed };
    Ok(KeptKey { key, generation, private_key })
}

/// `false` where another node made the key of this generation first.
///
/// # Errors
/// [`DbError`].
pub async fn insert_if_new(tx: &mut Tx, environment: Environment, new: &KeptKey) -> Result<bool, DbError> {
    let KeptKey { key, generation, private_key } = new;
    let query = sql(INSERT).bind(key.id.as_str()).bind(environment).bind(key.algorithm).bind(*generation);
    let query = query.bind(&key.public_jwk).bind(private_key).bind(key.published).bind(key.active);
    query.bind(key.retired).bind(key.removed).wrote(tx).await
}

/// Those that are published or will be used: all that were not removed.
///
/// # Errors
/// [`DbError`].
pub async fn kept(tx: &mut Tx, environment: Environment) -> Result<Vec<KeptKey>, DbError> {
    sql(KEPT).bind(environment).all(tx).await?.into_iter().map(kept_key).collect()
}

/// The highest generation; 0 where there is no key yet.
///
/// # Errors
/// [`DbError`].
pub async fn newest(tx: &mut Tx, environment: Environment, algorithm: Algorithm) -> Result<i64, DbError> {
    sql(NEWEST).bind(environment).bind(algorithm).one(tx).await?.take()
}

/// Differs from every earlier one after any change of the environment's keys.
///
/// # Errors
/// [`DbError`].
pub async fn version(tx: &mut Tx, environment: Environment) -> Result<[i64; 4], DbError> {
    let mut row = sql(VERSION).bind(environment).one(tx).await?;
    Ok([row.take()?, row.take()?, row.take()?, row.take()?])
}

/// Ends a key's signing; `false` where it had ended.
///
/// # Errors
/// [`DbError`].
pub async fn retire(
    tx: &mut Tx,
    environment: Environment,
    id: &IssuerKeyId,
    at: Time,
) -> Result<bool, DbError> {
    sql(RETIRE).bind(environment).bind(id.as_str()).bind(at).wrote(tx).await
}

/// Ends a key's publication and forgets its private part; `false` where that had happened.
///
/// # Errors
/// [`DbError`].
pub async fn remove(
    tx: &mut Tx,
    environment: Environment,
    id: &IssuerKeyId,
    at: Time,
) -> Result<bool, DbError> {
    sql(REMOVE).bind(environment).bind(id.as_str()).bind(at).wrote(tx).await
}

/// Replaces the sealing, after a master key was rotated.
///
/// # Errors
/// [`DbError`].
pub async fn reseal(
    tx: &mut Tx,
    environment: Environment,
    id: &IssuerKeyId,
    private_key: &Sealed,
) -> Result<bool, DbError> {
    sql(RESEAL).bind(environment).bind(id.as_str()).bind(private_key).wrote(tx).await
}
