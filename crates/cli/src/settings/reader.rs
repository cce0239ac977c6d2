//! From texts and numbers to types, with messages that say where the value stands and what was expected.

use super::layers::{Layers, Placed, Source};
use super::value::Value;
use kernel::SecretText;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// Reads each key once and gathers what is wrong.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    layers: Layers<'a>,
    pub(super) read: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: Layers<'a>) -> Self {
        Self { layers, read: BTreeSet::new() }
    }

    pub(super) fn into_layers(self) -> Layers<'a> {
        self.layers
    }

    fn placed(&mut self, key: &str) -> Option<Placed> {
        self.read.insert(key.to_owned());
        self.layers.values.get(key).cloned()
    }

    pub(super) fn source(&self, key: &str) -> Option<Source> {
        self.layers.values.get(key).map(|placed| placed.source.clone())
    }

    pub(super) fn refuse(&mut self, key: &str, text: impl Display) {
        if let Some(source) = self.source(key) {
            self.layers.problem(&source, format!("`{key}`: {text}"));
        }
    }

    /// A text as `parse` understands it; its error must not repeat secrets.
    pub(super) fn text<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Value::Text(text) = self.placed(key)?.value else { return None };
        parse(text.trim()).map_err(|error| self.refuse(key, error)).ok()
    }

    /// A text that may be empty, which means "not set". `Some(None)` is the good answer for that.
    pub(super) fn optional<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        self.text(key, |text| if text.is_empty() { Ok(None) } else { parse(text).map(Some) })
    }

    pub(super) fn list<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&[String]) -> Result<T, E>,
    ) -> Option<T> {
        let Value::List(items) = self.placed(key)?.value else { return None };
        parse(&items).map_err(|error| self.refuse(key, error)).ok()
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let Value::Flag(flag) = self.placed(key)?.value else { return None };
        Some(flag)
    }

    pub(super) fn number(&mut self, key: &str, within: RangeInclusive<u32>) -> Option<u32> {
        let Value::Number(number) = self.placed(key)?.value else { return None };
        let fits = u32::try_from(number).ok().filter(|number| within.contains(number));
        if fits.is_none() {
            self.refuse(key, format!("must be from {} to {}, not {number}", within.start(), within.end()));
        }
        fits
    }
}

/// Any text, not to be shown.
pub(super) fn secret(text: &str) -> Result<SecretText, std::convert::Infallible> {
    Ok(SecretText::new(text))
}
