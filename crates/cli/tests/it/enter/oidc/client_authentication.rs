//! How a client proves itself (RFC 6749, section 2.3; RFC 7523; RFC 10070), and lessons 12, 13, 16 and 17.

use super::scene::{REDIRECT, Rp, Scene, VERIFIER, refusal, refused, text};
use enter::oidc::{Authentication, ClientKeys};
use kernel::jose::Algorithm;
use kernel::{Plain, SystemChance};
use serde_json::{Value, json};
use testkit::on_both;
use testkit::signers::{KeyPair, Order, key_pairs, sign_with_jose, sign_with_pyjwt};
use testkit::world::Answer;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

async fn with_key(scene: &Scene, key: &KeyPair) -> Rp {
    let algorithm = Algorithm::parse(&key.alg).unwrap();
    let keys = ClientKeys::Registered(vec![key.public_jwk.to_string()]);
    scene
        .client(move |client| client.authentication = Authentication::PrivateKeyJwt { algorithm, keys })
        .await
}

fn claims(scene: &Scene, rp: &Rp) -> Value {
    let now = scene.world.now().seconds();
    let jti = Plain::new(&SystemChance);
    json!({ "iss": rp.id(), "sub": rp.id(), "aud": scene.url(), "iat": now, "exp": now + 60, "jti": jti.reveal() })
}

/// A fresh code, redeemed with this assertion.
async fn redeemed(scene: &Scene, rp: &Rp, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let code = scene.code(rp).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    let fields: Vec<(String, String)> =
        fields.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    scene.posts("/oauth2/token", &fields).await
}

