//! Revocation (RFC 7009).

use super::scene::{Rp, Scene, refusal, refused, text, with};
use testkit::on_both;
use testkit::world::Answer;

async fn revoked(scene: &Scene, rp: &Rp, token: &str) -> Answer {
    scene.posts("/oauth2/revoke", &with(rp, &[("token", token), ("token_type_hint", "refresh_token")])).await
}

on_both! {
    async fn a_refresh_token_ends_with_its_whole_sign_in(world: World) {
        let scene = Scene::of(&world).await;
        for rp in [scene.web().await, scene.browser().await] {
            let tokens = scene.tokens(&rp).await;
            assert_eq!(revoked(&scene, &rp, text(&tokens, "refresh_token")).await.status, 200);
            assert_eq!(refusal(&scene.refreshing(&rp, text(&tokens, "refresh_token")).await), refused(400, "invalid_grant"));
            assert_eq!(scene.user_info(text(&tokens, "access_token")).await.status, 401);
            // Again, and for what never was: gone is gone.
            assert_eq!(revoked(&scene, &rp, text(&tokens, "refresh_token")).await.status, 200);
            assert_eq!(revoked(&scene, &rp, "vst_rt_never").await.status, 200);
            assert_eq!(revoked(&scene, &rp, "no-token-at-all").await.status, 200);
        }
    }

    async fn an_access_token_ends_alone(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let tokens = scene.tokens(&rp).await;
        let other = scene.tokens(&rp).await;
        assert_eq!(revoked(&scene, &rp, text(&tokens, "access_token")).await.status, 200);
        assert_eq!(scene.user_info(text(&tokens, "access_token")).await.status, 401);
        assert_eq!(scene.user_info(text(&other, "access_token")).await.status, 200);
        assert_eq!(scene.refreshing(&rp, text(&tokens, "refresh_token")).await.status, 200);
        // On every node.
        let node = world.another_node().await;
        let there = Scene { caller: world.person_at(&node), ..scene.clone() };
        assert_eq!(there.user_info(text(&tokens, "access_token")).await.status, 401);
    }

    async fn another_clients_token_lives_on_and_other_kinds_are_refused(world: World) {
        let scene = Scene::of(&world).await;
        let (rp, sister) = (scene.web().await, scene.web().await);
        let tokens = scene.tokens(&rp).await;
        for name in ["refresh_token", "access_token"] {
            assert_eq!(revoked(&scene, &sister, text(&tokens, name)).await.status, 200);
        }
        assert_eq!(scene.user_info(text(&tokens, "access_token")).await.status, 200);
        assert_eq!(scene.refreshing(&rp, text(&tokens, "refresh_token")).await.status, 200);
        for token in [text(&tokens, "id_token"), &scene.code(&rp).await] {
            assert_eq!(refusal(&revoked(&scene, &rp, token).await), refused(400, "unsupported_token_type"), "{token}");
        }
    }
}
