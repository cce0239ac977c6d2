//! Tests of the second door's rules through their public functions.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may fail as tests do; clippy.toml lets only the test functions themselves"
)]

mod addresses;
mod authenticate;
mod claims;
mod context;
mod entry;
mod oidc;
mod older;
mod people;
mod pushed;
mod registration;
mod service_account;
mod session;
mod signing;
mod sso;
mod tokens;
mod vectors;
