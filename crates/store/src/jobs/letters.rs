//! Dead letters, and what the queue looks like from outside.

use super::{Job, Kind, State, columns, job};
use crate::db::{DbError, Query, Tx, sql};
use crate::listing::{Listed, Page};
use crate::statements::statements;
use kernel::ids::{JobId, OrganizationId};
use kernel::{Environment, Time};
use std::borrow::Cow;

// Of a kind and of an environment, where those are not empty. What a job is about is named as `Kind` says: `end_..` with
// its 30 characters begins the name of a lane.
macro_rules! chosen {
    () => {
        "($2 = '' OR kind = $2) AND ($3 = '' OR $3 = CASE kind
            WHEN 'run' THEN (SELECT t.environment FROM tenants AS t WHERE t.id = CAST(jobs.subject AS BIGINT))
            WHEN 'refresh' THEN (SELECT t.environment FROM connections AS c JOIN tenants AS t ON t.id = c.tenant_id
                WHERE c.id = jobs.subject)
            WHEN 'notice' THEN COALESCE((SELECT e.environment FROM notices AS n
                JOIN notice_endpoints AS e ON e.id = n.endpoint_id WHERE n.id = jobs.subject),
                (SELECT e.environment FROM notice_endpoints AS e WHERE e.id = SUBSTR(jobs.subject, 1, 30)))
            WHEN 'build' THEN (SELECT i.environment FROM releases AS r JOIN integrations AS i ON i.id = r.integration_id
                WHERE r.id = CAST(jobs.subject AS BIGINT)) END)"
    };
}

statements! {
    // A job has no environment of its own; what it is about has one.
    COUNT_DEAD = concat!("SELECT COUNT(*) FROM jobs WHERE organization_id = $1 AND state = 'dead' AND ", chosen!());
    BY_ID = concat!("SELECT ", columns!(), " FROM jobs WHERE organization_id = $1 AND id = $4 AND ", chosen!());
    // Only a dead one: what is alive is under somebody's hands, and a second replay changes nothing.
    REPLAY = "UPDATE jobs SET state = 'ready', attempts = 0, due_at = $3, failure = NULL, died_at = NULL
        WHERE organization_id = $1 AND id = $2 AND state = 'dead'";
    DELETE = "DELETE FROM jobs WHERE organization_id = $1 AND id = $2 AND state = 'dead'";
    // One that is alive again meanwhile has not died.
    DELETE_DIED = "DELETE FROM jobs WHERE died_at < $1 AND id IN (SELECT id FROM jobs WHERE state = 'dead'
        AND died_at < $1 ORDER BY died_at LIMIT $2)";
    COUNT_READY = "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE state = 'ready' AND kind = $1 LIMIT $2) AS counted";
    COUNT_WAITING = "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE state = 'waiting' LIMIT $1) AS counted";
    COUNT_HELD = "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE state = 'held' LIMIT $1) AS counted";
    COUNT_ALL_DEAD = "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE state = 'dead' LIMIT $1) AS counted";
    OLDEST_READY = "WITH RECURSIVE turns (organization) AS (
        SELECT (SELECT organization_id FROM jobs WHERE kind = $1 AND state = 'ready' ORDER BY organization_id LIMIT 1)
        UNION ALL
        SELECT (SELECT organization_id FROM jobs WHERE kind = $1 AND state = 'ready'
            AND organization_id > turns.organization ORDER BY organization_id LIMIT 1)
        FROM turns WHERE turns.organization IS NOT NULL)
        SELECT MIN((SELECT due_at FROM jobs WHERE kind = $1 AND state = 'ready' AND organization_id = turns.organization
            ORDER BY due_at LIMIT 1)) FROM turns WHERE turns.organization IS NOT NULL";
}

// A beginning that is never run by itself: `list` goes on with the order.
const DEAD: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM jobs WHERE organization_id = $1 AND state = 'dead' AND ",
    chosen!()
);

/// The composed statements, for the test that prepares them.
pub(crate) fn composed() -> Vec<String> {
    let page = |descending| Page { descending, ..Page::newest(1) };
    [true, false].map(|descending| format!("{DEAD}{}", page(descending).tail("id", 4))).to_vec()
}

