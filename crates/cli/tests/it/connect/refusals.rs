//! Bad landings: each is refused with its own code, as JSON and as a page, is written down, and leaves nothing.

use connect::refusal::Code;
use kernel::{Environment, Time};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::on_both;
use testkit::signers::key_pairs;
use testkit::world::{Answer, Person, Token, World, hs256};

async fn posted(person: &Person, page: &str, token: &str) -> Answer {
    person.ask(reqwest::Method::POST, page).framed().json().form(&[("tenant", token)]).await
}

/// Claims that are refused, with the code and the claim that it names.
fn spoiled(
    world: &World,
    good: impl Fn() -> Token,
) -> Vec<(&'static str, Token, &'static str, Option<&'static str>)> {
    let now = world.now().seconds();
    let long = "x".repeat(300);
    vec![
        // Missing, which an empty text and null are too.
        ("no iat", good().without("iat"), "claim_missing", Some("iat")),
        ("iat null", good().claim("iat", Value::Null), "claim_missing", Some("iat")),
        ("no jti", good().without("jti"), "claim_missing", Some("jti")),
        ("jti empty", good().claim("jti", ""), "claim_missing", Some("jti")),
        ("no sub", good().without("sub"), "claim_missing", Some("sub")),
        ("sub empty", good().sub(""), "claim_missing", Some("sub")),
        ("no ti", good().without("ti"), "claim_missing", Some("xti")),
        ("no xti", good().without("ti.xti"), "claim_missing", Some("xti")),
        (
            "no connector_name",
            good().without("ti.xti.connector_name"),
            "claim_missing",
            Some("ti.xti.connector_name"),
        ),
        (
            "no integration_name",
            good().without("ti.xti.integration_name"),
            "claim_missing",
            Some("ti.xti.integration_name"),
        ),
        ("no token", good().without("ti.xti.token"), "claim_missing", Some("ti.xti.token")),
        ("token empty", good().claim("ti.xti.token", ""), "claim_missing", Some("ti.xti.token")),
        // Of the wrong type.
        ("iat text", good().claim("iat", now.to_string()), "claim_invalid", Some("iat")),
        ("iat fraction", good().claim("iat", 1.5), "claim_invalid", Some("iat")),
        ("iat list", good().claim("iat", json!([now])), "claim_invalid", Some("iat")),
        ("jti number", good().claim("jti", 7), "claim_invalid", Some("jti")),
        ("sub number", good().claim("sub", 7), "claim_invalid", Some("sub")),
        ("sub object", good().claim("sub", json!({"id": 7})), "claim_invalid", Some("sub")),
        ("exp text", good().claim("exp", "soon"), "claim_invalid", Some("exp")),
        ("nbf true", good().claim("nbf", true), "claim_invalid", Some("nbf")),
        (
            "aud list",
            good().claim("aud", json!([world.url(Environment::Sandbox)])),
            "claim_invalid",
            Some("aud"),
        ),
        ("external_id number", good().claim("external_id", 7), "claim_invalid", Some("external_id")),
        ("ti text", good().claim("ti", "x"), "claim_invalid", Some("ti")),
        ("ti.udn number", good().claim("ti.udn", 1), "claim_invalid", Some("ti.udn")),
        ("ti.uem no address", good().claim("ti.uem", "anna"), "claim_invalid", Some("ti.uem")),
        ("ti.ili text", good().claim("ti.ili", "12"), "claim_invalid", Some("ti.ili")),
        ("ti.ili numbers", good().claim("ti.ili", json!([12])), "claim_invalid", Some("ti.ili")),
        ("xti list", good().claim("ti.xti", json!([])), "claim_invalid", Some("ti.xti")),
        ("xti.token number", good().claim("ti.xti.token", 7), "claim_invalid", Some("ti.xti.token")),
        (
            "connector_name a path",
            good().claim("ti.xti.connector_name", "../gwt"),
            "claim_invalid",
            Some("ti.xti.connector_name"),
        ),
        (
            "connector_name reserved",
            good().claim("ti.xti.connector_name", "connector"),
            "claim_invalid",
            Some("ti.xti.connector_name"),
        ),
        (
            "integration_name with a quote",
            good().claim("ti.xti.integration_name", "a' OR 1=1"),
            "claim_invalid",
            Some("ti.xti.integration_name"),
        ),
        ("two xti that differ", good().claim("xti", json!({"token": "other"})), "claim_invalid", Some("xti")),
        // Too long.
        ("jti of 129", good().claim("jti", "j".repeat(129)), "claim_invalid", Some("jti")),
        ("sub of 300", good().sub(&long), "claim_invalid", Some("sub")),
        ("udn of 300", good().claim("ti.udn", long.clone()), "claim_invalid", Some("ti.udn")),
        (
            "external_id of 300",
            good().claim("external_id", long.clone()),
            "claim_invalid",
            Some("external_id"),
        ),
        ("101 in ili", good().claim("ti.ili", json!(vec!["x"; 101])), "claim_invalid", Some("ti.ili")),
        ("sub with a line break", good().sub("anna\nadmin"), "claim_invalid", Some("sub")),
        // Times.
        ("iat 301 s ago", good().claim("iat", now - 301), "token_stale", Some("iat")),
        ("iat 61 s ahead", good().claim("iat", now + 61), "token_not_yet_valid", Some("iat")),
        ("iat far ahead", good().claim("iat", i64::MAX), "token_not_yet_valid", Some("iat")),
        ("iat far behind", good().claim("iat", i64::MIN), "token_stale", Some("iat")),
        ("exp now", good().claim("exp", now), "token_expired", Some("exp")),
        ("exp long ago", good().claim("exp", 1), "token_expired", Some("exp")),
        ("exp in 61 minutes", good().claim("exp", now + 3661), "claim_invalid", Some("exp")),
        ("exp in a year", good().claim("exp", now + 365 * 86_400), "claim_invalid", Some("exp")),
        ("nbf ahead", good().claim("nbf", now + 61), "token_not_yet_valid", Some("nbf")),
        // Whose it is and what for.
        ("another audience", good().claim("aud", "https://other.example"), "token_audience", Some("aud")),
        (
            "audience with a slash",
            good().claim("aud", format!("{}/", world.url(Environment::Sandbox))),
            "token_audience",
            Some("aud"),
        ),
        (
            "audience production",
            good().claim("aud", world.url(Environment::Production)),
            "token_audience",
            Some("aud"),
        ),
        (
            "unknown integration",
            good().claim("ti.xti.integration_name", "nothing"),
            "integration_unknown",
            Some("xti.integration_name"),
        ),
        (
            "another own connector",
            good().claim("ti.xti.connector_name", "hubspot"),
            "connector_unknown",
            Some("xti.connector_name"),
        ),
        // The header.
        ("alg none", good().header("alg", "none"), "token_algorithm", None),
        ("alg None", good().header("alg", "None"), "token_algorithm", None),
        ("alg HS512", good().header("alg", "HS512"), "token_algorithm", None),
        ("alg RS256", good().header("alg", "RS256"), "token_algorithm", None),
        ("alg null", good().header("alg", Value::Null), "token_malformed", None),
        ("jwk", good().header("jwk", json!({"kty": "oct", "k": "AAAA"})), "token_algorithm", None),
        ("jku", good().header("jku", world.own_system.url("/keys.json")), "token_algorithm", None),
        ("x5u", good().header("x5u", world.own_system.url("/keys.json")), "token_algorithm", None),
        ("x5c", good().header("x5c", json!(["MII"])), "token_algorithm", None),
        ("crit", good().header("crit", json!(["exp"])), "token_malformed", None),
        ("b64", good().header("b64", false), "token_malformed", None),
        ("typ of another token", good().header("typ", "at+jwt"), "token_malformed", None),
        ("kid with a path", good().header("kid", "../../../../dev/null"), "token_signature", None),
        ("kid with SQL", good().header("kid", "x' UNION SELECT 'secret' --"), "token_signature", None),
        ("kid of 129", good().header("kid", "k".repeat(129)), "token_malformed", None),
        ("kid number", good().header("kid", 7), "token_malformed", None),
        ("another secret", good().secret("another-secret-of-thirty-two-bytes"), "token_signature", None),
        ("an empty secret", good().secret(""), "token_signature", None),
    ]
}

