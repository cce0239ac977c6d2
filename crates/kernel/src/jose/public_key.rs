//! A public key, checked before it may vouch for anybody.

use super::Algorithm;
use super::der::{Spki, read_pem};
use super::strict_json;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// The least length of a shared secret, in bytes (RFC 7518, section 3.2: at least that of the hash).
pub const SECRET_BYTES: usize = 32;

/// Private and symmetric members of a JWK (RFC 7518, section 6).
const PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Points of Ed25519 whose order is small, without the sign bit: under such a key anybody can sign.
const SMALL_ORDER: [[u8; 32]; 7] = [
    hex("0000000000000000000000000000000000000000000000000000000000000000"),
    hex("0100000000000000000000000000000000000000000000000000000000000000"),
    hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
];

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated while compiling, where a wrong index is a compile error"
)]
const fn hex(text: &str) -> [u8; 32] {
    const fn digit(byte: u8) -> u8 {
        if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 }
    }
    let (text, mut bytes, mut at) = (text.as_bytes(), [0; 32], 0);
    while at < 32 {
        bytes[at] = digit(text[2 * at]) << 4 | digit(text[2 * at + 1]);
        at += 1;
    }
    bytes
}

/// Why a key is refused. The text never repeats the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    #[error(
        "it is neither a JWK in JSON nor a public key in PEM (`BEGIN PUBLIC KEY`, RSA, P-256 or Ed25519)"
    )]
    Form,
    #[error("the JSON is refused: {0}")]
    Json(String),
    #[error(
        "it holds the private member `{0}`; register the public key only, and replace a private key that was sent around"
    )]
    Private(&'static str),
    #[error("`{member}` must be `{expected}` for {algorithm}")]
    Mismatch { member: &'static str, expected: &'static str, algorithm: &'static str },
    #[error("`{0}` does not allow the key to verify signatures")]
    Use(&'static str),
    #[error("`{0}` is missing or is not base64url of the right length")]
    Member(&'static str),
    #[error("an RSA key must have 2048 to 8192 bits; this one has {0}")]
    RsaSize(usize),
    #[error("the RSA exponent must be odd and at least 3 (usually 65537)")]
    RsaExponent,
    #[error("it is no point on its curve, or one under which anybody can sign")]
    Point,
    #[error("a shared secret must have at least 32 bytes; this one has {0}")]
    SecretShort(usize),
    #[error("HS256 takes a shared secret, no public key")]
    NotPublic,
}

/// A public key, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Big-endian without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed: 4, x, y; 65 bytes.
    P256 {
        point: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
    },
}

impl PublicKey {
    /// Reads a JWK (RFC 7517, RFC 8037) or a PEM `PUBLIC KEY` for `algorithm` and checks it as a key.
    ///
    /// # Errors
    /// [`KeyRefused`].
    pub fn parse(algorithm: Algorithm, text: &str) -> Result<Self, KeyRefused> {
        let key = if text.trim_start().starts_with('{') {
            Self::from_jwk(algorithm, text)?
        } else {
            match (algorithm, read_pem(text).ok_or(KeyRefused::Form)?) {
                (Algorithm::Rs256, Spki::Rsa { n, e }) => Self::Rsa { n, e },
                (Algorithm::Es256, Spki::P256 { point }) => Self::P256 { point },
                (Algorithm::EdDsa, Spki::Ed25519 { x }) => Self::Ed25519 { x },
                (Algorithm::Hs256, _) => return Err(KeyRefused::NotPublic),
                _ => return Err(mismatch("kty", algorithm)),
            }
        };
        key.checked()
    }

    fn from_jwk(algorithm: Algorithm, text: &str) -> Result<Self, KeyRefused> {
        let jwk = strict_json(text.as_bytes()).map_err(|error| KeyRefused::Json(error.to_string()))?;
        let Value::Object(jwk) = jwk else { return Err(KeyRefused::Form) };
        if let Some(name) = PRIVATE.iter().find(|name| jwk.contains_key(**name)) {
            return Err(KeyRefused::Private(name));
        }
        if algorithm == Algorithm::Hs256 {
            return Err(KeyRefused::NotPublic);
        }
        let text_of = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text_of("kty") != Some(expected("kty", algorithm)) {
            return Err(mismatch("kty", algorithm));
        }
        if algorithm != Algorithm::Rs256 && text_of("crv") != Some(expected("crv", algorithm)) {
            return Err(mismatch("crv", algorithm));
        }
        // RFC 9864 renames EdDSA with this curve to Ed25519; both names stand for the same signature.
        let same = |alg: &Value| {
            alg == expected("alg", algorithm) || (algorithm == Algorithm::EdDsa && alg == "Ed25519")
        };
        if jwk.get("alg").is_some_and(|alg| !same(alg)) {
            return Err(mismatch("alg", algorithm));
        }
        may_verify(&jwk)?;
        let bytes = |name: &'static str| {
            text_of(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(KeyRefused::Member(name))
        };
        let exactly = |name: &'static str| {
            bytes(name).and_then(|x| if x.len() == 32 { Ok(x) } else { Err(KeyRefused::Member(name)) })
        };
        let bare = |bytes: Vec<u8>| -> Vec<u8> { bytes.into_iter().skip_while(|byte| *byte == 0).collect() };
        Ok(match algorithm {
            Algorithm::Rs256 => Self::Rsa { n: bare(bytes("n")?), e: bare(bytes("e")?) },
            Algorithm::Es256 => Self::P256 { point: [vec![4], exactly("x")?, exactly("y")?].concat() },
            Algorithm::EdDsa | Algorithm::Hs256 => Self::Ed25519 { x: exactly("x")? },
        })
    }

    fn checked(self) -> Result<Self, KeyRefused> {
        match &self {
            Self::Rsa { n, e } => {
                let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
                if !(2048..=8192).contains(&bits) {
                    return Err(KeyRefused::RsaSize(bits));
                }
                // With e = 1 a signature is the padded message itself: anybody can sign.
                let odd = e.last().is_some_and(|last| last % 2 == 1);
                if !odd || e.as_slice() == [1] || e.len() > 4 {
                    return Err(KeyRefused::RsaExponent);
                }
                let usable =
                    RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
                usable.map_err(|_| KeyRefused::Member("n"))?;
            }
            Self::P256 { point } => {
                let fits = point.len() == 65 && point.first() == Some(&4);
                if !fits || ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_err() {
                    return Err(KeyRefused::Point);
                }
            }
            Self::Ed25519 { x } => {
                let mut unsigned = x.clone();
                if let Some(last) = unsigned.last_mut() {
                    *last &= 0x7f;
                }
                if x.len() != 32 || SMALL_ORDER.iter().any(|small| unsigned == small) {
                    return Err(KeyRefused::Point);
                }
            }
        }
        Ok(self)
    }

    /// Whether `signature` is this key's over `message`.
    pub fn proves(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Self::P256 { point } => {
                // r = s = 0 satisfied broken verifiers (CVE-2022-21449); the library refuses it, and so do we.
                let whole = signature.len() == 64;
                let (r, s) = signature.split_at(signature.len().min(32));
                let zero = |part: &[u8]| part.iter().all(|byte| *byte == 0);
                whole
                    && !zero(r)
                    && !zero(s)
                    && UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                        .verify(message, signature)
                        .is_ok()
            }
            Self::Ed25519 { x } => UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok(),
        }
    }

    /// Only the members that make the key, in the order of RFC 7638.
    pub fn to_jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa { n, e } => json!({ "e": text(e), "kty": "RSA", "n": text(n) }),
            Self::P256 { point } => {
                let (x, y) = point.split_at_checked(33).unwrap_or_default();
                json!({ "crv": "P-256", "kty": "EC", "x": text(x.get(1..).unwrap_or_default()), "y": text(y) })
            }
            Self::Ed25519 { x } => json!({ "crv": "Ed25519", "kty": "OKP", "x": text(x) }),
        }
    }
}

