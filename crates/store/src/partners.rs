//! Partners: organizations that vouch for their users at the second door.

use crate::db::{DbError, Query, Row, Tx, json, sql};
use crate::listing::{Kept, next_revision};
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
    // An organization that is switched off takes its partners along, whatever their own state is (lesson 14).
    FIND = "SELECT p.id, p.organization_id, p.environment, p.name, p.transfer_url, p.domains, p.just_in_time,
        CASE WHEN o.disabled THEN COALESCE(p.disabled_at, p.modified_at) ELSE p.disabled_at END
        FROM partners AS p JOIN organizations AS o ON o.id = p.organization_id
        WHERE p.id = $1 AND p.environment = $2";
    OWNED = concat!("SELECT ", columns!(), ", modified_at FROM partners
        WHERE id = $1 AND organization_id = $2 AND environment = $3");
    OF_ORGANIZATION = concat!("SELECT ", columns!(), ", modified_at FROM partners
        WHERE organization_id = $1 AND environment = $2 AND id > $3 ORDER BY id LIMIT $4");
    // Written only where the revision is the one that was read: two changes at once cannot undo one another.
    UPDATE = "UPDATE partners SET name = $4, transfer_url = $5, domains = $6, just_in_time = $7, disabled_at = $8,
        modified_at = $9 WHERE id = $1 AND organization_id = $2 AND environment = $3 AND modified_at = $10";
    // Its people, their sessions and its service accounts go with it; accounts keep it.
    DELETE = "DELETE FROM partners WHERE id = $1 AND organization_id = $2 AND environment = $3
        AND NOT EXISTS (SELECT 1 FROM accounts AS a WHERE a.partner_id = $1)";
}

/// Domains as a column holds them: a JSON list.
pub(crate) fn domains(row: &mut Row) -> Result<Vec<Domain>, DbError> {
    Ok(row.take_json::<Vec<String>>()?.into_iter().map(Domain::from_stored).collect())
}

fn partner(row: &mut Row) -> Result<Partner, DbError> {
    let (id, organization, environment, name) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let transfer = TransferUrl::from_stored(row.take()?);
    let more_domains = domains(row)?;
    let (just_in_time, disabled) = (row.take()?, row.take()?);
    Ok(Partner { id, organization, environment, name, transfer, more_domains, just_in_time, disabled })
}

fn kept(mut row: Row) -> Result<Kept<Partner>, DbError> {
    Ok(Kept { noun: partner(&mut row)?, revision: row.take()? })
}

/// Binds what [`INSERT`] and [`UPDATE`] have in common, in their order.
fn bind(query: Query, partner: &Partner) -> Result<Query, DbError> {
    let query = query.bind(&partner.id).bind(&partner.organization).bind(partner.environment);
    let query = query.bind(&partner.name).bind(partner.transfer.url()).bind(json(&partner.more_domains)?);
    Ok(query.bind(partner.just_in_time).bind(partner.disabled))
}

/// `false` where the id is taken, by whomever.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, partner: &Partner, now: Time) -> Result<bool, DbError> {
    bind(sql(INSERT), partner)?.bind(now).wrote(tx).await
}

/// Also a disabled one: the rules decide. One of an organization that is switched off is disabled.
///
/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, environment: Environment, id: &PartnerId) -> Result<Option<Partner>, DbError> {
    sql(FIND).bind(id).bind(environment).maybe(tx).await?.map(|mut row| partner(&mut row)).transpose()
}

/// One of the organization's own.
///
/// # Errors
/// [`DbError`].
pub async fn owned(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &PartnerId,
) -> Result<Option<Kept<Partner>>, DbError> {
    sql(OWNED).bind(id).bind(organization).bind(environment).maybe(tx).await?.map(kept).transpose()
}

/// At most `limit` of an organization's, by id, those after `after`.
///
/// # Errors
/// [`DbError`].
pub async fn of_organization(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    after: Option<&PartnerId>,
    limit: i64,
) -> Result<Vec<Kept<Partner>>, DbError> {
    let after = after.map_or("", PartnerId::as_str);
    let query = sql(OF_ORGANIZATION).bind(organization).bind(environment).bind(after).bind(limit);
    query.all(tx).await?.into_iter().map(kept).collect()
}

/// Everything but whose it is. The new revision; `None` where it is not there or `seen` is not its latest revision.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, partner: &Partner, seen: Time, now: Time) -> Result<Option<Time>, DbError> {
    let next = next_revision(seen, now);
    let wrote = bind(sql(UPDATE), partner)?.bind(next).bind(seen).wrote(tx).await?;
    Ok(wrote.then_some(next))
}

/// With its people, their sessions and its service accounts. `false` where it is not there or still has accounts.
///
/// # Errors
/// [`DbError`].
pub async fn delete(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &PartnerId,
) -> Result<bool, DbError> {
    sql(DELETE).bind(id).bind(organization).bind(environment).wrote(tx).await
}
