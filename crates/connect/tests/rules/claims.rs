//! The claims, row by row of the contract's table.

use crate::sign::{NOW, proven};
use connect::refusal::{Code, Refusal};
use connect::token::{AllowedInstalls, Claims, Rules};
use kernel::Time;
use proptest::prelude::*;
use serde_json::{Value, json};

const GATEWAY: &str = "https://connect.acme.example";

fn rules() -> Rules<'static> {
    Rules { now: NOW, max_age_s: 300, ahead_s: 60, audience: GATEWAY }
}

fn read(payload: &Value) -> Result<Claims, Refusal> {
    Claims::read(&proven(&payload.to_string()), &rules())
}

fn good() -> Value {
    json!({
        "iat": NOW.seconds(),
        "jti": "1cfa7dbf-8110-4237-ad22-410608791b7d",
        "sub": "test-pandium-com",
        "ti": {
            "udn": "Pandium Test", "ufn": "Important Person", "uem": "test@pandium.com",
            "ili": ["new-id", "something-different"], "aid": "", "adn": "",
            "xti": {
                "extraProp": "extra value", "extraList": ["val1", "listVal"],
                "connector_name": "gwt", "integration_name": "gwt2hs", "token": "your token"
            }
        }
    })
}

/// `good` with the value at a path (`ti.uem`) replaced, or removed where `None`.
fn with(path: &str, value: Option<Value>) -> Value {
    let mut payload = good();
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = &mut payload;
    for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
        place = &mut place[parent];
    }
    match value {
        Some(value) => place[name] = value,
        None => drop(place.as_object_mut().unwrap().shift_remove(name)),
    }
    payload
}

fn refused(payload: &Value) -> (Code, String) {
    let refusal = read(payload).unwrap_err();
    (refusal.code, refusal.claim.unwrap_or_default())
}

#[test]
fn the_published_example_is_read() {
    let claims = read(&good()).unwrap();
    let visitor = claims.visitor.clone();
    assert_eq!(visitor.username, "test-pandium-com");
    assert_eq!(visitor.email.as_deref(), Some("test@pandium.com"));
    assert_eq!(visitor.display_name.as_deref(), Some("Pandium Test"));
    assert_eq!(visitor.full_name.as_deref(), Some("Important Person"));
    assert_eq!(visitor.external_integrations, ["new-id", "something-different"]);
    assert_eq!((visitor.acting_id, visitor.acting_name), (None, None));
    assert_eq!(
        visitor.extra.to_string(),
        r#"{"extraProp":"extra value","extraList":["val1","listVal"],"connector_name":"gwt","integration_name":"gwt2hs","token":"********"}"#
    );
    let auth = claims.auth_only().unwrap();
    assert_eq!((auth.connector_name.as_str(), auth.integration_name.as_str()), ("gwt", "gwt2hs"));
    assert_eq!(auth.token.reveal(), "your token");
    assert!(!format!("{claims:?}").contains("your token"));
}

#[test]
fn the_published_sample_service_lacks_xti() {
    // The seed's Python sample as printed: no `xti`, empty texts.
    let payload =
        json!({ "iat": NOW.seconds(), "jti": "j", "external_id": "", "meta": "", "sub": "anna@example.com" });
    let claims = read(&payload).unwrap();
    let visitor = claims.visitor.clone();
    assert_eq!((visitor.external_id, visitor.meta, visitor.extra), (None, Value::Null, Value::Null));
    assert_eq!(visitor.email.as_deref(), Some("anna@example.com"));
    let refusal = claims.auth_only().unwrap_err();
    assert_eq!((refusal.code, refusal.claim.as_deref()), (Code::ClaimMissing, Some("xti")));
}

