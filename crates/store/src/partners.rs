//! Partners: organizations that vouch for their users at the second door.

use crate::db::{DbError, Row, Tx, json, sql};
use crate::statements::statements;
use enter::domain::Domain;
use enter::ids::PartnerId;
use enter::partner::{Partner, TransferUrl};
use kernel::ids::OrganizationId;
use kernel::{Environment, Time};

macro_rules! columns {
    () => {
        "id, organization_id, environment, name, transfer_url, domains, just_in_time, disabled_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO partners (", columns!(), ", created_at, modified_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (id) DO NOTHING");
    FIND = concat!("SELECT ", columns!(), " FROM partners WHERE id = $1 AND environment = $2");
    OWNED = concat!("SELECT ", columns!(), " FROM partners WHERE id = $1 AND organization_id = $2");
    OF_ORGANIZATION = concat!("SELECT ", columns!(), " FROM partners WHERE organization_id = $1 ORDER BY environment, id");
    UPDATE = "UPDATE partners SET name = $3, transfer_url = $4, domains = $5, just_in_time = $6, modified_at = $7
        WHERE id = $1 AND organization_id = $2";
    SET_DISABLED = "UPDATE partners SET disabled_at = $3, modified_at = $4 WHERE id = $1 AND organization_id = $2";
}

/// Domains as a column holds them: a JSON list.
pub(crate) fn domains(row: &mut Row) -> Result<Vec<Domain>, DbError> {
    Ok(row.take_json::<Vec<String>>()?.into_iter().map(Domain::from_stored).collect())
}

fn partner(mut row: Row) -> Result<Partner, DbError> {
    let (id, organization, environment, name) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let transfer = TransferUrl::from_stored(row.take()?);
    let more_domains = domains(&mut row)?;
    let (just_in_time, disabled) = (row.take()?, row.take()?);
    Ok(Partner { id, organization, environment, name, transfer, more_domains, just_in_time, disabled })
}

/// `false` where the id is taken, by whomever.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, partner: &Partner, now: Time) -> Result<bool, DbError> {
    let query = sql(INSERT).bind(&partner.id).bind(&partner.organization).bind(partner.environment);
    let query = query.bind(&partner.name).bind(partner.transfer.url()).bind(json(&partner.more_domains)?);
    query.bind(partner.just_in_time).bind(partner.disabled).bind(now).wrote(tx).await
}

/// Also a disabled one: the rules decide.
///
/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, environment: Environment, id: &PartnerId) -> Result<Option<Partner>, DbError> {
    sql(FIND).bind(id).bind(environment).maybe(tx).await?.map(partner).transpose()
}

/// One of the organization's own, of either environment.
///
/// # Errors
/// [`DbError`].
pub async fn owned(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &PartnerId,
) -> Result<Option<Partner>, DbError> {
    sql(OWNED).bind(id).bind(organization).maybe(tx).await?.map(partner).transpose()
}

/// All of an organization, of both environments.
///
/// # Errors
/// [`DbError`].
pub async fn of_organization(tx: &mut Tx, organization: &OrganizationId) -> Result<Vec<Partner>, DbError> {
    sql(OF_ORGANIZATION).bind(organization).all(tx).await?.into_iter().map(partner).collect()
}

/// Name, session-transfer URL, domains and just-in-time entry; nothing else of a partner changes here, so that two
/// changes at once cannot switch a disabled one on again.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, partner: &Partner, now: Time) -> Result<bool, DbError> {
    let query = sql(UPDATE).bind(&partner.id).bind(&partner.organization).bind(&partner.name);
    let query = query.bind(partner.transfer.url()).bind(json(&partner.more_domains)?);
    query.bind(partner.just_in_time).bind(now).wrote(tx).await
}

/// Switches it off (`Some`: since when) or on again.
///
/// # Errors
/// [`DbError`].
pub async fn set_disabled(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &PartnerId,
    disabled: Option<Time>,
    now: Time,
) -> Result<bool, DbError> {
    sql(SET_DISABLED).bind(id).bind(organization).bind(disabled).bind(now).wrote(tx).await
}
