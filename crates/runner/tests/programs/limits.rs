//! Memory, processes, files.

use super::*;
use runner::How;

const MEGABYTE: u64 = 1 << 20;

#[tokio::test]
async fn a_program_that_takes_all_memory_is_ended() {
    let mark = Mark::new();
    let hog = "\nkept = []\nwhile True: kept.append(b\"x\" * (1 << 20))\n";
    let mut hog = mark.on(program(&python(hog)));
    hog.limits.memory = 150 * MEGABYTE;
    let ended = run(hog).await;
    assert_eq!(ended.how, How::OverMemory);
    assert!(ended.peak_memory > 150 * MEGABYTE, "{ended:?}");
    assert!(mark.is_gone());
}

#[tokio::test]
async fn memory_of_all_its_processes_counts() {
    let mark = Mark::new();
    let each = "import time; kept = b\"x\" * (60 << 20); time.sleep(1000)";
    let four = format!("for each in 1 2 3 4; do python3 -c '{each}' & done; wait");
    let mut four = mark.on(program(&four));
    four.limits.memory = 200 * MEGABYTE;
    assert_eq!(run(four).await.how, How::OverMemory);
    assert!(mark.is_gone());
}

#[tokio::test]
async fn memory_that_processes_share_counts_once() {
    let sharing = "
import os, time
kept = b\"x\" * (100 << 20)
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        time.sleep(0.5)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
";
    let mut sharing = program(&python(sharing));
    sharing.limits.memory = 200 * MEGABYTE;
    let ended = run(sharing).await;
    assert_eq!(ended.how, How::Exited(0), "{ended:?}");
}

#[tokio::test]
async fn a_program_that_forks_on_and_on_is_ended() {
    let mark = Mark::new();
    // Bounded, so that a mistake here does not take the machine with it.
    let bomb = "
import os, time
for _ in range(9):
    if os.fork() == 0:
        os.setsid()
time.sleep(1000)
";
    let mut bomb = mark.on(program(&python(bomb)));
    bomb.limits.processes = 60;
    assert_eq!(run(bomb).await.how, How::TooManyProcesses);
    assert!(mark.is_gone());
}

#[tokio::test]
async fn the_kernel_refuses_processes_to_an_account_that_is_not_root() {
    if !is_root() {
        eprintln!("skipped: only root can choose another account");
        return;
    }
    let mut many = program("for each in $(seq 400); do sleep 5 & done; wait");
    many.user = Some(runner::User { user: NOBODY, group: NOBODY });
    many.limits.processes = 40;
    many.limits.time = Duration::from_secs(2);
    let mark = Mark::new();
    let mut running = start(mark.on(many));
    let mut log = Vec::new();
    let how = loop {
        match running.next().await.unwrap() {
            Happening::Log(piece) => log.extend_from_slice(&piece),
            Happening::Ended(ended) => break ended.how,
        }
    };
    // Which of the two is first depends on how quickly the program forks.
    let refused = String::from_utf8_lossy(&log).contains("fork");
    assert!(refused || how == How::TooManyProcesses, "{how:?}");
    assert!(mark.is_gone());
}

#[tokio::test]
async fn open_files_and_cores_are_limited() {
    let mut few = program("ulimit -n; ulimit -Hn; ulimit -c");
    few.limits.open_files = 77;
    assert_eq!(run(few).await.stdout, b"77\n77\n0\n");
}

#[tokio::test]
async fn it_leaves_the_processor_to_others() {
    let mut nice = program("sleep 0.3; exec cut -d ' ' -f 19 /proc/self/stat");
    nice.limits.niceness = 11;
    assert_eq!(run(nice).await.stdout, b"11\n");
}
