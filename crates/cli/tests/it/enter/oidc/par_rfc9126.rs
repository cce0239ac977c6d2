//! Pushed authorization requests (RFC 9126). That a reference is taken once is tested where browsers come.

use super::scene::{CHALLENGE, REDIRECT, Rp, Scene, refusal, refused, text, with};
use testkit::on_both;
use testkit::world::Answer;

const GOOD: [(&str, &str); 5] = [
    ("response_type", "code"),
    ("redirect_uri", REDIRECT),
    ("scope", "openid"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

async fn pushed(scene: &Scene, rp: &Rp, fields: &[(&str, &str)]) -> Answer {
    scene.posts("/oauth2/par", &with(rp, fields)).await
}

on_both! {
    async fn a_good_request_gets_a_reference_for_a_short_time(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let answer = pushed(&scene, &rp, &GOOD).await;
        assert_eq!((answer.status, answer.header("cache-control")), (201, "no-store"), "{}", answer.text());
        let body = answer.json();
        assert!(text(&body, "request_uri").starts_with("urn:ietf:params:oauth:request_uri:"));
        assert_eq!(body["expires_in"], 90);
        assert_eq!(world.count("pushed_requests").await, 1);
        assert_eq!(world.count(&format!("pushed_requests WHERE parameters LIKE '%{}%'", rp.secret)).await, 0, "no proof is kept");
        let again = pushed(&scene, &rp, &GOOD).await.json();
        assert_ne!(text(&body, "request_uri"), text(&again, "request_uri"));
    }

    async fn what_authorize_would_refuse_is_refused_here(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let spa = scene.browser().await;
        let changed = |name: &'static str, value: &'static str| {
            let mut fields = GOOD.to_vec();
            fields.retain(|(own, _)| *own != name);
            fields.push((name, value));
            fields
        };
        for (error, fields) in [
            ("unsupported_response_type", changed("response_type", "token")),
            ("invalid_request", changed("redirect_uri", "https://evil.example/cb")),
            ("invalid_scope", changed("scope", "email")),
            ("invalid_request", changed("code_challenge_method", "plain")),
            ("invalid_request", changed("request_uri", "urn:ietf:params:oauth:request_uri:vst_x")),
            ("request_not_supported", changed("request", "e30.e30.")),
            ("invalid_request", [&GOOD[..], &[("scope", "openid")]].concat()),
        ] {
            assert_eq!(refusal(&pushed(&scene, &rp, &fields).await), refused(400, error), "{fields:?}");
        }
        let without_challenge: Vec<_> = GOOD.into_iter().filter(|(name, _)| !name.starts_with("code_challenge")).collect();
        let spa_fields: Vec<_> = without_challenge.iter().map(|(name, value)| if *name == "redirect_uri" { (*name, "https://spa.example/cb") } else { (*name, *value) }).collect();
        assert_eq!(refusal(&pushed(&scene, &spa, &spa_fields).await), refused(400, "invalid_request"));
        let nobody = Rp { secret: "wrong".to_owned(), ..rp.clone() };
        assert_eq!(refusal(&pushed(&scene, &nobody, &GOOD).await), refused(401, "invalid_client"));
        assert_eq!(world.count("pushed_requests").await, 0);
    }
}
