//! Every random byte of the program comes through [`Chance`].

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroize as _;

/// A source of random bytes.
pub trait Chance: Send + Sync + fmt::Debug {
    fn fill(&self, into: &mut [u8]);
}

impl dyn Chance + '_ {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// The operating system's generator.
///
/// Decision: each thread draws many bytes at once and hands them out piece by piece, each once; what was handed out is
/// wiped. Why: to be asked costs the generator the same for few bytes and for many, and a request needs a few five
/// times. Attack: somebody who reads the process's memory sees bytes that are still to come; he also sees the keys.
/// Trade: a machine that is copied while it runs hands the same few out twice, as does the generator itself where the
/// machine does not tell it of the copy.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemChance;

/// Bytes that a thread draws at once. A larger wish is fulfilled by itself.
const DRAWN: usize = 1024;

thread_local! {
    static STOCK: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; DRAWN], left: 0 }) };
}

/// Bytes that nobody was given yet: the first `left`.
struct Stock {
    bytes: [u8; DRAWN],
    left: usize,
}

impl Stock {
    fn hand_out(&mut self, into: &mut [u8]) {
        if self.left < into.len() {
            draw(&mut self.bytes);
            self.left = DRAWN;
        }
        let rest = self.left.saturating_sub(into.len());
        if let Some(given) = self.bytes.get_mut(rest..self.left) {
            into.copy_from_slice(given);
            given.zeroize();
        }
        self.left = rest;
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

fn draw(into: &mut [u8]) {
    if SystemRandom::new().fill(into).is_err() {
        // Decision: without randomness nothing here is safe, so the process ends rather than goes on
        // with predictable secrets. aws-lc reports this only when the kernel's generator is broken.
        std::process::abort();
    }
}

impl Chance for SystemChance {
    fn fill(&self, into: &mut [u8]) {
        let is_small = into.len() <= DRAWN / 4;
        // A thread that is just ending has no stock any more.
        let handed = is_small && STOCK.try_with(|stock| stock.borrow_mut().hand_out(into)).is_ok();
        if !handed {
            draw(into);
        }
    }
}

/// Reproducible bytes for tests: SHA-256 of a seed and a counter. Never for secrets.
#[derive(Debug)]
pub struct SeededChance {
    seed: u64,
    drawn: AtomicU64,
}

impl SeededChance {
    pub const fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }
}

impl Chance for SeededChance {
    fn fill(&self, into: &mut [u8]) {
        for chunk in into.chunks_mut(32) {
            let drawn = self.drawn.fetch_add(1, Ordering::SeqCst);
            let mut material = self.seed.to_be_bytes().to_vec();
            material.extend_from_slice(&drawn.to_be_bytes());
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &material);
            for (to, from) in chunk.iter_mut().zip(digest.as_ref()) {
                *to = *from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nothing_is_handed_out_twice_and_what_was_is_wiped() {
        let chance: &dyn Chance = &SystemChance;
        let seen: HashSet<[u8; 24]> = (0..10 * DRAWN / 24).map(|_| chance.bytes::<24>()).collect();
        assert_eq!(seen.len(), 10 * DRAWN / 24);
        let mut stock = Stock { bytes: [0; DRAWN], left: 0 };
        let mut piece = [0; 100];
        stock.hand_out(&mut piece);
        assert_eq!(stock.left, DRAWN - 100);
        assert!(stock.bytes[stock.left..].iter().all(|byte| *byte == 0) && piece != [0; 100]);
        // What is left of a stock that is too small is not mixed with the next one's.
        let mut large = [0; DRAWN / 4];
        for _ in 0..4 {
            stock.hand_out(&mut large);
        }
        assert_eq!(stock.left, DRAWN - DRAWN / 4);
        assert!(large.iter().any(|byte| *byte != 0));
    }

    #[test]
    fn a_large_wish_is_fulfilled() {
        let mut many = vec![0; 10 * DRAWN];
        SystemChance.fill(&mut many);
        assert!(many.chunks(DRAWN).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }
}
