//! The processes that are measured, and what the kernel tells of them.

use crate::client::{Connection, request};
use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use testkit::process::free_port;
use tokio::time::Instant;

/// How long a server may take to be ready.
const START: Duration = Duration::from_secs(30);

/// A server as a process of its own; it ends with this value.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process until it answered.
    pub ready_after: Duration,
}

/// A free address of this machine.
pub fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

impl Server {
    /// Starts a program that will listen at `address` and waits until `path` answers 200. What it says goes
    /// into `log`.
    ///
    /// # Errors
    /// When it ends or is not ready in time, with the end of what it said.
    pub async fn start(command: &mut Command, address: SocketAddr, path: &str, log: &Path) -> Result<Self> {
        let output = File::create(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let begun = Instant::now();
        let child =
            command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        let mut server = Self { child, address, ready_after: Duration::ZERO };
        let question = request("GET", path, &address.to_string(), "", "");
        while begun.elapsed() < START {
            if answers(address, &question).await {
                server.ready_after = begun.elapsed();
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}: {}", end_of(log));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("the server was not ready in time: {}", end_of(log))
    }

    /// Processor time of the process so far, in user and kernel mode.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn processor_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is the program's name and may hold anything, so counting starts behind it.
        let (_, fields) = stat.rsplit_once(')').context("/proc/pid/stat")?;
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Memory that the process has in RAM now, in bytes.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }
}

async fn answers(address: SocketAddr, question: &[u8]) -> bool {
    let Ok(mut connection) = Connection::open(address).await else { return false };
    connection.send(question).await.is_ok_and(|answer| answer.status == 200)
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().rev().take(5).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
}
