use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use testkit::process::{Account, Launch, NotReady, Stop, is_root, run};

const SOON: Duration = Duration::from_secs(20);

/// Whether a process lives; one that has ended and was not yet waited for does not.
fn lives(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn shell(script: &str) -> Launch {
    Launch::new("/bin/sh").unwrap().arguments(["-c", script])
}

#[test]
fn a_program_ends_with_its_value_and_takes_its_children_and_its_folder_along() {
    let program = shell("sleep 1000 & echo child $!; wait").start().unwrap();
    let line = program.wait_for_line(|line| line.starts_with("child "), SOON).unwrap();
    let child: u32 = line.trim_start_matches("child ").parse().unwrap();
    let (process, folder) = (program.process().unwrap(), program.folder().to_path_buf());
    assert!(lives(process) && lives(child) && folder.exists());

    drop(program);
    assert!(!lives(process) && !lives(child) && !folder.exists());
}

#[test]
fn a_program_that_does_not_listen_is_killed() {
    let program = shell("trap '' TERM; echo deaf; while :; do sleep 0.1; done").start().unwrap();
    program.wait_for_line(|line| line == "deaf", SOON).unwrap();
    let process = program.process().unwrap();

    drop(program);
    assert!(!lives(process));
}

#[test]
fn a_program_that_ends_early_says_why() {
    let program = shell("echo no such thing >&2; exit 3").start().unwrap();

    match program.wait_for_line(|line| line == "ready", SOON) {
        Err(NotReady::Ended { status, output }) => assert_eq!((&*status, &*output), ("3", "no such thing\n")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_that_stays_silent_is_not_awaited_for_ever() {
    let program = shell("echo something else; sleep 1000").start().unwrap();

    let answer = program.wait_for_line(|line| line == "ready", Duration::from_millis(300));
    assert!(matches!(answer, Err(NotReady::Silent { .. })), "{answer:?}");
}

#[test]
fn half_a_line_is_not_a_line() {
    let program = shell("printf rea; sleep 0.3; echo dy; sleep 1000").start().unwrap();

    let line = program.wait_for_line(|line| line.starts_with("rea"), SOON).unwrap();
    assert_eq!(line, "ready");
}

#[test]
fn a_killed_program_is_told_from_one_that_ended_well() {
    let killed = shell("echo up; sleep 1000").start().unwrap();
    killed.wait_for_line(|line| line == "up", SOON).unwrap();
    killed.signal(Stop::Kill).unwrap();
    assert_eq!(killed.wait_for_end(SOON).as_deref(), Some("137"));

    let well = shell("exit 0").start().unwrap();
    assert_eq!(well.wait_for_end(SOON).as_deref(), Some("0"));
}

#[test]
fn a_program_can_run_as_somebody_else_where_we_are_root() {
    if !is_root().unwrap() {
        // Only root can become somebody else; for anyone else the server runs under the own account.
        let own = shell("id -u").start().unwrap();
        assert!(own.wait_for_line(|line| line != "0", SOON).is_ok());
        return;
    }
    let nobody = Account::named("nobody").unwrap();
    let program = shell("id -un; touch own && echo written; sleep 1000").account(nobody).start().unwrap();
    program.wait_for_line(|line| line == "nobody", SOON).unwrap();
    program.wait_for_line(|line| line == "written", SOON).unwrap();
    let folder = program.folder().to_path_buf();

    drop(program);
    assert!(!folder.exists());
}

#[test]
fn long_input_and_long_output_do_not_wait_for_each_other() {
    let text = "0123456789abcdef".repeat(40_000);
    assert_eq!(run(Command::new("cat"), &text), text);
}

/// Also the test process that [`nothing_outlives_a_killed_test_process`] kills: with `TESTKIT_REPORT` it writes
/// there what it started, and waits for its end.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test speaks with its own second process")]
fn a_program_runs_while_its_value_is_held() {
    let program = shell("sleep 1000 & echo up $!; wait").start().unwrap();
    let line = program.wait_for_line(|line| line.starts_with("up "), SOON).unwrap();
    let process = program.process().unwrap();
    assert!(lives(process) && program.ended().is_none());

    if let Ok(report) = std::env::var("TESTKIT_REPORT") {
        let text = format!("{process} {} {}\n", &line[3..], program.folder().display());
        fs::write(format!("{report}.new"), text).unwrap();
        fs::rename(format!("{report}.new"), report).unwrap();
        std::thread::park_timeout(Duration::from_secs(60));
    }
}

#[test]
fn nothing_outlives_a_killed_test_process() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let mut second = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::a_program_runs_while_its_value_is_held"])
        .env("TESTKIT_REPORT", &report)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let text = wait_for(|| fs::read_to_string(&report).ok()).expect("the second process reports");
    let fields: Vec<_> = text.split_whitespace().collect();
    let (process, child): (u32, u32) = (fields[0].parse().unwrap(), fields[1].parse().unwrap());
    let left = PathBuf::from(fields[2]);
    assert!(lives(process) && lives(child) && left.exists());

    second.kill().unwrap();
    second.wait().unwrap();
    assert_eq!(wait_for(|| (!lives(process) && !lives(child) && !left.exists()).then_some(())), Some(()));
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..2000 {
        if let Some(found) = look() {
            return Some(found);
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    None
}
