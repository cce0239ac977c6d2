//! Calls through the gateway: what a program of the organization wants sent becomes a request with the credential, to
//! hosts that the connector declares (contract `connect.md`, section 6; `connectors.md`, `[api]`).

use super::steps::{add_credential, basic_of};
use crate::connector::address::{Loopback, declares, is_public_name};
use crate::connector::definition::{Api, Definition, Method};
use crate::connector::request::OutgoingRequest;
use crate::connector::template::{Escape, Variable, Variables};
use crate::credential::Values;
use serde_json::Value;
use url::Url;

/// A body as a caller gives it.
#[derive(Clone, PartialEq)]
pub enum CallBody {
    /// Sent as JSON, or as a form where the caller's `Content-Type` says so and it is an object.
    Json(Value),
    /// Sent as it is.
    Text(String),
}

impl std::fmt::Debug for CallBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Json(_) => "Json(..)",
            Self::Text(_) => "Text(..)",
        })
    }
}

/// What a caller wants sent. `Debug` shows the method only.
#[derive(Clone, PartialEq)]
pub struct Wanted {
    pub method: Method,
    /// Absolute, or below the API's base.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    pub body: Option<CallBody>,
    /// The type of a text body where the caller names none.
    pub text_type: &'static str,
    /// What is read of the answer.
    pub accept: &'static str,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Why a call is not made. The texts are for the caller and never carry a value of a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallRefused {
    #[error("this connector declares no API to call")]
    NoApi,
    #[error("target_url {0}")]
    Target(&'static str),
    #[error("`{0}` is not a host that this connector declares")]
    Host(String),
    #[error("the header `{0}` cannot be sent")]
    Header(String),
    #[error("the request cannot be built from the connection: {0}")]
    Credential(String),
}

impl CallRefused {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoApi => "api_not_declared",
            Self::Target(_) => "target_invalid",
            Self::Host(_) => "host_not_declared",
            Self::Header(_) => "header_invalid",
            Self::Credential(_) => "credential_unfit",
        }
    }

    /// The field of the request that it is about.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Header(_) => "headers",
            Self::NoApi | Self::Target(_) | Self::Host(_) | Self::Credential(_) => "target_url",
        }
    }
}

/// Headers of a caller that are never passed on: those of the connection (RFC 9110, section 7.6.1), those that say who
/// asks, and those by which proxies are told who asked.
///
/// Decision: the caller's proof towards us and its cookies end here. Attack: an outside system that sees an API key can
/// use it. Trade: none.
const KEPT_HERE: [&str; 24] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "host",
    "content-length",
    "accept-encoding",
    "authorization",
    "cookie",
    "x-api-key",
    "idempotency-key",
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

/// The request of a call. `with_credential`: false after a redirect to another host of the connector.
///
/// # Errors
/// [`CallRefused`].
pub fn call_request(
    definition: &Definition,
    variables: Variables<'_>,
    wanted: &Wanted,
    with_credential: bool,
) -> Result<OutgoingRequest, CallRefused> {
    let api = definition.api.as_ref().ok_or(CallRefused::NoApi)?;
    let mut url = target(definition, api, &variables, &wanted.target)?;
    add_query(&mut url, api, &wanted.query);
    let mut request = OutgoingRequest::new(wanted.method, url);
    for (name, value) in passed_on(api, &wanted.headers) {
        if !is_header(name, value) {
            return Err(CallRefused::Header(name.chars().take(60).collect()));
        }
        request.offer(name, value, false);
    }
    request.offer("accept", wanted.accept, false);
    write_body(&mut request, wanted);
    if with_credential {
        add_credential(definition, variables, &mut request, false)
            .map_err(|failure| CallRefused::Credential(failure.detail))?;
    }
    Ok(request)
}

/// Where the call goes. Decision: what the URL parser made of the text is judged, never the text: scheme, user name,
/// host and port. Attack: `https://api.example.com@evil.example`, `//evil.example`, an address in hexadecimal, another
/// port of a declared host. Trade: every host of an API must be declared.
fn target(
    definition: &Definition,
    api: &Api,
    variables: &Variables<'_>,
    text: &str,
) -> Result<Url, CallRefused> {
    if text.chars().any(|c| c.is_control() || c == '\\' || c.is_whitespace()) {
        return Err(CallRefused::Target("holds blanks, backslashes or control characters"));
    }
    let mut url = if has_scheme(text) {
        Url::parse(text).map_err(|_| CallRefused::Target("is not a URL"))?
    } else {
        below_base(definition, api, variables, text)?
    };
    url.set_fragment(None);
    if !url.username().is_empty() || url.password().is_some() {
        return Err(CallRefused::Target("carries a user name or password"));
    }
    match (url.scheme(), definition.loopback) {
        ("https", _) | ("http", Loopback::Allowed) => {}
        _ => return Err(CallRefused::Target("is not https")),
    }
    let shown = || CallRefused::Host(url.host_str().unwrap_or_default().chars().take(120).collect());
    if definition.loopback == Loopback::Refused && !is_public_name(&url) {
        return Err(shown());
    }
    if !declares(definition.hosts(), &url, variables) {
        return Err(shown());
    }
    Ok(url)
}

