//! Which user may act for which account, and as what.

use crate::db::{DbError, Row, Tx, json, sql};
use crate::statements::statements;
use enter::account::Association;
use enter::ids::{AccountId, PersonId};
use kernel::Time;

macro_rules! columns {
    () => {
        "person_id, account_id, roles"
    };
}

statements! {
    // Both of the same partner, or the row is not written: the guard of contract `enter.md`, section 1.
    INSERT = concat!("INSERT INTO associations (", columns!(), ", created_at)
        SELECT p.id, a.id, $3, $4 FROM people AS p JOIN accounts AS a ON a.partner_id = p.partner_id
        WHERE p.id = $1 AND a.id = $2 ON CONFLICT (person_id, account_id) DO NOTHING");
    FIND = concat!("SELECT ", columns!(), " FROM associations WHERE person_id = $1 AND account_id = $2");
    OF_PERSON = concat!("SELECT ", columns!(), " FROM associations WHERE person_id = $1 ORDER BY account_id");
    OF_ACCOUNT = concat!("SELECT ", columns!(), " FROM associations WHERE account_id = $1 AND person_id > $2
        ORDER BY person_id LIMIT $3");
    SET_ROLES = "UPDATE associations SET roles = $3 WHERE person_id = $1 AND account_id = $2";
    DELETE = "DELETE FROM associations WHERE person_id = $1 AND account_id = $2";
}

fn association(mut row: Row) -> Result<Association, DbError> {
    let (person, account) = (row.take()?, row.take()?);
    Ok(Association { person, account, roles: row.take_json()? })
}

/// `false` where it is there already (its roles stay), or where person and account are not of one partner.
///
/// # Errors
/// [`DbError`].
pub async fn insert_if_new(tx: &mut Tx, association: &Association, now: Time) -> Result<bool, DbError> {
    let query = sql(INSERT).bind(&association.person).bind(&association.account);
    query.bind(json(&association.roles)?).bind(now).wrote(tx).await
}

/// # Errors
/// [`DbError`].
pub async fn find(
    tx: &mut Tx,
    person: &PersonId,
    account: &AccountId,
) -> Result<Option<Association>, DbError> {
    sql(FIND).bind(person).bind(account).maybe(tx).await?.map(association).transpose()
}

/// All of a person, by account; for a long list see [`crate::accounts::of_person`].
///
/// # Errors
/// [`DbError`].
pub async fn of_person(tx: &mut Tx, person: &PersonId) -> Result<Vec<Association>, DbError> {
    sql(OF_PERSON).bind(person).all(tx).await?.into_iter().map(association).collect()
}

/// At most `limit` of an account, by person, those after `after`.
///
/// # Errors
/// [`DbError`].
pub async fn of_account(
    tx: &mut Tx,
    account: &AccountId,
    after: Option<&PersonId>,
    limit: i64,
) -> Result<Vec<Association>, DbError> {
    let after = after.map_or("", PersonId::as_str);
    let rows = sql(OF_ACCOUNT).bind(account).bind(after).bind(limit).all(tx).await?;
    rows.into_iter().map(association).collect()
}

/// `false` where there is none.
///
/// # Errors
/// [`DbError`].
pub async fn set_roles(tx: &mut Tx, association: &Association) -> Result<bool, DbError> {
    let query = sql(SET_ROLES).bind(&association.person).bind(&association.account);
    query.bind(json(&association.roles)?).wrote(tx).await
}

/// `false` where there was none.
///
/// # Errors
/// [`DbError`].
pub async fn delete(tx: &mut Tx, person: &PersonId, account: &AccountId) -> Result<bool, DbError> {
    sql(DELETE).bind(person).bind(account).wrote(tx).await
}
