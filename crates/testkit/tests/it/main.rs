//! The kit tried on itself: one binary, so that its servers are started once.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first thing that is not as it must be"
)]

mod browser;
mod packages;
mod postgres;
mod process;
mod provider;
mod relying_party;
