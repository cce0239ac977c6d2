//! A run's log on its way: masked, then kept in parts while the run goes on.

use super::run_end::note_in;
use crate::{Fault, Service};
use ::connect::mask::Masker;
use ::connect::run::Run;
use store::run_logs;

/// What is kept before the next look at the clock, in bytes.
const PART: usize = 32 * 1024;

/// The log of one attempt.
#[derive(Debug)]
pub(super) struct RunLog {
    run: Run,
    masker: Masker,
    /// Masked bytes that are not a whole character yet.
    torn: Vec<u8>,
    /// Masked text that is not kept yet.
    text: String,
}

impl RunLog {
    /// Every value of `secrets` is masked.
    pub(super) fn new(run: &Run, secrets: &[String]) -> Self {
        let masker = Masker::new(secrets.iter().map(String::as_str));
        Self { run: run.clone(), masker, torn: Vec::new(), text: String::new() }
    }

    /// Bytes as they came: a character or a secret may be torn in two.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let masked = self.masker.push(bytes);
        self.torn.extend_from_slice(&masked);
        let whole = whole_characters(&self.torn);
        let rest = self.torn.split_off(whole);
        let bytes = std::mem::replace(&mut self.torn, rest);
        self.text.push_str(&storable(&bytes));
    }

    /// A line of the gateway's own.
    pub(super) fn note(&mut self, text: &str) {
        note_in(&mut self.text, text);
    }

    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= PART
    }

    /// All that is left, for the unit of work that ends the attempt.
    pub(super) fn finish(self) -> String {
        let Self { masker, mut torn, mut text, .. } = self;
        torn.extend_from_slice(&masker.finish());
        text.push_str(&storable(&torn));
        text
    }
}

/// How many of the first bytes are whole characters, or can never become one.
fn whole_characters(bytes: &[u8]) -> usize {
    // At most three bytes wait for their fourth.
    let from = bytes.len().saturating_sub(3);
    let tail = bytes.get(from..).unwrap_or_default();
    let needs = |byte: u8| match byte {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => 0,
    };
    let waits = tail.iter().enumerate().rev().find(|(_, byte)| needs(**byte) > 0);
    match waits {
        Some((at, byte)) if at + needs(*byte) > tail.len() => from + at,
        _ => bytes.len(),
    }
}

/// Text that both databases keep: what is no UTF-8, and NUL, is replaced.
fn storable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}")
}

impl Service {
    /// Keeps what has come so far; `false` where the run is another's by now. What could not be kept comes again.
    pub(super) async fn keep_log(&self, log: &mut RunLog) -> Result<bool, Fault> {
        if log.text.is_empty() {
            return Ok(true);
        }
        let (run, text) = (log.run.clone(), log.text.clone());
        let kept =
            self.db.write(move |tx| Box::pin(async move { run_logs::append(tx, &run, &text).await })).await?;
        log.text.clear();
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_torn_waits_for_its_rest() {
        let text = "aé€😀z".as_bytes();
        for cut in 0..=text.len() {
            let whole = whole_characters(&text[..cut]);
            assert!(std::str::from_utf8(&text[..whole]).is_ok() && cut - whole < 4, "{cut}");
        }
        assert_eq!(whole_characters(b"\xff\xfe"), 2, "what is no character is not waited for");
        assert_eq!(whole_characters(b"z\xe2\x82"), 1, "it may become one still");
        assert_eq!(storable(b"a\x00\xff"), "a\u{fffd}\u{fffd}");
    }
}
