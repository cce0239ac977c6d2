//! A delivery that carries a JWT which the outside system signed with a secret of ours (`scheme = "jwt"`).

use super::{Arrival, WebhookRefused, algorithm, secret_bytes};
use crate::connector::{HmacAlgorithm, VerifyRules};
use aws_lc_rs::{constant_time, hmac};
use kernel::jose::{Compact, OTHER_RULES, OWN_KEY, strict_json};
use kernel::secret::sha256_hex;
use kernel::{SecretText, Time};
use serde_json::{Map, Value};

/// The longest token that is read, in bytes.
const LONGEST: usize = 8 * 1024;
/// Members by which a token says which body it came with: its SHA-256 in hexadecimal digits.
const BODY_HASHES: [&str; 2] = ["payload_hash", "request_body_sha256"];

/// Checks the token in the header: HS256, or HS512 where the connector says `alg = "sha512"`.
///
/// Decision: the algorithm is the connector's, and a token without a time is refused. Attack: a token that names `none`
/// or its own key; one that was seen once and is sent for ever. Trade: a sender whose tokens have no time cannot be
/// declared this way. A token that does not say which body it came with proves who sent, not what: whoever sees it can
/// send another body until it ends.
///
/// # Errors
/// [`WebhookRefused`].
pub(super) fn check(
    rules: &VerifyRules,
    secret: &SecretText,
    arrival: &Arrival<'_>,
    now: Time,
) -> Result<(), WebhookRefused> {
    let seen = arrival.header(&rules.header).ok_or(WebhookRefused::Missing)?;
    let token = Compact::parse(bare(rules, seen)?, LONGEST).map_err(|_| WebhookRefused::Malformed)?;
    let wanted = match rules.algorithm {
        HmacAlgorithm::Sha256 => "HS256",
        HmacAlgorithm::Sha512 => "HS512",
        // JOSE has no such algorithm.
        HmacAlgorithm::Sha1 => return Err(WebhookRefused::Malformed),
    };
    let strange = OWN_KEY.iter().chain(OTHER_RULES).any(|name| token.header.contains_key(*name));
    if strange || token.header.get("alg").and_then(Value::as_str) != Some(wanted) {
        return Err(WebhookRefused::Malformed);
    }
    let key = hmac::Key::new(algorithm(rules.algorithm), &secret_bytes(rules, secret)?);
    hmac::verify(&key, token.signed.as_bytes(), &token.signature).map_err(|_| WebhookRefused::Wrong)?;
    let Ok(Value::Object(claims)) = strict_json(&token.payload) else {
        return Err(WebhookRefused::Malformed);
    };
    in_time(rules, &claims, now)?;
    of_this_body(&claims, arrival.body)
}

/// Without what the connector says stands before it; where it says nothing, without `Bearer`.
fn bare<'h>(rules: &VerifyRules, header: &'h str) -> Result<&'h str, WebhookRefused> {
    if !rules.prefix.is_empty() {
        return header.strip_prefix(rules.prefix.as_str()).ok_or(WebhookRefused::Malformed);
    }
    let bearer = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Ok(bearer.map_or(header, |(_, token)| token.trim()))
}

/// `exp`, `nbf` and `iat` (RFC 7519, section 4.1), with the tolerance on both sides. Without an end, it is as old as its
/// `iat` says.
fn in_time(rules: &VerifyRules, claims: &Map<String, Value>, now: Time) -> Result<(), WebhookRefused> {
    let seconds = |name: &str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        // Some write a fraction.
        Some(value) => value.as_f64().map(Some).ok_or(WebhookRefused::Malformed),
    };
    let (end, begin, issued) = (seconds("exp")?, seconds("nbf")?, seconds("iat")?);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let (now, tolerance) = (now.seconds() as f64, rules.tolerance_s as f64);
    let over = match (end, issued) {
        (Some(end), _) => now > end + tolerance,
        (None, Some(issued)) => now > issued + tolerance,
        (None, None) => true,
    };
    let early = [begin, issued].into_iter().flatten().any(|from| from > now + tolerance);
    if over || early { Err(WebhookRefused::Stale) } else { Ok(()) }
}

fn of_this_body(claims: &Map<String, Value>, body: &[u8]) -> Result<(), WebhookRefused> {
    for claim in BODY_HASHES.iter().filter_map(|name| claims.get(*name)) {
        let told = claim.as_str().ok_or(WebhookRefused::Malformed)?.to_ascii_lowercase();
        let same = constant_time::verify_slices_are_equal(told.as_bytes(), sha256_hex(body).as_bytes());
        same.map_err(|_| WebhookRefused::Wrong)?;
    }
    Ok(())
}
