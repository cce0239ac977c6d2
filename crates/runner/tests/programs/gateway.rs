//! A gateway that is killed: the program ends with it, whoever runs the gateway.

use super::*;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

struct Gateway {
    process: Child,
    log: BufReader<std::process::ChildStdout>,
    folder: tempfile::TempDir,
}

impl Gateway {
    /// Runs `command` with a gateway of its own, started by `sh` with a descriptor open that is none of its business.
    fn start(command: &str, account: Option<u32>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let mut gateway = Command::new("/bin/sh");
        gateway.args(["-c", "exec 9</dev/null; exec \"$@\"", "sh", HELPER, "gateway"]);
        gateway.arg(folder.path()).arg(command).current_dir("/");
        gateway.env("SECRET_OF_THE_GATEWAY", "x").stdin(Stdio::null()).stdout(Stdio::piped());
        if let Some(account) = account {
            gateway.uid(account).gid(account);
        }
        let mut process = gateway.spawn().unwrap();
        let log = BufReader::new(process.stdout.take().unwrap());
        Self { process, log, folder }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.log.read_line(&mut line).unwrap();
        line.trim_end().into()
    }
}

const STUBBORN: &str = "trap '' TERM HUP INT; (setsid sh -c 'trap \"\" TERM; sleep 1000; sleep 1000' &) ; touch file; \
                        echo ready >&2; sleep 1000; sleep 1000";

async fn killed(account: Option<u32>) {
    let mark = Mark::new();
    let mut gateway = Gateway::start(&format!("export MARK={}; {STUBBORN}", mark.0), account);
    assert_eq!(gateway.line(), "ready");
    assert!(!is_empty(gateway.folder.path()));
    // kill -9: nothing of the gateway runs from here on.
    gateway.process.kill().unwrap();
    gateway.process.wait().unwrap();
    eventually("everything ends with the gateway", || mark.is_gone()).await;
    eventually("its scratch folder goes", || is_empty(gateway.folder.path())).await;
}

#[tokio::test]
async fn killing_the_gateway_ends_everything() {
    killed(None).await;
}

#[tokio::test]
async fn killing_the_gateway_ends_everything_without_root() {
    if !is_root() {
        eprintln!("skipped: this test runs without root already");
        return;
    }
    killed(Some(NOBODY)).await;
}

#[tokio::test]
async fn what_the_gateway_inherited_ends_there() {
    // Looked at from outside: a shell that is busy with a pipe has descriptors of its own.
    let looking = "sleep 1000 & echo $(ls /proc/$!/fd) >&2; env | grep -c SECRET >&2";
    let mut gateway = Gateway::start(looking, None);
    assert_eq!(gateway.line(), "0 1 2");
    assert_eq!(gateway.line(), "0");
    assert!(gateway.process.wait().unwrap().success());
    assert!(is_empty(gateway.folder.path()));
}
