//! Logout: by an app's page (RP-initiated), and telling every app of a session (back-channel).

use super::Client;
use crate::ids::{ClientId, PersonId, SessionId};
use kernel::{SafeUrl, Time};
use serde_json::{Value, json};

/// How long a logout token lives, in seconds: it is sent at once, and a retry gets a fresh one.
pub const LOGOUT_TOKEN_LIFETIME_S: i64 = 120;

/// What a proven `id_token_hint` says. Its `exp` does not count (RP-Initiated Logout, section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutHint {
    pub client: ClientId,
    pub person: PersonId,
    pub session: Option<SessionId>,
}

/// The parameters of `/oauth2/logout` that decide something.
#[derive(Debug, Clone, Copy)]
pub struct LogoutRequest<'a> {
    pub hint: Option<&'a LogoutHint>,
    pub client_id: Option<&'a str>,
    pub post_logout_redirect_uri: Option<&'a str>,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutAnswer {
    /// The session ends; the browser goes to the address, or to our own page.
    End { then: Option<String> },
    /// The person is asked first.
    Ask { then: Option<String> },
    /// A page of ours says why; never a redirect.
    Refuse(&'static str),
}

/// Decides an RP-initiated logout. `client` is the one that hint or `client_id` names; `live` the browser's session.
///
/// Decision: without a hint of this very session the person is asked, because any page may send a browser here.
/// An address is used only when it is the client's, byte for byte (lesson 25).
pub fn judge_logout(
    request: &LogoutRequest<'_>,
    client: Option<&Client>,
    live: Option<(&SessionId, &PersonId)>,
) -> LogoutAnswer {
    let named = [request.hint.map(|hint| hint.client.as_str()), request.client_id];
    let one = client.map(|client| client.id.as_str());
    if named.into_iter().flatten().any(|name| Some(name) != one) {
        return LogoutAnswer::Refuse("client_id is unknown or differs from the id_token_hint's");
    }
    let then = match (request.post_logout_redirect_uri, client) {
        (None, _) => None,
        (Some(_), None) => {
            return LogoutAnswer::Refuse("post_logout_redirect_uri needs id_token_hint or client_id");
        }
        (Some(uri), Some(client)) if client.may_return_to(uri) => Some(uri.to_owned()),
        (Some(_), Some(_)) => {
            return LogoutAnswer::Refuse("post_logout_redirect_uri is not registered for this client");
        }
    };
    match (live, request.hint) {
        (None, _) => LogoutAnswer::End { then },
        (Some((session, person)), Some(hint))
            if hint.person == *person && hint.session.as_ref().is_none_or(|named| named == session) =>
        {
            LogoutAnswer::End { then }
        }
        (Some(_), _) => LogoutAnswer::Ask { then },
    }
}

/// A logout token's claims (Back-Channel Logout, section 2.4); never with a `nonce`.
pub fn logout_claims(
    issuer: &str,
    client: &ClientId,
    person: &PersonId,
    session: &SessionId,
    jti: &str,
    now: Time,
) -> Value {
    let issued = now.seconds();
    json!({
        "iss": issuer,
        "sub": person,
        "aud": client,
        "iat": issued,
        "exp": issued.saturating_add(LOGOUT_TOKEN_LIFETIME_S),
        "jti": jti,
        "sid": session,
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    })
}

/// Whom to tell that a session has ended: every client that got tokens in it and can be told, once each.
pub fn fan_out<'a>(clients: &'a [Client], took_part: &[ClientId]) -> Vec<(&'a ClientId, &'a SafeUrl)> {
    let mut told: Vec<(&ClientId, &SafeUrl)> = Vec::new();
    for client in clients.iter().filter(|client| took_part.contains(&client.id)) {
        if let Some(uri) = &client.backchannel_logout_uri
            && told.iter().all(|(id, _)| **id != client.id)
        {
            told.push((&client.id, uri));
        }
    }
    told
}
