//! How many messages are on their way to one endpoint at a time.
//!
//! An endpoint gets as many slots as it has shown to be quick, much as TCP finds out what a line carries: so that one
//! that answers slowly, or not at all, cannot hold all of them while others wait.

/// What an endpoint begins with.
const FIRST: usize = 4;
/// What even the slowest one has.
const LEAST: usize = 2;
/// Milliseconds; an answer that takes longer is slow.
const QUICK_MS: u128 = 1_000;
/// Seconds that a message which finds no place waits at most.
const LONGEST_WAIT_S: usize = 60;

/// The window of one endpoint in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    allowed: usize,
    in_flight: usize,
    /// Messages that were sent away and have not come back.
    waiting: usize,
    slow: bool,
}

impl Default for Window {
    fn default() -> Self {
        Self { allowed: FIRST, in_flight: 0, waiting: 0, slow: false }
    }
}

impl Window {
    /// Takes a place, if there is one.
    pub fn enter(&mut self) -> bool {
        let free = self.in_flight < self.allowed;
        if free {
            self.in_flight += 1;
            self.waiting = self.waiting.saturating_sub(1);
        }
        free
    }

    /// Gives it back. `most` is what any endpoint may have.
    pub fn leave(&mut self, took_ms: u128, taken: bool, most: usize) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.slow = took_ms > QUICK_MS;
        self.allowed = if !taken || self.slow {
            (self.allowed / 2).max(LEAST)
        } else {
            (self.allowed + 1).min(most.max(LEAST))
        };
    }

    /// Whether a place may become free in a moment, so that it pays to wait for it.
    pub const fn is_quick(&self) -> bool {
        !self.slow
    }

    /// How long a message that found no place stays away, in seconds: those that come back are spread over the time
    /// that the endpoint needs for them.
    pub fn stay_away_s(&mut self) -> i64 {
        self.waiting = self.waiting.saturating_add(1);
        let seconds = (self.waiting / self.allowed.max(1) + 1).min(LONGEST_WAIT_S);
        i64::try_from(seconds).unwrap_or(1)
    }

    /// Whether nothing is known of it that a new one would not have.
    pub const fn is_idle(&self) -> bool {
        self.in_flight == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_endpoint_gets_more_and_a_slow_one_less() {
        let mut window = Window::default();
        for _ in 0..200 {
            assert!(window.enter());
            window.leave(20, true, 48);
        }
        let full = (0..100).filter(|_| window.enter()).count();
        assert_eq!(full, 48);
        for _ in 0..full {
            window.leave(15_000, false, 48);
        }
        assert!(!window.is_quick());
        assert_eq!((0..100).filter(|_| window.enter()).count(), LEAST);
    }

    #[test]
    fn those_without_a_place_come_back_one_after_the_other() {
        let mut window = Window::default();
        let waits: Vec<i64> = (0..1_000).map(|_| window.stay_away_s()).collect();
        assert_eq!(waits.first(), Some(&1));
        assert!(waits.is_sorted());
        assert_eq!(waits.last(), Some(&60));
    }
}
