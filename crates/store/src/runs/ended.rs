//! The end of a run that leaves nothing else to write, and what becomes of the job that did it: one statement.

use crate::db::{Db, DbError, Query, Tx, sql};
use crate::statements::{never_set, statements};
use connect::run::Run;
use kernel::ids::JobId;

// The job may have been asked for by another node, whose clock is ahead: it is due again though `again_at` lies up to a
// second (in microseconds) behind the end.
// The attempt's number is the guard of the run, the holder that of the job. Whoever asks for a job locks its row after he
// has written what it is for, or before and until his commit: so either he is seen here, or he sees that the job is gone.
// Jobs of tenants are locked in the order of their numbers, as by everybody. Each run and job is looked up by its key: that
// it is open, or held, is not asked for in the words of an index, or all that is would be read.
const END_MANY: &str = concat!(
    "WITH new (run, organization, attempts, phase, state, exit_code, started, completed, job, holder,
        awake, stays) AS (VALUES ($1, $2, CAST($3 AS BIGINT), $4, $5, CAST($6 AS BIGINT), CAST($7 AS BIGINT),
            CAST($8 AS BIGINT), $9, $10, CAST($11 AS BOOLEAN), CAST($12 AS BOOLEAN))),
    saved AS (UPDATE runs SET phase = new.phase, reason = NULL, state = new.state, exit_code = new.exit_code,
            started_at = new.started, completed_at = new.completed, waits_until = NULL, token_hash = NULL
        FROM new WHERE runs.id = CAST(new.run AS BIGINT) AND runs.organization_id = new.organization
            AND runs.attempts = new.attempts AND ",
    never_set!("completed_at"),
    " RETURNING runs.tenant_id, new.run, new.completed, new.job, new.holder, new.awake, new.stays),
    locked AS (SELECT s.*, j.id, j.again_at FROM (SELECT * FROM saved ORDER BY tenant_id) AS s
        CROSS JOIN LATERAL (SELECT id, again_at FROM jobs WHERE id = s.job AND holder = s.holder FOR UPDATE) AS j),
    judged AS (SELECT locked.*, (SELECT 1 FROM triggers AS t WHERE t.tenant_id = locked.tenant_id AND t.claimed_at IS NULL
        AND (locked.awake OR t.source IN ('API', 'Manual')) LIMIT 1) IS NOT NULL AS waits FROM locked),
    gone AS (DELETE FROM jobs USING judged AS g WHERE jobs.id = g.id AND g.again_at IS NULL AND NOT g.waits
        RETURNING jobs.id),
    again AS (UPDATE jobs SET state = CASE WHEN g.stays THEN 'held' ELSE 'ready' END,
            attempts = CASE WHEN g.stays THEN 1 ELSE 0 END, failure = NULL, due_at = g.completed, again_at = NULL,
            holder = CASE WHEN g.stays THEN jobs.holder END, held_until = CASE WHEN g.stays THEN jobs.held_until END
        FROM judged AS g WHERE jobs.id = g.id AND (g.again_at <= g.completed + 1000000 OR g.waits) RETURNING jobs.id)
    SELECT s.run, CASE WHEN gone.id IS NOT NULL THEN 'done' WHEN again.id IS NOT NULL THEN 'again' ELSE 'kept' END
    FROM saved AS s LEFT JOIN gone ON gone.id = s.job LEFT JOIN again ON again.id = s.job"
);

/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[("runs/ended::END", END_MANY)];

macro_rules! waits {
    () => {
        "EXISTS (SELECT 1 FROM triggers AS t WHERE t.tenant_id = $3 AND t.claimed_at IS NULL
            AND ($4 OR t.source IN ('API', 'Manual')))"
    };
}

statements! {
    END = concat!("UPDATE runs SET phase = $4, reason = NULL, state = $5, exit_code = $6, started_at = $7, completed_at = $8,
        waits_until = NULL, token_hash = NULL
        WHERE id = $1 AND organization_id = $2 AND attempts = $3 AND ", never_set!("completed_at"));
    END_JOB = concat!("DELETE FROM jobs WHERE id = $1 AND holder = $2 AND again_at IS NULL
        AND NOT ", waits!());
    JOB_AGAIN = concat!("UPDATE jobs SET state = CASE WHEN $6 THEN 'held' ELSE 'ready' END,
        attempts = CASE WHEN $6 THEN 1 ELSE 0 END, failure = NULL, due_at = $5, again_at = NULL,
        holder = CASE WHEN $6 THEN holder END, held_until = CASE WHEN $6 THEN held_until END
        WHERE id = $1 AND holder = $2 AND (again_at <= $5 + 1000000 OR ", waits!(), ")");
}

/// What became of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Another attempt has begun or the run has ended: nothing was written.
    Overtaken,
    /// It is kept, and its job is done.
    Done,
    /// It is kept, and its job is to be done once more: by the same holder, where that was wished, or by anybody.
    Again,
    /// It is kept. What becomes of the job was not decided.
    Kept,
}

/// The job that did the run.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    pub job: &'a JobId,
    pub holder: &'a str,
    /// Whether the tenant is paused, and so takes only what somebody asks for.
    pub is_paused: bool,
    /// Whether the holder goes on with the job where it is to be done once more.
    pub stays: bool,
}

/// Writes how the attempt `run.attempts` of a run ended, which had nothing to say but its state, and what becomes of its
/// job.
///
/// # Errors
/// [`DbError`].
pub async fn end(db: &Db, run: &Run, by: By<'_>) -> Result<End, DbError> {
    if db.engine() == "postgres" {
        let query = named(sql(END_MANY).for_many().bind(run.id.to_string()), run);
        let query = query.bind(by.job).bind(by.holder).bind(!by.is_paused).bind(by.stays);
        let Some(mut row) = db.write_one(query).await? else { return Ok(End::Overtaken) };
        return row.take_word(|word| match word {
            "done" => Some(End::Done),
            "again" => Some(End::Again),
            "kept" => Some(End::Kept),
            _ => None,
        });
    }
    let of_job =
        |text: &'static str| sql(text).bind(by.job).bind(by.holder).bind(run.tenant).bind(!by.is_paused);
    let (gone, again) = (of_job(END_JOB), of_job(JOB_AGAIN).bind(run.phase.completed()).bind(by.stays));
    let ended = named(sql(END).bind(run.id), run);
    let write = db.write(move |tx: &mut Tx| {
        Box::pin(async move {
            if !ended.wrote(tx).await? {
                return Ok(End::Overtaken);
            }
            if gone.wrote(tx).await? {
                return Ok(End::Done);
            }
            Ok::<_, DbError>(if again.wrote(tx).await? { End::Again } else { End::Kept })
        })
    });
    write.await
}

fn named(query: Query, run: &Run) -> Query {
    let query = query.bind(&run.organization).bind(run.attempts).bind(run.phase.as_str());
    let query = query.bind(run.state.as_ref()).bind(run.exit_code);
    query.bind(run.phase.started()).bind(run.phase.completed())
}
