//! Real programs under real supervisors.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking, also in what its tests share"
)]

mod ending;
mod gateway;
mod limits;
mod output;
mod surroundings;

use runner::{Deadline, Ended, Happening, Limits, Program, Runner, Running};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const HELPER: &str = env!("CARGO_BIN_EXE_runner_for_tests");
const MINUTE: Duration = Duration::from_secs(60);

/// An account that every Linux has and that owns nothing.
const NOBODY: u32 = 65534;

fn runner() -> Runner {
    Runner::new(HELPER, [runner::VERB])
}

fn of_the_test(name: &str) -> (String, String) {
    (name.into(), std::env::var_os(name).unwrap_or_default().into_string().unwrap())
}

fn program(command: &str) -> Program {
    Program {
        command: command.into(),
        folder: std::env::temp_dir(),
        environment: vec![of_the_test("PATH"), of_the_test("HOME")],
        scratch: None,
        limits: Limits { grace: Duration::from_millis(400), ..Limits::default() },
        user: None,
    }
}

fn start(program: Program) -> Running {
    runner().start(program, Deadline::after(MINUTE))
}

async fn run(program: Program) -> Ended {
    start(program).wait().await
}

/// Runs it and returns its output as text.
async fn output(command: &str) -> String {
    let ended = run(program(command)).await;
    String::from_utf8(ended.stdout).unwrap()
}

/// Reads the log until `line` is in it, and returns what came until then.
async fn logged(running: &mut Running, line: &str) -> String {
    let mut log = Vec::new();
    loop {
        match running.next().await.unwrap() {
            Happening::Log(piece) => log.extend_from_slice(&piece),
            Happening::Ended(ended) => panic!("{ended:?} before {line:?}"),
        }
        let text = String::from_utf8_lossy(&log);
        if text.lines().any(|found| found == line) {
            return text.into_owned();
        }
    }
}

fn python(code: &str) -> String {
    format!("exec python3 -c '{code}'")
}

/// A name that no other process on the machine has on its command line or in its environment.
struct Mark(String);

impl Mark {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(format!("mark-{}-{}-", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// A program that carries the mark, as all that it starts will, on the command line or in the environment.
    fn on(&self, mut program: Program) -> Program {
        program.environment.push(("MARK".into(), self.0.clone()));
        program
    }

    /// Processes with this mark. A zombie has neither environment nor command line.
    fn processes(&self) -> Vec<PathBuf> {
        let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let carries = |path: &PathBuf| {
            ["environ", "cmdline"].iter().any(|file| {
                fs::read(path.join(file)).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(&self.0))
            })
        };
        all.filter(|path| path.join("environ").exists()).filter(carries).collect()
    }

    fn is_gone(&self) -> bool {
        self.processes().is_empty()
    }
}

/// Waits for what another process does.
async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let until = Deadline::after(Duration::from_secs(20));
    while !done() {
        assert!(!until.left().is_zero(), "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t0"))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}
