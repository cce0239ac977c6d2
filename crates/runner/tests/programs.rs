//! Real programs under real supervisors.

use runner::{Deadline, Ended, Happening, How, Limits, Program, Runner, Running, Scratch, User};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HELPER: &str = env!("CARGO_BIN_EXE_runner_for_tests");
const PATH: &str = "/root/.pyenv/shims:/usr/local/bin:/usr/bin:/bin";
const MINUTE: Duration = Duration::from_secs(60);

fn runner() -> Runner {
    Runner::new(HELPER, [runner::VERB])
}

fn program(command: &str) -> Program {
    Program {
        command: command.into(),
        folder: std::env::temp_dir(),
        environment: vec![("PATH".into(), PATH.into())],
        scratch: None,
        limits: Limits { grace: Duration::from_millis(400), ..Limits::default() },
        user: None,
    }
}

async fn run(program: Program) -> Ended {
    runner().start(program, Deadline::after(MINUTE)).wait().await
}

#[tokio::test]
async fn a_program_ends_with_its_code_and_what_it_printed() {
    let ended = run(program("printf 'one\\ntwo'; echo to the log >&2; exit 7")).await;
    assert_eq!(ended.how, How::Exited(7));
    assert_eq!(ended.stdout, b"one\ntwo");
    assert!(!ended.stdout_cut && !ended.log_cut);
    assert!(ended.peak_memory > 100_000, "{ended:?}");
}
