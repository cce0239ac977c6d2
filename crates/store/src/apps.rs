//! Apps: what a partner's user enters.

use crate::db::{DbError, Query, Row, Tx, json, sql};
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
    FIND = concat!("SELECT ", columns!(), " FROM apps WHERE id = $1 AND environment = $2");
    OWNED = concat!("SELECT ", columns!(), " FROM apps WHERE id = $1 AND organization_id = $2");
    OF_ORGANIZATION = concat!("SELECT ", columns!(), " FROM apps WHERE organization_id = $1 ORDER BY environment, id");
    UPDATE = "UPDATE apps SET name = $4, entry_template = $5, primary_domain = $6, domains = $7, logout_url = $8,
        initiate_login_uri = $9, session_url = $10, pre_approved_scopes = $11, open_to_all = $12, modified_at = $13
        WHERE id = $1 AND organization_id = $2 AND environment = $3";
    SET_DISABLED = "UPDATE apps SET disabled_at = $3, modified_at = $4 WHERE id = $1 AND organization_id = $2";
}

fn app(mut row: Row) -> Result<App, DbError> {
    let (id, organization, environment, name) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (entry, primary_domain) = (row.take()?, row.take()?);
    let more_domains = domains(&mut row)?;
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

/// Binds what [`INSERT`] and [`UPDATE`] have in common, in their order.
fn bind(query: Query, app: &App) -> Result<Query, DbError> {
    let (initiate_login_uri, session_url) = match &app.sign_in {
        SignIn::OpenIdConnect { initiate_login_uri } => (initiate_login_uri.as_ref(), None),
        SignIn::SessionUrl(url) => (None, Some(url)),
    };
    let query = query.bind(&app.id).bind(&app.organization).bind(app.environment).bind(&app.name);
    let query = query.bind(&app.entry).bind(&app.primary_domain).bind(json(&app.more_domains)?);
    let query = query.bind(app.logout_url.as_ref()).bind(initiate_login_uri).bind(session_url);
    Ok(query.bind(json(&app.pre_approved_scopes)?).bind(app.open_to_all))
}

/// `false` where the id is taken, by whomever.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, app: &App, now: Time) -> Result<bool, DbError> {
    bind(sql(INSERT), app)?.bind(app.disabled).bind(now).wrote(tx).await
}

/// Also a disabled one: the rules decide.
///
/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, environment: Environment, id: &AppId) -> Result<Option<App>, DbError> {
    sql(FIND).bind(id).bind(environment).maybe(tx).await?.map(app).transpose()
}

/// One of the organization's own, of either environment.
///
/// # Errors
/// [`DbError`].
pub async fn owned(tx: &mut Tx, organization: &OrganizationId, id: &AppId) -> Result<Option<App>, DbError> {
    sql(OWNED).bind(id).bind(organization).maybe(tx).await?.map(app).transpose()
}

/// All of an organization, of both environments.
///
/// # Errors
/// [`DbError`].
pub async fn of_organization(tx: &mut Tx, organization: &OrganizationId) -> Result<Vec<App>, DbError> {
    sql(OF_ORGANIZATION).bind(organization).all(tx).await?.into_iter().map(app).collect()
}

/// Everything but whose it is, its environment, and whether it is switched on.
///
/// # Errors
/// [`DbError`].
pub async fn update(tx: &mut Tx, app: &App, now: Time) -> Result<bool, DbError> {
    bind(sql(UPDATE), app)?.bind(now).wrote(tx).await
}

/// Switches it off (`Some`: since when) or on again.
///
/// # Errors
/// [`DbError`].
pub async fn set_disabled(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &AppId,
    disabled: Option<Time>,
    now: Time,
) -> Result<bool, DbError> {
    sql(SET_DISABLED).bind(id).bind(organization).bind(disabled).bind(now).wrote(tx).await
}
