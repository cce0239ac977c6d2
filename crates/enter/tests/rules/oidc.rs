//! OpenID Connect: authorize requests, clients, codes, refresh tokens, kinds of tokens, logout.

use crate::people::NOW;
use enter::app::RedirectUri;
use enter::context::ServiceContext;
use enter::ids::{AppId, ClientId, GrantId, PersonId, ServiceKeyId, SessionId};
use enter::oidc::authorize::{
    AuthorizeRefused, AuthorizeRequest, ErrorRedirect, LocalRefusal, Parameters, check, code_url, error_url,
};
use enter::oidc::{
    Authentication, AuthorizationCode, CODE_LIFETIME_S, Client, ClientAssertionRefused, ClientKeys,
    ClientKind, ClientRefused, CodeRefused, CodeState, FORGIVENESS_S, LogoutAnswer, LogoutHint,
    LogoutRequest, Place, Presented, Redemption, RefreshState, RefreshToken, RefreshUse, Reuse, TokenKind,
    authenticate, fan_out, judge_client_assertion, judge_logout, logout_claims, pkce_matches,
};
use enter::service_account::KeyPair;
use kernel::jose::Algorithm;
use kernel::{Hashed, Plain, SafeUrl, SecretText, Time};
use proptest::prelude::*;
use serde_json::{Value, json};

const REDIRECT: &str = "https://app.example.com/cb";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const ISSUER: &str = "https://gateway.example";

fn hash(text: &str) -> Hashed {
    Plain::presented(text).hashed()
}

pub(crate) fn client(id: &str) -> Client {
    Client {
        id: ClientId::parse(id).unwrap(),
        app: AppId::parse("MP-1").unwrap(),
        kind: ClientKind::Web,
        authentication: Authentication::Secret(vec![hash("one"), hash("two")]),
        redirect_uris: vec![RedirectUri::register(REDIRECT).unwrap()],
        post_logout_redirect_uris: vec![RedirectUri::register("https://app.example.com/bye").unwrap()],
        scopes: vec!["profile".to_owned(), "email".to_owned()],
        id_token_algorithm: Algorithm::Rs256,
        forgiveness: true,
        backchannel_logout_uri: SafeUrl::parse("https://app.example.com/out").ok(),
        disabled: None,
    }
}

pub(crate) fn public(id: &str) -> Client {
    Client { authentication: Authentication::None, forgiveness: false, ..client(id) }
}

/// The query of a good request, with one parameter changed; an empty value takes it away.
pub(crate) fn query(changes: &[(&str, &str)]) -> String {
    let good = [
        ("client_id", "c1"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "s&1"),
    ];
    let mut all: Vec<(&str, &str)> =
        good.into_iter().filter(|(name, _)| changes.iter().all(|(other, _)| other != name)).collect();
    all.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    let all: Vec<String> =
        all.iter().map(|(name, value)| format!("{name}={}", enter::percent::encoded(value))).collect();
    all.join("&")
}

pub(crate) fn asked(changes: &[(&str, &str)], client: &Client) -> Result<AuthorizeRequest, AuthorizeRefused> {
    check(&Parameters::parse(&query(changes)).unwrap(), Some(client))
}

fn error_of(changes: &[(&str, &str)], client: &Client) -> &'static str {
    match asked(changes, client) {
        Err(AuthorizeRefused::Redirect { redirect_uri, state, answer }) => {
            assert_eq!((redirect_uri.as_str(), state.as_deref()), (REDIRECT, Some("s&1")), "{changes:?}");
            answer.error
        }
        other => panic!("{changes:?}: {other:?}"),
    }
}

