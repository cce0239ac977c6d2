//! A gateway that runs, and those who work beside it.

use super::Shell;
use super::serve::{PATIENCE, Serving, settings};
use kernel::{Clock as _, SystemClock};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use testkit::on_both;
use testkit::process::{Launch, Stop, free_port};

/// A request whose body does not come whole: it is open until somebody gives up.
fn half_a_delivery(serving: &Serving) -> TcpStream {
    let mut stream = serving.connection();
    let host = format!("localhost:{}", serving.port);
    write!(
        stream,
        "POST /v1/webhooks/x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    // The gateway asks for the body: it is at work on this request.
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 100");
    stream
}

const PATIENT: [&str; 4] = ["--set", "limits.stop_seconds=600", "--set", "limits.request_seconds=600"];

/// A database that the first release made.
async fn of_an_older_release(shell: &Shell) {
    let file = || format!("sqlite:{}", shell.path("vestibule.db").display());
    let url = shell.database.as_ref().map_or_else(file, |database| database.url().to_owned());
    let db = store::Db::open(&store::Config::new(url)).await.unwrap();
    assert_eq!(
        store::migrate::apply(&db, &store::migrate::MIGRATIONS[..1], SystemClock.now()).await.unwrap().len(),
        1
    );
    db.close().await;
}

on_both! {
    async fn a_database_in_use_is_migrated_where_that_was_asked_for_and_never_on_the_way(engine: Engine) {
        let shell = Shell::on(engine).await;
        of_an_older_release(&shell).await;
        let listen = format!("listen=127.0.0.1:{}", free_port());
        let said = shell.refused(&["serve", "--set", &listen]);
        assert!(said.contains("lacks") && said.contains("0002") | said.contains("second_door"), "{said}");
        assert!(said.contains("make a copy of it, then run `vestibule migrate`"), "{said}");
        let serving = Serving::start(&shell, &["--migrate"]);
        assert!(serving.process.output().contains("migrated version=2"), "{}", serving.process.output());
        assert!(serving.get("/health/ready").ends_with("ready\n"));
        assert_eq!(serving.code(Stop::Terminate).as_deref(), Some("0"));
        assert!(shell.good(&["migrate"]).contains("up to date"));
        // From now on it starts without being asked to.
        let serving = Serving::start(&shell, &[]);
        assert_eq!(serving.code(Stop::Terminate).as_deref(), Some("0"));
        assert!(!serving.process.output().contains("migrated"));
    }
}

#[test]
fn a_second_request_to_end_is_obeyed_at_once() {
    let shell = Shell::new();
    let serving = Serving::start(&shell, &PATIENT);
    let mut open = half_a_delivery(&serving);
    serving.process.signal(Stop::Terminate).unwrap();
    serving.process.wait_for_line(|line| line.contains("stopping"), PATIENCE).unwrap();
    assert_eq!(serving.process.ended(), None, "the open request is waited for");
    serving.process.signal(Stop::Interrupt).unwrap();
    assert_eq!(serving.process.wait_for_end(PATIENCE).as_deref(), Some("1"), "{}", serving.process.output());
    assert!(serving.process.output().contains("stopped before every request was answered"));
    let mut rest = String::new();
    let _ = open.read_to_string(&mut rest);
    assert!(!rest.contains("HTTP/1.1"), "{rest}");
    // The database was closed in order all the same.
    assert!(!shell.path("vestibule.db-wal").exists());
}

#[test]
fn an_open_request_is_waited_for() {
    let shell = Shell::new();
    let serving = Serving::start(&shell, &PATIENT);
    let mut open = half_a_delivery(&serving);
    serving.process.signal(Stop::Terminate).unwrap();
    serving.process.wait_for_line(|line| line.contains("stopping"), PATIENCE).unwrap();
    open.write_all(&[b'x'; 100]).unwrap();
    let mut rest = String::new();
    open.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("HTTP/1.1 404"), "{rest}");
    assert_eq!(serving.process.wait_for_end(PATIENCE).as_deref(), Some("0"), "{}", serving.process.output());
}

