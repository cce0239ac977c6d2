//! What a notice job is about: one message, or the lane of an ordered endpoint.

use kernel::ids::{EndpointId, MessageId};
use std::fmt;

/// The subject of a job in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A message of an endpoint that takes its messages in any order.
    Message(MessageId),
    /// `{endpoint}:{tenant}`: everything that an ordered endpoint is still to hear of one tenant, first things first.
    Lane(String),
}

impl Subject {
    pub fn lane(endpoint: &EndpointId, order: &str) -> Self {
        Self::Lane(format!("{endpoint}:{order}"))
    }

    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(message) = MessageId::parse(text) {
            return Some(Self::Message(message));
        }
        let (endpoint, order) = text.split_once(':')?;
        let known = EndpointId::parse(endpoint).is_ok() && !order.is_empty();
        known.then(|| Self::Lane(text.to_owned()))
    }

    /// The lane's name, for a message that is delivered in order.
    pub fn as_lane(&self) -> Option<&str> {
        match self {
            Self::Message(_) => None,
            Self::Lane(name) => Some(name),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(id) => f.write_str(id.as_str()),
            Self::Lane(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{SeededChance, Time};

    #[test]
    fn a_subject_reads_back() {
        let (now, chance) = (Time::from_seconds(1), SeededChance::new(1));
        let message = Subject::Message(MessageId::new(now, &chance));
        let lane = Subject::lane(&EndpointId::new(now, &chance), "11");
        for subject in [message, lane] {
            assert_eq!(Subject::parse(&subject.to_string()), Some(subject));
        }
        for text in ["", "end_1:2", "11", "msg_", "end_00000000000000000000000000:"] {
            assert_eq!(Subject::parse(text), None, "{text}");
        }
    }
}
