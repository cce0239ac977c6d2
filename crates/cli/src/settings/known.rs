//! The keys that exist, with their types, defaults and documentation: read from `vestibule.default.toml`.

use super::problem::{Problem, Refused};
use super::value::{Kind, Leaf, Value, leaves};

/// The default file. It is the truth about settings: what is not in it does not exist.
pub const DEFAULT_FILE: &str = include_str!("../../../../vestibule.default.toml");

/// One setting.
#[derive(Debug, Clone)]
pub struct Key {
    /// `database.url`.
    pub path: String,
    pub kind: Kind,
    pub default: Value,
    /// The comment above the key, one paragraph.
    pub documentation: String,
}

impl Key {
    /// `VESTIBULE_DATABASE__URL`.
    pub fn variable(&self) -> String {
        variable_of(&self.path)
    }
}

pub(super) fn variable_of(path: &str) -> String {
    format!("VESTIBULE_{}", path.replace('.', "__").to_ascii_uppercase())
}

/// A section with its comment, for the reference.
#[derive(Debug, Clone)]
pub struct Section {
    /// `database`; empty for the keys before the first section.
    pub path: String,
    pub documentation: String,
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Known {
    pub keys: Vec<Key>,
    pub sections: Vec<Section>,
}

impl Known {
    /// # Errors
    /// Where the default file itself is wrong, which a test rules out.
    pub fn embedded() -> Result<Self, Refused> {
        let comments = comments(DEFAULT_FILE);
        let mut keys = Vec::new();
        for Leaf { path, value, line } in leaves(DEFAULT_FILE).map_err(|(line, text)| {
            Refused(vec![Problem { place: format!("vestibule.default.toml:{line}"), text }])
        })? {
            let (value, kind) =
                value.and_then(|value| value.kind().map(|kind| (value, kind))).ok_or_else(|| {
                    Refused(vec![Problem {
                        place: format!("vestibule.default.toml:{line}"),
                        text: format!("`{path}` has a type that no setting has"),
                    }])
                })?;
            let documentation = comments.iter().find(|(known, _)| *known == path);
            let documentation = documentation.map(|(_, text)| text.clone()).unwrap_or_default();
            keys.push(Key { path, kind, default: value, documentation });
        }
        let mut sections = vec![Section { path: String::new(), documentation: String::new() }];
        for (path, documentation) in comments {
            if let Some(path) = path.strip_prefix('[') {
                sections.push(Section { path: path.to_owned(), documentation });
            }
        }
        Ok(Self { keys, sections })
    }

    pub(super) fn find(&self, path: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.path == path)
    }

    /// Whether keys live below this path.
    pub(super) fn is_section(&self, path: &str) -> bool {
        self.keys.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }

    /// The key that was probably meant.
    pub(super) fn nearest(&self, path: &str) -> Option<&Key> {
        let last = |path: &str| path.rsplit('.').next().unwrap_or(path).to_owned();
        let likeness = |key: &Key| {
            let whole = strsim::normalized_damerau_levenshtein(&key.path, path);
            // The right word in the wrong section, or without one, is a near miss too.
            whole.max(0.9 * strsim::normalized_damerau_levenshtein(&last(&key.path), &last(path)))
        };
        let best = self.keys.iter().map(|key| (likeness(key), key)).max_by(|a, b| a.0.total_cmp(&b.0));
        best.filter(|(likeness, _)| *likeness > 0.55).map(|(_, key)| key)
    }
}

/// The comment above each key (`database.url`) and each section (`[database`), in the order of the file.
fn comments(text: &str) -> Vec<(String, String)> {
    let (mut found, mut section, mut pending) = (Vec::new(), String::new(), Vec::new());
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            pending.push(comment.trim());
            continue;
        }
        let documentation = std::mem::take(&mut pending).join(" ");
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            found.push((format!("[{name}"), documentation));
        } else if let Some((key, _)) = line.split_once(" = ") {
            let path = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            found.push((path, documentation));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_section_has_its_comment() {
        let known = Known::embedded().unwrap();
        assert!(known.keys.len() > 20);
        for key in &known.keys {
            assert!(key.documentation.len() > 15, "{} has no comment", key.path);
        }
        for section in known.sections.iter().skip(1) {
            assert!(!section.documentation.is_empty(), "[{}] has no comment", section.path);
            assert!(known.is_section(&section.path));
        }
    }

    #[test]
    fn near_misses_are_recognized() {
        let known = Known::embedded().unwrap();
        let nearest = |path: &str| known.nearest(path).map(|key| key.path.clone());
        assert_eq!(nearest("databse.url").as_deref(), Some("database.url"));
        assert_eq!(nearest("database.sychronous").as_deref(), Some("database.synchronous"));
        assert_eq!(nearest("master_key_file").as_deref(), Some("keys.master_key_file"));
        assert_eq!(nearest("lisen").as_deref(), Some("listen"));
        assert_eq!(nearest("zzz.qqqqqqq"), None);
    }
}
