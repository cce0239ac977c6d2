//! Typed ids: one type per kind of thing, so that a tenant's id can never be passed where a run's is meant.
//!
//! Ids of our own are a prefix and a lower-case ULID (`org_01j...`): they sort by time and tell a reader what
//! they name. Integers are used only where the published API has them (contract `connect.md`, section 6).

use crate::{Chance, Time};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{seen}` is not {kind} (expected `{prefix}_` and 26 lower-case letters and digits)")]
pub struct NotAnId {
    seen: String,
    kind: &'static str,
    prefix: &'static str,
}

/// A published integer id is positive and below 2^53, so that JavaScript reads it exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{seen}` is not {kind} (expected a whole number from 1 to 9007199254740991)")]
pub struct NotANumber {
    seen: String,
    kind: &'static str,
}

const LARGEST: i64 = (1 << 53) - 1;

fn ulid_text(prefix: &str, now: Time, chance: &dyn Chance) -> String {
    ulid_text_of(prefix, now, u128::from_be_bytes(chance.bytes::<16>()))
}

fn ulid_text_of(prefix: &str, now: Time, random: u128) -> String {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let mut digits = [0; ulid::ULID_LEN];
    let digits = ulid::Ulid::from_parts(millis, random).array_to_str(&mut digits);
    digits.make_ascii_lowercase();
    let mut text = String::with_capacity(prefix.len() + 1 + digits.len());
    text.push_str(prefix);
    text.push('_');
    text.push_str(digits);
    text
}

/// The beginning of time for what is no ULID: nobody made it.
fn ulid_moment(text: &str) -> Time {
    let millis = ulid::Ulid::from_string(text).map_or(0, |ulid| ulid.timestamp_ms());
    Time::from_micros(i64::try_from(millis).unwrap_or(0).saturating_mul(1_000))
}

/// What makes the smallest id of a moment.
#[derive(Debug)]
struct Zeros;

impl Chance for Zeros {
    fn fill(&self, into: &mut [u8]) {
        into.fill(0);
    }
}

/// What every id has that is a text: how it is read, shown and written. `$name` wraps a `String` and has a `parse`
/// that refuses with `$refused`.
#[macro_export]
macro_rules! id_of_text {
    ($name:ident, $refused:ty) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $refused;
            fn try_from(text: String) -> Result<Self, $refused> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new id, ordered by `now`.
            pub fn new(now: Time, chance: &dyn Chance) -> Self {
                Self(ulid_text($prefix, now, chance))
            }

            /// The smallest id of this moment, for ranges over time: every earlier id is smaller.
            pub fn earliest(at: Time) -> Self {
                Self(ulid_text($prefix, at, &Zeros))
            }

            /// The moment it was made in, cut to milliseconds: what ids are ordered by first.
            pub fn moment(&self) -> Time {
                ulid_moment(self.0.strip_prefix(concat!($prefix, "_")).unwrap_or_default())
            }

            /// Reads an id that was written by [`Self::new`].
            ///
            /// # Errors
            /// [`NotAnId`] where the prefix or the shape is another.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                let fits = text
                    .strip_prefix(concat!($prefix, "_"))
                    .is_some_and(|rest| rest.len() == 26 && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
                if fits {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NotAnId { seen: text.chars().take(60).collect(), kind: $kind, prefix: $prefix })
                }
            }
        }

        $crate::id_of_text!($name, NotAnId);
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// # Errors
            /// [`NotANumber`] outside 1 to 2^53 - 1.
            pub fn new(number: i64) -> Result<Self, NotANumber> {
                if (1..=LARGEST).contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(NotANumber { seen: number.to_string(), kind: $kind })
                }
            }

            /// Reads decimal digits.
            ///
            /// # Errors
            /// [`NotANumber`] for anything else.
            pub fn parse(text: &str) -> Result<Self, NotANumber> {
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                match text.parse::<i64>() {
                    Ok(number) if digits => Self::new(number),
                    _ => Err(NotANumber { seen: text.chars().take(60).collect(), kind: $kind }),
                }
            }

            pub fn number(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl TryFrom<i64> for $name {
            type Error = NotANumber;
            fn try_from(number: i64) -> Result<Self, NotANumber> {
                Self::new(number)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> i64 {
                id.0
            }
        }
    };
}

