//! The rotation of the gateway's own signing keys.

use crate::people::NOW;
use enter::ids::IssuerKeyId;
use enter::oidc::claims::ACCESS_TOKEN_LIFETIME_S;
use enter::signing::{ALGORITHMS, IssuerKey, Rhythm, Step, current, jwks, plan, published};
use kernel::Time;
use kernel::jose::{Algorithm, PublicKey, SigningKey};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DAY: i64 = 86_400;
const RHYTHM: Rhythm = Rhythm { ahead_s: DAY, used_s: 90 * DAY, after_s: 3600 };

fn key(id: &str, algorithm: Algorithm, active: Time) -> IssuerKey {
    IssuerKey {
        id: IssuerKeyId::parse(id).unwrap(),
        algorithm,
        public_jwk: "{}".to_owned(),
        published: active,
        active,
        retired: None,
        removed: None,
    }
}

/// Does what the plan says, as the store would.
fn follow(keys: &mut Vec<IssuerKey>, now: Time) -> usize {
    let steps = plan(keys, RHYTHM, now);
    for step in &steps {
        match step {
            Step::Create { algorithm, active } => {
                let mut made = key(&format!("key-{}", keys.len()), *algorithm, *active);
                made.published = now;
                keys.push(made);
            }
            Step::Retire(id) => keys.iter_mut().find(|key| key.id == *id).unwrap().retired = Some(now),
            Step::Remove(id) => keys.iter_mut().find(|key| key.id == *id).unwrap().removed = Some(now),
        }
    }
    steps.len()
}

#[test]
fn the_first_keys_sign_at_once() {
    let mut keys = Vec::new();
    assert_eq!(follow(&mut keys, NOW), 3);
    for algorithm in ALGORITHMS {
        assert_eq!(current(&keys, algorithm, NOW).unwrap().algorithm, algorithm);
    }
    assert_eq!(follow(&mut keys, NOW), 0, "what is done is not planned again");
}

#[test]
fn a_key_is_published_a_day_before_it_signs_and_an_hour_after() {
    let mut keys = vec![key("key-old", Algorithm::Es256, NOW)];
    let es = |keys: &[IssuerKey], now| current(keys, Algorithm::Es256, now).unwrap().id.to_string();
    follow(&mut keys, NOW);
    let ahead = NOW.plus_seconds(89 * DAY);
    follow(&mut keys, Time::from_micros(ahead.micros() - 1));
    assert_eq!(keys.iter().filter(|key| key.algorithm == Algorithm::Es256).count(), 1);
    follow(&mut keys, ahead);
    let successor = keys.iter().find(|key| key.algorithm == Algorithm::Es256 && key.active > NOW).unwrap();
    assert_eq!((successor.published, successor.active), (ahead, NOW.plus_seconds(90 * DAY)));
    let successor = successor.id.to_string();
    assert!(published(&keys, &successor).is_some());
    assert_eq!(es(&keys, ahead), "key-old");
    // It signs by the clock, before anybody has retired the old one.
    let change = NOW.plus_seconds(90 * DAY);
    assert_eq!(es(&keys, change), successor);
    follow(&mut keys, change);
    assert_eq!(published(&keys, "key-old").unwrap().retired, Some(change));
    follow(&mut keys, change.plus_seconds(3599));
    assert!(published(&keys, "key-old").is_some());
    follow(&mut keys, change.plus_seconds(3600));
    assert!(published(&keys, "key-old").is_none());
}

#[test]
fn the_usual_rhythm_outlives_every_token_and_every_cache() {
    let rhythm = Rhythm::default();
    assert!(rhythm.after_s > ACCESS_TOKEN_LIFETIME_S);
    assert!(rhythm.ahead_s >= DAY && rhythm.used_s > 2 * rhythm.ahead_s);
}

#[test]
fn a_key_that_was_taken_away_is_replaced_at_once() {
    let mut keys = vec![key("key-old", Algorithm::EdDsa, NOW)];
    follow(&mut keys, NOW);
    follow(&mut keys, NOW.plus_seconds(89 * DAY));
    let now = NOW.plus_seconds(89 * DAY + 1);
    keys[0].retired = Some(now);
    keys[0].removed = Some(now);
    assert!(current(&keys, Algorithm::EdDsa, now).is_none());
    assert!(published(&keys, "key-old").is_none());
    follow(&mut keys, now);
    assert_eq!(current(&keys, Algorithm::EdDsa, now).unwrap().active, now);
}

#[test]
fn two_nodes_that_plan_at_once_still_agree_on_one_key() {
    let mut keys = vec![key("key-a", Algorithm::Rs256, NOW), key("key-b", Algorithm::Rs256, NOW)];
    let mut turned = keys.clone();
    turned.reverse();
    let chosen = current(&keys, Algorithm::Rs256, NOW).unwrap().id.clone();
    assert_eq!(current(&turned, Algorithm::Rs256, NOW).unwrap().id, chosen);
    follow(&mut keys, NOW);
    let signing = keys.iter().filter(|key| key.algorithm == Algorithm::Rs256 && key.retired.is_none());
    assert_eq!(signing.map(|key| key.id.clone()).collect::<Vec<_>>(), [chosen]);
}

#[test]
fn the_document_has_public_keys_and_nothing_else() {
    let mut keys: Vec<IssuerKey> = ALGORITHMS
        .into_iter()
        .map(|algorithm| {
            let public = SigningKey::generate(algorithm).unwrap().public();
            let id = format!("key-{}", algorithm.as_str());
            IssuerKey { public_jwk: public.to_jwk().to_string(), ..key(&id, algorithm, NOW) }
        })
        .collect();
    keys.push(key("key-broken", Algorithm::Es256, NOW));
    let mut gone = keys[0].clone();
    gone.id = IssuerKeyId::parse("key-gone").unwrap();
    gone.removed = Some(NOW);
    keys.push(gone);
    let document = jwks(&keys);
    let list = document["keys"].as_array().unwrap();
    assert_eq!(list.len(), 3);
    for jwk in list {
        let algorithm = Algorithm::parse(jwk["alg"].as_str().unwrap()).unwrap();
        assert_eq!((jwk["use"].as_str(), jwk["kid"].as_str().unwrap().len() > 4), (Some("sig"), true));
        assert!(PublicKey::parse(algorithm, &jwk.to_string()).is_ok());
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(jwk.get(private).is_none());
        }
    }
}

proptest! {
    /// However seldom the plan is followed: there is always a key, apps have always seen it for a day (but for the very
    /// first), and whatever was signed within half an hour is still believed.
    #[test]
    fn apps_survive_every_rotation(steps in prop::collection::vec(1i64..40 * DAY, 1..40)) {
        let mut keys = Vec::new();
        let mut now = NOW;
        follow(&mut keys, now);
        let mut signed: BTreeMap<String, Time> = BTreeMap::new();
        for step in steps {
            let next = now.plus_seconds(step);
            // Something is signed all the time between two plans: look at the last moment before the next one.
            for at in [now, Time::from_micros(next.micros() - 1)] {
                for algorithm in ALGORITHMS {
                    let key = current(&keys, algorithm, at).unwrap();
                    prop_assert!(key.published == NOW || at >= key.published.plus_seconds(RHYTHM.ahead_s));
                    signed.insert(key.id.to_string(), at);
                }
            }
            now = next;
            follow(&mut keys, now);
            for (kid, at) in &signed {
                let believed = published(&keys, kid).is_some();
                prop_assert!(believed || now.seconds_since(*at) >= ACCESS_TOKEN_LIFETIME_S, "{} {}", kid, now);
            }
        }
    }
}
