//! Two processes that the tests need: the supervisor, and a gateway that starts a program and can be killed.

use runner::{Deadline, Happening, Limits, Program, Runner, Scratch};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next(), words.next()) {
        (Some(runner::VERB), None, None) => runner::supervise(),
        (Some("gateway"), Some(folder), Some(command)) => gateway(Path::new(&folder), command),
        _ => ExitCode::from(2),
    }
}

/// Runs `command` with a scratch folder in `folder`, moves its deadline ahead, and says what it logs.
#[tokio::main(flavor = "current_thread")]
async fn gateway(folder: &Path, command: String) -> ExitCode {
    let Ok(scratch) = Scratch::new(folder, "run") else { return ExitCode::FAILURE };
    let program = Program {
        command,
        folder: scratch.path().to_owned(),
        environment: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
        scratch: Some(scratch),
        limits: Limits { grace: Duration::from_millis(300), ..Limits::default() },
        user: None,
    };
    let lease = Duration::from_secs(60);
    let mut running = Runner::of_this_executable().start(program, Deadline::after(lease));
    while let Some(Happening::Log(piece)) = running.next().await {
        running.extend(Deadline::after(lease));
        let _ = std::io::stdout().write_all(&piece).and_then(|()| std::io::stdout().flush());
    }
    ExitCode::SUCCESS
}
