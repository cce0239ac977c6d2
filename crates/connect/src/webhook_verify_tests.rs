//! The published examples of Slack, GitHub, Standard Webhooks and others, and what an attacker would try.

use super::*;
use crate::connector::{Definition, Policy, shipped};
use kernel::Slug;
use proptest::prelude::*;

fn rules(webhook: &str) -> WebhookRules {
    let text = format!(
        "id = \"acme\"\nname = \"Acme\"\n[auth]\nkind = \"api_key\"\napp = [\"webhook_secret\"]\n[[inputs]]\nkey = \"key\"\nlabel = \"Key\"\n{webhook}"
    );
    let definition = Definition::parse("acme.toml", &text, Policy::default())
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    definition.webhook.unwrap()
}

fn real(name: &str) -> WebhookRules {
    shipped().find(&Slug::parse(name).unwrap()).unwrap().webhook.clone().unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn arrival<'a>(headers: &'a [(String, String)], body: &'a [u8]) -> Arrival<'a> {
    Arrival { method: "POST", url: "https://gateway.example/v1/webhooks/w", headers, query: &[], body }
}

fn judge(
    rules: &WebhookRules,
    secret: &str,
    pairs: &[(&str, &str)],
    body: &[u8],
    now: i64,
) -> Result<(), WebhookRefused> {
    let headers = headers(pairs);
    verify(rules, Some(&SecretText::new(secret)), &arrival(&headers, body), Time::from_seconds(now))
}

// docs.slack.dev, "Verifying requests from Slack".
const SLACK_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const SLACK_BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const SLACK_SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

#[test]
fn slack_published_example() {
    let slack = real("slack");
    let pairs = [("x-slack-signature", SLACK_SIGNATURE), ("x-slack-request-timestamp", "1531420618")];
    let at = |now| judge(&slack, SLACK_SECRET, &pairs, SLACK_BODY.as_bytes(), now);
    assert_eq!(at(1_531_420_618), Ok(()));
    assert_eq!(at(1_531_420_618 + 300), Ok(()));
    assert_eq!(at(1_531_420_618 + 301), Err(WebhookRefused::Stale), "an old delivery sent again");
    assert_eq!(at(1_531_420_618 - 301), Err(WebhookRefused::Stale));
    let moved = [("x-slack-signature", SLACK_SIGNATURE), ("x-slack-request-timestamp", "1531420619")];
    assert_eq!(
        judge(&slack, SLACK_SECRET, &moved, SLACK_BODY.as_bytes(), 1_531_420_618),
        Err(WebhookRefused::Wrong)
    );
    assert_eq!(
        judge(&slack, SLACK_SECRET, &pairs[..1], SLACK_BODY.as_bytes(), 1_531_420_618),
        Err(WebhookRefused::Stale)
    );
    assert_eq!(
        judge(&slack, SLACK_SECRET, &pairs[1..], SLACK_BODY.as_bytes(), 1_531_420_618),
        Err(WebhookRefused::Missing)
    );
    assert_eq!(
        judge(&slack, "", &pairs, SLACK_BODY.as_bytes(), 1_531_420_618),
        Err(WebhookRefused::NoSecret)
    );
    for bad in ["", "v0=", "v1=00", "v0=zz", "a2114d57", "v0=a2114d57"] {
        let pairs = [("x-slack-signature", bad), pairs[1]];
        assert!(
            judge(&slack, SLACK_SECRET, &pairs, SLACK_BODY.as_bytes(), 1_531_420_618).is_err(),
            "{bad:?}"
        );
    }
}

#[test]
fn slack_challenge_is_answered_as_text() {
    let slack = real("slack");
    let body = br#"{"token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}"#;
    let reply = challenge(&slack, None, &arrival(&[], body)).unwrap();
    assert_eq!(
        (reply.content_type, reply.body.as_str()),
        ("text/plain; charset=utf-8", "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P")
    );
    let event = br#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message"},"challenge":"x"}"#;
    assert_eq!(challenge(&slack, None, &arrival(&[], event)), None);
    assert_eq!(dedupe_key(&slack, &arrival(&[], event)).as_deref(), Some("id:Ev1"));
    assert_eq!(event_type(&slack, &arrival(&[], event)).as_deref(), Some("message"));
}

const STANDARD_WEBHOOKS: &str = r#"
[webhook]
dedupe = "webhook-id"
[webhook.verify]
scheme = "hmac"
header = "webhook-signature"
encoding = "base64"
prefix = "v1,"
separator = " "
signed = "{id}.{ts}.{body}"
id_header = "webhook-id"
ts_header = "webhook-timestamp"
secret_from = "app"
secret_prefix = "whsec_"
secret_encoding = "base64"
"#;

#[test]
fn standard_webhooks_published_example() {
    // The specification's test vector, as its libraries carry it.
    let rules = rules(STANDARD_WEBHOOKS);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = br#"{"test": 2432232314}"#;
    let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let with = |signature: &str| {
        let pairs = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature),
        ];
        judge(&rules, secret, &pairs, body, 1_614_265_330)
    };
    assert_eq!(with(good), Ok(()));
    assert_eq!(
        with(&format!("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,abc {good}")),
        Ok(()),
        "one of several fits"
    );
    assert_eq!(with("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="), Err(WebhookRefused::Wrong));
    assert_eq!(
        with("v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="),
        Err(WebhookRefused::Malformed)
    );
    let other_id =
        [("webhook-id", "msg_other"), ("webhook-timestamp", "1614265330"), ("webhook-signature", good)];
    assert_eq!(judge(&rules, secret, &other_id, body, 1_614_265_330), Err(WebhookRefused::Wrong));
}

