//! What an endpoint's answer means.

use jiff::fmt::rfc2822::DateTimeParser;
use kernel::Time;

/// Longer than this nobody is left alone, in seconds: a message is tried for a day.
const LONGEST_REST_S: i64 = 24 * 3600;

/// How an endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// 2xx.
    Taken { status: u16 },
    /// 410: it wants no messages any more.
    Gone,
    /// 429 or 503 with `Retry-After`: it wants to be left alone until then.
    Busy { status: u16, until: Time },
    /// Any other status. Also a redirect: what was signed for one address is not carried to another.
    Refused { status: u16 },
    /// No answer; the text may be shown.
    Nothing { failure: String },
}

impl Heard {
    /// From a status and the `Retry-After` header: seconds, or a date (RFC 9110, section 10.2.3).
    pub fn of(status: u16, retry_after: Option<&str>, now: Time) -> Self {
        match status {
            200..=299 => Self::Taken { status },
            410 => Self::Gone,
            429 | 503 => {
                let until = retry_after.and_then(|text| until(text.trim(), now));
                until.map_or(Self::Refused { status }, |until| Self::Busy { status, until })
            }
            _ => Self::Refused { status },
        }
    }

    pub const fn is_taken(&self) -> bool {
        matches!(self, Self::Taken { .. })
    }

    /// The status, where there was an answer.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Taken { status } | Self::Busy { status, .. } | Self::Refused { status } => Some(*status),
            Self::Gone => Some(410),
            Self::Nothing { .. } => None,
        }
    }

    /// For people; `None` for what was taken.
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Taken { .. } => None,
            Self::Gone => Some("it answered 410: it wants no messages any more".to_owned()),
            Self::Busy { status, until } => {
                Some(format!("it answered {status} and asked to be left alone until {until}"))
            }
            Self::Refused { status: status @ 300..=399 } => {
                Some(format!("it answered {status}; redirects are not followed"))
            }
            Self::Refused { status } => Some(format!("it answered {status}")),
            Self::Nothing { failure } => Some(failure.clone()),
        }
    }
}

fn until(text: &str, now: Time) -> Option<Time> {
    let latest = now.plus_seconds(LONGEST_REST_S);
    let at = if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        now.plus_seconds(text.parse().unwrap_or(LONGEST_REST_S))
    } else {
        let at = DateTimeParser::new().parse_timestamp(text).ok()?;
        Time::from_seconds(at.as_second())
    };
    (at > now).then(|| at.min(latest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_seconds(784_111_777);

    #[test]
    fn every_kind_of_answer() {
        assert_eq!(Heard::of(204, None, NOW), Heard::Taken { status: 204 });
        assert_eq!(Heard::of(410, None, NOW), Heard::Gone);
        for status in [100, 301, 307, 400, 401, 404, 500, 502] {
            assert_eq!(Heard::of(status, Some("60"), NOW), Heard::Refused { status }, "{status}");
        }
        assert!(Heard::of(302, None, NOW).failure().unwrap().contains("redirects"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_a_day() {
        let until = |text| match Heard::of(429, Some(text), NOW) {
            Heard::Busy { until, .. } => Some(until.seconds_since(NOW)),
            _ => None,
        };
        assert_eq!(until("120"), Some(120));
        assert_eq!(until(" 7 "), Some(7));
        // The dates of RFC 9110, section 5.6.7; NOW is one of them.
        assert_eq!(until("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(until("Sun, 06 Nov 1994 08:49:37 GMT"), None, "that is now");
        assert_eq!(until("999999999"), Some(LONGEST_REST_S));
        assert_eq!(until("99999999999999999999999999"), Some(LONGEST_REST_S));
        assert_eq!(until("soon"), None);
        assert_eq!(until("-5"), None);
        assert_eq!(Heard::of(503, None, NOW), Heard::Refused { status: 503 });
    }
}
