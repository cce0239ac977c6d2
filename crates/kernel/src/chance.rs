//! Every random byte of the program comes through [`Chance`].

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

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
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, into: &mut [u8]) {
        if SystemRandom::new().fill(into).is_err() {
            // Decision: without randomness nothing here is safe, so the process ends rather than goes on
            // with predictable secrets. aws-lc reports this only when the kernel's generator is broken.
            std::process::abort();
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
