//! SQLite: how a connection is opened, how a statement runs on it, what its errors mean.

use super::statement::Query;
use super::value::{Cell, Row, Value};
use super::{Config, DbError, Synchronous};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OpenFlags, ffi};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Earlier versions can corrupt a database in WAL mode when two processes checkpoint at once.
const OLDEST: i32 = 3_051_003;
/// Pages of write-ahead log after which a commit copies them into the database file: 48 MiB. A page that was changed
/// often meanwhile is copied once.
const CHECKPOINT_PAGES: u32 = 12_000;
/// Pages that the writer keeps in memory, in KiB. A commit after which a B-tree was split walks over all of them.
const WRITER_CACHE_KB: u32 = 16 << 10;
/// How much of the log file is kept after a checkpoint, in bytes.
const LOG_KEPT: u32 = 64 << 20;

/// One connection, owned, so that a unit of work that borrows it may travel between threads.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    last_error: Option<DbError>,
    /// Of statements that are constants, by their places in memory and lengths: whether their placeholders first appear
    /// in the order of their numbers, as they mostly do. To ask for each one's name takes longer than to bind it.
    in_order: RefCell<HashMap<(usize, usize), bool>>,
}

/// `sqlite:file`, `sqlite:/abs/file` or `sqlite:///abs/file`.
pub(super) fn path_of(url: &str) -> Result<PathBuf, DbError> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let rest = rest.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(rest);
    if rest.is_empty() || rest.starts_with(':') || rest.starts_with("//") || rest.contains('?') {
        let text =
            "the database URL must name a file, as in sqlite:vestibule.db or sqlite:/var/lib/vestibule.db";
        return Err(DbError::Setup(text.to_owned()));
    }
    Ok(PathBuf::from(rest))
}

/// Refuses a SQLite that could damage the file.
pub(super) fn check_version() -> Result<(), DbError> {
    if rusqlite::version_number() >= OLDEST {
        return Ok(());
    }
    Err(DbError::Setup(format!(
        "SQLite {} can damage a database; 3.51.3 or newer is needed",
        rusqlite::version()
    )))
}

/// Decision: the file is made for its owner only, because it holds personal data (secrets in it are sealed).
/// SQLite gives its log files the same mode.
pub(super) fn create_private(path: &Path) -> Result<(), DbError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            Err(DbError::Setup(format!("the database file {} cannot be made: {error}", path.display())))
        }
    }
}