/// Texts that are no tokens of ours.
fn no_tokens(good: &str) -> Vec<(String, &'static str)> {
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    vec![
        (String::new(), "token_missing"),
        ("x".to_owned(), "token_malformed"),
        ("..".to_owned(), "token_malformed"),
        ("a.b".to_owned(), "token_malformed"),
        (head.to_owned(), "token_malformed"),
        (format!("{head}."), "token_malformed"),
        (format!("{good}."), "token_malformed"),
        (format!("{good}.x"), "token_malformed"),
        (format!("{good}="), "token_malformed"),
        (format!("{header}.{payload}!.{signature}"), "token_malformed"),
        (format!(" {good}"), "token_malformed"),
        (format!("bearer {good}"), "token_malformed"),
        (format!("{header}.{payload}.AAAA"), "token_signature"),
    ]
}

/// The JSON that a refusal is, member by member.
fn check_shape(answer: &Answer, code: &str, claim: Option<&str>, about: &str) {
    let known = Code::parse(code).unwrap_or_else(|| panic!("{code} is no code of the contract"));
    assert_eq!(answer.status, known.status(), "{about}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json", "{about}");
    let body = answer.json();
    assert_eq!(body["code"], code, "{about}: {body}");
    assert_eq!(body.get("claim").and_then(Value::as_str), claim, "{about}: {body}");
    let members: BTreeSet<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = BTreeSet::from(["message", "code", "reference"]);
    expected.extend(claim.map(|_| "claim"));
    assert_eq!(members, expected, "{about}");
    assert!(body["message"].as_str().is_some_and(|message| message.len() > 20), "{about}: {body}");
    assert!(
        body["reference"].as_str().is_some_and(|reference| reference.starts_with("ref_")),
        "{about}: {body}"
    );
}

