//! Connections: a tenant's credential for each connector.

use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use connect::connection::{Connection, Status};
use kernel::ids::{ConnectionId, OrganizationId, TenantId};
use kernel::{Environment, Sealed, Slug, Time};

/// A connection that is to be there, without a credential yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConnection {
    /// Used only where the tenant has no connection for this connector yet.
    pub id: ConnectionId,
    pub organization: OrganizationId,
    pub tenant: TenantId,
    pub connector: Slug,
    pub own: bool,
}

/// What a successful sign-in brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Sealed for the place `connection:{id}` of the row that is there.
    pub credential: Sealed,
    pub account: Option<String>,
    pub expires: Option<Time>,
}

macro_rules! columns {
    () => {
        "id, organization_id, tenant_id, connector, own, status, credential, account, expires_at, version,
        last_change_at, created_at"
    };
}

statements! {
    ENSURE = concat!("INSERT INTO connections (", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, 'Disconnected', NULL, NULL, NULL, 0, $6, $6)
        ON CONFLICT (tenant_id, connector) DO NOTHING");
    BY_CONNECTOR = concat!("SELECT ", columns!(), " FROM connections
        WHERE organization_id = $1 AND tenant_id = $2 AND connector = $3");
    BY_ID = concat!("SELECT ", columns!(), " FROM connections WHERE organization_id = $1 AND id = $2");
    OF_TENANT = concat!("SELECT ", columns!(), " FROM connections
        WHERE organization_id = $1 AND tenant_id = $2 ORDER BY created_at, own, id");
    SET_CONNECTED = "UPDATE connections SET status = 'Connected', credential = $3, account = $4, expires_at = $5,
        own = $6, last_change_at = $7, version = version + 1, refresh_holder = NULL, refresh_until = NULL,
        refresh_failures = 0 WHERE organization_id = $1 AND id = $2";
    // The version guard is what lets one of two writers win: the other one read an older credential.
    RENEW = "UPDATE connections SET credential = $4, expires_at = $5, version = version + 1, refresh_holder = NULL,
        refresh_until = NULL, refresh_failures = 0
        WHERE organization_id = $1 AND id = $2 AND version = $3 AND status = 'Connected'";
    DISCONNECT = "UPDATE connections SET status = 'Disconnected', credential = NULL, expires_at = NULL,
        last_change_at = $4, version = version + 1, refresh_holder = NULL, refresh_until = NULL, refresh_failures = 0
        WHERE organization_id = $1 AND id = $2 AND version = $3 AND status = 'Connected'";
    HOME = "SELECT t.environment, t.archived_at IS NOT NULL FROM connections AS c
        JOIN tenants AS t ON t.id = c.tenant_id WHERE c.organization_id = $1 AND c.id = $2";
    // A time that has not come yet is a lease where it has a holder, and a pause after a failure where it has none.
    REFRESHING = "SELECT refresh_holder, refresh_until, refresh_failures FROM connections
        WHERE organization_id = $1 AND id = $2";
    // The guard on the time is what lets one of many begin; that on the version, what keeps a renewal that has just
    // been done from being done again by who read the row before.
    HOLD_REFRESH = "UPDATE connections SET refresh_holder = $4, refresh_until = $6
        WHERE organization_id = $1 AND id = $2 AND version = $3 AND status = 'Connected'
            AND (refresh_until IS NULL OR refresh_until <= $5)";
    REFRESH_FAILED = "UPDATE connections SET refresh_holder = NULL, refresh_until = $5,
        refresh_failures = refresh_failures + 1
        WHERE organization_id = $1 AND id = $2 AND version = $3 AND refresh_holder = $4";
}

/// A beginning that is never run by itself.
const OF_TENANTS: &str = concat!("SELECT ", columns!(), " FROM connections WHERE organization_id = $1");
/// How many tenants one statement asks for: few texts to prepare, the last id repeated to fill up.
const GROUP: usize = 100;

fn of_tenants_text() -> String {
    let places: Vec<_> = (2..GROUP + 2).map(|number| format!("${number}")).collect();
    format!("{OF_TENANTS} AND tenant_id IN ({}) ORDER BY tenant_id, created_at, own, id", places.join(", "))
}

/// The composed statements, for the test that prepares them.
pub(crate) fn composed() -> Vec<String> {
    vec![of_tenants_text()]
}

fn connection(mut row: Row) -> Result<Connection, DbError> {
    let (id, organization, tenant, connector) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (own, status) = (row.take()?, row.take_word(Status::parse)?);
    let (credential, account, expires, version) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (last_change, created) = (row.take()?, row.take()?);
    Ok(Connection {
        id,
        organization,
        tenant,
        connector,
        own,
        status,
        credential,
        account,
        expires,
        version,
        last_change,
        created,
    })
}

/// The tenant's connection for this connector, made disconnected where there was none. The row comes first because
/// a credential is sealed for the row's id, and two connects at once must agree on it.
///
/// # Errors
/// [`DbError`].
pub async fn ensure(tx: &mut Tx, new: &NewConnection, now: Time) -> Result<Connection, DbError> {
    let query =
        sql(ENSURE).bind(&new.id).bind(&new.organization).bind(new.tenant).bind(&new.connector).bind(new.own);
    query.bind(now).execute(tx).await?;
    let row = sql(BY_CONNECTOR).bind(&new.organization).bind(new.tenant).bind(&new.connector).one(tx).await?;
    connection(row)
}

/// Connects or renews: whoever comes last wins, each with a whole credential. `seal` gets the id of the row that
/// counts and returns the credential sealed for it.
///
/// # Errors
/// [`DbError`], also what `seal` returns.
pub async fn upsert_connected<E: From<DbError>>(
    tx: &mut Tx,
    new: &NewConnection,
    now: Time,
    seal: impl FnOnce(&ConnectionId) -> Result<Connected, E>,
) -> Result<Connection, E> {
    let found = ensure(tx, new, now).await?;
    let connected = seal(&found.id)?;
    let query = sql(SET_CONNECTED).bind(&new.organization).bind(&found.id).bind(&connected.credential);
    let query = query.bind(connected.account.clone()).bind(connected.expires).bind(new.own).bind(now);
    query.execute(tx).await?;
    let row = sql(BY_ID).bind(&new.organization).bind(&found.id).one(tx).await?;
    Ok(connection(row)?)
}

/// # Errors
/// [`DbError`].
pub async fn by_connector(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
    connector: &Slug,
) -> Result<Option<Connection>, DbError> {
    sql(BY_CONNECTOR)
        .bind(organization)
        .bind(tenant)
        .bind(connector)
        .maybe(tx)
        .await?
        .map(connection)
        .transpose()
}

/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &ConnectionId,
) -> Result<Option<Connection>, DbError> {
    sql(BY_ID).bind(organization).bind(id).maybe(tx).await?.map(connection).transpose()
}

/// In the order in which they were made.
///
/// # Errors
/// [`DbError`].
pub async fn of_tenant(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
) -> Result<Vec<Connection>, DbError> {
    sql(OF_TENANT).bind(organization).bind(tenant).all(tx).await?.into_iter().map(connection).collect()
}

/// Those of a page of tenants, by tenant.
///
/// # Errors
/// [`DbError`].
pub async fn of_tenants(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenants: &[TenantId],
) -> Result<Vec<Connection>, DbError> {
    let mut found = Vec::new();
    for group in tenants.chunks(GROUP) {
        let Some(last) = group.last() else { continue };
        let filled = group.iter().chain(std::iter::repeat(last)).take(GROUP);
        let query =
            filled.fold(sql(of_tenants_text()).bind(organization), |query, tenant| query.bind(*tenant));
        for row in query.all(tx).await? {
            found.push(connection(row)?);
        }
    }
    Ok(found)
}

/// Replaces the credential of a connection that is as it was read (compare-and-swap): after a refresh. `false`
/// where another writer was faster or it was disconnected; read again then.
///
/// # Errors
/// [`DbError`].
pub async fn renew(
    tx: &mut Tx,
    read: &Connection,
    credential: &Sealed,
    expires: Option<Time>,
) -> Result<bool, DbError> {
    let query = sql(RENEW).bind(&read.organization).bind(&read.id).bind(read.version);
    query.bind(credential).bind(expires).wrote(tx).await
}

/// The tenant that a connection belongs to, as far as its use depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home {
    pub environment: Environment,
    pub is_archived: bool,
}