#[test]
fn a_required_claim_that_is_absent_empty_or_null_is_missing() {
    for path in ["iat", "jti", "sub"] {
        for value in [None, Some(json!("")), Some(Value::Null)] {
            assert_eq!(refused(&with(path, value)), (Code::ClaimMissing, path.to_owned()));
        }
    }
    for name in ["connector_name", "integration_name", "token"] {
        for value in [None, Some(json!("")), Some(Value::Null)] {
            let path = format!("ti.xti.{name}");
            let refusal = read(&with(&path, value.clone())).unwrap().auth_only().unwrap_err();
            assert_eq!((refusal.code, refusal.claim), (Code::ClaimMissing, Some(path.clone())));
            let mut top = with(&path, value);
            top["xti"] = top["ti"]["xti"].take();
            let refusal = read(&top).unwrap().auth_only().unwrap_err();
            assert_eq!((refusal.code, refusal.claim), (Code::ClaimMissing, Some(format!("xti.{name}"))));
        }
    }
    for payload in [with("ti", None), with("ti.xti", None), with("ti.xti", Some(json!("")))] {
        let refusal = read(&payload).unwrap().auth_only().unwrap_err();
        assert_eq!((refusal.code, refusal.claim.as_deref()), (Code::ClaimMissing, Some("xti")));
    }
}

#[test]
fn every_claim_of_another_type_is_invalid() {
    let texts = ["jti", "sub", "external_id", "ti.udn", "ti.ufn", "ti.uem", "ti.aid", "ti.adn"];
    let extra = ["ti.xti.connector_name", "ti.xti.integration_name", "ti.xti.token", "ti.xti.user_group"];
    for path in texts.into_iter().chain(extra) {
        for value in [json!(1), json!(true), json!([]), json!(["a"]), json!({}), json!(1.5)] {
            assert_eq!(refused(&with(path, Some(value))), (Code::ClaimInvalid, path.to_owned()));
        }
    }
    for path in ["ti", "ti.xti", "xti"] {
        for value in [json!(1), json!("x"), json!([]), json!(false)] {
            assert_eq!(refused(&with(path, Some(value))), (Code::ClaimInvalid, path.to_owned()));
        }
    }
    for path in ["ti.ili", "ti.xti.hidden_integrations"] {
        for value in [json!(1), json!("x"), json!({}), json!([1]), json!([["a"]]), json!([null])] {
            assert_eq!(refused(&with(path, Some(value))), (Code::ClaimInvalid, path.to_owned()));
        }
    }
    for path in ["iat", "exp", "nbf"] {
        for text in [
            "1.5",
            "\"5\"",
            "1700000000.0",
            "17e8",
            "1e3",
            "true",
            "[]",
            "{}",
            "99999999999999999999",
            "1e308",
            "-1e308",
        ] {
            let payload = with(path, None).to_string().replacen('{', &format!("{{\"{path}\":{text},"), 1);
            let refusal = Claims::read(&proven(&payload), &rules()).unwrap_err();
            assert_eq!((refusal.code, refusal.claim.as_deref()), (Code::ClaimInvalid, Some(path)), "{text}");
        }
    }
}

#[test]
fn every_claim_that_is_too_long_is_invalid() {
    for (path, longest) in [
        ("jti", 128),
        ("sub", 255),
        ("external_id", 255),
        ("ti.udn", 255),
        ("ti.ufn", 255),
        ("ti.aid", 255),
        ("ti.adn", 255),
        ("ti.xti.user_group", 255),
    ] {
        assert!(read(&with(path, Some(json!("ä".repeat(longest))))).is_ok(), "{path}");
        assert_eq!(
            refused(&with(path, Some(json!("a".repeat(longest + 1))))),
            (Code::ClaimInvalid, path.to_owned())
        );
        assert_eq!(refused(&with(path, Some(json!("a\u{0}b")))), (Code::ClaimInvalid, path.to_owned()));
        assert_eq!(refused(&with(path, Some(json!("a\nb")))), (Code::ClaimInvalid, path.to_owned()));
    }
    assert!(read(&with("ti.ili", Some(json!(vec!["a"; 100])))).is_ok());
    assert_eq!(refused(&with("ti.ili", Some(json!(vec!["a"; 101])))).1, "ti.ili");
    assert_eq!(refused(&with("ti.ili", Some(json!(["a".repeat(256)])))).1, "ti.ili");
    for path in ["ti.xti.connector_name", "ti.xti.integration_name"] {
        for bad in ["Gwt", "a b", "../x", "-a", &"a".repeat(64)] {
            assert_eq!(
                refused(&with(path, Some(json!(bad)))),
                (Code::ClaimInvalid, path.to_owned()),
                "{bad}"
            );
        }
    }
    assert_eq!(refused(&with("ti.xti.connector_name", Some(json!("connector")))).0, Code::ClaimInvalid);
}

