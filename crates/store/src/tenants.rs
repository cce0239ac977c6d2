//! Tenants: one installation of one integration for one user.

use crate::db::{DbError, Query, Row, Tx, next_id as next, sql};
use crate::listing::{Listed, Page};
use crate::statements::statements;
use connect::integration::Channel;
use connect::tenant::{Source, Tenant};
use kernel::ids::{IntegrationId, OrganizationId, TenantId, UserId};
use kernel::{Environment, Slug, Time};

mod sort;

pub use sort::Sort;

/// Which tenants of one organization and environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub organization: OrganizationId,
    pub environment: Environment,
    /// `Some(false)`: those in use; `Some(true)`: archived ones; `None`: both.
    pub archived: Option<bool>,
    pub integration: Option<IntegrationId>,
    /// The user's name, the token's `sub`.
    pub username: Option<String>,
}

/// What became of [`insert`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    New,
    /// The user has this integration already: the tenant that is there.
    Existing(Box<Tenant>),
    /// Another user's tenant has the name: choose another one.
    NameTaken,
}

macro_rules! columns {
    () => {
        "id, organization_id, environment, integration_id, user_id, name, source, paused, archived_at, user_schedule,
        schedule, time_zone, channel, release_id, configs, created_at, modified_at"
    };
}

