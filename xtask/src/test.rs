//! All tests of all languages, with one line at the end that counts them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, bail};

use crate::{commands, setup};

/// With this code pytest says that no test has the name that was asked for; cargo and Node call that good.
const NO_TESTS: i32 = 5;

/// Where the last count is left for the script of the continuous integration, which shows it once more.
const COUNT: &str = "target/test-count";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

pub(crate) fn run(filter: Option<&str>) -> anyhow::Result<()> {
    setup::run().context("setup")?;
    let mut count = Count::default();
    let mut good = true;
    if let Some(mut scripts) = scripts(filter)? {
        good &= counted(&mut scripts, &mut count)?.success();
    }
    let status = counted(&mut python(filter), &mut count)?;
    good &= status.success() || (filter.is_some() && status.code() == Some(NO_TESTS));
    let mut rust = commands::cargo(["test", "--workspace", "--no-fail-fast"]);
    if let Some(filter) = filter {
        rust.args(["--", filter]);
    }
    good &= counted(&mut rust, &mut count)?.success();

    let file = commands::root().join(COUNT);
    // With another target folder (`CARGO_TARGET_DIR`) this one may not be there.
    file.parent().map(fs::create_dir_all).transpose()?;
    fs::write(file, format!("{count}\n")).context(COUNT)?;
    println!("{count}");
    if !good || count.failed > 0 {
        bail!("not all tests passed");
    }
    if count.passed == 0 {
        bail!("no test was run");
    }
    Ok(())
}

/// The tests of the scripts that browsers get, if there are any.
fn scripts(filter: Option<&str>) -> anyhow::Result<Option<Command>> {
    let files: Vec<_> = commands::files()?.into_iter().filter(|path| is_script_test(path)).collect();
    if files.is_empty() {
        return Ok(None);
    }
    let mut command = commands::program(setup::node());
    command.args(["--test", "--test-reporter=tap"]);
    if let Some(filter) = filter {
        command.arg(format!("--test-name-pattern={filter}"));
    }
    command.args(files);
    Ok(Some(command))
}

fn is_script_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("assets/") && [".test.js", ".test.mjs"].iter().any(|ending| name.ends_with(ending))
}

/// The tests of the SDK for Python.
fn python(filter: Option<&str>) -> Command {
    let mut command = commands::program(setup::python_interpreter());
    command.args([
        "-B",
        "-m",
        "pytest",
        "-q",
        "--color=no",
        "--rootdir=sdk/python",
        "-c",
        "sdk/python/pyproject.toml",
    ]);
    if let Some(filter) = filter {
        // What `-k` would read as an expression is a name here.
        command.args(["-k", &filter.replace(' ', "_")]);
    }
    command.arg("sdk/python/tests");
    command
}

/// Runs a test command, passes its output on, and adds what its closing lines count.
fn counted(command: &mut Command, count: &mut Count) -> anyhow::Result<ExitStatus> {
    let line = commands::spelled(command);
    println!("$ {line}");
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("`{line}` does not start"))?;
    let output = child.stdout.take().context("standard output is piped")?;
    let mut terminal = std::io::stdout();
    for text in BufReader::new(output).split(b'\n') {
        let text = text?;
        terminal.write_all(&text)?;
        terminal.write_all(b"\n")?;
        if let Some(more) = closing(&String::from_utf8_lossy(&text)) {
            count.add(more);
        }
    }
    Ok(child.wait()?)
}

/// What one closing line of cargo, of Node's runner or of pytest counts.
fn closing(line: &str) -> Option<Count> {
    pytest_closing(line).or_else(|| other_closing(line))
}

/// `3 failed, 12 passed, 1 skipped in 0.52s`, with ` (0:01:02)` behind it after a minute.
fn pytest_closing(line: &str) -> Option<Count> {
    let (counts, time) = line.rsplit_once(" in ")?;
    let seconds = time.split(' ').next()?.strip_suffix('s')?;
    seconds.parse::<f64>().ok()?;
    let mut count = Count::default();
    for part in counts.split(", ") {
        let (number, name) = part.split_once(' ')?;
        let number: u32 = number.parse().ok()?;
        match name {
            "passed" => count.passed += number,
            // A test that was meant to fail and does not is one that fails, and what broke around a test broke it.
            "failed" | "error" | "errors" | "xpassed" => count.failed += number,
            "skipped" | "xfailed" => count.skipped += number,
            "deselected" | "warning" | "warnings" => {}
            _ => return None,
        }
    }
    Some(count)
}

fn other_closing(line: &str) -> Option<Count> {
    if let Some(rest) = line.strip_prefix("test result: ") {
        let number = |name: &str| {
            let before = rest.split(&format!(" {name}")).next()?;
            before.rsplit(' ').next()?.parse().ok()
        };
        return Some(Count {
            passed: number("passed")?,
            failed: number("failed")?,
            skipped: number("ignored")?,
        });
    }
    let (name, number) = line.strip_prefix("# ")?.split_once(' ')?;
    let number = number.trim().parse().ok()?;
    match name {
        "pass" => Some(Count { passed: number, ..Count::default() }),
        "fail" | "cancelled" => Some(Count { failed: number, ..Count::default() }),
        "skipped" => Some(Count { skipped: number, ..Count::default() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_each_runner_are_counted() {
        let cargo = "test result: FAILED. 21 passed; 5 failed; 1 ignored; 0 measured; 2 filtered out; finished in 41s";
        assert_eq!(closing(cargo), Some(Count { passed: 21, failed: 5, skipped: 1 }));
        assert_eq!(closing("# pass 12"), Some(Count { passed: 12, failed: 0, skipped: 0 }));
        assert_eq!(closing("# cancelled 1"), Some(Count { passed: 0, failed: 1, skipped: 0 }));
        assert_eq!(closing("# tests 12"), None);
        assert_eq!(closing("test process::tests::it ... ok"), None);
        let pytest = "2 failed, 12 passed, 3 skipped, 4 deselected, 1 error in 75.52s (0:01:15)";
        assert_eq!(closing(pytest), Some(Count { passed: 12, failed: 3, skipped: 3 }));
        assert_eq!(closing("174 passed in 3.31s"), Some(Count { passed: 174, failed: 0, skipped: 0 }));
        assert_eq!(closing("174 deselected in 0.31s"), Some(Count::default()));
        assert_eq!(closing("12 apples passed in 3s"), None);
        assert_eq!(closing("finished in 3s"), None);
    }

    #[test]
    fn the_count_is_a_line_that_other_programs_read() {
        let count = Count { passed: 3, failed: 0, skipped: 1 };
        assert_eq!(count.to_string(), "3 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn tests_of_scripts_are_told_by_their_names() {
        assert!(is_script_test("assets/tests/dialog.test.mjs"));
        assert!(!is_script_test("assets/tests/page.mjs"));
        assert!(!is_script_test("crates/web/src/lib.test.js"));
    }
}
