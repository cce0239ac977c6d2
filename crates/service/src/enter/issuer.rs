//! The gateway's own signing keys at work: made at their first use, changed by plan, kept opened in memory.

use super::private_key::Private;
use crate::{Fault, Service};
use ::enter::ids::IssuerKeyId;
use ::enter::signing::{self, IssuerKey, Rhythm, Step};
use kernel::audit::Event;
use kernel::jose::{Algorithm, Compact, OTHER_RULES, OWN_KEY, PublicKey, SigningKey, strict_json};
use kernel::{Actor, Environment, Hashed, Plain, Time};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use store::issuer_keys::{self, KeptKey};
use store::{DbError, audit};

/// How long a set is used without asking the database whether it is still the present one, in seconds.
///
/// Decision: a key is published a day before it signs and an hour after, so that a node which is half a minute
/// behind harms nobody. Trade: a key that is taken away by hand is believed so much longer.
const FRESH_S: i64 = 30;
/// The least time between two looks for a `kid` that is unknown, which anybody can send, in seconds.
const LOOK_AGAIN_S: i64 = 1;
/// The largest token of our own that is read, in bytes.
const TOKEN_BYTES: usize = 8 * 1024;

/// One environment's keys, opened.
pub struct KeySet {
    version: [i64; 4],
    keys: Vec<IssuerKey>,
    private: HashMap<IssuerKeyId, Arc<Private>>,
    public: HashMap<IssuerKeyId, PublicKey>,
    document: Arc<str>,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({:?})", self.keys.iter().map(|key| &key.id).collect::<Vec<_>>())
    }
}

impl KeySet {
    /// The JWKS document.
    pub fn document(&self) -> Arc<str> {
        Arc::clone(&self.document)
    }

    fn signing(&self, algorithm: Algorithm, now: Time) -> Option<&Arc<Private>> {
        let key = signing::current(&self.keys, algorithm, now)?;
        self.private.get(&key.id)
    }

    fn knows(&self, kid: &str) -> bool {
        signing::published(&self.keys, kid).is_some()
    }

    /// The claims of a token that one of these keys has signed as `typ`, and which; nothing else about it is judged.
    fn proven(&self, compact: &Compact, typ: &str) -> Option<Proven> {
        let text = |name: &str| compact.header.get(name).and_then(Value::as_str);
        let foreign = OWN_KEY.iter().chain(OTHER_RULES).any(|name| compact.header.contains_key(*name));
        // Exactly the `typ` that we write: an ID token is no access token, nor the other way round (lesson 8).
        if foreign || text("typ") != Some(typ) {
            return None;
        }
        let key = signing::published(&self.keys, text("kid")?)?;
        // The algorithm is the record's; a header that says otherwise is not ours (lesson 17).
        if text("alg") != Some(key.algorithm.as_str()) || !compact.proven_by(self.public.get(&key.id)?) {
            return None;
        }
        match strict_json(&compact.payload) {
            Ok(Value::Object(claims)) => {
                Some(Proven { by: key.id.clone(), typ: typ.to_owned(), claims: Arc::new(claims) })
            }
            _ => None,
        }
    }
}

/// A token whose signature was proven before.
#[derive(Debug, Clone)]
struct Proven {
    by: IssuerKeyId,
    typ: String,
    claims: Arc<Map<String, Value>>,
}

#[derive(Debug, Clone)]
struct Known {
    set: Arc<KeySet>,
    checked: Time,
}

/// The sets that are in memory.
#[derive(Debug, Default)]
pub struct Issuers {
    known: RwLock<HashMap<Environment, Known>>,
    /// By the hash of the whole token, so that nothing but the same bytes is found again.
    proven: Mutex<HashMap<(Environment, Hashed), Proven>>,
    /// Held by the one task of this process that makes keys.
    making: tokio::sync::Mutex<()>,
}

impl Issuers {
    fn known(&self, environment: Environment) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&environment).cloned()
    }

    fn put(&self, environment: Environment, set: &Arc<KeySet>, checked: Time) {
        let known = Known { set: Arc::clone(set), checked };
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(environment, known);
    }
}

/// Proven tokens that are remembered; when there are more, all are proven anew.
const PROVEN_MOST: usize = 8192;

impl Issuers {
    /// Decision: a signature is checked once for each token and process, because apps show the same one many times and
    /// the check is most of what an answer costs. Everything else about the token is looked at every time: that its
    /// key is still published, its times, and what it rests on. Trade: a few megabytes.
    fn proven(&self, environment: Environment, hash: &Hashed, typ: &str) -> Option<Proven> {
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven.get(&(environment, hash.clone())).filter(|proven| proven.typ == typ).cloned()
    }

    fn remember(&self, environment: Environment, hash: Hashed, proven: Proven) {
        let mut all = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= PROVEN_MOST {
            all.clear();
        }
        all.insert((environment, hash), proven);
    }
}

