//! Answers of the endpoints that programs call (RFC 6749, section 5; RFC 6750, section 3), and which pages may read
//! them.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use enter::oidc::Client;
use serde_json::{Value, json};
use service::Fault;
use service::enter::oauth::{OAuthRefused, may_read};

/// What a caller proves with `Basic` or `Bearer`.
const REALM: &str = "vestibule";

/// JSON that nobody keeps.
pub fn fresh_json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    (status, headers, Json(body)).into_response()
}

/// An error of RFC 6749, section 5.2; with a challenge where a client has to prove itself.
pub fn refused(headers: &HeaderMap, refused: &OAuthRefused) -> Response {
    let body = json!({ "error": refused.error, "error_description": refused.description });
    let mut response = fresh_json(refused.status, &body);
    if refused.status == 401 {
        challenge(&mut response, &format!("Basic realm=\"{REALM}\", error=\"{}\"", refused.error));
    }
    readable_for(headers, refused.client.as_deref(), response)
}

/// Our own fault.
pub fn fault(fault: &Fault) -> Response {
    tracing::error!(error = %fault, "a request could not be carried out");
    let text = "the gateway cannot answer just now; try again in a few seconds";
    let body = json!({ "error": "temporarily_unavailable", "error_description": text });
    let mut response = fresh_json(503, &body);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// What is wrong with a bearer token (RFC 6750, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearing {
    /// There is none; nothing is said of errors then.
    Missing,
    /// It came twice, or in two ways.
    Several,
    /// It is worth nothing (any more).
    Invalid,
    /// It does not have this scope.
    Scope(&'static str),
}

/// The answer to it.
pub fn bearing(wrong: Bearing) -> Response {
    let (status, error, text) = match wrong {
        Bearing::Missing => (401, None, "an access token is needed"),
        Bearing::Several => (400, Some("invalid_request"), "send one access token, in one way"),
        Bearing::Invalid => (401, Some("invalid_token"), "the access token is unknown, expired or revoked"),
        Bearing::Scope(_) => (403, Some("insufficient_scope"), "the access token does not have the scope"),
    };
    let mut said = format!("Bearer realm=\"{REALM}\"");
    if let Some(error) = error {
        said.push_str(&format!(", error=\"{error}\", error_description=\"{text}\""));
    }
    if let Bearing::Scope(scope) = wrong {
        said.push_str(&format!(", scope=\"{scope}\""));
    }
    let code = error.unwrap_or("invalid_token");
    let mut response = fresh_json(status, &json!({ "error": code, "error_description": text }));
    challenge(&mut response, &said);
    response
}

fn challenge(response: &mut Response, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
}

/// Lets the pages of `client` read the answer, where the request comes from one of them.
pub fn readable_for(headers: &HeaderMap, client: Option<&Client>, mut response: Response) -> Response {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    let Some(origin) = headers.get(header::ORIGIN) else { return response };
    let theirs = |client: &Client| origin.to_str().is_ok_and(|origin| may_read(client, origin));
    if client.is_some_and(theirs) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let exposed = HeaderValue::from_static("www-authenticate, retry-after");
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

/// Lets every page read the answer: for what is public.
pub fn readable_for_all(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The question that a browser asks before a page's request (CORS, preflight).
///
/// Decision: any origin may ask, because the question names no client; what decides is whether the answer proper can
/// be read ([`readable_for`]), and that only registered origins may. No cookie counts at these endpoints, so that a
/// request which a foreign page can send but not read does nothing that its sender could not do without a browser.
pub async fn preflight(headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let Some(origin) = headers.get(header::ORIGIN) else { return response };
    let said: [(HeaderName, HeaderValue); 5] = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()),
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type")),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
        (header::VARY, HeaderValue::from_static("origin")),
    ];
    response.headers_mut().extend(said);
    response
}
