//! What an app is told of a person and an entry: ID token, userinfo, access token (contract `enter.md`, section 5).

mod requested;
mod tokens;

pub use requested::{Claim, Requested};
pub use tokens::{
    ACCESS_TOKEN_LIFETIME_S, ID_TOKEN_LIFETIME_S, Issue, access_token, at_hash, header, id_token, userinfo,
};
