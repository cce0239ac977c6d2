//! OpenID Connect for apps (contract `enter.md`, section 5): what programs call. One file per endpoint.

pub mod discovery;
pub mod token;
pub mod tokens;
pub mod user_info;
