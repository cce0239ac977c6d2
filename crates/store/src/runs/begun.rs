//! Runs that begin together, with the triggers that they take.

use super::insert;
use crate::db::{DbError, FromCell, Query, Row, Tx, json, next_ids, sql};
use crate::deliveries::{self, Content, Made};
use crate::jobs::birth::{self, Wished};
use crate::jobs::{Job, Kind};
use crate::statements::never_set;
use crate::triggers::{self, trigger};
use connect::run::{Class, Run, Trigger};
use kernel::ids::{DeliveryId, JobId, OrganizationId, RunId, TenantId};
use kernel::{Hashed, Sealed, Time};
use serde_json::json as object;
use std::collections::{HashMap, HashSet};

/// Tenants of one statement on PostgreSQL.
const TOGETHER: usize = 16;

// As many of each tenant as a run may have, of many tenants at once.
const CLAIM_OTHERS_ON_POSTGRES: &str = concat!(
    "UPDATE triggers SET claimed_at = $1, run_id = mine.run FROM (
        SELECT w.run, found.id FROM (VALUES (CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BOOLEAN)), ($6, $7, $8),
            ($9, $10, $11), ($12, $13, $14), ($15, $16, $17), ($18, $19, $20), ($21, $22, $23), ($24, $25, $26),
            ($27, $28, $29), ($30, $31, $32), ($33, $34, $35), ($36, $37, $38), ($39, $40, $41), ($42, $43, $44),
            ($45, $46, $47), ($48, $49, $50)) AS w (tenant, run, awake)
        CROSS JOIN LATERAL (SELECT t.id FROM triggers AS t WHERE t.tenant_id = w.tenant AND t.claimed_at IS NULL
            AND (w.awake OR t.source IN ('API', 'Manual')) AND t.mode <> 'init' AND t.source <> 'Cron'
            AND NOT EXISTS (SELECT 1 FROM reruns AS r WHERE r.trigger_id = t.id)
            ORDER BY t.id LIMIT CAST($2 AS BIGINT)) AS found) AS mine
    WHERE triggers.id = mine.id AND ",
    never_set!("triggers.claimed_at"),
    "
    RETURNING triggers.id, triggers.organization_id, triggers.tenant_id, triggers.source, triggers.mode,
        triggers.delivery_id, triggers.payload, triggers.created_at, triggers.run_id"
);
macro_rules! insert_on_postgres {
    ($end:literal) => {
        concat!(
            "INSERT INTO runs (id, organization_id, environment, tenant_id, integration_id, release_id, mode, phase,
                started_at, attempts, rerun_of, configs, given_state, token_hash, log_bytes, created_at)
            SELECT new.id, new.organization, new.environment, new.tenant, new.integration, new.release, new.mode,
                'Running', CAST($2 AS BIGINT), 1, new.rerun_of, new.configs, new.given_state, new.token, 0,
                CAST($2 AS BIGINT)
            FROM json_to_recordset(CAST($1 AS JSON)) AS new (id BIGINT, organization TEXT, environment TEXT, tenant BIGINT,
                integration BIGINT, release BIGINT, mode TEXT, rerun_of BIGINT, configs TEXT, given_state TEXT,
                token TEXT, job TEXT, after BIGINT) ",
            $end
        )
    };
}

// A second open run of a tenant is refused with everything beside it.
const INSERT_ON_POSTGRES: &str = insert_on_postgres!("");
// A run is there only with its job, which is held, not beside an open one, and not where another run has come and gone
// since it was seen what the one before this handed on.
const INSERT_BORN_ON_POSTGRES: &str = insert_on_postgres!(
    "WHERE (SELECT holder IS NOT NULL FROM jobs WHERE jobs.id = new.job)
        AND COALESCE((SELECT x.id FROM runs AS x WHERE x.tenant_id = new.tenant ORDER BY x.id DESC LIMIT 1), 0) = new.after
        ON CONFLICT (tenant_id) WHERE completed_at IS NULL DO NOTHING RETURNING id"
);
// `= ANY` in place of `=`: for that no index is read from end to end, also while the table is taken for small.
const TAKE_DELIVERIES_ON_POSTGRES: &str = "UPDATE deliveries SET taken_at = $2
    FROM json_to_recordset(CAST($1 AS JSON)) AS new (delivery TEXT)
    WHERE deliveries.id = ANY (ARRAY[new.delivery]) AND deliveries.taken_at IS NULL
    RETURNING deliveries.id,
        CASE WHEN OCTET_LENGTH(headers) + OCTET_LENGTH(body) <= 16384 THEN headers END, body_encoding,
        CASE WHEN OCTET_LENGTH(headers) + OCTET_LENGTH(body) <= 16384 THEN body END, connector";
