//! What this machine gives to programs: a folder, a `PATH`, and who starts them.

use runner::Runner;
use std::path::PathBuf;
use std::time::Duration;

/// What was chosen for programs on this machine.
#[derive(Debug)]
pub struct Machine {
    /// Starts programs under a supervisor.
    pub runner: Runner,
    /// The account that programs run as, where the gateway runs as root.
    pub user: Option<runner::User>,
    /// `PATH` of every program: nothing of the gateway's own environment is handed on.
    pub path: String,
    /// Where releases are unpacked, built, and run. Each machine has its own.
    pub folder: PathBuf,
    /// How much unpacked releases may take before those unused for longest are removed, in bytes.
    pub cache_bytes: u64,
    /// How long a build may take, its git included.
    pub build_time: Duration,
    /// How much memory a build may take, in bytes.
    pub build_memory: u64,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            runner: Runner::of_this_executable(),
            user: None,
            path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            folder: PathBuf::from("vestibule-work"),
            cache_bytes: 4 << 30,
            build_time: Duration::from_secs(600),
            build_memory: 4 << 30,
        }
    }
}

impl Machine {
    /// Where programs get folders of their own for the time they run.
    pub fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// Where unpacked releases lie.
    pub(super) fn releases(&self) -> PathBuf {
        self.folder.join("releases")
    }
}
