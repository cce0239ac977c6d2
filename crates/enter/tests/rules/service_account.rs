//! Service accounts: key files, both exchanges, access tokens. Lessons 12 to 17.

use crate::people::{NOW, partner};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use enter::ids::{PartnerId, ServiceKeyId};
use enter::service_account::{
    AccessClaims, AssertionRefused, Exchange, Granted, KeyFile, KeyFileRefused, KeyPair, Rules,
    ServiceAccount, ServiceKey, Switches, ascii_json, judge, named,
};
use kernel::Time;
use kernel::jose::{Algorithm, Compact, PublicKey, check_jwk};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

const EMAIL: &str = "robot@p1.gateway.example";
const ISSUER: &str = "https://gateway.example";
const TOKEN_URL: &str = "https://gateway.example/oauth2/token";

static ES256: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(Algorithm::Es256).unwrap());
static RS256: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(Algorithm::Rs256).unwrap());

fn account() -> ServiceAccount {
    let partner = PartnerId::parse("P1").unwrap();
    ServiceAccount {
        email: EMAIL.to_owned(),
        partner,
        scopes: vec!["sso".to_owned(), "users.read".to_owned()],
        disabled: None,
    }
}

fn key_of(pair: &KeyPair) -> ServiceKey {
    ServiceKey::new(
        ServiceKeyId::parse("k1").unwrap(),
        EMAIL.to_owned(),
        pair.algorithm(),
        pair.public_jwk(),
        true,
    )
}

fn changed(mut key: ServiceKey, change: impl FnOnce(&mut ServiceKey)) -> ServiceKey {
    change(&mut key);
    key
}

/// The claims of a good assertion, with changes; `null` takes a member away.
fn claims(changes: &Value) -> Value {
    let now = NOW.seconds();
    let mut claims =
        json!({ "iss": EMAIL, "sub": EMAIL, "aud": ISSUER, "iat": now, "exp": now + 300, "jti": "j1" });
    change(&mut claims, changes);
    claims
}

fn change(object: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
}

struct Case<'a> {
    pair: &'a KeyPair,
    key: ServiceKey,
    header: Value,
    claims: Value,
    exchange: Exchange,
    now: Time,
    scope: Option<&'a str>,
}

fn bearer(changes: &Value) -> Case<'static> {
    Case {
        pair: &ES256,
        key: key_of(&ES256),
        header: json!({ "alg": "ES256", "kid": "k1", "typ": "JWT" }),
        claims: claims(changes),
        exchange: Exchange::Bearer,
        now: NOW,
        scope: None,
    }
}

impl Case<'_> {
    fn run(&self) -> Result<Granted, AssertionRefused> {
        let text = self.pair.sign(&self.header, &self.claims.to_string()).unwrap();
        let (_, proof) = named(&text, self.exchange)?;
        let audiences = [ISSUER, TOKEN_URL];
        let rules = Rules {
            now: self.now,
            exchange: self.exchange,
            audiences: &audiences,
            legacy_audiences: &["vendasta.com"],
        };
        judge(&proof, &account(), &self.key, &partner("P1"), &rules, self.scope)
    }
}

#[test]
fn an_assertion_is_exchanged_with_either_key() {
    let granted = bearer(&json!({})).run().unwrap();
    assert_eq!(granted.scopes, ["sso", "users.read"]);
    assert!(granted.replay.unwrap().until > NOW.plus_seconds(300));
    let header = json!({ "alg": "RS256", "kid": "k1" });
    let rsa = Case { pair: &RS256, key: key_of(&RS256), header, ..bearer(&json!({ "aud": [TOKEN_URL] })) };
    assert!(rsa.run().is_ok());
}