#[test]
fn github_published_example() {
    let rules = rules(
        "[webhook.verify]\nscheme = \"hmac\"\nheader = \"X-Hub-Signature-256\"\nprefix = \"sha256=\"\nsecret_from = \"app\"\n",
    );
    let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let judged =
        |body: &[u8]| judge(&rules, "It's a Secret to Everybody", &[("x-hub-signature-256", good)], body, 0);
    assert_eq!(judged(b"Hello, World!"), Ok(()));
    assert_eq!(judged(b"Hello, World?"), Err(WebhookRefused::Wrong));
}

#[test]
fn stripe_puts_everything_into_one_header() {
    let stripe = real("stripe");
    let secret = "whsec_test_secret";
    let body = br#"{"id":"evt_1","type":"invoice.paid"}"#;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let message = [b"1492774577.".as_slice(), body].concat();
    let mac: String = hmac::sign(&key, &message).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let judged = |header: &str, now| judge(&stripe, secret, &[("stripe-signature", header)], body, now);
    assert_eq!(
        judged(
            &format!(
                "t=1492774577,v1={mac},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
            ),
            1_492_774_577
        ),
        Ok(())
    );
    assert_eq!(
        judged(&format!("t=1492774577,v1=00,v1={mac}"), 1_492_774_577),
        Ok(()),
        "two while the secret is rolled"
    );
    assert_eq!(
        judged(&format!("t=1492774577,v0={mac}"), 1_492_774_577),
        Err(WebhookRefused::Malformed),
        "only v1 counts"
    );
    assert_eq!(judged(&format!("t=1492774578,v1={mac}"), 1_492_774_577), Err(WebhookRefused::Wrong));
    assert_eq!(judged(&format!("v1={mac}"), 1_492_774_577), Err(WebhookRefused::Stale));
    assert_eq!(judged(&format!("t=1492774577,v1={mac}"), 1_492_775_577), Err(WebhookRefused::Stale));
    assert_eq!(dedupe_key(&stripe, &arrival(&[], body)).as_deref(), Some("id:evt_1"));
}