on_both! {
    async fn every_spoiled_claim_is_refused_by_its_code(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let page = acme.page("hubspot");
        for (about, token, code, claim) in spoiled(&world, || acme.token("hubspot")) {
            check_shape(&posted(&anna, &page, &token.sign()).await, code, claim, about);
        }
        for (text, code) in no_tokens(&acme.token("hubspot").sign()) {
            let answer = posted(&anna, &page, &text).await;
            check_shape(&answer, code, None, &text);
        }
        assert_eq!(world.count("dialogs").await, 0);
        assert_eq!(world.count("users").await, 0);
        // The good one is still good: nothing of the bad ones was used up.
        assert_eq!(anna.lands(&page, &acme.token("hubspot").sign()).await.status, 303);
    }

    async fn what_may_stand_in_a_token_is_taken(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let now = world.now().seconds();
        let good = || acme.token("hubspot");
        let xti = good().claims()["ti"]["xti"].clone();
        for (about, token) in [
            ("iat 300 s ago", good().claim("iat", now - 300)),
            ("iat 60 s ahead", good().claim("iat", now + 60)),
            ("exp in an hour", good().claim("exp", now + 3600)),
            ("nbf 60 s ahead", good().claim("nbf", now + 60)),
            ("the audience", good().claim("aud", world.url(Environment::Sandbox))),
            ("xti at the top", good().without("ti.xti").claim("xti", xti.clone())),
            ("xti at the top without ti", good().without("ti").claim("xti", xti.clone())),
            ("both alike", good().claim("xti", xti.clone())),
            ("meta of any kind", good().claim("meta", json!([1, {"a": null}]))),
            ("no typ", Token::clone(&good()).header("typ", "jwt")),
            ("a jti of 128", good().claim("jti", "j".repeat(128))),
            ("an unknown claim", good().claim("other", json!({"x": 1}))),
            ("a user that is no address", good().sub("user-17").without("ti.uem")),
        ] {
            let answer = posted(&anna, &acme.page("hubspot"), &token.sign()).await;
            assert_eq!(answer.status, 303, "{about}: {}", answer.text());
        }
    }

    async fn every_code_of_the_contract_is_a_page_and_is_written_down(world: World) {
        let acme = world.organization("acme").await;
        let real = world.organization("real").in_production().await;
        let now = world.now().seconds();
        let good = || acme.token("hubspot");
        let used = good().sign();
        let anna = world.person();
        assert_eq!(anna.lands(&acme.page("hubspot"), &used).await.status, 303);
        let page = acme.page("hubspot");
        let cases: Vec<(&str, String, String)> = vec![
            ("token_missing", page.clone(), String::new()),
            ("token_malformed", page.clone(), "a.b.c".to_owned()),
            ("token_algorithm", page.clone(), good().header("alg", "none").sign()),
            ("token_signature", page.clone(), good().secret("wrong").sign()),
            ("token_expired", page.clone(), good().claim("exp", now - 1).sign()),
            ("token_not_yet_valid", page.clone(), good().claim("nbf", now + 900).sign()),
            ("token_stale", page.clone(), good().claim("iat", now - 900).sign()),
            ("token_replayed", page.clone(), used),
            ("token_audience", page.clone(), good().claim("aud", "x").sign()),
            ("claim_missing", page.clone(), good().without("sub").sign()),
            ("claim_invalid", page.clone(), good().claim("sub", 1).sign()),
            ("organization_unknown", "/nobody/hubspot/auth".to_owned(), good().sign()),
            ("connector_unknown", "/acme/slack/auth".to_owned(), good().sign()),
            ("integration_unknown", page.clone(), good().claim("ti.xti.integration_name", "none").sign()),
        ];
        let mut told = BTreeSet::new();
        let mut references = BTreeSet::new();
        for (code, page, token) in &cases {
            let answer = anna.lands(page, token).await;
            let known = Code::parse(code).unwrap();
            assert_eq!(answer.status, known.status(), "{code}");
            check_page(&answer, code);
            told.insert((*code).to_owned());
            references.insert(reference_in(&answer.text()));
        }
        // Only production knows who may frame.
        let berta = world.person_in_production();
        let framed = berta.ask(reqwest::Method::POST, &real.page("hubspot")).framed();
        let answer = framed.header("referer", "https://evil.example/page").form(&[("tenant", &real.token("hubspot").sign())]).await;
        assert_eq!(answer.status, 403);
        check_page(&answer, "frame_origin_forbidden");
        references.insert(reference_in(&answer.text()));
        told.insert("frame_origin_forbidden".to_owned());
        let all: BTreeSet<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
        assert_eq!(told, all, "a code without its test");

        let recorded = world.service().refusals(None, Time::from_seconds(0), 500).await.unwrap();
        let codes: BTreeSet<String> = recorded.iter().map(|it| it.code.clone()).collect();
        assert_eq!(codes, all);
        let ids: BTreeSet<String> = recorded.iter().map(|it| it.id.to_string()).collect();
        assert_eq!(ids, references, "the reference on the page finds the record");
        for record in &recorded {
            assert_eq!(record.route, "/{organization}/{connector}/auth");
            assert_eq!(record.organization.is_none(), record.code == "organization_unknown", "{record:?}");
        }
        // By organization: what happened to another company is not shown.
        let own = world.service().refusals(Some(&acme.id), Time::from_seconds(0), 500).await.unwrap();
        assert_eq!(own.len(), 13);
        // Never the token, nor a secret of it.
        let whole = format!("{recorded:?}");
        assert!(!whole.contains("eyJ") && !whole.contains(testkit::world::OWN_TOKEN), "{whole}");
    }

    async fn what_is_too_large_is_refused_and_read_no_further(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let page = acme.page("hubspot");
        let sized = |bytes: usize| {
            let bare = acme.token("hubspot").claim("meta", "").sign().len();
            let padded = acme.token("hubspot").claim("meta", "m".repeat((bytes - bare) * 3 / 4 - 2)).sign();
            assert!(padded.len() <= bytes && padded.len() + 16 > bytes, "{} for {bytes}", padded.len());
            padded
        };
        let got = |token: String| {
            let ask = anna.get(&format!("{page}?tenant={token}")).framed().json();
            async move { ask.await }
        };
        assert_eq!(got(sized(8192)).await.status, 303);
        check_shape(&got(sized(8300)).await, "token_malformed", None, "over 8 KiB by GET");
        assert_eq!(posted(&anna, &page, &sized(63_900)).await.status, 303);
        check_shape(&posted(&anna, &page, &sized(66_000)).await, "token_malformed", None, "over 64 kB by POST");
        check_shape(&posted(&anna, &page, &sized(3 << 20)).await, "token_malformed", None, "3 MiB by POST");
        assert_eq!(world.count("dialogs").await, 2);
    }

    async fn a_public_key_is_no_shared_secret(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        for pair in key_pairs(&["RS256", "ES256", "EdDSA"]) {
            let algorithm = connect::signing_key::Algorithm::parse(&pair.alg).unwrap();
            let material = service::admin::signing_keys::NewMaterial::PublicKey(pair.public_pem.clone());
            let (key, _) = world.service().add_signing_key(&kernel::Actor::Operator, &acme.id, acme.environment, algorithm, "public", material).await.unwrap();
            for secret in [pair.public_pem.as_str(), pair.public_pem.trim_end(), &pair.public_jwk.to_string()] {
                let plain = acme.token("hubspot").secret(secret);
                check_shape(&posted(&anna, &acme.page("hubspot"), &plain.sign()).await, "token_signature", None, &pair.alg);
                let named = acme.token("hubspot").secret(secret).header("kid", key.id.as_str());
                check_shape(&posted(&anna, &acme.page("hubspot"), &named.sign()).await, "token_algorithm", None, &pair.alg);
                let claimed = acme.token("hubspot").secret(secret).header("alg", pair.alg.as_str());
                check_shape(&posted(&anna, &acme.page("hubspot"), &claimed.sign()).await, "token_signature", None, &pair.alg);
            }
        }
    }

    async fn a_header_or_claim_that_stands_twice_is_refused(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let page = acme.page("hubspot");
        let claims = acme.token("hubspot").claims().to_string();
        let twice = claims.replacen('{', r#"{"sub":"boss@example.com","#, 1);
        let token = hs256(r#"{"alg":"HS256"}"#, &twice, acme.secret().as_bytes());
        check_shape(&posted(&anna, &page, &token).await, "token_malformed", None, "sub twice");
        let token = hs256(r#"{"alg":"none","alg":"HS256"}"#, &claims, acme.secret().as_bytes());
        check_shape(&posted(&anna, &page, &token).await, "token_malformed", None, "alg twice");
        // A parameter that stands twice is none that can be read.
        let (one, two) = (acme.token("hubspot").sign(), acme.token("hubspot").sign());
        let answer = anna.get(&format!("{page}?tenant={one}&tenant={two}")).framed().json().await;
        check_shape(&answer, "token_malformed", None, "tenant twice");
        let form = anna.ask(reqwest::Method::POST, &page).json().form(&[("tenant", &one), ("tenant", &two)]).await;
        check_shape(&form, "token_malformed", None, "tenant twice in a form");
        assert_eq!(world.count("dialogs").await, 0);
    }

    async fn names_in_the_path_lead_nowhere_else(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        for name in ["nobody", "ACME", "acme%00", "acme%2f..", "a%27b", "-acme", "%C3%A4", "acme%20", "v1", "hub"] {
            let answer = posted(&anna, &format!("/{name}/hubspot/auth"), &acme.token("hubspot").sign()).await;
            check_shape(&answer, "organization_unknown", None, name);
        }
        for name in ["nothing", "HUBSPOT", "slack", "..%2fhubspot", "%22%3E"] {
            let answer = posted(&anna, &format!("/acme/{name}/auth"), &acme.token("hubspot").sign()).await;
            check_shape(&answer, "connector_unknown", None, name);
        }
        // What is no text at all is no route's.
        for path in ["/%ff/hubspot/auth", "/acme/%ff/auth", "/dialogs/%ff", "/start/%c3%28", "/v1/webhooks/%ff", "/v2/tenants/%ff"] {
            let answer = anna.get(path).json().await;
            assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("not_found")), "{path}: {}", answer.text());
        }
        // No organization can take a name that is a path of ours.
        for reserved in kernel::organization::RESERVED {
            let made = world.service().create_organization(&kernel::Actor::Operator, reserved, Default::default()).await;
            assert!(made.is_err(), "{reserved}");
        }
        assert_eq!(world.count("dialogs").await, 0);
    }

    async fn only_registered_origins_frame_in_production(world: World) {
        let real = world.organization("real").in_production().await;
        let berta = world.person_in_production();
        let framed = |referer: &'static str| {
            let token = real.token("hubspot").sign();
            let ask = berta.ask(reqwest::Method::POST, &real.page("hubspot")).framed().json();
            ask.header("referer", referer).form(&[("tenant", &token)])
        };
        for forbidden in [
            "https://evil.example/", "https://app.real.example.evil.example/", "http://app.real.example/",
            "https://app.real.example:8443/", "https://real.example/", "https://evil.example/https://app.real.example/",
            "https://app.real.example@evil.example/",
        ] {
            let answer = framed(forbidden).await;
            check_shape(&answer, "frame_origin_forbidden", None, forbidden);
        }
        let answer = framed("https://app.real.example/settings?tab=1").await;
        assert_eq!(answer.status, 303);
        // The browser is told the same, for every ancestor.
        let page = berta.dialog_of(&answer).page().await;
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-ancestors https://app.real.example"), "{policy}");
        assert!(page.headers.get("x-frame-options").is_none());
        // A sandbox may be framed by anyone.
        let acme = world.organization("acme").await;
        let anna = world.person();
        let ask = anna.ask(reqwest::Method::POST, &acme.page("hubspot")).framed().header("referer", "https://evil.example/");
        assert_eq!(ask.form(&[("tenant", &acme.token("hubspot").sign())]).await.status, 303);
    }

    async fn a_refusal_is_told_in_the_persons_language(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let english = anna.lands(&acme.page("hubspot"), "a.b.c").await.text();
        let german = anna.ask(reqwest::Method::POST, &acme.page("hubspot")).framed().header("accept-language", "de-AT,de;q=0.9");
        let german = german.form(&[("tenant", "a.b.c")]).await.text();
        assert!(english.contains("lang=\"en\"") && german.contains("lang=\"de\""));
        assert_ne!(heading(&english), heading(&german));
        let chosen = anna.get(&format!("{}?tenant=a.b.c&ui_locales=de", acme.page("hubspot"))).framed().await.text();
        assert_eq!(heading(&chosen), heading(&german));
    }
}

