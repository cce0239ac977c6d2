//! Messages that are to be delivered once more.

use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use connect::notice::{State, Subject};
use kernel::Time;
use kernel::ids::{EndpointId, MessageId};

statements! {
    IN_SPAN = "SELECT id, lane FROM notices
        WHERE endpoint_id = $1 AND state = $2 AND id > $3 AND id < $4 ORDER BY id LIMIT $5";
    // The try that delivered it stands in the message alone; before that is taken away, the log gets it.
    KEEP_FIRST = "INSERT INTO notice_attempts (notice_id, number, endpoint_id, at, took_us, status, failure)
        SELECT id, attempts, endpoint_id, since, COALESCE(took_us, 0), status, NULL FROM notices
        WHERE id = $1 AND state = 'delivered' AND attempts = 1 ON CONFLICT (notice_id, number) DO NOTHING";
    REVIVE = "UPDATE notices SET state = 'waiting', since = $2, begun_at = $2, failures = 0, next_at = NULL,
        failure = NULL, took_us = NULL, status = NULL WHERE id = $1";
}

/// A message that can be asked for again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayable {
    pub id: MessageId,
    pub lane: Option<String>,
}

impl Replayable {
    /// What its job is about.
    pub fn subject(&self) -> Subject {
        self.lane.clone().map_or_else(|| Subject::Message(self.id.clone()), Subject::Lane)
    }
}

/// Which of an endpoint's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub state: State,
    /// Those with a larger id: ids are ordered by when the message was written.
    pub after: MessageId,
    /// And with a smaller one.
    pub to: MessageId,
}

/// Oldest first, at most `limit`.
///
/// # Errors
/// [`DbError`].
pub async fn in_span(
    tx: &mut Tx,
    endpoint: &EndpointId,
    span: &Span,
    limit: i64,
) -> Result<Vec<Replayable>, DbError> {
    let query = sql(IN_SPAN).bind(endpoint).bind(span.state.as_str()).bind(&span.after).bind(&span.to);
    let replayable = |mut row: Row| Ok(Replayable { id: row.take()?, lane: row.take()? });
    query.bind(limit).all(tx).await?.into_iter().map(replayable).collect()
}

/// Lets a message wait again, with a whole day of tries before it. Its job is the caller's to write.
///
/// # Errors
/// [`DbError`].
pub async fn revive(tx: &mut Tx, id: &MessageId, now: Time) -> Result<(), DbError> {
    sql(KEEP_FIRST).bind(id).execute(tx).await?;
    sql(REVIVE).bind(id).bind(now).execute(tx).await.map(drop)
}
