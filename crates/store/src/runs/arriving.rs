//! Deliveries that begin a run as they arrive: where the caller knows how a tenant stands that has nothing to do, the
//! delivery, its trigger, its run and the run's job are written together.
//!
//! What the caller knows is only a guess. It is compared with what there is by whoever holds the tenant's job, and where
//! it is not so any more the delivery is kept like any other and nothing begins.

use crate::db::{Db, DbError, Query, Row, Way, json, sql};
use crate::deliveries::{self, OwnDelivery};
use crate::jobs::Hold;
use crate::runs::standing::Standing;
use crate::statements::statements;
use kernel::ids::{
    DeliveryId, IntegrationId, JobId, OrganizationId, ReleaseId, RunId, TenantId, TriggerId, WebhookId,
};
use kernel::{Environment, Hashed, Slug, Time};

// The job is what two nodes meet in. It comes before everything that is compared, and by itself: a statement sees what was
// there when it began, and what is compared has to be what was there when the job was this caller's. Jobs of tenants are
// asked for in the order of their numbers.
const ASK_ON_POSTGRES: &str = "WITH new (id, organization, tenant, holder, held_until, now)
        AS (VALUES ($1, $2, CAST($3 AS BIGINT), $4, CAST($5 AS BIGINT), CAST($6 AS BIGINT)))
    INSERT INTO jobs (id, kind, organization_id, subject, state, attempts, due_at, holder, held_until, created_at)
    SELECT id, 'run', organization, CAST(tenant AS TEXT), 'held', 1, now, holder, held_until, now FROM new ORDER BY tenant
    ON CONFLICT (kind, subject) DO NOTHING RETURNING id";

// Whether the tenant stands as the caller knows it, in both databases' words: `n` has what he knows, `t` is the
// tenant, `o` the organization. Its newest run is the one that it had, and has ended, so that none is open.
macro_rules! stands {
    ($n:literal, $job:literal) => {
        concat!(
            "t.id = ",
            $n,
            "tenant AND t.revision = ",
            $n,
            "revision AND o.config_version = ",
            $n,
            "config_version AND ",
            $job,
            " AND (",
            $n,
            "newest IS NULL OR (SELECT r.id FROM releases AS r WHERE r.integration_id = t.integration_id
                AND r.ready_at IS NOT NULL ORDER BY r.id DESC LIMIT 1) = ",
            $n,
            "newest)
            AND (SELECT CASE WHEN x.completed_at IS NOT NULL THEN x.id END FROM runs AS x WHERE x.tenant_id = t.id
                ORDER BY x.id DESC LIMIT 1) = ",
            $n,
            "last_run
            AND (SELECT 1 FROM triggers AS s WHERE s.tenant_id = t.id AND s.claimed_at IS NULL LIMIT 1) IS NULL
            AND (SELECT 1 FROM deliveries AS d WHERE d.tenant_id = t.id AND d.trigger_id IS NULL LIMIT 1) IS NULL"
        )
    };
}

