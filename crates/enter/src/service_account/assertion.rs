//! The two exchanges of an assertion for an access token: RFC 7523, and `{"token": ..}` of the SDKs in the field.

use super::{ServiceAccount, ServiceKey};
use crate::ids::ServiceKeyId;
use crate::partner::Partner;
use kernel::jose::{Algorithm, Compact, CompactRefused, OTHER_RULES, OWN_KEY, PublicKey, strict_json};
use kernel::{Hashed, Plain, Time};
use serde_json::{Map, Value};

/// The largest assertion, in bytes.
pub const ASSERTION_BYTES: usize = 8 * 1024;
/// How far ahead `exp` may lie, in seconds.
const LIFE_S: i64 = 3600;
/// How far the caller's clock may be ahead, in seconds.
const AHEAD_S: i64 = 60;

/// Which endpoint was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// `POST /oauth2/token` with `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer`.
    Bearer,
    /// `POST` of `{"token": ..}`: ES256, `kid` as a claim.
    SessionToken,
}

/// What an assertion is held against.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    pub now: Time,
    pub exchange: Exchange,
    /// The issuer and the token URL.
    pub audiences: &'a [&'a str],
    /// The audiences of the older exchange, from the settings.
    pub legacy_audiences: &'a [&'a str],
}

/// Why an assertion is refused: `invalid_grant`, with words for the partner's engineer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssertionRefused {
    #[error("the assertion is no JWT: {0}")]
    Form(#[from] CompactRefused),
    #[error("the assertion's payload is refused: {0}")]
    Payload(String),
    #[error("the assertion's header `{0}` is not taken here; leave it out")]
    Header(&'static str),
    #[error("the assertion's `typ` must be `JWT` or left out")]
    Type,
    #[error("`kid` is missing or names no key of this service account")]
    Key,
    #[error("the key that `kid` names is switched off or has expired")]
    KeyDisabled,
    #[error("`alg` must be {expected}, the algorithm of the key that `kid` names")]
    Algorithm { expected: &'static str },
    #[error("the signature is not that of the key that `kid` names")]
    Signature,
    #[error("`{0}` is missing or of the wrong type")]
    Claim(&'static str),
    #[error("`iss` and `sub` must both be the service account's client_email")]
    Principal,
    #[error("`aud` must be `{expected}`")]
    Audience { expected: String },
    #[error("`aud` stands in the header; write it among the claims, or have that allowed for this key")]
    AudienceInHeader,
    #[error("the assertion has expired")]
    Expired,
    #[error("`exp` may lie at most one hour ahead")]
    TooLong,
    #[error("`iat` or `nbf` lies in the future; check the clock")]
    Future,
    #[error(
        "`jti` is missing: write a fresh UUID for each assertion, or have its absence allowed for this key"
    )]
    NoJti,
    #[error("`jti` was used before: write a fresh UUID for each assertion")]
    Replayed,
    #[error("the service account or its partner is switched off")]
    Disabled,
    #[error("the scope `{0}` is not among those of the service account")]
    Scope(String),
}

impl AssertionRefused {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(_) | Self::Payload(_) | Self::Header(_) | Self::Type => "assertion_malformed",
            Self::Key => "assertion_key_unknown",
            Self::KeyDisabled => "assertion_key_disabled",
            Self::Algorithm { .. } => "assertion_algorithm",
            Self::Signature => "assertion_signature",
            Self::Claim(_) => "assertion_claim",
            Self::Principal => "assertion_principal",
            Self::Audience { .. } | Self::AudienceInHeader => "assertion_audience",
            Self::Expired => "assertion_expired",
            Self::TooLong => "assertion_too_long",
            Self::Future => "assertion_not_yet_valid",
            Self::NoJti => "assertion_without_jti",
            Self::Replayed => "assertion_replayed",
            Self::Disabled => "assertion_account_disabled",
            Self::Scope(_) => "assertion_scope",
        }
    }
}

/// Whom an unproven assertion names: for looking up the account and, among its keys only, the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub account: String,
    pub key: ServiceKeyId,
}