impl Session {
    pub(super) fn open_writer(path: &Path, config: &Config) -> Result<Self, DbError> {
        let session = Self::open(path, config)?;
        let synchronous = match config.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        let settings = format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON;
             PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; PRAGMA journal_size_limit = {LOG_KEPT};
             PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{WRITER_CACHE_KB};"
        );
        session.connection.execute_batch(&settings).map_err(|error| session.explain(&error))?;
        let mode = session.connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
        match mode.map_err(|error| session.explain(&error))?.as_str() {
            "wal" => session.without_statistics(),
            other => Err(DbError::Setup(format!(
                "SQLite stays in journal mode {other}; its folder must allow WAL"
            ))),
        }
    }

    /// Decision: the planner has no statistics, and takes the indexes that the statements were written for, which a test
    /// looks at. Statistics of a table that was small when they were taken made it read whole tables once they had grown:
    /// half a second in place of a millisecond for a landing. Trade: nothing here would gain by them.
    fn without_statistics(self) -> Result<Self, DbError> {
        let dropped = self
            .connection
            .execute_batch("DROP TABLE IF EXISTS sqlite_stat1; DROP TABLE IF EXISTS sqlite_stat4");
        dropped.map_err(|error| self.explain(&error))?;
        Ok(self)
    }

    /// A connection that cannot write.
    pub(super) fn open_reader(path: &Path, config: &Config) -> Result<Self, DbError> {
        let session = Self::open(path, config)?;
        let settings = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;";
        session.connection.execute_batch(settings).map_err(|error| session.explain(&error))?;
        Ok(session)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one room that opens connections")]
    fn open(path: &Path, config: &Config) -> Result<Self, DbError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| {
            DbError::Setup(format!("the database file {} cannot be opened: {error}", path.display()))
        })?;
        connection.set_prepared_statement_cache_capacity(256);
        // Without it every value bound to a column of a partial index has the statement prepared once more, which
        // costs more than running it.
        let stable = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
        let session = Self { connection, last_error: None, in_order: RefCell::default() };
        stable.map_err(|error| session.explain(&error))?;
        session.connection.busy_timeout(config.busy_timeout).map_err(|error| session.explain(&error))?;
        Ok(session)
    }

    pub(super) fn execute(&mut self, query: &Query) -> Result<u64, DbError> {
        let result = self.bound(query).and_then(|mut statement| Ok(statement.raw_execute()?));
        self.told(result).map(|count| u64::try_from(count).unwrap_or(u64::MAX))
    }

    pub(super) fn rows(&mut self, query: &Query) -> Result<Vec<Row>, DbError> {
        let result = self.bound(query).and_then(|statement| read_all(statement));
        self.told(result)
    }

    /// Runs one of the texts that frame a unit of work (`COMMIT`, `SAVEPOINT ..`).
    pub(super) fn frame(&mut self, text: &'static str) -> Result<(), DbError> {
        let result = self.connection.prepare_cached(text).and_then(|mut statement| statement.raw_execute());
        self.told(result.map(drop).map_err(Trouble::from))
    }

    pub(super) fn script(&mut self, text: &str) -> Result<(), DbError> {
        let result = self.connection.execute_batch(text);
        self.told(result.map_err(Trouble::from))
    }

    pub(super) fn prepare(&mut self, text: &str) -> Result<(), DbError> {
        let result = self.connection.prepare(text).map(drop);
        self.told(result.map_err(Trouble::from))
    }

    /// Whether a transaction is open. Some errors (a full disk) make SQLite roll back by itself.
    pub(super) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    pub(super) fn take_last_error(&mut self) -> Option<DbError> {
        self.last_error.take()
    }

    fn bound(&self, query: &Query) -> Result<CachedStatement<'_>, Trouble> {
        let mut statement = self.connection.prepare_cached(&query.text)?;
        if statement.parameter_count() != query.values.len() {
            return Err(Trouble::Parameters);
        }
        let in_order = self.is_in_order(query, &statement);
        for index in 1..=query.values.len() {
            let number = if in_order { Some(index) } else { placeholder(&statement, index) };
            let value = number.and_then(|number| query.values.get(number.checked_sub(1)?));
            match value.ok_or(Trouble::Parameters)? {
                Value::Text(text) => statement.raw_bind_parameter(index, text)?,
                Value::Int(number) => statement.raw_bind_parameter(index, number)?,
                Value::Bool(flag) => statement.raw_bind_parameter(index, flag)?,
            }
        }
        Ok(statement)
    }

    fn is_in_order(&self, query: &Query, statement: &CachedStatement<'_>) -> bool {
        let look = || (1..=query.values.len()).all(|index| placeholder(statement, index) == Some(index));
        match &query.text {
            Cow::Borrowed(text) => {
                let place = (text.as_ptr().addr(), text.len());
                *self.in_order.borrow_mut().entry(place).or_insert_with(look)
            }
            Cow::Owned(_) => false,
        }
    }

    fn told<T>(&mut self, result: Result<T, Trouble>) -> Result<T, DbError> {
        result.map_err(|trouble| {
            let error = match trouble {
                Trouble::Driver(error) => self.explain(&error),
                Trouble::Parameters => {
                    DbError::Bug("as many values must be bound as there are placeholders".to_owned())
                }
                Trouble::Column(position) => DbError::bad_column(position, "TEXT or BIGINT"),
            };
            self.last_error = Some(error.clone());
            error
        })
    }

    fn explain(&self, error: &rusqlite::Error) -> DbError {
        let Some(failure) = error.sqlite_error() else { return DbError::Bug(error.to_string()) };
        match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                return DbError::Unique { index: self.violated(&error.to_string()) };
            }
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => return DbError::Reference,
            _ => {}
        }
        // SQLite's texts name tables and columns, never values.
        match failure.code {
            ffi::ErrorCode::DatabaseBusy
            | ffi::ErrorCode::DatabaseLocked
            | ffi::ErrorCode::OperationInterrupted => {
                DbError::Unavailable("another process holds the database file".to_owned())
            }
            ffi::ErrorCode::DiskFull => DbError::Full,
            ffi::ErrorCode::DatabaseCorrupt | ffi::ErrorCode::NotADatabase => {
                DbError::Corrupt(error.to_string())
            }
            ffi::ErrorCode::SystemIoFailure | ffi::ErrorCode::CannotOpen | ffi::ErrorCode::OutOfMemory => {
                DbError::Unavailable(error.to_string())
            }
            _ => DbError::Bug(error.to_string()),
        }
    }

    /// The name of the unique index in `UNIQUE constraint failed: tenants.organization_id, tenants.name`.
    fn violated(&self, message: &str) -> String {
        let listed = message.split_once("failed: ").map_or("", |(_, rest)| rest);
        if let Some(rest) = listed.strip_prefix("index '") {
            return rest.trim_end_matches('\'').to_owned();
        }
        let table = listed.split_once('.').map_or("", |(table, _)| table).to_owned();
        let column =
            |part: &str| part.trim().split_once('.').map_or_else(String::new, |(_, name)| name.to_owned());
        let columns = listed.split(',').map(column).collect::<Vec<_>>().join(",");
        let found = self.connection.query_row(
            "SELECT l.name, l.origin FROM pragma_index_list(?1) AS l WHERE l.\"unique\" = 1 AND ?2 =
             (SELECT string_agg(i.name, ',' ORDER BY i.seqno) FROM pragma_index_info(l.name) AS i)",
            [&table, &columns],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
        );
        match found {
            Ok((name, origin)) if origin != "pk" => name,
            _ => format!("{table}_pkey"),
        }
    }
}

