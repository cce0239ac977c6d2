//! How far a run is, in the contract's words.

use kernel::Time;
use std::fmt;

/// Why a run failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The integration's own: it said so, or its exit code was not 0.
    Integration,
    /// A credential could not be had.
    Refresh,
    /// Ours: it could not be started, or this machine lost it.
    Platform,
    Timeout,
    /// What it printed does not fit the release's metadata schema.
    Metadata,
}

impl Failure {
    pub const ALL: [Self; 5] =
        [Self::Integration, Self::Refresh, Self::Platform, Self::Timeout, Self::Metadata];

    /// The published phase.
    pub const fn phase(self) -> &'static str {
        match self {
            Self::Integration => "Failed (Integration Issue)",
            Self::Refresh => "Failed (Refresh)",
            Self::Platform => "Failed (Platform Issue)",
            Self::Timeout => "Failed (Timeout)",
            Self::Metadata => "Failed (Metadata Validation)",
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not begun, or between two attempts.
    Pending,
    Running {
        started: Time,
    },
    Succeeded {
        started: Time,
        completed: Time,
    },
    Failed {
        why: Failure,
        started: Option<Time>,
        completed: Time,
    },
    Cancelled {
        started: Option<Time>,
        completed: Time,
    },
}

/// A step that a run in this phase cannot take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {0} cannot do that")]
pub struct WrongPhase(pub &'static str);

impl Phase {
    /// The published word, which is also what is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running { .. } => "Running",
            Self::Succeeded { .. } => "Succeeded",
            Self::Failed { why, .. } => why.phase(),
            Self::Cancelled { .. } => "Cancelled",
        }
    }

    pub const fn started(self) -> Option<Time> {
        match self {
            Self::Pending => None,
            Self::Running { started } | Self::Succeeded { started, .. } => Some(started),
            Self::Failed { started, .. } | Self::Cancelled { started, .. } => started,
        }
    }

    pub const fn completed(self) -> Option<Time> {
        match self {
            Self::Pending | Self::Running { .. } => None,
            Self::Succeeded { completed, .. }
            | Self::Failed { completed, .. }
            | Self::Cancelled { completed, .. } => Some(completed),
        }
    }

    pub const fn is_open(self) -> bool {
        self.completed().is_none()
    }

    /// What the columns say; `None` where they contradict each other.
    pub fn from_stored(word: &str, started: Option<Time>, completed: Option<Time>) -> Option<Self> {
        match (word, started, completed) {
            ("Pending", None, None) => Some(Self::Pending),
            ("Running", Some(started), None) => Some(Self::Running { started }),
            ("Succeeded", Some(started), Some(completed)) => Some(Self::Succeeded { started, completed }),
            ("Cancelled", started, Some(completed)) => Some(Self::Cancelled { started, completed }),
            (word, started, Some(completed)) => {
                let why = Failure::ALL.into_iter().find(|why| why.phase() == word)?;
                Some(Self::Failed { why, started, completed })
            }
            _ => None,
        }
    }

    /// Begins, or begins again where the node that ran it is lost.
    ///
    /// # Errors
    /// [`WrongPhase`] where it has ended.
    pub const fn start(self, now: Time) -> Result<Self, WrongPhase> {
        if self.is_open() { Ok(Self::Running { started: now }) } else { Err(WrongPhase(self.as_str())) }
    }

    /// Back to waiting, for another attempt.
    ///
    /// # Errors
    /// [`WrongPhase`] where it has ended.
    pub const fn put_off(self) -> Result<Self, WrongPhase> {
        if self.is_open() { Ok(Self::Pending) } else { Err(WrongPhase(self.as_str())) }
    }

    /// # Errors
    /// [`WrongPhase`] where it does not run.
    pub const fn succeed(self, now: Time) -> Result<Self, WrongPhase> {
        match self {
            Self::Running { started } => Ok(Self::Succeeded { started, completed: now }),
            other => Err(WrongPhase(other.as_str())),
        }
    }

    /// # Errors
    /// [`WrongPhase`] where it has ended.
    pub const fn fail(self, why: Failure, now: Time) -> Result<Self, WrongPhase> {
        if self.is_open() {
            Ok(Self::Failed { why, started: self.started(), completed: now })
        } else {
            Err(WrongPhase(self.as_str()))
        }
    }

    /// # Errors
    /// [`WrongPhase`] where it has ended.
    pub const fn cancel(self, now: Time) -> Result<Self, WrongPhase> {
        if self.is_open() {
            Ok(Self::Cancelled { started: self.started(), completed: now })
        } else {
            Err(WrongPhase(self.as_str()))
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: Time = Time::from_seconds(1_700_000_000);

    fn all() -> Vec<Phase> {
        let (started, completed) = (AT, AT.plus_seconds(9));
        let failed = |why| Phase::Failed { why, started: Some(started), completed };
        let mut all = vec![
            Phase::Pending,
            Phase::Running { started },
            Phase::Succeeded { started, completed },
            Phase::Cancelled { started: None, completed },
            Phase::Failed { why: Failure::Platform, started: None, completed },
        ];
        all.extend(Failure::ALL.map(failed));
        all
    }

    #[test]
    fn the_contracts_words_and_no_others() {
        let words: Vec<_> = all().into_iter().map(Phase::as_str).collect();
        assert_eq!(words[..4], ["Pending", "Running", "Succeeded", "Cancelled"]);
        let failures = [
            "Failed (Integration Issue)",
            "Failed (Refresh)",
            "Failed (Platform Issue)",
            "Failed (Timeout)",
            "Failed (Metadata Validation)",
        ];
        assert_eq!(words[5..], failures);
    }

    #[test]
    fn what_is_stored_reads_back() {
        for phase in all() {
            let read = Phase::from_stored(phase.as_str(), phase.started(), phase.completed());
            assert_eq!(read, Some(phase));
        }
        assert_eq!(Phase::from_stored("Succeeded", None, Some(AT)), None);
        assert_eq!(Phase::from_stored("Failed", None, Some(AT)), None);
        assert_eq!(Phase::from_stored("Running", Some(AT), Some(AT)), None);
    }

    proptest! {
        /// Whatever is done to a run, once it has ended it stays as it ended.
        #[test]
        fn an_end_is_an_end(steps in proptest::collection::vec(0u8..5, 0..12)) {
            let (mut phase, mut ended) = (Phase::Pending, None);
            for (index, step) in steps.into_iter().enumerate() {
                let now = AT.plus_seconds(i64::try_from(index).unwrap());
                let next = match step {
                    0 => phase.start(now),
                    1 => phase.put_off(),
                    2 => phase.succeed(now),
                    3 => phase.fail(Failure::Timeout, now),
                    _ => phase.cancel(now),
                };
                phase = next.unwrap_or(phase);
                if let Some(ended) = ended {
                    prop_assert_eq!(phase, ended);
                }
                ended = (!phase.is_open()).then_some(phase);
            }
        }
    }
}