on_both! {
    async fn a_secret_is_taken_in_both_ways_and_not_in_two_at_once(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let form = |code: &str| {
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)]
                .map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
        };
        let basic = scene.posts("/oauth2/token", &form(&scene.code(&rp).await)).header("authorization", &rp.basic()).await;
        assert_eq!(basic.status, 200, "{}", basic.text());
        let code = scene.code(&rp).await;
        assert_eq!(scene.redeeming(&rp, &code).await.status, 200);
        let both = scene.redeeming(&rp, &scene.code(&rp).await).header("authorization", &rp.basic()).await;
        assert_eq!(refusal(&both), refused(400, "invalid_request"));
    }

    async fn a_client_that_does_not_prove_itself_gets_a_challenge(world: World) {
        let scene = Scene::of(&world).await;
        let (rp, spa) = (scene.web().await, scene.browser().await);
        let code = scene.code(&rp).await;
        let without_last = &rp.secret[..rp.secret.len() - 1];
        let wrong = [
            Rp { secret: String::new(), ..rp.clone() },
            Rp { secret: "wrong".to_owned(), ..rp.clone() },
            Rp { secret: without_last.to_owned(), ..rp.clone() },
            Rp { secret: format!("{}x", rp.secret), ..rp.clone() },
            Rp { secret: rp.secret.to_uppercase(), ..rp.clone() },
            Rp { secret: rp.secret.clone(), ..spa.clone() },
        ];
        for wrong in wrong {
            let answer = scene.redeeming(&wrong, &code).await;
            assert_eq!(refusal(&answer), refused(401, "invalid_client"), "{wrong:?}");
            assert!(answer.header("www-authenticate").starts_with("Basic "), "{:?}", answer.headers);
        }
        for id in ["", "nobody", "' UNION SELECT 1 --", "../x"] {
            let fields = [("grant_type", "refresh_token"), ("refresh_token", "vst_rt_x"), ("client_id", id)];
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(refusal(&scene.posts("/oauth2/token", &fields).await), refused(401, "invalid_client"), "{id}");
        }
        assert_eq!(scene.redeeming(&rp, &code).await.status, 200, "nothing of that touched the code");
    }

    async fn an_ended_secret_is_refused_at_once(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let code = scene.code(&rp).await;
        world.change("UPDATE client_secrets SET ends_at = 1").await;
        world.change("UPDATE clients SET version = version + 1").await;
        assert_eq!(refusal(&scene.redeeming(&rp, &code).await), refused(401, "invalid_client"));
    }

    async fn keys_prove_a_client_signed_by_two_libraries(world: World) {
        let scene = Scene::of(&world).await;
        for key in key_pairs(&["RS256", "ES256", "EdDSA"]) {
            let rp = with_key(&scene, &key).await;
            for sign in [sign_with_jose, sign_with_pyjwt] {
                let order = Order::new(&key.alg, &key.private_pem, claims(&scene, &rp)).header("typ", "client-authentication+jwt");
                let assertion = sign(&[order]).remove(0);
                let answer = redeemed(&scene, &rp, &assertion, &[]).await;
                assert_eq!(answer.status, 200, "{}: {}", key.alg, answer.text());
            }
        }
    }

    async fn lesson_12_a_client_assertion_is_used_once(world: World) {
        let scene = Scene::of(&world).await;
        let key = key_pairs(&["ES256"]).remove(0);
        let rp = with_key(&scene, &key).await;
        let assertion = sign_with_jose(&[Order::new("ES256", &key.private_pem, claims(&scene, &rp))]).remove(0);
        let asked: Vec<_> = (0..20).map(|_| {
            let (scene, rp, assertion) = (scene.clone(), rp.clone(), assertion.clone());
            tokio::spawn(async move { redeemed(&scene, &rp, &assertion, &[]).await.status })
        }).collect();
        let mut taken = 0;
        for one in asked {
            taken += usize::from(one.await.unwrap() == 200);
        }
        assert_eq!(taken, 1);
        // Also at another endpoint, and on a node that starts afterwards.
        let node = world.another_node().await;
        let there = Scene { caller: world.person_at(&node), ..scene.clone() };
        assert_eq!(refusal(&redeemed(&there, &rp, &assertion, &[]).await), refused(401, "invalid_client"));
        let fields = [("token", "x"), ("client_assertion_type", TYPE), ("client_assertion", assertion.as_str())];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for path in ["/oauth2/revoke", "/oauth2/introspect", "/oauth2/par"] {
            assert_eq!(refusal(&scene.posts(path, &fields).await), refused(401, "invalid_client"), "{path}");
        }
    }

    async fn lesson_13_the_issuer_is_the_only_audience(world: World) {
        let scene = Scene::of(&world).await;
        let key = key_pairs(&["ES256"]).remove(0);
        let rp = with_key(&scene, &key).await;
        let issuer = scene.url();
        let audiences = [
            (json!(issuer), true), (json!([issuer]), true), (json!(format!("{issuer}/oauth2/token")), false),
            (json!(format!("{issuer}/")), false), (json!([issuer, "https://other.example"]), false), (json!([]), false),
            (json!([issuer, issuer]), false), (json!(format!("{issuer}/oauth2/par")), false), (Value::Null, false),
            (json!(world.url(kernel::Environment::Production)), false),
        ];
        let orders: Vec<Order> = audiences.iter().map(|(audience, _)| {
            let mut claims = claims(&scene, &rp);
            claims["aud"] = audience.clone();
            Order::new("ES256", &key.private_pem, claims)
        }).collect();
        for (assertion, (audience, good)) in sign_with_pyjwt(&orders).iter().zip(audiences) {
            let answer = redeemed(&scene, &rp, assertion, &[]).await;
            assert_eq!(answer.status, if good { 200 } else { 401 }, "{audience}: {}", answer.text());
            let names_the_right_one = answer.text().contains(&format!("must be the issuer `{issuer}`"));
            assert_eq!(names_the_right_one, !good, "{audience}: {}", answer.text());
        }
    }

    async fn lesson_15_an_assertion_has_its_times_and_its_jti(world: World) {
        let scene = Scene::of(&world).await;
        let key = key_pairs(&["ES256"]).remove(0);
        let rp = with_key(&scene, &key).await;
        let now = world.now().seconds();
        let changes = [
            ("exp", Value::Null), ("exp", json!(now)), ("exp", json!(now + 366 * 24 * 3600)), ("exp", json!("soon")),
            ("iat", json!(now + 3600)), ("nbf", json!(now + 3600)), ("jti", Value::Null), ("jti", json!("")),
            ("iss", json!("somebody")), ("sub", json!("somebody")), ("iss", Value::Null),
        ];
        let orders: Vec<Order> = changes.iter().map(|(name, value)| {
            let mut claims = claims(&scene, &rp);
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(*name)),
                value => claims[*name] = value.clone(),
            }
            Order::new("ES256", &key.private_pem, claims)
        }).collect();
        for (assertion, change) in sign_with_jose(&orders).iter().zip(&changes) {
            let answer = redeemed(&scene, &rp, assertion, &[("client_id", rp.id())]).await;
            assert_eq!(refusal(&answer), refused(401, "invalid_client"), "{change:?}");
        }
    }

    async fn lesson_16_and_17_only_the_registered_key_and_algorithm_prove(world: World) {
        let scene = Scene::of(&world).await;
        let keys = key_pairs(&["ES256", "ES256", "RS256"]);
        let (own, other, rsa) = (&keys[0], &keys[1], &keys[2]);
        let (rp, stranger) = (with_key(&scene, own).await, with_key(&scene, other).await);
        let secret = rsa.public_pem.clone();
        let orders = [
            Order::new("ES256", &other.private_pem, claims(&scene, &rp)),
            Order::new("ES256", &other.private_pem, claims(&scene, &rp)).header("kid", stranger.id()),
            Order::new("RS256", &rsa.private_pem, claims(&scene, &rp)),
            Order::new("ES256", &other.private_pem, claims(&scene, &rp)).header("jwk", other.public_jwk.clone()),
            Order::new("ES256", &own.private_pem, claims(&scene, &rp)).header("jku", "https://evil.example/jwks"),
            Order::new("ES256", &own.private_pem, claims(&scene, &rp)).header("x5u", "https://evil.example/x"),
        ];
        let mut forged = sign_with_jose(&orders);
        let good = sign_with_jose(&[Order::new("ES256", &own.private_pem, claims(&scene, &rp))]).remove(0);
        let payload = good.split('.').nth(1).unwrap().to_owned();
        let header = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
        for text in [r#"{"alg":"none"}"#, r#"{"alg":"None"}"#, r#"{"alg":"HS256"}"#] {
            forged.push(format!("{}.{payload}.", header(text)));
            forged.push(format!("{}.{payload}.{}", header(text), header(&secret)));
        }
        forged.push(format!("{}.{payload}.{}", header(r#"{"alg":"ES256"}"#), "A".repeat(86)));
        for assertion in &forged {
            let answer = redeemed(&scene, &rp, assertion, &[]).await;
            assert_eq!(refusal(&answer), refused(401, "invalid_client"), "{assertion}");
        }
        let answer = redeemed(&scene, &rp, &good, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let tokens = answer.json();
        // Another client's proof does not open this one's refresh token.
        let theirs = sign_with_jose(&[Order::new("ES256", &other.private_pem, claims(&scene, &stranger))]).remove(0);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token")), ("client_assertion_type", TYPE), ("client_assertion", &theirs)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(refusal(&scene.posts("/oauth2/token", &fields).await), refused(400, "invalid_grant"));
    }
}
