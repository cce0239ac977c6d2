//! What a program has left where its supervisor was killed: found by the session they shared.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;

/// So many times the processes are looked through; one that starts others meanwhile is found the next time.
const ROUNDS: usize = 100;

/// Ends every process of the session that the supervisor with this process id had made, if any is left.
///
/// A process that made a session of its own is not found. The supervisor would have found it; it is gone here because
/// somebody killed it, which no program can do that runs under an account of its own.
pub fn end_session(session: u32) {
    for _ in 0..ROUNDS {
        let members: Vec<Pid> = all().filter(|pid| session_of(*pid) == Some(session)).collect();
        if members.is_empty() {
            return;
        }
        for pid in members {
            // The descriptor stays with the process that was looked at, should its number be given anew.
            let Ok(held) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            if session_of(pid) == Some(session) {
                let _ = pidfd_send_signal(held, Signal::KILL);
            }
        }
        std::thread::yield_now();
    }
    tracing::error!(session, "processes of a lost run stay");
}

fn all() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

/// Of a process that is more than a zombie.
fn session_of(pid: Pid) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything; the session is the fourth field behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    (fields.next()? != "Z").then_some(())?;
    fields.nth(2)?.parse().ok()
}
