//! Files that outgrew their room. Functions are clippy's (`too_many_lines`).

use std::fs;

use anyhow::Context as _;

use super::Answer;
use crate::commands;

/// The most lines of a Rust file, its tests not counted.
const LIMIT: usize = 400;

pub(super) fn check() -> Answer {
    let mut complaints = Vec::new();
    for path in commands::files()?.iter().filter(|path| counts(path)) {
        let text = fs::read_to_string(commands::root().join(path)).with_context(|| path.clone())?;
        let lines = lines(&text);
        if lines > LIMIT {
            complaints
                .push(format!("{path} has {lines} lines, more than {LIMIT}; give a part of it its own file"));
        }
    }
    Ok(complaints)
}

fn counts(path: &str) -> bool {
    let is_tests = |part: &str| part == "tests" || part.ends_with("_tests") || part.ends_with("tests.rs");
    path.ends_with(".rs") && !path.split('/').any(is_tests)
}

/// The lines before the module of tests, which stands last.
fn lines(text: &str) -> usize {
    let mut lines = text.lines().peekable();
    let mut count = 0;
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.starts_with("mod tests {")) {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        assert_eq!(lines("one\ntwo\n\n#[cfg(test)]\nmod tests {\n}\n"), 3);
        assert_eq!(lines("one\n#[cfg(test)]\nmod tests;\nfour\n"), 4);
        assert!(counts("crates/kernel/src/time.rs"));
        assert!(!counts("crates/cli/tests/it/main.rs"));
        assert!(!counts("crates/store/src/tests.rs"));
        assert!(!counts("README.md"));
    }
}
