//! Programs in JavaScript, run by Node with the packages that `node/package-lock.json` names.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, Launch, Supervised};

/// The folder with the scripts and their `node_modules`.
#[must_use]
pub fn folder() -> PathBuf {
    crate::room().join("node")
}

/// A file of an installed package, such as `axe-core/axe.min.js`.
///
/// # Panics
/// When it is not there: the packages are not installed.
#[must_use]
pub fn package_file(path: &str) -> PathBuf {
    let file = folder().join("node_modules").join(path);
    assert!(file.exists(), "{} is missing; run `cargo xtask setup`", file.display());
    file
}

/// Node itself: the one that the setup installed because the machine's was too old, else the machine's.
#[must_use]
pub fn program() -> PathBuf {
    let installed = crate::packages().join("python/bin/node");
    if installed.exists() { installed } else { PathBuf::from("node") }
}

/// A script's full path: relative ones lie in [`folder`].
fn script(path: &Path) -> PathBuf {
    // Any package stands for all of them: without it a script would fail with a text that helps nobody.
    let _ = package_file("jose/package.json");
    folder().join(path)
}

/// A script that goes on running.
///
/// # Errors
/// When it cannot be started.
pub fn spawn<A: AsRef<std::ffi::OsStr>>(
    path: impl AsRef<Path>,
    arguments: impl IntoIterator<Item = A>,
) -> io::Result<Supervised> {
    Launch::new(program())?.argument(script(path.as_ref())).arguments(arguments).start()
}

/// A script run to its end; returns its standard output.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn run<A: AsRef<std::ffi::OsStr>>(
    path: impl AsRef<Path>,
    arguments: impl IntoIterator<Item = A>,
    input: &str,
) -> String {
    let mut command = Command::new(program());
    command.arg(script(path.as_ref())).args(arguments);
    process::run(command, input)
}