// The delivery, with the number of its trigger where its run begins; run and trigger of those that were kept. It goes
// through its rows for each of them.
const ARRIVE_ON_POSTGRES: &str = concat!(
    "WITH new (id, dedupe, headers, body_encoding, body, received_at, secret_hash, environment, connector, tenant,
        revision, config_version, newest, last_run, integration, release, job, token) AS (VALUES ($1, $2, $3, $4, $5,
            CAST($6 AS BIGINT), $7, $8, $9, CAST($10 AS BIGINT), CAST($11 AS BIGINT), CAST($12 AS BIGINT),
            CAST($13 AS BIGINT), CAST($14 AS BIGINT), CAST($15 AS BIGINT), CAST($16 AS BIGINT), $17, $18)),
    kept AS (INSERT INTO deliveries (id, organization_id, tenant_id, webhook_id, connector, dedupe, headers, body_encoding,
            body, received_at, trigger_id, taken_at)
        SELECT new.id, w.organization_id, t.id, w.id, new.connector, new.dedupe, new.headers, new.body_encoding, new.body,
            new.received_at, g.trigger_id, CASE WHEN g.trigger_id IS NOT NULL THEN new.received_at END
        FROM new CROSS JOIN LATERAL (SELECT id, organization_id, tenant_id FROM webhooks
            WHERE secret_hash = new.secret_hash AND environment = new.environment AND connector = new.connector
                AND (ends_at IS NULL OR ends_at > new.received_at) LIMIT 1) AS w
        CROSS JOIN LATERAL (SELECT id, revision, integration_id FROM tenants
            WHERE id = w.tenant_id AND archived_at IS NULL LIMIT 1) AS t
        CROSS JOIN LATERAL (SELECT config_version FROM organizations
            WHERE id = w.organization_id AND NOT disabled LIMIT 1) AS o
        CROSS JOIN LATERAL (SELECT CASE WHEN ",
    stands!("new.", "(SELECT 1 FROM jobs AS j WHERE j.id = new.job) IS NOT NULL"),
    "
            AND (new.dedupe IS NULL
                OR (SELECT 1 FROM deliveries AS d WHERE d.webhook_id = w.id AND d.dedupe = new.dedupe LIMIT 1) IS NULL)
            THEN nextval('triggers_ids') END AS trigger_id OFFSET 0) AS g
        ON CONFLICT (webhook_id, dedupe) WHERE dedupe IS NOT NULL DO NOTHING
        RETURNING id, organization_id, tenant_id, received_at, trigger_id),
    begun AS (INSERT INTO runs (id, organization_id, environment, tenant_id, integration_id, release_id, mode, phase,
            started_at, attempts, token_hash, log_bytes, created_at)
        SELECT nextval('runs_ids'), k.organization_id, new.environment, k.tenant_id, new.integration, new.release, 'webhook',
            'Running', k.received_at, 1, new.token, 0, k.received_at
        FROM kept AS k JOIN new ON new.id = k.id WHERE k.trigger_id IS NOT NULL RETURNING id, tenant_id),
    made AS (INSERT INTO triggers (id, organization_id, tenant_id, source, mode, delivery_id, created_at, claimed_at, run_id)
        SELECT k.trigger_id, k.organization_id, k.tenant_id, 'Webhook', 'webhook', k.id, k.received_at, k.received_at, b.id
        FROM begun AS b JOIN kept AS k ON k.tenant_id = b.tenant_id AND k.trigger_id IS NOT NULL
        RETURNING delivery_id, id, run_id)
    SELECT k.id, m.id, m.run_id FROM kept AS k LEFT JOIN made AS m ON m.delivery_id = k.id"
);

// What the writer reads before it writes; nobody writes beside it.
const JUDGE_ON_SQLITE: &str = concat!(
    "WITH n (dedupe, secret_hash, environment, connector, received_at, tenant, revision, config_version, newest, last_run)
        AS (VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10))
    SELECT w.id, w.organization_id, t.id, CASE WHEN ",
    stands!("n.", "(SELECT 1 FROM jobs WHERE kind = 'run' AND subject = CAST(t.id AS TEXT)) IS NULL"),
    " THEN (SELECT value + 1 FROM sequences WHERE name = 'triggers') END, (SELECT value + 1 FROM sequences WHERE name = 'runs')
    FROM n JOIN webhooks AS w ON w.secret_hash = n.secret_hash AND w.environment = n.environment
        AND w.connector = n.connector AND (w.ends_at IS NULL OR w.ends_at > n.received_at)
    JOIN tenants AS t ON t.id = w.tenant_id AND t.archived_at IS NULL
    JOIN organizations AS o ON o.id = w.organization_id AND NOT o.disabled
    WHERE n.dedupe IS NULL OR (SELECT 1 FROM deliveries AS d WHERE d.webhook_id = w.id AND d.dedupe = n.dedupe) IS NULL"
);

const COUNT_ON_SQLITE: &str = "UPDATE sequences SET value = value + 1 WHERE name IN ('runs', 'triggers')";

