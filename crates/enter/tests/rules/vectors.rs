//! The vectors in `sdk/vectors`, which every SDK reads too: the gateway's own rules agree with them.

use crate::people::partner;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use enter::context::ServiceContext;
use enter::ids::{AccountId, PartnerId, ServiceKeyId};
use enter::service_account::{
    Exchange, Granted, KeyFile, KeyPair, Rules, ServiceAccount, ServiceKey, judge, named,
};
use kernel::Time;
use kernel::jose::{Algorithm, check_jwk};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/vectors")
}

fn text_of(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json_of(name: &str) -> Value {
    serde_json::from_str(&text_of(name)).unwrap()
}

/// The cases of a list, which must not be empty.
fn cases<'a>(file: &'a Value, list: &str) -> &'a [Value] {
    let cases = file.get(list).and_then(Value::as_array).unwrap();
    assert!(!cases.is_empty(), "{list} has no cases");
    cases
}

fn member<'a>(case: &'a Value, name: &str) -> &'a str {
    case.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("`{name}` of {case}"))
}

/// A text, which may stand as runs.
fn long_text(case: &Value, name: &str) -> String {
    let value = case.get(name).unwrap();
    let Some(runs) = value.get("runs").and_then(Value::as_array) else {
        return value.as_str().unwrap().to_owned();
    };
    let run = |run: &Value| {
        let [part, times] = run.as_array().unwrap().as_slice() else {
            panic!("a run is a part and a number")
        };
        part.as_str().unwrap().repeat(usize::try_from(times.as_u64().unwrap()).unwrap())
    };
    runs.iter().map(run).collect()
}

fn context_of(case: &Value) -> ServiceContext {
    let context = case.get("context").unwrap();
    match (context.get("account_id"), context.get("partner_id")) {
        (Some(id), None) => ServiceContext::Account(AccountId::parse(id.as_str().unwrap()).unwrap()),
        (None, Some(id)) => ServiceContext::Partner(PartnerId::parse(id.as_str().unwrap()).unwrap()),
        _ => panic!("a context of an account or of a partner: {case}"),
    }
}

#[test]
fn contexts_are_written_and_read_as_the_vectors_say() {
    let file = json_of("contexts.json");
    for case in cases(&file, "encode") {
        let context = context_of(case);
        assert_eq!(context.json(), member(case, "json"));
        assert_eq!(context.encoded(), member(case, "encoded"));
        assert_eq!(context.query_value(), member(case, "query_value"));
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            assert_eq!(ServiceContext::parse(&engine.encode(context.json())), Ok(context.clone()));
        }
    }
    for case in cases(&file, "parse") {
        assert_eq!(ServiceContext::parse(&long_text(case, "text")), Ok(context_of(case)), "{case}");
    }
    for case in cases(&file, "deny") {
        assert_eq!(ServiceContext::parse(&long_text(case, "text")), Ok(ServiceContext::SuperAdmin), "{case}");
    }
}

#[test]
fn contexts_are_refused_with_the_code_of_the_vectors() {
    for case in cases(&json_of("contexts.json"), "refuse") {
        let refused = ServiceContext::parse(&long_text(case, "text"));
        assert_eq!(refused.map_err(|why| why.code()), Err(member(case, "code")), "{}", member(case, "name"));
    }
}

#[test]
fn key_files_of_the_vectors_are_ours_and_hold_the_public_keys_beside_them() {
    let public = json_of("keys/public.json");
    for case in cases(&json_of("key-files.json"), "good") {
        let file = KeyFile::read(&text_of(member(case, "file"))).unwrap();
        let algorithm = file.key.algorithm();
        assert_eq!(algorithm.as_str(), member(case, "alg"));
        assert_eq!(file.client_email, member(case, "client_email"));
        let known = public.get(file.key_id.as_str()).unwrap().to_string();
        let checked = |jwk: &str| check_jwk(algorithm, jwk).unwrap();
        assert_eq!(checked(&file.key.public_jwk()), checked(&known));
        // What we write of it is what stands there.
        let written: Value = serde_json::from_str(file.write().unwrap().reveal()).unwrap();
        let there = json_of(member(case, "file"));
        let pem = |file: &Value| member(file, "private_key").trim().to_owned();
        if algorithm == Algorithm::Es256 {
            assert_eq!(pem(&written), pem(&there));
        }
        assert_eq!(written.get("assertionPayloadData"), there.get("assertionPayloadData"));
        assert_eq!(written.get("assertionHeaderData"), there.get("assertionHeaderData"));
    }
}

fn judged(case: &Value, pair: &KeyPair) -> Granted {
    let (header, claims) = (case.get("header").unwrap(), case.get("claims").unwrap());
    let now = Time::from_seconds(case.get("now").and_then(Value::as_i64).unwrap());
    let exchange = match member(case, "exchange") {
        "bearer" => Exchange::Bearer,
        "session_token" => Exchange::SessionToken,
        other => panic!("no exchange: {other}"),
    };
    let account = ServiceAccount {
        email: member(claims, "iss").to_owned(),
        partner: PartnerId::parse("ABC").unwrap(),
        scopes: vec!["sso".to_owned()],
        disabled: None,
    };
    let id = ServiceKeyId::parse(member(header, "kid")).unwrap();
    // With no leniency: what our SDKs send needs none.
    let key = ServiceKey::new(id, account.email.clone(), pair.algorithm(), pair.public_jwk(), true);
    let (named, proof) = named(&pair.sign(header, &claims.to_string()).unwrap(), exchange).unwrap();
    assert_eq!((&named.account, &named.key), (&account.email, &key.id));
    let audiences = ["https://gateway.example", "https://gateway.example/oauth2/token"];
    let rules = Rules { now, exchange, audiences: &audiences, legacy_audiences: &[] };
    judge(&proof, &account, &key, &partner("ABC"), &rules, None).unwrap()
}

#[test]
fn assertions_of_the_vectors_are_exchanged_without_any_leniency() {
    for case in cases(&json_of("assertions.json"), "cases") {
        let pair = KeyFile::read(&text_of(member(case, "key_file"))).unwrap().key;
        let granted = judged(case, &pair);
        assert_eq!(granted.scopes, ["sso"]);
        assert!(granted.replay.is_some(), "its jti is single use");
    }
}
