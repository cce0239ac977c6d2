//! How long to wait before something that failed is tried again.

use kernel::Chance;
use std::time::Duration;

/// After the first try, before the spread.
const FIRST_S: u64 = 5;
/// At most, before the spread.
const LONGEST_S: u64 = 3600;

/// How long to wait after `attempts` tries that failed: 5 s at first, twice as long after each, at most an hour; each
/// a fifth shorter or longer by chance, so that what failed together is not tried together.
pub fn after(attempts: u32, chance: &dyn Chance) -> Duration {
    let doubled = 2_u64.saturating_pow(attempts.saturating_sub(1)).saturating_mul(FIRST_S);
    let [byte] = chance.bytes::<1>();
    Duration::from_secs(doubled.min(LONGEST_S)).mul_f64(0.8 + 0.4 * f64::from(byte) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededChance;

    #[test]
    fn waits_grow_to_an_hour_and_differ() {
        let chance = SeededChance::new(1);
        for (attempts, about) in [(0, 5), (1, 5), (2, 10), (3, 20), (10, 2560), (11, 3600), (u32::MAX, 3600)]
        {
            let waits: Vec<_> = (0..50).map(|_| after(attempts, &chance).as_secs_f64()).collect();
            let about = f64::from(about);
            assert!(
                waits.iter().all(|wait| (about * 0.79..about * 1.21).contains(wait)),
                "{attempts}: {waits:?}"
            );
            assert!(
                waits.iter().any(|wait| *wait < about * 0.95)
                    && waits.iter().any(|wait| *wait > about * 1.05)
            );
        }
    }
}
