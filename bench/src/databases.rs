//! The databases that are measured, each with what durable means there.

use anyhow::{Context as _, Result};
use store::Synchronous;
use testkit::postgres::{Database, Postgres};

/// One way to keep things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    SqliteFull,
    SqliteNormal,
    Postgres,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::SqliteFull, Self::SqliteNormal, Self::Postgres];

    /// As tables name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SqliteFull => "SQLite full",
            Self::SqliteNormal => "SQLite normal",
            Self::Postgres => "PostgreSQL",
        }
    }

    pub const fn synchronous(self) -> Synchronous {
        match self {
            Self::SqliteNormal => Synchronous::Normal,
            Self::SqliteFull | Self::Postgres => Synchronous::Full,
        }
    }
}

/// Where databases are made: a folder, and a server of PostgreSQL where one is measured.
#[derive(Debug)]
pub struct Databases {
    folder: tempfile::TempDir,
    postgres: Option<Postgres>,
}

/// An empty database; it goes with this value.
#[derive(Debug)]
pub struct Fresh {
    pub url: String,
    _database: Option<Database>,
}

impl Databases {
    /// # Errors
    /// When there is no folder to be made.
    pub async fn start(kinds: &[Kind]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vestibule-bench-").tempdir()?;
        let postgres = if kinds.contains(&Kind::Postgres) { Some(Postgres::durable().await) } else { None };
        Ok(Self { folder, postgres })
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// An empty database. `name` is part of a file's name.
    ///
    /// # Errors
    /// When the server of PostgreSQL was not started.
    pub async fn fresh(&self, kind: Kind, name: &str) -> Result<Fresh> {
        if kind == Kind::Postgres {
            let server = self.postgres.as_ref().context("PostgreSQL was not started")?;
            let database = server.empty_database().await;
            return Ok(Fresh { url: database.url().to_owned(), _database: Some(database) });
        }
        let path = self.folder.path().join(format!("{name}-{}.db", kind.name().replace(' ', "-")));
        Ok(Fresh { url: format!("sqlite:{}", path.display()), _database: None })
    }
}
