//! Users of organizations, known by what a signed token says of them.

use crate::db::{DbError, Row, Tx, sql};
use crate::listing::{Listed, Page};
use crate::statements::statements;
use kernel::ids::{OrganizationId, UserId};
use kernel::{Environment, User};

/// What a list may be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Username,
    Id,
    Created,
}

impl Sort {
    pub const ALL: [Self; 3] = [Self::Username, Self::Id, Self::Created];

    /// The published field's name (contract `connect.md`, 5).
    pub const fn field(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Id => "id",
            Self::Created => "created_timestamp",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Id => "id",
            Self::Created => "created_at",
        }
    }
}

macro_rules! columns {
    () => {
        "id, organization_id, environment, username, email, external_id, meta, attributes, created_at, modified_at"
    };
}

statements! {
    UPSERT = concat!("INSERT INTO users (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (organization_id, environment, username) DO UPDATE SET email = excluded.email,
        external_id = excluded.external_id, meta = excluded.meta, attributes = excluded.attributes,
        modified_at = excluded.modified_at RETURNING id");
    BY_ID = concat!("SELECT ", columns!(), " FROM users WHERE organization_id = $1 AND id = $2");
    BY_USERNAME = concat!("SELECT ", columns!(), " FROM users
        WHERE organization_id = $1 AND environment = $2 AND username = $3");
    PAGE = concat!("SELECT ", columns!(), " FROM users WHERE organization_id = $1 AND environment = $2");
    COUNT = "SELECT COUNT(*) FROM users WHERE organization_id = $1 AND environment = $2";
}

/// The composed statements, for the test that prepares them.
pub(crate) fn composed() -> Vec<String> {
    let page = |sort: Sort, descending| Page { sort, descending, limit: 1, skip: 0 };
    let both = |sort: Sort| {
        [false, true].map(|descending| format!("{PAGE}{}", page(sort, descending).tail(sort.column(), 3)))
    };
    Sort::ALL.into_iter().flat_map(both).collect()
}

fn user(mut row: Row) -> Result<User, DbError> {
    let (id, organization, environment, username) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (email, external_id, meta, attributes) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (created, modified) = (row.take()?, row.take()?);
    Ok(User {
        id,
        organization,
        environment,
        username,
        email,
        external_id,
        meta,
        attributes,
        created,
        modified,
    })
}

/// Makes the user or brings what is known of it up to date; returns the id that counts. The key is
/// (organization, environment, username) and nothing else (lesson 24): id and creation time of a user that exists
/// stay, whatever `user` says.
///
/// # Errors
/// [`DbError`].
pub async fn upsert(tx: &mut Tx, user: &User) -> Result<UserId, DbError> {
    let query =
        sql(UPSERT).bind(&user.id).bind(&user.organization).bind(user.environment).bind(&user.username);
    let query = query.bind(user.email.clone()).bind(user.external_id.clone()).bind(&user.meta);
    query.bind(&user.attributes).bind(user.created).bind(user.modified).one(tx).await?.take()
}

/// # Errors
/// [`DbError`].
pub async fn by_id(tx: &mut Tx, organization: &OrganizationId, id: UserId) -> Result<Option<User>, DbError> {
    sql(BY_ID).bind(organization).bind(&id).maybe(tx).await?.map(user).transpose()
}

/// # Errors
/// [`DbError`].
pub async fn by_username(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    username: &str,
) -> Result<Option<User>, DbError> {
    sql(BY_USERNAME)
        .bind(organization)
        .bind(environment)
        .bind(username)
        .maybe(tx)
        .await?
        .map(user)
        .transpose()
}

/// A page of an organization's users in one environment.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Environment,
    page: Page<Sort>,
) -> Result<Listed<User>, DbError> {
    let total = sql(COUNT).bind(organization).bind(environment).one(tx).await?.take()?;
    let text = format!("{PAGE}{}", page.tail(page.sort.column(), 3));
    let query = sql(text).bind(organization).bind(environment).bind(page.limit.max(0)).bind(page.skip.max(0));
    let rows = query.all(tx).await?;
    Ok(Listed { rows: rows.into_iter().map(user).collect::<Result<_, _>>()?, total })
}
