//! The partners' users.

use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use enter::account::{Identity, PartnerUserId, Person};
use enter::ids::{PartnerId, PersonId};
use kernel::Time;

macro_rules! columns {
    () => {
        "id, partner_id, partner_user, email, email_verified, given_name, family_name, locale, picture, disabled_at"
    };
}

statements! {
    // The unique index on (partner_id, partner_user) is what lets a hundred first entries at once make one user.
    INSERT = concat!("INSERT INTO people (", columns!(), ", created_at, modified_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) ON CONFLICT DO NOTHING");
    FIND = concat!("SELECT ", columns!(), " FROM people WHERE id = $1");
    BY_IDENTITY = concat!("SELECT ", columns!(), " FROM people WHERE partner_id = $1 AND partner_user = $2");
    BY_EMAIL = concat!("SELECT ", columns!(), " FROM people WHERE partner_id = $1 AND email = $2 LIMIT 2");
    OF_PARTNER = concat!("SELECT ", columns!(), " FROM people WHERE partner_id = $1 AND partner_user > $2
        ORDER BY partner_user LIMIT $3");
    UPDATE = "UPDATE people SET email = $3, email_verified = $4, given_name = $5, family_name = $6, locale = $7,
        picture = $8, modified_at = $9 WHERE id = $1 AND partner_id = $2";
    SET_DISABLED = "UPDATE people SET disabled_at = $3, modified_at = $4 WHERE id = $1 AND partner_id = $2";
}

fn person(mut row: Row) -> Result<Person, DbError> {
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
    sql(FIND).bind(id).maybe(tx).await?.map(person).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn by_identity(tx: &mut Tx, identity: &Identity) -> Result<Option<Person>, DbError> {
    let query = sql(BY_IDENTITY).bind(&identity.partner).bind(&identity.partner_user);
    query.maybe(tx).await?.map(person).transpose()
}

/// Users of one partner with exactly this address: none, one, or two where there are several, which is all that the
/// rule has to know.
///
/// # Errors
/// [`DbError`].
pub async fn by_email(tx: &mut Tx, partner: &PartnerId, email: &str) -> Result<Vec<Person>, DbError> {
    sql(BY_EMAIL).bind(partner).bind(email).all(tx).await?.into_iter().map(person).collect()
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
    sql(OF_PARTNER).bind(partner).bind(after).bind(limit).all(tx).await?.into_iter().map(person).collect()
}

/// What is known of a user; never who it is.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, person: &Person, now: Time) -> Result<bool, DbError> {
    let query = sql(UPDATE).bind(&person.id).bind(&person.identity.partner);
    let query = query.bind(person.email.clone()).bind(person.email_verified);
    let query = query.bind(person.given_name.clone()).bind(person.family_name.clone());
    query.bind(person.locale.clone()).bind(person.picture.clone()).bind(now).wrote(tx).await
}

/// Switches it off (`Some`: since when) or on again.
///
/// # Errors
/// [`DbError`].
pub async fn set_disabled(
    tx: &mut Tx,
    partner: &PartnerId,
    id: &PersonId,
    disabled: Option<Time>,
    now: Time,
) -> Result<bool, DbError> {
    sql(SET_DISABLED).bind(id).bind(partner).bind(disabled).bind(now).wrote(tx).await
}