// The tenant in which a user has a connector connected: at most one, by the unique indexes of both tables.
macro_rules! connected_tenant {
    ($organization:literal, $environment:literal, $integration:literal, $username:literal, $connector:literal) => {
        concat!(
            "SELECT t.id FROM tenants AS t WHERE t.organization_id = ",
            $organization,
            " AND t.environment = ",
            $environment,
            " AND t.integration_id = ",
            $integration,
            " AND t.user_id = (SELECT u.id FROM users AS u WHERE u.organization_id = ",
            $organization,
            " AND u.environment = ",
            $environment,
            " AND u.username = ",
            $username,
            ") AND t.archived_at IS NULL
                AND (SELECT c.status = 'Connected' FROM connections AS c WHERE c.tenant_id = t.id AND c.connector = ",
            $connector,
            ")"
        )
    };
}
pub(crate) use connected_tenant;

statements! {
    // Two unique indexes may refuse the row, so none is named; `insert` finds out which it was.
    INSERT = concat!("INSERT INTO tenants (", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING");
    BY_ID = concat!("SELECT ", columns!(), " FROM tenants WHERE organization_id = $1 AND environment = $2 AND id = $3");
    ANYWHERE = concat!("SELECT ", columns!(), " FROM tenants WHERE organization_id = $1 AND id = $2");
    FIND = concat!("SELECT ", columns!(), " FROM tenants WHERE organization_id = $1 AND environment = $2
        AND integration_id = $3 AND user_id = $4 AND archived_at IS NULL");
    CONNECTED = connected_tenant!("$1", "$2", "$3", "$4", "$5");
    SET_PAUSED = "UPDATE tenants SET paused = $3, modified_at = $4, revision = revision + 1
        WHERE organization_id = $1 AND id = $2";
    SET_SCHEDULE = "UPDATE tenants SET user_schedule = $3, schedule = $4, modified_at = $5, revision = revision + 1
        WHERE organization_id = $1 AND id = $2";
    // What was read is the guard: a change that came in between is not lost.
    CHANGE = "UPDATE tenants SET name = $4, paused = $5, user_schedule = $6, schedule = $7, time_zone = $8, channel = $9,
        release_id = $10, configs = $11, modified_at = $12, revision = revision + 1
        WHERE organization_id = $1 AND id = $2 AND modified_at = $3 AND archived_at IS NULL";
    NAME_TAKEN = "SELECT 1 FROM tenants WHERE organization_id = $1 AND environment = $2 AND name = $3
        AND archived_at IS NULL AND id <> $4";
    WAS_CONNECTED = "UPDATE tenants SET modified_at = $3, paused = (paused AND NOT $4), revision = revision + 1
        WHERE organization_id = $1 AND id = $2";
    ARCHIVE = "UPDATE tenants SET archived_at = $3, modified_at = $3, revision = revision + 1
        WHERE organization_id = $1 AND id = $2 AND archived_at IS NULL";
    UNARCHIVE = "UPDATE tenants SET archived_at = NULL, modified_at = $3, revision = revision + 1
        WHERE organization_id = $1 AND id = $2 AND archived_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM tenants AS o WHERE o.organization_id = tenants.organization_id
                AND o.environment = tenants.environment AND o.archived_at IS NULL AND (o.name = tenants.name
                    OR (o.integration_id = tenants.integration_id AND o.user_id = tenants.user_id)))";
}

// Beginnings that are never run by themselves: `Filter::apply` goes on with WHERE.
const PAGE: &str = concat!("SELECT ", columns!(), " FROM tenants");
const COUNT: &str = "SELECT COUNT(*) FROM tenants";

impl Filter {
    /// The WHERE clause and the values of its placeholders, from `$1` on, bound to `start`'s statement.
    fn apply(&self, start: &str, tail: impl FnOnce(usize) -> String) -> Query {
        let mut text = format!("{start} WHERE organization_id = $1 AND environment = $2");
        match self.archived {
            Some(true) => text.push_str(" AND archived_at IS NOT NULL"),
            Some(false) => text.push_str(" AND archived_at IS NULL"),
            None => {}
        }
        let mut next = 3;
        if self.integration.is_some() {
            text.push_str(&format!(" AND integration_id = ${next}"));
            next += 1;
        }
        if self.username.is_some() {
            let users = "SELECT u.id FROM users AS u WHERE u.organization_id = $1 AND u.environment = $2";
            text.push_str(&format!(" AND user_id IN ({users} AND u.username = ${next})"));
            next += 1;
        }
        text.push_str(&tail(next));
        let mut query = sql(text).bind(&self.organization).bind(self.environment);
        if let Some(integration) = self.integration {
            query = query.bind(integration);
        }
        if let Some(username) = &self.username {
            query = query.bind(username);
        }
        query
    }
}

/// The composed statements, for the test that prepares them.
pub(crate) fn composed(organization: &OrganizationId) -> Vec<String> {
    let integrations = [None, IntegrationId::new(1).ok()];
    let mut out = Vec::new();
    for sort in Sort::ALL {
        for archived in [None, Some(false), Some(true)] {
            for integration in integrations {
                for username in [None, Some(String::new())] {
                    let (organization, environment) = (organization.clone(), Environment::Sandbox);
                    let filter = Filter { organization, environment, archived, integration, username };
                    let page = Page { sort, descending: archived.is_some(), limit: 1, skip: 0 };
                    out.push(filter.apply(PAGE, |next| page.tail(sort.column(), next)).text().to_owned());
                    out.push(filter.apply(COUNT, |_| String::new()).text().to_owned());
                }
            }
        }
    }
    out
}

fn tenant(mut row: Row) -> Result<Tenant, DbError> {
    read(&mut row)
}

/// Reads [`columns`].
pub(crate) fn read(row: &mut Row) -> Result<Tenant, DbError> {
    let (id, organization, environment) = (row.take()?, row.take()?, row.take()?);
    let (integration, user, name) = (row.take()?, row.take()?, row.take()?);
    let (source, paused, archived) = (row.take_word(Source::parse)?, row.take()?, row.take()?);
    let (user_schedule, schedule, time_zone) = (row.take()?, row.take()?, row.take()?);
    let channel = row.take_word(Channel::parse)?;
    let (release, configs, created, modified) = (row.take()?, row.take()?, row.take()?, row.take()?);
    Ok(Tenant {
        id,
        organization,
        environment,
        integration,
        user,
        name,
        source,
        paused,
        archived,
        user_schedule,
        schedule,
        time_zone,
        channel,
        release,
        configs,
        created,
        modified,
    })
}

/// The id for a new tenant, so that its name and its schedule's offset can be computed before it is inserted.
///
/// # Errors
/// [`DbError`].
pub async fn next_id(tx: &mut Tx) -> Result<TenantId, DbError> {
    let number = next(tx, "tenants").await?;
    TenantId::new(number).map_err(|error| DbError::Bug(error.to_string()))
}

/// Inserts it unless the user has this integration already: of any number at once exactly one is new, because the
/// unique index over unarchived tenants lets one row in. Look with [`find`] first: that is the common case of a
/// second connect, and it uses no number up.
///
/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, new: &Tenant) -> Result<Inserted, DbError> {
    let query = sql(INSERT).bind(new.id).bind(&new.organization).bind(new.environment).bind(new.integration);
    let query =
        query.bind(&new.user).bind(&new.name).bind(new.source.as_str()).bind(new.paused).bind(new.archived);
    let query = query.bind(new.user_schedule.clone()).bind(new.schedule.clone()).bind(&new.time_zone);
    let query = query.bind(new.channel.as_str());
    let query = query.bind(new.release).bind(&new.configs).bind(new.created).bind(new.modified);
    if query.wrote(tx).await? {
        return Ok(Inserted::New);
    }
    let existing = find(tx, &new.organization, new.environment, new.integration, new.user).await?;
    Ok(existing.map_or(Inserted::NameTaken, |tenant| Inserted::Existing(Box::new(tenant))))
}

/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    id: TenantId,
) -> Result<Option<Tenant>, DbError> {
    sql(BY_ID).bind(organization).bind(environment).bind(id).maybe(tx).await?.map(tenant).transpose()
}

