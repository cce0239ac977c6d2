//! The words of all pages, one catalogue per language, and which language a person gets.

mod locale;
#[cfg(test)]
mod tests;

pub use locale::{Locale, isolated};

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

type Catalogue = HashMap<String, String>;

static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| catalogue(include_str!("en.toml")));
static GERMAN: LazyLock<Catalogue> = LazyLock::new(|| catalogue(include_str!("de.toml")));
static MIRRORED: LazyLock<Catalogue> =
    LazyLock::new(|| ENGLISH.iter().map(|(key, text)| (key.clone(), locale::mirrored(text))).collect());

/// A catalogue from its file: tables become dots in the key. A file that is no TOML gives an empty one; the
/// tests refuse that.
fn catalogue(file: &str) -> Catalogue {
    let mut flat = Catalogue::new();
    if let Ok(table) = file.parse::<toml::Table>() {
        flatten("", &table, &mut flat);
    }
    flat
}

fn flatten(prefix: &str, table: &toml::Table, into: &mut Catalogue) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, into),
            toml::Value::String(text) => {
                into.insert(key, text.clone());
            }
            _ => {}
        }
    }
}

fn of(locale: Locale) -> &'static Catalogue {
    match locale {
        Locale::English => &ENGLISH,
        Locale::German => &GERMAN,
        Locale::Mirrored => &MIRRORED,
    }
}

/// The words of one page: a language, and what its placeholders stand for.
#[derive(Debug, Clone)]
pub struct Words {
    locale: Locale,
    values: Vec<(&'static str, String)>,
}

impl Words {
    pub const fn new(locale: Locale) -> Self {
        Self { locale, values: Vec::new() }
    }

    /// What `{name}` stands for.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    /// The text of a key with its placeholders filled, as plain text: templates escape it. A key that no
    /// catalogue has comes back as it is; a test walks through all of them.
    pub fn say(&self, key: impl AsRef<str>) -> Cow<'static, str> {
        let key = key.as_ref();
        let Some(text) = of(self.locale).get(key) else { return Cow::Owned(key.to_owned()) };
        if !text.contains('{') {
            return Cow::Borrowed(text);
        }
        let mut said = String::with_capacity(text.len());
        let mut rest = text.as_str();
        // One walk from left to right, so that a value which looks like a placeholder stays what it is.
        while let Some((before, after)) = rest.split_once('{') {
            said.push_str(before);
            let Some((name, after)) = after.split_once('}') else { break };
            if let Some((_, value)) = self.values.iter().find(|(known, _)| *known == name) {
                said.push_str(&isolated(self.locale, value));
            }
            rest = after;
        }
        said.push_str(rest);
        Cow::Owned(said)
    }

    /// `say` for a key of two parts: a table chosen at run time and a name in it.
    pub fn say_in(&self, table: impl AsRef<str>, name: &str) -> Cow<'static, str> {
        self.say(format!("{}.{name}", table.as_ref()))
    }
}
