//! The schema as the database sees it: `schema.sqlite.sql` and `schema.postgres.sql`, generated from the
//! migrations, so that a reader and a reviewer see what one SQL text has become on each engine.

use crate::db::{Db, DbError};

/// The schema of a migrated database, one statement per table, index and sequence.
///
/// # Errors
/// [`DbError`].
pub async fn dump(db: &Db) -> Result<String, DbError> {
    db.read(|tx| Box::pin(async move { tx.describe().await })).await
}
