//! Service accounts over HTTP (contract `enter.md`, section 4): both exchanges, and the lessons about assertions.

use super::oidc::scene::{Scene, opened};
use super::robot::{Make, Robot, refused};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use enter::service_account::{KeyPair, Switches};
use futures_util::future::join_all;
use kernel::jose::Algorithm;
use kernel::{Actor, Time};
use serde_json::{Value, json};
use service::admin::organizations::OrganizationChange;
use service::admin::service_accounts::ServiceAccountChange;
use service::admin::service_keys::{NewKeyMaterial, NewServiceKey};
use testkit::on_both;
use testkit::signers::{Order, key_pairs, sign_with_jose, sign_with_pyjwt};

/// Claims of the older exchange: `kid` among them, no `jti`, no `iat`.
fn older_claims(robot: &Robot) -> Value {
    let exp = robot.world.now().seconds() + 3600;
    json!({ "sub": robot.email, "aud": "vendasta.com", "exp": exp, "kid": robot.key_id })
}

fn lenient() -> Make<'static> {
    let switches = Switches { without_jti: true, audience_in_header: true, legacy_audience: true };
    Make { switches, ..Make::default() }
}

/// What the organization's engineer reads, newest first.
async fn recorded(robot: &Robot) -> Vec<(String, Value)> {
    let found =
        robot.world.service().refusals(Some(&robot.holder.organization), Time::from_seconds(0), 100).await;
    found.unwrap().into_iter().map(|record| (record.code, record.seen)).collect()
}

