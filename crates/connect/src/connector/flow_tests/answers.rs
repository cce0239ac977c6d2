use super::*;
use proptest::prelude::*;

fn plain() -> Definition {
    define(
        r#"
        [auth]
        kind = "oauth2"
        [authorize]
        url = "https://acme.example/authorize"
        [token]
        url = "https://acme.example/token"
        [refresh]
        [verify]
        request = { url = "https://acme.example/me" }
        fail_text = "Wrong key."
        save = { "/id" = "id" }
        "#,
    )
}

fn raw(status: u16, content_type: &'static str, body: &'static str) -> Answer<'static> {
    Answer { status, content_type: Some(content_type), body: body.as_bytes() }
}

fn failure(answer: Answer<'_>) -> ProviderFailure {
    read_token_answer(&plain(), &[], answer, NOW).unwrap_err()
}

#[test]
fn what_token_endpoints_really_answer() {
    let cases = [
        (raw(200, "text/html", "<html>maintenance</html>"), Failure::ProviderDown),
        (raw(200, "application/json", "<html>"), Failure::ProviderDown),
        (raw(403, "text/html", "<html>blocked</html>"), Failure::ProviderDown),
        (raw(200, "application/json", ""), Failure::ProviderDown),
        (raw(200, "application/json", "{\"access_token\":"), Failure::ProviderDown),
        (raw(302, "text/html", ""), Failure::ProviderDown),
        (raw(503, "application/json", "{\"error\":\"invalid_grant\"}"), Failure::ProviderDown),
        (raw(429, "text/plain", "slow down"), Failure::Capped),
        (raw(200, "application/json", "{\"error\":\"slow_down\"}"), Failure::Capped),
        (raw(200, "application/json", "{\"error\":\"temporarily_unavailable\"}"), Failure::ProviderDown),
        (raw(400, "application/json", "{\"error\":\"access_denied\"}"), Failure::UserDenied),
        (raw(401, "application/json", "{\"error\":\"invalid_client\"}"), Failure::ServerError),
        (raw(400, "application/json", "[]"), Failure::ServerError),
        (raw(200, "application/json", "null"), Failure::ServerError),
        (raw(200, "application/json", "{\"access_token\":\"\"}"), Failure::ServerError),
        (raw(200, "application/json", "{\"access_token\":null}"), Failure::ServerError),
        (raw(200, "application/json", "{\"access_token\":\"a\\nb\"}"), Failure::ServerError),
    ];
    for (answer, expected) in cases {
        let failure = failure(answer);
        assert_eq!(failure.failure, expected, "{:?}", String::from_utf8_lossy(answer.body));
        assert!(!failure.reconnect);
    }
    assert_eq!(
        failure(Answer { status: 200, content_type: None, body: &[0xff, 0xfe] }).failure,
        Failure::ProviderDown
    );
}

#[test]
fn form_encoded_answers_are_read() {
    for kind in ["application/x-www-form-urlencoded; charset=utf-8", "text/plain"] {
        let answer = raw(200, kind, "access_token=gho_1&scope=repo%2Cuser&token_type=bearer");
        assert_eq!(access(&read_token_answer(&plain(), &[], answer, NOW).unwrap()), "gho_1");
    }
    let refused = failure(raw(
        200,
        "application/x-www-form-urlencoded",
        "error=bad_verification_code&error_description=The+code+is+wrong.",
    ));
    assert_eq!(
        (refused.code.as_deref(), refused.detail.as_str()),
        (Some("bad_verification_code"), "status 200: bad_verification_code The code is wrong.")
    );
}

#[test]
fn lives_of_every_shape() {
    let ends = |life: &str| {
        let text = format!("{{\"access_token\":\"a\",\"expires_in\":{life}}}");
        read_token_answer(&plain(), &[], json(&text), NOW).unwrap().expires.map(|end| end.seconds_since(NOW))
    };
    assert_eq!(ends("3600"), Some(3600));
    assert_eq!(ends("\"3600\""), Some(3600));
    assert_eq!(ends("3599.9"), Some(3599));
    for unsaid in ["0", "-1", "null", "\"soon\"", "{}"] {
        assert_eq!(ends(unsaid), None, "{unsaid}");
    }
    for huge in ["9223372036854775807", "1e300", "99999999999999999999999999", "\"1e99\""] {
        assert_eq!(ends(huge), Some(10 * 365 * 86_400), "{huge}");
    }
    let at = |unit: &str, end: &str| {
        let definition = define(&format!(
            "[auth]\nkind = \"oauth2\"\n[authorize]\nurl = \"https://a.example/x\"\n[token]\nurl = \"https://a.example/t\"\n\
             extract = {{ expires_at = \"/at\", unit = \"{unit}\" }}\n"
        ));
        answered(&definition, &format!("{{\"access_token\":\"a\",\"at\":{end}}}")).unwrap().expires
    };
    let end = Some(Time::from_seconds(1_700_003_600));
    assert_eq!(at("s", "1700003600"), end);
    assert_eq!(at("ms", "1700003600000"), end);
    assert_eq!(at("s", "\"2023-11-14T23:13:20Z\""), end);
    assert_eq!(at("s", "\"never\""), None);
}

