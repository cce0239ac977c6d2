//! Pushed authorization requests (RFC 9126): the app sends its request here first, proves itself, and the browser
//! carries only a reference.

use super::authorize::{AuthorizeRefused, ErrorRedirect, LocalRefusal, Parameters, check};
use super::{Client, TokenKind};
use crate::ids::ClientId;
use kernel::{Chance, Hashed, Plain, Time};

/// How long a reference lives, in seconds: the time until a browser follows a redirect.
pub const PUSHED_LIFETIME_S: i64 = 90;

/// What proves the client, and is no part of the request.
const PROOFS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// A pushed request as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedRequest {
    /// Of the whole `request_uri`; unique.
    pub hash: Hashed,
    pub client: ClientId,
    pub parameters: Parameters,
    pub expires: Time,
    pub used: Option<Time>,
}

/// A pushed request, and the reference that the app is answered.
#[derive(Debug)]
pub struct Pushed {
    pub request_uri: Plain,
    pub request: PushedRequest,
}

/// Why a pushed request is refused: error and description of the JSON answer, status 400.
fn refused(error: &'static str, description: &'static str) -> ErrorRedirect {
    ErrorRedirect { error, description }
}

/// Takes a request in, from a client that has proven itself. It is checked as `/oauth2/auth` will check it again, so
/// that the app hears of its mistakes and not its user.
///
/// # Errors
/// What the answer says (RFC 9126, section 2.3).
pub fn push(
    parameters: Parameters,
    client: &Client,
    now: Time,
    chance: &dyn Chance,
) -> Result<Pushed, ErrorRedirect> {
    if parameters.get("request_uri").is_some() {
        return Err(refused("invalid_request", "request_uri cannot be pushed; send plain parameters"));
    }
    if parameters.get("client_id").is_some_and(|named| named != client.id.as_str()) {
        return Err(refused("invalid_request", "client_id differs from the client that proved itself"));
    }
    let parameters = parameters.without(&PROOFS).without(&["client_id"]);
    let mut pairs = parameters.pairs().to_vec();
    pairs.push(("client_id".to_owned(), client.id.as_str().to_owned()));
    let parameters = Parameters::from_stored(pairs);
    check(&parameters, Some(client)).map_err(|why| match why {
        AuthorizeRefused::Redirect { answer, .. } => answer,
        AuthorizeRefused::Local(LocalRefusal::RedirectUri) => refused(
            "invalid_request",
            "redirect_uri is missing or not registered for this app, byte for byte",
        ),
        AuthorizeRefused::Local(LocalRefusal::ClientDisabled) => {
            refused("unauthorized_client", "the app is switched off")
        }
        AuthorizeRefused::Local(_) => refused("invalid_request", "the request cannot be read"),
    })?;
    let prefix = TokenKind::RequestUri.prefix().unwrap_or_default();
    let request_uri = Plain::with_prefix(prefix, chance);
    let request = PushedRequest {
        hash: request_uri.hashed(),
        client: client.id.clone(),
        parameters,
        expires: now.plus_seconds(PUSHED_LIFETIME_S),
        used: None,
    };
    Ok(Pushed { request_uri, request })
}

/// What to look up for an authorize request: the hash of a reference of ours. `None` where the request has none, or one
/// of another form, which [`check`] then refuses.
pub fn reference(parameters: &Parameters) -> Option<Hashed> {
    let uri = parameters.get("request_uri")?;
    (TokenKind::of_opaque(uri) == Some(TokenKind::RequestUri)).then(|| Plain::presented(uri).hashed())
}

impl PushedRequest {
    /// Replaces an authorize request by this one, and uses it up. The store's guarded update makes that single.
    ///
    /// Decision: nothing of the outer request counts but `client_id`, which must be there. A parameter that could be
    /// added in the browser would be one that the app has not pushed.
    ///
    /// # Errors
    /// [`LocalRefusal::RequestUri`]: to whom an answer could go stands in what was refused.
    pub fn replace(self, outer: &Parameters, now: Time) -> Result<(Parameters, Self), LocalRefusal> {
        let own = outer.get("client_id") == Some(self.client.as_str());
        let named = reference(outer).as_ref() == Some(&self.hash);
        if !own || !named || self.used.is_some() || now >= self.expires {
            return Err(LocalRefusal::RequestUri);
        }
        let parameters = self.parameters.clone();
        Ok((parameters, Self { used: Some(now), ..self }))
    }
}