/// The number of a placeholder, from 1: `$2` is a name for SQLite, and it numbers names by their first appearance.
fn placeholder(statement: &CachedStatement<'_>, index: usize) -> Option<usize> {
    statement.parameter_name(index)?.strip_prefix('$')?.parse().ok()
}

enum Trouble {
    Driver(rusqlite::Error),
    Parameters,
    Column(usize),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Driver(error)
    }
}

fn read_all(mut statement: CachedStatement<'_>) -> Result<Vec<Row>, Trouble> {
    let width = statement.column_count();
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let mut cells = Vec::with_capacity(width);
        for index in 0..width {
            cells.push(match row.get_ref(index)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Int(number),
                ValueRef::Text(bytes) => {
                    let text = std::str::from_utf8(bytes).map_err(|_| Trouble::Column(index + 1))?;
                    Cell::Text(text.to_owned())
                }
                ValueRef::Real(_) | ValueRef::Blob(_) => return Err(Trouble::Column(index + 1)),
            });
        }
        all.push(Row::new(cells));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_that_somebody_took_are_gone_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.db");
        create_private(&path).unwrap();
        let config = Config::new("sqlite:plan.db");
        let count = |session: &Session| -> i64 {
            let sql = "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'sqlite_stat%'";
            session.connection.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        let first = Session::open_writer(&path, &config).unwrap();
        let took = "CREATE TABLE a (b TEXT); CREATE INDEX c ON a (b); INSERT INTO a VALUES ('x'); ANALYZE";
        first.connection.execute_batch(took).unwrap();
        assert!(count(&first) > 0);
        drop(first);
        assert_eq!(count(&Session::open_writer(&path, &config).unwrap()), 0);
    }
}
