//! Answers of token endpoints, which are seldom what RFC 6749 says: errors under status 200, HTML, form
//! encoding, numbers as text.

use super::callback::Captured;
use super::{ProviderFailure, code_of, harmless};
use crate::connector::definition::{Definition, Extract, Pointer, Save, SaveTo, Unit};
use crate::connector::request::Answer;
use crate::credential::{Credential, Values};
use crate::dialog::Failure;
use kernel::{SecretText, Time};
use serde_json::Value;

/// The longest token that is taken, in bytes.
const LONGEST_TOKEN: usize = 16 * 1024;
/// A life beyond ten years is taken for ten years.
const LONGEST_LIFE_S: i64 = 10 * 365 * 86_400;

/// Judges the answer to `token_request`. `asked` are the scopes that the authorize URL carried
/// (`Definition::scopes_for`). The credential that comes out has no inputs yet, and only the token's captures.
///
/// # Errors
/// `capped` for 429, `provider_down` for 5xx and for what cannot be read, `user_denied`, `missing_scopes`,
/// `server_error` for refusals that only the operator can mend.
pub fn read_token_answer(
    definition: &Definition,
    asked: &[String],
    answer: Answer<'_>,
    now: Time,
) -> Result<Credential, ProviderFailure> {
    token_in(definition, asked, answer, &definition.capture.token, now)
}

/// The same with `saves` in place of the definition's own.
fn token_in(
    definition: &Definition,
    asked: &[String],
    answer: Answer<'_>,
    saves: &[Save<Pointer>],
    now: Time,
) -> Result<Credential, ProviderFailure> {
    let rules = definition
        .token
        .as_ref()
        .ok_or_else(|| ProviderFailure::new(Failure::ServerError, "this connector has no token endpoint"))?;
    let extract = &rules.extract;
    let document = successful(answer, &[], &extract.error, token_error)?;
    let access = first_text(&document, &extract.access).filter(|text| is_token(text)).ok_or_else(|| {
        ProviderFailure::new(Failure::ServerError, "the token endpoint's answer holds no access token")
    })?;
    let granted = extract.scope.iter().find_map(|pointer| scopes_in(pointer.of(&document)?));
    let mut credential = Credential {
        access: Some(SecretText::new(access)),
        refresh: first_text(&document, &extract.refresh).filter(|text| is_token(text)).map(SecretText::new),
        expires: expiry(&document, extract, now),
        obtained: Some(now),
        token_type: document.get("token_type").and_then(Value::as_str).map(harmless),
        scopes: granted.clone().unwrap_or_else(|| asked.to_vec()),
        ..Credential::default()
    };
    save(&document, saves, extract.unit, now)?.put_into(&mut credential);
    match granted {
        Some(granted) => require_scopes(definition, asked, &granted).map(|()| credential),
        None => Ok(credential),
    }
}

/// Judges the answer to `refresh_request`: the new credential keeps what the answer does not repeat.
///
/// # Errors
/// As [`read_token_answer`], and `invalid_credentials` with `reconnect` where the grant is dead
/// (`invalid_grant`).
pub fn read_refresh_answer(
    definition: &Definition,
    before: &Credential,
    answer: Answer<'_>,
    now: Time,
) -> Result<Credential, ProviderFailure> {
    // What the first answer brought is there already. A new token is never thrown away because an answer does not
    // repeat it: the old one may have ended with this very request.
    let optional = |rule: &Save<Pointer>| Save { optional: true, ..rule.clone() };
    let saves: Vec<_> = definition.capture.token.iter().map(optional).collect();
    let fresh = token_in(definition, &[], answer, &saves, now).map_err(|mut failure| {
        let code = failure.code.as_deref().map(str::to_ascii_lowercase);
        // A 5xx that says so is not believed: the token may live on, and people would reconnect for nothing.
        if !failure.is_weather() && code.is_some_and(|code| DEAD.contains(&code.as_str())) {
            failure.failure = Failure::InvalidCredentials;
            failure.reconnect = true;
        }
        failure
    })?;
    let mut after = before.clone();
    after.access = fresh.access;
    after.refresh = fresh.refresh.or(after.refresh);
    after.expires = fresh.expires;
    after.obtained = fresh.obtained;
    if !fresh.scopes.is_empty() {
        after.scopes = fresh.scopes;
    }
    after.captures.extend(fresh.captures);
    Ok(after)
}

