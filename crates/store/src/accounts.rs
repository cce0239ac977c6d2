//! Accounts: the businesses of partners.

use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use enter::account::Account;
use enter::ids::{AccountId, PartnerId, PersonId};
use kernel::{Environment, Time};

macro_rules! columns {
    ($of:literal) => {
        concat!(
            $of,
            "id, ",
            $of,
            "partner_id, ",
            $of,
            "name, ",
            $of,
            "customer_identifier, ",
            $of,
            "disabled_at"
        )
    };
}

statements! {
    INSERT = concat!("INSERT INTO accounts (", columns!(""), ", environment, created_at, modified_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (id) DO NOTHING");
    FIND = concat!("SELECT ", columns!(""), " FROM accounts WHERE id = $1 AND environment = $2");
    OF_PARTNER = concat!("SELECT ", columns!(""), " FROM accounts WHERE partner_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    OF_PERSON = concat!("SELECT ", columns!("a."), " FROM associations AS s JOIN accounts AS a ON a.id = s.account_id
        WHERE s.person_id = $1 ORDER BY a.id LIMIT $2");
    UPDATE = "UPDATE accounts SET name = $3, customer_identifier = $4, modified_at = $5 WHERE id = $1 AND partner_id = $2";
    SET_DISABLED = "UPDATE accounts SET disabled_at = $3, modified_at = $4 WHERE id = $1 AND partner_id = $2";
}

fn account(mut row: Row) -> Result<Account, DbError> {
    let (id, partner, name) = (row.take()?, row.take()?, row.take()?);
    Ok(Account { id, partner, name, customer_identifier: row.take()?, disabled: row.take()? })
}

/// `environment` is the partner's. `false` where the id is taken, by whomever.
///
/// # Errors
/// [`DbError`]; [`DbError::Reference`] where there is no such partner.
pub async fn insert(
    tx: &mut Tx,
    environment: Environment,
    account: &Account,
    now: Time,
) -> Result<bool, DbError> {
    let query = sql(INSERT).bind(&account.id).bind(&account.partner).bind(&account.name);
    let query = query.bind(account.customer_identifier.clone()).bind(account.disabled);
    query.bind(environment).bind(now).wrote(tx).await
}

/// Of whichever partner, also a disabled one: the rules decide.
///
/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, environment: Environment, id: &AccountId) -> Result<Option<Account>, DbError> {
    sql(FIND).bind(id).bind(environment).maybe(tx).await?.map(account).transpose()
}

/// At most `limit` of a partner's, by id, those after `after`.
///
/// # Errors
/// [`DbError`].
pub async fn of_partner(
    tx: &mut Tx,
    partner: &PartnerId,
    after: Option<&AccountId>,
    limit: i64,
) -> Result<Vec<Account>, DbError> {
    let after = after.map_or("", AccountId::as_str);
    let rows = sql(OF_PARTNER).bind(partner).bind(after).bind(limit).all(tx).await?;
    rows.into_iter().map(account).collect()
}

/// Those that a person may act for, at most `limit`, by id; also disabled ones.
///
/// # Errors
/// [`DbError`].
pub async fn of_person(tx: &mut Tx, person: &PersonId, limit: i64) -> Result<Vec<Account>, DbError> {
    sql(OF_PERSON).bind(person).bind(limit).all(tx).await?.into_iter().map(account).collect()
}

/// Name and customer identifier; an account never changes its partner.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, account: &Account, now: Time) -> Result<bool, DbError> {
    let query = sql(UPDATE).bind(&account.id).bind(&account.partner).bind(&account.name);
    query.bind(account.customer_identifier.clone()).bind(now).wrote(tx).await
}

/// Switches it off (`Some`: since when) or on again.
///
/// # Errors
/// [`DbError`].
pub async fn set_disabled(
    tx: &mut Tx,
    partner: &PartnerId,
    id: &AccountId,
    disabled: Option<Time>,
    now: Time,
) -> Result<bool, DbError> {
    sql(SET_DISABLED).bind(id).bind(partner).bind(disabled).bind(now).wrote(tx).await
}
