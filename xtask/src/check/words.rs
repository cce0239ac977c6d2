//! Texts and file names that shall not be in the checkout, each with its reason, by `xtask/forbidden.toml`.

use std::fs;

use anyhow::Context as _;
use serde::Deserialize;

use super::Answer;
use crate::commands;

const RULES: &str = "xtask/forbidden.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    text: Vec<Text>,
    name: Vec<Name>,
}

/// A text that no line has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
    reason: String,
    /// Endings of the paths where it counts; everywhere if none is given.
    #[serde(default)]
    within: Vec<String>,
    /// Beginnings of the paths where it does not.
    #[serde(default)]
    except: Vec<String>,
}

/// A name that no file and no folder has, its ending left off.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
    reason: String,
}

pub(super) fn check() -> Answer {
    let rules = fs::read_to_string(commands::root().join(RULES)).context(RULES)?;
    let rules: Rules = toml::from_str(&rules).context(RULES)?;
    let mut complaints = Vec::new();
    for path in commands::files()?.iter().filter(|path| *path != RULES) {
        complaints.extend(in_name(&rules, path));
        let bytes = fs::read(commands::root().join(path)).with_context(|| path.clone())?;
        // Pictures and fonts have no words.
        if let Ok(text) = String::from_utf8(bytes) {
            complaints.extend(in_text(&rules, path, &text));
        }
    }
    Ok(complaints)
}

fn in_name(rules: &Rules, path: &str) -> Vec<String> {
    let found = |name: &&Name| path.split('/').any(|part| part.split('.').next() == Some(&name.name));
    let told = |name: &Name| format!("{path}: the name `{}`: {}", name.name, name.reason);
    rules.name.iter().filter(found).map(told).collect()
}

fn in_text(rules: &Rules, path: &str, text: &str) -> Vec<String> {
    let counts = |rule: &&Text| {
        (rule.within.is_empty() || rule.within.iter().any(|ending| path.ends_with(ending)))
            && !rule.except.iter().any(|beginning| path.starts_with(beginning))
    };
    let rules: Vec<_> = rules.text.iter().filter(counts).collect();
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for rule in rules.iter().filter(|rule| line.contains(&rule.text)) {
            complaints.push(format!("{path}:{number}: `{}`: {}", rule.text, rule.reason));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: &str = r#"
        [[text]]
        text = "LATER"
        reason = "finish it"
        within = [".rs"]
        except = ["bench/"]
        [[name]]
        name = "utils"
        reason = "say what it does"
    "#;

    #[test]
    fn a_text_is_told_with_its_line_where_it_counts() {
        let rules: Rules = toml::from_str(SOME).unwrap();
        assert_eq!(in_text(&rules, "a.rs", "one\ntwo LATER\n"), ["a.rs:2: `LATER`: finish it"]);
        assert!(in_text(&rules, "a.md", "LATER").is_empty());
        assert!(in_text(&rules, "bench/a.rs", "LATER").is_empty());
    }

    #[test]
    fn a_name_is_told_for_files_and_folders() {
        let rules: Rules = toml::from_str(SOME).unwrap();
        assert_eq!(in_name(&rules, "crates/utils.rs").len(), 1);
        assert_eq!(in_name(&rules, "crates/utils/mod.rs").len(), 1);
        assert!(in_name(&rules, "crates/utilsation.rs").is_empty());
    }
}
