//! What a program finds around it: what it was given, and nothing of the gateway's.

use super::*;
use runner::{Scratch, User};

#[tokio::test]
async fn the_environment_is_exactly_what_was_given() {
    let mut given = program("cat /proc/$$/environ");
    given.environment = vec![
        ("PAN_CFG_NAME".into(), "a value with spaces, \"quotes\" and $(no command)".into()),
        ("PAN_SEC_some-crm_TOKEN".into(), "hyphen".into()),
        ("EMPTY".into(), String::new()),
        ("LINES".into(), "one\ntwo\nü".into()),
        ("PATH".into(), "/usr/bin:/bin".into()),
        ("LARGE".into(), "x".repeat(96 * 1024)),
    ];
    let mut expected: Vec<String> =
        given.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = String::from_utf8(run(given).await.stdout).unwrap();
    let mut found: Vec<String> = text.split_terminator('\0').map(String::from).collect();
    // Names with a hyphen are handed on by `bash`, which says three things of its own.
    found.retain(|line| !["PWD=", "SHLVL=", "_="].iter().any(|own| line.starts_with(own)));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn it_has_a_session_and_a_group_of_its_own() {
    let text = output("read line < /proc/$$/stat; echo $$ $line").await;
    let fields: Vec<&str> = text.split_whitespace().collect();
    let (own, group, session) = (fields[0], fields[5], fields[6]);
    assert_eq!(group, own);
    let mine = fs::read_to_string("/proc/self/stat").unwrap();
    assert_ne!(Some(session), mine.rsplit_once(')').unwrap().1.split_whitespace().nth(3));
}

#[tokio::test]
async fn signals_are_as_they_are_by_default_and_rights_cannot_be_gained() {
    let text = output("exec cat /proc/self/status").await;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(field("SigBlk:"), "0000000000000000");
    // Those above 31 belong to libraries; whoever started the tests may have left some ignored.
    assert_eq!(u64::from_str_radix(&field("SigIgn:"), 16).unwrap() & 0x7fff_ffff, 0);
    assert_eq!(field("NoNewPrivs:"), "1");
}

#[tokio::test]
async fn input_is_empty() {
    assert_eq!(output("cat; echo end").await, "end\n");
}

#[tokio::test]
async fn the_supervisor_cannot_be_read() {
    if is_root() {
        eprintln!("skipped for root's own programs: root reads everything; with another account below");
    } else {
        assert_eq!(output("cat /proc/$PPID/environ /proc/$PPID/maps 2>/dev/null || echo no").await, "no\n");
    }
}

#[tokio::test]
async fn it_can_run_under_another_account() {
    if !is_root() {
        eprintln!("skipped: only root can choose another account");
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    fs::set_permissions(parent.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let scratch = Scratch::new(parent.path(), "run_1").unwrap();
    fs::create_dir(scratch.path().join("payloads")).unwrap();
    fs::write(scratch.path().join("payloads/body"), "body").unwrap();
    let mut other = program(
        "id -u; id -g; id -G; cat payloads/body; echo new > payloads/body; cat payloads/body; kill -9 $PPID || cat /proc/$PPID/environ || echo no",
    );
    other.folder = scratch.path().to_owned();
    other.scratch = Some(scratch);
    other.user = Some(User { user: NOBODY, group: NOBODY });
    let text = String::from_utf8(run(other).await.stdout).unwrap();
    assert_eq!(text, "65534\n65534\n65534\nbodynew\nno\n");
    assert!(is_empty(parent.path()));
}
