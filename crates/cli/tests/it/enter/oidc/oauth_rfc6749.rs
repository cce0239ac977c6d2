//! The token endpoint (RFC 6749, sections 3.2, 4.1.3, 5).

use super::scene::{REDIRECT, Scene, VERIFIER, refusal, refused, text};
use serde_json::json;
use testkit::on_both;

on_both! {
    async fn a_code_brings_tokens_that_nobody_keeps(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let code = scene.code(&rp).await;
        let answer = scene.redeeming(&rp, &code).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
        assert_eq!(answer.header("content-type"), "application/json");
        let tokens = answer.json();
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 1800);
        assert_eq!(tokens["scope"], "openid profile email");
        assert!(text(&tokens, "refresh_token").starts_with("vst_rt_"));
        // Stored hashed only.
        let kept = [("grants", "code_hash", code.as_str()), ("refresh_tokens", "hash", text(&tokens, "refresh_token"))];
        for (table, column, secret) in kept {
            assert_eq!(world.count(table).await, 1);
            assert_eq!(world.count(&format!("{table} WHERE {column} = '{secret}'")).await, 0);
        }
    }

    async fn a_reused_code_is_refused_and_the_winners_tokens_are_revoked(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        for wait_s in [0, 31, 3600] {
            let code = scene.code(&rp).await;
            let tokens = scene.redeeming(&rp, &code).await.json();
            assert_eq!(scene.user_info(text(&tokens, "access_token")).await.status, 200);
            world.pass_seconds(wait_s.min(1700));
            let again = scene.redeeming(&rp, &code).await;
            assert_eq!(refusal(&again), refused(400, "invalid_grant"), "after {wait_s} s");
            assert_eq!(scene.user_info(text(&tokens, "access_token")).await.status, 401, "after {wait_s} s");
            let refreshed = scene.refreshing(&rp, text(&tokens, "refresh_token")).await;
            assert_eq!(refusal(&refreshed), refused(400, "invalid_grant"), "after {wait_s} s");
        }
    }

    async fn a_code_lives_a_minute(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let (young, old) = (scene.code(&rp).await, scene.code(&rp).await);
        world.pass_seconds(59);
        assert_eq!(scene.redeeming(&rp, &young).await.status, 200);
        world.pass_seconds(1);
        assert_eq!(refusal(&scene.redeeming(&rp, &old).await), refused(400, "invalid_grant"));
    }

    async fn redirect_uri_is_that_of_the_request_byte_for_byte(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        for wrong in ["", "https://app.example/CB", "https://app.example/cb/", "https://app.example/cb?x=1", "https://app.example:443/cb"] {
            let code = scene.code(&rp).await;
            let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", wrong), ("code_verifier", VERIFIER)];
            assert_eq!(refusal(&scene.asks_token(&rp, &fields).await), refused(400, "invalid_grant"), "{wrong}");
            // And the code is burnt.
            assert_eq!(refusal(&scene.redeeming(&rp, &code).await), refused(400, "invalid_grant"), "{wrong}");
        }
    }

    async fn a_request_is_read_strictly(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let code = scene.code(&rp).await;
        let good = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)];
        let table: [(&str, Vec<(&str, &str)>); 6] = [
            ("invalid_request", good[1..].to_vec()),
            ("unsupported_grant_type", [&[("grant_type", "password")], &good[1..]].concat()),
            ("unsupported_grant_type", [&[("grant_type", "client_credentials")], &good[1..]].concat()),
            ("invalid_request", vec![good[0], good[2], good[3]]),
            ("invalid_request", [&good[..], &[("code", "again")]].concat()),
            ("invalid_request", [&good[..], &[("grant_type", "refresh_token")]].concat()),
        ];
        for (error, fields) in table {
            assert_eq!(refusal(&scene.asks_token(&rp, &fields).await), refused(400, error), "{fields:?}");
        }
        let json = scene.caller.ask(reqwest::Method::POST, "/oauth2/token").body("application/json", json!({ "code": code }).to_string());
        assert_eq!(refusal(&json.await), refused(400, "invalid_request"));
        let query = format!("/oauth2/token?grant_type=authorization_code&code={code}");
        assert_eq!(refusal(&scene.posts(&query, &rp.proof()).await), refused(400, "invalid_request"));
        assert_eq!(scene.caller.get("/oauth2/token").await.status, 405);
        // Nothing of that used the code up; what is unknown is ignored.
        let more = [&good[..], &[("frobnicate", "1"), ("resource", "x")]].concat();
        assert_eq!(scene.asks_token(&rp, &more).await.status, 200);
    }

    async fn refusals_are_recorded_for_the_apps_engineer(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let code = scene.code(&rp).await;
        scene.redeeming(&rp, &code).await;
        scene.redeeming(&rp, &code).await;
        let organization = &scene.app.organization;
        let recorded = format!("refusals WHERE organization_id = '{organization}' AND code = 'invalid_grant' AND route = '/oauth2/token'");
        assert_eq!(world.count(&recorded).await, 1);
        assert_eq!(world.count(&format!("refusals WHERE message LIKE '%{code}%' OR seen LIKE '%{code}%'")).await, 0);
    }
}
