//! Refused requests, for the organization's developers.

use crate::db::{Db, DbError, Row, Tx, sql};
use crate::statements::statements;
use connect::refusal::RecordedRefusal;
use kernel::Time;
use kernel::ids::{OrganizationId, RefusalId};

macro_rules! columns {
    () => {
        "id, at, environment, organization_id, code, status, claim, message, seen, route"
    };
}

statements! {
    INSERT = concat!("INSERT INTO refusals (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    LIST = concat!("SELECT ", columns!(), " FROM refusals
        WHERE organization_id = $1 AND at >= $2 ORDER BY at DESC, id DESC LIMIT $3");
    LIST_ALL = concat!("SELECT ", columns!(), " FROM refusals WHERE at >= $1 ORDER BY at DESC, id DESC LIMIT $2");
    BY_ID = concat!("SELECT ", columns!(), " FROM refusals WHERE id = $1");
    DELETE_BEFORE = "DELETE FROM refusals WHERE id IN (SELECT id FROM refusals WHERE at < $1 ORDER BY at LIMIT $2)";
}

fn refusal(mut row: Row) -> Result<RecordedRefusal, DbError> {
    let (id, at, environment, organization) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (code, status, claim) = (row.take()?, row.take::<i64>()?, row.take()?);
    let status =
        u16::try_from(status).map_err(|_| DbError::Corrupt("a status is none of HTTP's".to_owned()))?;
    let (message, seen, route) = (row.take()?, row.take()?, row.take()?);
    Ok(RecordedRefusal { id, at, environment, organization, code, status, claim, message, seen, route })
}

/// Records it, in one statement of its own. Texts that quote a request may hold a NUL, which PostgreSQL refuses:
/// it is dropped.
///
/// # Errors
/// [`DbError`].
pub async fn insert(db: &Db, new: &RecordedRefusal) -> Result<(), DbError> {
    let clean = |text: &str| text.replace('\0', "");
    let query = sql(INSERT).bind(&new.id).bind(new.at).bind(new.environment).bind(new.organization.as_ref());
    let query = query.bind(&new.code).bind(i64::from(new.status)).bind(new.claim.as_deref().map(clean));
    let query = query.bind(clean(&new.message)).bind(&new.seen).bind(clean(&new.route));
    db.execute(query).await.map(drop)
}

/// The newest since `since`, at most `limit`; of one organization, or of all for the operator.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut Tx,
    organization: Option<&OrganizationId>,
    since: Time,
    limit: i64,
) -> Result<Vec<RecordedRefusal>, DbError> {
    let query = match organization {
        Some(organization) => sql(LIST).bind(organization).bind(since),
        None => sql(LIST_ALL).bind(since),
    };
    query.bind(limit.max(0)).all(tx).await?.into_iter().map(refusal).collect()
}

/// By the reference that a person was shown: for the operator, who may see all.
///
/// # Errors
/// [`DbError`].
pub async fn by_id(tx: &mut Tx, id: &RefusalId) -> Result<Option<RecordedRefusal>, DbError> {
    sql(BY_ID).bind(id).maybe(tx).await?.map(refusal).transpose()
}

/// Deletes at most `limit` refusals from before `before`.
///
/// # Errors
/// [`DbError`].
pub async fn delete_before(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_BEFORE).bind(before).bind(limit).execute(tx).await
}
