//! Files that are written by a program: each is compared in the checks, so that it tells the truth.
//!
//! To add one, add a line to [`GENERATORS`].

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, bail};

use crate::commands;
use crate::dependencies;

struct Generated {
    /// From the root of the checkout.
    path: &'static str,
    content: Content,
}

enum Content {
    /// Written here.
    Written(fn() -> anyhow::Result<String>),
    /// What the executable prints when it is called with these arguments.
    Printed(&'static [&'static str]),
}

const GENERATORS: &[Generated] = &[
    Generated { path: "docs/reference/third-party.md", content: Content::Written(third_party) },
    Generated { path: "docs/reference/settings.md", content: Content::Printed(&["docs", "settings"]) },
    Generated { path: "docs/reference/cli.md", content: Content::Printed(&["docs", "cli"]) },
    Generated { path: "docs/reference/routes.md", content: Content::Printed(&["docs", "routes"]) },
    Generated { path: "docs/reference/errors.md", content: Content::Printed(&["docs", "errors"]) },
    Generated {
        path: "docs/reference/connectors-shipped.md",
        content: Content::Printed(&["docs", "connectors"]),
    },
    Generated { path: "docs/reference/retention.md", content: Content::Printed(&["docs", "retention"]) },
    Generated { path: "docs/reference/openapi.json", content: Content::Printed(&["docs", "openapi"]) },
];

impl Generated {
    fn text(&self) -> anyhow::Result<String> {
        match self.content {
            Content::Written(write) => write(),
            Content::Printed(arguments) => {
                let mut command = commands::cargo(["run", "--quiet", "-p", "vestibule", "--"]);
                commands::read(command.args(arguments))
            }
        }
        .with_context(|| format!("writing {}", self.path))
    }
}

pub(crate) fn write() -> anyhow::Result<()> {
    for generated in GENERATORS {
        let text = generated.text()?;
        let file = commands::root().join(generated.path);
        if fs::read_to_string(&file).is_ok_and(|old| old == text) {
            continue;
        }
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&file, text).context(generated.path)?;
        println!("written: {}", generated.path);
    }
    Ok(())
}

/// Fails where a file is not what would be written.
pub(crate) fn compare() -> anyhow::Result<()> {
    let mut old = Vec::new();
    for generated in GENERATORS {
        let text = generated.text()?;
        let there = fs::read_to_string(commands::root().join(generated.path)).unwrap_or_default();
        if there != text {
            old.push(match first_difference(&there, &text) {
                Some(line) => format!("{} (from line {line})", generated.path),
                None => generated.path.to_owned(),
            });
        }
    }
    if !old.is_empty() {
        bail!("run `cargo xtask gen`: not up to date: {}", old.join(", "));
    }
    Ok(())
}

/// The number of the first line that differs.
fn first_difference(there: &str, text: &str) -> Option<usize> {
    let longest = there.lines().count().max(text.lines().count());
    (0..longest).find(|line| there.lines().nth(*line) != text.lines().nth(*line)).map(|line| line + 1)
}

/// What other people wrote and the executable is built from, with its licences.
fn third_party() -> anyhow::Result<String> {
    let mut text = "# Third-party software\n\nWhat `vestibule` is built from on any platform, with the licences its authors \
        state. Written by `cargo xtask gen`.\n\n| package | version | licence |\n|---|---|---|\n"
        .to_owned();
    for package in dependencies::shipped()?.iter().filter(|package| !package.ours) {
        let name = if package.repository.is_empty() {
            package.name.clone()
        } else {
            format!("[{}]({})", package.name, package.repository)
        };
        writeln!(text, "| {name} | {} | {} |", package.version, package.licence)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_found() {
        assert_eq!(first_difference("one\ntwo\n", "one\nTWO\n"), Some(2));
        assert_eq!(first_difference("one\n", "one\ntwo\n"), Some(2));
        assert_eq!(first_difference("one\n", "one\n"), None);
    }

    #[test]
    fn no_file_is_written_by_two() {
        let mut paths: Vec<_> = GENERATORS.iter().map(|generated| generated.path).collect();
        let count = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), count);
    }
}
