//! `vestibule work` as a process manager sees it, and dead letters by hand.

use super::Shell;
use super::serve::PATIENCE;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use testkit::on_both;
use testkit::process::{Launch, Stop, Supervised, free_port};

fn working(shell: &Shell, port: u16, more: &[&str]) -> Supervised {
    let process = Launch::new(env!("CARGO_BIN_EXE_vestibule"))
        .unwrap()
        .working_folder(shell.folder())
        .arguments(["--set", &format!("work.listen=127.0.0.1:{port}"), "work"])
        .arguments(more)
        .start()
        .unwrap();
    let ready =
        process.wait_for_line(|line| line.contains("working") && line.contains("database="), PATIENCE);
    ready.unwrap_or_else(|error| panic!("{error}\n{}", process.output()));
    process
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

async fn open(shell: &Shell) -> store::Db {
    let file = || format!("sqlite:{}", shell.path("vestibule.db").display());
    let url = shell.database.as_ref().map_or_else(file, |database| database.url().to_owned());
    store::Db::open(&store::Config::new(url)).await.unwrap()
}

on_both! {
    async fn it_works_and_answers_nobody_but_who_watches(engine: Engine) {
        let shell = Shell::on(engine).await;
        shell.good(&["migrate"]);
        let port = free_port();
        for stop in [Stop::Terminate, Stop::Interrupt] {
            let process = working(&shell, port, &[]);
            assert!(get(port, "/health/live").starts_with("HTTP/1.1 200"));
            assert!(get(port, "/health/ready").ends_with("ready\n"));
            assert!(get(port, "/metrics").contains("vestibule_build_info{version="));
            for elsewhere in ["/", "/v2/tenants", "/openapi.json", "/.well-known/openid-configuration"] {
                assert!(get(port, elsewhere).starts_with("HTTP/1.1 404"), "{elsewhere}");
            }
            process.signal(stop).unwrap();
            assert_eq!(process.wait_for_end(PATIENCE).as_deref(), Some("0"), "{}", process.output());
        }
    }

    async fn dead_letters_are_dealt_with_by_hand(engine: Engine) {
        let shell = Shell::on(engine).await;
        shell.good(&["organization", "create", "acme"]);
        assert_eq!(shell.json(&["job", "list"]), json!([]));
        let db = open(&shell).await;
        for (id, subject) in [("job_00000000000000000000000001", "1"), ("job_00000000000000000000000002", "2")] {
            let insert = "INSERT INTO jobs (id, kind, organization_id, subject, state, attempts, due_at, failure, created_at,
                died_at) SELECT $1, 'run', id, $2, 'dead', 20, 0, 'nobody could', 0, 0 FROM organizations";
            db.execute(store::sql(insert).bind(id).bind(subject)).await.unwrap();
        }
        let listed = shell.json(&["job", "list", "--kind", "run"]);
        assert_eq!((&listed[0]["subject"], &listed[1]["subject"]), (&json!("2"), &json!("1")), "the newest first");
        assert_eq!(shell.json(&["job", "list", "--kind", "refresh"]), json!([]));
        assert_eq!(shell.json(&["job", "list", "--limit", "1", "--skip", "1"]).as_array().map(Vec::len), Some(1));
        let (first, second) = ("job_00000000000000000000000001", "job_00000000000000000000000002");
        let shown = shell.json(&["job", "show", first]);
        assert_eq!((&shown["state"], &shown["failure"], &shown["attempts"]), (&json!("dead"), &json!("nobody could"), &json!(20)));
        assert!(shell.good(&["job", "list"]).contains("nobody could"));
        let replayed = shell.json(&["job", "replay", first]);
        assert_eq!((&replayed["state"], &replayed["attempts"]), (&json!("ready"), &json!(0)));
        assert!(shell.refused(&["job", "replay", first]).contains("is ready, and only dead ones"));
        assert!(shell.refused(&["job", "show", "nothing"]).contains("`vestibule job list` shows them"));
        shell.good(&["job", "delete", second]);
        assert!(shell.refused(&["job", "delete", second]).contains("there is no dead job"));
        let audit = shell.json(&["audit", "list"]);
        let actions: Vec<_> = audit.as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
        assert_eq!(actions[..2], [json!("job.deleted"), json!("job.replayed")]);
        db.close().await;
    }
}