#[test]
fn the_window_of_iat_has_exact_edges() {
    let at = |seconds: i64| with("iat", Some(json!(NOW.seconds() + seconds)));
    for accepted in [-300, -1, 0, 60] {
        assert!(read(&at(accepted)).is_ok(), "{accepted}");
    }
    assert_eq!(refused(&at(-301)), (Code::TokenStale, "iat".to_owned()));
    assert_eq!(refused(&at(61)), (Code::TokenNotYetValid, "iat".to_owned()));
    for extreme in [0, -1, i64::MIN] {
        assert_eq!(refused(&with("iat", Some(json!(extreme)))).0, Code::TokenStale);
    }
    assert_eq!(refused(&with("iat", Some(json!(i64::MAX)))).0, Code::TokenNotYetValid);
    assert_eq!(refused(&with("iat", Some(json!(u64::MAX)))).0, Code::ClaimInvalid);
    let strict = Rules { max_age_s: 10, ahead_s: 0, ..rules() };
    let one = |seconds: i64| {
        Claims::read(&proven(&at(seconds).to_string()), &strict).map_err(|refusal| refusal.code)
    };
    assert!(one(-10).is_ok() && one(0).is_ok());
    assert_eq!(one(-11).unwrap_err(), Code::TokenStale);
    assert_eq!(one(1).unwrap_err(), Code::TokenNotYetValid);
}

#[test]
fn exp_and_nbf_are_honoured() {
    let now = NOW.seconds();
    for (path, value, code) in [
        ("exp", now, Code::TokenExpired),
        ("exp", now - 1, Code::TokenExpired),
        ("exp", i64::MIN, Code::TokenExpired),
        ("exp", now + 3601, Code::ClaimInvalid),
        ("exp", i64::MAX, Code::ClaimInvalid),
        ("nbf", now + 61, Code::TokenNotYetValid),
        ("nbf", i64::MAX, Code::TokenNotYetValid),
    ] {
        assert_eq!(refused(&with(path, Some(json!(value)))), (code, path.to_owned()), "{path} {value}");
    }
    for (path, value) in
        [("exp", now + 1), ("exp", now + 3600), ("nbf", now + 60), ("nbf", 0), ("nbf", i64::MIN)]
    {
        assert!(read(&with(path, Some(json!(value)))).is_ok(), "{path} {value}");
    }
    let mut backwards = with("iat", Some(json!(now + 50)));
    backwards["exp"] = json!(now + 40);
    assert_eq!(refused(&backwards), (Code::ClaimInvalid, "exp".to_owned()));
    let mut both = with("iat", Some(json!(now - 4000)));
    both["exp"] = json!(now - 3000);
    assert_eq!(refused(&both).0, Code::TokenExpired);
}

#[test]
fn an_audience_is_exactly_the_gateway() {
    assert!(read(&with("aud", Some(json!(GATEWAY)))).is_ok());
    for other in [
        "https://connect.acme.example/",
        "https://evil.example",
        "HTTPS://CONNECT.ACME.EXAMPLE",
        "http://connect.acme.example",
    ] {
        assert_eq!(
            refused(&with("aud", Some(json!(other)))),
            (Code::TokenAudience, "aud".to_owned()),
            "{other}"
        );
    }
    for other in [json!([GATEWAY]), json!([GATEWAY, "https://evil.example"]), json!({}), json!(1), json!([])]
    {
        assert_eq!(refused(&with("aud", Some(other))), (Code::ClaimInvalid, "aud".to_owned()));
    }
}

