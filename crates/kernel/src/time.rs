//! Time as the whole program keeps it: microseconds since 1970 in UTC, from one injected clock.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Saturates at the ends of the range: a token may claim any number of seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Whole seconds from `earlier` to `self`; negative where `earlier` is later.
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(1_000_000)
    }

    fn civil(self) -> Option<jiff::civil::DateTime> {
        let stamp = jiff::Timestamp::from_microsecond(self.0).ok()?;
        Some(stamp.to_zoned(jiff::tz::TimeZone::UTC).datetime())
    }

    /// `2024-03-11T18:45:41.532727`: the published API's form, UTC without a zone (contract `connect.md`, 5).
    pub fn iso_micros(self) -> String {
        self.shown(self.0.rem_euclid(1_000_000), 6, "")
    }

    /// `2024-03-15T14:04:02.96Z`: two decimals, as in `<CONNECTOR>_LAST_CHANGE` (contract `connect.md`, 5).
    pub fn iso_centis(self) -> String {
        self.shown(self.0.rem_euclid(1_000_000) / 10_000, 2, "Z")
    }

    /// `2024-03-15T14:04:02Z`, for logs, tables and pages.
    pub fn iso_seconds(self) -> String {
        self.shown(0, 0, "Z")
    }

    fn shown(self, fraction: i64, digits: usize, zone: &str) -> String {
        let Some(at) = self.civil() else { return format!("{}us", self.0) };
        let date = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        );
        if digits == 0 { format!("{date}{zone}") } else { format!("{date}.{fraction:0digits$}{zone}") }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso_seconds())
    }
}

/// Where the present comes from. Rules take a [`Time`]; only edges hold a clock.
pub trait Clock: Send + Sync + fmt::Debug {
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Time(since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// A clock that a test moves by hand.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    pub const fn at(time: Time) -> Self {
        Self(AtomicI64::new(time.0))
    }

    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds.saturating_mul(1_000_000), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_forms() {
        let at = Time::from_micros(1_710_182_741_532_727);
        assert_eq!(at.iso_micros(), "2024-03-11T18:45:41.532727");
        assert_eq!(at.iso_centis(), "2024-03-11T18:45:41.53Z");
        assert_eq!(at.iso_seconds(), "2024-03-11T18:45:41Z");
        assert_eq!(Time::from_seconds(0).iso_micros(), "1970-01-01T00:00:00.000000");
    }

    #[test]
    fn extremes_do_not_panic() {
        assert_eq!(Time::from_seconds(i64::MAX).micros(), i64::MAX);
        assert!(Time::from_seconds(i64::MIN).iso_micros().ends_with("us"));
    }
}
