//! Reading a definition's TOML with the place of every value, so that each problem names file, line and field.

mod fields;

use super::address::Loopback;
use super::template::Variable;
use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong in a definition, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// `authorize.scope.separator`; empty where the text is no TOML.
    pub field: String,
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, field, text } = self;
        if field.is_empty() {
            write!(f, "{file}:{line}: {text}")
        } else {
            write!(f, "{file}:{line}: {field}: {text}")
        }
    }
}

/// When a template is filled in, which decides what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The default of the input with this index.
    Input(usize),
    Authorize,
    Token,
    Verify,
    /// `[[after]]` with this index.
    Step(usize),
    /// Once the connection is there.
    Later,
}

/// Where a template's text lands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Host,
    Path,
    Query,
    /// The query where the kind puts its credential there.
    SecretQuery,
    Other,
}

/// One template's variables, kept for the check of the whole.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) at: usize,
    pub(super) field: String,
    pub(super) variable: Variable,
    pub(super) phase: Phase,
    pub(super) place: Place,
}

/// A text being read, with what was found so far.
#[derive(Debug)]
pub(super) struct Source<'t> {
    pub(super) file: &'t str,
    pub(super) text: &'t str,
    pub(super) loopback: Loopback,
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) uses: RefCell<Vec<Use>>,
}

impl<'t> Source<'t> {
    pub(super) fn new(file: &'t str, text: &'t str, loopback: Loopback) -> Self {
        Self { file, text, loopback, problems: RefCell::default(), uses: RefCell::default() }
    }

    /// Records a problem at a byte of the text.
    pub(super) fn problem(&self, at: usize, field: impl Into<String>, text: impl Into<String>) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let problem = Problem { file: self.file.to_owned(), line, field: field.into(), text: text.into() };
        self.problems.borrow_mut().push(problem);
    }
}

/// `; did you mean ...?` where a known name is near.
pub(crate) fn nearest<'a>(seen: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let scored = known.into_iter().map(|name| (strsim::damerau_levenshtein(seen, name), name));
    match scored.min_by_key(|(distance, _)| *distance) {
        Some((distance, name)) if distance <= name.len().div_ceil(3).max(1) => {
            format!("; did you mean `{name}`?")
        }
        _ => String::new(),
    }
}

/// A table of the file. Keys that were never asked for are reported when it is dropped.
#[derive(Debug)]
pub(super) struct Section<'s, 't> {
    pub(super) source: &'s Source<'t>,
    pub(super) path: String,
    pub(super) at: usize,
    table: &'s DeTable<'t>,
    known: RefCell<Vec<&'static str>>,
}

impl Drop for Section<'_, '_> {
    fn drop(&mut self) {
        let known = self.known.borrow();
        for key in self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let hint = nearest(key.get_ref(), known.iter().copied());
            let hint = if hint.is_empty() { format!("; known are {}", known.join(", ")) } else { hint };
            self.source.problem(
                key.span().start,
                self.field(key.get_ref()),
                format!("there is no such key here{hint}"),
            );
        }
    }
}

impl<'s, 't> Section<'s, 't> {
    pub(super) fn new(source: &'s Source<'t>, path: String, at: usize, table: &'s DeTable<'t>) -> Self {
        Self { source, path, at, table, known: RefCell::default() }
    }

