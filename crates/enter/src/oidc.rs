//! OpenID Connect for apps (contract `enter.md`, section 5).

pub mod access_check;
pub mod authenticate;
pub mod authorize;
pub mod claims;
mod client;
mod client_assertion;
mod code;
pub mod consent;
mod grant;
mod kinds;
mod logout;
pub mod par;
mod refresh;
pub mod registration;
pub mod revocation;

pub use client::{Authentication, Client, ClientKeys, ClientKind, ClientRefused, Presented, authenticate};
pub use client_assertion::{
    CLIENT_ASSERTION_TYPE, ClientAssertionRefused, ClientProof, judge_client_assertion,
};
pub use code::{AuthorizationCode, CODE_LIFETIME_S, CodeRefused, CodeState, Redemption, pkce_matches};
pub use grant::{Grant, GrantRefused, Standing};
pub use kinds::{Place, TokenKind};
pub use logout::{
    LOGOUT_TOKEN_LIFETIME_S, LogoutAnswer, LogoutHint, LogoutRequest, fan_out, judge_logout, logout_claims,
};
pub use refresh::{FORGIVENESS_S, RefreshState, RefreshToken, RefreshUse, Reuse, Rotation};
