//! Which pages may read an answer: those at the exact origin of a redirect URI of a public client.

use super::scene::{SPA, Scene, text};
use reqwest::Method;
use testkit::on_both;

const ALLOWED: &str = "access-control-allow-origin";

on_both! {
    async fn a_browser_clients_own_pages_read_its_answers(world: World) {
        let scene = Scene::of(&world).await;
        let (spa, web) = (scene.browser().await, scene.web().await);
        let code = scene.code(&spa).await;
        let answer = scene.redeeming(&spa, &code).header("origin", SPA).await;
        assert_eq!((answer.status, answer.header(ALLOWED)), (200, SPA));
        assert!(answer.header("vary").to_lowercase().contains("origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        let tokens = answer.json();
        let bearer = format!("Bearer {}", text(&tokens, "access_token"));
        let info = scene.caller.get("/oauth2/user-info").header("authorization", &bearer).header("origin", SPA).await;
        assert_eq!((info.status, info.header(ALLOWED)), (200, SPA));
        // What went wrong is theirs to read, too.
        let again = scene.redeeming(&spa, &code).header("origin", SPA).await;
        assert_eq!((again.status, again.header(ALLOWED)), (400, SPA));

        for foreign in ["https://evil.example", "https://spa.example.evil.example", "http://spa.example", "https://SPA.example", "https://spa.example:8443", "https://app.example", "null"] {
            let answer = scene.redeeming(&spa, &scene.code(&spa).await).header("origin", foreign).await;
            assert_eq!((answer.status, answer.header(ALLOWED)), (200, ""), "{foreign}");
        }
        // A server's client has no pages that hold its secret.
        let answer = scene.redeeming(&web, &scene.code(&web).await).header("origin", "https://app.example").await;
        assert_eq!((answer.status, answer.header(ALLOWED)), (200, ""));
    }

    async fn browsers_may_ask_first_and_everybody_may_read_what_is_public(world: World) {
        let scene = Scene::of(&world).await;
        for path in ["/oauth2/token", "/oauth2/user-info", "/oauth2/revoke"] {
            let asked = scene.caller.ask(Method::OPTIONS, path).header("origin", SPA)
                .header("access-control-request-method", "POST").header("access-control-request-headers", "authorization").await;
            assert_eq!((asked.status, asked.header(ALLOWED)), (204, SPA), "{path}");
            assert_eq!(asked.header("access-control-allow-headers"), "authorization, content-type");
            assert_eq!(asked.header("access-control-allow-credentials"), "", "no cookie counts there");
        }
        for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth2/v1/certs"] {
            let answer = scene.caller.get(path).header("origin", "https://anybody.example").await;
            assert_eq!((answer.status, answer.header(ALLOWED)), (200, "*"), "{path}");
            assert!(answer.header("cache-control").starts_with("public, max-age="), "{path}");
        }
    }
}