#[test]
fn xti_stands_in_ti_or_at_the_top() {
    let mut top = good();
    top["xti"] = top["ti"]["xti"].take();
    assert_eq!(read(&top).unwrap().auth_only(), read(&good()).unwrap().auth_only());
    let mut both = good();
    both["xti"] = both["ti"]["xti"].clone();
    assert!(read(&both).is_ok());
    both["xti"]["token"] = json!("another token");
    let refusal = read(&both).unwrap_err();
    assert_eq!((refusal.code, refusal.claim.as_deref()), (Code::ClaimInvalid, Some("xti")));
    let told = format!("{refusal:?}");
    assert!(!told.contains("your token") && !told.contains("another token"), "{told}");
}

#[test]
fn an_e_mail_is_uem_else_sub_with_an_at() {
    let email = |uem: Option<Value>, sub: &str| {
        let mut payload = with("ti.uem", uem);
        payload["sub"] = json!(sub);
        read(&payload).map(|claims| claims.visitor.email)
    };
    assert_eq!(email(Some(json!("a@b")), "c@d").unwrap().as_deref(), Some("a@b"));
    assert_eq!(email(Some(json!("")), "c@d").unwrap().as_deref(), Some("c@d"));
    assert_eq!(email(None, "anna").unwrap(), None);
    for bad in ["anna", "@b", "a@", "a@b@c", "a b@c", "a@b c"] {
        let refusal = email(Some(json!(bad)), "anna").unwrap_err();
        assert_eq!((refusal.code, refusal.claim.as_deref()), (Code::ClaimInvalid, Some("ti.uem")), "{bad}");
    }
}

#[test]
fn lesson_15_a_token_cannot_make_itself_last() {
    let (now, year) = (NOW.seconds(), 365 * 86_400);
    assert_eq!(refused(&with("exp", Some(json!(now + year)))), (Code::ClaimInvalid, "exp".to_owned()));
    assert_eq!(refused(&with("iat", Some(json!(now + year)))), (Code::TokenNotYetValid, "iat".to_owned()));
    assert_eq!(refused(&with("nbf", Some(json!(now + year)))), (Code::TokenNotYetValid, "nbf".to_owned()));
    // Without `exp` the age of `iat` ends it, and a far `exp` does not stretch that age.
    let mut old = with("iat", Some(json!(now - 301)));
    assert_eq!(refused(&old).0, Code::TokenStale);
    old["exp"] = json!(now + 600);
    assert_eq!(refused(&old).0, Code::TokenStale);
}

#[test]
fn lesson_24_a_user_is_sub_byte_for_byte() {
    let user = |sub: &str| {
        let mut payload = with("ti.uem", Some(json!("admin@acme.example")));
        payload["sub"] = json!(sub);
        payload["external_id"] = json!("admin@acme.example");
        read(&payload).unwrap().visitor.username
    };
    // Same e-mail and external id, other case, look-alikes, blanks: each is somebody else.
    let subs = [
        "admin@acme.example",
        "Admin@acme.example",
        "аdmin@acme.example",
        "admin@acme.example ",
        "ádmin",
        "a\u{301}dmin",
    ];
    let users: std::collections::BTreeSet<String> = subs.iter().map(|sub| user(sub)).collect();
    assert_eq!(users.len(), subs.len());
    assert!(subs.iter().all(|sub| users.contains(*sub)));
}

#[test]
fn meta_is_any_json() {
    for meta in [json!({ "a": [1, null] }), json!([1.5]), json!(true), json!("text"), json!(0)] {
        assert_eq!(read(&with("meta", Some(meta.clone()))).unwrap().visitor.meta, meta);
    }
    assert_eq!(read(&with("meta", Some(json!("")))).unwrap().visitor.meta, Value::Null);
}

