//! Accounts: the businesses of partners.

use crate::db::{DbError, Row, Tx, sql};
use crate::listing::{Kept, next_revision};
use crate::statements::statements;
use enter::account::Account;
use enter::ids::{AccountId, PartnerId, PersonId};
use kernel::ids::OrganizationId;
use kernel::{Environment, Time};

macro_rules! columns {
    () => {
        "a.id, a.partner_id, a.name, a.customer_identifier, a.disabled_at, a.modified_at"
    };
}

statements! {
    INSERT = "INSERT INTO accounts (id, partner_id, name, customer_identifier, disabled_at, environment, created_at,
        modified_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (id) DO NOTHING";
    FIND = concat!("SELECT ", columns!(), " FROM accounts AS a WHERE a.id = $1 AND a.environment = $2");
    OWNED = concat!("SELECT ", columns!(), " FROM accounts AS a JOIN partners AS p ON p.id = a.partner_id
        WHERE a.id = $1 AND p.organization_id = $2 AND p.environment = $3");
    OF_PARTNER = concat!("SELECT ", columns!(), " FROM accounts AS a WHERE a.partner_id = $1 AND a.id > $2
        ORDER BY a.id LIMIT $3");
    OF_PERSON = concat!("SELECT ", columns!(), " FROM associations AS s JOIN accounts AS a ON a.id = s.account_id
        WHERE s.person_id = $1 ORDER BY a.id LIMIT $2");
    // The guards: an account never changes its partner, and two changes at once cannot undo one another.
    UPDATE = "UPDATE accounts SET name = $3, customer_identifier = $4, disabled_at = $5, modified_at = $6
        WHERE id = $1 AND partner_id = $2 AND modified_at = $7";
    DELETE = "DELETE FROM accounts WHERE id = $1 AND partner_id = $2";
}

pub(crate) fn account(row: &mut Row) -> Result<Account, DbError> {
    let (id, partner, name) = (row.take()?, row.take()?, row.take()?);
    Ok(Account { id, partner, name, customer_identifier: row.take()?, disabled: row.take()? })
}

fn kept(mut row: Row) -> Result<Kept<Account>, DbError> {
    Ok(Kept { noun: account(&mut row)?, revision: row.take()? })
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
    sql(FIND).bind(id).bind(environment).maybe(tx).await?.map(|mut row| account(&mut row)).transpose()
}

/// One of a partner of the organization's own.
///
/// # Errors
/// [`DbError`].
pub async fn owned(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &AccountId,
) -> Result<Option<Kept<Account>>, DbError> {
    sql(OWNED).bind(id).bind(organization).bind(environment).maybe(tx).await?.map(kept).transpose()
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
    rows.into_iter().map(|mut row| account(&mut row)).collect()
}

/// Those that a person may act for, at most `limit`, by id; also disabled ones.
///
/// # Errors
/// [`DbError`].
pub async fn of_person(tx: &mut Tx, person: &PersonId, limit: i64) -> Result<Vec<Account>, DbError> {
    let rows = sql(OF_PERSON).bind(person).bind(limit).all(tx).await?;
    rows.into_iter().map(|mut row| account(&mut row)).collect()
}

/// Everything but its partner. The new revision; `None` where it is not there or `seen` is not its latest revision.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, account: &Account, seen: Time, now: Time) -> Result<Option<Time>, DbError> {
    let next = next_revision(seen, now);
    let query = sql(UPDATE).bind(&account.id).bind(&account.partner).bind(&account.name);
    let query = query.bind(account.customer_identifier.clone()).bind(account.disabled).bind(next).bind(seen);
    Ok(query.wrote(tx).await?.then_some(next))
}

/// With its associations and activations. `false` where there is none.
///
/// # Errors
/// [`DbError`].
pub async fn delete(tx: &mut Tx, partner: &PartnerId, id: &AccountId) -> Result<bool, DbError> {
    sql(DELETE).bind(id).bind(partner).wrote(tx).await
}
