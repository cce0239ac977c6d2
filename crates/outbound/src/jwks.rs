//! Key sets that others publish (RFC 7517, section 5): fetched through the guarded client and kept for a while.

use crate::call_error::CallError;
use crate::client::Client;
use crate::request::Request;
use kernel::{Clock, SafeUrl, Time};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A set answered within this many seconds is used without a question.
const FRESH_SECONDS: i64 = 600;
/// The least time between two fetches of one address, whatever is asked for.
const PAUSE_SECONDS: i64 = 30;
/// How long a set is used while its address does not answer.
const STALE_SECONDS: i64 = 24 * 3600;
const MAX_KEYS: usize = 64;
const MAX_BYTES: usize = 256 * 1024;
const MAX_SETS: usize = 1024;
const MAX_KID: usize = 256;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Members that only a private key has (RFC 7518, section 6). They are dropped where somebody publishes them.
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// Why there is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the key set's address answered with status {0}")]
    Status(u16),
    #[error("the key set's address did not answer with a JSON object that has a list `keys`")]
    NotAKeySet,
    #[error("the key set has more than {MAX_KEYS} keys")]
    TooManyKeys,
}

impl JwksError {
    /// A stable code for programs, logs and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Call(error) => error.code(),
            Self::Status(_) => "jwks_status",
            Self::NotAKeySet => "jwks_form",
            Self::TooManyKeys => "jwks_too_many_keys",
        }
    }
}

/// One public signature key of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    pub kid: Option<String>,
    /// The key's own `alg`, where it has one.
    pub algorithm: Option<String>,
    /// The key as JSON text without private members.
    pub jwk: String,
    shape: (String, Option<String>),
}

impl PublishedKey {
    /// Whether the key can verify this JWS algorithm: by its type and curve, and by its own `alg`.
    pub fn fits(&self, algorithm: &str) -> bool {
        let shape = (self.shape.0.as_str(), self.shape.1.as_deref());
        let by_shape = match algorithm {
            "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => shape.0 == "RSA",
            "ES256" => shape == ("EC", Some("P-256")),
            "ES384" => shape == ("EC", Some("P-384")),
            "EdDSA" | "Ed25519" => shape == ("OKP", Some("Ed25519")),
            _ => false,
        };
        let by_name = self.algorithm.as_deref().is_none_or(|own| {
            own == algorithm || [own, algorithm].iter().all(|name| matches!(*name, "EdDSA" | "Ed25519"))
        });
        by_shape && by_name
    }
}

/// Reads a key set. Keys that are not public signature keys (symmetric ones, those for encryption, those
/// without a type) are left out; everything else about them is the verifier's matter.
///
/// # Errors
/// [`JwksError::NotAKeySet`], [`JwksError::TooManyKeys`].
pub fn parse_key_set(body: &[u8]) -> Result<Vec<PublishedKey>, JwksError> {
    let set: Value = serde_json::from_slice(body).map_err(|_| JwksError::NotAKeySet)?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or(JwksError::NotAKeySet)?;
    if keys.len() > MAX_KEYS {
        return Err(JwksError::TooManyKeys);
    }
    Ok(keys.iter().filter_map(published_key).collect())
}

fn published_key(key: &Value) -> Option<PublishedKey> {
    let mut members = key.as_object()?.clone();
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let (kind, curve, kid) = (text("kty")?, text("crv"), text("kid"));
    let for_signatures = text("use").is_none_or(|purpose| purpose == "sig");
    let known = matches!(kind.as_str(), "RSA" | "EC" | "OKP");
    if !known || !for_signatures || kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
        return None;
    }
    let algorithm = text("alg");
    members.retain(|name, _| !PRIVATE_MEMBERS.contains(&name.as_str()));
    Some(PublishedKey { kid, algorithm, jwk: Value::Object(members).to_string(), shape: (kind, curve) })
}

/// What is known of one address.
#[derive(Debug, Default)]
struct Known {
    keys: Arc<[PublishedKey]>,
    fetched: Option<Time>,
    tried: Option<Time>,
    failure: Option<JwksError>,
}

impl Known {
    fn is_within(&self, now: Time, seconds: i64) -> bool {
        self.fetched.is_some_and(|fetched| now.seconds_since(fetched) < seconds)
    }

    /// The key asked for. Without a kid only a set's one fitting key is meant.
    fn find(&self, kid: Option<&str>, algorithm: &str) -> Option<PublishedKey> {
        let mut fitting = self.keys.iter().filter(|key| key.fits(algorithm));
        match kid {
            Some(kid) => fitting.find(|key| key.kid.as_deref() == Some(kid)).cloned(),
            None => fitting.next().filter(|_| fitting.next().is_none()).cloned(),
        }
    }

