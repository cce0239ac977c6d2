//! Who does what next: organizations take turns, and a claim is a lease.

use super::{Job, Kind, columns, job};
use crate::db::{Db, DbError, Query, Row, Tx, sql};
use crate::statements::statements;
use kernel::Time;
use kernel::ids::{JobId, OrganizationId};
use std::collections::BTreeMap;

/// Organizations that one claim looks at.
const TURNS: usize = 32;
/// Organizations of one statement on PostgreSQL.
const TOGETHER: usize = 8;
/// Rounds of turns in one claim: a second one where the first left slots free that others may fill.
const ROUNDS: usize = 2;

// On PostgreSQL rows that another node is about to claim are passed over instead of waited for. SQLite has one writer, who
// never meets another.
macro_rules! promote {
    ($skip:literal) => {
        concat!(
            "UPDATE jobs SET state = 'ready' WHERE id IN (SELECT id FROM jobs WHERE state = 'waiting' AND due_at <= $1
            ORDER BY due_at LIMIT $2",
            $skip,
            ")"
        )
    };
}
macro_rules! release {
    ($skip:literal) => {
        concat!(
            "UPDATE jobs SET state = 'ready', holder = NULL, held_until = NULL, again_at = NULL WHERE id IN
            (SELECT id FROM jobs WHERE state = 'held' AND held_until < $1 ORDER BY held_until LIMIT $2",
            $skip,
            ")"
        )
    };
}

const PROMOTE_ON_SQLITE: &str = promote!("");
const PROMOTE_ON_POSTGRES: &str = promote!(" FOR UPDATE SKIP LOCKED");
const RELEASE_ON_SQLITE: &str = release!("");
const RELEASE_ON_POSTGRES: &str = release!(" FOR UPDATE SKIP LOCKED");
const TAKE_ON_SQLITE: &str = concat!(
    "UPDATE jobs SET state = 'held', holder = $1, held_until = $2, attempts = attempts + 1, again_at = NULL WHERE id IN
    (SELECT id FROM jobs WHERE kind = $3 AND organization_id = $4 AND state = 'ready' ORDER BY due_at LIMIT $5)
    RETURNING ",
    columns!()
);
// As many of each organization as its own allowance says, of eight organizations at once.
const TAKE_ON_POSTGRES: &str = "UPDATE jobs SET state = 'held', holder = $1, held_until = $2, attempts = attempts + 1,
    again_at = NULL FROM (VALUES ($4, CAST($5 AS BIGINT)), ($6, $7), ($8, $9), ($10, $11), ($12, $13), ($14, $15), ($16, $17),
        ($18, $19)) AS t (organization, allowance)
    CROSS JOIN LATERAL (SELECT id FROM jobs WHERE kind = $3 AND organization_id = t.organization AND state = 'ready'
        ORDER BY due_at LIMIT t.allowance FOR UPDATE SKIP LOCKED) AS mine WHERE jobs.id = mine.id
    RETURNING jobs.id, jobs.kind, jobs.organization_id, jobs.subject, jobs.state, jobs.attempts, jobs.due_at,
        jobs.again_at, jobs.holder, jobs.held_until, jobs.failure, jobs.created_at, jobs.died_at";

/// The texts that only SQLite is told.
pub(crate) const ON_SQLITE: &[(&str, &str)] = &[
    ("jobs::PROMOTE", PROMOTE_ON_SQLITE),
    ("jobs::RELEASE", RELEASE_ON_SQLITE),
    ("jobs::TAKE", TAKE_ON_SQLITE),
];
/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[
    ("jobs::PROMOTE", PROMOTE_ON_POSTGRES),
    ("jobs::RELEASE", RELEASE_ON_POSTGRES),
    ("jobs::TAKE", TAKE_ON_POSTGRES),
];

statements! {
    // One step in the index for each organization, however many jobs it has.
    IN_TURN = "WITH RECURSIVE turns (organization, place) AS (
        SELECT (SELECT organization_id FROM jobs WHERE kind = $1 AND state = 'ready' AND organization_id > $2
            ORDER BY organization_id LIMIT 1), 1
        UNION ALL
        SELECT (SELECT organization_id FROM jobs WHERE kind = $1 AND state = 'ready'
            AND organization_id > turns.organization ORDER BY organization_id LIMIT 1), turns.place + 1
        FROM turns WHERE turns.organization IS NOT NULL AND turns.place < $3)
        SELECT organization FROM turns WHERE organization IS NOT NULL";
    LOOK = "SELECT (SELECT due_at FROM jobs WHERE state = 'waiting' ORDER BY due_at LIMIT 1),
        (SELECT held_until FROM jobs WHERE state = 'held' ORDER BY held_until LIMIT 1),
        EXISTS (SELECT 1 FROM jobs WHERE kind = $1 AND state = 'ready'),
        EXISTS (SELECT 1 FROM jobs WHERE kind = $2 AND state = 'ready'),
        EXISTS (SELECT 1 FROM jobs WHERE kind = $3 AND state = 'ready'),
        EXISTS (SELECT 1 FROM jobs WHERE kind = $4 AND state = 'ready')";
    // The holder is the guard: of a lease that is over and taken by another nothing is extended.
    EXTEND = "UPDATE jobs SET held_until = $3 WHERE id = $1 AND holder = $2";
}

