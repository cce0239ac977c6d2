//! What the program weighs: memory, start, executable, and the dialog's page as a browser loads it.

use super::Plan;
use crate::client::{BROWSER, Connection};
use crate::databases::{Databases, Kind};
use crate::load::{count, median};
use crate::report::{Fact, Report};
use crate::world::{Configuration, World};
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const STARTS: usize = 10;

/// Starts on fresh databases and on one that is there already, and the size of the executable.
///
/// # Errors
/// When the program does not start.
pub async fn starts(program: &Path, databases: &Databases, plan: &Plan, report: &mut Report) -> Result<()> {
    let mut first = Vec::new();
    for number in 0..STARTS {
        plan.progress.set_message(format!("first start {} of {STARTS}", number + 1));
        let database = databases.fresh(Kind::SqliteFull, &format!("first-{number}")).await?;
        let name = format!("first-{number}");
        let configuration =
            Configuration::write(program, databases.folder(), &name, &database.url, Kind::SqliteFull)?;
        first.push(configuration.start().await?.ready_after);
    }
    let database = databases.fresh(Kind::SqliteFull, "again").await?;
    let configuration =
        Configuration::write(program, databases.folder(), "again", &database.url, Kind::SqliteFull)?;
    drop(configuration.start().await?);
    let (mut again, mut memory) = (Vec::new(), Vec::new());
    for number in 0..STARTS {
        plan.progress.set_message(format!("start {} of {STARTS}", number + 1));
        let server = configuration.start().await?;
        again.push(server.ready_after);
        // What a start leaves behind is given back within moments.
        tokio::time::sleep(Duration::from_millis(300)).await;
        memory.push(server.memory()?);
    }
    let milliseconds =
        |all: &[Duration]| format!("{:.0} ms", median(all.iter().map(|took| took.as_secs_f64() * 1e3)));
    let idle = median(memory.iter().map(|bytes| count(usize::try_from(*bytes).unwrap_or(usize::MAX)))) / 1e6;
    let size = count(usize::try_from(std::fs::metadata(program)?.len())?) / 1e6;
    let mut fact = |what: &str, value: String, goal: &str| {
        report.facts.push(Fact { what: what.to_owned(), value, goal: goal.to_owned() });
    };
    fact("start to ready, SQLite that is there (median of 10)", milliseconds(&again), "under 150 ms");
    fact(
        "first start to ready, SQLite made and migrated (median of 10)",
        milliseconds(&first),
        "under 150 ms",
    );
    fact("memory idle after the start (VmRSS, median of 10)", format!("{idle:.1} MB"), "under 30 MB");
    fact("executable", format!("{size:.1} MB"), "");
    plan.progress.inc(1);
    Ok(())
}

/// What a browser loads until the dialog can be used, and how long the two requests take on an idle server.
///
/// # Errors
/// When the gateway answers what it should not.
pub async fn page(world: &mut World, plan: &Plan, report: &mut Report) -> Result<()> {
    plan.progress.set_message("the dialog's page");
    let mut connection = Connection::open(world.gateway.address).await?;
    let (path, page) = world.dialog(&mut connection, 1).await?;
    let mut files: BTreeSet<String> =
        page.split('"').filter(|it| it.starts_with("/static/")).map(str::to_owned).collect();
    files.insert(path);
    let (mut raw, mut moved, mut parts) = (0, 0, Vec::new());
    for file in &files {
        let plain = fetch(world.gateway.address, file, &world.host, "").await?;
        let packed = fetch(world.gateway.address, file, &world.host, "accept-encoding: gzip\r\n").await?;
        let name =
            if file.starts_with("/dialogs/") { "page" } else { file.rsplit('/').next().unwrap_or_default() };
        parts.push(format!("{name} {} / {}", packed.len(), plain.len()));
        raw += plain.len();
        moved += packed.len();
    }
    let best = gzipped(page.as_bytes())?;
    let kilobytes = |bytes: usize| format!("{:.1} kB", count(bytes) / 1e3);
    let value = format!("{} ({} raw)", kilobytes(moved), kilobytes(raw));
    report.facts.push(Fact {
        what: "the dialog as transferred: page, styles, script".to_owned(),
        value,
        goal: "under 30 kB".to_owned(),
    });
    let what = "of it, in bytes (transferred / raw)".to_owned();
    report.facts.push(Fact { what, value: parts.join(" · "), goal: String::new() });
    let what = "the page alone, if a proxy packs it".to_owned();
    report.facts.push(Fact { what, value: kilobytes(best), goal: String::new() });
    plan.progress.inc(1);
    Ok(())
}

/// The body of an answer as it was sent. HTTP/1.0, so that its end is the connection's.
async fn fetch(address: SocketAddr, path: &str, host: &str, headers: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: {host}\r\n{BROWSER}{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").context("no answer")?;
    anyhow::ensure!(answer.get(9..12) == Some(b"200"), "{path}: {}", String::from_utf8_lossy(&answer));
    Ok(answer.split_off(head + 4))
}

fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes)?;
    Ok(packer.finish()?.len())
}