/// # Errors
/// [`DbError`].
pub async fn home(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &ConnectionId,
) -> Result<Option<Home>, DbError> {
    let found = sql(HOME).bind(organization).bind(id).maybe(tx).await?;
    let read = |mut row: Row| Ok(Home { environment: row.take()?, is_archived: row.take()? });
    found.map(read).transpose()
}

/// Who renews a connection's credential, or when it may be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshing {
    pub holder: Option<String>,
    /// The end of the holder's lease; without a holder the end of the pause after a failure.
    pub until: Option<Time>,
    /// In a row.
    pub failures: i64,
}

/// How far the renewal of a connection is; `None` where there is no such connection.
///
/// # Errors
/// [`DbError`].
pub async fn refreshing(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &ConnectionId,
) -> Result<Option<Refreshing>, DbError> {
    let found = sql(REFRESHING).bind(organization).bind(id).maybe(tx).await?;
    let read =
        |mut row: Row| Ok(Refreshing { holder: row.take()?, until: row.take()?, failures: row.take()? });
    found.map(read).transpose()
}

/// Takes the lease to renew a connection that is as it was read, until `until`. `false` where another one has it, a
/// pause is not over yet, or the connection has changed since.
///
/// # Errors
/// [`DbError`].
pub async fn hold_refresh(
    tx: &mut Tx,
    read: &Connection,
    holder: &str,
    now: Time,
    until: Time,
) -> Result<bool, DbError> {
    let query = sql(HOLD_REFRESH).bind(&read.organization).bind(&read.id).bind(read.version);
    query.bind(holder).bind(now).bind(until).wrote(tx).await
}

/// Gives the lease back after a renewal that failed; the next one may begin at `again`. `false` where the lease was
/// lost or the connection has changed since.
///
/// # Errors
/// [`DbError`].
pub async fn refresh_failed(
    tx: &mut Tx,
    read: &Connection,
    holder: &str,
    again: Time,
) -> Result<bool, DbError> {
    let query = sql(REFRESH_FAILED).bind(&read.organization).bind(&read.id).bind(read.version);
    query.bind(holder).bind(again).wrote(tx).await
}

/// Forgets the credential of a connection that is as it was read; `false` where it has changed since.
///
/// # Errors
/// [`DbError`].
pub async fn set_disconnected(tx: &mut Tx, read: &Connection, now: Time) -> Result<bool, DbError> {
    sql(DISCONNECT).bind(&read.organization).bind(&read.id).bind(read.version).bind(now).wrote(tx).await
}
