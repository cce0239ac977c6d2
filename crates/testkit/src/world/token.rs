//! A tenant token in the making, and the ten lines with which a company signs it.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// Claims and header of a token, good unless a test spoils them.
#[derive(Debug, Clone)]
pub struct Token {
    header: Map<String, Value>,
    claims: Value,
    secret: String,
}

impl Token {
    pub(super) fn new(claims: Value, secret: &str) -> Self {
        let mut header = Map::new();
        header.insert("alg".to_owned(), json!("HS256"));
        header.insert("typ".to_owned(), json!("JWT"));
        Self { header, claims, secret: secret.to_owned() }
    }

    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "the claim's own name; nothing is subtracted")]
    pub fn sub(self, sub: &str) -> Self {
        self.claim("sub", sub)
    }

    /// Sets the claim at a path of members, such as `ti.xti.token`.
    ///
    /// # Panics
    /// When a member of the path is no object.
    #[must_use]
    pub fn claim(mut self, path: &str, value: impl Into<Value>) -> Self {
        let (parents, last) = path.rsplit_once('.').map_or(("", path), |(parents, last)| (parents, last));
        let mut place = &mut self.claims;
        for name in parents.split('.').filter(|name| !name.is_empty()) {
            let object = place.as_object_mut().expect("an object on the way");
            place = object.entry(name).or_insert_with(|| json!({}));
        }
        place.as_object_mut().expect("an object").insert(last.to_owned(), value.into());
        self
    }

    /// Takes the claim at a path away.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        let (parents, last) = path.rsplit_once('.').map_or(("", path), |(parents, last)| (parents, last));
        let pointer = parents
            .split('.')
            .filter(|name| !name.is_empty())
            .fold(String::new(), |at, name| at + "/" + name);
        if let Some(object) = self.claims.pointer_mut(&pointer).and_then(Value::as_object_mut) {
            object.shift_remove(last);
        }
        self
    }

    /// Sets a member of the header, such as `kid`.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Signs with another secret.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.secret);
        self
    }

    /// What a library that is not ours signs.
    #[must_use]
    pub const fn claims(&self) -> &Value {
        &self.claims
    }

    /// The compact form, signed with HMAC-SHA-256 whatever the header says.
    #[must_use]
    pub fn sign(&self) -> String {
        hs256(
            &Value::Object(self.header.clone()).to_string(),
            &self.claims.to_string(),
            self.secret.as_bytes(),
        )
    }
}

/// A compact token of exactly these texts, signed with HMAC-SHA-256 (RFC 7515, RFC 7518).
#[must_use]
pub fn hs256(header: &str, payload: &str, secret: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
