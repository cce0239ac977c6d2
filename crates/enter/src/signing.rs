//! The gateway's own signing keys: published before they are used, used, and published until nothing that they have
//! signed is worth anything (OpenID Connect Core, section 10.1.1).

use crate::ids::IssuerKeyId;
use crate::oidc::claims::ACCESS_TOKEN_LIFETIME_S;
use kernel::Time;
use kernel::jose::{Algorithm, PublicKey};
use serde_json::{Value, json};

/// The algorithms that an app may choose for its ID tokens; there is always a key for each.
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

/// The rhythm, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// How long a key is published before it signs: longer than apps keep the JWKS without asking again.
    pub ahead_s: i64,
    /// How long a key signs.
    pub used_s: i64,
    /// How long a key stays published after it last signed: longer than the longest token lives.
    pub after_s: i64,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { ahead_s: 24 * 3600, used_s: 90 * 24 * 3600, after_s: 2 * ACCESS_TOKEN_LIFETIME_S }
    }
}

/// A key as it is stored, without its private half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerKey {
    /// `kid`.
    pub id: IssuerKeyId,
    pub algorithm: Algorithm,
    /// As [`PublicKey::to_jwk`] writes it.
    pub public_jwk: String,
    pub published: Time,
    /// Signs from here on.
    pub active: Time,
    /// Signs no more.
    pub retired: Option<Time>,
    /// Is published no more, and proves nothing.
    pub removed: Option<Time>,
}

/// One thing to do. Each is guarded by the store, so that of many nodes one does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make a key, publish it now and let it sign from `active` on.
    Create {
        algorithm: Algorithm,
        active: Time,
    },
    Retire(IssuerKeyId),
    /// Take it off the JWKS and destroy its private half.
    Remove(IssuerKeyId),
}

/// What is to be done now. To be asked at every start and at least daily; without anything to do it is empty, and
/// doing a step makes it go away.
///
/// Decision: a key signs by the clock, not by somebody's step, so that a node that missed a plan changes keys all
/// the same; and an old key goes on signing where its successor is late. The very first key of an algorithm, and
/// the one that replaces a key which was taken away, sign at once: nothing else could.
pub fn plan(keys: &[IssuerKey], rhythm: Rhythm, now: Time) -> Vec<Step> {
    let mut steps = Vec::new();
    for algorithm in ALGORITHMS {
        let signing = current(keys, algorithm, now);
        let successor =
            keys.iter().any(|key| key.algorithm == algorithm && key.is_usable() && key.active > now);
        match signing {
            None => steps.push(Step::Create { algorithm, active: now }),
            Some(key) if !successor && now >= key.active.plus_seconds(rhythm.used_s - rhythm.ahead_s) => {
                // Never sooner than the apps can have seen it, also when this comes late.
                let (on_time, seen) =
                    (key.active.plus_seconds(rhythm.used_s), now.plus_seconds(rhythm.ahead_s));
                steps.push(Step::Create { algorithm, active: on_time.max(seen) });
            }
            _ => {}
        }
        let older = keys.iter().filter(|key| key.algorithm == algorithm && key.is_usable());
        if let Some(signing) = signing {
            let older = older.filter(|key| key.active <= now && key.id != signing.id);
            steps.extend(older.map(|key| Step::Retire(key.id.clone())));
        }
    }
    let gone = keys.iter().filter(|key| key.removed.is_none());
    let gone = gone.filter(|key| key.retired.is_some_and(|at| now >= at.plus_seconds(rhythm.after_s)));
    steps.extend(gone.map(|key| Step::Remove(key.id.clone())));
    steps
}

impl IssuerKey {
    fn is_usable(&self) -> bool {
        self.retired.is_none() && self.removed.is_none()
    }

    /// Whether it stands in the JWKS, and what it signed is believed.
    pub const fn is_published(&self) -> bool {
        self.removed.is_none()
    }
}

/// The key that signs now: the youngest that may.
pub fn current(keys: &[IssuerKey], algorithm: Algorithm, now: Time) -> Option<&IssuerKey> {
    keys.iter()
        .filter(|key| key.algorithm == algorithm && key.is_usable() && key.active <= now)
        .max_by(|one, other| one.active.cmp(&other.active).then_with(|| one.id.cmp(&other.id)))
}

/// The key with which something that names `kid` was signed, if it is still believed. Its algorithm is the record's,
/// never the token's (lesson 17).
pub fn published<'k>(keys: &'k [IssuerKey], kid: &str) -> Option<&'k IssuerKey> {
    keys.iter().find(|key| key.is_published() && key.id.as_str() == kid)
}

/// The JWKS document (RFC 7517, section 5): all published keys, the youngest first. A key that does not read is left
/// out, because apps refuse a whole document for one bad key.
pub fn jwks(keys: &[IssuerKey]) -> Value {
    let mut shown: Vec<&IssuerKey> = keys.iter().filter(|key| key.is_published()).collect();
    shown.sort_by(|one, other| other.active.cmp(&one.active).then_with(|| one.id.cmp(&other.id)));
    let jwk = |key: &IssuerKey| {
        let mut jwk = PublicKey::parse(key.algorithm, &key.public_jwk).ok()?.to_jwk();
        let members = jwk.as_object_mut()?;
        members.insert("kid".to_owned(), json!(key.id));
        members.insert("use".to_owned(), json!("sig"));
        members.insert("alg".to_owned(), json!(key.algorithm.as_str()));
        Some(jwk)
    };
    json!({ "keys": shown.into_iter().filter_map(jwk).collect::<Vec<Value>>() })
}
