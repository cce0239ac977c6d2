//! The reference of settings, made from the default file, and the table of the settings in force.

use super::known::Known;
use super::layers::Source;
use super::problem::Refused;
use super::value::Value;
use std::fmt::Write as _;

/// Keys whose value is never shown.
const SECRETS: [&str; 2] = ["keys.master_key", "keys.older_master_keys"];
const MASK: &str = "********";

/// One setting in force, fit to be shown: secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    pub key: String,
    /// As it would stand in a file.
    pub value: String,
    /// `default`, `vestibule.toml:3`, `VESTIBULE_LISTEN`, `--set listen`.
    pub source: String,
}

impl Entry {
    pub(super) fn new(key: &str, value: &Value, source: &Source) -> Self {
        let masked = |text: &String| if text.is_empty() { String::new() } else { MASK.to_owned() };
        let shown = match value {
            Value::Text(text) if SECRETS.contains(&key) => Value::Text(masked(text)),
            Value::List(items) if SECRETS.contains(&key) => Value::List(items.iter().map(masked).collect()),
            Value::Text(text) if key == "database.url" => Value::Text(without_password(text)),
            other => other.clone(),
        };
        Self { key: key.to_owned(), value: shown.toml(), source: source.to_string() }
    }

    /// For a default that another setting dropped.
    pub(super) fn not_set(&mut self) {
        self.value = Value::Text(String::new()).toml();
    }
}

/// A database's URL as it may be shown. One that does not parse is not shown at all.
pub fn without_password(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    let Ok(mut url) = url::Url::parse(text) else { return MASK.to_owned() };
    let in_query = url.query_pairs().any(|(name, _)| name.contains("pass"));
    if in_query || url.password().is_some() && url.set_password(Some(MASK)).is_err() {
        return MASK.to_owned();
    }
    url.to_string()
}

/// The text of `docs/reference/settings.md`.
///
/// # Errors
/// Where the default file itself is wrong, which a test rules out.
pub fn reference() -> Result<String, Refused> {
    let known = Known::embedded()?;
    let mut page = String::from(
        "# Settings\n\n\
         Made from `vestibule.default.toml`; change that file, then run `cargo xtask gen`.\n\n\
         Later sources cover earlier ones: the defaults, the file (`--config`, `VESTIBULE_CONFIG`, or `vestibule.toml` in\n\
         the working folder), environment variables, flags (`--set database.url=sqlite:other.db`). An empty text means\n\
         \"not set\"; lists in variables and flags are separated by commas. `vestibule settings` shows what is in force\n\
         and where it came from.\n",
    );
    for section in &known.sections {
        if !section.path.is_empty() {
            let _ = write!(page, "\n## [{}]\n\n{}\n", section.path, section.documentation);
        }
        let of_section = known.keys.iter().filter(|key| match key.path.rsplit_once('.') {
            Some((parent, _)) => parent == section.path,
            None => section.path.is_empty(),
        });
        for key in of_section {
            let _ = write!(
                page,
                "\n### `{}`\n\n{}\n\nDefault `{}` · variable `{}`\n",
                key.path,
                key.documentation,
                key.default.toml(),
                key.variable()
            );
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked() {
        assert_eq!(without_password("sqlite:vestibule.db"), "sqlite:vestibule.db");
        let shown =
            without_password("postgres://vestibule:hunter2@db.example:5432/vestibule?sslmode=require");
        assert_eq!(shown, "postgres://vestibule:********@db.example:5432/vestibule?sslmode=require");
        assert_eq!(without_password("postgres://db/x?password=hunter2"), MASK);
        assert_eq!(without_password("host=db password=hunter2"), MASK);
    }

    #[test]
    fn the_reference_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/settings.md");
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == reference().unwrap(),
            "run `vestibule docs settings` and write it to docs/reference/settings.md"
        );
    }
}
