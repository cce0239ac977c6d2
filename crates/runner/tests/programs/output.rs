//! What a program prints, and its code.

use super::*;
use runner::How;

#[tokio::test]
async fn a_program_ends_with_its_code_and_what_it_printed() {
    let ended = run(program("printf 'one\\ntwo'; echo to the log >&2; exit 7")).await;
    assert_eq!(ended.how, How::Exited(7));
    assert_eq!(ended.stdout, b"one\ntwo");
    assert!(!ended.stdout_cut && !ended.log_cut);
    assert!(ended.peak_memory > 100_000, "{ended:?}");
    assert!(ended.took < MINUTE && !ended.took.is_zero());
}

#[tokio::test]
async fn the_log_comes_while_the_program_runs() {
    let mut running = start(program("echo first >&2; sleep 1000"));
    assert_eq!(logged(&mut running, "first").await, "first\n");
    running.cancel();
    assert_eq!(running.wait().await.how, How::Cancelled);
}

#[tokio::test]
async fn programs_in_python_and_node() {
    let ended =
        run(program(&python("import sys; print(\"out\"); print(\"log\", file=sys.stderr); sys.exit(3)")))
            .await;
    assert_eq!((ended.how, ended.stdout), (How::Exited(3), b"out\n".to_vec()));
    let ended = run(program("exec node -e 'console.log(6 * 7); process.exitCode = 4'")).await;
    assert_eq!((ended.how, ended.stdout), (How::Exited(4), b"42\n".to_vec()));
}

#[tokio::test]
async fn output_may_be_any_bytes() {
    let ended = run(program(&python("import sys; sys.stdout.buffer.write(bytes(range(256)) * 2)"))).await;
    let all: Vec<u8> = (0..=255).chain(0..=255).collect();
    assert_eq!(ended.stdout, all);
}

#[tokio::test]
async fn output_may_be_closed_early() {
    let ended = run(program("echo early; exec 1>&- 2>&-; sleep 0.2; exit 9")).await;
    assert_eq!((ended.how, ended.stdout), (How::Exited(9), b"early\n".to_vec()));
}

#[tokio::test]
async fn a_signal_is_told_apart_from_a_code() {
    assert_eq!(run(program("kill -9 $$")).await.how, How::Signalled(9));
    assert_eq!(run(program("exit 137")).await.how, How::Exited(137));
    assert_eq!(run(program("no-such-program")).await.how, How::Exited(127));
}

#[tokio::test]
async fn a_gigabyte_of_output_costs_no_memory() {
    let resident = || {
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let before = resident();
    let ended = run(program("head -c 1000000000 /dev/zero | tr '\\0' x; echo; echo the last line")).await;
    assert_eq!(ended.how, How::Exited(0));
    assert!(ended.stdout_cut);
    let text = String::from_utf8(ended.stdout).unwrap();
    assert!(text.starts_with("[vestibule: "), "{}", &text[..100]);
    assert_eq!(text.lines().last(), Some("the last line"));
    assert!(text.len() < 1_100_000);
    assert!(resident().saturating_sub(before) < 100_000_000);
}

#[tokio::test]
async fn a_log_without_end_is_cut_and_the_program_goes_on() {
    let mut long = program("head -c 50000000 /dev/zero | tr '\\0' x >&2; echo done");
    long.limits.log = 1_000_000;
    let mut running = start(long);
    let mut log = Vec::new();
    let ended = loop {
        match running.next().await.unwrap() {
            Happening::Log(piece) => log.extend_from_slice(&piece),
            Happening::Ended(ended) => break ended,
        }
    };
    assert_eq!((&ended.how, ended.log_cut), (&How::Exited(0), true));
    assert_eq!(ended.stdout, b"done\n");
    assert!(log.ends_with(b"xx\n[vestibule: the log is cut here, at 1000000 bytes]\n"));
    assert_eq!(log.iter().filter(|byte| **byte == b'x').count(), 1_000_000);
    assert_eq!(running.next().await, None);
}

#[tokio::test]
async fn what_cannot_be_started_says_so() {
    let mut nowhere = program("true");
    nowhere.folder = "/no/such/folder".into();
    assert!(matches!(run(nowhere).await.how, How::NotStarted(_)));
    let none = Runner::new("/no/such/executable", [runner::VERB]);
    let ended = none.start(program("true"), Deadline::after(MINUTE)).wait().await;
    assert!(matches!(ended.how, How::NotStarted(_)));
    let other = Runner::new("/bin/true", [runner::VERB]);
    let ended = other.start(program("true"), Deadline::after(MINUTE)).wait().await;
    assert!(matches!(ended.how, How::Lost(_)), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_at_once() {
    let mut all = tokio::task::JoinSet::new();
    for number in 0..100 {
        all.spawn(async move {
            let ended = run(program(&format!("sleep 0.3; echo {number}; exit {number}"))).await;
            (number, ended)
        });
    }
    while let Some(ended) = all.join_next().await {
        let (number, ended) = ended.unwrap();
        assert_eq!(ended.how, How::Exited(number));
        assert_eq!(ended.stdout, format!("{number}\n").into_bytes());
    }
    let zombies = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let all: Vec<String> =
            children.flat_map(|list| list.split(' ').map(String::from).collect::<Vec<_>>()).collect();
        let stats = all.iter().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
        stats.filter(|stat| stat.contains(") Z ")).count()
    };
    eventually("no zombie stays", || zombies() == 0).await;
}
