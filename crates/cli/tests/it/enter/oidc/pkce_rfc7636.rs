//! PKCE (RFC 7636), and lesson 6: it cannot be taken away on either side.

use super::scene::{REDIRECT, SPA, Scene, VERIFIER, refusal, refused};
use testkit::on_both;

on_both! {
    async fn lesson_6_a_code_with_a_challenge_needs_its_verifier(world: World) {
        let scene = Scene::of(&world).await;
        let (web, spa) = (scene.web().await, scene.browser().await);
        let redirect = format!("{SPA}/cb");
        for (rp, redirect) in [(&web, REDIRECT), (&spa, redirect.as_str())] {
            let longer = format!("{VERIFIER}x");
            let other = VERIFIER.to_lowercase();
            for wrong in [None, Some(""), Some(other.as_str()), Some(longer.as_str()), Some("short")] {
                let code = scene.code(rp).await;
                let mut fields = vec![("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", redirect)];
                fields.extend(wrong.map(|wrong| ("code_verifier", wrong)));
                assert_eq!(refusal(&scene.asks_token(rp, &fields).await), refused(400, "invalid_grant"), "{wrong:?}");
                assert_eq!(refusal(&scene.redeeming(rp, &code).await), refused(400, "invalid_grant"), "burnt");
            }
        }
    }

    async fn lesson_6_a_verifier_without_a_challenge_is_a_downgrade(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let mut granted = scene.granted(&rp);
        granted.challenge = None;
        let code = scene.issue(granted.clone()).await;
        assert_eq!(refusal(&scene.redeeming(&rp, &code).await), refused(400, "invalid_grant"));
        // A client with a secret may go without both.
        let code = scene.issue(granted).await;
        let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT)];
        assert_eq!(scene.asks_token(&rp, &fields).await.status, 200);
    }

    async fn a_public_clients_code_without_a_challenge_is_worth_nothing(world: World) {
        let scene = Scene::of(&world).await;
        let spa = scene.browser().await;
        let mut granted = scene.granted(&spa);
        granted.challenge = None;
        let code = scene.issue(granted).await;
        let redirect = format!("{SPA}/cb");
        let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", redirect.as_str())];
        assert_eq!(refusal(&scene.asks_token(&spa, &fields).await), refused(400, "invalid_grant"));
    }
}
