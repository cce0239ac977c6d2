//! SQLite: connections for reading.

use super::statement::{Driver, Query, Tx};
use super::value::Row;
use super::{Config, DbError, sqlite, unit};
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Mutex;

/// Connections to the SQLite file for reading, one per thread that reads at the same time.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    config: Config,
    idle: Mutex<Vec<Tx>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, config: &Config) -> Self {
        Self { path, config: config.clone(), idle: Mutex::default() }
    }

    fn take(&self) -> Result<Tx, DbError> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        match idle {
            Some(tx) => Ok(tx),
            None => {
                sqlite::Session::open_reader(&self.path, &self.config).map(|s| Tx::new(Driver::Sqlite(s)))
            }
        }
    }

    pub(super) fn forget(&self) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.clear();
        }
    }

    fn keep(&self, tx: Tx) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(tx);
        }
    }

    /// A single statement is a snapshot by itself.
    pub(super) fn maybe(&self, query: &Query) -> Result<Option<Row>, DbError> {
        let mut tx = self.take()?;
        let Driver::Sqlite(session) = &mut tx.driver else { return Ok(None) };
        let rows = session.rows(query)?;
        self.keep(tx);
        Ok(rows.into_iter().next())
    }

    /// Runs in the caller's thread: a point read takes a few microseconds, less than a hand-over would.
    pub(super) fn read<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
        E: From<DbError>,
    {
        let mut tx = self.take()?;
        if let Driver::Sqlite(session) = &mut tx.driver {
            session.frame("BEGIN")?;
        }
        let result = unit::poll_once(&mut tx, body);
        let Driver::Sqlite(session) = &mut tx.driver else { return result };
        // A connection whose snapshot does not end is closed instead of kept.
        if session.frame("COMMIT").is_ok() {
            self.keep(tx);
        }
        result
    }
}
