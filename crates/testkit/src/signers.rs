//! Tokens signed by libraries that this project did not write: PyJWT and npm's jose.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{node, python};

/// One token to sign.
#[derive(Clone, Debug, Serialize)]
pub struct Order {
    /// `HS256`, `RS256`, `ES256` or `EdDSA`, and what else the library knows.
    pub alg: String,
    /// The secret's text for HS256, else a private key as PEM (PKCS #8).
    pub key: String,
    /// Members added to `alg` and `typ` in the header, such as `kid`.
    pub header: Map<String, Value>,
    pub claims: Value,
}

impl Order {
    #[must_use]
    pub fn new(alg: &str, key: &str, claims: Value) -> Self {
        Self { alg: alg.to_owned(), key: key.to_owned(), header: Map::new(), claims }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }
}

/// A fresh key pair of an asymmetric algorithm.
#[derive(Clone, Deserialize)]
pub struct KeyPair {
    pub alg: String,
    /// PKCS #8.
    pub private_pem: String,
    /// SubjectPublicKeyInfo.
    pub public_pem: String,
    /// RFC 7517, without `kid`, `alg` and `use`.
    pub public_jwk: Value,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyPair").field("alg", &self.alg).finish_non_exhaustive()
    }
}

/// Compact tokens in the order of the orders, signed by PyJWT in one process.
///
/// # Panics
/// When PyJWT refuses one of them.
#[must_use]
pub fn sign_with_pyjwt(orders: &[Order]) -> Vec<String> {
    answer(&python::run("sign_token.py", NONE, &question(orders)))
}

/// Compact tokens in the order of the orders, signed by jose in one process.
///
/// # Panics
/// When jose refuses one of them.
#[must_use]
pub fn sign_with_jose(orders: &[Order]) -> Vec<String> {
    answer(&node::run("sign_token.mjs", NONE, &question(orders)))
}

/// Fresh key pairs made by jose, one for each algorithm (`RS256` with 2048 bits, `ES256`, `EdDSA`).
///
/// # Panics
/// When jose does not know an algorithm.
#[must_use]
pub fn key_pairs(algorithms: &[&str]) -> Vec<KeyPair> {
    answer(&node::run("make_keys.mjs", NONE, &question(algorithms)))
}

const NONE: [&str; 0] = [];

fn question<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data becomes JSON")
}

fn answer<T: for<'a> Deserialize<'a>>(text: &str) -> Vec<T> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("the signer answered {text:?}: {error}"))
}
