//! What a change must pass besides the tests.

mod expression;
mod licences;
mod sizes;
mod words;

use anyhow::bail;

use crate::{commands, generate};

/// A check returns its complaints, one line each; none is a pass.
type Answer = anyhow::Result<Vec<String>>;

struct Check {
    name: &'static str,
    run: fn() -> Answer,
}

/// Quick ones first.
const CHECKS: [Check; 7] = [
    Check { name: "format", run: format },
    Check { name: "sizes", run: sizes::check },
    Check { name: "words", run: words::check },
    Check { name: "licences", run: licences::check },
    Check { name: "clippy", run: clippy },
    Check { name: "docs", run: docs },
    Check { name: "generated", run: generated },
];

pub(crate) fn run(only: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = only.iter().find(|name| !CHECKS.iter().any(|check| check.name == *name)) {
        let known: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        bail!("there is no check {unknown}; there are {}", known.join(", "));
    }
    let mut failed = Vec::new();
    for Check { name, run } in CHECKS {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        let complaints = run().unwrap_or_else(|error| vec![format!("{error:#}")]);
        for complaint in &complaints {
            println!("{name}: {complaint}");
        }
        if complaints.is_empty() {
            println!("{name}: good");
        } else {
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("not good: {}", failed.join(", "));
    }
    Ok(())
}

fn format() -> Answer {
    let output = commands::cargo(["fmt", "--all", "--", "--check", "-l"]).output()?;
    let files = String::from_utf8_lossy(&output.stdout);
    let mut complaints: Vec<_> =
        files.lines().map(|file| format!("{file} is not; `cargo fmt --all` does it")).collect();
    if complaints.is_empty() && !output.status.success() {
        complaints.push(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(complaints)
}

fn clippy() -> Answer {
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    commands::show(&mut commands::cargo(arguments))?;
    Ok(Vec::new())
}

fn docs() -> Answer {
    let arguments = ["doc", "--quiet", "--workspace", "--no-deps", "--locked", "--document-private-items"];
    // Private items are documented for people who work here, and a comment there may well name its neighbour.
    let flags = "-D warnings -A rustdoc::private-intra-doc-links";
    commands::show(commands::cargo(arguments).env("RUSTDOCFLAGS", flags))?;
    Ok(Vec::new())
}

fn generated() -> Answer {
    generate::compare()?;
    Ok(Vec::new())
}
