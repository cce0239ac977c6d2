//! kill -9 in the middle of grouped commits: what was answered is there afterwards.

use crate::world::NOW;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use store::{Config, Db, DbError, sql};

const FILE: &str = "VESTIBULE_TEST_CRASH_FILE";

/// Not a test by itself: the process that is killed. It tells each number after its commit was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "started by the test below"]
#[expect(clippy::disallowed_methods, reason = "a child process of a test has no settings")]
async fn the_process_that_is_killed() {
    let Ok(url) = std::env::var(FILE) else { return };
    let db = Db::open(&Config::new(url)).await.unwrap();
    let mut writers = Vec::new();
    for writer in 0..32_u64 {
        let db = db.clone();
        writers.push(tokio::spawn(async move {
            for number in 0_u64.. {
                let name = format!("{writer}-{number}");
                let insert = "INSERT INTO audit (id, at, actor, action, subject, detail) VALUES ($1, 1, '', '', '', '')";
                db.execute(sql(insert).bind(&name)).await.unwrap();
                eprintln!("answered {name}");
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("crash.db").display());
    let db = Db::open(&Config::new(&url)).await.unwrap();
    store::migrate(&db, NOW).await.unwrap();
    db.close().await;
    for round in 0..3 {
        let name = "crash::the_process_that_is_killed";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env(FILE, &url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut answered: Vec<String> = Vec::new();
        let told = |line: String| line.strip_prefix("answered ").map(str::to_owned);
        while answered.len() < 1_000 {
            let line = lines.next().expect("the child ended by itself").unwrap();
            answered.extend(told(line));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Whatever it still managed to say counts; the last line may be cut off.
        let rest: Vec<String> = lines.map_while(Result::ok).filter_map(told).collect();
        answered.extend(rest.iter().take(rest.len().saturating_sub(1)).cloned());
        let db = Db::open(&Config::new(&url)).await.unwrap();
        let kept = db
            .read(|tx| {
                Box::pin(async move {
                    let rows = sql("SELECT id FROM audit").all(tx).await?;
                    rows.into_iter()
                        .map(|mut row| row.take::<String>())
                        .collect::<Result<std::collections::HashSet<_>, DbError>>()
                })
            })
            .await
            .unwrap();
        let lost: Vec<_> = answered.iter().filter(|name| !kept.contains(*name)).collect();
        assert!(lost.is_empty(), "round {round}: {} answered, lost: {lost:?}", answered.len());
        db.execute(sql("DELETE FROM audit")).await.unwrap();
        db.close().await;
    }
}
