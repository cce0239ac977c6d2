//! What tests stand on: real servers, a real browser, and programs that other people wrote.
//!
//! Everything here is started by the tests, on a free port of the loopback address, in a temporary folder, under
//! a [`process::Supervised`] guard, so that nothing outlives the test process, not even when that is killed.
//!
//! A tool that is missing or does not start ends the test with a panic that names the command which installs it
//! (`cargo xtask setup`): a test that skips itself is a test that cannot fail.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a test ends at the first thing that is not as it must be"
)]

pub mod browser;
pub mod enter_app;
pub mod enter_partner;
pub mod node;
pub mod postgres;
pub mod process;
pub mod provider;
pub mod python;
pub mod relying_party;
pub mod signers;
pub mod standins;
pub mod surfer;
pub mod world;

use std::path::PathBuf;

/// The folder of this crate in the checkout, where the scripts for Node and Python lie.
pub(crate) fn room() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where `cargo xtask setup` puts the Python environment (and Node, where the machine's own is too old).
pub(crate) fn packages() -> PathBuf {
    room().join("../../target/packages")
}
