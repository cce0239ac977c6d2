//! The database: there, reachable, as new as the program, as durable as its operator believes.

use super::finding::Findings;
use super::machine::is_open;
use crate::gateway;
use crate::settings::{Settings, Synchronous, without_password};
use kernel::Time;
use std::path::{Path, PathBuf};
use store::Db;
use store::migrate::MIGRATIONS;

/// Seconds that the database's clock may differ from ours before it is told, and before it is an error.
const CLOCK_WARNING_S: u64 = 2;
const CLOCK_ERROR_S: u64 = 60;

/// The file of a SQLite database.
pub(super) fn sqlite_file(settings: &Settings) -> Option<PathBuf> {
    settings.database.url.reveal().strip_prefix("sqlite:").map(PathBuf::from)
}

/// The database, where it can be used.
pub(super) async fn opened(settings: &Settings, now: Time, findings: &mut Findings) -> Option<Db> {
    let shown = without_password(settings.database.url.reveal());
    if let Some(file) = sqlite_file(settings) {
        if !file.exists() {
            findings.warning(
                "database",
                format!("{} is not there yet", file.display()),
                "start `vestibule serve` once, which makes it; or set `database.url` to where it is",
            );
            return None;
        }
        files(&file, findings);
    }
    let db = match gateway::open_database(settings).await {
        Ok(db) => db,
        Err(error) => {
            let todo = "check `database.url`, that the server runs, and that its user may sign in";
            findings.error("database", format!("{shown} cannot be used: {error}"), todo);
            return None;
        }
    };
    about(settings, &db, &shown, now, findings).await;
    if migrations(&db, findings).await {
        return Some(db);
    }
    db.close().await;
    None
}

fn files(database: &Path, findings: &mut Findings) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = database.as_os_str().to_owned();
        name.push(ending);
        let file = PathBuf::from(name);
        if is_open(&file) {
            findings.warning(
                "database",
                format!("{} can be read by others; it holds people's data", file.display()),
                format!("run `chmod 600 {}`", file.display()),
            );
        }
    }
}

async fn about(settings: &Settings, db: &Db, shown: &str, now: Time, findings: &mut Findings) {
    let about = match db.about().await {
        Ok(about) => about,
        Err(error) => {
            return findings.error("database", error.to_string(), "look into the database's own log");
        }
    };
    findings.good("database", format!("{shown} answers ({} {})", db.engine(), about.version));
    if let Some(theirs) = about.now {
        let apart = theirs.seconds_since(now).unsigned_abs();
        let what = format!("the database's clock is {apart} s from this machine's");
        let todo = "keep both right with NTP";
        match apart {
            CLOCK_ERROR_S.. => findings.error("clock", what, todo),
            CLOCK_WARNING_S.. => findings.warning("clock", what, todo),
            _ => {}
        }
    }
    let lax = match &about.synchronous_commit {
        None => settings.database.synchronous == Synchronous::Normal,
        Some(mode) => matches!(mode.as_str(), "off" | "local"),
    };
    if lax {
        findings.warning(
            "database",
            "a commit is answered before it is safe; a loss of power may lose it, and a used token could be used again",
            "set `database.synchronous` to \"full\"; on PostgreSQL `synchronous_commit` to on",
        );
    }
}

/// Whether the schema is this program's.
async fn migrations(db: &Db, findings: &mut Findings) -> bool {
    match store::pending(db).await {
        Ok(pending) if pending.is_empty() => {
            findings.good("migrations", format!("all {} are applied", MIGRATIONS.len()));
            true
        }
        Ok(pending) => {
            let names: Vec<_> = pending.iter().map(|migration| migration.name).collect();
            findings.error(
                "migrations",
                format!("pending: {}", names.join(", ")),
                "make a copy of the database, then run `vestibule migrate`",
            );
            false
        }
        Err(error) => {
            let todo = "run the program that this database belongs to";
            findings.error("migrations", error.to_string(), todo);
            false
        }
    }
}
