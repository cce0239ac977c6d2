//! When a message that was not taken is tried again.

use kernel::{Chance, Time};

/// A message is tried for so long, in seconds (contract `runs.md`: 24 h).
pub const TRIED_FOR_S: i64 = 24 * 3600;

/// Seconds after the first failure, the second and so on; after those of the table always the last one.
const STEPS: [i64; 9] = [5, 30, 2 * 60, 10 * 60, 30 * 60, 3600, 2 * 3600, 4 * 3600, 4 * 3600];
/// Each pause is this share longer or shorter by chance, so that what failed together does not come back together.
const JITTER_PERCENT: i64 = 20;

/// The next try after `failures` failures in a row, the first of which is 1; `None` where the day since `begun` is
/// over. The last try is made when it ends. `not_before` is what the endpoint asked for.
pub fn next_try(
    failures: u32,
    begun: Time,
    now: Time,
    not_before: Option<Time>,
    chance: &dyn Chance,
) -> Option<Time> {
    let end = begun.plus_seconds(TRIED_FOR_S);
    if now >= end {
        return None;
    }
    let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let pause = STEPS.get(place).or(STEPS.last()).copied().unwrap_or_default();
    let at = Time::from_micros(now.micros().saturating_add(jittered(pause, chance)));
    Some(at.max(not_before.unwrap_or(at)).min(end))
}

/// Microseconds, spread evenly over the share on both sides.
fn jittered(seconds: i64, chance: &dyn Chance) -> i64 {
    let draw = i64::from(u16::from_be_bytes(chance.bytes::<2>()));
    let micros = seconds.saturating_mul(1_000_000);
    let width = micros / 100 * JITTER_PERCENT;
    micros - width + 2 * width * draw / i64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededChance;
    use proptest::prelude::*;

    #[test]
    fn a_day_of_failures() {
        let (begun, chance) = (Time::from_seconds(1_000_000), SeededChance::new(5));
        let (mut now, mut tries) = (begun, 1);
        while let Some(next) = next_try(tries, begun, now, None, &chance) {
            assert!(next > now);
            now = next;
            tries += 1;
        }
        assert_eq!(now, begun.plus_seconds(TRIED_FOR_S), "the last try is at the end of the day");
        assert!((11..=16).contains(&tries), "{tries}");
    }

    #[test]
    fn what_waited_longer_than_its_day_is_tried_once() {
        let begun = Time::from_seconds(0);
        let late = begun.plus_seconds(TRIED_FOR_S + 5);
        assert_eq!(next_try(1, begun, late, None, &SeededChance::new(1)), None);
    }

    proptest! {
        #[test]
        fn a_pause_is_near_its_step_and_never_past_the_day(
            failures in 1u32..40, passed in 0i64..TRIED_FOR_S, asked in 0i64..200_000, seed: u64,
        ) {
            let (begun, chance) = (Time::from_seconds(77), SeededChance::new(seed));
            let now = begun.plus_seconds(passed);
            let end = begun.plus_seconds(TRIED_FOR_S);
            let free = next_try(failures, begun, now, None, &chance).unwrap();
            let step = STEPS[(failures as usize - 1).min(STEPS.len() - 1)];
            prop_assert!(free == end || (free.seconds_since(now) >= step * 79 / 100 && free.seconds_since(now) <= step * 121 / 100));
            let rest = now.plus_seconds(asked);
            let obeyed = next_try(failures, begun, now, Some(rest), &chance).unwrap();
            prop_assert!(obeyed >= rest.min(end) && obeyed <= end);
        }
    }
}
