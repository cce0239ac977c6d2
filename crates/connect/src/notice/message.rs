//! A message: one event for one endpoint, and what becomes of it.

use super::answer::Heard;
use super::back_off::next_try;
use kernel::ids::{EndpointId, EventId, MessageId};
use kernel::{Chance, Time};
use std::fmt;

/// How long an endpoint has to answer, in seconds (Standard Webhooks: 15 to 30).
pub const WITHIN_S: u64 = 15;

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is delivered when its time comes.
    Waiting,
    Delivered,
    /// It was not taken for a day, or its endpoint takes none any more; it can be replayed.
    Dead,
}

impl State {
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::Dead];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A message as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What `webhook-id` says, the same at each try.
    pub id: MessageId,
    pub endpoint: EndpointId,
    pub event: EventId,
    /// The lane of an ordered endpoint.
    pub lane: Option<String>,
    pub state: State,
    /// When it came into its state.
    pub since: Time,
    /// When the day of tries began: when it was written, or replayed.
    pub begun: Time,
    /// Failures since then.
    pub failures: u32,
    /// Tries of its whole life.
    pub attempts: u32,
    /// When it is tried again, once a try has failed.
    pub next: Option<Time>,
    /// Why the last try failed, or why it is dead.
    pub failure: Option<String>,
}

/// One try, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub message: MessageId,
    /// The first one is 1.
    pub number: u32,
    pub at: Time,
    /// Microseconds until the answer, or until it was given up.
    pub took_us: i64,
    pub status: Option<u16>,
    /// `None` for the one that delivered the message.
    pub failure: Option<String>,
}

/// Where a try stands in the list of all of an endpoint, newest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was made; of a message that was delivered at its first try, when the message was written, to the
    /// millisecond.
    pub at: Time,
    /// Tells it from others of the same moment; `None` stands before all of them.
    pub one: Option<(MessageId, u32)>,
}

impl Place {
    /// Behind everything of that moment.
    pub const fn before(at: Time) -> Self {
        Self { at, one: None }
    }
}

/// `2026-01-31T10:00:00.123456Z,msg_..,1`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", self.at.iso_micros())?;
        match &self.one {
            Some((message, number)) => write!(f, ",{message},{number}"),
            None => Ok(()),
        }
    }
}

/// What follows a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    Delivered,
    /// Tried again then.
    Again(Time),
    Dead,
}

impl Message {
    /// One that is written now and waits for its first try, in no lane.
    pub const fn new(id: MessageId, endpoint: EndpointId, event: EventId, now: Time) -> Self {
        Self {
            id,
            endpoint,
            event,
            lane: None,
            state: State::Waiting,
            since: now,
            begun: now,
            failures: 0,
            attempts: 0,
            next: None,
            failure: None,
        }
    }

    /// What follows from this answer, heard at `now`.
    pub fn after(&self, heard: &Heard, now: Time, chance: &dyn Chance) -> After {
        let not_before = match heard {
            Heard::Taken { .. } => return After::Delivered,
            // Decision: an endpoint that is gone is not asked again for what else it was to hear. Trade: what it missed
            // must be replayed if it said so by mistake.
            Heard::Gone => return After::Dead,
            Heard::Busy { until, .. } => Some(*until),
            Heard::Refused { .. } | Heard::Nothing { .. } => None,
        };
        let failures = self.failures.saturating_add(1);
        next_try(failures, self.begun, now, not_before, chance).map_or(After::Dead, After::Again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededChance;

    fn message(chance: &SeededChance) -> Message {
        let now = Time::from_seconds(1_000);
        Message::new(
            MessageId::new(now, chance),
            EndpointId::new(now, chance),
            EventId::new(now, chance),
            now,
        )
    }

    #[test]
    fn answers_and_what_follows() {
        let chance = SeededChance::new(1);
        let (message, now) = (message(&chance), Time::from_seconds(1_001));
        let after = |heard| message.after(&heard, now, &chance);
        assert_eq!(after(Heard::Taken { status: 202 }), After::Delivered);
        assert_eq!(after(Heard::Gone), After::Dead);
        let After::Again(soon) = after(Heard::Refused { status: 500 }) else { panic!() };
        assert!((3..=6).contains(&soon.seconds_since(now)), "{soon:?}");
        let until = now.plus_seconds(3_600);
        assert_eq!(after(Heard::Busy { status: 429, until }), After::Again(until));
        let a_day_later = message.begun.plus_seconds(24 * 3600);
        let heard = Heard::Nothing { failure: "no".to_owned() };
        assert_eq!(message.after(&heard, a_day_later, &chance), After::Dead);
    }
}
