//! Authorize requests that wait in a browser, found by the hash of a nonce that only the browser and the address
//! given to the partner have.

use crate::db::{DbError, Row, Tx, sql};
use crate::statements::statements;
use enter::context::ServiceContext;
use enter::entry::{Answers, Nonce, Pending, Waiting};
use enter::ids::PersonId;
use kernel::{Environment, Hashed, Plain, Time};

macro_rules! columns {
    () => {
        "app_id, client_id, query, since, sent_at, person_id, chosen, consented, done_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO pending_requests (nonce_hash, environment, ", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
    FIND = concat!("SELECT ", columns!(), " FROM pending_requests WHERE nonce_hash = $1 AND environment = $2");
    SEND = "UPDATE pending_requests SET sent_at = $2 WHERE nonce_hash = $1 AND done_at IS NULL";
    ANSWER = "UPDATE pending_requests SET person_id = $2, chosen = $3, consented = $4
        WHERE nonce_hash = $1 AND done_at IS NULL";
    // The NULL guard is the one thing that makes a request go on once, however many windows answer it.
    FINISH = "UPDATE pending_requests SET done_at = $2 WHERE nonce_hash = $1 AND done_at IS NULL";
    DELETE_BEFORE = "DELETE FROM pending_requests WHERE nonce_hash IN
        (SELECT nonce_hash FROM pending_requests WHERE since < $1 ORDER BY since LIMIT $2)";
}

fn hash(nonce: &Nonce) -> Hashed {
    Plain::presented(nonce.as_str()).hashed()
}

fn chosen(context: Option<&ServiceContext>) -> Option<String> {
    context.map(ServiceContext::encoded)
}

fn waiting(mut row: Row, nonce: &Nonce) -> Result<Waiting, DbError> {
    let (app, client, query, since) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (sent, person, chosen, consented) =
        (row.take()?, row.take()?, row.take::<Option<String>>()?, row.take()?);
    let context = chosen.map(|text| ServiceContext::parse(&text)).transpose();
    let context = context.map_err(|_| DbError::Corrupt("a chosen context cannot be read".to_owned()))?;
    Ok(Waiting {
        pending: Pending { nonce: nonce.clone(), app, client, query, since },
        sent,
        answers: Answers { person, context, consented },
        done: row.take()?,
    })
}

/// # Errors
/// [`DbError`].
pub async fn insert(tx: &mut Tx, environment: Environment, new: &Waiting) -> Result<(), DbError> {
    let Waiting { pending, sent, answers, done } = new;
    let query = sql(INSERT).bind(&hash(&pending.nonce)).bind(environment).bind(&pending.app);
    let query = query.bind(&pending.client).bind(&pending.query).bind(pending.since).bind(*sent);
    let query = query.bind(answers.person.as_ref()).bind(chosen(answers.context.as_ref()));
    query.bind(answers.consented).bind(*done).execute(tx).await.map(drop)
}

/// Also one that is done or has waited too long: the rule decides.
///
/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, environment: Environment, nonce: &Nonce) -> Result<Option<Waiting>, DbError> {
    let row = sql(FIND).bind(&hash(nonce)).bind(environment).maybe(tx).await?;
    row.map(|row| waiting(row, nonce)).transpose()
}

/// It sends the browser to the partner. `false` where it is done.
///
/// # Errors
/// [`DbError`].
pub async fn send(tx: &mut Tx, nonce: &Nonce, now: Time) -> Result<bool, DbError> {
    sql(SEND).bind(&hash(nonce)).bind(now).wrote(tx).await
}

/// What `person` answered on a page of ours. `false` where it is done.
///
/// # Errors
/// [`DbError`].
pub async fn answer(
    tx: &mut Tx,
    nonce: &Nonce,
    person: &PersonId,
    answers: &Answers,
) -> Result<bool, DbError> {
    let query = sql(ANSWER).bind(&hash(nonce)).bind(person).bind(chosen(answers.context.as_ref()));
    query.bind(answers.consented).wrote(tx).await
}

/// It goes on: `true` for exactly one caller.
///
/// # Errors
/// [`DbError`].
pub async fn finish(tx: &mut Tx, nonce: &Nonce, now: Time) -> Result<bool, DbError> {
    sql(FINISH).bind(&hash(nonce)).bind(now).wrote(tx).await
}

/// Deletes at most `limit` requests from before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(before).bind(limit).execute(tx).await
}