const fn expected(member: &str, algorithm: Algorithm) -> &'static str {
    match (member.as_bytes(), algorithm) {
        (b"kty", Algorithm::Rs256) => "RSA",
        (b"kty", Algorithm::Es256) => "EC",
        (b"kty", _) => "OKP",
        (b"crv", Algorithm::Es256) => "P-256",
        (b"crv", _) => "Ed25519",
        _ => algorithm.as_str(),
    }
}

fn mismatch(member: &'static str, algorithm: Algorithm) -> KeyRefused {
    KeyRefused::Mismatch { member, expected: expected(member, algorithm), algorithm: algorithm.as_str() }
}

/// `use` and `key_ops` (RFC 7517, sections 4.2 and 4.3).
fn may_verify(jwk: &Map<String, Value>) -> Result<(), KeyRefused> {
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err(KeyRefused::Use("use"));
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(_) => Err(KeyRefused::Use("key_ops")),
    }
}

/// Checks a public key for registration: a JWK, or a PEM `PUBLIC KEY`. The answer is what to store: a JWK with
/// nothing but the key itself, always spelled the same way.
///
/// Decision: private members are refused, not dropped, because an organization that sent one must know that
/// the key has left its house.
///
/// # Errors
/// [`KeyRefused`].
pub fn check_jwk(algorithm: Algorithm, text: &str) -> Result<String, KeyRefused> {
    PublicKey::parse(algorithm, text).map(|key| key.to_jwk().to_string())
}

/// Checks a shared secret for registration: at least [`SECRET_BYTES`] long, and not one byte repeated.
///
/// # Errors
/// [`KeyRefused::SecretShort`], with the number of bytes that count.
pub fn check_secret(secret: &[u8]) -> Result<(), KeyRefused> {
    let varied = secret.iter().any(|byte| Some(byte) != secret.first());
    let counted = if varied { secret.len() } else { secret.len().min(1) };
    if counted >= SECRET_BYTES { Ok(()) } else { Err(KeyRefused::SecretShort(counted)) }
}
