//! What the database says of itself, for `vestibule doctor`.

use super::{Db, DbError, Engine, sql};
use kernel::Time;

/// Facts about the database behind a [`Db`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// As the database writes it: `3.50.4`, `15.14`.
    pub version: String,
    /// The clock of the database's machine. `None` on SQLite, which has this machine's.
    pub now: Option<Time>,
    /// PostgreSQL's `synchronous_commit`. `None` on SQLite, where the settings decide.
    pub synchronous_commit: Option<String>,
}

const SQLITE: &str = "SELECT sqlite_version()";
// The one place that asks for the database's clock: to compare it with ours, which counts everywhere else.
const POSTGRES: &str = "SELECT current_setting('server_version'), \
    CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT), current_setting('synchronous_commit')";

impl Db {
    /// Asks the database for its version, its clock and how durable its commits are.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn about(&self) -> Result<About, DbError> {
        match &*self.engine {
            Engine::Sqlite { .. } => {
                let read = self.read(|tx| Box::pin(async move { sql(SQLITE).one(tx).await?.take() }));
                Ok(About { version: read.await?, now: None, synchronous_commit: None })
            }
            Engine::Postgres { .. } => {
                self.read(|tx| {
                    Box::pin(async move {
                        let mut row = sql(POSTGRES).one(tx).await?;
                        let (version, now) = (row.take()?, Some(row.take()?));
                        Ok(About { version, now, synchronous_commit: Some(row.take()?) })
                    })
                })
                .await
            }
        }
    }
}
