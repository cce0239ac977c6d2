//! Who asks, and at which of our places: extractors that prove it before a handler does anything.

use crate::Web;
use crate::answer;
use axum::extract::{FromRef, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use kernel::{Origin, Plain};
use percent_encoding::percent_decode_str;
use service::connect::land::Parent;
use service::connect::look_up::Caller;
use service::{Place, Service};

/// The place that the request's `Host` names. A host that is not ours gets 421 (contract `connect.md`, 2).
#[derive(Debug, Clone)]
pub struct Here(pub Place);

impl<S: Send + Sync> FromRequestParts<S> for Here
where
    Web: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let web = Web::from_ref(state);
        let place = place(web.service(), &parts.uri, &parts.headers);
        place.cloned().map(Here).ok_or_else(|| answer::host_unknown(&web, &parts.headers))
    }
}

/// The place that a request names, if it is one of ours.
pub fn place<'s>(service: &'s Service, uri: &Uri, headers: &HeaderMap) -> Option<&'s Place> {
    // HTTP/2 has the host in the request's authority, HTTP/1.1 in `Host`. Two that differ name nobody, because
    // a proxy in front may have believed the other one.
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (uri.authority(), hosts.next(), hosts.next()) {
        (_, Some(_), Some(_)) => None,
        (Some(authority), Some(host), None) => Some(authority.as_str()).filter(|it| *host == **it),
        (None, Some(host), None) => host.to_str().ok(),
        (Some(authority), None, _) => Some(authority.as_str()),
        (None, None, _) => None,
    };
    service.places.by_host(host?)
}

/// The dialog's bearer from the path. Only its hash ever leaves this type.
#[derive(Debug, Clone)]
pub struct Bearer(pub Plain);

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let names = RawPathParams::from_request_parts(parts, state).await.ok();
        let named = |names: &RawPathParams| {
            names.iter().find(|(name, _)| *name == "dialog").map(|(_, text)| text.to_owned())
        };
        Ok(Self(Plain::presented(names.as_ref().and_then(named).unwrap_or_default())))
    }
}

/// A request whose `Origin` is our own: what every change in a dialog needs. Browsers send `Origin` with
/// every POST, also from forms and from frames; a sandboxed frame sends `null` and is refused.
#[derive(Debug, Clone, Copy)]
pub struct OwnOrigin;

impl<S: Send + Sync> FromRequestParts<S> for OwnOrigin
where
    Web: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Here(place) = Here::from_request_parts(parts, state).await?;
        let text = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap_or("(no text)"));
        let ours = match text("origin") {
            // Our pages send no Referer, and with that policy a browser writes `null` for a form that is sent
            // without a script. `Sec-Fetch-Site` still says who asks; no page can forge it, and a sandboxed
            // frame is `cross-site` there.
            None | Some("null") => text("sec-fetch-site") == Some("same-origin"),
            Some(origin) => origin == place.origin().as_str(),
        };
        if ours {
            return Ok(Self);
        }
        Err(answer::origin_forbidden(&Web::from_ref(state), &parts.headers))
    }
}

/// A program with an API key of this environment.
#[derive(Debug, Clone)]
pub struct ApiCaller(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for ApiCaller
where
    Web: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let web = Web::from_ref(state);
        let Here(place) = Here::from_request_parts(parts, state).await?;
        let key = parts.headers.get("x-api-key").and_then(|value| value.to_str().ok());
        let Some(key) = key else { return Err(answer::not_authorized()) };
        match web.service().caller(place.environment, &Plain::presented(key)).await {
            Ok(Some(caller)) => Ok(Self(caller)),
            Ok(None) => Err(answer::not_authorized()),
            Err(fault) => Err(answer::api_fault(&fault)),
        }
    }
}

/// What a browser says of the request itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// `Sec-Fetch-Dest: iframe` (or `frame`): the answer becomes a frame's document.
    pub framed: bool,
    /// `Sec-Fetch-Site: same-origin`: a page of our own asks.
    pub same_origin: bool,
    /// `Sec-Purpose` or `Purpose: prefetch`: nobody looks yet, so nothing may be used up.
    pub prefetch: bool,
    /// Where the Referer says the page stands.
    pub referrer: Parent,
}

impl Fetch {
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let early =
            |value: &str| value.contains("prefetch") || value.contains("prerender") || value == "preview";
        let referrer = match url::Url::parse(text("referer")).map(|url| url.origin().ascii_serialization()) {
            Err(_) => Parent::Unknown,
            Ok(origin) => Origin::parse(&origin).map_or(Parent::Other(origin), Parent::Origin),
        };
        Self {
            framed: matches!(text("sec-fetch-dest"), "iframe" | "frame"),
            same_origin: text("sec-fetch-site") == "same-origin",
            prefetch: early(text("sec-purpose")) || early(text("purpose")) || early(text("x-moz")),
            referrer,
        }
    }
}

/// Whether every name in the path is a text. No name of ours is written otherwise, and each route would have its own
/// words for it.
pub fn is_readable(path: &str) -> bool {
    // Only what is escaped can be no text.
    !path.contains('%') || percent_decode_str(path).decode_utf8().is_ok()
}

/// Whether the caller reads JSON rather than a page.
pub fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}
