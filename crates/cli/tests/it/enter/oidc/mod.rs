//! OpenID Connect for apps, a folder or file for each specification. Codes are issued as `/oauth2/auth` issues them; how
//! a browser gets there is tested beside.

mod after_a_kill;
mod bearer_rfc6750;
mod client_authentication;
mod cors;
mod discovery;
mod introspection_rfc7662;
mod issuer_keys;
mod lessons;
mod oauth_rfc6749;
mod openid_core;
mod par_rfc9126;
mod pkce_rfc7636;
mod refresh;
mod revocation_rfc7009;
pub(crate) mod scene;
