//! The authorize request: one check per function, in the order of [`check`] (OpenID Connect Core, section 3.1.2).
//!
//! Until client and redirect URI are proven, nothing is sent anywhere: such refusals end on a page of ours. All
//! later ones go back to the app.

mod parameters;

pub use parameters::{PARAMETERS_MOST, Parameters};

use super::Client;
use crate::context::ServiceContext;
use crate::ids::{AccountId, PartnerId};
use crate::percent;
use serde_json::{Map, Value};

/// A refusal that ends on a page of the gateway: there is nobody to whom an answer could safely go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocalRefusal {
    #[error("the request names a parameter twice or has too many of them")]
    Parameters,
    #[error("client_id is missing or unknown")]
    Client,
    #[error("the app is switched off")]
    ClientDisabled,
    #[error("redirect_uri is missing or not registered for this app, byte for byte")]
    RedirectUri,
    #[error("request_uri is unknown, was used already, has expired or is another client's")]
    RequestUri,
}

/// An answer to the app's redirect URI (RFC 6749, section 4.1.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRedirect {
    pub error: &'static str,
    pub description: &'static str,
}

/// Every "no" of this endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizeRefused {
    Local(LocalRefusal),
    /// Where to, and what; see [`error_url`].
    Redirect {
        redirect_uri: String,
        state: Option<String>,
        answer: ErrorRedirect,
    },
}

/// `prompt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prompt {
    pub none: bool,
    pub login: bool,
    pub consent: bool,
    pub select_account: bool,
}

/// An authorize request that has passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeRequest {
    pub redirect_uri: String,
    pub state: Option<String>,
    pub nonce: Option<String>,
    /// Known scopes only, in the order asked for.
    pub scopes: Vec<String>,
    /// S256.
    pub challenge: Option<String>,
    pub prompt: Prompt,
    /// In seconds.
    pub max_age_s: Option<i64>,
    pub login_hint: Option<String>,
    /// An ID token, unproven.
    pub id_token_hint: Option<String>,
    /// Language tags, the preferred one first.
    pub ui_locales: Vec<String>,
    pub claims: Option<Map<String, Value>>,
    /// For which account or partner; `None` where the request does not say.
    pub context: Option<ServiceContext>,
}

/// Checks a request. `client` is the one that `client_id` names, if there is one.
///
/// # Errors
/// [`AuthorizeRefused`], the first in the order below.
pub fn check(parameters: &Parameters, client: Option<&Client>) -> Result<AuthorizeRequest, AuthorizeRefused> {
    let client = check_client(parameters, client).map_err(AuthorizeRefused::Local)?;
    let redirect_uri = check_redirect_uri(parameters, client).map_err(AuthorizeRefused::Local)?;
    let state = parameters.get("state").map(str::to_owned);
    checked(parameters, client, &redirect_uri, state.as_ref()).map_err(|answer| AuthorizeRefused::Redirect {
        redirect_uri,
        state,
        answer,
    })
}

fn checked(
    parameters: &Parameters,
    client: &Client,
    redirect_uri: &str,
    state: Option<&String>,
) -> Result<AuthorizeRequest, ErrorRedirect> {
    check_request_object(parameters)?;
    check_response_type(parameters)?;
    check_response_mode(parameters)?;
    let scopes = check_scope(parameters, client)?;
    let challenge = check_pkce(parameters, client)?;
    let prompt = check_prompt(parameters)?;
    let max_age_s = check_max_age(parameters)?;
    let claims = check_claims(parameters)?;
    let context = check_context(parameters)?;
    Ok(AuthorizeRequest {
        redirect_uri: redirect_uri.to_owned(),
        state: state.cloned(),
        nonce: parameters.get("nonce").map(str::to_owned),
        scopes,
        challenge,
        prompt,
        max_age_s,
        login_hint: parameters.get("login_hint").map(str::to_owned),
        id_token_hint: parameters.get("id_token_hint").map(str::to_owned),
        ui_locales: parameters
            .get("ui_locales")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        claims,
        context,
    })
}

const fn answer(error: &'static str, description: &'static str) -> ErrorRedirect {
    ErrorRedirect { error, description }
}

fn check_client<'c>(parameters: &Parameters, client: Option<&'c Client>) -> Result<&'c Client, LocalRefusal> {
    let client = client
        .filter(|client| parameters.get("client_id") == Some(client.id.as_str()))
        .ok_or(LocalRefusal::Client)?;
    if client.disabled.is_some() { Err(LocalRefusal::ClientDisabled) } else { Ok(client) }
}

/// Required also of clients with a single one: what is not compared cannot be wrong.
fn check_redirect_uri(parameters: &Parameters, client: &Client) -> Result<String, LocalRefusal> {
    let uri = parameters.get("redirect_uri").ok_or(LocalRefusal::RedirectUri)?;
    if client.may_redirect_to(uri) { Ok(uri.to_owned()) } else { Err(LocalRefusal::RedirectUri) }
}

/// Neither by value nor by reference (OpenID Connect Core, section 6): a reference would have us fetch a stranger's
/// address (lesson 23). A reference of our own (PAR) was replaced by its content before this.
fn check_request_object(parameters: &Parameters) -> Result<(), ErrorRedirect> {
    if parameters.get("request").is_some() {
        return Err(answer("request_not_supported", "request objects are not taken; send plain parameters"));
    }
    if parameters.get("request_uri").is_some() {
        return Err(answer(
            "request_uri_not_supported",
            "request_uri is taken only from the pushed authorization request",
        ));
    }
    Ok(())
}

