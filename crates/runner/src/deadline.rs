//! A moment that two processes of one machine understand alike.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A moment of the machine's clock that nobody can set and that goes on while the machine sleeps, in microseconds.
///
/// A lease that ran out while a virtual machine was frozen has run out: a program must not go on as if it had not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Deadline(u64);

impl Deadline {
    /// The moment `span` from now. Take it *before* asking for the lease it stands for, so that it is never later.
    pub fn after(span: Duration) -> Self {
        Self::now().plus(span)
    }

    /// This moment.
    pub fn now() -> Self {
        Self(micros(since_start()))
    }

    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }

    /// How long it is until then; zero where it has passed.
    pub fn left(self) -> Duration {
        self.since(Self::now())
    }

    /// How long it is from `earlier` to this moment; zero where it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(target_os = "linux")]
fn since_start() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
fn since_start() -> Duration {
    use std::sync::OnceLock;
    use tokio::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_passed_leaves_nothing() {
        let now = Deadline::now();
        assert_eq!(now.left(), Duration::ZERO);
        assert!(Deadline::after(Duration::from_secs(60)).left() > Duration::from_secs(59));
        assert_eq!(now.plus(Duration::from_secs(3)).since(now), Duration::from_secs(3));
        assert_eq!(now.since(now.plus(Duration::from_secs(3))), Duration::ZERO);
        assert_eq!(now.plus(Duration::MAX).plus(Duration::MAX), now.plus(Duration::MAX));
    }
}