const TAKE_DELIVERY_ON_SQLITE: &str =
    "UPDATE deliveries SET taken_at = $2 WHERE id = $1 AND taken_at IS NULL RETURNING id,
        CASE WHEN OCTET_LENGTH(headers) + OCTET_LENGTH(body) <= 16384 THEN headers END, body_encoding,
        CASE WHEN OCTET_LENGTH(headers) + OCTET_LENGTH(body) <= 16384 THEN body END, connector";

/// The texts that only SQLite is told.
pub(crate) const ON_SQLITE: &[(&str, &str)] = &[("runs/begun::TAKE_DELIVERY", TAKE_DELIVERY_ON_SQLITE)];
/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[
    ("runs/begun::CLAIM_OTHERS", CLAIM_OTHERS_ON_POSTGRES),
    ("runs/begun::INSERT", INSERT_ON_POSTGRES),
    ("runs/begun::INSERT_BORN", INSERT_BORN_ON_POSTGRES),
    ("runs/begun::TAKE_DELIVERIES", TAKE_DELIVERIES_ON_POSTGRES),
];

/// What of a tenant's triggers a run takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub organization: OrganizationId,
    pub tenant: TenantId,
    pub run: RunId,
    pub class: Class,
    pub paused: bool,
}

/// Numbers for so many runs, besides those that are there.
///
/// # Errors
/// [`DbError`].
pub async fn numbers(tx: &mut Tx, count: usize, mut there: Vec<RunId>) -> Result<Vec<RunId>, DbError> {
    if there.len() < count {
        for number in next_ids(tx, "runs", count - there.len()).await? {
            there.push(RunId::new(number).map_err(|error| DbError::Bug(error.to_string()))?);
        }
    }
    Ok(there)
}

/// Takes for each of these runs what waits of its class, oldest first, as many as a run may have; nothing of a run for
/// which nothing waits.
///
/// # Errors
/// [`DbError`].
pub async fn claim(
    tx: &mut Tx,
    claims: &[Claim],
    now: Time,
) -> Result<HashMap<RunId, Vec<Trigger>>, DbError> {
    let mut claimed: HashMap<RunId, Vec<Trigger>> = HashMap::new();
    let mut alone: Vec<&Claim> = claims.iter().collect();
    if tx.is_postgres() {
        let (others, rest): (Vec<_>, Vec<_>) = alone.into_iter().partition(|it| it.class == Class::Others);
        alone = rest;
        let some: Vec<Query> = others.chunks(TOGETHER).map(|some| claim_of(some, now)).collect();
        for row in tx.together(&some).await?.into_iter().flatten() {
            let taken = trigger(row)?;
            let run = taken.run.ok_or_else(|| DbError::Corrupt("a claimed trigger has no run".to_owned()))?;
            claimed.entry(run).or_default().push(taken);
        }
        claimed.values_mut().for_each(|triggers| triggers.sort_by_key(|trigger| trigger.id));
    }
    for Claim { organization, tenant, run, class, paused } in alone {
        let taken = triggers::claim(tx, organization, *tenant, *run, *class, *paused, now).await?;
        claimed.insert(*run, taken);
    }
    Ok(claimed)
}

fn claim_of(claims: &[&Claim], now: Time) -> Query {
    let query = sql(CLAIM_OTHERS_ON_POSTGRES).bind(now).bind(Class::Others.most());
    let rows = claims.iter().map(|it| (it.tenant.number(), it.run.number(), !it.paused));
    // Places that are left over name no tenant.
    let rows = rows.chain(std::iter::repeat((0, 0, false))).take(TOGETHER);
    rows.fold(query, |query, (tenant, run, awake)| query.bind(tenant).bind(run).bind(awake))
}

/// A run that begins, with the hash of its attempt's token.
#[derive(Debug)]
pub struct New<'a> {
    pub run: &'a Run,
    pub token: &'a Hashed,
    /// The job that is born with it.
    pub job: Option<&'a JobId>,
    /// The tenant's last run, which was seen before its job was asked for.
    pub after: Option<RunId>,
}

