//! Secrets with types: what is shown once, what is kept of it, and text that must not be printed.

use crate::Chance;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// SHA-256 of `bytes` as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// SHA-256 of `bytes` in base64url without padding, 43 characters.
pub fn sha256_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, bytes))
}

/// Two lower-case hexadecimal digits for each byte. Every request needs some, so no formatter is asked for each.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' - 10 + half };
    let digits: Vec<u8> = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    String::from_utf8(digits).unwrap_or_default()
}

/// A random 256-bit secret in base64url, 43 characters, with an optional readable prefix.
///
/// It exists only between its making and the answer that shows it; storage keeps [`Plain::hashed`].
#[derive(Clone, PartialEq, Eq)]
pub struct Plain(String);

impl Plain {
    pub fn new(chance: &dyn Chance) -> Self {
        Self::with_prefix("", chance)
    }

    /// With a prefix such as `vst_live_`, which scanners for leaked secrets can look for.
    pub fn with_prefix(prefix: &str, chance: &dyn Chance) -> Self {
        let mut bytes = chance.bytes::<32>();
        let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
        bytes.zeroize();
        Self(text)
    }

    /// What a caller presented. Anything may be presented; only the hash is compared.
    pub fn presented(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What is stored and looked up: SHA-256 in hexadecimal. No password hash, because the secret already
    /// has 256 bits of entropy.
    pub fn hashed(&self) -> Hashed {
        Hashed(sha256_hex(self.0.as_bytes()))
    }

    /// Shows the secret: for the one answer that carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain(..)")
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// SHA-256 of a [`Plain`], safe to store and to use as a key.
#[expect(clippy::derived_hash_with_manual_eq, reason = "equal as the derived one, only in constant time")]
#[derive(Debug, Clone, PartialOrd, Ord, Hash)]
pub struct Hashed(String);

impl Hashed {
    /// What a column holds. It came from [`Plain::hashed`].
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Hashed {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Hashed {}

/// Text that must never reach a log: a password, an access token, a client secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecretText(String);

impl SecretText {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Shows the secret: for the request that carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededChance;

    #[test]
    fn a_plain_secret_hides_itself() {
        let secret = Plain::with_prefix("vst_", &SeededChance::new(7));
        assert_eq!(secret.reveal().len(), 4 + 43);
        assert_eq!(format!("{secret:?}"), "Plain(..)");
        assert_eq!(format!("{:?}", SecretText::new("hunter2")), "SecretText(..)");
        assert_eq!(Plain::presented(secret.reveal()).hashed(), secret.hashed());
    }

    #[test]
    fn every_byte_is_two_digits() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
        assert_eq!(hex(&[]), "");
    }

    #[test]
    fn the_hash_is_sha256() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Plain::presented("").hashed().as_str(), empty);
    }
}
