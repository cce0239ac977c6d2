//! Planted problems, each found with what to do.

use super::{Shell, text};
use serde_json::Value;

/// The findings, and the code that the program ended with.
fn found(shell: &Shell, more: &[&str]) -> (Vec<Value>, Option<i32>) {
    let listen = format!("listen=127.0.0.1:{}", testkit::process::free_port());
    let arguments: Vec<&str> = ["doctor", "--json", "--set", &listen].iter().chain(more).copied().collect();
    let output = shell.run(&arguments, &[]);
    let parsed = serde_json::from_slice(&output.stdout);
    (parsed.unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr))), output.status.code())
}

#[track_caller]
fn tells(findings: &[Value], level: &str, what: &str, todo: &str) {
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let fits = |finding: &&Value| {
        finding["level"] == level
            && text(finding, "what").contains(what)
            && text(finding, "todo").contains(todo)
    };
    assert!(findings.iter().any(|finding| fits(&finding)), "{level} {what} {todo}: {findings:#?}");
}

#[test]
fn an_empty_folder_is_looked_at_and_left_empty() {
    let shell = Shell::new();
    let (findings, code) = found(&shell, &[]);
    assert_eq!(code, Some(0), "{findings:#?}");
    tells(&findings, "warning", "vestibule.db is not there", "vestibule serve");
    tells(&findings, "warning", "vestibule.master-key is not there", "vestibule serve");
    assert_eq!(std::fs::read_dir(shell.folder()).unwrap().count(), 0);
}

#[test]
fn what_an_organization_lacks_is_told() {
    let shell = Shell::new();
    shell.good(&["organization", "create", "acme"]);
    shell.good(&["integration", "create", "orders", "--connector", "hubspot"]);
    let (findings, code) = found(&shell, &[]);
    assert_eq!(code, Some(0), "a sandbox may be under construction: {findings:#?}");
    tells(&findings, "warning", "no live signing key", "vestibule signing-key create --organization acme");
    tells(&findings, "warning", "no app for hubspot", "vestibule app set hubspot");
    tells(&findings, "warning", "anyone may frame", "vestibule origin add");

    let production = ["--set", "environments.production.public_url=https://connect.example.com"];
    let create = ["integration", "create", "orders", "--connector", "hubspot"];
    shell.good(&create.into_iter().chain(production).collect::<Vec<_>>());
    let (findings, code) = found(&shell, &production);
    assert_eq!(code, Some(1), "{findings:#?}");
    tells(&findings, "error", "no live signing key in production", "--environment production");
    tells(&findings, "error", "no origin in production", "vestibule origin add");
}

/// Writes into the shell's database as another process would.
fn plant(shell: &Shell, queries: Vec<store::Query>) {
    let url = format!("sqlite:{}", shell.path("vestibule.db").display());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let db = store::Db::open(&store::Config::new(url)).await.unwrap();
        for query in queries {
            assert!(db.execute(query).await.unwrap() > 0);
        }
        db.close().await;
    });
}

#[test]
fn work_that_nobody_does_is_found() {
    use kernel::{Clock as _, SystemClock};
    const READY: &str = "job_01h00000000000000000000001";
    const DEAD: &str = "job_01h00000000000000000000002";
    let shell = Shell::new();
    shell.good(&["organization", "create", "acme"]);
    let endpoint = shell.json(&["webhook-endpoint", "create", "https://hooks.example.com/secret-path"]);
    let endpoint = endpoint["id"].as_str().unwrap();
    let (findings, _) = found(&shell, &[]);
    tells(&findings, "good", "0 ready, 0 waiting for their time, 0 under way", "");
    let silent = |topic: &str| !findings.iter().any(|finding| finding["topic"] == topic);
    assert!(silent("dead letters") && silent("webhook endpoints"), "{findings:#?}");

    let now = SystemClock.now();
    let job = |id: &'static str, state: &'static str, seconds: i64, died: Option<kernel::Time>| {
        let text = "INSERT INTO jobs (id, kind, organization_id, subject, state, attempts, due_at, created_at, died_at)
            SELECT $1, 'run', id, $1, $2, 1, $3, $3, $4 FROM organizations";
        store::sql(text).bind(id).bind(state).bind(now.plus_seconds(-seconds)).bind(died)
    };
    let failing = store::sql("UPDATE notice_endpoints SET failing_since = $1").bind(now.plus_seconds(-7200));
    plant(&shell, vec![job(READY, "ready", 1000, None), job(DEAD, "dead", 9000, Some(now)), failing]);
    let (findings, code) = found(&shell, &[]);
    assert_eq!(code, Some(0), "{findings:#?}");
    tells(&findings, "warning", "1 jobs of the kind run are ready, the oldest for 100", "vestibule work");
    tells(&findings, "warning", "1 jobs of acme were given up", "vestibule job list --organization acme");
    let command =
        format!("webhook-endpoint attempts {endpoint} --failed --organization acme --environment sandbox");
    tells(&findings, "warning", "has taken nothing since", &command);
    assert!(!findings.iter().any(|it| it.to_string().contains("secret-path")), "a URL may hold a secret");
    // What it says to run runs.
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(shell.json(&words), serde_json::json!([]));
    assert_eq!(shell.json(&["job", "list", "--organization", "acme"])[0]["id"], DEAD);
}