    fn verdict(&self, now: Time, kid: Option<&str>, algorithm: &str) -> Verdict {
        let found = self.find(kid, algorithm).filter(|_| self.is_within(now, STALE_SECONDS));
        // Decision: an unknown kid, which anybody can send, and an address that does not answer cause one
        // fetch per pause. Attack: the gateway made to hammer somebody's key server. Trade: a new key is
        // known up to 30 s late.
        let paused = self.tried.is_some_and(|tried| now.seconds_since(tried) < PAUSE_SECONDS);
        match found {
            Some(key) if paused || self.is_within(now, FRESH_SECONDS) => Verdict::Answer(Ok(Some(key))),
            Some(key) => Verdict::Refresh(key),
            None if !paused => Verdict::Fetch,
            None => match &self.failure {
                Some(failure) => Verdict::Answer(Err(failure.clone())),
                None => Verdict::Answer(Ok(None)),
            },
        }
    }
}

enum Verdict {
    Answer(Result<Option<PublishedKey>, JwksError>),
    /// The set is old but good: whoever does not fetch goes on with this key.
    Refresh(PublishedKey),
    Fetch,
}

/// One address: what is known, and the permit of the one fetch that may be in flight.
#[derive(Debug, Default)]
struct KeySet {
    known: Mutex<Known>,
    permit: tokio::sync::Mutex<()>,
}

impl KeySet {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Key sets by address. Fresh for 10 min; re-read at an unknown kid, at most once per 30 s; kept for 24 h while
/// the address does not answer; one fetch in flight per address. Share one per process.
#[derive(Debug)]
pub struct JwksCache {
    client: Client,
    clock: Arc<dyn Clock>,
    sets: Mutex<HashMap<String, Arc<KeySet>>>,
}

impl JwksCache {
    pub fn new(client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock, sets: Mutex::default() }
    }

    /// The key with this `kid` that fits the JWS algorithm of the key's record (`RS256`, `ES256`, `EdDSA`).
    /// `Ok(None)`: the set is known and has no such key.
    ///
    /// # Errors
    /// [`JwksError`] where the address gives no key set and no usable older one is kept.
    pub async fn find(
        &self,
        address: &SafeUrl,
        kid: Option<&str>,
        algorithm: &str,
    ) -> Result<Option<PublishedKey>, JwksError> {
        let set = self.set(address);
        let verdict = set.known().verdict(self.clock.now(), kid, algorithm);
        let permit = match verdict {
            Verdict::Answer(answer) => return answer,
            Verdict::Refresh(key) => match set.permit.try_lock() {
                Ok(permit) => permit,
                Err(_) => return Ok(Some(key)),
            },
            Verdict::Fetch => set.permit.lock().await,
        };
        // Whoever held the permit before may have fetched what is asked for here.
        let verdict = set.known().verdict(self.clock.now(), kid, algorithm);
        if let Verdict::Answer(answer) = verdict {
            return answer;
        }
        let fetched = self.fetch(address).await;
        let now = self.clock.now();
        let answer = {
            let mut known = set.known();
            known.tried = Some(now);
            match fetched {
                Ok(keys) => {
                    *known = Known { keys: keys.into(), fetched: Some(now), tried: Some(now), failure: None };
                }
                Err(failure) => {
                    tracing::warn!(host = address.as_url().host_str(), code = failure.code(), "no key set");
                    known.failure = Some(failure);
                }
            }
            known.verdict(now, kid, algorithm)
        };
        drop(permit);
        match answer {
            Verdict::Answer(answer) => answer,
            Verdict::Refresh(key) => Ok(Some(key)),
            Verdict::Fetch => Ok(None),
        }
    }

    fn set(&self, address: &SafeUrl) -> Arc<KeySet> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = sets.get(address.as_str()) {
            return Arc::clone(set);
        }
        if sets.len() >= MAX_SETS {
            let oldest =
                sets.iter().min_by_key(|(_, set)| set.known().tried).map(|(address, _)| address.clone());
            oldest.and_then(|address| sets.remove(&address));
        }
        Arc::clone(sets.entry(address.as_str().to_owned()).or_default())
    }

    async fn fetch(&self, address: &SafeUrl) -> Result<Vec<PublishedKey>, JwksError> {
        let request = Request::get(address.as_url().clone())
            .accept("application/jwk-set+json, application/json")
            .timeout(FETCH_TIMEOUT)
            .max_body(MAX_BYTES)
            .max_redirects(2);
        let answer = self.client.send(request).await?;
        if !answer.is_success() {
            return Err(JwksError::Status(answer.status));
        }
        parse_key_set(&answer.body)
    }
}

#[cfg(test)]
mod tests;