fn check_response_type(parameters: &Parameters) -> Result<(), ErrorRedirect> {
    match parameters.get("response_type") {
        Some("code") => Ok(()),
        None => Err(answer("invalid_request", "response_type is missing; write code")),
        Some(_) => Err(answer("unsupported_response_type", "response_type must be code")),
    }
}

/// `query` only: with one mode there is no second path on which a check could be forgotten (lesson 4).
fn check_response_mode(parameters: &Parameters) -> Result<(), ErrorRedirect> {
    match parameters.get("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(answer("invalid_request", "response_mode must be query or be left out")),
    }
}

/// Unknown scopes are ignored, as OpenID Connect Core has it (section 3.1.2.1).
fn check_scope(parameters: &Parameters, client: &Client) -> Result<Vec<String>, ErrorRedirect> {
    let asked: Vec<&str> =
        parameters.get("scope").unwrap_or_default().split(' ').filter(|one| !one.is_empty()).collect();
    if !asked.contains(&"openid") {
        return Err(answer("invalid_scope", "scope must contain openid"));
    }
    let mut scopes: Vec<String> = Vec::new();
    for scope in asked {
        let known = scope == "openid" || client.scopes.iter().any(|own| own == scope);
        if known && !scopes.iter().any(|seen| seen == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

fn check_pkce(parameters: &Parameters, client: &Client) -> Result<Option<String>, ErrorRedirect> {
    let method = parameters.get("code_challenge_method");
    let Some(challenge) = parameters.get("code_challenge") else {
        return match method {
            Some(_) => Err(answer("invalid_request", "code_challenge_method without code_challenge")),
            None if client.is_public() => {
                Err(answer("invalid_request", "code_challenge is required of this client (S256)"))
            }
            None => Ok(None),
        };
    };
    // No method means `plain` (RFC 7636, section 4.3), which protects nothing.
    if method != Some("S256") {
        return Err(answer("invalid_request", "code_challenge_method must be S256"));
    }
    let digits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if challenge.len() != 43 || !challenge.bytes().all(digits) {
        return Err(answer(
            "invalid_request",
            "code_challenge must be the base64url of a SHA-256, 43 characters",
        ));
    }
    Ok(Some(challenge.to_owned()))
}

fn check_prompt(parameters: &Parameters) -> Result<Prompt, ErrorRedirect> {
    let mut prompt = Prompt::default();
    for one in parameters.get("prompt").unwrap_or_default().split(' ').filter(|one| !one.is_empty()) {
        match one {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => {
                return Err(answer(
                    "invalid_request",
                    "prompt must be none, login, consent or select_account",
                ));
            }
        }
    }
    if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
        return Err(answer("invalid_request", "prompt none stands alone"));
    }
    Ok(prompt)
}

fn check_max_age(parameters: &Parameters) -> Result<Option<i64>, ErrorRedirect> {
    let Some(text) = parameters.get("max_age") else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(seconds) if digits => Ok(Some(seconds)),
        _ => Err(answer("invalid_request", "max_age must be a whole number of seconds")),
    }
}

fn check_claims(parameters: &Parameters) -> Result<Option<Map<String, Value>>, ErrorRedirect> {
    let Some(text) = parameters.get("claims") else { return Ok(None) };
    match kernel::jose::strict_json(text.as_bytes()) {
        Ok(Value::Object(claims)) => Ok(Some(claims)),
        _ => Err(answer("invalid_request", "claims must be a JSON object")),
    }
}

/// `serviceContext`, `account_id` or `partner_id`: exactly one of them, or none.
fn check_context(parameters: &Parameters) -> Result<Option<ServiceContext>, ErrorRedirect> {
    let given = ["serviceContext", "account_id", "partner_id"].map(|name| parameters.get(name));
    let read = match given {
        [None, None, None] => return Ok(None),
        [Some(text), None, None] => ServiceContext::parse(text).ok(),
        [None, Some(id), None] => AccountId::parse(id).ok().map(ServiceContext::Account),
        [None, None, Some(id)] => PartnerId::parse(id).ok().map(ServiceContext::Partner),
        _ => {
            return Err(answer(
                "invalid_request",
                "send one of account_id, partner_id and serviceContext, not several",
            ));
        }
    };
    match read {
        None => Err(answer("invalid_request", "account_id, partner_id or serviceContext is malformed")),
        Some(ServiceContext::SuperAdmin) => Err(answer("access_denied", "superadmin is not open to anybody")),
        Some(context) => Ok(Some(context)),
    }
}

/// `redirect_uri` with parameters appended in this order; it keeps the query that it was registered with.
fn with_query(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut url = redirect_uri.to_owned();
    for (name, value) in parameters {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&format!("{name}={}", percent::encoded(value)));
    }
    url
}

/// The address of an error, with `iss` (RFC 9207).
pub fn error_url(redirect_uri: &str, state: Option<&str>, answer: &ErrorRedirect, issuer: &str) -> String {
    let mut parameters = vec![("error", answer.error), ("error_description", answer.description)];
    parameters.extend(state.map(|state| ("state", state)));
    parameters.push(("iss", issuer));
    with_query(redirect_uri, &parameters)
}

/// The address of a success, with `iss` (RFC 9207).
pub fn code_url(redirect_uri: &str, state: Option<&str>, code: &str, issuer: &str) -> String {
    let mut parameters = vec![("code", code)];
    parameters.extend(state.map(|state| ("state", state)));
    parameters.push(("iss", issuer));
    with_query(redirect_uri, &parameters)
}
