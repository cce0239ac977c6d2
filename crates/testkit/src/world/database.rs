//! The database of one test.

use crate::postgres::{self, Postgres};
use kernel::{Clock as _, SystemClock};
use std::sync::Arc;
use store::{Config, Db, DbError, Row, Synchronous, sql};

use super::World;

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// The files or the server's database behind a world. Gone some time after the drop.
#[derive(Debug)]
pub(super) struct Database {
    url: String,
    _folder: Option<tempfile::TempDir>,
    _database: Option<postgres::Database>,
    _server: Option<Arc<Postgres>>,
}

impl Database {
    /// Migrated and empty, on the tests' own server unless there is another.
    pub(super) async fn make(engine: Engine, server: Option<Arc<Postgres>>) -> Self {
        match (engine, server) {
            (Engine::Sqlite, _) => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let url = format!("sqlite:{}", folder.path().join("gateway.db").display());
                migrated(url.clone()).await.expect("a new file is migrated");
                Self { url, _folder: Some(folder), _database: None, _server: None }
            }
            (Engine::Postgres, server) => {
                let database = match &server {
                    Some(own) => own.database("gateway", migrated).await,
                    None => Postgres::shared().await.database("gateway", migrated).await,
                };
                Self {
                    url: database.url().to_owned(),
                    _folder: None,
                    _database: Some(database),
                    _server: server,
                }
            }
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn open(&self) -> Db {
        // The machine does not lose power during a test; what a kill loses is tested with a process of its own.
        let config = Config { synchronous: Synchronous::Normal, ..Config::new(&self.url) };
        Db::open(&config).await.expect("the database opens")
    }
}

async fn migrated(url: String) -> Result<(), DbError> {
    let db = Db::open(&Config::new(url)).await?;
    store::migrate(&db, SystemClock.now()).await?;
    db.close().await;
    Ok(())
}

impl World {
    /// The rows of a query past the product's own functions, as the database has them.
    ///
    /// # Panics
    /// When the database does not take it.
    pub async fn rows(&self, query: &'static str) -> Vec<Row> {
        let read = self.db().read(move |tx| Box::pin(async move { sql(query).all(tx).await }));
        read.await.unwrap_or_else(|error: DbError| panic!("{query}: {error}"))
    }

    /// The number of rows that `FROM` and what follows it names: `world.count("tenants")`.
    ///
    /// # Panics
    /// When the database does not take it.
    pub async fn count(&self, from: &str) -> i64 {
        let query = format!("SELECT COUNT(*) FROM {from}");
        let text = query.clone();
        let read = self.db().read(move |tx| Box::pin(async move { sql(text).one(tx).await }));
        let mut row: Row = read.await.unwrap_or_else(|error: DbError| panic!("{query}: {error}"));
        row.take().expect("a number")
    }

    /// Changes rows past the product's own functions, for what has no function yet.
    ///
    /// # Panics
    /// When the database does not take it.
    pub async fn change(&self, statement: &'static str) {
        let changed = self.db().execute(sql(statement)).await;
        changed.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}