/// The same in whichever environment it is: for work, which knows a tenant by its id alone.
///
/// # Errors
/// [`DbError`].
pub async fn in_any_environment(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: TenantId,
) -> Result<Option<Tenant>, DbError> {
    sql(ANYWHERE).bind(organization).bind(id).maybe(tx).await?.map(tenant).transpose()
}

/// The user's tenant of this integration that is not archived.
///
/// # Errors
/// [`DbError`].
pub async fn find(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    integration: IntegrationId,
    user: UserId,
) -> Result<Option<Tenant>, DbError> {
    let query = sql(FIND).bind(organization).bind(environment).bind(integration).bind(&user);
    query.maybe(tx).await?.map(tenant).transpose()
}

/// Whose tenant of which integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub organization: OrganizationId,
    pub environment: Environment,
    pub integration: IntegrationId,
    /// The user's name, the token's `sub`.
    pub username: String,
}

/// The tenant in which this user has this connector connected.
///
/// # Errors
/// [`DbError`].
pub async fn connected(tx: &mut Tx, owner: &Owner, connector: &Slug) -> Result<Option<TenantId>, DbError> {
    let query = sql(CONNECTED).bind(&owner.organization).bind(owner.environment).bind(owner.integration);
    let row = query.bind(&owner.username).bind(connector).maybe(tx).await?;
    row.map(|mut row| row.take()).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx, filter: &Filter, page: Page<Sort>) -> Result<Listed<Tenant>, DbError> {
    let total = filter.apply(COUNT, |_| String::new()).one(tx).await?.take()?;
    let query = filter.apply(PAGE, |next| page.tail(page.sort.column(), next));
    let rows = query.bind(page.limit.max(0)).bind(page.skip.max(0)).all(tx).await?;
    Ok(Listed { rows: rows.into_iter().map(tenant).collect::<Result<_, _>>()?, total })
}

/// `false` where there is no such tenant.
///
/// # Errors
/// [`DbError`].
pub async fn set_paused(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: TenantId,
    paused: bool,
    now: Time,
) -> Result<bool, DbError> {
    sql(SET_PAUSED).bind(organization).bind(id).bind(paused).bind(now).wrote(tx).await
}

/// What was chosen and what counts; `None` for no schedule. `false` where there is no such tenant.
///
/// # Errors
/// [`DbError`].
pub async fn set_schedule(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: TenantId,
    user_schedule: Option<&str>,
    schedule: Option<&str>,
    now: Time,
) -> Result<bool, DbError> {
    sql(SET_SCHEDULE).bind(organization).bind(id).bind(user_schedule).bind(schedule).bind(now).wrote(tx).await
}

/// Writes what can be chosen of a tenant. `false` where it is archived, not there, or was changed since `seen`, its
/// `modified` when it was read.
///
/// # Errors
/// [`DbError`]; [`DbError::Unique`] in the rare case that another tenant takes the name at the same moment.
pub async fn change(tx: &mut Tx, changed: &Tenant, seen: Time) -> Result<bool, DbError> {
    let query = sql(CHANGE).bind(&changed.organization).bind(changed.id).bind(seen).bind(&changed.name);
    let query = query.bind(changed.paused).bind(changed.user_schedule.clone()).bind(changed.schedule.clone());
    let query = query.bind(&changed.time_zone).bind(changed.channel.as_str()).bind(changed.release);
    query.bind(&changed.configs).bind(changed.modified).wrote(tx).await
}

/// Whether another tenant that is not archived has this name.
///
/// # Errors
/// [`DbError`].
pub async fn is_name_taken(tx: &mut Tx, tenant: &Tenant, name: &str) -> Result<bool, DbError> {
    let query = sql(NAME_TAKEN).bind(&tenant.organization).bind(tenant.environment).bind(name);
    Ok(query.bind(tenant.id).maybe(tx).await?.is_some())
}

/// Its user connected it; with `set_going` it is not paused any more.
///
/// # Errors
/// [`DbError`].
pub async fn was_connected(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: TenantId,
    set_going: bool,
    now: Time,
) -> Result<bool, DbError> {
    sql(WAS_CONNECTED).bind(organization).bind(id).bind(now).bind(set_going).wrote(tx).await
}

/// `false` where it is archived already or not there.
///
/// # Errors
/// [`DbError`].
pub async fn archive(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: TenantId,
    now: Time,
) -> Result<bool, DbError> {
    sql(ARCHIVE).bind(organization).bind(id).bind(now).wrote(tx).await
}

/// `false` where it is not archived, or where its user or its name has another tenant by now.
///
/// # Errors
/// [`DbError`]; [`DbError::Unique`] in the rare case that such another tenant is made at the same moment.
pub async fn unarchive(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: TenantId,
    now: Time,
) -> Result<bool, DbError> {
    sql(UNARCHIVE).bind(organization).bind(id).bind(now).wrote(tx).await
}
