//! Starts programs on this machine so that none outlives its welcome.
//!
//! Between the gateway and a program stands a supervisor: the gateway's own executable, started again by a hidden
//! verb. It is the subreaper of everything the program starts, and ends all of it when the program ends, when it is
//! told to, when a deadline passes that was not moved ahead, or when its socket to the gateway closes, which the
//! kernel sees to whatever becomes of the gateway. No rules and no SQL here: who may run what is decided elsewhere.

mod deadline;
#[cfg(target_os = "linux")]
mod orphans;
mod output;
mod program;
mod running;
mod scratch;
#[cfg(target_os = "linux")]
mod supervisor;
mod watch;
mod wire;

pub use deadline::Deadline;
pub use program::{Ended, How, Limits, Program, User};
pub use running::{Happening, Runner, Running};
pub use scratch::{Scratch, sweep};

/// The hidden verb by which an executable becomes a supervisor.
pub const VERB: &str = "supervise";

/// What the hidden verb does. To be called before anything else of the process: before a runtime, threads, settings
/// or a log, because the supervisor closes what it inherited and must stay small.
#[cfg(target_os = "linux")]
pub fn supervise() -> std::process::ExitCode {
    supervisor::supervise()
}

/// Programs are run on Linux only: nothing else has subreapers and `/proc`.
#[cfg(not(target_os = "linux"))]
pub fn supervise() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}

/// Keeps other programs of the same account from reading this process: its memory, its environment, its files.
///
/// Decision: called by whatever holds a master key and runs programs. Attack: a program of a release reads
/// `/proc/<gateway>/environ` or attaches to it. Trade: no core dump and no debugger without root. It does not help
/// against a program that runs as root; give it an account of its own ([`Program::user`]).
#[cfg(target_os = "linux")]
pub fn hide_this_process() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "this process cannot be hidden from others of its account");
    }
}

/// Nothing to do where no program is run.
#[cfg(not(target_os = "linux"))]
pub fn hide_this_process() {}