#[test]
fn lesson_13_and_15_claims_that_are_refused() {
    let now = NOW.seconds();
    let audience = || AssertionRefused::Audience { expected: ISSUER.to_owned() };
    for (changes, why) in [
        (json!({ "aud": [ISSUER, "https://other.example"] }), audience()),
        (json!({ "aud": [ISSUER, TOKEN_URL] }), audience()),
        (json!({ "aud": format!("{ISSUER}/") }), audience()),
        (json!({ "aud": "vendasta.com" }), audience()),
        (json!({ "aud": [] }), audience()),
        (json!({ "aud": null }), AssertionRefused::Claim("aud")),
        (json!({ "exp": null }), AssertionRefused::Claim("exp")),
        (json!({ "exp": "1" }), AssertionRefused::Claim("exp")),
        (json!({ "exp": 1.5 }), AssertionRefused::Claim("exp")),
        (json!({ "exp": now }), AssertionRefused::Expired),
        (json!({ "exp": now + 31_536_000 }), AssertionRefused::TooLong),
        (json!({ "exp": now + 3_601 }), AssertionRefused::TooLong),
        (json!({ "exp": i64::MAX }), AssertionRefused::TooLong),
        (json!({ "iat": now + 61, "exp": now + 100 }), AssertionRefused::Future),
        (json!({ "nbf": now + 61 }), AssertionRefused::Future),
        (json!({ "jti": null }), AssertionRefused::NoJti),
        (json!({ "jti": "" }), AssertionRefused::Claim("jti")),
        (json!({ "jti": 1 }), AssertionRefused::Claim("jti")),
        (json!({ "iss": "other@p2.example" }), AssertionRefused::Principal),
        (json!({ "iss": null }), AssertionRefused::Principal),
        (json!({ "scope": "admin" }), AssertionRefused::Scope("admin".to_owned())),
    ] {
        assert_eq!(bearer(&changes).run(), Err(why), "{changes}");
    }
    assert!(bearer(&json!({ "iat": null, "exp": now + 3_600 })).run().is_ok());
}

#[test]
fn scopes_never_grow() {
    assert_eq!(bearer(&json!({ "scope": "sso" })).run().unwrap().scopes, ["sso"]);
    let by_form = Case { scope: Some("users.read"), ..bearer(&json!({})) };
    assert_eq!(by_form.run().unwrap().scopes, ["users.read"]);
    let more = Case { scope: Some("sso admin"), ..bearer(&json!({})) };
    assert_eq!(more.run(), Err(AssertionRefused::Scope("admin".to_owned())));
}

#[test]
fn each_switch_opens_its_own_door_and_no_other() {
    let all = Switches { without_jti: true, audience_in_header: true, legacy_audience: true };
    let with = |switches| key_of(&ES256).with_switches(switches).unwrap();
    let no_jti = || bearer(&json!({ "jti": null }));
    assert_eq!(
        Case { key: with(Switches { without_jti: true, ..Switches::default() }), ..no_jti() }
            .run()
            .unwrap()
            .replay,
        None
    );
    assert_eq!(
        Case { key: with(Switches { without_jti: false, ..all }), ..no_jti() }.run(),
        Err(AssertionRefused::NoJti)
    );
    let mut in_header = bearer(&json!({ "aud": null }));
    in_header.header["aud"] = json!(ISSUER);
    assert_eq!(in_header.run(), Err(AssertionRefused::AudienceInHeader));
    in_header.key = with(Switches { audience_in_header: true, ..Switches::default() });
    assert!(in_header.run().is_ok());
    let legacy = || bearer(&json!({ "aud": "vendasta.com" }));
    assert!(
        Case { key: with(Switches { legacy_audience: true, ..Switches::default() }), ..legacy() }
            .run()
            .is_ok()
    );
    assert!(Case { key: with(Switches { legacy_audience: false, ..all }), ..legacy() }.run().is_err());
    let brought = changed(key_of(&ES256), |key| key.generated_here = false);
    assert!(
        brought.clone().with_switches(all).is_err() && brought.with_switches(Switches::default()).is_ok()
    );
}

#[test]
fn the_older_exchange_takes_kid_as_a_claim_and_es256_only() {
    let switches = Switches { without_jti: true, legacy_audience: true, ..Switches::default() };
    let key = key_of(&ES256).with_switches(switches).unwrap();
    let changes = json!({ "kid": "k1", "aud": "vendasta.com", "iat": null, "iss": null, "jti": null, "scope": "admin" });
    let older =
        |header| Case { key: key.clone(), header, exchange: Exchange::SessionToken, ..bearer(&changes) };
    let granted = older(json!({ "alg": "ES256", "typ": "JWT" })).run().unwrap();
    assert_eq!(granted.scopes, account().scopes, "the key's scopes, no more");
    let rsa_key = key_of(&RS256).with_switches(switches).unwrap();
    let rsa = Case { pair: &RS256, key: rsa_key, ..older(json!({ "alg": "RS256" })) };
    assert_eq!(rsa.run(), Err(AssertionRefused::Algorithm { expected: "ES256" }));
    let as_bearer = Case { exchange: Exchange::Bearer, ..older(json!({ "alg": "ES256" })) };
    assert_eq!(as_bearer.run(), Err(AssertionRefused::Key));
}

