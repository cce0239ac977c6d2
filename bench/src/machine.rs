//! The machine, as figures name it.

use anyhow::Result;
use kernel::{Clock as _, SystemClock};
use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use tokio::time::Instant;

/// What figures depend on.
#[derive(Debug)]
pub struct Machine {
    pub date: String,
    cores: usize,
    processor: String,
    kernel: String,
    compiler: String,
    /// Median of writing 4 KiB and waiting for the disk, in milliseconds.
    fsync_ms: f64,
    /// Of the last minute, before anything was measured.
    pub load: String,
}

impl Machine {
    /// `folder` lies on the disk that will be measured.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn look(folder: &Path) -> Result<Self> {
        let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let compiler = Command::new("rustc").arg("--version").output();
        Ok(Self {
            date: SystemClock.now().iso_seconds().chars().take(10).collect(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned()),
            kernel: read("/proc/sys/kernel/osrelease"),
            compiler: compiler
                .map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned())
                .unwrap_or_default(),
            fsync_ms: fsync(folder)?,
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        })
    }
}

fn fsync(folder: &Path) -> Result<f64> {
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    let mut took = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(path)?;
    Ok(crate::load::median(took.into_iter()))
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, kernel, compiler, fsync_ms, load, .. } = self;
        write!(
            f,
            "Machine: {cores} cores ({processor}), Linux {kernel}, {compiler}. Writing 4 KiB with `fsync` took \
             {fsync_ms:.2} ms. Load before: {load}."
        )
    }
}