/// The texts that only SQLite is told.
pub(crate) const ON_SQLITE: &[(&str, &str)] =
    &[("runs/arriving::JUDGE", JUDGE_ON_SQLITE), ("runs/arriving::COUNT", COUNT_ON_SQLITE)];
/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] =
    &[("runs/arriving::ASK", ASK_ON_POSTGRES), ("runs/arriving::ARRIVE", ARRIVE_ON_POSTGRES)];

statements! {
    KEEP = "INSERT INTO deliveries (id, organization_id, tenant_id, webhook_id, connector, dedupe, headers, body_encoding, body,
        received_at, trigger_id, taken_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    HOLD = "INSERT INTO jobs (id, kind, organization_id, subject, state, attempts, due_at, holder, held_until, created_at)
        VALUES ($1, 'run', $2, $3, 'held', 1, $4, $5, $6, $4)";
    BEGIN = "INSERT INTO runs (id, organization_id, environment, tenant_id, integration_id, release_id, mode, phase, started_at,
        attempts, token_hash, log_bytes, created_at) VALUES ($1, $2, $3, $4, $5, $6, 'webhook', 'Running', $7, 1, $8, 0, $7)";
    MAKE = "INSERT INTO triggers (id, organization_id, tenant_id, source, mode, delivery_id, created_at, claimed_at, run_id)
        VALUES ($1, $2, $3, 'Webhook', 'webhook', $4, $5, $5, $6)";
}

/// The run that a delivery shall begin, and how the tenant stands as far as the caller knows.
#[derive(Debug)]
pub struct Expected<'a> {
    /// It had a run before, the last one, which is among what is compared.
    pub standing: &'a Standing,
    pub integration: IntegrationId,
    pub release: ReleaseId,
    /// The run's job, and who has it from its birth on.
    pub job: &'a JobId,
    pub hold: &'a Hold,
    /// Of the attempt.
    pub token: &'a Hashed,
}

/// The trigger that a delivery has become, and the run that took it.
pub type Begun = (TriggerId, RunId);

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// `false` where the address takes none now, or had the same one before.
    pub is_kept: bool,
    /// Its trigger and the run that took it.
    pub begun: Option<Begun>,
    /// Whether the job is new, and so its holder's to begin, also where no run has begun with it.
    pub is_born: bool,
}

/// Keeps a delivery at an address of this connector, or, without one, at a tenant's own, and begins the run of it where the
/// tenant stands as expected. Otherwise it is kept as ever, and becomes a trigger later.
///
/// # Errors
/// [`DbError`]; nothing was kept then. [`DbError::Bug`] for a standing without a run.
pub async fn arrive(
    db: &Db,
    new: &OwnDelivery<'_>,
    connector: Option<&Slug>,
    expected: &Expected<'_>,
) -> Result<Arrived, DbError> {
    let last = expected.standing.last.as_ref().map(|run| run.id);
    let last =
        last.ok_or_else(|| DbError::Bug("a tenant without a run is not known to stand idle".to_owned()))?;
    let connector = connector.map_or("", Slug::as_str);
    if db.engine() == "postgres" {
        return arrive_on_postgres(db, new, connector, expected, last).await;
    }
    let writes = Writes::of(new, connector, expected)?;
    let judged = judging(new, connector, expected.standing, last);
    let begun = db.write_what_follows(judged, move |row| writes.after(row)).await?;
    let is_kept = begun.is_some();
    let begun = begun.flatten();
    Ok(Arrived { is_kept, begun, is_born: begun.is_some() })
}

