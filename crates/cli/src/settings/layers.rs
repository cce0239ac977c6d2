//! The sources of settings, laid over each other. Unknown keys and wrong types are found here.

use super::known::{Key, Known, variable_of};
use super::problem::Problem;
use super::value::{Value, leaves};
use std::collections::BTreeMap;
use std::fmt;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Default,
    File { name: String, line: usize },
    Variable(String),
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(key) => write!(f, "--set {key}"),
        }
    }
}

/// A value and its source.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) value: Value,
    pub(super) source: Source,
}

/// The layers so far; each one covers what lies below.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    known: &'a Known,
    pub(super) values: BTreeMap<String, Placed>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Layers<'a> {
    pub(super) fn defaults(known: &'a Known) -> Self {
        let place =
            |key: &Key| (key.path.clone(), Placed { value: key.default.clone(), source: Source::Default });
        Self { known, values: known.keys.iter().map(place).collect(), problems: Vec::new() }
    }

    pub(super) fn problem(&mut self, place: &impl ToString, text: String) {
        self.problems.push(Problem { place: place.to_string(), text });
    }

    /// Lays a file over them. `name` is what messages call it.
    pub(super) fn file(&mut self, name: &str, text: &str) {
        let found = match leaves(text) {
            Ok(found) => found,
            Err((line, text)) => return self.problem(&Source::File { name: name.to_owned(), line }, text),
        };
        for leaf in found {
            let source = Source::File { name: name.to_owned(), line: leaf.line };
            let known = self.known;
            match (known.find(&leaf.path), leaf.value) {
                (Some(key), Some(value)) if value.kind() == Some(key.kind) => self.lay(key, value, source),
                (Some(key), value) => {
                    let seen = value.as_ref().map_or("a section", Value::kind_text);
                    self.problem(&source, format!("`{}` must be {}, not {seen}", key.path, key.kind.text()));
                }
                (None, None) if known.is_section(&leaf.path) => {}
                (None, Some(_)) if known.is_section(&leaf.path) => {
                    self.problem(&source, format!("`{0}` is a section; write [{0}]", leaf.path));
                }
                (None, _) => self.unknown(&source, &format!("`{}` is not a setting", leaf.path), &leaf.path),
            }
        }
    }

    /// Lays the environment's variables over them; those of others are passed by.
    pub(super) fn variables(&mut self, variables: &[(String, String)]) {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix("VESTIBULE_") else { continue };
            if is_foreign(name, rest, text) {
                continue;
            }
            let path = rest.replace("__", ".").to_ascii_lowercase();
            let known = self.known;
            let Some(key) = known.find(&path).filter(|key| key.variable() == *name) else {
                let meant = known.nearest(&path).map(|key| variable_of(&key.path));
                let hint = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
                self.problem(name, format!("this variable names no setting{hint}"));
                continue;
            };
            self.lay_text(key, text, Source::Variable(name.clone()));
        }
    }

    /// Lays flags over them: `database.url=sqlite:x.db`.
    pub(super) fn flags(&mut self, flags: &[String]) {
        for flag in flags {
            let Some((path, text)) = flag.split_once('=') else {
                self.problem(&"--set", "write it as section.key=value".to_owned());
                continue;
            };
            let source = Source::Flag(path.trim().to_owned());
            let known = self.known;
            match known.find(path.trim()) {
                Some(key) => self.lay_text(key, text, source),
                None => self.unknown(&source, "this is not a setting", path.trim()),
            }
        }
    }

    fn unknown(&mut self, source: &Source, said: &str, path: &str) {
        let meant = self.known.nearest(path).map(|key| format!("; did you mean `{}`?", key.path));
        self.problem(source, format!("{said}{}", meant.unwrap_or_default()));
    }

    fn lay_text(&mut self, key: &Key, text: &str, source: Source) {
        match Value::from_text(key.kind, text) {
            Some(value) => self.lay(key, value, source),
            // The text itself may be a secret in the wrong place, so it is not repeated.
            None => self.problem(&source, format!("`{}` must be {}", key.path, key.kind.text())),
        }
    }

    fn lay(&mut self, key: &Key, value: Value, source: Source) {
        self.values.insert(key.path.clone(), Placed { value, source });
    }
}

/// Variables with our prefix that are no settings: the file's name, those of the tests, and those that
/// Kubernetes gives every container for a service that is called `vestibule`.
fn is_foreign(name: &str, rest: &str, text: &str) -> bool {
    let of_a_service = rest == "SERVICE_HOST" || rest.starts_with("SERVICE_PORT");
    let of_a_port = rest.starts_with("PORT_") || rest == "PORT" && text.contains("://");
    name == super::CONFIG_VARIABLE || rest.starts_with("TEST_") || of_a_service || of_a_port
}
