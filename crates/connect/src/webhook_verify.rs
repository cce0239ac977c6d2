//! Whether a delivery is really from the outside system, as its connector's `[webhook]` says
//! (contract `connect.md`, section 7). Pure; comparisons take the same time whatever is wrong.

mod jwt;

use crate::connector::{
    Dedupe, DeliveryPart, Encoding, Expected, HmacAlgorithm, ReplyAs, Scheme, SignedPart, VerifyRules,
    WebhookRules,
};
use aws_lc_rs::{constant_time, hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use kernel::secret::sha256_hex;
use kernel::{SecretText, Time};
use std::borrow::Cow;

/// The longest value that a challenge is answered with, in bytes.
const LONGEST_REPLY: usize = 1024;
/// The longest delivery id; a longer one is kept as its hash.
const LONGEST_ID: usize = 200;

/// A request that arrived at a webhook's address.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    pub method: &'a str,
    /// The public URL that was called, as the outside system knows it.
    pub url: &'a str,
    /// Names in lower case, in the order received.
    pub headers: &'a [(String, String)],
    /// The query's parameters, decoded.
    pub query: &'a [(String, String)],
    pub body: &'a [u8],
}

impl<'a> Arrival<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn part(&self, part: &DeliveryPart) -> Option<Cow<'a, str>> {
        match part {
            DeliveryPart::Header(name) => self.header(name).map(Cow::Borrowed),
            DeliveryPart::Query(name) => {
                self.query.iter().find(|(own, _)| own == name).map(|(_, value)| Cow::Borrowed(value.as_str()))
            }
            DeliveryPart::Body(pointer) => {
                let document: serde_json::Value = serde_json::from_slice(self.body).ok()?;
                match pointer.of(&document)? {
                    serde_json::Value::String(text) => Some(Cow::Owned(text.clone())),
                    serde_json::Value::Number(number) => Some(Cow::Owned(number.to_string())),
                    _ => None,
                }
            }
        }
    }
}

/// Why a delivery is refused with 401. The texts are for the organization's developers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefused {
    #[error("the header that carries the proof is missing")]
    Missing,
    #[error("the proof is not written as the connector declares")]
    Malformed,
    #[error("the timestamp is missing, unreadable or outside the tolerance")]
    Stale,
    #[error("the proof is wrong")]
    Wrong,
    #[error("there is no secret to check with, or it is not written as the connector declares")]
    NoSecret,
}

/// Checks a delivery. Without `[webhook.verify]` everything passes.
///
/// # Errors
/// [`WebhookRefused`]; nothing of the delivery may be stored then.
pub fn verify(
    rules: &WebhookRules,
    secret: Option<&SecretText>,
    arrival: &Arrival<'_>,
    now: Time,
) -> Result<(), WebhookRefused> {
    let Some(rules) = &rules.verify else { return Ok(()) };
    // Decision: an empty secret refuses. Attack: a MAC with an empty key is one that anybody can make. Trade:
    // deliveries are lost until the organization sets the secret.
    let secret = secret.filter(|secret| !secret.is_empty()).ok_or(WebhookRefused::NoSecret)?;
    match rules.scheme {
        Scheme::Hmac | Scheme::Ed25519 => signed(rules, secret, arrival, now),
        Scheme::Token => {
            let seen = arrival.header(&rules.header).ok_or(WebhookRefused::Missing)?;
            let seen = seen.strip_prefix(rules.prefix.as_str()).ok_or(WebhookRefused::Malformed)?;
            equal(seen.as_bytes(), secret.reveal().as_bytes())
        }
        Scheme::Basic => {
            let seen = arrival.header(&rules.header).ok_or(WebhookRefused::Missing)?;
            let (scheme, encoded) = seen.split_once(' ').ok_or(WebhookRefused::Malformed)?;
            let decoded = STANDARD.decode(encoded.trim()).map_err(|_| WebhookRefused::Malformed)?;
            if !scheme.eq_ignore_ascii_case("basic") {
                return Err(WebhookRefused::Malformed);
            }
            // `user:password` as the secret, or a password alone with any user.
            let whole = secret.reveal().contains(':');
            let password = decoded.splitn(2, |byte| *byte == b':').nth(1).unwrap_or_default();
            equal(if whole { &decoded } else { password }, secret.reveal().as_bytes())
        }
        Scheme::Jwt => jwt::check(rules, secret, arrival, now),
    }
}

