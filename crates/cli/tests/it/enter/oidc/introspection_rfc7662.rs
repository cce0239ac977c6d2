//! Introspection (RFC 7662): an app's backend asks about the tokens of its own app.

use super::scene::{Rp, Scene, refusal, refused, text, with};
use serde_json::{Value, json};
use testkit::on_both;

async fn told(scene: &Scene, rp: &Rp, token: &str) -> Value {
    let answer = scene.posts("/oauth2/introspect", &with(rp, &[("token", token)])).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text());
    answer.json()
}

on_both! {
    async fn a_live_token_is_told_to_its_own_app(world: World) {
        let scene = Scene::of(&world).await;
        let (rp, sister, spa) = (scene.web().await, scene.web().await, scene.browser().await);
        let tokens = scene.tokens(&spa).await;
        let now = world.now().seconds();
        for asks in [&rp, &sister] {
            let access = told(&scene, asks, text(&tokens, "access_token")).await;
            for (name, value) in [
                ("active", json!(true)), ("client_id", json!(spa.id())), ("sub", json!(scene.person.id)),
                ("iss", json!(scene.url())), ("exp", json!(now + 1800)), ("scope", json!("openid profile email")),
                ("account_id", json!(scene.account)), ("token_type", json!("Bearer")),
            ] {
                assert_eq!(access[name], value, "{name}");
            }
            assert_eq!(told(&scene, asks, text(&tokens, "refresh_token")).await["active"], true);
        }
        world.pass_seconds(1800);
        assert_eq!(told(&scene, &rp, text(&tokens, "access_token")).await, json!({ "active": false }));
    }

    async fn nothing_else_is_told(world: World) {
        let scene = Scene::of(&world).await;
        let (rp, spa) = (scene.web().await, scene.browser().await);
        let other = Scene::named(&world, "other").await;
        let stranger = other.web().await;
        let tokens = scene.tokens(&rp).await;
        let inactive = json!({ "active": false });
        let access = text(&tokens, "access_token");
        for token in [access, text(&tokens, "refresh_token")] {
            assert_eq!(told(&scene, &stranger, token).await, inactive);
            assert_eq!(told(&scene, &rp, &token[..token.len() - 1]).await, inactive);
        }
        for token in [text(&tokens, "id_token"), &scene.code(&rp).await, "x", "vst_rt_x"] {
            assert_eq!(told(&scene, &rp, token).await, inactive, "{token}");
        }
        // Anybody can say that they are a public client.
        let asked = scene.posts("/oauth2/introspect", &with(&spa, &[("token", access)])).await;
        assert_eq!(refusal(&asked), refused(401, "invalid_client"));
        let asked = scene.posts("/oauth2/introspect", &with(&rp, &[])).await;
        assert_eq!(refusal(&asked), refused(400, "invalid_request"));
        // A used refresh token is worth nothing, and says so.
        scene.refreshing(&rp, text(&tokens, "refresh_token")).await;
        assert_eq!(told(&scene, &rp, text(&tokens, "refresh_token")).await, inactive);
    }
}