async fn arrive_on_postgres(
    db: &Db,
    new: &OwnDelivery<'_>,
    connector: &str,
    expected: &Expected<'_>,
    last: RunId,
) -> Result<Arrived, DbError> {
    let Expected { standing, integration, release, job, hold, token } = *expected;
    let tenant = &standing.tenant;
    let ask = sql(ASK_ON_POSTGRES).for_many().bind(job).bind(&tenant.organization).bind(tenant.id);
    let ask = ask.bind(&hold.holder).bind(hold.until).bind(new.received);
    let ask = ask.in_turn_of(tenant.id.number());
    let (encoding, body) = deliveries::encode(new.body);
    let query = sql(ARRIVE_ON_POSTGRES).for_few().bind(new.id).bind(new.dedupe.clone());
    let query = query.bind(json(&new.headers)?).bind(encoding).bind(body).bind(new.received);
    let query = query.bind(new.secret).bind(new.environment).bind(connector).bind(tenant.id);
    let query = query.bind(standing.revision).bind(standing.config_version).bind(standing.newest).bind(last);
    let query = query.bind(integration).bind(release).bind(job).bind(token);
    let mut rows = db.write_in_turn(Way::Main, vec![ask, query]).await?.into_iter();
    let is_born = rows.next().flatten().is_some();
    let Some(mut row) = rows.next().flatten() else {
        return Ok(Arrived { is_kept: false, begun: None, is_born });
    };
    let (trigger, run): (Option<TriggerId>, Option<RunId>) = (row.take()?, row.take()?);
    Ok(Arrived { is_kept: true, begun: trigger.zip(run), is_born })
}

fn judging(new: &OwnDelivery<'_>, connector: &str, standing: &Standing, last: RunId) -> Query {
    let query = sql(JUDGE_ON_SQLITE).bind(new.dedupe.clone()).bind(new.secret).bind(new.environment);
    let query = query.bind(connector).bind(new.received).bind(standing.tenant.id).bind(standing.revision);
    query.bind(standing.config_version).bind(standing.newest).bind(last)
}

/// What SQLite writes, all but what is read before.
struct Writes {
    environment: Environment,
    integration: IntegrationId,
    release: ReleaseId,
    job: JobId,
    hold: Hold,
    token: Hashed,
    delivery: DeliveryId,
    connector: String,
    dedupe: Option<String>,
    headers: String,
    encoding: &'static str,
    body: String,
    received: Time,
}

impl Writes {
    fn of(new: &OwnDelivery<'_>, connector: &str, expected: &Expected<'_>) -> Result<Self, DbError> {
        let (encoding, body) = deliveries::encode(new.body);
        Ok(Self {
            environment: new.environment,
            integration: expected.integration,
            release: expected.release,
            job: expected.job.clone(),
            hold: expected.hold.clone(),
            token: expected.token.clone(),
            delivery: new.id.clone(),
            connector: connector.to_owned(),
            dedupe: new.dedupe.clone(),
            headers: json(&new.headers)?,
            encoding,
            body,
            received: new.received,
        })
    }

    fn after(self, mut row: Row) -> Result<(Vec<Query>, Option<Begun>), DbError> {
        let (webhook, organization): (WebhookId, OrganizationId) = (row.take()?, row.take()?);
        let tenant: TenantId = row.take()?;
        let (trigger, run): (Option<TriggerId>, RunId) = (row.take()?, row.take()?);
        let now = self.received;
        let keep = sql(KEEP).bind(&self.delivery).bind(&organization).bind(tenant).bind(&webhook);
        let keep = keep.bind(self.connector).bind(self.dedupe).bind(self.headers).bind(self.encoding);
        let keep = keep.bind(self.body).bind(now).bind(trigger).bind(trigger.map(|_| now));
        let Some(trigger) = trigger else { return Ok((vec![keep], None)) };
        let hold = sql(HOLD).bind(&self.job).bind(&organization).bind(tenant.to_string()).bind(now);
        let hold = hold.bind(&self.hold.holder).bind(self.hold.until);
        let begin = sql(BEGIN).bind(run).bind(&organization).bind(self.environment).bind(tenant);
        let begin = begin.bind(self.integration).bind(self.release).bind(now).bind(&self.token);
        let make = sql(MAKE).bind(trigger).bind(&organization).bind(tenant).bind(&self.delivery);
        let make = make.bind(now).bind(run);
        Ok((vec![sql(COUNT_ON_SQLITE), keep, hold, begin, make], Some((trigger, run))))
    }
}
