//! Tests of the first door's rules through their public functions.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do; clippy.toml lets only the test functions themselves"
)]

mod attempt;
mod claims;
mod dialog;
mod keys;
mod schedule;
mod sign;
mod signature;
mod tenant_json;
