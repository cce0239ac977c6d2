//! Lesson 11: a code, a refresh token, an assertion and a revocation stay what they are when the process is killed
//! between the write and the answer.

use super::scene::{LIVING, Rp, SANDBOX, Scene, refusal, refused, text, with};
use crate::restart::{Serving, killed_after};
use enter::oidc::{Authentication, ClientKeys};
use kernel::jose::{Algorithm, SigningKey};
use serde_json::json;
use testkit::on_both;
use testkit::world::World;

fn at(scene: &Scene, serving: &Serving) -> Scene {
    Scene { caller: scene.world.person().moved_to(serving.address), ..scene.clone() }
}

on_both! {
    async fn lesson_11_what_was_used_is_used_after_a_kill(engine: Engine) {
        let world = World::build(engine).system_clock().start().await;
        let scene = Scene::of(&world).await;
        world.service().issuer_keys(SANDBOX).await.unwrap();
        let rp = scene.web().await;

        // A code: its tokens were never seen, and never will be.
        let serving = Serving::start(&world);
        let code = scene.code(&rp).await;
        let ask = at(&scene, &serving).redeeming(&rp, &code);
        killed_after(&world, serving, ask, "refresh_tokens WHERE given_for = 0").await;
        let serving = Serving::start(&world);
        let here = at(&scene, &serving);
        assert_eq!(refusal(&here.redeeming(&rp, &code).await), refused(400, "invalid_grant"));
        assert_eq!(world.count("grants WHERE revoked_at IS NULL").await, 0);

        // A refresh token: exactly what forgiveness is for, once.
        let tokens = here.tokens(&rp).await;
        let refresh = text(&tokens, "refresh_token").to_owned();
        killed_after(&world, serving, here.refreshing(&rp, &refresh), "refresh_tokens WHERE given_for > 0").await;
        let serving = Serving::start(&world);
        let here = at(&scene, &serving);
        assert_eq!(here.refreshing(&rp, &refresh).await.status, 200);
        assert_eq!(refusal(&here.refreshing(&rp, &refresh).await), refused(400, "invalid_grant"));
        assert_eq!(world.count(&format!("{LIVING} AND t.grant_id IN (SELECT id FROM grants WHERE revoked_at IS NULL)")).await, 1);

        // A public client's, which is not forgiven.
        let spa = scene.browser().await;
        let tokens = here.tokens(&spa).await;
        let refresh = text(&tokens, "refresh_token").to_owned();
        killed_after(&world, serving, here.refreshing(&spa, &refresh), "refresh_tokens WHERE given_for > 0").await;
        let serving = Serving::start(&world);
        let here = at(&scene, &serving);
        assert_eq!(refusal(&here.refreshing(&spa, &refresh).await), refused(400, "invalid_grant"));

        // The jti of a client's assertion.
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let keys = ClientKeys::Registered(vec![key.public().to_jwk().to_string()]);
        let keyed = scene.client(|client| client.authentication = Authentication::PrivateKeyJwt { algorithm: Algorithm::Es256, keys }).await;
        let now = world.now().seconds();
        let claims = json!({ "iss": keyed.id(), "sub": keyed.id(), "aud": scene.url(), "iat": now, "exp": now + 300, "jti": "once" });
        let assertion = key.jws(&json!({ "alg": "ES256", "typ": "JWT" }), &claims.to_string()).unwrap();
        let fields = with(
            &Rp { secret: String::new(), ..keyed },
            &[("token", "x"), ("client_assertion_type", enter::oidc::CLIENT_ASSERTION_TYPE), ("client_assertion", &assertion)],
        );
        killed_after(&world, serving, here.posts("/oauth2/introspect", &fields), "used_assertions").await;
        let serving = Serving::start(&world);
        let here = at(&scene, &serving);
        assert_eq!(refusal(&here.posts("/oauth2/introspect", &fields).await), refused(401, "invalid_client"));

        // A revocation.
        let tokens = here.tokens(&rp).await;
        let access = text(&tokens, "access_token").to_owned();
        let ask = here.posts("/oauth2/revoke", &with(&rp, &[("token", &access)]));
        killed_after(&world, serving, ask, "revoked_tokens").await;
        let serving = Serving::start(&world);
        assert_eq!(at(&scene, &serving).user_info(&access).await.status, 401);
    }
}
