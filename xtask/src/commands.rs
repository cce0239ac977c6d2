//! Other programs, started at the root of the checkout.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where the packages for Python (and Node, where the machine's is too old) are put; the testkit looks there.
pub(crate) fn packages() -> PathBuf {
    root().join("target/packages")
}

/// A program at the root of the checkout, without standard input: nothing here asks questions.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this, with arguments.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = program(option_env!("CARGO").unwrap_or("cargo"));
    command.args(arguments);
    command
}

/// Runs a command whose output people shall see.
pub(crate) fn show(command: &mut Command) -> anyhow::Result<()> {
    let line = spelled(command);
    let status = command.status().with_context(|| format!("`{line}` does not start"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs a command and returns its standard output.
pub(crate) fn read(command: &mut Command) -> anyhow::Result<String> {
    let line = spelled(command);
    let output = command.output().with_context(|| format!("`{line}` does not start"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` answered something that is no text"))
}

/// Whether a command starts and ends well; what it says is of no interest.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The command as one would type it.
pub(crate) fn spelled(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The files of the checkout that git knows or would take in, with paths from the root.
pub(crate) fn files() -> anyhow::Result<Vec<String>> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let listed = read(program("git").args(list))?;
    // A file that was removed but is still in the index is listed all the same.
    let there = listed.split('\0').filter(|path| !path.is_empty() && root().join(path).is_file());
    Ok(there.map(str::to_owned).collect())
}
