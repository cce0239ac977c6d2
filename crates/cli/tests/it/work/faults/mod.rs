//! What goes on goes on, whatever fails: nodes that are killed, a database that is away, a disk that is full, a clock
//! that is set, and secrets that show nowhere.

mod canary;
mod clock;
mod database_away;
mod disk_full;
mod kills;
mod nodes;
mod outside;
mod workshop;

use nodes::Nodes;
use outside::Outside;
use std::time::Duration;
use workshop::Workshop;

/// Numbers that look random and are the same each time: a test that fails can be had again.
struct Dice(u64);

impl Dice {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}

/// Waits for what other processes do, and says what was awaited where it does not come.
async fn eventually<F: Future<Output = Option<String>>>(within: Duration, mut missing: impl FnMut() -> F) {
    let until = tokio::time::Instant::now() + within;
    while let Some(missing) = missing().await {
        assert!(tokio::time::Instant::now() < until, "still missing: {missing}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
