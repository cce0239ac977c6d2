//! Secret values taken out of what a program prints, before it is kept or shown anywhere.
//!
//! Decision: every value is looked for as it is, and as programs usually print it: in JSON, percent-encoded, in base64
//! (also inside a longer one, as in a Basic header), and line by line. Attack: a program logs the request it sent, and
//! whoever may read the log has the credential. Trade: a value that is turned into something else, as its SHA-256 or
//! its reverse, is not found; and values under [`SHORTEST`] characters are left alone, because they would mask half of
//! every log and protect nothing.

use aho_corasick::{AhoCorasick, MatchKind};
use std::collections::BTreeSet;
use std::sync::Arc;

mod forms;

/// Characters that a value must have to be masked.
pub const SHORTEST: usize = 4;

/// What stands in the place of a secret value.
pub const MASK: &[u8] = b"***";

/// The values of one run, ready to be looked for. Cheap to clone.
#[derive(Clone, Default)]
pub struct Mask {
    /// `None` where nothing is looked for.
    automaton: Option<Arc<AhoCorasick>>,
    /// All that is looked for, sorted.
    forms: Arc<Vec<Vec<u8>>>,
    longest: usize,
    /// Values of gigabytes, which no automaton can hold: then nothing is shown at all.
    everything: bool,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").field("forms", &self.forms.len()).finish_non_exhaustive()
    }
}

impl Mask {
    pub fn new<'value>(values: impl IntoIterator<Item = &'value str>) -> Self {
        let forms: BTreeSet<Vec<u8>> = values.into_iter().flat_map(forms::of).collect();
        if forms.is_empty() {
            return Self::default();
        }
        let forms: Vec<Vec<u8>> = forms.into_iter().collect();
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        let built = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&forms);
        let everything = built.is_err();
        Self { automaton: built.ok().map(Arc::new), forms: Arc::new(forms), longest, everything }
    }

    /// All of `text` at once.
    pub fn whole(&self, text: &[u8]) -> Vec<u8> {
        let mut masker = self.masker();
        let mut masked = masker.push(text);
        masked.extend(masker.finish());
        masked
    }

    /// For text that comes in pieces.
    pub fn masker(&self) -> Masker {
        Masker { mask: self.clone(), held: Vec::new(), covered: 0 }
    }

    /// Where the last bytes of `text` begin that may be the beginning of a secret value.
    fn doubtful(&self, text: &[u8]) -> usize {
        let first = text.len().saturating_sub(self.longest.saturating_sub(1));
        (first..text.len())
            .find(|start| text.get(*start..).is_some_and(|end| self.begins(end)))
            .unwrap_or(text.len())
    }

    /// Whether a form begins with `text` and goes on. Forms that do stand right behind it in their order.
    fn begins(&self, text: &[u8]) -> bool {
        let behind = self.forms.partition_point(|form| form.as_slice() <= text);
        self.forms.get(behind).is_some_and(|form| form.starts_with(text))
    }
}

/// Masks text that comes in pieces, wherever the cuts are. What cannot be the beginning of a secret value is passed on
/// at once, so that a line appears when it was written.
#[derive(Default)]
pub struct Masker {
    mask: Mask,
    held: Vec<u8>,
    /// So many bytes of `held` belong to a value whose mask was written already.
    covered: usize,
}

impl std::fmt::Debug for Masker {
    /// What is held back may be the beginning of a secret value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masker").field("mask", &self.mask).finish_non_exhaustive()
    }
}

impl Masker {
    /// [`Mask::new`] and [`Mask::masker`] in one.
    pub fn new<'value>(values: impl IntoIterator<Item = &'value str>) -> Self {
        Mask::new(values).masker()
    }

    /// What of all text until now can be shown and was not yet.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.mask.everything {
            return Vec::new();
        }
        self.held.extend_from_slice(piece);
        let end = self.mask.doubtful(&self.held);
        self.pass(end)
    }

    /// The rest.
    pub fn finish(mut self) -> Vec<u8> {
        if self.mask.everything {
            return MASK.to_vec();
        }
        self.pass(self.held.len())
    }

    /// Passes on what is before `end`. Every value that has a byte before it ends within `held`: one that went on
    /// behind it would have made `end` its beginning.
    fn pass(&mut self, end: usize) -> Vec<u8> {
        let mut shown = Vec::with_capacity(end);
        let mut at = self.covered;
        let mut reach = self.covered;
        for (from, to) in self.secrets() {
            if from >= end {
                break;
            }
            if from >= reach {
                shown.extend_from_slice(self.held.get(at..from).unwrap_or_default());
                shown.extend_from_slice(MASK);
            }
            reach = reach.max(to);
            at = reach;
        }
        shown.extend_from_slice(self.held.get(at..end).unwrap_or_default());
        self.held.drain(..end);
        self.covered = reach.saturating_sub(end);
        shown
    }

    /// Where values are, merged where they overlap, in order.
    fn secrets(&self) -> Vec<(usize, usize)> {
        let Some(automaton) = &self.mask.automaton else { return Vec::new() };
        let found = automaton.find_overlapping_iter(&self.held);
        let mut all: Vec<(usize, usize)> = found.map(|found| (found.start(), found.end())).collect();
        all.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for (from, to) in all {
            match merged.last_mut() {
                Some((_, end)) if from < *end => *end = (*end).max(to),
                _ => merged.push((from, to)),
            }
        }
        merged
    }
}

#[cfg(test)]
#[path = "mask_tests.rs"]
mod tests;
