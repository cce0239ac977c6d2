//! The executable as a shell sees it.

mod administration;
mod doctor;
mod releases;
mod running;
mod second_door;
mod serve;
mod tls;
mod webhook_endpoints;
mod working;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use testkit::postgres::{Database, Postgres};
use testkit::world::Engine;

/// A folder to run the executable in.
struct Shell {
    folder: tempfile::TempDir,
    database: Option<Database>,
}

impl Shell {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database: None }
    }

    /// With settings that name an empty database, where it is not the one that is made by itself.
    async fn on(engine: Engine) -> Self {
        let mut shell = Self::new();
        if engine == Engine::Postgres {
            let database = Postgres::shared().await.empty_database().await;
            shell.write("vestibule.toml", &format!("[database]\nurl = \"{}\"\n", database.url()));
            shell.database = Some(database);
        }
        shell
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that the database holds, as it lies there.
    async fn database_in_the_raw(&self) -> Vec<u8> {
        let Some(database) = &self.database else { return std::fs::read(self.path("vestibule.db")).unwrap() };
        let all = "SELECT schema_to_xml('public', true, false, '')::text";
        database.client().await.query_one(all, &[]).await.unwrap().get::<_, String>(0).into_bytes()
    }

    /// Runs the executable in an empty folder with nothing but these variables.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command.current_dir(self.folder()).env_clear().envs(variables.iter().copied()).args(arguments);
        command.output().unwrap()
    }

    /// Runs it and gives what it printed; it must have ended well.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, &[]);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The same as JSON.
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.good(&arguments)).unwrap()
    }

    /// Runs it and gives what it said; it must have refused, with nothing on standard output.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, &[]);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stdout));
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    /// Runs it with something on standard input.
    fn fed(&self, arguments: &[&str], input: &str) -> Output {
        use std::io::Write as _;
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command.current_dir(self.folder()).env_clear().args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn settings_are_shown_with_their_source() {
    let shell = Shell::new();
    std::fs::write(shell.folder().join("vestibule.toml"), "[log]\nformat = \"json\"\n").unwrap();
    let output = shell.run(&["settings", "--json"], &[("VESTIBULE_KEYS__MASTER_KEY", "hunter2")]);
    assert_eq!(output.status.code(), Some(0));
    let entries: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let entry = |key: &str| entries.iter().find(|entry| entry["key"] == key).unwrap().clone();
    assert_eq!(entry("log.format")["source"], "vestibule.toml:2");
    assert_eq!(entry("keys.master_key")["source"], "VESTIBULE_KEYS__MASTER_KEY");
    assert!(!text(&output.stdout).contains("hunter2"));
    assert_eq!(std::fs::read_dir(shell.folder()).unwrap().count(), 1, "looking at settings makes no files");
}

#[test]
fn wrong_settings_end_with_2_and_say_where() {
    let output =
        Shell::new().run(&["settings", "--set", "lisen=x"], &[("VESTIBULE_DATABSE__URL", "hunter2")]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains("VESTIBULE_DATABSE__URL") && said.contains("did you mean VESTIBULE_DATABASE__URL?"),
        "{said}"
    );
    assert!(said.contains("--set lisen") && said.contains("did you mean `listen`?"), "{said}");
    assert!(!said.contains("hunter2") && output.stdout.is_empty(), "{said}");
}

#[test]
fn the_reference_needs_no_usable_settings() {
    let output = Shell::new().run(&["docs", "settings"], &[("VESTIBULE_NOTHING", "x")]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("# Settings\n"));
}

#[test]
fn a_file_chosen_by_variable_is_read() {
    let shell = Shell::new();
    std::fs::write(shell.folder().join("other.toml"), "listen = \"127.0.0.1:1\"\n").unwrap();
    let variables = [("VESTIBULE_CONFIG", "other.toml")];
    let shown = text(&shell.run(&["settings"], &variables).stdout);
    assert!(shown.contains("other.toml:1") && shown.contains("127.0.0.1:1"), "{shown}");
    let missing = shell.run(&["settings", "--config", "missing.toml"], &variables);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("missing.toml"));
}