on_both! {
    async fn either_key_is_exchanged_for_a_token_that_every_client_can_read(world: World) {
        let scene = Scene::of(&world).await;
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let robot = Robot::made(&scene, Make { algorithm, ..Make::default() }).await;
            let answer = robot.exchanges(&robot.assertion(), &[]).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("cache-control"), "no-store");
            let body = answer.json();
            assert_eq!((&body["token_type"], &body["scope"]), (&json!("Bearer"), &json!("entry logout")));
            assert_eq!(body["expires_in"], 1800);
            let token = body["access_token"].as_str().unwrap();
            // Some clients decode the payload as plain base64, padded by themselves.
            let payload = token.split('.').nth(1).unwrap();
            let padded = format!("{payload}{}", "=".repeat((4 - payload.len() % 4) % 4));
            let claims: Value = serde_json::from_slice(&STANDARD.decode(padded).unwrap()).unwrap();
            assert!(claims["exp"].is_i64(), "{claims}");
            assert_eq!(claims["sub"], robot.email.as_str());
            assert_eq!(claims["iss"], scene.url());
            assert_eq!(opened(token).0["typ"], "at+jwt");
            let called = robot.asks(token, "IdentityProvider/GetEntryURLWithCode", &robot.entry()).await;
            assert_eq!(called.status, 200, "{}", called.text());
        }
    }

    async fn the_older_exchange_takes_what_the_field_sends_from_keys_that_may(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::made(&scene, lenient()).await;
        let header = json!({ "alg": "ES256", "typ": "JWT" });
        let assertion = robot.signed(&header, &older_claims(&robot));
        for _ in 0..2 {
            // Without a jti it may repeat, where that was allowed for the key.
            let answer = robot.exchanges_older(&assertion).without_header("content-type").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let body = answer.json();
            assert_eq!(body.as_object().unwrap().len(), 1);
            let token = body["token"].as_str().unwrap();
            let called = robot.asks(token, "IdentityProvider/GetEntryURL", &robot.entry()).await;
            assert_eq!(called.status, 200, "{}", called.text());
        }
        let with_header = json!({ "alg": "ES256", "kid": robot.key_id, "aud": "vendasta.com" });
        let claims = robot.claims();
        let mut without = claims.clone();
        without.as_object_mut().unwrap().remove("aud");
        assert_eq!(robot.exchanges(&robot.signed(&with_header, &without), &[]).await.status, 200);

        let strict = Robot::of(&scene).await;
        let refusal = |robot: &Robot, claims: Value| {
            let assertion = robot.signed(&header, &claims);
            let ask = robot.exchanges_older(&assertion);
            async move { refused(&ask.await) }
        };
        let (code, status, message) = refusal(&strict, older_claims(&strict)).await;
        assert_eq!((code, status), (16, 401));
        assert!(message.contains("aud"), "{message}");
        let mut own = older_claims(&strict);
        own["aud"] = json!(format!("{}/iam.v1.UserIAM/GetSessionToken", scene.url()));
        let (_, _, message) = refusal(&strict, own.clone()).await;
        assert!(message.contains("jti"), "{message}");
        own["jti"] = json!("once");
        let assertion = strict.signed(&header, &own);
        assert_eq!(strict.exchanges_older(&assertion).await.status, 200);
        assert_eq!(refused(&strict.exchanges_older(&assertion).await).0, 16, "jti counts where it is sent");

        let rsa = Robot::made(&scene, Make { algorithm: Algorithm::Rs256, ..lenient() }).await;
        let assertion = rsa.signed(&json!({ "alg": "RS256" }), &older_claims(&rsa));
        let (_, _, message) = refused(&rsa.exchanges_older(&assertion).await);
        assert!(message.contains("ES256"), "{message}");
    }

    async fn what_is_no_exchange_at_all_is_refused_by_name(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        for (kind, body, field) in [
            ("application/json", "", "body"),
            ("application/json", "{", "body"),
            ("application/json", "[]", "token"),
            ("application/json", r#"{"token":null}"#, "token"),
            ("application/json", r#"{"token":7}"#, "token"),
            ("application/json", r#"{"token":"a","token":"b"}"#, "body"),
            ("application/x-www-form-urlencoded", "token=x", "content-type"),
        ] {
            let answer = robot.exchanges_older("x").body(kind, body).await;
            let (code, status, message) = refused(&answer);
            assert_eq!((code, status), (3, 400), "{body}");
            assert!(message.starts_with(&format!("{field}: ")), "{body}: {message}");
        }
        let huge = "x".repeat(300 * 1024);
        assert_eq!(refused(&robot.exchanges_older(&huge).await).0, 3);
        assert_eq!(refused(&robot.exchanges_older("a.b").await).0, 16);
    }

    async fn lesson_12_an_assertion_is_taken_once_at_the_same_time_later_and_on_another_node(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let assertion = robot.assertion();
        let answers = join_all((0..24).map(|_| async { robot.exchanges(&assertion, &[]).await.status })).await;
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|status| **status == 400).count(), 23, "{answers:?}");
        let (status, why) = robot.refusal(&assertion).await;
        assert_eq!(status, 400);
        assert!(why.starts_with("invalid_grant: ") && why.contains("used before"), "{why}");
        let other = world.another_node().await;
        let elsewhere = robot.exchanges(&assertion, &[]);
        let moved = scene.caller.moved_to(other.address());
        let elsewhere = moved.ask(reqwest::Method::POST, "/oauth2/token").form(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.as_str()),
        ]).await.status.max(elsewhere.await.status);
        assert_eq!(elsewhere, 400);
        // The jti is the service account's own: another one's cannot use it up.
        let second = Robot::of(&scene).await;
        let claims = json!({ "jti": robot.claims()["jti"] });
        assert_eq!(robot.exchanges(&robot.assertion_with(&claims), &[]).await.status, 200);
        assert_eq!(second.exchanges(&second.assertion_with(&claims), &[]).await.status, 200);
        let kept = world.count("used_assertions").await;
        assert_eq!(kept, 3);
    }

    async fn lesson_14_who_is_switched_off_gets_no_token_and_the_token_it_has_ends(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let (service, actor) = (world.service(), Actor::Operator);
        let method = "IdentityProvider/GetEntryURL";
        let works = async |token: &str, about: &str| {
            let called = robot.asks(token, method, &robot.entry()).await;
            assert_eq!(called.status, 200, "{about}: {}", called.text());
        };
        let ended = async |token: &str, about: &str| {
            let (code, status, _) = refused(&robot.asks(token, method, &robot.entry()).await);
            assert_eq!((code, status), (16, 401), "{about}");
            let (status, why) = robot.refusal(&robot.assertion()).await;
            assert_eq!(status, 400, "{about}");
            assert!(why.starts_with("invalid_grant: ") && why.contains("switched off"), "{about}: {why}");
        };
        let token = robot.token().await;
        works(&token, "before").await;

        service.disable_service_key(&actor, &robot.holder, &robot.key_id, true).await.unwrap();
        ended(&token, "key").await;
        service.disable_service_key(&actor, &robot.holder, &robot.key_id, false).await.unwrap();
        works(&token, "key on again").await;

        let change = |disabled| ServiceAccountChange { disabled: Some(disabled), ..Default::default() };
        service.change_service_account(&actor, &robot.holder, &robot.email, change(true)).await.unwrap();
        ended(&token, "account").await;
        service.change_service_account(&actor, &robot.holder, &robot.email, change(false)).await.unwrap();
        works(&token, "account on again").await;

        let partner = service.partner(&robot.holder, &scene.partner.id).await.unwrap();
        let mut configuration =
            enter::sso::IdentityProviderConfiguration::of(&partner.noun, partner.revision);
        configuration.disabled = true;
        service.change_partner(&actor, &robot.holder, &scene.partner.id, configuration).await.unwrap();
        ended(&token, "partner").await;
    }

    async fn lesson_14_an_organization_that_is_switched_off_takes_all_of_its_along(world: World) {
        let scene = Scene::named(&world, "acme").await;
        let robot = Robot::of(&scene).await;
        let client = scene.web().await;
        let user = scene.tokens(&client).await;
        let token = robot.token().await;
        let off = async |disabled| {
            let change = OrganizationChange { disabled: Some(disabled), ..OrganizationChange::default() };
            world.service().change_organization(&Actor::Operator, "acme", change).await.unwrap();
        };
        let method = "IdentityProvider/GetEntryURL";
        off(true).await;
        assert_eq!(refused(&robot.asks(&token, method, &robot.entry()).await).0, 16);
        assert_eq!(robot.refusal(&robot.assertion()).await.0, 400);
        assert_eq!(scene.user_info(user["access_token"].as_str().unwrap()).await.status, 401);
        assert_eq!(scene.refreshing(&client, user["refresh_token"].as_str().unwrap()).await.status, 400);
        off(false).await;
        assert_eq!(robot.asks(&token, method, &robot.entry()).await.status, 200);
        assert_eq!(scene.user_info(user["access_token"].as_str().unwrap()).await.status, 200);
    }

    async fn lesson_15_an_assertion_ends_soon_whether_it_says_so_or_not(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let now = world.now().seconds();
        for (about, changes, words) in [
            ("no end", json!({ "exp": null }), "`exp`"),
            ("a year ahead", json!({ "exp": now + 31_536_000 }), "one hour"),
            ("more than an hour", json!({ "exp": now + 3_700, "iat": null }), "one hour"),
            ("over", json!({ "exp": now - 1 }), "expired"),
            ("issued in the future", json!({ "iat": now + 600, "exp": now + 900 }), "future"),
            ("not before the future", json!({ "nbf": now + 600 }), "future"),
            ("no audience", json!({ "aud": null }), "`aud`"),
            ("another audience", json!({ "aud": "https://other.example" }), "aud"),
            ("two audiences", json!({ "aud": [scene.url(), "https://other.example"] }), "aud"),
            ("the issuer with a slash", json!({ "aud": format!("{}/", scene.url()) }), "aud"),
            ("no jti", json!({ "jti": null }), "jti"),
            ("an issuer of its own", json!({ "iss": "robot@other.example" }), "iss"),
        ] {
            let (status, why) = robot.refusal(&robot.assertion_with(&changes)).await;
            assert_eq!(status, 400, "{about}");
            assert!(why.starts_with("invalid_grant: "), "{about}: {why}");
            assert!(why.replace('\'', "`").contains(words), "{about}: {why}");
        }
        assert_eq!(world.count("used_assertions").await, 0, "what is refused uses nothing up");
        let records = recorded(&robot).await;
        assert_eq!(records.len(), 12);
        assert!(records.iter().all(|(code, _)| code.starts_with("assertion_")), "{records:?}");
        let seen = &records.iter().find(|(code, _)| code == "assertion_expired").unwrap().1;
        assert_eq!((&seen["iss"], &seen["exp"]), (&json!(robot.email), &json!(now - 1)));
    }

    async fn lesson_16_a_key_proves_only_its_own_account(world: World) {
        let (acme, other) = (Scene::named(&world, "acme").await, Scene::named(&world, "other").await);
        let (robot, stranger, second) =
            (Robot::of(&acme).await, Robot::of(&other).await, Robot::of(&acme).await);
        let named = |who: &Robot, kid: &Robot| {
            let mut claims = who.claims();
            claims["iss"] = json!(who.email);
            let header = json!({ "alg": "ES256", "kid": kid.key_id });
            (header, claims)
        };
        for (about, signer, who, kid) in [
            ("a stranger's key and kid for our account", &stranger, &robot, &stranger),
            ("a stranger's key under our kid", &stranger, &robot, &robot),
            ("our key under a stranger's kid", &robot, &robot, &stranger),
            ("our key for a stranger's account", &robot, &stranger, &robot),
            ("another account of the same partner", &second, &robot, &second),
        ] {
            let (header, claims) = named(who, kid);
            let (status, why) = robot.refusal(&signer.signed(&header, &claims)).await;
            assert_eq!(status, 400, "{about}");
            assert!(why.starts_with("invalid_grant: "), "{about}: {why}");
        }
        // Whether an account exists is not told: nobody's account and a key of nobody's are refused alike.
        let (header, mut claims) = named(&robot, &stranger);
        let unknown_key = robot.refusal(&robot.signed(&header, &claims)).await;
        claims["iss"] = json!("nobody@nowhere.example");
        claims["sub"] = json!("nobody@nowhere.example");
        assert_eq!(robot.refusal(&robot.signed(&header, &claims)).await, unknown_key);
        // The issuer of the other environment is another one.
        let production = world.person_in_production().ask(reqwest::Method::POST, "/oauth2/token").form(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", robot.assertion().as_str()),
        ]).await;
        assert_eq!(production.status, 400, "{}", production.text());
    }

    async fn lesson_17_no_header_chooses_its_own_key_or_algorithm(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let claims = robot.claims().to_string();
        let own = KeyPair::generate(Algorithm::Es256).unwrap();
        let jwk: Value = serde_json::from_str(&own.public_jwk()).unwrap();
        let unsigned = |header: &Value| {
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            format!("{}.{}.", part(&header.to_string()), part(&claims))
        };
        let kid = robot.key_id.as_str();
        let key = world.service().service_keys(&robot.holder, &robot.email).await.unwrap().remove(0);
        let hmac = testkit::world::hs256(
            &json!({ "alg": "HS256", "kid": kid }).to_string(), &claims, key.public_jwk.as_bytes(),
        );
        let zero = format!("{}{}", unsigned(&robot.header()), URL_SAFE_NO_PAD.encode([0; 64]));
        let forged = |header: &Value| own.sign(header, &claims).unwrap();
        for (about, assertion) in [
            ("none", unsigned(&json!({ "alg": "none", "kid": kid }))),
            ("None", unsigned(&json!({ "alg": "None", "kid": kid }))),
            ("the public key as a secret", hmac),
            ("r = s = 0", zero),
            ("another key under the kid", forged(&robot.header())),
            ("jwk", forged(&json!({ "alg": "ES256", "kid": kid, "jwk": jwk }))),
            ("jku", forged(&json!({ "alg": "ES256", "kid": kid, "jku": "https://evil.example/keys" }))),
            ("x5u", forged(&json!({ "alg": "ES256", "kid": kid, "x5u": "https://evil.example/x" }))),
            ("crit", robot.signed(&json!({ "alg": "ES256", "kid": kid, "crit": ["exp"] }), &robot.claims())),
            ("a path for a kid", forged(&json!({ "alg": "ES256", "kid": "../../etc/passwd" }))),
            ("SQL for a kid", forged(&json!({ "alg": "ES256", "kid": "' UNION SELECT 1 --" }))),
            ("another type", robot.signed(&json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" }), &robot.claims())),
        ] {
            let (status, why) = robot.refusal(&assertion).await;
            assert_eq!((status, why.starts_with("invalid_grant: ")), (400, true), "{about}: {why}");
        }
        assert_eq!(robot.exchanges(&robot.assertion(), &[]).await.status, 200);
    }

    async fn a_token_has_no_more_than_the_account_and_no_more_than_was_asked_for(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let scope_of = async |assertion: String, more: &[(&str, &str)]| {
            let answer = robot.exchanges(&assertion, more).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.json()["scope"].as_str().unwrap().to_owned()
        };
        assert_eq!(scope_of(robot.assertion(), &[("scope", "logout")]).await, "logout");
        assert_eq!(scope_of(robot.assertion_with(&json!({ "scope": "entry" })), &[]).await, "entry");
        let beyond = robot.exchanges(&robot.assertion(), &[("scope", "apps:write")]).await;
        assert_eq!(beyond.status, 400, "{}", beyond.text());
        let answer = robot.exchanges(&robot.assertion(), &[("scope", "logout")]).await;
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let (code, status, message) =
            refused(&robot.asks(&token, "IdentityProvider/GetEntryURLWithCode", &robot.entry()).await);
        assert_eq!((code, status), (7, 403));
        assert!(message.contains("`entry`"), "{message}");
        let (code, ..) = refused(&robot.asks(&robot.token().await, "ServiceProviderAdmin/ListServiceProviders", &json!({})).await);
        assert_eq!(code, 7, "administration is not among what a new account may");
        // What is taken away from the account is taken away from the tokens that it has.
        let token = robot.token().await;
        let scopes = Some(vec!["logout".to_owned()]);
        let change = ServiceAccountChange { scopes, ..Default::default() };
        world.service().change_service_account(&Actor::Operator, &robot.holder, &robot.email, change).await.unwrap();
        assert_eq!(refused(&robot.asks(&token, "IdentityProvider/GetEntryURL", &robot.entry()).await).0, 7);
    }

    async fn pyjwt_and_jose_prove_keys_that_a_partner_brought(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        for pair in key_pairs(&["ES256", "RS256"]) {
            let algorithm = Algorithm::parse(&pair.alg).unwrap();
            let material = NewKeyMaterial::Public(pair.public_pem.clone());
            let new = NewServiceKey { id: None, algorithm, life_s: None, material };
            let made = world.service().add_service_key(&Actor::Operator, &robot.holder, &robot.email, new).await;
            let (key, file) = made.unwrap();
            assert!(file.is_none());
            let order = || Order::new(&pair.alg, &pair.private_pem, robot.claims()).header("kid", key.id.as_str());
            let signed = [sign_with_pyjwt(&[order()]), sign_with_jose(&[order()])].concat();
            for assertion in signed {
                let answer = robot.exchanges(&assertion, &[]).await;
                assert_eq!(answer.status, 200, "{}: {}", pair.alg, answer.text());
            }
        }
    }

    async fn keys_rotate_without_a_stop(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let pair = key_pairs(&["ES256"]).remove(0);
        let material = NewKeyMaterial::Public(pair.public_pem.clone());
        let new = NewServiceKey { id: None, algorithm: Algorithm::Es256, life_s: Some(3600), material };
        let made = world.service().add_service_key(&Actor::Operator, &robot.holder, &robot.email, new).await;
        let id = made.unwrap().0.id;
        let with_new = || {
            let order = Order::new("ES256", &pair.private_pem, robot.claims()).header("kid", id.as_str());
            sign_with_jose(&[order]).remove(0)
        };
        assert_eq!(robot.exchanges(&robot.assertion(), &[]).await.status, 200);
        assert_eq!(robot.exchanges(&with_new(), &[]).await.status, 200);
        world.service().end_service_key(&Actor::Operator, &robot.holder, &robot.key_id, 60).await.unwrap();
        assert_eq!(robot.exchanges(&robot.assertion(), &[]).await.status, 200, "until its end");
        world.pass_seconds(61);
        assert_eq!(robot.exchanges(&robot.assertion(), &[]).await.status, 400);
        assert_eq!(robot.exchanges(&with_new(), &[]).await.status, 200);
        world.pass_seconds(3600);
        assert_eq!(robot.exchanges(&with_new(), &[]).await.status, 400, "a key ends by itself");
    }

    async fn no_record_holds_an_assertion(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let assertion = robot.assertion_with(&json!({ "exp": 7, "jti": "secret-jti" }));
        assert_eq!(robot.refusal(&assertion).await.0, 400);
        let signature = assertion.rsplit('.').next().unwrap();
        for record in recorded(&robot).await {
            let text = format!("{record:?}");
            assert!(!text.contains(signature) && !text.contains("secret-jti"), "{text}");
        }
    }
}
