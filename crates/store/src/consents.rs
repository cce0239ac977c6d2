//! What people have allowed apps of other companies, until they take it back.

use crate::db::{DbError, Row, Tx, json, sql};
use crate::statements::statements;
use enter::ids::{ClientId, PersonId};
use enter::oidc::consent::Consent;

statements! {
    UPSERT = "INSERT INTO consents (person_id, client_id, scopes, given_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (person_id, client_id) DO UPDATE SET scopes = excluded.scopes, given_at = excluded.given_at";
    FIND = "SELECT person_id, client_id, scopes, given_at FROM consents WHERE person_id = $1 AND client_id = $2";
    OF_PERSON = "SELECT person_id, client_id, scopes, given_at FROM consents WHERE person_id = $1 ORDER BY given_at DESC, client_id";
    REMOVE = "DELETE FROM consents WHERE person_id = $1 AND client_id = $2";
}

fn consent(mut row: Row) -> Result<Consent, DbError> {
    Ok(Consent { person: row.take()?, client: row.take()?, scopes: row.take_json()?, given: row.take()? })
}

/// Takes the place of what was allowed before.
///
/// # Errors
/// [`DbError`].
pub async fn upsert(tx: &mut Tx, new: &Consent) -> Result<(), DbError> {
    let query = sql(UPSERT).bind(&new.person).bind(&new.client).bind(json(&new.scopes)?).bind(new.given);
    query.execute(tx).await.map(drop)
}

/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, person: &PersonId, client: &ClientId) -> Result<Option<Consent>, DbError> {
    sql(FIND).bind(person).bind(client).maybe(tx).await?.map(consent).transpose()
}

/// The newest first.
///
/// # Errors
/// [`DbError`].
pub async fn of_person(tx: &mut Tx, person: &PersonId) -> Result<Vec<Consent>, DbError> {
    sql(OF_PERSON).bind(person).all(tx).await?.into_iter().map(consent).collect()
}

/// `false` where there was none.
///
/// # Errors
/// [`DbError`].
pub async fn remove(tx: &mut Tx, person: &PersonId, client: &ClientId) -> Result<bool, DbError> {
    sql(REMOVE).bind(person).bind(client).wrote(tx).await
}