fn insertion(text: &'static str, new: &[New<'_>], now: Time) -> Result<Query, DbError> {
    let rows = new.iter().map(|New { run, token, job, after }| {
        let configs = run.configs.as_ref().map(json).transpose()?;
        Ok(object!({
            "id": run.id, "organization": run.organization, "environment": run.environment.as_str(),
            "tenant": run.tenant, "integration": run.integration, "release": run.release,
            "mode": run.mode.as_str(), "rerun_of": run.rerun_of, "configs": configs,
            "given_state": run.given_state.as_ref().map(Sealed::as_str), "token": token.as_str(), "job": job,
            "after": after.map_or(0, RunId::number),
        }))
    });
    let rows = rows.collect::<Result<Vec<_>, DbError>>()?;
    Ok(sql(text).bind(json(&rows)?).bind(now))
}

/// Writes runs whose first attempt begins now, with the deliveries that they take, as the last of a unit of work. What was
/// sent with the small ones.
///
/// # Errors
/// [`DbError::Unique`] where one of the tenants has an open run.
pub async fn begin_all(
    tx: &mut Tx,
    new: &[New<'_>],
    taken: &[DeliveryId],
    now: Time,
) -> Result<HashMap<DeliveryId, Content>, DbError> {
    let mut rows: Vec<Row> = Vec::new();
    if tx.is_postgres() {
        let named: Vec<_> = taken.iter().map(|delivery| object!({ "delivery": delivery })).collect();
        let insert = insertion(INSERT_ON_POSTGRES, new, now)?;
        let take = sql(TAKE_DELIVERIES_ON_POSTGRES).bind(json(&named)?).bind(now);
        rows.extend(tx.last(&[insert, take]).await?.into_iter().flatten());
    } else {
        for New { run, token, .. } in new {
            if !insert(tx, run, Some(token)).await? {
                return Err(DbError::Unique { index: "runs_open".to_owned() });
            }
        }
        for delivery in taken {
            rows.extend(sql(TAKE_DELIVERY_ON_SQLITE).bind(delivery).bind(now).maybe(tx).await?);
        }
    }
    let mut contents = HashMap::new();
    for mut row in rows {
        let id = row.take()?;
        if let Some(content) = deliveries::content(&mut row)? {
            contents.insert(id, content);
        }
    }
    Ok(contents)
}

/// What is born: jobs, and runs with them.
#[derive(Debug, Default)]
pub struct Born {
    /// Those that whoever asked holds.
    pub jobs: Vec<Job>,
    pub runs: HashSet<RunId>,
    /// Whether a job is new that nobody holds: a worker has to claim it.
    pub is_left: bool,
}

impl Born {
    fn of(wished: &[Wished], ids: &HashSet<JobId>, runs: HashSet<RunId>, now: Time) -> Self {
        let is_left = wished.iter().any(|wished| wished.hold.is_none() && ids.contains(&wished.id));
        Self { jobs: birth::held_of(Kind::Run, wished, ids, now), runs, is_left }
    }
}

/// Makes triggers of deliveries, asks for the jobs of their tenants, and begins runs with those jobs that are new, as the
/// last of a unit of work. A run does not begin where its job was there already or its tenant has an open run; its
/// triggers wait then.
///
/// # Errors
/// [`DbError`].
pub async fn born(
    tx: &mut Tx,
    wished: &[Wished],
    new: &[New<'_>],
    made: &mut [Made<'_>],
    now: Time,
) -> Result<Born, DbError> {
    let asking = birth::asking(Kind::Run, wished, now);
    let jobs = asking.len();
    if !tx.is_postgres() {
        let ids = ids::<JobId>(tx.together(&asking).await?)?;
        let mut runs = HashSet::new();
        for New { run, token, job, .. } in new {
            if job.is_some_and(|job| ids.contains(job)) && insert(tx, run, Some(token)).await? {
                runs.insert(run.id);
            }
        }
        for made in made.iter_mut() {
            made.run = made.run.filter(|run| runs.contains(run));
        }
        deliveries::make_triggers(tx, made, now).await?;
        return Ok(Born::of(wished, &ids, runs, now));
    }
    // What comes behind looks by itself whether the run is there.
    let mut queries = asking;
    queries.push(insertion(INSERT_BORN_ON_POSTGRES, new, now)?);
    queries.extend(deliveries::on_postgres(made, now)?);
    let mut rows = tx.last(&queries).await?.into_iter();
    let ids = ids::<JobId>(rows.by_ref().take(jobs))?;
    let runs = self::ids::<RunId>(rows.next())?;
    Ok(Born::of(wished, &ids, runs, now))
}

fn ids<I: FromCell + Eq + std::hash::Hash>(
    rows: impl IntoIterator<Item = Vec<Row>>,
) -> Result<HashSet<I>, DbError> {
    rows.into_iter().flatten().map(|mut row| row.take::<I>()).collect()
}
