//! Calls to other machines, all through one guarded client.
//!
//! Whoever registers a connector, a webhook or a key set's address tells the gateway where to call. [`Client`]
//! is the only way out: it calls public addresses over https, and anything else only where the operator's
//! [`Allow`] list names it. Time, size, headers and redirects are bounded.

pub mod allow;
pub mod call_error;
pub mod client;
pub mod guard;
pub mod jwks;
pub mod opened;
pub mod provider;
pub mod request;

pub use allow::{Allow, AllowRefused};
pub use call_error::{CallError, Malformed, Unreached};
pub use client::{Client, ClientRefused, Limits};
pub use guard::{Looking, Names, Rule, SystemNames};
pub use jwks::{JwksCache, JwksError, PublishedKey};
pub use opened::Opened;
pub use provider::{AfterOutcome, Providers, Revocation, failure_of};
pub use request::{Method, Request, Response};