#[test]
fn a_good_request_passes_every_check() {
    let request = asked(
        &[
            ("scope", "openid email unknown email"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("prompt", "login consent"),
            ("max_age", "0"),
            ("claims", r#"{"id_token":{"email":null}}"#),
            ("account_id", "AG-1"),
            ("nonce", "n"),
            ("whatever", "ignored"),
            ("response_mode", "query"),
            ("login_hint", "U-1"),
        ],
        &client("c1"),
    )
    .unwrap();
    assert_eq!(request.scopes, ["openid", "email"]);
    assert_eq!(request.challenge.as_deref(), Some(CHALLENGE));
    assert!(request.prompt.login && request.prompt.consent && !request.prompt.none);
    assert_eq!(
        (request.max_age_s, request.nonce.as_deref(), request.state.as_deref()),
        (Some(0), Some("n"), Some("s&1"))
    );
    assert!(matches!(request.context, Some(ServiceContext::Account(id)) if id.as_str() == "AG-1"));
}

#[test]
fn before_the_redirect_uri_is_proven_nothing_goes_anywhere() {
    let known = client("c1");
    let local = |changes: &[(&str, &str)], client: Option<&Client>| match check(
        &Parameters::parse(&query(changes)).unwrap(),
        client,
    ) {
        Err(AuthorizeRefused::Local(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(local(&[], None), LocalRefusal::Client);
    assert_eq!(local(&[("client_id", "c2")], Some(&known)), LocalRefusal::Client);
    assert_eq!(local(&[("client_id", "")], Some(&known)), LocalRefusal::Client);
    let off = Client { disabled: Some(NOW), ..client("c1") };
    assert_eq!(local(&[], Some(&off)), LocalRefusal::ClientDisabled);
    for uri in [
        "",
        "https://app.example.com/cb/",
        "https://app.example.com/cb?x",
        "https://evil.example/cb",
        "https://app.example.com@evil.example/cb",
        "javascript:alert(1)",
    ] {
        // Lesson 4: also with every response mode and every other error in the same request.
        for mode in ["", "query", "fragment", "form_post", "form_post.jwt", "query.jwt", "web_message"] {
            let changes = [
                ("redirect_uri", uri),
                ("response_mode", mode),
                ("response_type", "token"),
                ("request", "x"),
            ];
            assert_eq!(local(&changes, Some(&known)), LocalRefusal::RedirectUri, "{uri} {mode}");
        }
    }
}

#[test]
fn lesson_5_no_parameter_stands_twice() {
    for twice in ["a=1&a=2", "state=1&%73tate=2", "redirect_uri=x&redirect_uri=y", "a&a"] {
        assert_eq!(Parameters::parse(twice), Err(LocalRefusal::Parameters), "{twice}");
    }
    let many: Vec<String> = (0..101).map(|number| format!("p{number}=1")).collect();
    assert!(Parameters::parse(&many.join("&")).is_err());
}

#[test]
fn errors_that_go_back_to_the_app() {
    let one = client("c1");
    for (name, value, error) in [
        ("request", "eyJ", "request_not_supported"),
        ("request_uri", "https://evil.example/", "request_uri_not_supported"),
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_mode", "form_post", "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("scope", "", "invalid_scope"),
        ("scope", "email", "invalid_scope"),
        ("code_challenge", CHALLENGE, "invalid_request"),
        ("code_challenge_method", "S256", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("max_age", "+1", "invalid_request"),
        ("max_age", "1.5", "invalid_request"),
        ("max_age", "99999999999999999999", "invalid_request"),
        ("claims", "[]", "invalid_request"),
        ("claims", "{", "invalid_request"),
        ("claims", r#"{"a":1,"a":2}"#, "invalid_request"),
        ("account_id", "../x", "invalid_request"),
        ("serviceContext", "x", "invalid_request"),
        ("serviceContext", "eyJfdHlwZSI6InN1cGVyYWRtaW4ifQ==", "access_denied"),
    ] {
        assert_eq!(error_of(&[(name, value)], &one), error, "{name}={value}");
    }
    assert_eq!(error_of(&[("account_id", "AG-1"), ("partner_id", "P1")], &one), "invalid_request");
    for method in ["plain", "s256", ""] {
        assert_eq!(
            error_of(&[("code_challenge", CHALLENGE), ("code_challenge_method", method)], &one),
            "invalid_request"
        );
    }
    assert_eq!(
        error_of(&[("code_challenge", "short"), ("code_challenge_method", "S256")], &one),
        "invalid_request"
    );
    assert_eq!(error_of(&[], &public("c1")), "invalid_request", "PKCE is required of public clients");
}

#[test]
fn answers_carry_state_and_issuer() {
    let answer = ErrorRedirect { error: "login_required", description: "no session" };
    assert_eq!(
        error_url("https://a.example/cb?t=1", Some("s&1"), &answer, ISSUER),
        "https://a.example/cb?t=1&error=login_required&error_description=no%20session&state=s%261&iss=https%3A%2F%2Fgateway.example"
    );
    assert_eq!(
        code_url(REDIRECT, None, "c", ISSUER),
        "https://app.example.com/cb?code=c&iss=https%3A%2F%2Fgateway.example"
    );
}

#[test]
fn a_client_proves_itself_in_one_way_its_own() {
    let one = client("c1");
    let basic = |name: &str, secret: &str| Presented {
        basic: Some((name.to_owned(), SecretText::new(secret))),
        ..Presented::default()
    };
    let post = |secret: &str| Presented {
        secret: Some(SecretText::new(secret)),
        client_id: Some("c1".to_owned()),
        ..Presented::default()
    };
    for good in [basic("c1", "one"), basic("c1", "two"), post("one")] {
        assert_eq!(authenticate(&one, &good), Ok(false));
    }
    assert_eq!(authenticate(&one, &post("three")), Err(ClientRefused::Wrong));
    assert_eq!(authenticate(&one, &post("")), Err(ClientRefused::Wrong));
    assert_eq!(authenticate(&one, &basic("c2", "one")), Err(ClientRefused::OtherClient));
    assert_eq!(authenticate(&one, &Presented::default()), Err(ClientRefused::Method));
    assert_eq!(
        authenticate(&one, &Presented { basic: basic("c1", "one").basic, ..post("one") }),
        Err(ClientRefused::SeveralProofs)
    );
    let assertion = Presented { assertion: true, ..Presented::default() };
    assert_eq!(authenticate(&one, &assertion), Err(ClientRefused::Method));
    assert_eq!(authenticate(&public("c1"), &Presented::default()), Ok(false));
    assert_eq!(authenticate(&public("c1"), &post("one")), Err(ClientRefused::Method));
    let keys = ClientKeys::Registered(vec![]);
    let jwt = Client {
        authentication: Authentication::PrivateKeyJwt { algorithm: Algorithm::Es256, keys },
        ..client("c1")
    };
    assert_eq!(authenticate(&jwt, &assertion), Ok(true));
    assert_eq!(authenticate(&jwt, &post("one")), Err(ClientRefused::Method));
    assert_eq!(
        authenticate(&Client { disabled: Some(NOW), ..client("c1") }, &post("one")),
        Err(ClientRefused::Disabled)
    );
}

#[test]
fn lesson_13_the_issuer_is_the_only_audience_of_a_client_assertion() {
    let (pair, one, now) = (KeyPair::generate(Algorithm::Es256).unwrap(), client("c1"), NOW.seconds());
    let keys = [pair.public_jwk()];
    let judged = |header: &Value, changes: &Value| {
        let mut claims = json!({ "iss": "c1", "sub": "c1", "aud": ISSUER, "exp": now + 60, "jti": "j" });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let text = pair.sign(header, &claims.to_string()).unwrap();
        judge_client_assertion(&text, &one, Algorithm::Es256, &keys, ISSUER, NOW)
    };
    let header = json!({ "alg": "ES256", "typ": "client-authentication+jwt" });
    for good in [json!({}), json!({ "aud": [ISSUER] })] {
        assert!(judged(&header, &good).is_ok(), "{good}");
    }
    assert!(judged(&json!({ "alg": "ES256" }), &json!({})).is_ok());
    let audience = ClientAssertionRefused::Audience(ISSUER.to_owned());
    assert!(audience.to_string().contains(ISSUER), "the message names the right one");
    for aud in [
        json!("https://gateway.example/oauth2/token"),
        json!([ISSUER, "https://other.example"]),
        json!("https://gateway.example/"),
        json!([]),
        json!(null),
        json!([ISSUER, ISSUER]),
    ] {
        assert_eq!(judged(&header, &json!({ "aud": aud })), Err(audience.clone()), "{aud}");
    }
    for (changes, why) in [
        (json!({ "sub": "c2" }), ClientAssertionRefused::Principal),
        (json!({ "iss": "c2" }), ClientAssertionRefused::Principal),
        (json!({ "exp": now }), ClientAssertionRefused::Expired),
        (json!({ "exp": null }), ClientAssertionRefused::Claim("exp")),
        (json!({ "exp": now + 90_000 }), ClientAssertionRefused::TooLong),
        (json!({ "nbf": now + 90 }), ClientAssertionRefused::Future),
        (json!({ "jti": null }), ClientAssertionRefused::Claim("jti")),
        (json!({ "jti": "" }), ClientAssertionRefused::Claim("jti")),
    ] {
        assert_eq!(judged(&header, &changes), Err(why), "{changes}");
    }
    assert_eq!(
        judged(&json!({ "alg": "ES256", "typ": "at+jwt" }), &json!({})),
        Err(ClientAssertionRefused::Type)
    );
    assert_eq!(
        judged(&json!({ "alg": "HS256" }), &json!({})),
        Err(ClientAssertionRefused::Algorithm("ES256"))
    );
    assert_eq!(
        judged(&json!({ "alg": "ES256", "jwk": {} }), &json!({})),
        Err(ClientAssertionRefused::Header("jwk"))
    );
}

fn code(challenge: Option<&str>) -> AuthorizationCode {
    AuthorizationCode {
        hash: hash("code"),
        client: ClientId::parse("c1").unwrap(),
        grant: GrantId::parse("g1").unwrap(),
        redirect_uri: REDIRECT.to_owned(),
        challenge: challenge.map(str::to_owned),
        nonce: None,
        scopes: vec![],
        issued: NOW,
        state: CodeState::Issued,
    }
}

#[test]
fn lesson_6_7_and_9_a_code_is_bound_burnt_and_revoked_on_replay() {
    let redeemed =
        |challenge, client: &Client, uri, verifier, now| code(challenge).redeem(client, uri, verifier, now);
    let burnt = |outcome: Redemption| match outcome {
        Redemption::Burnt(code, why) => {
            assert!(matches!(code.state, CodeState::Redeemed { .. }));
            why
        }
        other => panic!("{other:?}"),
    };
    let (one, uri, verifier, challenge) = (client("c1"), Some(REDIRECT), Some(VERIFIER), Some(CHALLENGE));
    let Redemption::Tokens(used) = redeemed(challenge, &one, uri, verifier, NOW) else {
        panic!("a good code brings tokens")
    };
    let grant = GrantId::parse("g1").unwrap();
    let late = NOW.plus_seconds(3600);
    assert_eq!(
        used.clone().redeem(&one, uri, verifier, late),
        Redemption::RevokeGrant(grant.clone(), CodeRefused::Replayed)
    );
    assert_eq!(
        used.redeem(&client("c2"), None, None, NOW),
        Redemption::RevokeGrant(grant, CodeRefused::Replayed)
    );
    assert_eq!(burnt(redeemed(challenge, &client("c2"), uri, verifier, NOW)), CodeRefused::OtherClient);
    assert_eq!(burnt(redeemed(challenge, &one, uri, None, NOW)), CodeRefused::Pkce);
    assert_eq!(burnt(redeemed(None, &one, uri, verifier, NOW)), CodeRefused::Pkce);
    assert_eq!(burnt(redeemed(None, &public("c1"), uri, None, NOW)), CodeRefused::Pkce);
    assert!(matches!(redeemed(None, &one, uri, None, NOW), Redemption::Tokens(_)));
    for other in [None, Some(""), Some("https://app.example.com/cb/")] {
        assert_eq!(burnt(redeemed(challenge, &one, other, verifier, NOW)), CodeRefused::RedirectUri);
    }
    assert_eq!(
        burnt(redeemed(challenge, &one, uri, verifier, NOW.plus_seconds(CODE_LIFETIME_S))),
        CodeRefused::Late
    );
}

#[test]
fn pkce_as_the_rfc_has_it() {
    assert!(pkce_matches(CHALLENGE, VERIFIER));
    let long = "a".repeat(129);
    for bad in ["", CHALLENGE, &VERIFIER[..42], &format!("{VERIFIER}="), &format!("{VERIFIER}A"), &long] {
        assert!(!pkce_matches(CHALLENGE, bad), "{bad}");
    }
    assert!(!pkce_matches("", VERIFIER));
}

fn refresh(name: &str, state: RefreshState) -> RefreshToken {
    let (client, grant) = (ClientId::parse("c1").unwrap(), GrantId::parse("g1").unwrap());
    RefreshToken { hash: hash(name), client, grant, expires: NOW.plus_seconds(86_400), state }
}

fn rotated() -> RefreshState {
    RefreshState::Rotated { at: NOW, successor: hash("r2") }
}

fn forgiven() -> RefreshState {
    RefreshState::Forgiven { at: NOW, successor: hash("r3") }
}

#[test]
fn refresh_tokens_rotate() {
    let RefreshUse::Rotate(rotation) =
        refresh("r1", RefreshState::Live).present(&client("c1"), hash("r2"), None, NOW)
    else {
        panic!("a living token rotates")
    };
    assert_eq!((rotation.token.state, rotation.revoke), (rotated(), None));
}

#[test]
fn a_lost_answer_is_forgiven_once_within_thirty_seconds_while_the_successor_is_unused() {
    let (one, grant) = (client("c1"), GrantId::parse("g1").unwrap());
    let (soon, late) = (NOW.plus_seconds(FORGIVENESS_S - 1), NOW.plus_seconds(FORGIVENESS_S));
    let unused = refresh("r2", RefreshState::Live);
    let used = refresh("r2", RefreshState::Rotated { at: NOW, successor: hash("x") });
    let stolen = || RefreshUse::RevokeFamily(grant.clone(), Reuse::Stolen);
    let present = |state, client: &Client, successor: Option<&RefreshToken>, now| {
        refresh("r1", state).present(client, hash("r3"), successor, now)
    };
    let RefreshUse::Rotate(rotation) = present(rotated(), &one, Some(&unused), soon) else {
        panic!("is forgiven")
    };
    assert_eq!((rotation.token.state, rotation.revoke), (forgiven(), Some(hash("r2"))));
    assert_eq!(present(rotated(), &one, Some(&unused), late), stolen());
    assert_eq!(present(rotated(), &one, Some(&used), soon), stolen());
    assert_eq!(present(rotated(), &one, Some(&refresh("r9", RefreshState::Live)), soon), stolen());
    assert_eq!(present(rotated(), &one, None, soon), stolen());
    let forgiving = Client { forgiveness: true, ..public("c1") };
    assert!(matches!(present(rotated(), &forgiving, Some(&unused), soon), RefreshUse::Rotate(_)));
    let second = refresh("r3", RefreshState::Live);
    let second_used = refresh("r3", RefreshState::Rotated { at: NOW, successor: hash("x") });
    assert_eq!(
        present(forgiven(), &one, Some(&second), soon),
        RefreshUse::Refuse(Reuse::Again),
        "the family lives on"
    );
    assert_eq!(present(forgiven(), &one, Some(&second), late), stolen());
    assert_eq!(present(forgiven(), &one, Some(&second_used), soon), stolen());
}

#[test]
fn without_forgiveness_a_second_use_is_refused_and_ends_the_family_later_or_once_the_successor_was_used() {
    let grant = GrantId::parse("g1").unwrap();
    let (soon, late) = (NOW.plus_seconds(FORGIVENESS_S - 1), NOW.plus_seconds(FORGIVENESS_S));
    let unused = refresh("r2", RefreshState::Live);
    let used = refresh("r2", RefreshState::Rotated { at: NOW, successor: hash("x") });
    let present = |successor: Option<&RefreshToken>, now| {
        refresh("r1", rotated()).present(&public("c1"), hash("r3"), successor, now)
    };
    let stolen = RefreshUse::RevokeFamily(grant, Reuse::Stolen);
    assert_eq!(present(Some(&unused), soon), RefreshUse::Refuse(Reuse::Again), "the family lives on");
    assert_eq!(present(Some(&unused), late), stolen);
    assert_eq!(present(Some(&used), soon), stolen);
    assert_eq!(present(None, soon), stolen);
}

#[test]
fn lesson_7_11_and_14_a_refresh_token_is_bound_and_ends() {
    let present =
        |token: RefreshToken, client: &Client, now: Time| token.present(client, hash("r2"), None, now);
    let invalid = RefreshUse::Refuse(Reuse::Invalid);
    assert_eq!(present(refresh("r1", RefreshState::Live), &client("c2"), NOW), invalid);
    assert_eq!(present(refresh("r1", RefreshState::Revoked), &client("c1"), NOW), invalid);
    assert_eq!(present(refresh("r1", RefreshState::Live), &client("c1"), NOW.plus_seconds(86_400)), invalid);
    let off = Client { disabled: Some(NOW), ..client("c1") };
    assert_eq!(present(refresh("r1", RefreshState::Live), &off, NOW), invalid);
}

/// The store in small: as many uses of the first token as asked for, each deciding on what the last one left.
fn living_after(uses: usize, client: &Client) -> usize {
    let mut stored = vec![refresh("r0", RefreshState::Live)];
    for number in 1..=uses {
        let first = stored[0].clone();
        let successor = match &first.state {
            RefreshState::Rotated { successor, .. } | RefreshState::Forgiven { successor, .. } => {
                stored.iter().find(|token| token.hash == *successor).cloned()
            }
            RefreshState::Live | RefreshState::Revoked => None,
        };
        let name = format!("r{number}");
        match first.present(client, hash(&name), successor.as_ref(), NOW) {
            RefreshUse::Rotate(rotation) => {
                stored[0] = rotation.token;
                for token in stored.iter_mut().filter(|token| Some(&token.hash) == rotation.revoke.as_ref()) {
                    token.state = RefreshState::Revoked;
                }
                stored.push(refresh(&name, RefreshState::Live));
            }
            RefreshUse::Refuse(_) => {}
            RefreshUse::RevokeFamily(..) => {
                stored.iter_mut().for_each(|token| token.state = RefreshState::Revoked);
            }
        }
    }
    stored.iter().filter(|token| token.state == RefreshState::Live).count()
}

proptest! {
    #[test]
    fn lesson_10_any_number_of_uses_leaves_one_living_successor(uses in 1usize..64) {
        prop_assert_eq!(living_after(uses, &client("c1")), 1);
        prop_assert_eq!(living_after(uses, &public("c1")), 1);
    }
}

#[test]
fn lesson_8_each_kind_of_token_has_its_places_and_no_others() {
    let places = [
        Place::Enter,
        Place::CodeGrant,
        Place::RefreshGrant,
        Place::AssertionGrant,
        Place::Bearer,
        Place::Revoke,
        Place::Introspect,
        Place::Authorize,
        Place::Logout,
    ];
    // Every place that takes a token for what it grants takes exactly one kind.
    for place in places {
        let taken = TokenKind::ALL.into_iter().filter(|kind| kind.belongs(place)).count();
        let expected = if matches!(place, Place::Revoke | Place::Introspect) { 2 } else { 1 };
        assert_eq!(taken, expected, "{place:?}");
    }
    assert!(!TokenKind::LogoutToken.belongs(Place::Bearer) && !TokenKind::IdToken.belongs(Place::Bearer));
    for one in TokenKind::ALL {
        for other in TokenKind::ALL.into_iter().filter(|other| *other != one) {
            if let (Some(a), Some(b)) = (one.prefix(), other.prefix()) {
                assert!(!a.starts_with(b), "{one:?} {other:?}");
            }
            if let (Some(a), Some(b)) = (one.header_type(), other.header_type()) {
                assert_ne!(a, b, "{one:?} {other:?}");
            }
        }
    }
    assert_eq!(TokenKind::of_opaque("vst_rt_abc"), Some(TokenKind::RefreshToken));
    assert_eq!(TokenKind::of_opaque("vst_r"), None);
    assert_eq!(TokenKind::of_opaque("eyJ"), None);
}

#[test]
fn a_logout_ends_the_named_session_or_asks() {
    let one = client("c1");
    let (session, person) = (SessionId::parse("S-1").unwrap(), PersonId::parse("U-1").unwrap());
    let hint = LogoutHint { client: one.id.clone(), person: person.clone(), session: Some(session.clone()) };
    let bye = "https://app.example.com/bye";
    let judged = |hint: Option<&LogoutHint>, client_id, uri, known| {
        let request = LogoutRequest { hint, client_id, post_logout_redirect_uri: uri };
        judge_logout(&request, known, Some((&session, &person)))
    };
    let then = Some(bye.to_owned());
    assert_eq!(judged(Some(&hint), None, Some(bye), Some(&one)), LogoutAnswer::End { then: then.clone() });
    assert_eq!(judged(None, Some("c1"), Some(bye), Some(&one)), LogoutAnswer::Ask { then });
    assert_eq!(judged(None, None, None, None), LogoutAnswer::Ask { then: None });
    let other = LogoutHint { session: SessionId::parse("S-2").ok(), ..hint.clone() };
    assert_eq!(judged(Some(&other), None, None, Some(&one)), LogoutAnswer::Ask { then: None });
    for (hint, client_id, uri, known) in [
        (None, None, Some(bye), None),
        (Some(&hint), Some("c2"), None, Some(&one)),
        (None, Some("c9"), None, None),
        (Some(&hint), None, Some("https://app.example.com/bye/"), Some(&one)),
        (Some(&hint), None, Some("https://evil.example/"), Some(&one)),
        (Some(&hint), None, Some("javascript:alert(1)"), Some(&one)),
    ] {
        assert!(
            matches!(judged(hint, client_id, uri, known), LogoutAnswer::Refuse(_)),
            "{client_id:?} {uri:?}"
        );
    }
}

#[test]
fn every_app_of_a_session_is_told_once() {
    let silent = Client { backchannel_logout_uri: None, ..client("c2") };
    let clients = [client("c1"), silent, client("c3"), client("c1")];
    let took_part = [clients[0].id.clone(), clients[1].id.clone()];
    let told: Vec<&str> = fan_out(&clients, &took_part).into_iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(told, ["c1"]);
    let claims = logout_claims(
        ISSUER,
        &clients[0].id,
        &PersonId::parse("U-1").unwrap(),
        &SessionId::parse("S-1").unwrap(),
        "j",
        NOW,
    );
    assert_eq!(claims["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
    assert!(claims.get("nonce").is_none());
    assert_eq!(
        (&claims["aud"], &claims["sid"], &claims["sub"]),
        (&json!("c1"), &json!("S-1"), &json!("U-1"))
    );
}

#[test]
fn ids_cannot_leave_their_place_in_an_address() {
    for bad in ["", ".", "..", "a/b", "a b", "-a", "a%2f", "ä", &"a".repeat(65)] {
        assert!(ServiceKeyId::parse(bad).is_err(), "{bad}");
    }
}
