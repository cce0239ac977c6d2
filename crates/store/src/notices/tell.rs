//! Events on their way to endpoints, with their messages and jobs: in few round trips, or all of it at a stroke.

use crate::db::{Db, DbError, Query, Row, Tx, json, sql};
use crate::jobs::{self, Hold, Kind, State, Wish};
use crate::statements::statements;
use crate::{audit, events};
use connect::notice::{Endpoint, NewEvent, Subject};
use kernel::Time;
use kernel::ids::{EndpointId, EventId, JobId, MessageId};

// All of it, of all that tell something meanwhile.
const TELL_ON_POSTGRES: &str =
    "WITH new (message, event, job, organization, environment, name, tenant, body, endpoint, revision, holder,
        until, line, actor, action, detail, now) AS (VALUES ($1, $2, $3, $4, $5, $6, CAST($7 AS BIGINT), $8, $9,
            CAST($10 AS BIGINT), $11, CAST($12 AS BIGINT), $13, $14, $15, $16, CAST($17 AS BIGINT))),
        heard AS (SELECT new.*, p.failing_since, p.resume_at FROM new JOIN notice_endpoints AS p ON p.id = new.endpoint
            AND p.organization_id = new.organization AND p.environment = new.environment
            AND p.modified_at = new.revision AND p.disabled IS NULL AND p.deleted_at IS NULL),
        told AS (INSERT INTO events (id, organization_id, environment, event, tenant_id, body, created_at)
            SELECT event, organization, environment, name, tenant, body, now FROM heard),
        noted AS (INSERT INTO audit (id, at, organization_id, actor, action, subject, detail)
            SELECT line, now, organization, actor, action, endpoint, detail FROM heard),
        asked AS (INSERT INTO jobs (id, kind, organization_id, subject, state, attempts, due_at, holder, held_until,
                created_at)
            SELECT job, 'notice', organization, message, CASE WHEN holder IS NULL THEN 'ready' ELSE 'held' END,
                CASE WHEN holder IS NULL THEN 0 ELSE 1 END, now, holder, until, now FROM heard),
        written AS (INSERT INTO notices (id, endpoint_id, event_id, state, since, begun_at, failures, attempts)
            SELECT message, endpoint, event, 'waiting', now, now, 0, 0 FROM heard)
        SELECT message, failing_since, resume_at FROM heard";

/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[("notices/tell::TELL", TELL_ON_POSTGRES)];

statements! {
    STANDS = "SELECT failing_since, resume_at FROM notice_endpoints WHERE id = $1 AND organization_id = $2
        AND environment = $3 AND modified_at = $4 AND disabled IS NULL AND deleted_at IS NULL";
    INSERT_JOB = "INSERT INTO jobs (id, kind, organization_id, subject, state, attempts, due_at, again_at, holder,
        held_until, failure, created_at, died_at) VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, $8, $9, NULL, $7, NULL)";
}

/// An event for one endpoint, with the job that delivers it and a line of the audit log that is about the endpoint.
#[derive(Debug)]
pub struct Telling<'a> {
    pub message: &'a MessageId,
    pub event: &'a EventId,
    pub job: &'a JobId,
    /// Who has the job from its birth on; without it the job is ready.
    pub hold: Option<&'a Hold>,
    pub new: &'a NewEvent,
    /// What is posted.
    pub body: &'a str,
    /// As the caller knows it.
    pub endpoint: &'a Endpoint,
    pub line: &'a kernel::audit::Event,
    pub now: Time,
}

/// What stands of the endpoint beside what the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub failing: Option<Time>,
    pub resume: Option<Time>,
}

fn told(mut row: Row) -> Result<Told, DbError> {
    Ok(Told { failing: row.take()?, resume: row.take()? })
}

/// Writes all of it where the endpoint is still as the caller knows it, and switched on; `None` where it is not: then
/// nothing was written.
///
/// # Errors
/// [`DbError`].
pub async fn tell(db: &Db, telling: &Telling<'_>) -> Result<Option<Told>, DbError> {
    if db.engine() == "postgres" {
        return db.write_one(many(telling)?).await?.map(told).transpose();
    }
    // All that they could fail by is what is read: their ids are new.
    let read = db.write_all_after(stands(telling), one_by_one(telling)?).await?;
    read.map(told).transpose()
}

fn stands(telling: &Telling<'_>) -> Query {
    let endpoint = telling.endpoint;
    let query = sql(STANDS).bind(&endpoint.id).bind(&endpoint.organization).bind(endpoint.environment);
    query.bind(endpoint.modified)
}

fn one_by_one(telling: &Telling<'_>) -> Result<Vec<Query>, DbError> {
    let Telling { message, event, job, hold, new, body, endpoint, line, now } = *telling;
    let (state, attempts) = if hold.is_some() { (State::Held, 1_i64) } else { (State::Ready, 0) };
    let query = sql(INSERT_JOB).bind(job).bind(Kind::Notice.as_str()).bind(&new.organization).bind(message);
    let query = query.bind(state.as_str()).bind(attempts).bind(now);
    let query = query.bind(hold.map(|hold| hold.holder.as_str())).bind(hold.map(|hold| hold.until));
    Ok(vec![
        events::insertion(event, new, body, now),
        super::insertion(message, &endpoint.id, event, now),
        audit::insertion(line)?,
        query,
    ])
}

fn many(telling: &Telling<'_>) -> Result<Query, DbError> {
    let Telling { message, event, job, hold, new, body, endpoint, line, now } = *telling;
    let query = sql(TELL_ON_POSTGRES).for_many().bind(message).bind(event).bind(job).bind(&new.organization);
    let query = query.bind(new.environment).bind(new.event.as_str()).bind(new.tenant).bind(body);
    let query = query.bind(&endpoint.id).bind(endpoint.modified);
    let query = query.bind(hold.map(|hold| hold.holder.as_str())).bind(hold.map(|hold| hold.until));
    let query = query.bind(&line.id).bind(json(&line.actor)?).bind(line.action).bind(&line.detail);
    Ok(query.bind(now))
}

/// A message of an event, with its job.
#[derive(Debug)]
pub struct Addressed {
    pub message: MessageId,
    pub endpoint: EndpointId,
    /// What the job is about: the message, or the lane that the message goes to.
    pub subject: Subject,
    pub job: JobId,
}

/// Writes an event, its messages and their jobs: one round trip for all of it.
///
/// # Errors
/// [`DbError`].
pub async fn tell_all(
    tx: &mut Tx,
    event: &EventId,
    new: &NewEvent,
    addressed: &[Addressed],
    now: Time,
) -> Result<(), DbError> {
    let mut queries = vec![events::insertion(event, new, &new.message(now), now)];
    for Addressed { message, endpoint, subject, job } in addressed {
        queries.push(super::addition(message, endpoint, event, subject.as_lane(), now));
        let (kind, organization) = (Kind::Notice, &new.organization);
        let wish = Wish { kind, organization, subject: subject.to_string(), due: now };
        queries.push(jobs::asking(&wish, job, now));
    }
    tx.together(&queries).await.map(drop)
}
