//! The second door: a partner's signed-in user enters an app.

pub mod client_proof;
pub mod end_sessions;
pub mod entry_code;
pub mod entry_url;
pub mod grant;
pub mod issuer;
pub mod oauth;
mod options;
pub mod partner_api;
pub mod partner_logout;
pub mod refuse;
pub mod service_token;
pub mod tell_apps;
pub mod token;
pub mod transfer_url;

pub use options::Options;