/// Which dead letters of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letters {
    pub organization: OrganizationId,
    pub environment: Option<Environment>,
    pub kind: Option<Kind>,
    /// Which part; a letter's id says when it was written.
    pub page: Page<()>,
}

/// How deep the queue is; counts end at [`DEEPEST`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// Of each kind: how many are ready, and since when the oldest of them is.
    pub ready: Vec<(Kind, i64, Option<Time>)>,
    pub waiting: i64,
    pub held: i64,
    pub dead: i64,
}

/// Where counting ends: a figure for a graph shall not cost what the queue itself costs.
pub const DEEPEST: i64 = 100_000;

/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx, which: &Letters) -> Result<Listed<Job>, DbError> {
    let total = chosen(COUNT_DEAD, &which.organization, which.environment, which.kind);
    let total = total.one(tx).await?.take()?;
    let text = format!("{DEAD}{}", which.page.tail("id", 4));
    let rows = chosen(text, &which.organization, which.environment, which.kind);
    let rows = rows.bind(which.page.limit.max(0)).bind(which.page.skip.max(0)).all(tx).await?;
    Ok(Listed { rows: rows.into_iter().map(job).collect::<Result<_, _>>()?, total })
}

fn chosen(
    text: impl Into<Cow<'static, str>>,
    organization: &OrganizationId,
    environment: Option<Environment>,
    kind: Option<Kind>,
) -> Query {
    let query = sql(text).bind(organization).bind(kind.map_or("", Kind::as_str));
    query.bind(environment.map_or("", Environment::as_str))
}

/// In whatever state it is.
///
/// # Errors
/// [`DbError`].
pub async fn by_id(
    tx: &mut Tx,
    organization: &OrganizationId,
    environment: Option<Environment>,
    id: &JobId,
) -> Result<Option<Job>, DbError> {
    chosen(BY_ID, organization, environment, None).bind(id).maybe(tx).await?.map(job).transpose()
}

/// Makes a dead one ready again, as if it had never been tried. `false` where it is not dead or not there.
///
/// # Errors
/// [`DbError`].
pub async fn replay(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: &JobId,
    now: Time,
) -> Result<bool, DbError> {
    sql(REPLAY).bind(organization).bind(id).bind(now).wrote(tx).await
}

/// Deletes a dead one. `false` where it is not dead or not there.
///
/// # Errors
/// [`DbError`].
pub async fn delete(tx: &mut Tx, organization: &OrganizationId, id: &JobId) -> Result<bool, DbError> {
    sql(DELETE).bind(organization).bind(id).wrote(tx).await
}

/// Deletes at most `limit` that were given up before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_died(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_DIED).bind(before).bind(limit).execute(tx).await
}

/// For the operator's metrics.
///
/// # Errors
/// [`DbError`].
pub async fn depth(tx: &mut Tx) -> Result<Depth, DbError> {
    let mut ready = Vec::new();
    for kind in Kind::ALL {
        let count = sql(COUNT_READY).bind(kind.as_str()).bind(DEEPEST).one(tx).await?.take()?;
        let oldest = sql(OLDEST_READY).bind(kind.as_str()).one(tx).await?.take()?;
        ready.push((kind, count, oldest));
    }
    let waiting = sql(COUNT_WAITING).bind(DEEPEST).one(tx).await?.take()?;
    let held = sql(COUNT_HELD).bind(DEEPEST).one(tx).await?.take()?;
    let dead = sql(COUNT_ALL_DEAD).bind(DEEPEST).one(tx).await?.take()?;
    Ok(Depth { ready, waiting, held, dead })
}

impl Depth {
    /// The figures by kind and state; those that are not ready are counted over all kinds.
    pub fn figures(&self) -> Vec<(&'static str, State, i64)> {
        let ready = self.ready.iter().map(|(kind, count, _)| (kind.as_str(), State::Ready, *count));
        let others = [(State::Waiting, self.waiting), (State::Held, self.held), (State::Dead, self.dead)];
        ready.chain(others.map(|(state, count)| ("any", state, count))).collect()
    }
}