fn within(known: &Known, now: Time, seconds: i64) -> bool {
    (0..seconds).contains(&now.seconds_since(known.checked))
}

/// Where the private half of a key is sealed for.
pub fn place_of(environment: Environment, id: &IssuerKeyId) -> String {
    format!("issuer-key:{environment}:{id}")
}

impl Service {
    /// The environment's keys; the first use makes them.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn issuer_keys(&self, environment: Environment) -> Result<Arc<KeySet>, Fault> {
        let now = self.clock.now();
        let known = self.issuers.known(environment);
        if let Some(known) = &known
            && within(known, now, FRESH_S)
        {
            return Ok(Arc::clone(&known.set));
        }
        let read = self.db.read(move |tx| Box::pin(issuer_keys::version(tx, environment)));
        let version = read.await.map_err(Fault::from)?;
        if let Some(known) = known.filter(|known| known.set.version == version) {
            self.issuers.put(environment, &known.set, now);
            return Ok(known.set);
        }
        let set = self.read_issuer_keys(environment).await?;
        let complete =
            |set: &KeySet| signing::ALGORITHMS.iter().all(|algorithm| set.signing(*algorithm, now).is_some());
        if complete(&set) {
            self.issuers.put(environment, &set, now);
            return Ok(set);
        }
        let making = self.issuers.making.lock().await;
        let set = self.read_issuer_keys(environment).await?;
        let set = if complete(&set) {
            set
        } else {
            self.do_what_is_due(environment, true).await?;
            self.read_issuer_keys(environment).await?
        };
        drop(making);
        self.issuers.put(environment, &set, now);
        Ok(set)
    }

    async fn read_issuer_keys(&self, environment: Environment) -> Result<Arc<KeySet>, Fault> {
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                // The version first: a change in between makes the set look old, never new.
                let version = issuer_keys::version(tx, environment).await?;
                Ok::<_, DbError>((version, issuer_keys::kept(tx, environment).await?))
            })
        });
        let (version, kept) = read.await?;
        let (mut private, mut public) = (HashMap::new(), HashMap::new());
        for KeptKey { key, private_key, .. } in &kept {
            let wrong = |what: &str| Fault::broken(format!("signing key {}: {what}", key.id));
            let parsed = PublicKey::parse(key.algorithm, &key.public_jwk);
            public.insert(key.id.clone(), parsed.map_err(|_| wrong("its public half does not read"))?);
            let opened = self.vault.masters().open(&place_of(environment, &key.id), private_key)?;
            let read = SigningKey::from_der(key.algorithm, &opened);
            let read = read.map_err(|_| wrong("its private half does not read"))?;
            private.insert(key.id.clone(), Arc::new(Private::new(&key.id, key.algorithm, read)));
        }
        let keys: Vec<IssuerKey> = kept.into_iter().map(|kept| kept.key).collect();
        let document = signing::jwks(&keys).to_string().into();
        Ok(Arc::new(KeySet { version, keys, private, public, document }))
    }

    /// Does what is due: makes the next keys, retires and removes older ones. Any number of nodes may do it at the
    /// same time. The first keys are not made here but at their first use. How many steps it did.
    ///
    /// # Errors
    /// [`Fault`]; what was done until then stays done.
    pub async fn keep_issuer_keys(&self, environment: Environment) -> Result<usize, Fault> {
        self.do_what_is_due(environment, false).await
    }

    async fn do_what_is_due(&self, environment: Environment, also_the_first: bool) -> Result<usize, Fault> {
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let mut last = Vec::new();
                for algorithm in signing::ALGORITHMS {
                    last.push((algorithm, issuer_keys::newest(tx, environment, algorithm).await?));
                }
                Ok::<_, DbError>((last, issuer_keys::kept(tx, environment).await?))
            })
        });
        let (last, kept) = read.await?;
        if !also_the_first && last.iter().all(|(_, last)| *last == 0) {
            return Ok(0);
        }
        let keys: Vec<IssuerKey> = kept.into_iter().map(|kept| kept.key).collect();
        let steps = signing::plan(&keys, Rhythm::default(), self.clock.now());
        let mut done = 0;
        for step in steps {
            let did = match step {
                Step::Create { algorithm, active } => {
                    // Read before the plan was made: where another node was faster, its key has the generation that
                    // ours would have, and ours is dropped.
                    let last = last.iter().find(|(one, _)| *one == algorithm).map_or(0, |(_, last)| *last);
                    self.create_issuer_key(environment, algorithm, active, last).await?
                }
                Step::Retire(id) => self.end_issuer_key(environment, id, false).await?,
                Step::Remove(id) => self.end_issuer_key(environment, id, true).await?,
            };
            done += usize::from(did);
        }
        Ok(done)
    }

    async fn create_issuer_key(
        &self,
        environment: Environment,
        algorithm: Algorithm,
        active: Time,
        last: i64,
    ) -> Result<bool, Fault> {
        let made = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await;
        let failed = |what: String| Fault::broken(format!("a signing key could not be made: {what}"));
        let made = made.map_err(|error| failed(error.to_string()))?;
        let made = made.map_err(|error| failed(error.to_string()))?;
        let id = IssuerKeyId::new(&*self.chance);
        let pkcs8 = made.to_pkcs8().map_err(|error| failed(error.to_string()))?;
        let private_key = self.vault.masters().seal(&place_of(environment, &id), &pkcs8, &*self.chance)?;
        let now = self.clock.now();
        let key = IssuerKey {
            id,
            algorithm,
            public_jwk: made.public().to_jwk().to_string(),
            published: now,
            active,
            retired: None,
            removed: None,
        };
        let event = self.issuer_event("issuer_key.created", &key.id, environment);
        let event = event.with(json!({ "environment": environment.as_str(), "algorithm": algorithm.as_str(),
            "active_at": active.iso_seconds() }));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let new = KeptKey { key, generation: last.saturating_add(1), private_key };
                let inserted = issuer_keys::insert_if_new(tx, environment, &new).await?;
                if inserted {
                    audit::insert(tx, &event).await?;
                }
                Ok::<_, DbError>(inserted)
            })
        });
        Ok(write.await?)
    }

    async fn end_issuer_key(
        &self,
        environment: Environment,
        id: IssuerKeyId,
        remove: bool,
    ) -> Result<bool, Fault> {
        let now = self.clock.now();
        let action = if remove { "issuer_key.removed" } else { "issuer_key.retired" };
        let event = self.issuer_event(action, &id, environment);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let ended = match remove {
                    true => issuer_keys::remove(tx, environment, &id, now).await?,
                    false => issuer_keys::retire(tx, environment, &id, now).await?,
                };
                if ended {
                    audit::insert(tx, &event).await?;
                }
                Ok::<_, DbError>(ended)
            })
        });
        Ok(write.await?)
    }

    fn issuer_event(&self, action: &'static str, id: &IssuerKeyId, environment: Environment) -> Event {
        let event = Event::new(action, id.as_str(), None, Actor::Gateway, self.clock.now(), &*self.chance);
        event.with(json!({ "environment": environment.as_str() }))
    }

    /// A JWS in compact form over `payload`, by the environment's present key of this algorithm, with this `typ`.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn sign(
        &self,
        environment: Environment,
        algorithm: Algorithm,
        typ: &'static str,
        payload: String,
    ) -> Result<String, Fault> {
        let set = self.issuer_keys(environment).await?;
        let key = set.signing(algorithm, self.clock.now()).ok_or_else(|| {
            Fault::broken(format!("there is no {} key in {environment}", algorithm.as_str()))
        })?;
        let failed =
            |error: &dyn fmt::Display| Fault::broken(format!("a token could not be signed: {error}"));
        if algorithm != Algorithm::Rs256 {
            return key.jws(typ, &payload).map_err(|error| failed(&error));
        }
        // RSA takes about half a millisecond, in which the thread could answer others.
        let key = Arc::clone(key);
        let signed = tokio::task::spawn_blocking(move || key.jws(typ, &payload)).await;
        signed.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    /// The claims of a token that this environment's keys have signed as `typ`; `None` for anything else. Signature,
    /// `typ` and `iss` are proven, nothing else is: whether it has expired is for the caller to judge.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn own_token(
        &self,
        environment: Environment,
        text: &str,
        typ: &str,
    ) -> Result<Option<Arc<Map<String, Value>>>, Fault> {
        let mut set = self.issuer_keys(environment).await?;
        let hash = Plain::presented(text).hashed();
        if let Some(proven) = self.issuers.proven(environment, &hash, typ)
            && set.knows(proven.by.as_str())
        {
            return Ok(Some(proven.claims));
        }
        let Ok(compact) = Compact::parse(text, TOKEN_BYTES) else { return Ok(None) };
        let Some(kid) = compact.header.get("kid").and_then(Value::as_str) else { return Ok(None) };
        let known = self.issuers.known(environment);
        let stale = known.is_none_or(|known| !within(&known, self.clock.now(), LOOK_AGAIN_S));
        if !set.knows(kid) && stale {
            // Another node may have just made it.
            set = self.read_issuer_keys(environment).await?;
            self.issuers.put(environment, &set, self.clock.now());
        }
        let issuer = self.places.of(environment).map(crate::Place::url);
        let proven = set.proven(&compact, typ);
        let proven = proven.filter(|proven| proven.claims.get("iss").and_then(Value::as_str) == issuer);
        let Some(proven) = proven else { return Ok(None) };
        self.issuers.remember(environment, hash, proven.clone());
        Ok(Some(proven.claims))
    }
}