/// A path below the API's base: `/v1` and `contacts` are `/v1/contacts`, and so are `/v1` and `/contacts`.
fn below_base(
    definition: &Definition,
    api: &Api,
    variables: &Variables<'_>,
    text: &str,
) -> Result<Url, CallRefused> {
    if text.starts_with("//") {
        return Err(CallRefused::Target("begins with two slashes; write the scheme too"));
    }
    let base = api.base_url.render(variables, definition.hosts(), definition.loopback);
    let base = base.map_err(|failed| CallRefused::Credential(failed.to_string()))?;
    let rest = text.strip_prefix('/').unwrap_or(text);
    let glue = if rest.is_empty() || rest.starts_with('?') { "" } else { "/" };
    let whole =
        format!("{}{}{glue}{rest}", base.origin().ascii_serialization(), base.path().trim_end_matches('/'),);
    let url = Url::parse(&whole).map_err(|_| CallRefused::Target("is not a path below the API's base"))?;
    if url.origin() == base.origin() { Ok(url) } else { Err(CallRefused::Target("leaves the API's base")) }
}

/// `scheme:`, as RFC 3986 has it.
fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Adds the caller's parameters; those that carry the credential are ours alone.
fn add_query(url: &mut Url, api: &Api, query: &[(String, String)]) {
    let ours = |name: &str| api.query.iter().any(|(own, _)| own == name);
    let given: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let touched = !query.is_empty() || given.iter().any(|(name, _)| ours(name));
    if touched {
        url.set_query(None);
        let all = given.iter().chain(query).filter(|(name, _)| !ours(name));
        for (name, value) in all {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
}

/// The caller's headers that are passed on: not [`KEPT_HERE`], none that `Connection` names, and none that the
/// connector fills from the credential.
fn passed_on<'h>(api: &'h Api, headers: &'h [(String, String)]) -> impl Iterator<Item = (&'h str, &'h str)> {
    let named: Vec<String> = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
        .flat_map(|(_, value)| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    headers.iter().filter_map(move |(name, value)| {
        let lower = name.to_ascii_lowercase();
        let ours = api
            .headers
            .iter()
            .any(|(own, template)| own.eq_ignore_ascii_case(name) && template.as_literal().is_none());
        let stays = KEPT_HERE.contains(&lower.as_str()) || named.contains(&lower) || ours;
        (!stays).then_some((name.as_str(), value.as_str()))
    })
}

fn is_header(name: &str, value: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty()
        && name.len() <= 128
        && name.chars().all(token)
        && value.len() <= 8192
        && !value.chars().any(|c| c.is_control() && c != '\t')
}

fn write_body(request: &mut OutgoingRequest, wanted: &Wanted) {
    let is_form = request
        .header("content-type")
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("x-www-form-urlencoded"));
    match &wanted.body {
        None => {}
        Some(CallBody::Text(text)) => request.set_body(wanted.text_type, text.as_str()),
        Some(CallBody::Json(Value::Object(fields))) if is_form => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            let pairs: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            request.set_body("application/x-www-form-urlencoded", super::token::form(&pairs));
        }
        Some(CallBody::Json(value)) => request.set_body("application/json", value.to_string()),
    }
}

/// A redirect as it is followed: what is wanted next, and whether it stays with the same origin, so that the
/// credential may go along. `None` where it is not followed: no readable target, or a body that would go to another
/// origin.
pub fn redirected(wanted: &Wanted, from: &Url, status: u16, location: &str) -> Option<(Wanted, bool)> {
    let to = from.join(location).ok()?;
    let stays = to.origin() == from.origin();
    let mut next = Wanted { target: to.to_string(), query: Vec::new(), ..wanted.clone() };
    if wanted.method.becomes_get(status) {
        (next.method, next.body) = (Method::Get, None);
        next.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    }
    if !stays {
        if next.body.is_some() {
            return None;
        }
        next.headers.retain(|(name, _)| name.eq_ignore_ascii_case("accept"));
    }
    Some((next, stays))
}

/// What a program needs to call the API itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Without a slash at its end.
    pub base: Option<String>,
    pub headers: Values,
    pub query: Values,
}

/// The API's base, headers and query with the credential in them.
///
/// Decision: a header that carries more than the connection's own access (the app's secret, the refresh token) is left
/// out. Attack: whoever may read one credential could act as the app towards every user. Trade: a system that wants the
/// app's secret with each call can be called only through the gateway.
pub fn access(definition: &Definition, variables: Variables<'_>) -> Access {
    let Some(api) = &definition.api else { return Access::default() };
    let is_open = |variable: &Variable| match variable {
        Variable::TokenRefresh => false,
        Variable::App(name) => name == "client_id",
        Variable::TokenAccess | Variable::Input(_) | Variable::Capture(_) | Variable::WebhookUrl => true,
    };
    let base = api.base_url.render(&variables, definition.hosts(), definition.loopback).ok();
    let mut access =
        Access { base: base.map(|url| url.as_str().trim_end_matches('/').to_owned()), ..Access::default() };
    for (name, template) in &api.headers {
        if template.variables().all(is_open)
            && let Ok(value) = template.render(&variables, Escape::Header)
        {
            access.headers.set(name, value);
        }
    }
    for (name, template) in &api.query {
        if template.variables().all(is_open)
            && let Ok(value) = template.render(&variables, Escape::Plain)
        {
            access.query.set(name, value);
        }
    }
    if let Some(template) = &api.basic
        && template.user.variables().chain(template.password.variables()).all(is_open)
        && let Ok(value) = basic_of(template, &variables)
    {
        access.headers.set("Authorization", value);
    }
    access
}