text_id!(/** An organization. */ OrganizationId, "org", "an organization's id");
text_id!(/** A signing key; what stands in a token's `kid`. */ SigningKeyId, "key", "a signing key's id");
text_id!(/** An API key's name for people; not the key itself. */ ApiKeyId, "apk", "an API key's id");
text_id!(/** One refused request, as the organization's developers read it. */ RefusalId, "ref", "a refusal's id");
text_id!(/** One connection: a tenant's credential for one connector. */ ConnectionId, "con", "a connection's id");
text_id!(/** One webhook address of a tenant. */ WebhookId, "whk", "a webhook's id");
text_id!(/** One delivery that arrived at a webhook address. */ DeliveryId, "dlv", "a delivery's id");
text_id!(/** One attempt to sign in at an outside system. */ AttemptId, "att", "an attempt's id");
text_id!(/** One notice to an app that a session has ended. */ NoticeId, "ntc", "a notice's id");
text_id!(/** One thing to do, in the queue. */ JobId, "job", "a job's id");
text_id!(/** One event that an organization can be told of. */ EventId, "evt", "an event's id");
text_id!(/** Where an organization hears of events. */ EndpointId, "end", "an endpoint's id");
text_id!(/** One event for one endpoint. */ MessageId, "msg", "a message's id");
text_id!(/** One line of the audit log. */ AuditId, "aud", "an audit event's id");
text_id!(/** One request, as the log and the answer's header name it. */ RequestId, "req", "a request's id");

/// Gives ids to requests: a number that no other process has begun with, counted up. They name and open nothing, so
/// nothing is lost where somebody guesses the next one, and each request is spared its own random bytes.
#[derive(Debug)]
pub struct RequestIds {
    first: u128,
    given: AtomicU64,
}

impl RequestIds {
    pub fn new(chance: &dyn Chance) -> Self {
        Self { first: u128::from_be_bytes(chance.bytes::<16>()), given: AtomicU64::new(0) }
    }

    pub fn next(&self, now: Time) -> RequestId {
        let given = self.given.fetch_add(1, Ordering::Relaxed);
        RequestId(ulid_text_of("req", now, self.first.wrapping_add(u128::from(given))))
    }
}

number_id!(/** An integration (published integer). */ IntegrationId, "an integration's id");
number_id!(/** An integration's release (published integer). */ ReleaseId, "a release's id");
number_id!(/** A tenant (published integer). */ TenantId, "a tenant's id");
number_id!(/** A trigger (published integer). */ TriggerId, "a trigger's id");
number_id!(/** A run (published integer). */ RunId, "a run's id");

/// A user: a UUID, because the published tenant shape shows one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserId(uuid::Uuid);

impl UserId {
    pub fn new(chance: &dyn Chance) -> Self {
        Self(uuid::Builder::from_random_bytes(chance.bytes::<16>()).into_uuid())
    }

    /// # Errors
    /// [`NotAnId`] where the text is not a UUID.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        uuid::Uuid::try_parse(text).map(Self).map_err(|_| NotAnId {
            seen: text.chars().take(60).collect(),
            kind: "a user's id (a UUID)",
            prefix: "xxxxxxxx",
        })
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededChance;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let chance = SeededChance::new(1);
        let early = TenantlessId::at(1_000, &chance);
        let late = TenantlessId::at(2_000, &chance);
        assert!(early < late);
        assert_eq!(OrganizationId::parse(early.as_str()), Ok(early.clone()));
        assert!(SigningKeyId::parse(early.as_str()).is_err());
        let bound = OrganizationId::earliest(Time::from_seconds(2_000));
        assert!(early < bound && bound < late);
        let made = OrganizationId::new(Time::from_micros(1_700_000_000_123_456), &SeededChance::new(3));
        assert_eq!(made.moment(), Time::from_micros(1_700_000_000_123_000));
    }

    #[test]
    fn every_request_has_an_id_of_its_own() {
        let (ids, now) = (RequestIds::new(&SeededChance::new(1)), Time::from_seconds(1_000));
        let (first, second) = (ids.next(now), ids.next(now));
        assert!(first != second && first < ids.next(Time::from_seconds(1_001)));
        assert_eq!(RequestId::parse(second.as_str()), Ok(second));
        assert_ne!(RequestIds::new(&SeededChance::new(2)).next(now), first);
    }

    struct TenantlessId;
    impl TenantlessId {
        fn at(seconds: i64, chance: &SeededChance) -> OrganizationId {
            OrganizationId::new(Time::from_seconds(seconds), chance)
        }
    }

    #[test]
    fn a_number_is_positive_and_exact_in_javascript() {
        assert!(TenantId::new(0).is_err());
        assert!(TenantId::new(-1).is_err());
        assert!(TenantId::new(1 << 53).is_err());
        assert_eq!(TenantId::parse("11").map(TenantId::number), Ok(11));
        for bad in ["", "+1", " 1", "1e3", "99999999999999999999", "1' OR 1=1"] {
            assert!(TenantId::parse(bad).is_err(), "{bad}");
        }
    }
}
