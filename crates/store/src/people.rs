//! The partners' users.

use crate::db::{DbError, Row, Tx, sql};
use crate::listing::{Kept, next_revision};
use crate::statements::statements;
use enter::account::{Identity, PartnerUserId, Person};
use enter::ids::{PartnerId, PersonId};
use kernel::ids::OrganizationId;
use kernel::{Environment, Time};

macro_rules! columns {
    () => {
        "id, partner_id, partner_user, email, email_verified, given_name, family_name, locale, picture, disabled_at"
    };
}

macro_rules! of_people {
    () => {
        "u.id, u.partner_id, u.partner_user, u.email, u.email_verified, u.given_name, u.family_name, u.locale,
        u.picture, u.disabled_at"
    };
}

statements! {
    // The unique index on (partner_id, partner_user) is what lets a hundred first entries at once make one user.
    INSERT = concat!("INSERT INTO people (", columns!(), ", created_at, modified_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) ON CONFLICT DO NOTHING");
    OWNED = concat!("SELECT ", of_people!(), ", u.modified_at FROM people AS u JOIN partners AS p ON p.id = u.partner_id
        WHERE u.id = $1 AND p.organization_id = $2 AND p.environment = $3");
    FIND = concat!("SELECT ", columns!(), " FROM people WHERE id = $1");
    BY_IDENTITY = concat!("SELECT ", columns!(), " FROM people WHERE partner_id = $1 AND partner_user = $2");
    BY_EMAIL = concat!("SELECT ", columns!(), " FROM people WHERE partner_id = $1 AND email = $2 LIMIT 2");
    OF_PARTNER = concat!("SELECT ", columns!(), " FROM people WHERE partner_id = $1 AND partner_user > $2
        ORDER BY partner_user LIMIT $3");
    UPDATE = "UPDATE people SET email = $3, email_verified = $4, given_name = $5, family_name = $6, locale = $7,
        picture = $8, disabled_at = $9, modified_at = $10 WHERE id = $1 AND partner_id = $2 AND modified_at = $11";
    DELETE = "DELETE FROM people WHERE id = $1 AND partner_id = $2";
    LEARN = "UPDATE people SET email = $3, email_verified = FALSE, modified_at = CASE WHEN modified_at < $4 THEN $4 ELSE modified_at + 1 END
        WHERE id = $1 AND partner_id = $2";
}

pub(crate) fn person(row: &mut Row) -> Result<Person, DbError> {
    let id = row.take()?;
    let identity = Identity { partner: row.take()?, partner_user: row.take()? };
    let (email, email_verified) = (row.take()?, row.take()?);
    let (given_name, family_name, locale, picture) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let disabled = row.take()?;
    Ok(Person { id, identity, email, email_verified, given_name, family_name, locale, picture, disabled })
}

/// `false` where the partner has this user already (the one that is there counts: [`by_identity`]) or the id is
/// taken.
///
/// # Errors
/// [`DbError`].
pub async fn insert_if_new(tx: &mut Tx, person: &Person, now: Time) -> Result<bool, DbError> {
    let query = sql(INSERT).bind(&person.id).bind(&person.identity.partner);
    let query =
        query.bind(&person.identity.partner_user).bind(person.email.clone()).bind(person.email_verified);
    let query = query.bind(person.given_name.clone()).bind(person.family_name.clone());
    let query = query.bind(person.locale.clone()).bind(person.picture.clone());
    query.bind(person.disabled).bind(now).wrote(tx).await
}

/// By an id that a row of ours named (a session, a grant), or whose partner the caller compares afterwards.
///
/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, id: &PersonId) -> Result<Option<Person>, DbError> {
    sql(FIND).bind(id).maybe(tx).await?.map(|mut row| person(&mut row)).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn by_identity(tx: &mut Tx, identity: &Identity) -> Result<Option<Person>, DbError> {
    let query = sql(BY_IDENTITY).bind(&identity.partner).bind(&identity.partner_user);
    query.maybe(tx).await?.map(|mut row| person(&mut row)).transpose()
}

/// Users of one partner with exactly this address: none, one, or two where there are several, which is all that the
/// rule has to know.
///
/// # Errors
/// [`DbError`].
pub async fn by_email(tx: &mut Tx, partner: &PartnerId, email: &str) -> Result<Vec<Person>, DbError> {
    sql(BY_EMAIL)
        .bind(partner)
        .bind(email)
        .all(tx)
        .await?
        .into_iter()
        .map(|mut row| person(&mut row))
        .collect()
}

/// At most `limit` of a partner's, by the partner's own id, those after `after`.
///
/// # Errors
/// [`DbError`].
pub async fn of_partner(
    tx: &mut Tx,
    partner: &PartnerId,
    after: Option<&PartnerUserId>,
    limit: i64,
) -> Result<Vec<Person>, DbError> {
    let after = after.map_or("", PartnerUserId::as_str);
    sql(OF_PARTNER)
        .bind(partner)
        .bind(after)
        .bind(limit)
        .all(tx)
        .await?
        .into_iter()
        .map(|mut row| person(&mut row))
        .collect()
}

/// One of a partner of the organization's own.
///
/// # Errors
/// [`DbError`].
pub async fn owned(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &PersonId,
) -> Result<Option<Kept<Person>>, DbError> {
    let row = sql(OWNED).bind(id).bind(organization).bind(environment).maybe(tx).await?;
    row.map(|mut row| Ok(Kept { noun: person(&mut row)?, revision: row.take()? })).transpose()
}

/// What is known of a user and whether it is switched on; never who it is. The new revision; `None` where it is not
/// there or `seen` is not its latest revision.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, person: &Person, seen: Time, now: Time) -> Result<Option<Time>, DbError> {
    let next = next_revision(seen, now);
    let query = sql(UPDATE).bind(&person.id).bind(&person.identity.partner);
    let query = query.bind(person.email.clone()).bind(person.email_verified);
    let query = query.bind(person.given_name.clone()).bind(person.family_name.clone());
    let query = query.bind(person.locale.clone()).bind(person.picture.clone()).bind(person.disabled);
    Ok(query.bind(next).bind(seen).wrote(tx).await?.then_some(next))
}

/// Keeps the address that a partner told at an entry, and nothing else of what may be changed at the same time.
///
/// # Errors
/// [`DbError`].
pub async fn learn_email(
    tx: &mut Tx,
    partner: &PartnerId,
    id: &PersonId,
    email: &str,
    now: Time,
) -> Result<bool, DbError> {
    sql(LEARN).bind(id).bind(partner).bind(email).bind(now).wrote(tx).await
}

/// With its associations, sessions and grants. `false` where there is none.
///
/// # Errors
/// [`DbError`].
pub async fn delete(tx: &mut Tx, partner: &PartnerId, id: &PersonId) -> Result<bool, DbError> {
    sql(DELETE).bind(id).bind(partner).wrote(tx).await
}