#[test]
fn details_hold_no_secrets() {
    let text = r#"{"error":"invalid_grant","error_description":"code 4/0AX4XfWh_secretcode123 for sk_live_abcdefgh1234 is\u0000 wrong\n<script>"}"#;
    let failure =
        failure(Answer { status: 400, content_type: Some("application/json"), body: text.as_bytes() });
    assert_eq!(failure.detail, "status 400: invalid_grant code [hidden] for [hidden] is wrong <script>");
}

#[test]
fn known_secrets_are_taken_out() {
    let failure = ProviderFailure::new(Failure::InvalidCredentials, "the password correcthorse is wrong")
        .with_code(Some("correcthorse".to_owned()));
    let clean = failure.without(&["correcthorse", "a", ""]);
    assert_eq!((clean.detail.as_str(), clean.code), ("the password [hidden] is wrong", None));
}

#[test]
fn a_dead_refresh_is_told_apart_from_bad_weather() {
    let before = Credential {
        access: Some(SecretText::new("a")),
        refresh: Some(SecretText::new("r")),
        ..Credential::default()
    };
    let judge = |answer| read_refresh_answer(&plain(), &before, answer, NOW).unwrap_err();
    let dead = judge(raw(400, "application/json", "{\"error\":\"invalid_grant\"}"));
    assert_eq!((dead.failure, dead.reconnect, dead.is_weather()), (Failure::InvalidCredentials, true, false));
    for weather in [
        raw(500, "text/html", "<html>"),
        raw(429, "application/json", "{}"),
        raw(200, "text/html", "<html>"),
        raw(503, "application/json", "{\"error\":\"invalid_grant\"}"),
    ] {
        let failure = judge(weather);
        assert!(failure.is_weather() && !failure.reconnect, "{failure:?}");
    }
    let config = judge(raw(401, "application/json", "{\"error\":\"invalid_client\"}"));
    assert!(!config.reconnect && !config.is_weather(), "the operator's matter: nobody has to connect again");
    let none = refresh_request(&plain(), &app(), &Credential::default()).unwrap_err();
    assert!(none.reconnect);
}

#[test]
fn a_check_tells_wrong_from_down() {
    let judge = |answer| read_verify_answer(&plain(), answer, NOW);
    assert_eq!(judge(json(r#"{"id":7}"#)).unwrap().values.get("id"), Some("7"));
    for wrong in [
        raw(401, "text/plain", "no"),
        raw(403, "application/json", "{}"),
        raw(404, "application/json", "{}"),
        raw(401, "text/html", "<html>"),
    ] {
        let failure = judge(wrong).unwrap_err();
        assert_eq!(
            (failure.failure, failure.text.as_deref(), failure.reconnect),
            (Failure::InvalidCredentials, Some("Wrong key."), true),
            "{wrong:?}"
        );
    }
    for down in [raw(500, "text/plain", "no"), raw(200, "text/html", "<html>"), raw(302, "text/html", "")] {
        assert_eq!(judge(down).unwrap_err().failure, Failure::ProviderDown, "{down:?}");
    }
    assert_eq!(judge(raw(429, "text/plain", "")).unwrap_err().failure, Failure::Capped);
}

#[test]
fn params_of_a_file_cannot_fix_the_state() {
    let definition = define(
        "[auth]\nkind = \"oauth2\"\n[authorize]\nurl = \"https://a.example/x\"\nparams = { state = \"fixed\" }\n[token]\nurl = \"https://a.example/t\"\n",
    );
    assert_eq!(query(&page(&definition, &Values::new()))["state"], "state-1");
}

#[test]
fn xml_bodies_are_escaped() {
    let definition = define(
        "[auth]\nkind = \"oauth2\"\n[authorize]\nurl = \"https://a.example/x\"\n[token]\nurl = \"https://a.example/t\"\nbody = \"xml\"\nclient_auth = \"none\"\n",
    );
    let code = SecretText::new("<a&b>");
    let exchange = Exchange { code: &code, verifier: None, redirect_uri: REDIRECT };
    let request = token_request(&definition, &app(), &Values::new(), &Values::new(), exchange).unwrap();
    assert!(body(&request).contains("<code>&lt;a&amp;b&gt;</code>"), "{}", body(&request));
    assert!(!body(&request).contains("secret-1"));
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(status in 100u16..600, kind in "(text/html|application/json|text/plain|)", body in ".{0,200}") {
        let answer = Answer { status, content_type: Some(&kind), body: body.as_bytes() };
        let _ = read_token_answer(&plain(), &[], answer, NOW);
        let _ = read_verify_answer(&plain(), answer, NOW);
        let _ = read_revoke_answer(answer);
    }
}