#[test]
#[cfg(unix)]
fn open_files_and_lost_keys_are_found() {
    use std::os::unix::fs::PermissionsExt as _;
    let shell = Shell::new();
    shell.good(&["organization", "create", "acme"]);
    shell.good(&["signing-key", "create"]);
    let open = |name: &str, mode| {
        std::fs::set_permissions(shell.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open("vestibule.db", 0o644);
    open("vestibule.master-key", 0o644);
    let (findings, code) = found(&shell, &[]);
    assert_eq!(code, Some(1));
    tells(&findings, "warning", "vestibule.db can be read by others", "chmod 600");
    tells(&findings, "error", "vestibule.master-key can be read by others", "");

    open("vestibule.db", 0o600);
    let other = format!("keys.master_key={}", "1".repeat(64));
    let (findings, code) = found(&shell, &["--set", &other]);
    assert_eq!(code, Some(1));
    tells(&findings, "error", "cannot be opened", "keys.older_master_keys");

    open("vestibule.master-key", 0o600);
    let first = std::fs::read_to_string(shell.path("vestibule.master-key")).unwrap();
    let older = format!("keys.older_master_keys={}", first.trim());
    let (findings, code) = found(&shell, &["--set", &other, "--set", &older]);
    assert_eq!(code, Some(0), "{findings:#?}");
    tells(&findings, "good", "still needed for 1 of them", "");
    // The older one can go once the present one seals everything; doing it again changes nothing.
    for expected in [(1, 0), (0, 1)] {
        let done = shell.json(&["master-key", "rewrap", "--set", &other, "--set", &older]);
        assert_eq!(
            (done["data_keys"].as_u64(), done["already"].as_u64()),
            (Some(expected.0), Some(expected.1))
        );
    }
    let (findings, code) = found(&shell, &["--set", &other, "--set", &older]);
    assert_eq!(code, Some(0), "{findings:#?}");
    tells(&findings, "warning", "seals nothing any more", "take it out");
    assert_eq!(found(&shell, &["--set", &other]).1, Some(0), "without the older one");
    let told = shell.refused(&["master-key", "rewrap"]);
    assert!(told.contains("keys.older_master_keys"), "{told}");
    let unneeded = format!("keys.older_master_keys={}", "2".repeat(64));
    let (findings, _) = found(&shell, &["--set", &unneeded]);
    tells(&findings, "warning", "seals nothing any more", "take it out");
}

#[test]
#[cfg(unix)]
fn a_master_key_that_a_program_prints_is_known_everywhere() {
    let shell = Shell::new();
    shell.good(&["organization", "create", "acme"]);
    shell.good(&["signing-key", "create"]);
    let first = std::fs::read_to_string(shell.path("vestibule.master-key")).unwrap();
    // From the file to a program, with the way over both.
    let prints = format!("keys.master_key_command=[\"/bin/sh\", \"-c\", \"echo {}\"]", "5".repeat(64));
    let older = format!("keys.older_master_keys={}", first.trim());
    let done = shell.json(&["master-key", "rewrap", "--set", &prints, "--set", &older]);
    assert_eq!(done["data_keys"], 1);
    let (findings, code) = found(&shell, &["--set", &prints]);
    assert_eq!(code, Some(0), "{findings:#?}");
    tells(&findings, "good", "from `keys.master_key_command`", "");
    shell.good(&["signing-key", "create", "--set", &prints]);
    // One that fails is told with its code, and nothing that it printed.
    let fails = "keys.master_key_command=[\"/bin/sh\", \"-c\", \"echo canary; echo canary >&2; exit 4\"]";
    let (findings, code) = found(&shell, &["--set", fails]);
    assert_eq!(code, Some(1));
    tells(&findings, "error", "master_key_command_failed", "by hand");
    let told = shell.refused(&["signing-key", "create", "--set", fails]);
    assert!(told.contains("master_key_command_failed") && !told.contains("canary"), "{told}");
    let both = format!("keys.master_key={}", "5".repeat(64));
    let (findings, _) = found(&shell, &["--set", &both, "--set", &prints]);
    tells(&findings, "error", "both set", "take one");
}

#[test]
#[cfg(unix)]
fn settings_that_do_not_hold_are_found() {
    use std::os::unix::fs::PermissionsExt as _;
    let shell = Shell::new();
    shell.write("vestibule.toml", &format!("[keys]\nmaster_key = \"{}\"\n", "1".repeat(64)));
    std::fs::set_permissions(shell.path("vestibule.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (findings, code) = found(
        &shell,
        &[
            "--set",
            "environments.production.public_url=http://localhost:1",
            "--set",
            "database.url=postgres://nobody@127.0.0.1:1/nothing",
            "--set",
            "connectors.folder=missing",
        ],
    );
    assert_eq!(code, Some(1));
    tells(&findings, "error", "without TLS", "https");
    tells(&findings, "error", "cannot be used", "database.url");
    tells(&findings, "error", "missing cannot be read", "connectors.folder");
    tells(&findings, "warning", "vestibule.toml holds a secret", "chmod 600");
    let output = shell.run(&["doctor"], &[]);
    assert!(!text(&output.stdout).contains(&"1".repeat(64)));
}
