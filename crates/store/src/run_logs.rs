//! What runs wrote to their logs, in parts, masked already.

use crate::db::{DbError, Tx, sql};
use crate::runs;
use crate::statements::statements;
use connect::run::Run;
use kernel::ids::RunId;

statements! {
    // The run's row is held by whoever appends, so that two parts never get one number.
    APPEND = "INSERT INTO run_logs (run_id, part, body)
        SELECT CAST($1 AS BIGINT), COALESCE(MAX(part), 0) + 1, $2 FROM run_logs WHERE run_id = $1";
    PARTS = "SELECT part, body FROM run_logs WHERE run_id = $1 AND part > $2 ORDER BY part LIMIT $3";
}

/// A part of a log, with its number in the order in which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub number: i64,
    pub body: String,
}

/// Appends to the log of this attempt of a run; `false` where another attempt has begun or the run has ended.
///
/// # Errors
/// [`DbError`].
pub async fn append(tx: &mut Tx, run: &Run, body: &str) -> Result<bool, DbError> {
    let bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
    if !runs::logged(tx, run, bytes).await? {
        return Ok(false);
    }
    sql(APPEND).bind(run.id).bind(body).execute(tx).await?;
    Ok(true)
}

/// At most `limit` parts after part `after` (0 for the first). Whoever asks has found the run in its organization.
///
/// # Errors
/// [`DbError`].
pub async fn parts(tx: &mut Tx, run: RunId, after: i64, limit: i64) -> Result<Vec<Part>, DbError> {
    let rows = sql(PARTS).bind(run).bind(after).bind(limit.max(0)).all(tx).await?;
    rows.into_iter().map(|mut row| Ok(Part { number: row.take()?, body: row.take()? })).collect()
}
