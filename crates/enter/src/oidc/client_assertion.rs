//! `private_key_jwt` as RFC 10070 has it: the issuer is the only audience.

use super::Client;
use kernel::jose::{Algorithm, Compact, CompactRefused, OTHER_RULES, OWN_KEY, PublicKey, strict_json};
use kernel::{Hashed, Plain, Time};
use serde_json::{Map, Value};

/// `client_assertion_type` (RFC 7523, section 2.2).
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The `typ` that RFC 10070 gives it. `JWT` and none are taken too, because libraries in the field send those.
const TYPE: &str = "client-authentication+jwt";
const BYTES: usize = 8 * 1024;
/// How far ahead `exp` may lie, in seconds.
const LIFE_S: i64 = 3600;
const AHEAD_S: i64 = 60;

/// `invalid_client`, with words for the app's engineer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientAssertionRefused {
    #[error("client_assertion is no JWT: {0}")]
    Form(#[from] CompactRefused),
    #[error("client_assertion's header member `{0}` is not taken here")]
    Header(&'static str),
    #[error("client_assertion's `typ` must be `client-authentication+jwt`")]
    Type,
    #[error("client_assertion must be signed with {0}")]
    Algorithm(&'static str),
    #[error("client_assertion's signature is that of no key of this client")]
    Signature,
    #[error("client_assertion's payload is refused: {0}")]
    Payload(String),
    #[error("client_assertion's `iss` and `sub` must both be the client_id")]
    Principal,
    #[error("client_assertion's `aud` must be the issuer `{0}` and nothing else")]
    Audience(String),
    #[error("client_assertion's `{0}` is missing or of the wrong type")]
    Claim(&'static str),
    #[error("client_assertion has expired")]
    Expired,
    #[error("client_assertion lives too long: `exp` at most one hour ahead")]
    TooLong,
    #[error("client_assertion's `iat` or `nbf` lies in the future")]
    Future,
}

/// A proven assertion's single use: to be stored, unique by client and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientProof {
    pub jti: Hashed,
    pub until: Time,
}

/// Judges a client assertion. `keys` are the client's own, registered or fetched.
///
/// # Errors
/// [`ClientAssertionRefused`].
pub fn judge_client_assertion(
    text: &str,
    client: &Client,
    algorithm: Algorithm,
    keys: &[String],
    issuer: &str,
    now: Time,
) -> Result<ClientProof, ClientAssertionRefused> {
    let compact = Compact::parse(text, BYTES)?;
    check_header(&compact, algorithm)?;
    let key_proves = |jwk: &String| PublicKey::parse(algorithm, jwk).is_ok_and(|key| compact.proven_by(&key));
    if !keys.iter().any(key_proves) {
        return Err(ClientAssertionRefused::Signature);
    }
    let claims = match strict_json(&compact.payload)
        .map_err(|why| ClientAssertionRefused::Payload(why.to_string()))?
    {
        Value::Object(claims) => claims,
        _ => return Err(ClientAssertionRefused::Payload("it must be a JSON object".to_owned())),
    };
    let is_client = |name: &str| claims.get(name).and_then(Value::as_str) == Some(client.id.as_str());
    if !is_client("iss") || !is_client("sub") {
        return Err(ClientAssertionRefused::Principal);
    }
    check_audience(&claims, issuer)?;
    let expires = check_times(&claims, now)?;
    let jti = claims.get("jti").and_then(Value::as_str).filter(|jti| (1..=255).contains(&jti.len()));
    let jti = Plain::presented(jti.ok_or(ClientAssertionRefused::Claim("jti"))?).hashed();
    Ok(ClientProof { jti, until: expires.plus_seconds(1) })
}

fn check_header(compact: &Compact, algorithm: Algorithm) -> Result<(), ClientAssertionRefused> {
    if let Some(name) = OWN_KEY.iter().chain(OTHER_RULES).find(|name| compact.header.contains_key(**name)) {
        return Err(ClientAssertionRefused::Header(name));
    }
    match compact.header.get("typ") {
        None => {}
        Some(Value::String(typ)) if typ.eq_ignore_ascii_case(TYPE) || typ.eq_ignore_ascii_case("JWT") => {}
        Some(_) => return Err(ClientAssertionRefused::Type),
    }
    // A shared secret would be one that we keep only as a hash; and no public key may serve as one (lesson 17).
    let fits = algorithm != Algorithm::Hs256
        && compact.header.get("alg").and_then(Value::as_str) == Some(algorithm.as_str());
    if fits { Ok(()) } else { Err(ClientAssertionRefused::Algorithm(algorithm.as_str())) }
}

/// The issuer, as a text or as a list of one (lesson 13): an assertion that also fits elsewhere could have been
/// made for elsewhere.
fn check_audience(claims: &Map<String, Value>, issuer: &str) -> Result<(), ClientAssertionRefused> {
    let fits = match claims.get("aud") {
        Some(Value::String(one)) => one == issuer,
        Some(Value::Array(list)) => matches!(list.as_slice(), [Value::String(one)] if one == issuer),
        _ => false,
    };
    if fits { Ok(()) } else { Err(ClientAssertionRefused::Audience(issuer.to_owned())) }
}

fn check_times(claims: &Map<String, Value>, now: Time) -> Result<Time, ClientAssertionRefused> {
    let seconds = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            value.as_i64().map(|at| Some(Time::from_seconds(at))).ok_or(ClientAssertionRefused::Claim(name))
        }
    };
    let expires = seconds("exp")?.ok_or(ClientAssertionRefused::Claim("exp"))?;
    if now >= expires {
        return Err(ClientAssertionRefused::Expired);
    }
    if expires > now.plus_seconds(LIFE_S + AHEAD_S) {
        return Err(ClientAssertionRefused::TooLong);
    }
    for name in ["iat", "nbf"] {
        if seconds(name)?.is_some_and(|at| at > now.plus_seconds(AHEAD_S)) {
            return Err(ClientAssertionRefused::Future);
        }
    }
    Ok(expires)
}