/// What there is to do, seen without writing anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When the first of those that wait is due.
    pub next_due: Option<Time>,
    /// When the first lease ends.
    pub first_lease_end: Option<Time>,
    /// Kinds of which something is ready.
    pub ready: Vec<Kind>,
}

impl Look {
    /// Whether the time of one that waits has come, and whether a lease ended before `before`.
    pub fn is_overdue(&self, now: Time, before: Time) -> (bool, bool) {
        let is_due = self.next_due.is_some_and(|due| due <= now);
        (is_due, self.first_lease_end.is_some_and(|end| end < before))
    }
}

/// Who claims what, for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub kind: Kind,
    /// Who holds what is claimed; another for each process.
    pub holder: String,
    pub until: Time,
    /// How many at most.
    pub free: usize,
    /// How many can be under way at a time, those under way included.
    pub slots: usize,
    /// How many of each organization are under way here.
    pub under_way: BTreeMap<OrganizationId, usize>,
    /// Whose turn was last; the one after it is next. Empty at the beginning.
    pub after: String,
    /// What the claim found: whether something that is ready may be left. Also where it got fewer than it asked for,
    /// because an organization has its part already.
    pub is_left: bool,
}

fn looked() -> Query {
    Kind::ALL.iter().fold(sql(LOOK), |query, kind| query.bind(kind.as_str()))
}

fn seen(row: Option<Row>) -> Result<Look, DbError> {
    let mut row = row.ok_or_else(|| DbError::Bug("a statement had no row where one was due".to_owned()))?;
    let (next_due, first_lease_end) = (row.take()?, row.take()?);
    let mut ready = Vec::new();
    for kind in Kind::ALL {
        if row.take::<bool>()? {
            ready.push(kind);
        }
    }
    Ok(Look { next_due, first_lease_end, ready })
}

/// One statement, by itself.
///
/// # Errors
/// [`DbError`].
pub async fn look(db: &Db) -> Result<Look, DbError> {
    seen(db.maybe(looked()).await?)
}

/// The same in a unit of work that goes on with what it saw.
///
/// # Errors
/// [`DbError`].
pub async fn look_in(tx: &mut Tx) -> Result<Look, DbError> {
    seen(looked().maybe(tx).await?)
}

/// Makes at most `limit` of those ready whose time has come; how many.
///
/// # Errors
/// [`DbError`].
pub async fn promote(tx: &mut Tx, now: Time, limit: i64) -> Result<u64, DbError> {
    let text = if tx.is_postgres() { PROMOTE_ON_POSTGRES } else { PROMOTE_ON_SQLITE };
    sql(text).bind(now).bind(limit).execute(tx).await
}

/// Makes at most `limit` of those ready again whose lease ended before `before`, which is a grace earlier than now; how
/// many. Their tries stay counted, so that a job which ends every process that begins it does not go on for ever.
///
/// # Errors
/// [`DbError`].
pub async fn release_expired(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    let text = if tx.is_postgres() { RELEASE_ON_POSTGRES } else { RELEASE_ON_SQLITE };
    sql(text).bind(before).bind(limit).execute(tx).await
}

/// Claims what is ready, organization by organization, and moves `claim.after` on. While several organizations have
/// something ready, none gets more than its part of the slots; one that is alone gets all.
///
/// # Errors
/// [`DbError`].
pub async fn claim(tx: &mut Tx, claim: &mut Claim) -> Result<Vec<Job>, DbError> {
    let mut claimed = Vec::new();
    for _ in 0..ROUNDS {
        let turns = in_turn(tx, claim).await?;
        let allowances = allowances(claim, &turns);
        let taken = take(tx, claim, &allowances).await?;
        claim.is_left = turns.len() >= TURNS || is_left(&turns, &allowances, &taken);
        claim.after = if turns.len() < TURNS && allowances.len() == turns.len() {
            String::new()
        } else {
            allowances.last().map_or_else(String::new, |(organization, _)| organization.clone())
        };
        for job in &taken {
            *claim.under_way.entry(job.organization.clone()).or_default() += 1;
        }
        claim.free = claim.free.saturating_sub(taken.len());
        let over = claim.free == 0 || turns.len() < 2 || taken.is_empty();
        claimed.extend(taken);
        if over {
            break;
        }
    }
    Ok(claimed)
}

