//! How releases go that nobody needs any more: first their files, later their rows.

use crate::db::{DbError, Tx, sql};
use crate::statements::statements;
use kernel::Time;
use kernel::ids::{OrganizationId, ReleaseId};

/// Of each integration the newest so many that are ready keep their files, whatever leads to them.
pub const NEWEST: i64 = 10;
/// Parts of files in one unit of work: half a mebibyte each.
const PARTS: i64 = 16;

statements! {
    // `modified_at` says since when nothing has led to it: it is set when it becomes ready and when it is let go of. A
    // tenant's own counts also where the tenant is archived, because it may be taken back.
    RETIRE = "UPDATE releases SET retired_at = $2, ready_at = NULL, archive_hash = NULL, archive_bytes = 0,
        modified_at = $2 WHERE id IN (SELECT r.id FROM releases AS r
            WHERE r.modified_at < $1 AND r.ready_at IS NOT NULL
            AND r.id < (SELECT n.id FROM releases AS n WHERE n.integration_id = r.integration_id
                AND n.ready_at IS NOT NULL ORDER BY n.id DESC LIMIT 1 OFFSET $3)
            AND NOT EXISTS (SELECT 1 FROM integrations AS i
                WHERE i.id = r.integration_id AND i.default_release_id = r.id)
            AND NOT EXISTS (SELECT 1 FROM tenants AS t WHERE t.release_id = r.id)
            AND r.id NOT IN (SELECT u.release_id FROM runs AS u
                WHERE u.completed_at IS NULL AND u.release_id IS NOT NULL)
            ORDER BY r.modified_at LIMIT $4)";
    // Whoever built it is gone: a command line that was ended, or a node between two units of work.
    ABANDON = "UPDATE releases SET failure = 'its build was never finished', archive_hash = NULL, archive_bytes = 0,
        modified_at = $2 WHERE id IN (SELECT r.id FROM releases AS r WHERE r.modified_at < $1 AND r.ready_at IS NULL
            AND r.failure IS NULL AND r.retired_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.kind = 'build' AND j.subject = CAST(r.id AS TEXT))
            ORDER BY r.modified_at LIMIT $3) AND ready_at IS NULL AND failure IS NULL";
    DELETE_PARTS = "DELETE FROM release_parts WHERE (release_id, part) IN (SELECT p.release_id, p.part
        FROM releases AS r CROSS JOIN release_parts AS p WHERE p.release_id = r.id AND r.modified_at < $1
        AND r.ready_at IS NULL AND (r.failure IS NOT NULL OR r.retired_at IS NOT NULL) LIMIT $2)";
    DELETE_FAILED = "DELETE FROM releases WHERE id IN (SELECT r.id FROM releases AS r WHERE r.modified_at < $1
        AND r.ready_at IS NULL AND r.failure IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM release_parts AS p WHERE p.release_id = r.id)
        ORDER BY r.modified_at LIMIT $2)";
    DELETE_RETIRED = "DELETE FROM releases WHERE id IN (SELECT r.id FROM releases AS r WHERE r.modified_at < $1
        AND r.ready_at IS NULL AND r.retired_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM release_parts AS p WHERE p.release_id = r.id)
        ORDER BY r.modified_at LIMIT $2)";
    LET_GO = "UPDATE releases SET modified_at = $3 WHERE organization_id = $1 AND id = $2 AND ready_at IS NOT NULL";
}

/// Something led to it until now: the time after which it may be retired begins anew, so that one can go back.
///
/// # Errors
/// [`DbError`].
pub async fn let_go(
    tx: &mut Tx,
    organization: &OrganizationId,
    id: ReleaseId,
    now: Time,
) -> Result<(), DbError> {
    sql(LET_GO).bind(organization).bind(id).bind(now).execute(tx).await.map(drop)
}

/// At most `limit` that nothing has led to since `before`, and that are none of the [`NEWEST`] of their integration,
/// cannot be used any more; how many.
///
/// # Errors
/// [`DbError`].
pub async fn retire(tx: &mut Tx, before: Time, now: Time, limit: i64) -> Result<u64, DbError> {
    sql(RETIRE).bind(before).bind(now).bind(NEWEST - 1).bind(limit).execute(tx).await
}

/// At most `limit` that have stood as being built since `before` have failed; how many.
///
/// # Errors
/// [`DbError`].
pub async fn abandon(tx: &mut Tx, before: Time, now: Time, limit: i64) -> Result<u64, DbError> {
    sql(ABANDON).bind(before).bind(now).bind(limit).execute(tx).await
}

/// Deletes parts of the files of those that failed or were retired before `before`, at most `limit` and never more than
/// a few mebibytes; how many.
///
/// # Errors
/// [`DbError`].
pub async fn delete_parts(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_PARTS).bind(before).bind(limit.min(PARTS)).execute(tx).await
}

/// Deletes at most `limit` that failed before `before` and have no files.
///
/// # Errors
/// [`DbError`].
pub async fn delete_failed(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_FAILED).bind(before).bind(limit).execute(tx).await
}

/// Deletes at most `limit` that were retired before `before` and have no files.
///
/// # Errors
/// [`DbError`].
pub async fn delete_retired(tx: &mut Tx, before: Time, limit: i64) -> Result<u64, DbError> {
    sql(DELETE_RETIRED).bind(before).bind(limit).execute(tx).await
}
