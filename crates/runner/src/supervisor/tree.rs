//! Everything that a supervisor's program has started and that still is there.

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, pidfd_send_signal};
use std::collections::HashMap;
use std::fs;

/// A process below this one, with its parent as it was when it was looked at.
#[derive(Clone, Copy, Debug)]
pub struct Descendant {
    pub pid: Pid,
    parent: Pid,
}

/// All processes below this one, parents before children. This one is their subreaper, so that whoever loses its
/// parent becomes a child of ours, and none can leave the tree.
pub fn descendants() -> Vec<Descendant> {
    let me = getpid();
    let mut found: Vec<Descendant> = Vec::new();
    let mut looked_at = 0;
    let mut parent = me;
    let table = OnceTable::default();
    loop {
        for pid in children(parent, &table) {
            found.push(Descendant { pid, parent });
        }
        let Some(next) = found.get(looked_at) else { return found };
        parent = next.pid;
        looked_at += 1;
    }
}

/// Parents and their children from a look through all processes, made at most once, where the kernel does not tell
/// children of a process (it is a choice of its configuration).
#[derive(Default)]
struct OnceTable(std::cell::OnceCell<HashMap<Pid, Vec<Pid>>>);

impl OnceTable {
    fn of(&self, parent: Pid) -> Vec<Pid> {
        let table = self.0.get_or_init(|| {
            let mut table: HashMap<Pid, Vec<Pid>> = HashMap::new();
            for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
                let pid =
                    entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
                if let Some((pid, parent)) = pid.and_then(|pid| Some((pid, parent_of(pid)?))) {
                    table.entry(parent).or_default().push(pid);
                }
            }
            table
        });
        table.get(&parent).cloned().unwrap_or_default()
    }
}

fn children(parent: Pid, table: &OnceTable) -> Vec<Pid> {
    if !fs::exists("/proc/thread-self/children").unwrap_or(false) {
        return table.of(parent);
    }
    let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers = lists.flat_map(|list| {
        list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect::<Vec<_>>()
    });
    numbers.collect()
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything; the parent is the second field behind it.
    Pid::from_raw(stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?)
}

impl Descendant {
    /// Sends a signal to this very process, and to no other that got its number meanwhile.
    pub fn signal(self, signal: Signal) {
        match pidfd_open(self.pid, PidfdFlags::empty()) {
            Ok(held) => {
                // The descriptor stays with one process. That this is ours shows in its parent, now that it is held.
                if parent_of(self.pid).is_some_and(|parent| parent == self.parent || parent == getpid()) {
                    let _ = pidfd_send_signal(held, signal);
                }
            }
            Err(Errno::NOSYS | Errno::MFILE | Errno::PERM) => {
                let _ = kill_process(self.pid, signal);
            }
            Err(_) => {}
        }
    }
}

/// Resident memory of all of these in bytes. Where that would be above `limit`, pages that several share count once.
pub fn memory(of: &[Descendant], limit: u64) -> u64 {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let resident = of.iter().filter_map(|one| {
        let statm = fs::read_to_string(format!("/proc/{}/statm", one.pid)).ok()?;
        statm.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    let summed = resident.sum::<u64>().saturating_mul(page);
    if summed <= limit || of.len() < 2 {
        return summed;
    }
    let proportional = of.iter().filter_map(|one| {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", one.pid)).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    proportional.sum::<u64>().saturating_mul(1024)
}

/// How many threads this account has by now.
pub fn threads_of(account: u32) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mine = entries.filter(|entry| entry.metadata().is_ok_and(|known| known.uid() == account));
    let threads = mine.filter_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(17)?.parse::<u64>().ok()
    });
    threads.sum()
}
