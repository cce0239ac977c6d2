//! What an outside system says of its limits: `[api] retry`, else the headers that RFC 9110 and custom have.

use super::answer::{text_at, token_error};
use crate::connector::definition::Definition;
use crate::dialog::Failure;
use kernel::Time;
use serde_json::Value;

/// A wait beyond a day is taken for a day.
const LONGEST_WAIT_S: i64 = 86_400;

/// What an answer's headers say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// Seconds to wait before the next call.
    pub after_s: Option<i64>,
    /// Calls that are left.
    pub remaining: Option<i64>,
    /// Seconds until there are more.
    pub reset_s: Option<i64>,
}

impl Rate {
    /// `header` gives a header's value by its name, whatever the case.
    pub fn of<'h>(definition: &Definition, header: impl Fn(&str) -> Option<&'h str>, now: Time) -> Self {
        let rules = definition.api.as_ref().map(|api| &api.retry);
        let named = |name: Option<&String>, usual: &[&str]| match name {
            Some(name) => header(name),
            None => usual.iter().find_map(|name| header(name)),
        };
        let after = named(rules.and_then(|rules| rules.after.as_ref()), &["retry-after"]);
        let remaining = named(
            rules.and_then(|rules| rules.remaining.as_ref()),
            &["x-ratelimit-remaining", "ratelimit-remaining"],
        );
        let reset =
            named(rules.and_then(|rules| rules.reset.as_ref()), &["x-ratelimit-reset", "ratelimit-reset"]);
        Self {
            after_s: after.and_then(|text| wait_of(text, now)),
            remaining: remaining.and_then(number).map(|left| left.max(0)),
            reset_s: reset.and_then(|text| wait_of(text, now)),
        }
    }

    /// How long the caller shall wait, in seconds, where the system says so.
    pub fn wait_s(self) -> Option<i64> {
        self.after_s.or(if self.remaining == Some(0) { self.reset_s } else { None })
    }

    /// Whether this answer says "too many": 429, and 403 where nothing is left (GitHub) or a wait is named.
    pub fn is_refusal(self, status: u16) -> bool {
        status == 429 || status == 403 && (self.remaining == Some(0) || self.after_s.is_some())
    }
}

/// What an answer says inside its body although its status is a good one: `[api] retry.in_body`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    TooMany,
    /// The token has ended.
    TokenEnded,
}

pub fn said_inside(definition: &Definition, document: &Value) -> Option<Inside> {
    let pointer = definition.api.as_ref()?.retry.in_body.as_ref()?;
    let code = text_at(document, pointer)?.to_ascii_lowercase();
    match code.as_str() {
        "token_expired" | "expired_token" | "invalid_token" => Some(Inside::TokenEnded),
        code if token_error(code) == Failure::Capped => Some(Inside::TooMany),
        _ => None,
    }
}

/// How long an answer asks to be left alone, in seconds: `Retry-After` of a 429 or 503 (RFC 9110, section 10.2.3).
pub fn rest_s(status: u16, retry_after: Option<&str>, now: Time) -> Option<i64> {
    retry_after.filter(|_| matches!(status, 429 | 503)).and_then(|text| wait_of(text, now))
}

/// Seconds, a moment in seconds or milliseconds since 1970, or an HTTP date.
fn wait_of(text: &str, now: Time) -> Option<i64> {
    let seconds = match number(text) {
        Some(number) if number >= 1_000_000_000_000 => number / 1000 - now.seconds(),
        Some(number) if number >= 1_000_000_000 => number - now.seconds(),
        Some(number) => number,
        None => {
            let parser = jiff::fmt::rfc2822::DateTimeParser::new();
            let at = parser.parse_timestamp(text.trim()).ok()?;
            at.as_second() - now.seconds()
        }
    };
    Some(seconds.clamp(0, LONGEST_WAIT_S))
}

/// A whole number; a fraction counts as the next one.
fn number(text: &str) -> Option<i64> {
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite())?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float outside the range saturates, which is what is wanted"
    )]
    let whole = number.ceil() as i64;
    Some(whole)
}
