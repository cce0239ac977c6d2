//! The second door: a partner's signed-in user enters an app.

pub mod access_check;
pub mod app_admin;
pub mod arrive;
pub mod authorize;
pub mod choose;
pub mod client_proof;
pub mod consent;
pub mod end_sessions;
mod enter_session;
pub mod entry_code;
pub mod entry_url;
pub mod gateway_link;
pub mod grant;
pub mod introspect;
pub mod issuer;
pub mod log_out_here;
pub mod oauth;
mod older;
mod options;
pub mod partner_admin;
pub mod partner_api;
pub mod partner_logout;
mod proceed;
pub mod push;
pub mod refuse;
pub(crate) mod remembered;
pub mod reply;
pub mod revoke;
pub mod service_token;
pub mod session;
pub mod tell_apps;
pub mod token;
pub mod transfer_url;
pub mod user_info;
mod visit;

pub use options::Options;