#[test]
fn lesson_14_what_is_switched_off_gets_nothing() {
    let good = bearer(&json!({}));
    let text = good.pair.sign(&good.header, &good.claims.to_string()).unwrap();
    let (_, proof) = named(&text, Exchange::Bearer).unwrap();
    let rules = Rules { now: NOW, exchange: Exchange::Bearer, audiences: &[ISSUER], legacy_audiences: &[] };
    let judged = |account: &ServiceAccount, key: &ServiceKey, partner: &_| {
        judge(&proof, account, key, partner, &rules, None)
    };
    assert!(judged(&account(), &good.key, &partner("P1")).is_ok());
    let mut partner_off = partner("P1");
    partner_off.disabled = Some(NOW);
    assert_eq!(judged(&account(), &good.key, &partner_off), Err(AssertionRefused::Disabled));
    let account_off = ServiceAccount { disabled: Some(NOW), ..account() };
    assert_eq!(judged(&account_off, &good.key, &partner("P1")), Err(AssertionRefused::Disabled));
    let off = changed(good.key.clone(), |key| key.disabled = Some(NOW));
    let late = changed(good.key.clone(), |key| key.expires = Some(NOW));
    for key in [off, late] {
        assert_eq!(judged(&account(), &key, &partner("P1")), Err(AssertionRefused::KeyDisabled));
    }
    // Lesson 16: another partner, another account's key.
    assert_eq!(judged(&account(), &good.key, &partner("P2")), Err(AssertionRefused::Disabled));
    let stranger = changed(good.key, |key| key.account = "other@p2.example".to_owned());
    assert_eq!(judged(&account(), &stranger, &partner("P1")), Err(AssertionRefused::Key));
}

#[test]
fn lesson_17_the_algorithm_and_the_key_come_from_the_record() {
    for alg in ["none", "None", "HS256", "RS256", "es256", ""] {
        let case = Case { header: json!({ "alg": alg, "kid": "k1" }), ..bearer(&json!({})) };
        assert_eq!(case.run(), Err(AssertionRefused::Algorithm { expected: "ES256" }), "{alg}");
    }
    for name in ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"] {
        let mut case = bearer(&json!({}));
        case.header[name] = json!("x");
        assert_eq!(case.run(), Err(AssertionRefused::Header(name)));
    }
    for kid in ["../k1", "' UNION", "", "k 1"] {
        let case = Case { header: json!({ "alg": "ES256", "kid": kid }), ..bearer(&json!({})) };
        assert_eq!(case.run(), Err(AssertionRefused::Key), "{kid}");
    }
    let other = KeyPair::generate(Algorithm::Es256).unwrap();
    assert_eq!(Case { pair: &other, ..bearer(&json!({})) }.run(), Err(AssertionRefused::Signature));
    let typed = Case {
        header: json!({ "alg": "ES256", "kid": "k1", "typ": "client-authentication+jwt" }),
        ..bearer(&json!({}))
    };
    assert_eq!(typed.run(), Err(AssertionRefused::Type));
}

#[test]
fn lesson_18_no_changed_assertion_is_taken() {
    let case = bearer(&json!({}));
    let text = case.pair.sign(&case.header, &case.claims.to_string()).unwrap();
    let rules = Rules { now: NOW, exchange: Exchange::Bearer, audiences: &[ISSUER], legacy_audiences: &[] };
    let taken = |text: &str| {
        named(text, Exchange::Bearer).is_ok_and(|(_, proof)| {
            judge(&proof, &account(), &case.key, &partner("P1"), &rules, None).is_ok()
        })
    };
    assert!(taken(&text));
    for at in 0..text.len() {
        assert!(!taken(&text[..at]), "prefix {at}");
        let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        assert!(!taken(&format!("{}{other}{}", &text[..at], &text[at + 1..])), "change at {at}");
    }
}

