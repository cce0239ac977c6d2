//! Nothing of a program is left when its end is told, whatever it did to stay.

use super::*;
use runner::{How, Scratch};

/// Leaves its parents twice, makes a session of its own, closes everything, takes no SIGTERM, and stays.
const DAEMON: &str = "
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.write(2, b\"daemon\\n\")
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        time.sleep(1000)
    os._exit(0)
time.sleep(0.5)
";

#[tokio::test]
async fn what_forks_and_leaves_is_ended_with_the_program() {
    let mark = Mark::new();
    let mut running = start(mark.on(program(&python(DAEMON))));
    logged(&mut running, "daemon").await;
    assert!(mark.processes().len() >= 2);
    assert_eq!(running.wait().await.how, How::Exited(0));
    assert!(mark.is_gone());
}

#[tokio::test]
async fn what_forks_and_leaves_is_ended_by_a_cancel() {
    let mark = Mark::new();
    let mut running =
        start(mark.on(program(&format!("{}\nsleep 1000", python(DAEMON).trim_start_matches("exec ")))));
    logged(&mut running, "daemon").await;
    running.cancel();
    assert_eq!(running.wait().await.how, How::Cancelled);
    assert!(mark.is_gone());
}

#[tokio::test]
async fn a_program_may_end_itself_when_it_is_asked_to() {
    let mark = Mark::new();
    let asked = "trap 'echo saved; exit 5' TERM; echo ready >&2; while :; do sleep 0.02; done";
    let mut running = start(mark.on(program(asked)));
    logged(&mut running, "ready").await;
    running.cancel();
    let ended = running.wait().await;
    assert_eq!((ended.how, ended.stdout), (How::Cancelled, b"saved\n".to_vec()));
    assert!(mark.is_gone());
}

#[tokio::test]
async fn ignoring_sigterm_lasts_as_long_as_the_grace() {
    let mark = Mark::new();
    let mut running = start(mark.on(program("trap '' TERM; echo ready >&2; while :; do sleep 0.02; done")));
    logged(&mut running, "ready").await;
    let asked = Deadline::now();
    running.cancel();
    assert_eq!(running.wait().await.how, How::Cancelled);
    assert!(Deadline::now().since(asked) >= Duration::from_millis(400));
    assert!(mark.is_gone());
}

#[tokio::test]
async fn a_stopped_program_is_ended_too() {
    let mark = Mark::new();
    let mut running = start(mark.on(program("sleep 1000 & echo ready >&2; kill -STOP $!; kill -STOP $$")));
    logged(&mut running, "ready").await;
    running.cancel();
    assert_eq!(running.wait().await.how, How::Cancelled);
    assert!(mark.is_gone());
}

#[tokio::test]
async fn a_program_that_runs_too_long_has_timed_out() {
    let mark = Mark::new();
    let mut long = mark.on(program("echo so far; sleep 1000"));
    long.limits.time = Duration::from_millis(300);
    let ended = run(long).await;
    assert_eq!((ended.how, ended.stdout), (How::TimedOut, b"so far\n".to_vec()));
    assert!(ended.took >= Duration::from_millis(300));
    assert!(mark.is_gone());
}

#[tokio::test]
async fn a_deadline_that_is_not_moved_ahead_ends_it() {
    let mark = Mark::new();
    let started = Deadline::now();
    let running = runner().start(mark.on(program("sleep 1000")), Deadline::after(Duration::from_millis(300)));
    assert_eq!(running.wait().await.how, How::Expired);
    assert!(Deadline::now().since(started) >= Duration::from_millis(300));
    assert!(mark.is_gone());
}

#[tokio::test]
async fn a_deadline_that_is_moved_ahead_lets_it_run() {
    let running = runner().start(program("sleep 1; echo done"), Deadline::after(Duration::from_millis(500)));
    running.extend(Deadline::after(MINUTE));
    running.extend(Deadline::after(Duration::ZERO));
    let ended = running.wait().await;
    assert_eq!((ended.how, ended.stdout), (How::Exited(0), b"done\n".to_vec()));
}

#[tokio::test]
async fn nobody_watching_ends_it() {
    let mark = Mark::new();
    let mut running = start(mark.on(program("trap '' TERM; echo ready >&2; sleep 1000; sleep 1000")));
    logged(&mut running, "ready").await;
    drop(running);
    eventually("a dropped program ends", || mark.is_gone()).await;
}

#[tokio::test]
async fn files_that_it_leaves_go_with_its_scratch_folder() {
    let parent = tempfile::tempdir().unwrap();
    let scratch = Scratch::new(parent.path(), "run_1").unwrap();
    let mut leaving =
        program("mkdir -p a/b; echo x > a/b/c; ln -s / a/root; chmod 000 a/b; chmod 500 a; pwd");
    leaving.folder = scratch.path().to_owned();
    let path = scratch.path().to_owned();
    leaving.scratch = Some(scratch);
    let ended = run(leaving).await;
    assert_eq!(ended.how, How::Exited(0));
    assert_eq!(String::from_utf8(ended.stdout).unwrap().trim(), path.to_str().unwrap());
    assert!(is_empty(parent.path()));
}

#[tokio::test]
async fn where_the_supervisor_is_killed_its_program_is_ended_and_lost() {
    let mark = Mark::new();
    let killing = "sleep 1000 & (trap '' TERM HUP; sleep 1000; sleep 1000) & kill -9 $PPID; sleep 1000";
    let ended = run(mark.on(program(killing))).await;
    assert!(matches!(ended.how, How::Lost(_)), "{ended:?}");
    assert!(mark.is_gone());
}

#[tokio::test]
async fn where_the_supervisor_is_stopped_its_program_is_ended_and_lost() {
    let mark = Mark::new();
    let stopping = mark.on(program("kill -STOP $PPID; sleep 1000"));
    let ended = runner().start(stopping, Deadline::after(Duration::from_millis(200))).wait().await;
    assert!(matches!(ended.how, How::Lost(_)), "{ended:?}");
    assert!(mark.is_gone());
}

#[tokio::test]
async fn signals_to_the_supervisor_change_nothing() {
    let told =
        "for signal in TERM INT HUP QUIT USR1 USR2 ALRM; do kill -$signal $PPID; done; sleep 0.1; echo still";
    let ended = run(program(told)).await;
    assert_eq!((ended.how, ended.stdout), (How::Exited(0), b"still\n".to_vec()));
}
