//! The second door: a partner's signed-in user enters an app without another sign-in.
//!
//! The app, a plain OpenID Connect client, sends the browser here; the gateway sends it to the partner's
//! session-transfer endpoint; the partner's backend asks for an entry URL with a service account; the browser
//! comes back with a single-use code, and users and associations are made just in time. Like `connect`, this
//! room holds decisions only: no async, no SQL, no HTTP, no clock. The source is the contract `enter.md`.
//!
//! Where to begin: [`context`] says what an entry is for, [`entry`] takes it from the partner's call to the app's
//! door, [`session`] is what the browser keeps of it, and [`oidc`] is what the app sees of it ([`older`] for apps of the
//! older kind). [`sso`] has the partners' API with its messages, [`service_account`] how partners prove themselves,
//! [`signing`] the gateway's own keys, [`notice`] who hears of a session's end.

pub mod account;
pub mod app;
pub mod context;
pub mod domain;
pub mod entry;
pub mod ids;
mod members;
pub mod notice;
pub mod oidc;
pub mod older;
pub mod partner;
pub mod percent;
pub mod service_account;
pub mod session;
pub mod signing;
pub mod sso;
