//! The end of a run that leaves nothing else to write, and what becomes of the job that did it, in one commit.

use crate::db::{Db, DbError, Query, Way, sql};
use crate::statements::{never_set, statements};
use connect::run::Run;
use kernel::ids::JobId;

macro_rules! waits {
    ($tenant:literal, $awake:literal) => {
        concat!(
            "(SELECT 1 FROM triggers AS t WHERE t.tenant_id = ",
            $tenant,
            " AND t.claimed_at IS NULL AND (",
            $awake,
            " OR t.source IN ('API', 'Manual')) LIMIT 1) IS NOT NULL"
        )
    };
}

// The attempt's number is the guard of the run, the holder that of the job. Whoever asks for a job locks its row after he
// has written what it is for, or before and until his commit: so either he is seen here, or he sees that the job is gone.
// Each run and job is looked up by its key: that it is open, or held, is not asked for in the words of an index, or all that
// is would be read. A job that somebody asks for just now is not waited for: ends of many go in one transaction, and whoever
// asks for many jobs could wait for another one of them.
const END_ON_POSTGRES: &str = concat!(
    "WITH new (run, organization, attempts, phase, state, exit_code, started, completed, job, holder, awake) AS (VALUES ($1,
        $2, CAST($3 AS BIGINT), $4, $5, CAST($6 AS BIGINT), CAST($7 AS BIGINT), CAST($8 AS BIGINT), $9, $10,
        CAST($11 AS BOOLEAN))),
    saved AS (UPDATE runs SET phase = new.phase, reason = NULL, state = new.state, exit_code = new.exit_code,
            started_at = new.started, completed_at = new.completed, waits_until = NULL, token_hash = NULL
        FROM new WHERE runs.id = CAST(new.run AS BIGINT) AND runs.organization_id = new.organization
            AND runs.attempts = new.attempts AND ",
    never_set!("completed_at"),
    " RETURNING runs.tenant_id, new.run, new.job, new.holder, new.awake),
    free AS (SELECT j.ctid AS place, s.run FROM saved AS s JOIN jobs AS j ON j.id = s.job
        WHERE j.holder = s.holder AND j.again_at IS NULL AND NOT (",
    waits!("s.tenant_id", "s.awake"),
    ") FOR UPDATE OF j SKIP LOCKED),
    gone AS (DELETE FROM jobs USING free WHERE jobs.ctid = free.place RETURNING free.run)
    SELECT run, run = ANY (ARRAY(SELECT run FROM gone)) FROM saved"
);

/// The texts that only PostgreSQL is told.
pub(crate) const ON_POSTGRES: &[(&str, &str)] = &[("runs/ended::END", END_ON_POSTGRES)];

// The job may have been asked for by another node, whose clock is ahead: it is due again though `again_at` lies up to a
// second (in microseconds) behind the end.
statements! {
    // The run where it is still this attempt's, and what becomes of the job.
    STANDS = concat!("SELECT CASE WHEN j.id IS NULL THEN 'kept' WHEN ", waits!("$5", "$6"), " THEN 'again'
            WHEN j.again_at IS NULL THEN 'done' WHEN j.again_at <= $7 + 1000000 THEN 'again' ELSE 'kept' END
        FROM runs AS r LEFT JOIN jobs AS j ON j.id = $3 AND j.holder = $4
        WHERE r.id = $1 AND r.attempts = $2 AND r.organization_id = $8 AND ", never_set!("r.completed_at"));
    END = "UPDATE runs SET phase = $2, reason = NULL, state = $3, exit_code = $4, started_at = $5, completed_at = $6,
        waits_until = NULL, token_hash = NULL WHERE id = $1";
    END_JOB = "DELETE FROM jobs WHERE id = $1";
    JOB_AGAIN = concat!("UPDATE jobs SET state = CASE WHEN $6 THEN 'held' ELSE 'ready' END,
        attempts = CASE WHEN $6 THEN 1 ELSE 0 END, failure = NULL, due_at = $5, again_at = NULL,
        holder = CASE WHEN $6 THEN holder END, held_until = CASE WHEN $6 THEN held_until END
        WHERE id = $1 AND holder = $2 AND (again_at <= $5 + 1000000 OR ", waits!("$3", "$4"), ")");
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

impl End {
    fn of(word: &str) -> Option<Self> {
        match word {
            "done" => Some(Self::Done),
            "again" => Some(Self::Again),
            "kept" => Some(Self::Kept),
            _ => None,
        }
    }
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
        return end_on_postgres(db, run, by).await;
    }
    let (completed, text) = (run.phase.completed(), run.phase.as_str());
    let stands = sql(STANDS).bind(run.id).bind(run.attempts).bind(by.job).bind(by.holder).bind(run.tenant);
    let stands = stands.bind(!by.is_paused).bind(completed).bind(&run.organization);
    let ended = sql(END).bind(run.id).bind(text).bind(run.state.as_ref()).bind(run.exit_code);
    let ended = ended.bind(run.phase.started()).bind(completed);
    let (gone, again) = (sql(END_JOB).bind(by.job), again(run, by));
    let end = db.write_what_follows(stands, move |mut row| {
        let end = row.take_word(End::of)?;
        let of_job = match end {
            End::Done => Some(gone),
            End::Again => Some(again),
            End::Kept | End::Overtaken => None,
        };
        Ok(([ended].into_iter().chain(of_job).collect(), end))
    });
    Ok(end.await?.unwrap_or(End::Overtaken))
}

async fn end_on_postgres(db: &Db, run: &Run, by: By<'_>) -> Result<End, DbError> {
    let ended = sql(END_ON_POSTGRES).for_many().bind(run.id.to_string()).bind(&run.organization);
    let ended = ended.bind(run.attempts).bind(run.phase.as_str()).bind(run.state.as_ref());
    let ended = ended.bind(run.exit_code).bind(run.phase.started()).bind(run.phase.completed());
    let ended = ended.bind(by.job).bind(by.holder).bind(!by.is_paused);
    let mut rows = db.write_in_turn(Way::Beside, vec![ended]).await?.into_iter();
    let Some(mut row) = rows.next().flatten() else { return Ok(End::Overtaken) };
    if row.take::<bool>()? {
        return Ok(End::Done);
    }
    // The job is still this holder's. By itself: jobs are locked in the order of their tenants, or one at a time.
    let again = again(run, by);
    let is_again = db.write(|tx| Box::pin(async move { again.wrote(tx).await })).await?;
    Ok(if is_again { End::Again } else { End::Kept })
}

fn again(run: &Run, by: By<'_>) -> Query {
    let query = sql(JOB_AGAIN).bind(by.job).bind(by.holder).bind(run.tenant).bind(!by.is_paused);
    query.bind(run.phase.completed()).bind(by.stays)
}
