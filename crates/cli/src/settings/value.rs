//! Values as settings have them, and where they stand in a file.

use toml::de::{DeTable, DeValue};

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Flag,
    List,
}

impl Kind {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Number => "a whole number",
            Self::Flag => "true or false",
            Self::List => "a list of texts",
        }
    }
}

/// A value of any source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
    /// Of a type that no setting has; the TOML name of that type.
    Other(&'static str),
}

impl Value {
    pub(super) const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Text(_) => Some(Kind::Text),
            Self::Number(_) => Some(Kind::Number),
            Self::Flag(_) => Some(Kind::Flag),
            Self::List(_) => Some(Kind::List),
            Self::Other(_) => None,
        }
    }

    /// What a person calls the value that stands in the place of another.
    pub(super) const fn kind_text(&self) -> &'static str {
        match self {
            Self::Other(name) => name,
            _ => match self.kind() {
                Some(kind) => kind.text(),
                None => "something else",
            },
        }
    }

    /// As it would stand in a file.
    pub fn toml(&self) -> String {
        let quoted = |text: &String| toml::Value::String(text.clone()).to_string();
        match self {
            Self::Text(text) => quoted(text),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(items) => format!("[{}]", items.iter().map(quoted).collect::<Vec<_>>().join(", ")),
            Self::Other(name) => (*name).to_owned(),
        }
    }

    /// Reads a variable's or flag's text as the kind that the key has. A list is `a, b` or `["a", "b"]`.
    pub(super) fn from_text(kind: Kind, text: &str) -> Option<Self> {
        let trimmed = text.trim();
        match kind {
            Kind::Text => Some(Self::Text(text.to_owned())),
            Kind::Number => trimmed.parse().ok().map(Self::Number),
            Kind::Flag => trimmed.parse().ok().map(Self::Flag),
            Kind::List if trimmed.starts_with('[') => match read(DeValue::parse(trimmed).ok()?.get_ref()) {
                Some(list @ Self::List(_)) => Some(list),
                _ => None,
            },
            Kind::List => {
                let items = trimmed.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(Self::List(items.map(str::to_owned).collect()))
            }
        }
    }
}

/// A key of a file with its value. A table that holds nothing is a leaf without a value.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) path: String,
    pub(super) value: Option<Value>,
    /// From 1.
    pub(super) line: usize,
}

/// Every key of a TOML text. The error is a line and what is wrong there.
pub(super) fn leaves(text: &str) -> Result<Vec<Leaf>, (usize, String)> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        // The message of the parser can quote the text of the line, which may be a secret's.
        (line, format!("this is not TOML: {}", error.message().lines().next().unwrap_or("")))
    })?;
    let mut found = Vec::new();
    collect(text, "", document.get_ref(), &mut found);
    found.sort_by_key(|leaf| leaf.line);
    Ok(found)
}

fn collect(text: &str, prefix: &str, table: &DeTable<'_>, into: &mut Vec<Leaf>) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
        match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => collect(text, &path, inner, into),
            other => into.push(Leaf { path, value: read(other), line: line_of(text, key.span().start) }),
        }
    }
}

fn read(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::Table(_) => return None,
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Other("a number that is too large"),
        },
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>().map_or(Value::Other("a list of other things"), Value::List)
        }
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_what_the_key_needs() {
        let list = |items: &[&str]| Some(Value::List(items.iter().map(|item| (*item).to_owned()).collect()));
        assert_eq!(Value::from_text(Kind::Number, " 12 "), Some(Value::Number(12)));
        assert_eq!(Value::from_text(Kind::Number, "12s"), None);
        assert_eq!(Value::from_text(Kind::Flag, "yes"), None);
        assert_eq!(Value::from_text(Kind::List, "a, b,"), list(&["a", "b"]));
        assert_eq!(Value::from_text(Kind::List, r#"["a, b", "c"]"#), list(&["a, b", "c"]));
        assert_eq!(Value::from_text(Kind::List, "[1]"), None);
        assert_eq!(Value::from_text(Kind::List, ""), list(&[]));
        assert_eq!(Value::from_text(Kind::Text, " x "), Some(Value::Text(" x ".to_owned())));
    }

    #[test]
    fn leaves_know_their_lines() {
        let found = leaves("a = 1\n\n[b.c]\nd = [\"x\"]\n[e]\n").unwrap();
        let shown = found.iter().map(|leaf| (leaf.path.as_str(), leaf.line)).collect::<Vec<_>>();
        assert_eq!(shown, [("a", 1), ("b.c.d", 4), ("e", 5)]);
        assert_eq!(leaves("a = 1\nb = = 2\n").unwrap_err().0, 2);
    }
}
