//! Jobs that are held from their birth on: whoever asks for them in a process that has room for them begins them as
//! soon as they are committed, without a claim.

use super::{Job, Kind, State, Wish, asked_again, columns, job};
use crate::db::{DbError, Query, Row, Tx, sql};
use crate::statements::statements;
use kernel::ids::{JobId, OrganizationId};
use kernel::{Chance, Time};
use std::collections::{BTreeMap, HashSet};

/// Subjects of one statement.
const TOGETHER: usize = 8;

/// Who has a job from its birth on, and until when: a lease like that of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub holder: String,
    pub until: Time,
}

statements! {
    // Whose id comes back says whether the job was new. One that was there already is asked for as ever, and held by
    // nobody for it.
    ENQUEUE = concat!("INSERT INTO jobs (id, kind, organization_id, subject, state, attempts, due_at, again_at, holder,
        held_until, failure, created_at, died_at)
        VALUES ($1, $2, $3, $4, 'held', 1, $5, NULL, $6, $7, NULL, $5, NULL)
        ON CONFLICT (kind, subject) DO UPDATE SET ", asked_again!("'ready'"), " RETURNING id");
    ENQUEUE_MANY = concat!("WITH wished (id, organization, subject, holder, until) AS (VALUES
            ($3, $4, $5, $6, CAST($7 AS BIGINT)), ($8, $9, $10, $11, $12), ($13, $14, $15, $16, $17),
            ($18, $19, $20, $21, $22), ($23, $24, $25, $26, $27), ($28, $29, $30, $31, $32),
            ($33, $34, $35, $36, $37), ($38, $39, $40, $41, $42))
        INSERT INTO jobs (id, kind, organization_id, subject, state, attempts, due_at, holder, held_until, created_at)
        SELECT wished.id, $1, wished.organization, wished.subject,
            CASE WHEN wished.holder IS NULL THEN 'ready' ELSE 'held' END,
            CASE WHEN wished.holder IS NULL THEN 0 ELSE 1 END, CAST($2 AS BIGINT), wished.holder, wished.until,
            CAST($2 AS BIGINT)
        FROM wished WHERE wished.id <> '' ON CONFLICT (kind, subject) DO UPDATE SET ", asked_again!("'ready'"),
        " RETURNING id");
    HELD_BY = concat!("SELECT ", columns!(), " FROM jobs WHERE id = $1 AND holder = $2");
}

impl Hold {
    /// The job of a wish that is due now, as it is written where it is new.
    pub fn born(&self, wish: Wish<'_>, id: JobId) -> Job {
        let Wish { kind, organization, subject, due } = wish;
        Job {
            id,
            kind,
            organization: organization.clone(),
            subject,
            state: State::Held,
            attempts: 1,
            due,
            again: None,
            holder: Some(self.holder.clone()),
            held_until: Some(self.until),
            failure: None,
            created: due,
            died: None,
        }
    }
}

/// As [`super::enqueue`] of what is due at once, but a job that is new is held at once: it is returned, for its holder to
/// begin after the commit. `None` where it was there already; then it is asked for as ever.
///
/// # Errors
/// [`DbError`].
pub async fn enqueue_held(
    tx: &mut Tx,
    wish: Wish<'_>,
    id: JobId,
    hold: &Hold,
) -> Result<Option<Job>, DbError> {
    let query = sql(ENQUEUE).bind(&id).bind(wish.kind.as_str()).bind(wish.organization).bind(&wish.subject);
    let known: JobId = query.bind(wish.due).bind(&hold.holder).bind(hold.until).one(tx).await?.take()?;
    let is_new = known == id;
    Ok(is_new.then(|| hold.born(wish, id)))
}

/// A job that is asked for, held from the start where it has a hold and is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wished {
    pub id: JobId,
    pub organization: OrganizationId,
    pub subject: String,
    pub hold: Option<Hold>,
}

impl Wished {
    /// The job as it is written where it is new and held.
    pub fn born(&self, kind: Kind, now: Time) -> Option<Job> {
        let wish = Wish { kind, organization: &self.organization, subject: self.subject.clone(), due: now };
        self.hold.as_ref().map(|hold| hold.born(wish, self.id.clone()))
    }
}

/// The statements that ask for these jobs of one kind, which are due now. Those that were new come back by their ids.
/// They are asked for in the order in which they are given, which is that of the tenants' numbers.
pub(crate) fn asking(kind: Kind, wished: &[Wished], now: Time) -> Vec<Query> {
    let some = |some: &[Wished]| {
        let mut query = sql(ENQUEUE_MANY).bind(kind.as_str()).bind(now);
        for Wished { id, organization, subject, hold } in some {
            let (holder, until) = hold.as_ref().map(|hold| (hold.holder.as_str(), hold.until)).unzip();
            query = query.bind(id).bind(organization).bind(subject).bind(holder).bind(until);
        }
        // Places that are left over name no job.
        for _ in some.len()..TOGETHER {
            query = query.bind("").bind("").bind("").bind(None::<&str>).bind(None::<Time>);
        }
        query
    };
    wished.chunks(TOGETHER).map(some).collect()
}

/// Those that are held by whoever asked, of the ids that came back.
pub(crate) fn held_of(kind: Kind, wished: &[Wished], new: &HashSet<JobId>, now: Time) -> Vec<Job> {
    wished
        .iter()
        .filter(|wished| new.contains(&wished.id))
        .filter_map(|wished| wished.born(kind, now))
        .collect()
}

/// As [`super::enqueue`] for several subjects of one kind that are due now, in few statements, in the order of their
/// subjects, each once. Those with a hold are held at once where they are new: they are returned, for their holder to
/// begin after the commit.
///
/// # Errors
/// [`DbError`].
pub async fn enqueue_now(
    tx: &mut Tx,
    kind: Kind,
    subjects: BTreeMap<String, (&OrganizationId, Option<Hold>)>,
    now: Time,
    chance: &dyn Chance,
) -> Result<Vec<Job>, DbError> {
    let wished = subjects.into_iter().map(|(subject, (organization, hold))| Wished {
        id: JobId::new(now, chance),
        organization: organization.clone(),
        subject,
        hold,
    });
    let wished: Vec<Wished> = wished.collect();
    let rows = tx.together(&asking(kind, &wished, now)).await?.into_iter().flatten();
    let new = rows.map(|mut row: Row| row.take::<JobId>()).collect::<Result<HashSet<_>, _>>()?;
    Ok(held_of(kind, &wished, &new, now))
}

/// A job as long as this holder has it.
///
/// # Errors
/// [`DbError`].
pub async fn held_by(tx: &mut Tx, id: &JobId, holder: &str) -> Result<Option<Job>, DbError> {
    sql(HELD_BY).bind(id).bind(holder).maybe(tx).await?.map(job).transpose()
}
