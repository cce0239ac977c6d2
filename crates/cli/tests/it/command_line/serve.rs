//! `vestibule serve` as a process manager sees it.

use super::{Shell, text};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use testkit::on_both;
use testkit::process::{Launch, Stop, Supervised, free_port};

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Serving {
    pub(super) process: Supervised,
    pub(super) port: u16,
}

impl Serving {
    pub(super) fn start(shell: &Shell, more: &[&str]) -> Self {
        let port = free_port();
        let (listen, public) = settings(port);
        let process = Launch::new(env!("CARGO_BIN_EXE_vestibule"))
            .unwrap()
            .working_folder(shell.folder())
            .arguments(["--set", &listen, "--set", &public, "serve"])
            .arguments(more)
            .start()
            .unwrap();
        let ready = process.wait_for_line(|line| line.contains("ready listen="), PATIENCE);
        ready.unwrap_or_else(|error| panic!("{error}\n{}", process.output()));
        Self { process, port }
    }

    pub(super) fn connection(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The whole answer as it comes over the wire.
    pub(super) fn get(&self, path: &str) -> String {
        let mut stream = self.connection();
        let host = format!("localhost:{}", self.port);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(super) fn code(&self, stop: Stop) -> Option<String> {
        self.process.signal(stop).unwrap();
        self.process.wait_for_end(PATIENCE)
    }
}

pub(super) fn settings(port: u16) -> (String, String) {
    (format!("listen=127.0.0.1:{port}"), format!("environments.sandbox.public_url=http://localhost:{port}"))
}

#[test]
fn it_starts_in_an_empty_folder_and_stops_when_asked() {
    let shell = Shell::new();
    for stop in [Stop::Terminate, Stop::Interrupt] {
        let serving = Serving::start(&shell, &[]);
        assert!(serving.get("/health/live").starts_with("HTTP/1.1 200"));
        assert!(serving.get("/health/ready").ends_with("ready\n"));
        let metrics = serving.get("/metrics");
        for wanted in [
            "vestibule_http_requests_total{route=\"/health/live\",method=\"GET\",status=\"200\"} 1",
            "vestibule_http_request_seconds_bucket{route=\"/health/live\",le=\"+Inf\"} 1",
            "vestibule_build_info{version=",
            "process_start_time_seconds",
        ] {
            assert!(metrics.contains(wanted), "{wanted}: {metrics}");
        }
        let document = serving.get("/openapi.json");
        let document: Value = serde_json::from_str(document.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(document["servers"][0]["url"], format!("http://localhost:{}", serving.port));
        assert_eq!(serving.code(stop).as_deref(), Some("0"), "{}", serving.process.output());
        assert!(serving.process.output().contains("stopped"));
    }
    // Closed in order: SQLite's companions are gone.
    assert!(shell.path("vestibule.db").exists() && !shell.path("vestibule.db-wal").exists());
}

on_both! {
    async fn what_the_operator_changes_counts_at_the_next_request(engine: Engine) {
        let shell = Shell::on(engine).await;
        let serving = Serving::start(&shell, &[]);
        let (listen, public) = settings(serving.port);
        let with = |arguments: &[&str]| -> String {
            let all: Vec<&str> = arguments.iter().copied().chain(["--set", &listen, "--set", &public]).collect();
            shell.good(&all)
        };
        shell.write("gwt.toml", "id = \"gwt\"\nname = \"Greenway\"\n[auth]\nkind = \"none\"\n");
        with(&["organization", "create", "acme"]);
        with(&["connector", "add", "gwt.toml"]);
        with(&["integration", "create", "orders", "--own-connector", "gwt", "--connector", "stripe"]);
        let secret = with(&["signing-key", "create"]);
        let sign = || {
            let arguments = [
                "token",
                "sign",
                "--user",
                "anna",
                "--integration",
                "orders",
                "--own-connector",
                "gwt",
                "--own-token",
                "t",
                "--url",
                "--organization",
                "acme",
                "--set",
                &public,
            ];
            let url = text(&shell.fed(&arguments, &secret).stdout);
            url.trim_end().split_once(&format!(":{}", serving.port)).unwrap().1.to_owned()
        };
        let visit = serving.get(&sign());
        assert!(visit.starts_with("HTTP/1.1 303"), "{visit}");
        let dialog = visit.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_owned();
        assert!(serving.get(&format!("{dialog}/state")).starts_with("HTTP/1.1 200"));

        let keys: Value = serde_json::from_str(&with(&["signing-key", "list", "--json"])).unwrap();
        with(&["signing-key", "revoke", keys[0]["id"].as_str().unwrap()]);
        let refused = serving.get(&sign());
        assert!(refused.starts_with("HTTP/1.1 401") && refused.contains("token_signature"), "{refused}");
        let recorded: Value = serde_json::from_str(&with(&["refusals", "--json"])).unwrap();
        assert_eq!(
            (&recorded[0]["code"], &recorded[0]["organization"]),
            (&"token_signature".into(), &"acme".into())
        );
        let reference = recorded[0]["reference"].as_str().unwrap();
        assert!(refused.contains(reference), "{reference}: {refused}");

        // A stream that would stay open ends at the stop, and nothing was logged that opens anything.
        let mut stream = serving.connection();
        write!(stream, "GET {dialog}/events HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", serving.port).unwrap();
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("event: stage")));
        assert_eq!(serving.code(Stop::Terminate).as_deref(), Some("0"), "{}", serving.process.output());
        assert_eq!(lines.last().as_deref(), Some(""), "the stream was ended, not torn off");
        let log = serving.process.output();
        assert!(log.contains("/{organization}/{connector}/auth") && log.contains("127.0.0.1"), "{log}");
        assert!(!log.contains("eyJ") && !log.contains(dialog.trim_start_matches("/dialogs/")), "{log}");
    }
}

#[test]
fn an_address_in_use_is_told_before_anything_is_made() {
    let shell = Shell::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (listen, public) = settings(taken.local_addr().unwrap().port());
    let said = shell.refused(&["serve", "--set", &listen, "--set", &public]);
    assert!(said.contains("`listen`") && said.contains("another program"), "{said}");
    assert_eq!(std::fs::read_dir(shell.folder()).unwrap().count(), 0);
}

on_both! {
    async fn migrations_are_shown_and_applied(engine: Engine) {
        let shell = Shell::on(engine).await;
        let before = shell.run(&["migrate", "--status"], &[]);
        assert_eq!(before.status.code(), Some(1));
        assert!(text(&before.stdout).contains("pending: 0001 first_door"));
        assert!(shell.good(&["migrate"]).contains("applied: 0001 first_door"));
        assert!(shell.good(&["migrate"]).contains("up to date"));
        let after = shell.json(&["migrate", "--status"]);
        let database = if engine == testkit::world::Engine::Postgres { "postgres" } else { "sqlite" };
        assert_eq!((&after["database"], &after["pending"]), (&database.into(), &serde_json::json!([])));
    }
}
