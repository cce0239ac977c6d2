//! ID tokens and userinfo (OpenID Connect Core, sections 2, 3.1.3, 5).

use super::scene::{REDIRECT, Scene, opened, refusal, refused, text};
use kernel::jose::{Algorithm, Compact, PublicKey};
use serde_json::{Value, json};
use testkit::on_both;

/// Proves a token by the published key that it names: its claims.
async fn proven(scene: &Scene, algorithm: Algorithm, token: &str) -> Value {
    let (header, claims) = opened(token);
    assert_eq!(header["alg"], algorithm.as_str());
    let set = scene.caller.get("/oauth2/v1/certs").await.json();
    let key = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]);
    let key = key.unwrap_or_else(|| panic!("{header} names no published key"));
    assert_eq!((&key["alg"], &key["use"]), (&json!(algorithm.as_str()), &json!("sig")));
    let public = PublicKey::parse(algorithm, &key.to_string()).unwrap();
    assert!(Compact::parse(token, 8192).unwrap().proven_by(&public), "{algorithm:?}");
    claims
}

on_both! {
    async fn an_id_token_says_who_and_is_proven_by_a_published_key(world: World) {
        let scene = Scene::of(&world).await;
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            let rp = scene.client(|client| client.id_token_algorithm = algorithm).await;
            let tokens = scene.tokens(&rp).await;
            let claims = proven(&scene, algorithm, text(&tokens, "id_token")).await;
            let now = world.now().seconds();
            for (name, value) in [
                ("iss", json!(scene.url())), ("sub", json!(scene.person.id)), ("aud", json!(rp.id())),
                ("iat", json!(now)), ("exp", json!(now + 600)), ("nonce", json!("n-0S6_WzA2Mj")),
                ("auth_time", json!(scene.session.authenticated.seconds())), ("sid", json!(scene.session.id)),
                ("partner_id", json!(scene.partner.id)), ("namespace", json!(scene.partner.id)),
                ("account_id", json!(scene.account)), ("roles", json!(["member"])),
                ("act", json!({ "sub": "agent-7" })), ("back_url", json!("https://portal.example/back")),
                ("email", json!("anna@example.com")), ("email_verified", json!(true)),
            ] {
                assert_eq!(claims[name], value, "{name}");
            }
            assert_eq!(opened(text(&tokens, "id_token")).0["typ"], "JWT");
            assert!(claims["at_hash"].is_string());
            let access = proven(&scene, algorithm, text(&tokens, "access_token")).await;
            assert_eq!(opened(text(&tokens, "access_token")).0["typ"], "at+jwt");
            assert_eq!((&access["exp"], &access["aud"]), (&json!(now + 1800), &json!(scene.url())));
            assert_eq!(access["client_id"], rp.id());
            // Clients in the field decode the payload as plain base64 (contract `enter.md`, section 4).
            assert!(!text(&tokens, "id_token").split('.').nth(1).unwrap().contains(['-', '_']));
        }
    }

    async fn userinfo_answers_get_and_both_kinds_of_post(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let tokens = scene.tokens(&rp).await;
        let token = text(&tokens, "access_token");
        let post = || scene.caller.ask(reqwest::Method::POST, "/oauth2/user-info");
        let bearer = format!("Bearer {token}");
        let answers = [
            scene.user_info(token).await,
            post().header("authorization", &bearer).await,
            post().header("authorization", &bearer.replace("Bearer", "bearer")).form(&[]).await,
            post().form(&[("access_token", token)]).await,
        ];
        for answer in answers {
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!((answer.header("content-type"), answer.header("cache-control")), ("application/json", "no-store"));
            let claims = answer.json();
            for (name, value) in [
                ("sub", json!(scene.person.id)), ("name", json!("Anna Ärendt>?~")), ("given_name", json!("Anna")),
                ("family_name", json!("Ärendt>?~")), ("locale", json!("de-CH")), ("email", json!("anna@example.com")),
                ("account_id", json!(scene.account)), ("roles", json!(["member"])), ("act", json!({ "sub": "agent-7" })),
                ("back_url", json!("https://portal.example/back")), ("back_url_text", json!("Back to the portal")),
                ("partner_id", json!(scene.partner.id)), ("namespace", json!(scene.partner.id)),
            ] {
                assert_eq!(claims[name], value, "{name}");
            }
            assert_eq!(claims.get("picture"), None, "what has no value is left out");
            assert!(text(&claims, "product_navbar_data_url").starts_with(&format!("{}/navbar/data/", scene.url())));
        }
    }

    async fn scopes_and_the_claims_parameter_open_claims(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let of = |scopes: &[&str], claims: Value| {
            let mut granted = scene.granted(&rp);
            granted.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            granted.claims = claims.as_object().cloned();
            granted
        };
        let told = async |granted| {
            let code = scene.issue(granted).await;
            let tokens = scene.redeeming(&rp, &code).await.json();
            let info = scene.user_info(text(&tokens, "access_token")).await.json();
            let id_token = opened(text(&tokens, "id_token")).1;
            let has = |from: &Value| ["email", "given_name"].map(|name| from.get(name).is_some());
            (has(&info), has(&id_token))
        };
        assert_eq!(told(of(&["openid"], Value::Null)).await, ([false, false], [false, false]));
        assert_eq!(told(of(&["openid", "email"], Value::Null)).await, ([true, false], [true, false]));
        let claims = json!({ "userinfo": { "given_name": { "essential": true } }, "id_token": { "email": null } });
        assert_eq!(told(of(&["openid"], claims)).await, ([false, true], [true, false]));
    }

    async fn what_is_told_is_what_holds_now(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let tokens = scene.tokens(&rp).await;
        world.change("UPDATE associations SET roles = '[\"owner\"]'").await;
        world.change("UPDATE people SET email = 'new@example.com', email_verified = FALSE").await;
        let claims = scene.user_info(text(&tokens, "access_token")).await.json();
        assert_eq!((&claims["roles"], &claims["email"], &claims["email_verified"]), (&json!(["owner"]), &json!("new@example.com"), &json!(false)));
    }

    async fn a_grant_for_the_partner_itself_has_no_account(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let mut granted = scene.granted(&rp);
        granted.account = None;
        let code = scene.issue(granted).await;
        let tokens = scene.redeeming(&rp, &code).await.json();
        let claims = scene.user_info(text(&tokens, "access_token")).await.json();
        assert_eq!((claims.get("account_id"), &claims["roles"]), (None, &json!([])));
    }

    async fn a_native_app_redeems_at_the_port_it_had(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let mut granted = scene.granted(&rp);
        granted.redirect_uri = "http://127.0.0.1:49152/cb".to_owned();
        let code = scene.issue(granted).await;
        let fields = |uri| [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", uri), ("code_verifier", super::scene::VERIFIER)];
        assert_eq!(refusal(&scene.asks_token(&rp, &fields(REDIRECT)).await), refused(400, "invalid_grant"));
    }
}