/// What providers write where a grant has ended for good, in lower case; RFC 6749 has the first of them.
const DEAD: [&str; 8] = [
    "invalid_grant",
    "invalid_refresh_token",
    "bad_refresh_token",
    "invalid_token",
    "expired_token",
    "token_revoked",
    "token_expired",
    "access_denied",
];

/// How a provider's error code is understood at one endpoint.
pub(super) type Understand = fn(&str) -> Failure;

/// RFC 6749, section 5.2, and what providers write instead.
pub(super) fn token_error(code: &str) -> Failure {
    match code {
        "access_denied" | "user_denied" => Failure::UserDenied,
        "temporarily_unavailable" | "server_error" | "internal_error" | "service_unavailable" => {
            Failure::ProviderDown
        }
        "slow_down" | "rate_limited" | "ratelimited" | "too_many_requests" => Failure::Capped,
        _ => Failure::ServerError,
    }
}

/// The document of a successful answer: the status is one of `ok` (empty: 200 to 299) and no pointer of
/// `errors` leads to an error.
pub(super) fn successful(
    answer: Answer<'_>,
    ok: &[u16],
    errors: &[Pointer],
    understand: Understand,
) -> Result<Value, ProviderFailure> {
    let status = answer.status;
    let document = document(answer);
    let error = document.as_ref().ok().and_then(|document| error_in(document, errors));
    let described = error
        .as_ref()
        .map_or_else(|| format!("status {status}"), |error| format!("status {status}: {error}"));
    let code = error.as_deref().and_then(|error| code_of(error.split(' ').next().unwrap_or_default()));
    if status == 429 {
        return Err(ProviderFailure::new(Failure::Capped, described).with_code(code));
    }
    if status >= 500 {
        return Err(ProviderFailure::new(Failure::ProviderDown, described).with_code(code));
    }
    if error.is_some() {
        let failure = code.as_deref().map_or(Failure::ServerError, understand);
        return Err(ProviderFailure::new(failure, described).with_code(code));
    }
    let accepted = if ok.is_empty() { (200..300).contains(&status) } else { ok.contains(&status) };
    match document {
        Ok(document) if accepted => Ok(document),
        Err(why) if accepted || status < 400 => {
            Err(ProviderFailure::new(Failure::ProviderDown, format!("status {status} with {why}")))
        }
        Err(why) if why == HTML && status != 401 => {
            Err(ProviderFailure::new(Failure::ProviderDown, format!("status {status} with {why}")))
        }
        _ => Err(ProviderFailure::new(understand(""), described)),
    }
}

const HTML: &str = "an HTML page where data was expected";

/// The answer as a JSON document; form-encoded answers (GitHub without an `Accept` header) become an object.
pub(super) fn document(answer: Answer<'_>) -> Result<Value, &'static str> {
    let kind = answer.content_type.unwrap_or_default().to_ascii_lowercase();
    let text = std::str::from_utf8(answer.body).map_err(|_| "an answer that is not UTF-8")?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("an empty answer");
    }
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    if kind.contains("html") || text.starts_with('<') {
        return Err(HTML);
    }
    let form_like = text.contains('=') && !text.contains(char::is_whitespace);
    if kind.contains("x-www-form-urlencoded") || kind.starts_with("text/plain") && form_like {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        return Ok(Value::Object(pairs.map(|(name, value)| (name.into_owned(), value.into())).collect()));
    }
    Err("an answer that is not JSON")
}

/// The error that the document tells, as `code description`, harmless.
fn error_in(document: &Value, pointers: &[Pointer]) -> Option<String> {
    let found = pointers.iter().filter_map(|pointer| pointer.of(document)).find(|value| is_error(value))?;
    let inner = ["code", "type", "error", "message"];
    let code = match found {
        Value::Object(map) => inner.iter().find_map(|name| map.get(*name)).map(plain).unwrap_or_default(),
        other => plain(other),
    };
    let about = ["/error_description", "/error/message", "/message", "/error_message"];
    let description = about.iter().find_map(|at| document.pointer(at)?.as_str()).unwrap_or_default();
    let description = if description == code { "" } else { description };
    Some(harmless(&format!("{code} {description}")))
}

fn is_error(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Object(_) | Value::Array(_) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            !matches!(text.to_ascii_lowercase().as_str(), "" | "0" | "ok" | "success" | "false")
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(_) => "error".to_owned(),
        _ => String::new(),
    }
}

