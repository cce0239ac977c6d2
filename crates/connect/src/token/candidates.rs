//! Which of the organization's keys may have signed a token.

use super::{Peek, shortened};
use crate::refusal::{Code, Refusal};
use crate::signing_key::{Material, SigningKey};
use kernel::Time;
use serde_json::json;

/// The keys to try, in the order of `keys`, which are those of the landing's organization and environment only.
///
/// `kid` is one of our ids: exactly that key. `kid` is another text: the keys published by URL, in whose sets
/// the caller looks it up. No `kid`: every live key of the header's algorithm, except those
/// published by URL, which cannot be chosen among without one.
///
/// Decision: a `kid` is compared with records and nothing else; it never becomes part of a path or a query
/// (lesson 17). The header's algorithm must equal the record's, or a public key could be used as a shared
/// secret; the trade is that a key signs with one algorithm only.
///
/// # Errors
/// `token_signature` where no live key is meant, `token_algorithm` where the algorithm is not the key's.
pub fn candidates<'k>(
    peek: &Peek,
    keys: &'k [SigningKey],
    now: Time,
) -> Result<Vec<&'k SigningKey>, Refusal> {
    let Some(kid) = peek.kid.as_deref() else { return without_kid(peek, keys, now) };
    if let Some(key) = keys.iter().find(|key| key.id.as_str() == kid) {
        if key.revoked.is_some() {
            return Err(unusable(kid, "was revoked"));
        }
        if !key.is_live(now) {
            return Err(unusable(kid, "was replaced, and the overlap after its rotation has ended"));
        }
        return if key.algorithm == peek.algorithm {
            Ok(vec![key])
        } else {
            Err(other_algorithm(peek, [key].into_iter()))
        };
    }
    let published = |key: &&SigningKey| matches!(key.material, Material::JwksUrl(_)) && key.is_live(now);
    let found: Vec<_> = keys.iter().filter(published).filter(|key| key.algorithm == peek.algorithm).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if keys.iter().any(|key| published(&key)) {
        return Err(other_algorithm(peek, keys.iter().filter(published)));
    }
    Err(unusable(kid, "is not a signing key of this organization in this environment"))
}

fn without_kid<'k>(peek: &Peek, keys: &'k [SigningKey], now: Time) -> Result<Vec<&'k SigningKey>, Refusal> {
    let live: Vec<_> = keys.iter().filter(|key| key.is_live(now)).collect();
    if live.is_empty() {
        let told = "This organization has no signing key in this environment that is in use. Make one and sign with it.";
        return Err(Refusal::new(Code::TokenSignature, told));
    }
    let fitting: Vec<_> = live.iter().copied().filter(|key| key.algorithm == peek.algorithm).collect();
    if fitting.is_empty() {
        return Err(other_algorithm(peek, live.into_iter()));
    }
    let inline: Vec<_> =
        fitting.into_iter().filter(|key| !matches!(key.material, Material::JwksUrl(_))).collect();
    if inline.is_empty() {
        let told = "The token has no `kid`, and the organization publishes its keys as a set by URL. Write the key's \
                    `kid` from that set into the header.";
        return Err(Refusal::new(Code::TokenSignature, told));
    }
    Ok(inline)
}

fn unusable(kid: &str, why: &str) -> Refusal {
    let told = format!(
        "The header's `kid` {why}. Sign with a key that is in use, and name its id or leave `kid` out."
    );
    Refusal::new(Code::TokenSignature, told).seen(json!({ "kid": shortened(kid) }))
}

fn other_algorithm<'k>(peek: &Peek, keys: impl Iterator<Item = &'k SigningKey>) -> Refusal {
    let mut registered: Vec<&str> = keys.map(|key| key.algorithm.as_str()).collect();
    registered.sort_unstable();
    registered.dedup();
    let told = format!(
        "The token is signed with {}, but the key is registered for {}. The algorithm comes from the key's record.",
        peek.algorithm.as_str(),
        registered.join(", ")
    );
    Refusal::new(Code::TokenAlgorithm, told)
        .seen(json!({ "alg": peek.algorithm.as_str(), "registered": registered }))
}
