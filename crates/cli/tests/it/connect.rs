//! The first door over HTTP, on both databases: what people, programs and attackers see of it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first thing that is not as it must be"
)]

mod access;
mod api;
mod callback;
mod connecting;
mod fixation;
mod hostile;
mod keys;
mod lessons;
mod refusals;
mod replay;
mod webhooks;
