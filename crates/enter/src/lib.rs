//! The second door: a partner's signed-in user enters an app without another sign-in.
//!
//! The app, a plain OpenID Connect client, sends the browser here; the gateway sends it to the partner's
//! session-transfer endpoint; the partner's backend asks for an entry URL with a service account; the browser
//! comes back with a single-use code, and users and associations are made just in time. Like `connect`, this
//! room holds decisions only: no async, no SQL, no HTTP, no clock. The source is the contract `enter.md`.
//!
//! Nothing here is wired yet: no table, use case or route speaks to these rules. Not here yet: the claims of ID
//! tokens and userinfo, the plan by which the gateway's own signing keys rotate, the browser's session as a record,
//! consent, pushed authorization requests, the messages of `sso.v1`, and the token for apps of the older kind.

pub mod account;
pub mod app;
pub mod context;
pub mod domain;
pub mod entry;
pub mod ids;
pub mod notice;
pub mod oidc;
pub mod older;
pub mod partner;
pub mod percent;
pub mod service_account;
pub mod session;
pub mod signing;
pub mod sso;