impl Proof {
    /// What the record of a refusal may hold of it: what the engineer needs to find the mistake, and nothing with which
    /// the assertion could be made again.
    pub fn seen(&self) -> Value {
        let shown = |value: Option<&Value>| match value {
            Some(Value::String(text)) => Value::String(kernel::jose::shortened(text)),
            Some(other @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => other.clone(),
            Some(Value::Array(list)) => Value::String(format!("a list of {}", list.len())),
            Some(Value::Object(_)) => Value::String("an object".to_owned()),
            None => Value::Null,
        };
        let mut seen = Map::new();
        for name in ["alg", "kid", "typ", "aud"] {
            if let Some(value) = self.compact.header.get(name) {
                seen.insert(format!("header.{name}"), shown(Some(value)));
            }
        }
        for name in ["iss", "sub", "aud", "kid", "iat", "nbf", "exp", "scope"] {
            if let Some(value) = self.claims.get(name) {
                seen.insert(name.to_owned(), shown(Some(value)));
            }
        }
        seen.insert("has_jti".to_owned(), Value::Bool(self.claims.contains_key("jti")));
        Value::Object(seen)
    }
}

/// An assertion taken apart; nothing in it is proven.
#[derive(Debug, Clone)]
pub struct Proof {
    compact: Compact,
    claims: Map<String, Value>,
}

/// The single use of a `jti`: to be stored, unique by account and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    pub jti: Hashed,
    /// Later than any moment at which the assertion could be taken.
    pub until: Time,
}

/// What an assertion is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub scopes: Vec<String>,
    pub replay: Option<Replay>,
}

/// Takes an assertion apart.
///
/// # Errors
/// [`AssertionRefused`] for what is no assertion at all.
pub fn named(text: &str, exchange: Exchange) -> Result<(Named, Proof), AssertionRefused> {
    let compact = Compact::parse(text, ASSERTION_BYTES)?;
    if let Some(name) = OWN_KEY.iter().chain(OTHER_RULES).find(|name| compact.header.contains_key(**name)) {
        return Err(AssertionRefused::Header(name));
    }
    if compact
        .header
        .get("typ")
        .is_some_and(|typ| !typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT")))
    {
        return Err(AssertionRefused::Type);
    }
    let claims =
        match strict_json(&compact.payload).map_err(|why| AssertionRefused::Payload(why.to_string()))? {
            Value::Object(claims) => claims,
            _ => return Err(AssertionRefused::Payload("it must be a JSON object".to_owned())),
        };
    let kid = match exchange {
        Exchange::Bearer => compact.header.get("kid"),
        Exchange::SessionToken => claims.get("kid").or_else(|| compact.header.get("kid")),
    };
    let key = kid
        .and_then(Value::as_str)
        .and_then(|kid| ServiceKeyId::parse(kid).ok())
        .ok_or(AssertionRefused::Key)?;
    let account = text_of(&claims, "sub")?.to_owned();
    Ok((Named { account, key }, Proof { compact, claims }))
}

/// Decides an assertion. `key` must have been looked up among the keys of `account` (lesson 16).
///
/// # Errors
/// [`AssertionRefused`]. Nothing about time or scope is said before the signature is proven.
pub fn judge(
    proof: &Proof,
    account: &ServiceAccount,
    key: &ServiceKey,
    partner: &Partner,
    rules: &Rules<'_>,
    wanted: Option<&str>,
) -> Result<Granted, AssertionRefused> {
    check_key(proof, account, key, rules)?;
    check_signature(proof, key)?;
    check_principal(proof, account, rules.exchange)?;
    check_live(account, partner)?;
    check_audience(proof, key, rules)?;
    let expires = check_times(proof, rules.now)?;
    let replay = check_replay(proof, key, expires)?;
    let scopes = check_scopes(proof, account, rules.exchange, wanted)?;
    Ok(Granted { scopes, replay })
}

fn text_of<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, AssertionRefused> {
    claims
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or(AssertionRefused::Claim(name))
}

fn check_key(
    proof: &Proof,
    account: &ServiceAccount,
    key: &ServiceKey,
    rules: &Rules<'_>,
) -> Result<(), AssertionRefused> {
    if key.account != account.email {
        return Err(AssertionRefused::Key);
    }
    if !key.is_live(rules.now) {
        return Err(AssertionRefused::KeyDisabled);
    }
    let taken = match rules.exchange {
        Exchange::Bearer => key.algorithm != Algorithm::Hs256,
        Exchange::SessionToken => key.algorithm == Algorithm::Es256,
    };
    let expected = if taken { key.algorithm.as_str() } else { Algorithm::Es256.as_str() };
    let stated = proof.compact.header.get("alg").and_then(Value::as_str);
    if taken && stated == Some(expected) { Ok(()) } else { Err(AssertionRefused::Algorithm { expected }) }
}

fn check_signature(proof: &Proof, key: &ServiceKey) -> Result<(), AssertionRefused> {
    let public = PublicKey::parse(key.algorithm, &key.public_jwk).map_err(|_| AssertionRefused::Signature)?;
    if proof.compact.proven_by(&public) { Ok(()) } else { Err(AssertionRefused::Signature) }
}

fn check_principal(
    proof: &Proof,
    account: &ServiceAccount,
    exchange: Exchange,
) -> Result<(), AssertionRefused> {
    let issuer = proof.claims.get("iss");
    let issued = match exchange {
        Exchange::Bearer => issuer.and_then(Value::as_str) == Some(&account.email),
        Exchange::SessionToken => issuer.is_none_or(|issuer| issuer.as_str() == Some(&account.email)),
    };
    if issued && text_of(&proof.claims, "sub")? == account.email {
        Ok(())
    } else {
        Err(AssertionRefused::Principal)
    }
}

fn check_live(account: &ServiceAccount, partner: &Partner) -> Result<(), AssertionRefused> {
    let live = account.disabled.is_none() && partner.disabled.is_none() && account.partner == partner.id;
    if live { Ok(()) } else { Err(AssertionRefused::Disabled) }
}

/// Exactly one audience, as a text or a list of one: a list of several is how an assertion for somebody else is
/// made to fit here (lesson 13).
fn check_audience(proof: &Proof, key: &ServiceKey, rules: &Rules<'_>) -> Result<(), AssertionRefused> {
    let stated = match (proof.claims.get("aud"), proof.compact.header.get("aud")) {
        (Some(stated), _) => stated,
        (None, Some(stated)) if key.switches().audience_in_header => stated,
        (None, Some(_)) => return Err(AssertionRefused::AudienceInHeader),
        (None, None) => return Err(AssertionRefused::Claim("aud")),
    };
    let one = match stated {
        Value::String(one) => Some(one.as_str()),
        Value::Array(list) => match list.as_slice() {
            [Value::String(one)] => Some(one.as_str()),
            _ => None,
        },
        _ => None,
    };
    let known = |one: &str| {
        rules.audiences.contains(&one)
            || (key.switches().legacy_audience && rules.legacy_audiences.contains(&one))
    };
    if one.is_some_and(known) {
        return Ok(());
    }
    Err(AssertionRefused::Audience {
        expected: rules.audiences.first().copied().unwrap_or_default().to_owned(),
    })
}

/// `exp`, `nbf`, `iat` in whole seconds (lesson 15). The answer is `exp`.
fn check_times(proof: &Proof, now: Time) -> Result<Time, AssertionRefused> {
    let seconds = |name: &'static str| match proof.claims.get(name) {
        None => Ok(None),
        Some(value) => {
            value.as_i64().map(|at| Some(Time::from_seconds(at))).ok_or(AssertionRefused::Claim(name))
        }
    };
    let expires = seconds("exp")?.ok_or(AssertionRefused::Claim("exp"))?;
    if now >= expires {
        return Err(AssertionRefused::Expired);
    }
    if expires > now.plus_seconds(LIFE_S + AHEAD_S) {
        return Err(AssertionRefused::TooLong);
    }
    for name in ["iat", "nbf"] {
        if seconds(name)?.is_some_and(|at| at > now.plus_seconds(AHEAD_S)) {
            return Err(AssertionRefused::Future);
        }
    }
    if seconds("iat")?.is_some_and(|issued| expires.seconds_since(issued) > LIFE_S) {
        return Err(AssertionRefused::TooLong);
    }
    Ok(expires)
}