fn equal(seen: &[u8], expected: &[u8]) -> Result<(), WebhookRefused> {
    constant_time::verify_slices_are_equal(seen, expected).map_err(|_| WebhookRefused::Wrong)
}

fn signed(
    rules: &VerifyRules,
    secret: &SecretText,
    arrival: &Arrival<'_>,
    now: Time,
) -> Result<(), WebhookRefused> {
    let header = arrival.header(&rules.header).ok_or(WebhookRefused::Missing)?;
    let key = secret_bytes(rules, secret)?;
    let timestamp = timestamp(rules, arrival, header, now)?;
    let message = message(rules, arrival, timestamp)?;
    let candidates = signatures(rules, header);
    if candidates.is_empty() {
        return Err(WebhookRefused::Malformed);
    }
    // Several are sent while the sender's key is being rotated: one that fits is enough.
    let fits = candidates.iter().any(|candidate| match rules.scheme {
        Scheme::Ed25519 => {
            signature::UnparsedPublicKey::new(&signature::ED25519, &key).verify(&message, candidate).is_ok()
        }
        _ => hmac::verify(&hmac::Key::new(algorithm(rules.algorithm), &key), &message, candidate).is_ok(),
    });
    if fits { Ok(()) } else { Err(WebhookRefused::Wrong) }
}

const fn algorithm(algorithm: HmacAlgorithm) -> hmac::Algorithm {
    match algorithm {
        HmacAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HmacAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HmacAlgorithm::Sha512 => hmac::HMAC_SHA512,
    }
}

fn secret_bytes(rules: &VerifyRules, secret: &SecretText) -> Result<Vec<u8>, WebhookRefused> {
    let text = secret.reveal();
    let text = text.strip_prefix(rules.secret_prefix.as_str()).unwrap_or(text);
    let bytes = decoded(rules.secret_encoding, text).ok_or(WebhookRefused::NoSecret)?;
    if bytes.is_empty() { Err(WebhookRefused::NoSecret) } else { Ok(bytes) }
}

fn decoded(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Text => Some(text.as_bytes().to_vec()),
        Encoding::Hex => from_hex(text),
        Encoding::Base64 => {
            let engines = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD];
            engines.into_iter().find_map(|engine| engine.decode(text).ok())
        }
    }
}

/// Bytes from hexadecimal digits of either case.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    if text.is_empty() || !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// The pairs of a header such as `t=1492774577,v1=5257a8...`.
fn fields(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split([',', ';']).filter_map(|pair| pair.trim().split_once('='))
}

fn signatures(rules: &VerifyRules, header: &str) -> Vec<Vec<u8>> {
    let texts: Vec<&str> = match (&rules.signature_field, rules.separator) {
        (Some(name), _) => fields(header).filter(|(own, _)| own == name).map(|(_, value)| value).collect(),
        (None, Some(separator)) => header.split(separator).collect(),
        (None, None) => vec![header],
    };
    let bare = texts.into_iter().filter_map(|text| text.trim().strip_prefix(rules.prefix.as_str()));
    bare.take(10).filter_map(|text| decoded(rules.encoding, text)).collect()
}

/// The timestamp as it was sent, where the connector declares one, if it is near `now`.
fn timestamp<'a>(
    rules: &VerifyRules,
    arrival: &Arrival<'a>,
    header: &'a str,
    now: Time,
) -> Result<Option<&'a str>, WebhookRefused> {
    let text = match (&rules.timestamp_field, &rules.timestamp_header) {
        (Some(name), _) => fields(header).find(|(own, _)| own == name).map(|(_, value)| value),
        (None, Some(name)) => arrival.header(name),
        (None, None) => return Ok(None),
    };
    let text = text.ok_or(WebhookRefused::Stale)?;
    let number: i64 = text.parse().map_err(|_| WebhookRefused::Stale)?;
    let at = if rules.timestamp_in_milliseconds { number.div_euclid(1000) } else { number };
    // Decision: both ways. Attack: a delivery signed for a far future could be kept and sent again until
    // then. Trade: a sender whose clock is ahead by more than the tolerance is refused.
    let distance = now.seconds().saturating_sub(at).saturating_abs();
    if distance <= rules.tolerance_s { Ok(Some(text)) } else { Err(WebhookRefused::Stale) }
}

