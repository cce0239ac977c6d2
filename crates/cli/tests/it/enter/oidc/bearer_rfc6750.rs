//! How an access token is presented, and what is said to a wrong one (RFC 6750).

use super::scene::{Scene, text};
use reqwest::Method;
use testkit::on_both;

on_both! {
    async fn wrong_presentations_are_challenged(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let tokens = scene.tokens(&rp).await;
        let bearer = format!("Bearer {}", text(&tokens, "access_token"));
        let ask = |method: Method| scene.caller.ask(method, "/oauth2/user-info");

        let none = ask(Method::GET).await;
        assert_eq!((none.status, none.header("www-authenticate")), (401, "Bearer realm=\"vestibule\""));
        let garbage = ask(Method::GET).header("authorization", "Bearer garbage").await;
        assert_eq!(garbage.status, 401);
        assert!(garbage.header("www-authenticate").contains("error=\"invalid_token\""), "{:?}", garbage.headers);
        let basic = ask(Method::GET).header("authorization", &rp.basic()).await;
        assert_eq!(basic.status, 401);
        let twice = ask(Method::GET).header("authorization", &bearer).and_header("authorization", &bearer).await;
        assert_eq!(twice.status, 401);
        let both = ask(Method::POST).header("authorization", &bearer).form(&[("access_token", &bearer[7..])]).await;
        assert_eq!(both.status, 400);
        assert!(both.header("www-authenticate").contains("error=\"invalid_request\""));
        // Addresses are written down everywhere, so that a token in a query counts for nothing.
        let query = scene.caller.get(&format!("/oauth2/user-info?access_token={}", &bearer[7..])).await;
        assert_eq!(query.status, 401);
    }

    async fn a_token_without_openid_is_told_the_scope(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let tokens = scene.tokens(&rp).await;
        let fields = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token")), ("scope", "email")];
        let narrow = scene.asks_token(&rp, &fields).await.json();
        let answer = scene.user_info(text(&narrow, "access_token")).await;
        assert_eq!(answer.status, 403);
        let said = answer.header("www-authenticate");
        assert!(said.contains("error=\"insufficient_scope\"") && said.contains("scope=\"openid\""), "{said}");
    }
}
