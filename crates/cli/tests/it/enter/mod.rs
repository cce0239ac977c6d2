//! The second door over HTTP, on both databases: what partners, apps, people and attackers see of it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first thing that is not as it must be"
)]

mod asking;
mod authorizing;
mod entering;
mod grpc;
mod in_browser;
mod logout;
mod oidc;
mod python_sdk;
mod relying_parties;
mod robot;
mod service_accounts;
mod single_page;
mod sso;
pub(crate) mod visit;
