//! Migrations: applied once, in order, and never changed afterwards.

use crate::db::{Db, DbError, Tx, sql};
use kernel::Time;
use kernel::secret::sha256_hex;

/// One step of the schema; its file is the same for both databases.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

/// Every migration, oldest first. A new file is added here; a test compares the list with the folder.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "first_door", sql: include_str!("../migrations/0001_first_door.sql") },
    Migration { version: 2, name: "second_door", sql: include_str!("../migrations/0002_second_door.sql") },
    Migration { version: 3, name: "work", sql: include_str!("../migrations/0003_work.sql") },
];

const RECORD_TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations (
    version BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at BIGINT NOT NULL
)";

crate::statements::statements! {
    APPLIED = "SELECT version, name, sha256 FROM migrations ORDER BY version";
    RECORD = "INSERT INTO migrations (version, name, sha256, applied_at) VALUES ($1, $2, $3, $4)";
}

impl Migration {
    fn sha256(&self) -> String {
        sha256_hex(self.sql.as_bytes())
    }

    /// The sequences it makes: lines of the form `-- sequence: tenants`.
    fn sequences(&self) -> impl Iterator<Item = &'static str> {
        self.sql.lines().filter_map(|line| line.strip_prefix("-- sequence:")).map(str::trim)
    }
}

/// The migrations that are still to be applied.
///
/// # Errors
/// [`DbError::Setup`] where an applied one was changed since, or where the database is newer than the program.
pub async fn pending(db: &Db) -> Result<Vec<Migration>, DbError> {
    db.read(|tx| Box::pin(outstanding(tx, MIGRATIONS))).await
}

/// Applies what is pending, in one unit of work: all of it or nothing. Processes that start at the same time wait
/// for each other.
///
/// # Errors
/// As [`pending`].
pub async fn migrate(db: &Db, now: Time) -> Result<Vec<Migration>, DbError> {
    apply(db, MIGRATIONS, now).await
}

/// Applies of these migrations what is pending: with the first ones alone, the database of an older release is made.
///
/// # Errors
/// As [`pending`].
pub async fn apply(db: &Db, migrations: &'static [Migration], now: Time) -> Result<Vec<Migration>, DbError> {
    db.write(move |tx| {
        Box::pin(async move {
            tx.lock_for_migration().await?;
            tx.script(RECORD_TABLE).await?;
            let pending = outstanding(tx, migrations).await?;
            for migration in &pending {
                for sequence in migration.sequences() {
                    tx.make_sequence(sequence).await?;
                }
                tx.script(migration.sql).await?;
                let record =
                    sql(RECORD).bind(migration.version).bind(migration.name).bind(migration.sha256());
                record.bind(now).execute(tx).await?;
            }
            Ok(pending)
        })
    })
    .await
}

async fn outstanding(tx: &mut Tx, migrations: &[Migration]) -> Result<Vec<Migration>, DbError> {
    let mut pending = migrations.to_vec();
    if !tx.table_exists("migrations").await? {
        return Ok(pending);
    }
    for mut row in sql(APPLIED).all(tx).await? {
        let (version, name, sha256) = (row.take::<i64>()?, row.take::<String>()?, row.take::<String>()?);
        let Some(known) = migrations.iter().find(|migration| migration.version == version) else {
            return Err(DbError::Setup(format!(
                "the database has migration {version} ({name}), which this program does not know; use a newer program"
            )));
        };
        if known.sha256() != sha256 {
            return Err(DbError::Setup(format!(
                "migration {version} ({name}) was changed after it had been applied; restore its file"
            )));
        }
        pending.retain(|migration| migration.version != version);
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[Migration] = &[Migration { version: 1, name: "a", sql: "CREATE TABLE a (id BIGINT)" }];
    const CHANGED: &[Migration] = &[Migration { version: 1, name: "a", sql: "CREATE TABLE a (id TEXT)" }];
    const NOW: Time = Time::from_seconds(1);

    async fn fresh() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("a.db").display());
        let db = Db::open(&crate::Config::new(url)).await.unwrap();
        (folder, db)
    }

    #[tokio::test]
    async fn a_changed_migration_is_refused() {
        let (_folder, db) = fresh().await;
        assert_eq!(apply(&db, ONE, NOW).await.unwrap().len(), 1);
        assert_eq!(apply(&db, ONE, NOW).await.unwrap().len(), 0);
        let DbError::Setup(text) = apply(&db, CHANGED, NOW).await.unwrap_err() else {
            panic!("another kind")
        };
        assert!(text.contains("changed"), "{text}");
        let DbError::Setup(text) = apply(&db, &[], NOW).await.unwrap_err() else { panic!("another kind") };
        assert!(text.contains("newer"), "{text}");
    }

    #[tokio::test]
    async fn a_migration_that_fails_leaves_nothing() {
        let (_folder, db) = fresh().await;
        const BROKEN: &[Migration] =
            &[Migration { version: 1, name: "a", sql: "CREATE TABLE a (id BIGINT); CREATE TABLE b (;" }];
        assert!(matches!(apply(&db, BROKEN, NOW).await, Err(DbError::Bug(_))));
        assert_eq!(apply(&db, ONE, NOW).await.unwrap().len(), 1);
    }

    #[test]
    fn the_list_is_the_folder() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<_> = MIGRATIONS.iter().map(|m| format!("{:04}_{}.sql", m.version, m.name)).collect();
        assert_eq!(files, listed);
    }
}
