//! The tenant token: a JWT with which an organization vouches for its user (contract `connect.md`, section 1).
//!
//! A landing goes through four steps, and the types keep their order: [`peek`] takes the text apart without
//! believing any of it, [`candidates()`] chooses keys among the organization's records, [`verify_signature`]
//! turns the payload into [`Verified`] bytes, and only those can be read as [`Claims`].

mod candidates;
mod claims;
mod extra;
mod header;
mod reader;
mod verify;

pub use candidates::candidates;
pub use claims::{AHEAD_MOST_S, AuthOnly, Claims, LIFE_S, REMEMBERED_S, Rules};
pub use extra::{AllowedInstalls, MASKED, Marketplace};
pub use header::{GET_BYTES, POST_BYTES, Peek, peek};
pub use kernel::jose::{JsonRefused, strict_json};
pub use verify::{SharedSecret, Verified, VerifyingKey, verify_signature};

pub(crate) use kernel::jose::shortened;