/// The organizations with something ready, from the one whose turn it is.
async fn in_turn(tx: &mut Tx, claim: &Claim) -> Result<Vec<String>, DbError> {
    let from = |after: &str| {
        let limit = i64::try_from(TURNS).unwrap_or(i64::MAX);
        sql(IN_TURN).bind(claim.kind.as_str()).bind(after).bind(limit)
    };
    let mut turns = Vec::new();
    for mut row in from(&claim.after).all(tx).await? {
        turns.push(row.take::<String>()?);
    }
    if turns.len() < TURNS && !claim.after.is_empty() {
        for mut row in from("").all(tx).await? {
            let organization = row.take::<String>()?;
            if organization > claim.after || turns.len() >= TURNS {
                break;
            }
            turns.push(organization);
        }
    }
    Ok(turns)
}

/// How many each organization gets, in turn, as long as there are free slots; those that get none are left out.
fn allowances(claim: &Claim, turns: &[String]) -> Vec<(String, usize)> {
    let part = if turns.len() > 1 { (claim.slots / turns.len()).max(1) } else { claim.slots };
    let mut left = claim.free;
    let mut out = Vec::new();
    for organization in turns {
        let under_way = claim.under_way.iter().find(|(known, _)| known.as_str() == organization);
        let allowance = part.saturating_sub(under_way.map_or(0, |(_, count)| *count)).min(left);
        if allowance > 0 {
            left -= allowance;
            out.push((organization.clone(), allowance));
        }
    }
    out
}

/// Whether one of them may have more that is ready: it got all that it was allowed, or was allowed nothing.
fn is_left(turns: &[String], allowances: &[(String, usize)], taken: &[Job]) -> bool {
    turns.iter().any(|organization| {
        let allowed = allowances.iter().find(|(of, _)| of == organization).map_or(0, |(_, count)| *count);
        taken.iter().filter(|job| job.organization.as_str() == organization).count() >= allowed
    })
}

async fn take(tx: &mut Tx, claim: &Claim, allowances: &[(String, usize)]) -> Result<Vec<Job>, DbError> {
    let number = |allowance: usize| i64::try_from(allowance).unwrap_or(i64::MAX);
    let start = |text: &'static str| -> Query {
        sql(text).bind(&claim.holder).bind(claim.until).bind(claim.kind.as_str())
    };
    let mut taken = Vec::new();
    if tx.is_postgres() {
        for some in allowances.chunks(TOGETHER) {
            let mut query = start(TAKE_ON_POSTGRES);
            let none = (String::new(), 0);
            for (organization, allowance) in some.iter().chain(std::iter::repeat(&none)).take(TOGETHER) {
                query = query.bind(organization).bind(number(*allowance));
            }
            for row in query.all(tx).await? {
                taken.push(job(row)?);
            }
        }
    } else {
        for (organization, allowance) in allowances {
            let query = start(TAKE_ON_SQLITE).bind(organization).bind(number(*allowance));
            for row in query.all(tx).await? {
                taken.push(job(row)?);
            }
        }
    }
    Ok(taken)
}

/// Moves the end of a lease; `false` where the lease is another's by now or the job was taken out.
///
/// # Errors
/// [`DbError`].
pub async fn extend(db: &Db, id: &JobId, holder: &str, until: Time) -> Result<bool, DbError> {
    // Not with what others write: jobs are locked in the order of their tenants, or one at a time.
    let query = sql(EXTEND).bind(id).bind(holder).bind(until);
    db.write(|tx| Box::pin(async move { query.wrote(tx).await })).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(free: usize, slots: usize) -> Claim {
        Claim {
            kind: Kind::Run,
            holder: "node".to_owned(),
            until: Time::from_seconds(1),
            free,
            slots,
            under_way: BTreeMap::new(),
            after: String::new(),
            is_left: false,
        }
    }

    fn turns(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("org_{number:026}")).collect()
    }

    #[test]
    fn who_is_alone_gets_everything() {
        assert_eq!(allowances(&claim(16, 16), &turns(1)), [(turns(1).remove(0), 16)]);
        assert_eq!(allowances(&claim(3, 16), &turns(1)), [(turns(1).remove(0), 3)]);
        assert!(allowances(&claim(3, 16), &[]).is_empty());
    }

    #[test]
    fn nobody_gets_more_than_its_part_while_others_wait() {
        let turns = turns(2);
        let mut claim = claim(16, 16);
        assert_eq!(allowances(&claim, &turns).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [8, 8]);
        claim.free = 4;
        claim.under_way.insert(OrganizationId::parse(&turns[0]).unwrap(), 12);
        assert_eq!(allowances(&claim, &turns), [(turns[1].clone(), 4)]);
    }

    #[test]
    fn with_more_organizations_than_slots_the_first_in_turn_get_one_each() {
        let given = allowances(&claim(3, 3), &turns(10));
        assert!(is_left(&turns(10), &given, &[]), "seven were given nothing");
        assert_eq!(given, turns(3).into_iter().map(|organization| (organization, 1)).collect::<Vec<_>>());
    }
}