#[test]
fn a_key_file_reads_back_and_is_what_sdks_expect() {
    for (pair, label) in [(&*ES256, "EC PRIVATE KEY"), (&*RS256, "RSA PRIVATE KEY")] {
        let pem = pair.pem().unwrap();
        assert!(
            pem.reveal().starts_with(&format!("-----BEGIN {label}-----\n"))
                && pem.reveal().ends_with("-----\n")
        );
        assert!(pem.reveal().lines().all(|line| line.len() <= 64));
        let file = KeyFile {
            key_id: ServiceKeyId::parse("k1").unwrap(),
            key: KeyPair::read_pem(pem.reveal()).unwrap(),
            client_email: EMAIL.to_owned(),
            token_uri: TOKEN_URL.to_owned(),
            audience: ISSUER.to_owned(),
        };
        let text = file.write().unwrap();
        let read = KeyFile::read(text.reveal()).unwrap();
        assert_eq!(read.key.pem().unwrap(), pem);
        assert_eq!(read.key.public_jwk(), pair.public_jwk());
        assert_eq!(check_jwk(pair.algorithm(), &pair.public_jwk()).unwrap(), pair.public_jwk());
        let names: Vec<String> = serde_json::from_str::<Value>(text.reveal())
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let expected = [
            "type",
            "private_key_id",
            "private_key",
            "client_email",
            "token_uri",
            "assertionHeaderData",
            "assertionPayloadData",
        ];
        assert_eq!(names, expected);
        assert!(!format!("{read:?}").contains("PRIVATE"));
    }
    let body: String = ES256.pem().unwrap().reveal().lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).unwrap();
    assert_eq!(der.len(), 121);
    assert_eq!(&der[..2], [0x30, 119]);
    for bad in
        ["", "{}", r#"{"type":"service_account"}"#, r#"{"type":"authorized_user","private_key_id":"k"}"#]
    {
        assert!(KeyFile::read(bad).is_err());
    }
    assert_eq!(KeyPair::generate(Algorithm::Hs256).unwrap_err(), KeyFileRefused::Algorithm);
    let pem = ES256.pem().unwrap();
    for end in 0..pem.reveal().trim_end().len() {
        assert!(KeyPair::read_pem(&pem.reveal()[..end]).is_err(), "{end}");
    }
}

#[test]
fn what_is_signed_verifies_with_the_registered_key() {
    for pair in [&*ES256, &*RS256] {
        let text = pair.sign(&json!({ "alg": pair.algorithm().as_str() }), "{}").unwrap();
        let public = PublicKey::parse(pair.algorithm(), &pair.public_jwk()).unwrap();
        assert!(Compact::parse(&text, 4096).unwrap().proven_by(&public));
    }
}

#[test]
fn an_access_token_says_who_and_until_when_in_integers() {
    let (partner, key) = (PartnerId::parse("P1").unwrap(), ServiceKeyId::parse("sak-1").unwrap());
    let claims = AccessClaims {
        issuer: ISSUER,
        subject: EMAIL,
        partner: &partner,
        scopes: &["sso".to_owned()],
        key: &key,
        jti: "t?",
        now: NOW,
    };
    let payload = claims.payload();
    let read: Value = serde_json::from_str(&payload).unwrap();
    assert_eq!(read["exp"].as_i64(), Some(NOW.seconds() + 1800));
    assert_eq!(
        (&read["sub"], &read["jti"], &read["partner_id"], &read["key"]),
        (&json!(EMAIL), &json!("t?"), &json!("P1"), &json!("sak-1"))
    );
}

proptest! {
    #[test]
    fn a_payload_is_the_same_in_both_alphabets(text in "[ -\\x7f\\PC]{0,60}", name in "[a-z?~>é]{1,8}") {
        let value = json!({ name: text });
        let payload = ascii_json(&value);
        prop_assert!(payload.is_ascii() && !payload.contains(['>', '?', '~']));
        prop_assert!(!URL_SAFE_NO_PAD.encode(&payload).contains(['-', '_']));
        prop_assert_eq!(serde_json::from_str::<Value>(&payload).unwrap(), value);
    }
}