pub(super) fn text_at(document: &Value, pointer: &Pointer) -> Option<String> {
    match pointer.of(document)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn first_text(document: &Value, pointers: &[Pointer]) -> Option<String> {
    pointers.iter().find_map(|pointer| text_at(document, pointer))
}

fn is_token(text: &str) -> bool {
    text.len() <= LONGEST_TOKEN && !text.chars().any(char::is_control)
}

/// Scopes as one text or as a list; blanks and commas part them whatever was sent.
fn scopes_in(value: &Value) -> Option<Vec<String>> {
    let words = |text: &str| -> Vec<String> {
        text.split([' ', ',']).filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect()
    };
    match value {
        Value::String(text) => Some(words(text)),
        Value::Array(list) => Some(list.iter().filter_map(Value::as_str).flat_map(words).collect()),
        _ => None,
    }
}

fn require_scopes(
    definition: &Definition,
    asked: &[String],
    granted: &[String],
) -> Result<(), ProviderFailure> {
    let Some(authorize) = &definition.authorize else { return Ok(()) };
    let scope = &authorize.scope;
    let is_granted = |wanted: &&String| {
        let alias = scope.aliases.iter().find(|(asked, _)| asked == *wanted).map(|(_, granted)| granted);
        granted.contains(wanted)
            || alias.is_some_and(|alias| granted.contains(alias))
            || scope.unlisted.contains(wanted)
    };
    let missing: Vec<&str> = asked.iter().filter(|wanted| !is_granted(wanted)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(ProviderFailure::new(Failure::MissingScopes, format!("not granted: {}", missing.join(", "))))
}

/// When the token ends. Zero, negative and unreadable lives count as "not said".
fn expiry(document: &Value, extract: &Extract, now: Time) -> Option<Time> {
    let life = extract.expires_in.iter().find_map(|pointer| whole(pointer.of(document)?));
    if let Some(end) = life.and_then(|life| end_of_life(life, extract.unit, now)) {
        return Some(end);
    }
    let at = extract.expires_at.iter().find_map(|pointer| pointer.of(document))?;
    match whole(at) {
        Some(number) => {
            Some(Time::from_seconds(seconds(number, extract.unit))).filter(|end| end.micros() > 0)
        }
        None => at
            .as_str()?
            .parse::<jiff::Timestamp>()
            .ok()
            .map(|stamp| Time::from_micros(stamp.as_microsecond())),
    }
}

fn end_of_life(life: i64, unit: Unit, now: Time) -> Option<Time> {
    (life > 0).then(|| now.plus_seconds(seconds(life, unit).min(LONGEST_LIFE_S)))
}

const fn seconds(number: i64, unit: Unit) -> i64 {
    match unit {
        Unit::Seconds => number,
        Unit::Milliseconds => number / 1000,
        Unit::Minutes => number.saturating_mul(60),
    }
}

/// A whole number, also as text, with a fraction or beyond 64 bits.
fn whole(value: &Value) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float outside the range saturates, which is what is wanted"
    )]
    let from_float = |number: f64| number.is_finite().then_some(number as i64);
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(from_float)),
        Value::String(text) => text.trim().parse::<f64>().ok().and_then(from_float),
        _ => None,
    }
}

/// What a document's saves bring.
pub(super) fn save(
    document: &Value,
    saves: &[Save<Pointer>],
    unit: Unit,
    now: Time,
) -> Result<Captured, ProviderFailure> {
    let mut captured = Captured { values: Values::new(), ..Captured::default() };
    for rule in saves {
        let Some(value) = text_at(document, &rule.from).filter(|text| is_token(text)) else {
            if rule.optional {
                continue;
            }
            let detail = format!("the answer holds nothing at `{}`", rule.from.as_str());
            return Err(ProviderFailure::new(Failure::ServerError, detail));
        };
        match &rule.to {
            SaveTo::Capture(name) => captured.values.set(name, value),
            SaveTo::Access => captured.access = Some(SecretText::new(value)),
            SaveTo::Refresh => captured.refresh = Some(SecretText::new(value)),
            SaveTo::ExpiresIn => {
                captured.expires = whole(&Value::from(value)).and_then(|life| end_of_life(life, unit, now));
            }
        }
    }
    Ok(captured)
}
