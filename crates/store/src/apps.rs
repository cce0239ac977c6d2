//! Apps: what a partner's user enters.

use crate::db::{DbError, Query, Row, Tx, json, sql};
use crate::listing::{Kept, next_revision};
use crate::partners::domains;
use crate::statements::statements;
use enter::app::{App, SignIn};
use enter::ids::AppId;
use kernel::ids::OrganizationId;
use kernel::{Environment, SafeUrl, Time};

macro_rules! columns {
    () => {
        "id, organization_id, environment, name, entry_template, primary_domain, domains, logout_url,
        initiate_login_uri, session_url, pre_approved_scopes, open_to_all, disabled_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO apps (", columns!(), ", created_at, modified_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14) ON CONFLICT (id) DO NOTHING");
    // An organization that is switched off takes its apps along, whatever their own state is (lesson 14).
    FIND = "SELECT a.id, a.organization_id, a.environment, a.name, a.entry_template, a.primary_domain, a.domains,
        a.logout_url, a.initiate_login_uri, a.session_url, a.pre_approved_scopes, a.open_to_all,
        CASE WHEN o.disabled THEN COALESCE(a.disabled_at, a.modified_at) ELSE a.disabled_at END
        FROM apps AS a JOIN organizations AS o ON o.id = a.organization_id
        WHERE a.id = $1 AND a.environment = $2";
    OWNED = concat!("SELECT ", columns!(), ", modified_at FROM apps
        WHERE id = $1 AND organization_id = $2 AND environment = $3");
    OF_ORGANIZATION = concat!("SELECT ", columns!(), ", modified_at FROM apps
        WHERE organization_id = $1 AND environment = $2 AND id > $3 ORDER BY id LIMIT $4");
    // Written only where the revision is the one that was read: two changes at once cannot undo one another.
    UPDATE = "UPDATE apps SET name = $4, entry_template = $5, primary_domain = $6, domains = $7, logout_url = $8,
        initiate_login_uri = $9, session_url = $10, pre_approved_scopes = $11, open_to_all = $12, disabled_at = $13,
        modified_at = $14 WHERE id = $1 AND organization_id = $2 AND environment = $3 AND modified_at = $15";
    DELETE = "DELETE FROM apps WHERE id = $1 AND organization_id = $2 AND environment = $3";
}

fn app(row: &mut Row) -> Result<App, DbError> {
    let (id, organization, environment, name) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (entry, primary_domain) = (row.take()?, row.take()?);
    let more_domains = domains(row)?;
    let (logout_url, initiate_login_uri) = (row.take()?, row.take()?);
    let sign_in = match row.take::<Option<SafeUrl>>()? {
        Some(url) => SignIn::SessionUrl(url),
        None => SignIn::OpenIdConnect { initiate_login_uri },
    };
    let (pre_approved_scopes, open_to_all, disabled) = (row.take_json()?, row.take()?, row.take()?);
    Ok(App {
        id,
        organization,
        environment,
        name,
        entry,
        primary_domain,
        more_domains,
        logout_url,
        sign_in,
        pre_approved_scopes,
        open_to_all,
        disabled,
    })
}

fn kept(mut row: Row) -> Result<Kept<App>, DbError> {
    Ok(Kept { noun: app(&mut row)?, revision: row.take()? })
}

/// Binds what [`INSERT`] and [`UPDATE`] have in common, in their order.
fn bind(query: Query, app: &App) -> Result<Query, DbError> {
    let (initiate_login_uri, session_url) = match &app.sign_in {
        SignIn::OpenIdConnect { initiate_login_uri } => (initiate_login_uri.as_ref(), None),
        SignIn::SessionUrl(url) => (None, Some(url)),
    };
    let query = query.bind(&app.id).bind(&app.organization).bind(app.environment).bind(&app.name);
    let query = query.bind(&app.entry).bind(&app.primary_domain).bind(json(&app.more_domains)?);
    let query = query.bind(app.logout_url.as_ref()).bind(initiate_login_uri).bind(session_url);
    Ok(query.bind(json(&app.pre_approved_scopes)?).bind(app.open_to_all).bind(app.disabled))
}

/// `false` where the id is taken, by whomever.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, app: &App, now: Time) -> Result<bool, DbError> {
    bind(sql(INSERT), app)?.bind(now).wrote(tx).await
}

/// Also a disabled one: the rules decide. One of an organization that is switched off is disabled.
///
/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, environment: Environment, id: &AppId) -> Result<Option<App>, DbError> {
    sql(FIND).bind(id).bind(environment).maybe(tx).await?.map(|mut row| app(&mut row)).transpose()
}

/// One of the organization's own.
///
/// # Errors
/// [`DbError`].
pub async fn owned(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &AppId,
) -> Result<Option<Kept<App>>, DbError> {
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
    after: Option<&AppId>,
    limit: i64,
) -> Result<Vec<Kept<App>>, DbError> {
    let after = after.map_or("", AppId::as_str);
    let query = sql(OF_ORGANIZATION).bind(organization).bind(environment).bind(after).bind(limit);
    query.all(tx).await?.into_iter().map(kept).collect()
}

/// Everything but whose it is. The new revision; `None` where it is not there or `seen` is not its latest revision.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, app: &App, seen: Time, now: Time) -> Result<Option<Time>, DbError> {
    let next = next_revision(seen, now);
    Ok(bind(sql(UPDATE), app)?.bind(next).bind(seen).wrote(tx).await?.then_some(next))
}

/// With its clients, their grants and everything else of it. `false` where there is none.
///
/// # Errors
/// [`DbError`].
pub async fn delete(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: &AppId,
) -> Result<bool, DbError> {
    sql(DELETE).bind(id).bind(organization).bind(environment).wrote(tx).await
}
