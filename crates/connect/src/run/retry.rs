//! Whether a run that failed is begun again.

use super::Failure;
use kernel::Chance;

/// Attempts of a run whose failures are ours.
const OURS: i64 = 6;
/// Before the second attempt, in seconds; each pause after that is twice as long.
const FIRST_PAUSE_S: i64 = 5;
/// The longest pause, in seconds.
const LONGEST_PAUSE_S: i64 = 600;

/// An attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    pub why: Failure,
    /// Which one it was: 1 for the first.
    pub number: i64,
    /// How often the release asks that its own failures be tried again.
    pub own_retries: i64,
}

/// In how many seconds it is begun again; `None`: it has failed. Our own failures are tried again with growing pauses,
/// the integration's only where its release asks for it, and what another attempt would not change never is.
pub fn again(attempt: Attempt, chance: &dyn Chance) -> Option<i64> {
    let most = match attempt.why {
        Failure::Platform => OURS,
        Failure::Integration => attempt.own_retries.saturating_add(1),
        Failure::Refresh | Failure::Timeout | Failure::Metadata => 1,
    };
    if attempt.number >= most {
        return None;
    }
    let doublings = u32::try_from(attempt.number.max(1) - 1).unwrap_or(u32::MAX).min(20);
    let pause = FIRST_PAUSE_S.saturating_mul(1 << doublings).min(LONGEST_PAUSE_S);
    // Half of the pause is drawn, so that runs which failed together do not come back together.
    let [byte] = chance.bytes::<1>();
    Some(pause / 2 + (pause - pause / 2) * i64::from(byte) / 255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededChance;
    use proptest::prelude::*;

    #[test]
    fn only_what_another_attempt_may_change() {
        let chance = SeededChance::new(1);
        let at = |why, number, own_retries| again(Attempt { why, number, own_retries }, &chance).is_some();
        assert!(at(Failure::Platform, 1, 0) && at(Failure::Platform, 5, 0));
        assert!(!at(Failure::Platform, 6, 0));
        assert!(!at(Failure::Integration, 1, 0));
        assert!(at(Failure::Integration, 2, 2) && !at(Failure::Integration, 3, 2));
        for why in [Failure::Refresh, Failure::Timeout, Failure::Metadata] {
            assert!(!at(why, 1, 9));
        }
    }

    proptest! {
        #[test]
        fn pauses_grow_and_end(number in 1i64..1_000_000, seed in 0u64..100) {
            let attempt = Attempt { why: Failure::Integration, number, own_retries: i64::MAX };
            let pause = again(attempt, &SeededChance::new(seed)).unwrap();
            prop_assert!((FIRST_PAUSE_S / 2..=LONGEST_PAUSE_S).contains(&pause));
            if number > 8 {
                prop_assert!(pause >= LONGEST_PAUSE_S / 2);
            }
        }
    }
}
