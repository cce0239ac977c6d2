//! Programs in Python, run with the packages that `python/requirements.txt` names.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, Launch, Supervised};

/// The folder with the scripts.
#[must_use]
pub fn folder() -> PathBuf {
    crate::room().join("python")
}

/// The interpreter that has the packages.
///
/// # Panics
/// When the packages are not installed.
#[must_use]
pub fn interpreter() -> PathBuf {
    let python = crate::packages().join("python/bin/python");
    assert!(python.exists(), "{} is missing; run `cargo xtask setup`", python.display());
    python
}

/// A script that goes on running. Relative paths lie in [`folder`].
///
/// # Errors
/// When it cannot be started.
///
/// # Panics
/// When the packages are not installed.
pub fn spawn<A: AsRef<std::ffi::OsStr>>(
    path: impl AsRef<Path>,
    arguments: impl IntoIterator<Item = A>,
) -> io::Result<Supervised> {
    Launch::new(interpreter())?.argument("-B").argument(folder().join(path)).arguments(arguments).start()
}

/// A script run to its end; returns its standard output. Relative paths lie in [`folder`].
///
/// # Panics
/// When the packages are not installed, or when the script fails.
#[must_use]
pub fn run<A: AsRef<std::ffi::OsStr>>(
    path: impl AsRef<Path>,
    arguments: impl IntoIterator<Item = A>,
    input: &str,
) -> String {
    let mut command = Command::new(interpreter());
    // No compiled copies beside the scripts: the checkout stays as it is.
    command.arg("-B").arg(folder().join(path)).args(arguments);
    process::run(command, input)
}
