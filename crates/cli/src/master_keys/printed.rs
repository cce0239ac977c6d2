//! The master key that a program prints: the client of a key management service.

use kernel::MasterKey;
use std::io::{self, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How long it may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked whether the program has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// More than this no key has, in bytes.
const MOST: u64 = 1024;
/// Variables of our own, which may hold secrets.
const OURS: &str = "VESTIBULE_";

/// Why a program gave no key. Neither what it printed nor its arguments are repeated.
#[derive(Debug, thiserror::Error)]
pub enum NotPrinted {
    #[error("the program cannot be started: {0}")]
    NotStarted(io::Error),
    #[error("the program ended with {0}; run it by hand to see why")]
    Failed(ExitStatus),
    #[error("the program had not ended after 10 seconds")]
    Late,
    #[error(
        "what the program printed is no master key: 32 bytes are needed, as 64 hexadecimal digits or in base64"
    )]
    NoKey,
}

impl NotPrinted {
    /// The stable code for programs that read the log.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotStarted(_) => "master_key_command_not_started",
            Self::Failed(_) => "master_key_command_failed",
            Self::Late => "master_key_command_late",
            Self::NoKey => "master_key_command_no_key",
        }
    }
}

/// Runs the program and reads the key that it prints.
///
/// Decision: neither its output nor its error stream reaches a log. Attack: tools print secrets into errors, and logs
/// are read by more people than may have the key. Trade: why it failed is seen by running it by hand.
///
/// # Errors
/// [`NotPrinted`].
pub(super) fn by(words: &[String]) -> Result<MasterKey, NotPrinted> {
    within(words, WITHIN)
}

fn within(words: &[String], limit: Duration) -> Result<MasterKey, NotPrinted> {
    let until = Instant::now() + limit;
    let (program, arguments) = words.split_first().ok_or(NotPrinted::NoKey)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(OURS) {
            command.env_remove(name);
        }
    }
    let mut child = command.spawn().map_err(NotPrinted::NotStarted)?;
    let outcome = heard(&mut child, until);
    if outcome.is_err() {
        // It may have ended meanwhile; and nobody else waits for it.
        let _ = child.kill();
        let _ = child.wait();
    }
    let (printed, status) = outcome?;
    if !status.success() {
        return Err(NotPrinted::Failed(status));
    }
    let text = std::str::from_utf8(&printed).map_err(|_| NotPrinted::NoKey)?;
    MasterKey::parse(text.trim()).map_err(|_| NotPrinted::NoKey)
}

type Heard = (Zeroizing<Vec<u8>>, ExitStatus);

#[expect(clippy::disallowed_methods, reason = "std gives no way to wait for a program with a bound")]
fn heard(child: &mut Child, until: Instant) -> Result<Heard, NotPrinted> {
    let output = child.stdout.take().ok_or(NotPrinted::NoKey)?;
    let (tell, told) = mpsc::sync_channel(1);
    // A thread of its own: what the program leaves behind may hold the pipe open for ever.
    std::thread::spawn(move || {
        let mut printed = Zeroizing::new(Vec::with_capacity(2048));
        let read = output.take(MOST + 1).read_to_end(&mut printed);
        let _ = tell.send(read.map(|_| printed));
    });
    let left = until.saturating_duration_since(Instant::now());
    let printed = told.recv_timeout(left).map_err(|_| NotPrinted::Late)?.map_err(NotPrinted::NotStarted)?;
    if u64::try_from(printed.len()).unwrap_or(u64::MAX) > MOST {
        return Err(NotPrinted::NoKey);
    }
    loop {
        match child.try_wait().map_err(NotPrinted::NotStarted)? {
            Some(status) => return Ok((printed, status)),
            None if Instant::now() >= until => return Err(NotPrinted::Late),
            None => std::thread::sleep(LOOK_EVERY),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(text: &str) -> Vec<String> {
        ["/bin/sh", "-c", text].map(str::to_owned).to_vec()
    }

    fn printed(text: &str) -> Result<MasterKey, NotPrinted> {
        within(&shell(text), Duration::from_secs(20))
    }

    #[test]
    fn what_a_program_prints_is_the_key() {
        let hex = "1".repeat(64);
        let expected = MasterKey::parse(&hex).unwrap();
        let key = printed(&format!("echo a word to stderr >&2; echo {hex}")).unwrap();
        assert_eq!(key.id(), expected.id());
        // Base64, as the clients of key management services print.
        let base64 = printed("printf 'ERERERERERERERERERERERERERERERERERERERERERE=\\n'").unwrap();
        assert_eq!(base64.id(), expected.id());
        // Its arguments are no shell's.
        let words = ["/bin/echo", "$(id)", ";", "1"].map(str::to_owned);
        assert!(matches!(within(&words, WITHIN), Err(NotPrinted::NoKey)));
    }

    #[test]
    fn what_goes_wrong_has_a_code_and_repeats_nothing() {
        let hex = "2".repeat(64);
        let cases = [
            (printed(&format!("echo {hex}; echo hunter2 >&2; exit 3")), "master_key_command_failed"),
            (printed("echo hunter2"), "master_key_command_no_key"),
            (printed(""), "master_key_command_no_key"),
            (printed(&format!("echo {hex}; echo hunter2")), "master_key_command_no_key"),
            (printed("yes hunter2"), "master_key_command_no_key"),
            (printed("printf '\\377\\376'"), "master_key_command_no_key"),
            (within(&["/nonexistent/hunter2".to_owned()], WITHIN), "master_key_command_not_started"),
        ];
        for (outcome, code) in cases {
            let Err(no) = outcome else { panic!("{code} was expected") };
            assert_eq!(no.code(), code, "{no}");
            let shown = crate::master_keys::MasterKeysRefused::from(no).to_string();
            assert!(shown.contains(code) && !shown.contains("hunter2") && !shown.contains(&hex), "{shown}");
        }
    }

    #[test]
    fn a_program_that_does_not_end_is_not_waited_for() {
        let key = "3".repeat(64);
        // One that prints nothing, one that goes on after the key, one whose child holds the pipe open.
        for text in
            ["sleep 60", &format!("echo {key}; exec sleep 60 >&-"), &format!("echo {key}; sleep 60 & exit 0")]
        {
            let begun = Instant::now();
            let outcome = within(&shell(text), Duration::from_millis(300));
            assert!(matches!(outcome, Err(NotPrinted::Late)), "{text}");
            assert!(begun.elapsed() < Duration::from_secs(20), "{text}");
        }
    }
}
