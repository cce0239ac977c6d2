//! `vestibule migrate`: brings the database up to what this program knows.

use super::asking;
use crate::gateway;
use crate::settings::Loaded;
use kernel::{Clock as _, SystemClock};
use serde_json::json;
use std::io::Write;
use store::migrate::{MIGRATIONS, Migration};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shows what is pending and changes nothing; ends with 1 where something is
    #[arg(long)]
    status: bool,
    /// JSON instead of sentences
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where the database cannot be reached, or is newer than the program; with `--status`, where something is pending.
pub fn run(arguments: &Arguments, loaded: &Loaded, out: &mut dyn Write) -> anyhow::Result<()> {
    let Arguments { status, json: as_json } = *arguments;
    let (engine, found) = asking()?.block_on(async {
        let db = gateway::open_database(&loaded.settings).await?;
        let found =
            if status { store::pending(&db).await } else { store::migrate(&db, SystemClock.now()).await };
        let engine = db.engine();
        db.close().await;
        anyhow::Ok((engine, found?))
    })?;
    if as_json {
        let named = |migration: &Migration| json!({ "version": migration.version, "name": migration.name });
        let listed: Vec<_> = found.iter().map(named).collect();
        let key = if status { "pending" } else { "applied" };
        writeln!(out, "{}", json!({ "database": engine, "known": MIGRATIONS.len(), key: listed }))?;
    } else {
        let verb = if status { "pending" } else { "applied" };
        for migration in &found {
            writeln!(out, "{verb}: {:04} {}", migration.version, migration.name)?;
        }
        if found.is_empty() {
            writeln!(out, "the {engine} database is up to date ({} migrations)", MIGRATIONS.len())?;
        }
    }
    anyhow::ensure!(
        !status || found.is_empty(),
        "{} pending; make a copy of the database, then run `vestibule migrate`",
        found.len()
    );
    Ok(())
}