    pub(super) fn field(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn refuse(&self, at: usize, key: &str, text: impl Into<String>) {
        self.source.problem(at, self.field(key), text);
    }

    pub(super) fn get(&self, key: &'static str) -> Option<&'s Spanned<DeValue<'t>>> {
        self.known.borrow_mut().push(key);
        self.table.iter().find(|(own, _)| own.get_ref() == key).map(|(_, value)| value)
    }

    /// The byte where a key's value stands; the section's where it is absent.
    pub(super) fn place_of(&self, key: &str) -> usize {
        self.table
            .iter()
            .find(|(own, _)| own.get_ref() == key)
            .map_or(self.at, |(_, value)| value.span().start)
    }

    fn wrong_type(&self, value: &Spanned<DeValue<'t>>, key: &str, wanted: &str) {
        let text = format!("must be {wanted}, not {}", value.get_ref().type_str());
        self.refuse(value.span().start, key, text);
    }

    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong_type(value, key, "text in quotes");
                None
            }
        }
    }

    pub(super) fn needed(&self, key: &'static str) -> Option<String> {
        let absent = !self.table.iter().any(|(own, _)| own.get_ref() == key);
        if absent {
            self.refuse(self.at, key, "is needed");
        }
        self.text(key).filter(|text| {
            if text.trim().is_empty() {
                self.refuse(self.place_of(key), key, "must not be empty");
            }
            !text.trim().is_empty()
        })
    }

    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(value, key, "true or false");
        }
        flag
    }

    pub(super) fn number(&self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(key)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|text| i64::from_str_radix(text.as_str(), text.radix()).ok());
        match number {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                let text = format!("must be a whole number from {} to {}", range.start(), range.end());
                self.refuse(value.span().start, key, text);
                None
            }
        }
    }

    /// Texts with their places; one text stands for a list of one.
    pub(super) fn texts_at(&self, key: &'static str) -> Vec<(usize, String)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let items: Vec<&Spanned<DeValue<'t>>> = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => texts.push((item.span().start, text.to_owned())),
                None => self.wrong_type(item, key, "a list of texts"),
            }
        }
        texts
    }

    pub(super) fn texts(&self, key: &'static str) -> Vec<String> {
        self.texts_at(key).into_iter().map(|(_, text)| text).collect()
    }

    pub(super) fn statuses(&self, key: &'static str) -> Vec<u16> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let items =
            value.get_ref().as_array().map(|items| items.iter().collect()).unwrap_or_else(|| vec![value]);
        let mut statuses = Vec::new();
        for item in items {
            let status = item.get_ref().as_integer().and_then(|text| text.as_str().parse::<u16>().ok());
            match status {
                Some(status) if (100..600).contains(&status) => statuses.push(status),
                _ => self.refuse(item.span().start, key, "must be a list of HTTP statuses, as in [200]"),
            }
        }
        statuses
    }

    /// A table of texts, with the place of each value.
    pub(super) fn pairs(&self, key: &'static str) -> Vec<(usize, String, String)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(value, key, "a table, as in { name = \"value\" }");
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in table {
            let label = format!("{key}.{}", name.get_ref());
            match value.get_ref() {
                DeValue::String(text) => {
                    pairs.push((value.span().start, name.get_ref().to_string(), text.to_string()));
                }
                DeValue::Integer(number) => {
                    pairs.push((value.span().start, name.get_ref().to_string(), number.as_str().to_owned()));
                }
                DeValue::Boolean(flag) => {
                    pairs.push((value.span().start, name.get_ref().to_string(), flag.to_string()));
                }
                _ => self.wrong_type(value, &label, "text in quotes"),
            }
        }
        pairs
    }

    pub(super) fn names(&self, key: &'static str) -> Vec<(String, String)> {
        self.pairs(key).into_iter().map(|(_, name, value)| (name, value)).collect()
    }

    pub(super) fn section(&self, key: &'static str) -> Option<Section<'s, 't>> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(Section::new(self.source, self.field(key), value.span().start, table)),
            None => {
                self.wrong_type(value, key, "a table");
                None
            }
        }
    }

    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'s, 't>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(value, key, &format!("written as [[{key}]]"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item.get_ref().as_table() {
                Some(table) => {
                    let path = self.field(&format!("{key}[{index}]"));
                    sections.push(Section::new(self.source, path, item.span().start, table));
                }
                None => self.wrong_type(item, key, "a table"),
            }
        }
        sections
    }

    pub(super) fn one_of<T: Copy>(&self, key: &'static str, names: &[(&str, T)]) -> Option<T> {
        let at = self.place_of(key);
        let text = self.text(key)?;
        let found = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let list: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            let hint = nearest(&text, list.iter().copied());
            self.refuse(at, key, format!("`{text}` is not one of {}{hint}", list.join(", ")));
        }
        found
    }
}