on_both! {
    async fn refusals_are_followed_while_they_come(engine: Engine) {
        let shell = Shell::on(engine).await;
        let serving = Serving::start(&shell, &[]);
        let (listen, public) = settings(serving.port);
        shell.good(&["organization", "create", "acme"]);
        let refuse = |token: &str| {
            let said = serving.get(&format!("/acme/hubspot/auth?tenant={token}"));
            assert!(said.starts_with("HTTP/1.1 401"), "{said}");
            let body: Value = serde_json::from_str(said.split_once("\r\n\r\n").unwrap().1).unwrap();
            body["reference"].as_str().unwrap().to_owned()
        };
        let before = refuse("one");
        let following = Launch::new(env!("CARGO_BIN_EXE_vestibule"))
            .unwrap()
            .working_folder(shell.folder())
            .arguments(["refusals", "--follow", "--json", "--set", &listen, "--set", &public])
            .start()
            .unwrap();
        following.wait_for_line(|line| line.contains(&before), PATIENCE).unwrap();
        for token in ["two", "three"] {
            let reference = refuse(token);
            let line = following.wait_for_line(|line| line.contains(&reference), PATIENCE);
            let record: Value = serde_json::from_str(&line.unwrap()).unwrap();
            assert_eq!((&record["code"], &record["organization"]), (&"token_malformed".into(), &"acme".into()));
        }
        // Each once, in the order of their coming, and nothing else.
        assert_eq!(following.output().lines().count(), 3, "{}", following.output());
        assert_eq!(following.ended(), None);
    }
}

fn findings(shell: &Shell, port: u16) -> (Vec<Value>, Option<i32>) {
    let (listen, public) = settings(port);
    let output = shell.run(&["doctor", "--json", "--set", &listen, "--set", &public], &[]);
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code())
}

fn has(findings: &[Value], level: &str, what: &str) -> bool {
    findings.iter().any(|it| it["level"] == level && it["what"].as_str().unwrap().contains(what))
}

on_both! {
    async fn the_doctor_finds_the_gateway_that_runs(engine: Engine) {
        let shell = Shell::on(engine).await;
        let serving = Serving::start(&shell, &[]);
        let (found, code) = findings(&shell, serving.port);
        assert_eq!(code, Some(0), "{found:#?}");
        assert!(has(&found, "good", &format!("on 127.0.0.1:{}", serving.port)), "{found:#?}");
        assert!(has(&found, "good", "sandbox is reached at http://localhost:"), "{found:#?}");
        let port = serving.port;
        assert_eq!(serving.code(Stop::Terminate).as_deref(), Some("0"));
        let (found, code) = findings(&shell, port);
        assert_eq!(code, Some(0), "{found:#?}");
        assert!(has(&found, "good", "not on 127.0.0.1"), "{found:#?}");
    }
}

#[test]
fn the_doctor_tells_a_stranger_at_our_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n");
        }
    });
    let (found, code) = findings(&Shell::new(), port);
    assert_eq!(code, Some(1), "{found:#?}");
    assert!(has(&found, "error", "is not the gateway: it answers 200"), "{found:#?}");
}

fn metrics(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: collector\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_have_an_address_of_their_own_where_that_is_set() {
    let shell = Shell::new();
    let aside = free_port();
    let serving = Serving::start(&shell, &["--set", &format!("metrics.listen=127.0.0.1:{aside}")]);
    assert!(serving.get("/metrics").starts_with("HTTP/1.1 404"));
    let told = metrics(aside);
    assert!(told.starts_with("HTTP/1.1 200") && told.contains("vestibule_build_info{version="), "{told}");
    // There is nothing else at that address.
    let mut stream = TcpStream::connect(("127.0.0.1", aside)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: collector\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert_eq!(serving.code(Stop::Terminate).as_deref(), Some("0"), "{}", serving.process.output());
    assert!(TcpStream::connect(("127.0.0.1", aside)).is_err());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = format!("metrics.listen={}", taken.local_addr().unwrap());
    let listen = format!("listen=127.0.0.1:{}", free_port());
    // Settings count before and behind the verb.
    let said = Shell::new().refused(&["--set", &listen, "serve", "--set", &metrics]);
    assert!(said.contains("`metrics.listen`") && said.contains("another program"), "{said}");
}

#[test]
fn a_connection_too_many_waits_and_is_counted() {
    let shell = Shell::new();
    let aside = free_port();
    let more = ["--set", &format!("metrics.listen=127.0.0.1:{aside}"), "--set", "limits.connections=16"];
    let serving = Serving::start(&shell, &more);
    let ask =
        |stream: &mut TcpStream| stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut open: Vec<_> = (0..16).map(|_| serving.connection()).collect();
    for stream in &mut open {
        ask(stream);
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200");
    }
    assert!(!metrics(aside).contains("vestibule_connections_waited_total 1"));
    let mut waiting = serving.connection();
    ask(&mut waiting);
    let told =
        |line: &str| line.contains("`limits.connections` is reached") && line.contains("connections=16");
    serving.process.wait_for_line(told, PATIENCE).unwrap();
    assert!(metrics(aside).contains("vestibule_connections_waited_total 1"));
    drop(open.pop());
    let mut begin = [0; 12];
    waiting.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
}
