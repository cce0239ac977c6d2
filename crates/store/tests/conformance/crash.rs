//! kill -9 in the middle of grouped commits: what was answered is there afterwards.

use crate::world::NOW;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use store::{Config, Db, DbError, sql};

const FILE: &str = "VESTIBULE_TEST_CRASH_FILE";

/// 32 writers that tell each name after its commit was answered; each ends after `most`.
async fn write(db: &Db, most: u64) {
    let mut writers = Vec::new();
    for writer in 0..32_u64 {
        let db = db.clone();
        writers.push(tokio::spawn(async move {
            for number in 0..most {
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

/// Alone it is a test of the writers; the test below starts it as the process that is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::disallowed_methods, reason = "a child process of a test has no settings")]
async fn many_writers_are_answered_one_by_one() {
    if let Ok(url) = std::env::var(FILE) {
        return write(&Db::open(&Config::new(url)).await.unwrap(), u64::MAX).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("writers.db").display());
    let db = Db::open(&Config::new(&url)).await.unwrap();
    store::migrate(&db, NOW).await.unwrap();
    write(&db, 10).await;
    let count =
        db.read(|tx| Box::pin(async move { sql("SELECT COUNT(*) FROM audit").one(tx).await?.take::<i64>() }));
    assert_eq!(count.await, Ok::<_, DbError>(320));
    db.close().await;
}

#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("crash.db").display());
    let db = Db::open(&Config::new(&url)).await.unwrap();
    store::migrate(&db, NOW).await.unwrap();
    db.close().await;
    for round in 0..3 {
        let name = "crash::many_writers_are_answered_one_by_one";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
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