fn check_replay(proof: &Proof, key: &ServiceKey, expires: Time) -> Result<Option<Replay>, AssertionRefused> {
    match proof.claims.get("jti") {
        None if key.switches().without_jti => Ok(None),
        None => Err(AssertionRefused::NoJti),
        Some(Value::String(jti)) if (1..=255).contains(&jti.len()) => {
            Ok(Some(Replay { jti: Plain::presented(jti.as_str()).hashed(), until: expires.plus_seconds(1) }))
        }
        Some(_) => Err(AssertionRefused::Claim("jti")),
    }
}

/// The scopes asked for, in the claim or the form field, or all of the account's. Never more than those.
fn check_scopes(
    proof: &Proof,
    account: &ServiceAccount,
    exchange: Exchange,
    wanted: Option<&str>,
) -> Result<Vec<String>, AssertionRefused> {
    let claimed = match (exchange, proof.claims.get("scope")) {
        (Exchange::SessionToken, _) | (Exchange::Bearer, None) => None,
        (Exchange::Bearer, Some(Value::String(scope))) => Some(scope.as_str()),
        (Exchange::Bearer, Some(_)) => return Err(AssertionRefused::Claim("scope")),
    };
    let asked: Vec<&str> = [claimed, wanted]
        .into_iter()
        .flatten()
        .flat_map(|text| text.split(' '))
        .filter(|one| !one.is_empty())
        .collect();
    if asked.is_empty() {
        return Ok(account.scopes.clone());
    }
    if let Some(strange) = asked.iter().find(|one| !account.scopes.iter().any(|own| own == *one)) {
        return Err(AssertionRefused::Scope(kernel::jose::shortened(strange)));
    }
    Ok(account.scopes.iter().filter(|own| asked.contains(&own.as_str())).cloned().collect())
}
