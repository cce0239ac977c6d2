//! Watches one program and everything it starts, and ends all of it.

use super::tree::{Descendant, descendants, memory};
use crate::Deadline;
use crate::program::How;
use crate::wire::{Order, Report, Task};
use rustix::process::{Pid, Signal, WaitStatus, kill_process_group};
use std::collections::HashSet;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// How often memory and processes are looked at, and how often where more than half of what is allowed is taken.
const GLANCE: Duration = Duration::from_millis(100);
const CLOSE_LOOK: Duration = Duration::from_millis(20);

/// How often processes that are being ended are looked for again.
const SWEEP: Duration = Duration::from_millis(5);

/// What a program leaves behind when it has ended by itself gets this much of the grace at most.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// What a supervisor hears.
pub enum News {
    Ordered(Order),
    Reaped(Pid, WaitStatus),
    NothingLeft,
}

pub struct Guard {
    program: Pid,
    begun: Deadline,
    deadline: Deadline,
    /// When it has run too long, wherever the deadline is.
    over: Deadline,
    grace: Duration,
    memory: u64,
    processes: usize,
    peak_memory: u64,
    /// How it ends, as soon as that is decided.
    how: Option<How>,
    took: Option<Duration>,
    stage: Stage,
}

/// How far it is with ending.
enum Stage {
    Runs {
        next_look: Deadline,
    },
    /// These were sent SIGTERM; at this time comes SIGKILL.
    Asked {
        told: HashSet<Pid>,
        kill_at: Deadline,
    },
    Killed,
}

impl Guard {
    pub fn new(task: &Task, program: Pid) -> Self {
        let begun = Deadline::now();
        Self {
            program,
            begun,
            deadline: task.deadline,
            over: begun.plus(task.limits.time),
            grace: task.limits.grace,
            memory: task.limits.memory,
            processes: usize::try_from(task.limits.processes).unwrap_or(usize::MAX),
            peak_memory: 0,
            how: None,
            took: None,
            stage: Stage::Runs { next_look: begun },
        }
    }

    /// Comes back when no process is left that the program has started.
    pub fn until_nothing_is_left(mut self, news: &Receiver<News>) -> Report {
        loop {
            self.act();
            match news.recv_timeout(self.pause()) {
                Ok(News::NothingLeft) => return self.report(),
                Ok(News::Reaped(pid, status)) if pid == self.program => self.program_ended(status),
                Ok(News::Ordered(Order::Deadline(deadline))) => self.deadline = self.deadline.max(deadline),
                Ok(News::Ordered(Order::Cancel)) => self.end(How::Cancelled, self.grace),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Whatever the time asks for.
    fn act(&mut self) {
        let now = Deadline::now();
        match &mut self.stage {
            Stage::Runs { .. } if now >= self.over => self.end(How::TimedOut, self.grace),
            Stage::Runs { .. } if now >= self.deadline => self.end(How::Expired, self.grace),
            Stage::Runs { next_look } if now >= *next_look => self.look(now),
            Stage::Runs { .. } => {}
            Stage::Asked { told, kill_at } => {
                let late = now >= *kill_at;
                // Who was started after the others were asked is asked too.
                for one in descendants().into_iter().filter(|one| told.insert(one.pid)) {
                    ask(one);
                }
                if late {
                    self.kill();
                }
            }
            Stage::Killed => self.kill(),
        }
    }

    fn pause(&self) -> Duration {
        match &self.stage {
            Stage::Runs { next_look } => (*next_look).min(self.deadline).min(self.over).left(),
            Stage::Asked { .. } | Stage::Killed => SWEEP,
        }
    }

    /// Looks at what the program takes.
    fn look(&mut self, now: Deadline) {
        let all = descendants();
        let taken = memory(&all, self.memory);
        self.peak_memory = self.peak_memory.max(taken);
        if taken > self.memory {
            return self.end(How::OverMemory, Duration::ZERO);
        }
        if all.len() > self.processes {
            return self.end(How::TooManyProcesses, Duration::ZERO);
        }
        let much = taken > self.memory / 2 || all.len() > self.processes / 2;
        self.stage = Stage::Runs { next_look: now.plus(if much { CLOSE_LOOK } else { GLANCE }) };
    }

    fn program_ended(&mut self, status: WaitStatus) {
        self.took = Some(Deadline::now().since(self.begun));
        let how = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => How::Exited(code),
            (None, Some(signal)) => How::Signalled(signal),
            (None, None) => return,
        };
        self.end(how, self.grace.min(LEFT_BEHIND));
    }

    /// Begins to end everything, unless that has begun: the first reason is the one that is told.
    fn end(&mut self, how: How, grace: Duration) {
        if self.how.is_some() {
            return;
        }
        self.how = Some(how);
        if grace.is_zero() {
            return self.kill();
        }
        self.stage = Stage::Asked { told: HashSet::new(), kill_at: Deadline::after(grace) };
    }

    /// Ends what is there now. Called again and again until nothing is: who starts faster than one look through the
    /// tree is caught by the next, and a whole process group at once cannot start anything in between.
    fn kill(&mut self) {
        self.stage = Stage::Killed;
        if self.took.is_none() {
            // The program itself has not been waited for, so the number is still its own.
            let _ = kill_process_group(self.program, Signal::KILL);
        }
        descendants().into_iter().for_each(|one| one.signal(Signal::KILL));
    }

    fn report(self) -> Report {
        let took = self.took.unwrap_or_else(|| Deadline::now().since(self.begun));
        Report::Ended {
            how: self.how.unwrap_or_else(|| How::Lost("nobody saw its end".into())),
            took_micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            peak_memory: self.peak_memory.max(largest_child()),
        }
    }
}

/// SIGTERM, also to one that is stopped and would not notice.
fn ask(one: Descendant) {
    one.signal(Signal::TERM);
    one.signal(Signal::CONT);
}

/// The most memory that one of the processes had that were waited for, in bytes: a program may be over before it was
/// looked at.
fn largest_child() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let kilobytes = getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| usage.max_rss());
    u64::try_from(kilobytes).unwrap_or(0).saturating_mul(1024)
}