#[test]
fn hubspot_signs_method_and_url_with_milliseconds() {
    let hubspot = real("hubspot");
    let body = br#"[{"eventId":1}]"#;
    let message = [b"POSThttps://gateway.example/v1/webhooks/w".as_slice(), body, b"1700000000123"].concat();
    let mac = STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"client-secret"), &message));
    let pairs = [("x-hubspot-signature-v3", mac.as_str()), ("x-hubspot-request-timestamp", "1700000000123")];
    assert_eq!(judge(&hubspot, "client-secret", &pairs, body, 1_700_000_100), Ok(()));
    assert_eq!(judge(&hubspot, "client-secret", &pairs, body, 1_700_000_400), Err(WebhookRefused::Stale));
    assert_eq!(judge(&hubspot, "another-secret", &pairs, body, 1_700_000_100), Err(WebhookRefused::Wrong));
    assert!(dedupe_key(&hubspot, &arrival(&[], body)).unwrap().starts_with("sha256:"));
}

#[test]
fn ed25519_with_a_public_key() {
    // RFC 8032, section 7.1, test 2: the message is the single byte 0x72.
    let key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    let mac = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    let rules = rules(
        "[webhook.verify]\nscheme = \"ed25519\"\nheader = \"X-Signature-Ed25519\"\nsecret_from = \"app\"\n",
    );
    let judged = |body: &[u8]| judge(&rules, key, &[("x-signature-ed25519", mac)], body, 0);
    assert_eq!(judged(b"r"), Ok(()));
    assert_eq!(judged(b"s"), Err(WebhookRefused::Wrong));
}

#[test]
fn hmac_of_other_widths() {
    // RFC 2202, test 2 and RFC 4231, test 2: key "Jefe".
    let rules = |alg: &str| {
        rules(&format!(
            "[webhook.verify]\nscheme = \"hmac\"\nheader = \"X\"\nalg = \"{alg}\"\nsecret_from = \"app\"\n"
        ))
    };
    let text = b"what do ya want for nothing?";
    let sha1 = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
    let sha512 = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
    assert_eq!(judge(&rules("sha1"), "Jefe", &[("x", sha1)], text, 0), Ok(()));
    assert_eq!(judge(&rules("sha512"), "Jefe", &[("x", &sha512.to_uppercase())], text, 0), Ok(()));
    assert_eq!(judge(&rules("sha256"), "Jefe", &[("x", sha1)], text, 0), Err(WebhookRefused::Wrong));
}

#[test]
fn tokens_and_basic() {
    let token =
        rules("[webhook.verify]\nscheme = \"token\"\nheader = \"X-Gitlab-Token\"\nsecret_from = \"app\"\n");
    assert_eq!(judge(&token, "t-1", &[("x-gitlab-token", "t-1")], b"", 0), Ok(()));
    for bad in ["t-2", "t-1 ", "", "T-1"] {
        assert_eq!(
            judge(&token, "t-1", &[("x-gitlab-token", bad)], b"", 0),
            Err(WebhookRefused::Wrong),
            "{bad:?}"
        );
    }
    let basic = rules("[webhook.verify]\nscheme = \"basic\"\nsecret_from = \"app\"\n");
    let header = format!("Basic {}", STANDARD.encode("hook:p:w"));
    assert_eq!(judge(&basic, "hook:p:w", &[("authorization", &header)], b"", 0), Ok(()));
    assert_eq!(judge(&basic, "hook:p:x", &[("authorization", &header)], b"", 0), Err(WebhookRefused::Wrong));
    let user_only = format!("Basic {}", STANDARD.encode("hook"));
    assert_eq!(
        judge(&basic, "hook", &[("authorization", &user_only)], b"", 0),
        Err(WebhookRefused::Wrong),
        "a user is no password"
    );
}

/// A token as the outside system makes it.
fn jwt(header: &str, claims: &serde_json::Value, secret: &str, algorithm: hmac::Algorithm) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

