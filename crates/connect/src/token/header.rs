//! Taking a token apart without believing any of it.

use super::shortened;
use crate::refusal::{Code, Refusal};
use crate::signing_key::Algorithm;
use kernel::jose::{Compact, CompactRefused, OTHER_RULES, OWN_KEY};
use serde_json::{Map, Value, json};

/// The largest token in a URL, in bytes (contract `connect.md`, section 1).
pub const GET_BYTES: usize = 8 * 1024;
/// The largest token in a form field, in bytes.
pub const POST_BYTES: usize = 64 * 1000;

/// A token taken apart; nothing in it is proven.
#[derive(Clone, PartialEq, Eq)]
pub struct Peek {
    /// What the header claims. The algorithm that is used comes from the key's record.
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    pub(super) signed: String,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl std::fmt::Debug for Peek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Peek({}, kid {:?})", self.algorithm.as_str(), self.kid)
    }
}

/// Takes `text` apart: at most `max_bytes` long ([`GET_BYTES`] or [`POST_BYTES`]), three parts in base64url
/// without padding, a header that is a JSON object with `alg` and, where present, `typ` = `JWT` and a `kid` of
/// 1 to 128 characters.
///
/// Decisions on the header (RFC 8725; lesson 17): `jwk`, `jku`, `x5u` and `x5c` are refused as
/// `token_algorithm`, because a key that comes with the token proves nothing; `crit`, `b64`, `zip` and `enc` as
/// `token_malformed`, because they change the meaning of the parts and we know none of them. Ignoring them would
/// be allowed for some, but a token that carries them was not made for this gateway.
///
/// # Errors
/// `token_missing`, `token_malformed`, `token_algorithm`.
pub fn peek(text: &str, max_bytes: usize) -> Result<Peek, Refusal> {
    let parts = Compact::parse(text, max_bytes).map_err(refused)?;
    let (algorithm, kid) = read_header(&parts.header)?;
    if parts.signature.is_empty() {
        return Err(malformed("The signature, the token's third part, is empty."));
    }
    Ok(Peek { algorithm, kid, signed: parts.signed, payload: parts.payload, signature: parts.signature })
}

fn refused(why: CompactRefused) -> Refusal {
    match why {
        CompactRefused::Empty => {
            Refusal::new(Code::TokenMissing, "The parameter `tenant` with the signed token is missing.")
        }
        CompactRefused::TooLarge { bytes, most } => {
            let told = format!(
                "The token has {bytes} bytes; at most {most} are taken here. Send it by POST in the form field \
                 `tenant`, which takes more, or carry less in `meta` and `xti`."
            );
            malformed(told).seen(json!({ "bytes": bytes }))
        }
        CompactRefused::Parts { seen } => {
            let told = "A token is three parts with a point between each: header.payload.signature.";
            malformed(told).seen(json!({ "parts": seen }))
        }
        CompactRefused::NotBase64(part) => {
            let told = format!("The token's {part} is not base64url without padding (RFC 7515, section 2).");
            malformed(told).seen(json!({ "part": part }))
        }
        CompactRefused::Header(error) => malformed(format!("The token's header is refused: {error}.")),
        CompactRefused::HeaderNotObject => malformed("The token's header must be a JSON object."),
    }
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::TokenMalformed, message)
}

fn read_header(header: &Map<String, Value>) -> Result<(Algorithm, Option<String>), Refusal> {
    let algorithm = read_algorithm(header)?;
    let has = |name: &&&str| header.keys().any(|known| known == **name);
    if let Some(name) = OWN_KEY.iter().find(has) {
        let told = format!(
            "The header's `{name}` brings a key with the token. Keys are registered with the organization; name one \
             by its id in `kid`."
        );
        return Err(Refusal::new(Code::TokenAlgorithm, told).seen(json!({ "header": name })));
    }
    if let Some(name) = OTHER_RULES.iter().find(has) {
        let told = format!("The header's `{name}` is not known here; leave it out.");
        return Err(malformed(told).seen(json!({ "header": name })));
    }
    match header.get("typ") {
        None => {}
        Some(Value::String(typ)) if typ.eq_ignore_ascii_case("JWT") => {}
        Some(Value::String(typ)) => {
            let told = "The header's `typ` must be `JWT` or be left out.";
            return Err(malformed(told).seen(json!({ "typ": shortened(typ) })));
        }
        Some(_) => return Err(malformed("The header's `typ` must be the text `JWT`.")),
    }
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if (1..=128).contains(&kid.chars().count()) => Some(kid.clone()),
        Some(Value::String(kid)) => {
            let told = "The header's `kid` must have 1 to 128 characters: the id of a signing key.";
            return Err(malformed(told).seen(json!({ "kid": shortened(kid) })));
        }
        Some(_) => return Err(malformed("The header's `kid` must be a text: the id of a signing key.")),
    };
    Ok((algorithm, kid))
}

fn read_algorithm(header: &Map<String, Value>) -> Result<Algorithm, Refusal> {
    match header.get("alg") {
        // Exact spelling: `none` in any case, and what only looks like a known name, is no algorithm.
        Some(Value::String(alg)) => Algorithm::parse(alg).ok_or_else(|| {
            let told = format!(
                "The algorithm `{}` is not accepted. Sign with HS256 and the shared secret, or with a registered \
                 RS256, ES256 or EdDSA key.",
                shortened(alg)
            );
            Refusal::new(Code::TokenAlgorithm, told).seen(json!({ "alg": shortened(alg) }))
        }),
        Some(_) => Err(malformed("The header's `alg` must be a text such as `HS256`.")),
        None => Err(malformed("The header has no `alg`; write `HS256` or your registered key's algorithm.")),
    }
}