fn heading(html: &str) -> String {
    let start = html.find("<h1").expect("one heading");
    html[start..].split("</h1>").next().unwrap().rsplit('>').next().unwrap().trim().to_owned()
}

fn reference_in(html: &str) -> String {
    let start = html.find("ref_").expect("a reference on the page");
    html[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// A page for people: one heading, a reference, no action, framed by anyone, no data of anybody.
fn check_page(answer: &Answer, code: &str) {
    let html = answer.text();
    assert!(answer.header("content-type").starts_with("text/html"), "{code}");
    assert_eq!(html.matches("<h1").count(), 1, "{code}");
    assert!(html.contains(code), "{code} stands in the part for developers");
    assert!(
        !html.contains("anna@example.com") && !html.contains("Anna Arendt"),
        "{code}: no data of the user"
    );
    assert!(!html.contains("<form"), "{code}: no action");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors *"),
        "{code}: {policy}"
    );
    assert!(!policy.contains("unsafe"), "{code}: {policy}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), value, "{code}");
    }
}

#[test]
fn the_contract_has_fifteen_codes() {
    assert_eq!(Code::ALL.len(), 15);
    let by_status = |status: u16| Code::ALL.iter().filter(|code| code.status() == status).count();
    assert_eq!((by_status(401), by_status(400), by_status(404), by_status(403)), (9, 2, 3, 1));
}
