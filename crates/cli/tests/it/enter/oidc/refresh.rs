//! Refresh tokens (RFC 6749, section 6; RFC 9700, section 4.14; contract `enter.md`, section 5).

use super::scene::{Scene, opened, refusal, refused, text};
use serde_json::Value;
use testkit::on_both;

const INVALID: &str = "invalid_grant";

fn token(tokens: &Value) -> &str {
    text(tokens, "refresh_token")
}

on_both! {
    async fn each_refresh_brings_a_new_token_of_the_same_sign_in(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let first = scene.tokens(&rp).await;
        world.pass_seconds(1000);
        let second = scene.refreshing(&rp, token(&first)).await.json();
        assert_ne!(token(&first), token(&second));
        let (before, after) = (opened(text(&first, "id_token")).1, opened(text(&second, "id_token")).1);
        for same in ["iss", "sub", "aud", "auth_time", "sid"] {
            assert_eq!(before[same], after[same], "{same}");
        }
        assert!(after["iat"].as_i64() > before["iat"].as_i64());
        assert_eq!(after.get("nonce"), None, "a nonce is of its request");
        assert_eq!(scene.user_info(text(&second, "access_token")).await.status, 200);
        // The older access token lives out its time.
        assert_eq!(scene.user_info(text(&first, "access_token")).await.status, 200);
        world.pass_seconds(800);
        assert_eq!(scene.user_info(text(&first, "access_token")).await.status, 401);
        assert_eq!(scene.user_info(text(&second, "access_token")).await.status, 200);
    }

    async fn a_lost_answer_is_forgiven_once_and_its_token_is_dead(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let first = scene.tokens(&rp).await;
        let lost = scene.refreshing(&rp, token(&first)).await.json();
        world.pass_seconds(29);
        let second = scene.refreshing(&rp, token(&first)).await;
        assert_eq!(second.status, 200, "{}", second.text());
        assert_eq!(refusal(&scene.refreshing(&rp, token(&lost)).await), refused(400, INVALID));
        // A third use in time is refused and harms nobody.
        assert_eq!(refusal(&scene.refreshing(&rp, token(&first)).await), refused(400, INVALID));
        let third = scene.refreshing(&rp, token(&second.json())).await;
        assert_eq!(third.status, 200, "{}", third.text());
    }

    async fn a_late_reuse_revokes_everything_of_the_sign_in(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let first = scene.tokens(&rp).await;
        let second = scene.refreshing(&rp, token(&first)).await.json();
        world.pass_seconds(30);
        assert_eq!(refusal(&scene.refreshing(&rp, token(&first)).await), refused(400, INVALID));
        assert_eq!(refusal(&scene.refreshing(&rp, token(&second)).await), refused(400, INVALID));
        assert_eq!(scene.user_info(text(&second, "access_token")).await.status, 401);
    }

    async fn a_reuse_after_the_successor_was_used_revokes_everything(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let first = scene.tokens(&rp).await;
        let second = scene.refreshing(&rp, token(&first)).await.json();
        let third = scene.refreshing(&rp, token(&second)).await.json();
        assert_eq!(refusal(&scene.refreshing(&rp, token(&first)).await), refused(400, INVALID));
        assert_eq!(refusal(&scene.refreshing(&rp, token(&third)).await), refused(400, INVALID));
    }

    async fn a_public_client_gets_no_second_answer(world: World) {
        let scene = Scene::of(&world).await;
        let spa = scene.browser().await;
        let first = scene.tokens(&spa).await;
        let second = scene.refreshing(&spa, token(&first)).await.json();
        // Two tabs at the same moment: one loses, and nobody is thrown out.
        assert_eq!(refusal(&scene.refreshing(&spa, token(&first)).await), refused(400, INVALID));
        let third = scene.refreshing(&spa, token(&second)).await;
        assert_eq!(third.status, 200, "{}", third.text());
        // Later it is a theft.
        assert_eq!(refusal(&scene.refreshing(&spa, token(&first)).await), refused(400, INVALID));
        assert_eq!(refusal(&scene.refreshing(&spa, token(&third.json())).await), refused(400, INVALID));
    }

    async fn a_refresh_narrows_scopes_and_never_widens_them(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let first = scene.tokens(&rp).await;
        let wider = [("grant_type", "refresh_token"), ("refresh_token", token(&first)), ("scope", "openid offline_access")];
        assert_eq!(refusal(&scene.asks_token(&rp, &wider).await), refused(400, "invalid_scope"));
        // That used nothing up.
        let narrower = [("grant_type", "refresh_token"), ("refresh_token", token(&first)), ("scope", "email openid")];
        let narrow = scene.asks_token(&rp, &narrower).await.json();
        assert_eq!(narrow["scope"], "openid email");
        let claims = scene.user_info(text(&narrow, "access_token")).await.json();
        assert_eq!((claims["email"].as_str(), claims.get("given_name")), (Some("anna@example.com"), None));
        // The grant is as wide as before.
        let wide = scene.refreshing(&rp, token(&narrow)).await.json();
        assert_eq!(wide["scope"], "openid profile email");
    }

    async fn a_refresh_ends_with_the_session(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let first = scene.tokens(&rp).await;
        world.pass_seconds(24 * 3600 - 1);
        let second = scene.refreshing(&rp, token(&first)).await;
        assert_eq!(second.status, 200, "{}", second.text());
        world.pass_seconds(1);
        assert_eq!(refusal(&scene.refreshing(&rp, token(&second.json())).await), refused(400, INVALID));
    }
}