#[test]
fn the_marketplace_rules_are_read() {
    let mut payload = with("ti.xti.allowed_installs", Some(json!(3)));
    payload["ti"]["xti"]["hidden_integrations"] = json!(["a", "", "b"]);
    payload["ti"]["xti"]["user_group"] = json!("gold");
    let rules = read(&payload).unwrap().marketplace();
    assert_eq!(rules.hidden_integrations.unwrap(), ["a", "b"]);
    assert_eq!(rules.allowed_installs, Some(AllowedInstalls::AtMost(3)));
    assert_eq!(rules.user_group.as_deref(), Some("gold"));
    let only = read(&with("ti.xti.allowed_installs", Some(json!(["a"])))).unwrap().marketplace();
    assert_eq!(only.allowed_installs, Some(AllowedInstalls::Only(vec!["a".to_owned()])));
    for bad in [json!(-1), json!(1.5), json!("3"), json!({}), json!(5_000_000_000u64)] {
        assert_eq!(refused(&with("ti.xti.allowed_installs", Some(bad))).1, "ti.xti.allowed_installs");
    }
    assert_eq!(read(&good()).unwrap().marketplace(), connect::token::Marketplace::default());
}

#[test]
fn a_payload_that_is_no_object_is_malformed() {
    let deep = format!("{{\"meta\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for bad in ["", "null", "[]", "\"x\"", "{", "{\"iat\":1,\"iat\":2}", &deep, "{\"ti\":{\"a\":1,\"a\":1}}"]
    {
        let refusal = Claims::read(&proven(bad), &rules()).unwrap_err();
        assert_eq!(refusal.code, Code::TokenMalformed, "{bad}");
    }
}

#[test]
fn a_refusal_says_what_to_do_and_never_the_secret() {
    let stale = read(&with("iat", Some(json!(NOW.seconds() - 720)))).unwrap_err();
    assert_eq!(
        stale.message,
        "`iat` was 12 minutes ago; this organization accepts 300 s. Check the clock of the machine that signs, and \
         sign a fresh token for each visit."
    );
    assert_eq!(stale.seen, json!({ "iat": NOW.seconds() - 720, "now": NOW.seconds() }));
    for secret in [json!(["s3cret"]), json!({ "v": "s3cret" }), json!(424_242)] {
        let refusal = read(&with("ti.xti.token", Some(secret))).unwrap_err();
        let told = format!("{refusal:?}");
        assert!(!told.contains("s3cret") && !told.contains("424242"), "{told}");
    }
    let masked = read(&with("ti.xti.token", None)).unwrap().auth_only().unwrap_err();
    assert_eq!(masked.seen["present"][0], "extraProp");
    let wrong = read(&with("ti.udn", Some(json!("x".repeat(300))))).unwrap_err();
    assert!(wrong.seen["value"].as_str().unwrap().chars().count() <= 65);
}

proptest! {
    #[test]
    fn a_replay_is_remembered_longer_than_it_is_accepted(
        age in -60i64..=300, later in 0i64..10_000, max_age in 0i64..=3600, ahead in 0i64..=60,
    ) {
        let payload = with("iat", Some(json!(NOW.seconds() - age)));
        let claims = read(&payload).unwrap();
        prop_assert!(claims.replay_until >= NOW.plus_seconds(1800));
        // Whatever the organization sets meanwhile: once the row may go, the token is not accepted any more.
        let after = Time::from_micros(claims.replay_until.micros() + later * 999_999);
        let then = Rules { now: after, max_age_s: max_age, ahead_s: ahead, audience: GATEWAY };
        prop_assert!(Claims::read(&proven(&payload.to_string()), &then).is_err());
    }

    #[test]
    fn any_claims_are_judged_without_panic(iat: i64, exp: i64, nbf: i64, max_age: i64, ahead: i64, now: i64) {
        let payload = json!({ "iat": iat, "exp": exp, "nbf": nbf, "jti": "j", "sub": "s" }).to_string();
        let rules = Rules { now: Time::from_micros(now), max_age_s: max_age, ahead_s: ahead, audience: GATEWAY };
        let _ = Claims::read(&proven(&payload), &rules);
    }

    #[test]
    fn any_payload_is_judged_without_panic(text in "\\{(\"(iat|jti|sub|ti|xti|exp|aud)\":([0-9]{1,3}|\"[a-z]{0,3}\"|\\{\\}|null),){0,5}\"x\":0\\}") {
        let _ = Claims::read(&proven(&text), &rules());
    }
}
