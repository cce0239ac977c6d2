//! The audit log: written in the same unit of work as the change it tells of.

use crate::db::{DbError, Query, Row, Tx, json, sql};
use crate::listing::{Listed, Page};
use crate::statements::statements;
use kernel::ids::{AuditId, OrganizationId};
use kernel::{Actor, Time, audit::Event};

/// An event as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: AuditId,
    pub at: Time,
    pub organization: Option<OrganizationId>,
    pub actor: Actor,
    pub action: String,
    pub subject: String,
    pub detail: serde_json::Value,
}

/// What a list may be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Date,
    Action,
    Subject,
}

impl Sort {
    pub const ALL: [Self; 3] = [Self::Date, Self::Action, Self::Subject];

    /// The published field's name (contract `connect.md`, 6).
    pub const fn field(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Action => "action",
            Self::Subject => "subject",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Date => "at",
            Self::Action => "action",
            Self::Subject => "subject",
        }
    }
}

macro_rules! columns {
    () => {
        "id, at, organization_id, actor, action, subject, detail"
    };
}

statements! {
    INSERT = concat!("INSERT INTO audit (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7)");
    DELETE_BEFORE = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)";
}

// Beginnings that are never run by themselves.
const PAGE: &str = concat!("SELECT ", columns!(), " FROM audit");
const COUNT: &str = "SELECT COUNT(*) FROM audit";
const OF_ALL: &str = " WHERE at >= $1";
const OF_ORGANIZATION: &str = " WHERE at >= $1 AND organization_id = $2";

/// The composed statements, for the test that prepares them.
pub(crate) fn composed() -> Vec<String> {
    let mut out = vec![format!("{COUNT}{OF_ALL}"), format!("{COUNT}{OF_ORGANIZATION}")];
    for sort in Sort::ALL {
        for descending in [true, false] {
            let page = Page { sort, descending, limit: 1, skip: 0 };
            out.push(format!("{PAGE}{OF_ALL}{}", page.tail(sort.column(), 2)));
            out.push(format!("{PAGE}{OF_ORGANIZATION}{}", page.tail(sort.column(), 3)));
        }
    }
    out
}

fn entry(mut row: Row) -> Result<Entry, DbError> {
    let (id, at, organization, actor) = (row.take()?, row.take()?, row.take()?, row.take_json()?);
    Ok(Entry { id, at, organization, actor, action: row.take()?, subject: row.take()?, detail: row.take()? })
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, event: &Event) -> Result<(), DbError> {
    insertion(event)?.execute(tx).await.map(drop)
}

pub(crate) fn insertion(event: &Event) -> Result<Query, DbError> {
    let query = sql(INSERT).bind(&event.id).bind(event.at).bind(event.organization.as_ref());
    let query = query.bind(json(&event.actor)?).bind(event.action).bind(&event.subject);
    Ok(query.bind(&event.detail))
}

/// A page of what happened since `since`; of one organization, or of all for the operator.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: Option<&OrganizationId>,
    since: Time,
    page: Page<Sort>,
) -> Result<Listed<Entry>, DbError> {
    let (which, next) = if organization.is_some() { (OF_ORGANIZATION, 3) } else { (OF_ALL, 2) };
    let bound = |text: String| {
        let query = sql(text).bind(since);
        organization.map_or(query.clone(), |organization| query.bind(organization))
    };
    let total = bound(format!("{COUNT}{which}")).one(tx).await?.take()?;
    let query = bound(format!("{PAGE}{which}{}", page.tail(page.sort.column(), next)));
    let rows = query.bind(page.limit.max(0)).bind(page.skip.max(0)).all(tx).await?;
    Ok(Listed { rows: rows.into_iter().map(entry).collect::<Result<_, _>>()?, total })
}

/// Deletes at most `limit` events from before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(before).bind(limit).execute(tx).await
}
