//! What is to be run, within which limits, and how it ended.

use crate::Scratch;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// A program to be run.
pub struct Program {
    /// A line for `/bin/sh -c`.
    pub command: String,
    /// The working folder; it must be there.
    pub folder: PathBuf,
    /// The whole environment: nothing of the gateway's own is added. `PATH` is for the caller to give.
    pub environment: Vec<(String, String)>,
    /// A folder that is removed once nothing of the program is left, also where the gateway is gone by then.
    pub scratch: Option<Scratch>,
    pub limits: Limits,
    /// The account to run as, where the gateway runs as root; its own otherwise.
    pub user: Option<User>,
}

impl std::fmt::Debug for Program {
    /// The environment carries credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("command", &self.command)
            .field("folder", &self.folder)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// An account of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub user: u32,
    pub group: u32,
}

/// What a program and everything it starts may take together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How long it may run at all, however far its deadline is moved ahead; then it has [`How::TimedOut`].
    pub time: Duration,
    /// From SIGTERM to SIGKILL. So everything is gone at the latest this long after the deadline.
    pub grace: Duration,
    /// Resident memory in bytes, shared pages counted once; looked at ten times a second, so that a program may be
    /// above it for a moment.
    pub memory: u64,
    /// Processes at a time. Besides being looked at, they are refused by the kernel where the account is not root.
    pub processes: u32,
    /// Files that each of them may have open.
    pub open_files: u64,
    /// Bytes of standard output that are kept: the last ones, because the last line is a run's state.
    pub stdout: usize,
    /// Bytes of standard error that are passed on; the rest is read and dropped.
    pub log: u64,
    /// Added to the priority of the processor, 0 to 19: more is nicer to others.
    pub niceness: i32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(600),
            grace: Duration::from_secs(5),
            memory: 1 << 30,
            processes: 512,
            open_files: 1024,
            stdout: 1 << 20,
            log: 10 << 20,
            niceness: 5,
        }
    }
}

/// Why nothing of a program is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// By itself, with this code. A command that `sh` does not find has 127.
    Exited(i32),
    /// By this signal, which was not ours.
    Signalled(i32),
    /// It ran longer than [`Limits::time`].
    TimedOut,
    /// The deadline passed and was not moved ahead: whoever started it may have lost its lease.
    Expired,
    Cancelled,
    OverMemory,
    TooManyProcesses,
    /// The supervisor went away, or the gateway's socket to it did. It may have run, in part or in full.
    Lost(String),
    /// Not one instruction of it ran.
    NotStarted(String),
}

/// What is known once nothing of a program is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub how: How,
    /// Standard output to the byte; where `stdout_cut`, a line that says so and then its last bytes.
    pub stdout: Vec<u8>,
    pub stdout_cut: bool,
    pub log_cut: bool,
    /// From its start to the end of the program itself.
    pub took: Duration,
    /// The most resident memory that was seen, in bytes.
    pub peak_memory: u64,
}