#[test]
fn a_signed_token_is_checked() {
    let (hs256, hs512) = (hmac::HMAC_SHA256, hmac::HMAC_SHA512);
    let plain = rules("[webhook.verify]\nscheme = \"jwt\"\nsecret_from = \"app\"\n");
    let (head, now, body) = (r#"{"alg":"HS256","typ":"JWT"}"#, 1_700_000_000, b"{}".as_slice());
    let sent =
        |rules: &WebhookRules, header: &str| judge(rules, "s", &[("authorization", header)], body, now);
    let good = serde_json::json!({ "iss": "x", "iat": now - 10, "exp": now + 60 });
    let token = jwt(head, &good, "s", hs256);
    assert_eq!(sent(&plain, &token), Ok(()));
    assert_eq!(sent(&plain, &format!("Bearer {token}")), Ok(()));
    assert_eq!(sent(&plain, &format!("bearer  {token}")), Ok(()));
    // RFC 7515, appendix A.1: its key, its bytes, and a time that is long over.
    let published = rules(
        "[webhook.verify]\nscheme = \"jwt\"\nheader = \"X-Token\"\nsecret_from = \"app\"\nsecret_encoding = \"base64\"\n",
    );
    let rfc = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let at = |now| judge(&published, key, &[("x-token", rfc)], body, now);
    assert_eq!((at(1_300_819_380), at(1_300_819_380 + 301)), (Ok(()), Err(WebhookRefused::Stale)));
    // What anybody could make.
    let (unsigned, signature) = token.rsplit_once('.').unwrap();
    let none = jwt(r#"{"alg":"none"}"#, &good, "s", hs256);
    for (bad, why) in [
        (jwt(head, &good, "t", hs256), WebhookRefused::Wrong),
        (format!("{unsigned}.A{}", &signature[1..]), WebhookRefused::Wrong),
        (format!("{unsigned}."), WebhookRefused::Wrong),
        (none.clone(), WebhookRefused::Malformed),
        (format!("{}.", none.rsplit_once('.').unwrap().0), WebhookRefused::Malformed),
        (jwt(r#"{"alg":"HS512"}"#, &good, "s", hs512), WebhookRefused::Malformed),
        (jwt(r#"{"alg":"HS256","jwk":{}}"#, &good, "s", hs256), WebhookRefused::Malformed),
        (jwt(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, &good, "s", hs256), WebhookRefused::Malformed),
        (jwt(head, &serde_json::json!([]), "s", hs256), WebhookRefused::Malformed),
        (jwt(head, &serde_json::json!({ "exp": "soon" }), "s", hs256), WebhookRefused::Malformed),
        ("e30.e30.".to_owned(), WebhookRefused::Malformed),
        (String::new(), WebhookRefused::Malformed),
        ("a.b".to_owned(), WebhookRefused::Malformed),
    ] {
        assert_eq!(sent(&plain, &bad), Err(why), "{bad}");
    }
    assert_eq!(judge(&plain, "s", &[], body, now), Err(WebhookRefused::Missing));
    assert_eq!(
        judge(&plain, "", &[("authorization", &jwt(head, &good, "", hs256))], body, now),
        Err(WebhookRefused::NoSecret)
    );
    // Its time, with 300 seconds on both sides.
    for (claims, wanted) in [
        (serde_json::json!({ "exp": now - 300 }), Ok(())),
        (serde_json::json!({ "exp": now - 301 }), Err(WebhookRefused::Stale)),
        (serde_json::json!({ "iat": now - 300 }), Ok(())),
        (serde_json::json!({ "iat": 1_699_999_699.5 }), Err(WebhookRefused::Stale)),
        (serde_json::json!({ "iat": now + 301, "exp": now + 900 }), Err(WebhookRefused::Stale)),
        (serde_json::json!({ "nbf": now + 301, "exp": now + 900 }), Err(WebhookRefused::Stale)),
        (serde_json::json!({ "sub": "x" }), Err(WebhookRefused::Stale)),
    ] {
        assert_eq!(sent(&plain, &jwt(head, &claims, "s", hs256)), wanted, "{claims}");
    }
    // One that says which body it came with is good for no other.
    let hash = sha256_hex(body);
    for (hash, wanted) in [
        (hash.clone(), Ok(())),
        (hash.to_uppercase(), Ok(())),
        (sha256_hex(b"other"), Err(WebhookRefused::Wrong)),
        (String::new(), Err(WebhookRefused::Wrong)),
    ] {
        for name in ["payload_hash", "request_body_sha256"] {
            let claims = serde_json::json!({ "iat": now, name: hash });
            assert_eq!(sent(&plain, &jwt(head, &claims, "s", hs256)), wanted, "{claims}");
        }
    }
    let longer = rules(
        "[webhook.verify]\nscheme = \"jwt\"\nalg = \"sha512\"\nprefix = \"JWT \"\nsecret_from = \"app\"\n",
    );
    let token = jwt(r#"{"alg":"HS512"}"#, &good, "s", hs512);
    assert_eq!(sent(&longer, &format!("JWT {token}")), Ok(()));
    assert_eq!(sent(&longer, &token), Err(WebhookRefused::Malformed));
    assert_eq!(
        sent(&longer, &format!("JWT {}", jwt(head, &good, "s", hs256))),
        Err(WebhookRefused::Malformed)
    );
}

#[test]
fn challenges_by_get_compare_the_secret() {
    let meta = rules(
        "[webhook.verify]\nscheme = \"hmac\"\nheader = \"X-Hub-Signature-256\"\nprefix = \"sha256=\"\nsecret_from = \"app\"\n\
         [webhook.challenge]\nmatch = { \"?hub.mode\" = \"subscribe\", \"?hub.verify_token\" = \"{secret}\" }\nreply = \"?hub.challenge\"\n",
    );
    let ask = |token: &str, value: &str| {
        let query =
            headers(&[("hub.mode", "subscribe"), ("hub.verify_token", token), ("hub.challenge", value)]);
        let arrival = Arrival { method: "GET", query: &query, ..arrival(&[], b"") };
        challenge(&meta, Some(&SecretText::new("v-1")), &arrival).map(|reply| reply.body)
    };
    assert_eq!(ask("v-1", "1158201444").as_deref(), Some("1158201444"));
    assert_eq!(ask("v-2", "1158201444"), None);
    assert_eq!(ask("v-1", "a\r\nb"), None);
    assert_eq!(ask("v-1", &"x".repeat(2000)), None);
    let query = headers(&[("hub.mode", "subscribe"), ("hub.verify_token", ""), ("hub.challenge", "1")]);
    let empty = Arrival { method: "GET", query: &query, ..arrival(&[], b"") };
    assert_eq!(challenge(&meta, Some(&SecretText::new("")), &empty), None, "an empty secret matches nothing");
    let asana = rules(
        "[webhook.challenge]\nmatch = { X-Hook-Secret = \"*\" }\nreply = \"X-Hook-Secret\"\nreply_as = \"header:X-Hook-Secret\"\n",
    );
    let sent = headers(&[("x-hook-secret", "h-1")]);
    assert_eq!(
        challenge(&asana, None, &arrival(&sent, b"")).unwrap().header,
        Some(("x-hook-secret".to_owned(), "h-1".to_owned()))
    );
}

proptest! {
    #[test]
    fn any_change_of_a_signed_body_is_noticed(at in 0usize..SLACK_BODY.len(), flip in 1u8..=255) {
        let mut body = SLACK_BODY.as_bytes().to_vec();
        body[at] ^= flip;
        let pairs = [("x-slack-signature", SLACK_SIGNATURE), ("x-slack-request-timestamp", "1531420618")];
        prop_assert_eq!(judge(&real("slack"), SLACK_SECRET, &pairs, &body, 1_531_420_618), Err(WebhookRefused::Wrong));
    }

    #[test]
    fn nothing_that_arrives_makes_it_panic(header in ".{0,80}", body in ".{0,80}", ts in ".{0,20}") {
        for name in ["slack", "stripe", "hubspot"] {
            let names = ["x-slack-signature", "stripe-signature", "x-hubspot-signature-v3"];
            let mut pairs: Vec<(&str, &str)> = names.iter().map(|name| (*name, header.as_str())).collect();
            pairs.push(("x-slack-request-timestamp", &ts));
            pairs.push(("x-hubspot-request-timestamp", &ts));
            prop_assert!(judge(&real(name), "secret", &pairs, body.as_bytes(), 0).is_err());
        }
    }
}