fn message(
    rules: &VerifyRules,
    arrival: &Arrival<'_>,
    timestamp: Option<&str>,
) -> Result<Vec<u8>, WebhookRefused> {
    let mut message = Vec::with_capacity(arrival.body.len() + 128);
    for part in &rules.signed {
        match part {
            SignedPart::Text(text) => message.extend_from_slice(text.as_bytes()),
            SignedPart::Body => message.extend_from_slice(arrival.body),
            SignedPart::Method => message.extend_from_slice(arrival.method.as_bytes()),
            SignedPart::Url => message.extend_from_slice(arrival.url.as_bytes()),
            SignedPart::Timestamp => {
                message.extend_from_slice(timestamp.ok_or(WebhookRefused::Stale)?.as_bytes());
            }
            SignedPart::Id => {
                let name = rules.id_header.as_deref().unwrap_or_default();
                message.extend_from_slice(arrival.header(name).ok_or(WebhookRefused::Missing)?.as_bytes());
            }
        }
    }
    Ok(message)
}

/// What a challenge is answered with, always under status 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeReply {
    pub content_type: &'static str,
    /// A header to send along.
    pub header: Option<(String, String)>,
    pub body: String,
}

/// The answer where the request is the outside system's challenge; `None` for a delivery. Only values that
/// were sent are repeated, as text that no browser runs.
pub fn challenge(
    rules: &WebhookRules,
    secret: Option<&SecretText>,
    arrival: &Arrival<'_>,
) -> Option<ChallengeReply> {
    let challenge = rules.challenge.as_ref()?;
    for (part, expected) in &challenge.matches {
        let seen = arrival.part(part)?;
        let fits = match expected {
            Expected::Any => !seen.is_empty(),
            Expected::Text(text) => *text == *seen,
            Expected::Secret => secret
                .filter(|secret| !secret.is_empty())
                .is_some_and(|secret| equal(seen.as_bytes(), secret.reveal().as_bytes()).is_ok()),
        };
        if !fits {
            return None;
        }
    }
    let value = arrival.part(&challenge.reply)?;
    if value.len() > LONGEST_REPLY || value.chars().any(char::is_control) {
        return None;
    }
    let value = value.into_owned();
    Some(match &challenge.reply_as {
        ReplyAs::Text => {
            ChallengeReply { content_type: "text/plain; charset=utf-8", header: None, body: value }
        }
        ReplyAs::Json(name) => {
            let mut object = serde_json::Map::new();
            object.insert(name.clone(), value.into());
            let body = serde_json::Value::Object(object).to_string();
            ChallengeReply { content_type: "application/json", header: None, body }
        }
        ReplyAs::Header(name) => {
            let header = Some((name.clone(), value));
            ChallengeReply { content_type: "text/plain; charset=utf-8", header, body: String::new() }
        }
    })
}

/// What tells a repeated delivery: the sender's id, or the body's hash. `None` where the connector declares
/// nothing or the delivery carries no id; then nothing is dropped.
pub fn dedupe_key(rules: &WebhookRules, arrival: &Arrival<'_>) -> Option<String> {
    match rules.dedupe.as_ref()? {
        Dedupe::Hash => Some(format!("sha256:{}", sha256_hex(arrival.body))),
        Dedupe::Part(part) => {
            let id = arrival.part(part).filter(|id| !id.is_empty())?;
            let odd = id.len() > LONGEST_ID || id.chars().any(char::is_control);
            Some(if odd { format!("id-sha256:{}", sha256_hex(id.as_bytes())) } else { format!("id:{id}") })
        }
    }
}

/// What kind of event it is, where the connector says how to tell.
pub fn event_type(rules: &WebhookRules, arrival: &Arrival<'_>) -> Option<String> {
    let text = arrival.part(rules.event_type.as_ref()?)?;
    Some(text.chars().filter(|c| !c.is_control()).take(120).collect())
        .filter(|text: &String| !text.is_empty())
}

#[cfg(test)]
#[path = "webhook_verify_tests.rs"]
mod tests;
