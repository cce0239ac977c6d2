use std::time::Duration;

use serde_json::Value;
use testkit::provider::{OutsideProvider, Settings};

const BACK: &str = "http://gateway.localhost/oauth2/callback";

#[expect(clippy::disallowed_methods, reason = "the kit is tried without the product's own client")]
fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// The issuer's host is a name for browsers; here its address is dialled.
fn at(provider: &OutsideProvider, path: &str) -> String {
    format!("http://{}/{path}", provider.address())
}

fn host(provider: &OutsideProvider) -> String {
    provider.issuer().authority().to_owned()
}

#[tokio::test]
async fn the_outside_provider_describes_itself() {
    let provider = OutsideProvider::start(Settings::with_client("app", "secret", BACK)).await;
    let answer = client()
        .get(at(&provider, ".well-known/openid-configuration"))
        .header("host", host(&provider))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let found: Value = answer.json().await.unwrap();

    assert_eq!(format!("{}/", found["issuer"].as_str().unwrap()), provider.issuer().as_str());
    for (member, path) in [
        ("authorization_endpoint", "auth"),
        ("token_endpoint", "token"),
        ("revocation_endpoint", "token/revocation"),
        ("introspection_endpoint", "token/introspection"),
        ("jwks_uri", "jwks"),
        ("userinfo_endpoint", "me"),
    ] {
        assert_eq!(found[member].as_str(), Some(provider.endpoint(path).as_str()), "{member}");
    }
    assert_eq!(found["code_challenge_methods_supported"], serde_json::json!(["S256"]));
}

#[tokio::test]
async fn the_outside_provider_insists_on_pkce_and_on_registered_addresses() {
    let provider = OutsideProvider::start(Settings::with_client("app", "secret", BACK)).await;
    let ask = |redirect: &'static str| {
        let query = [
            ("client_id", "app"),
            ("response_type", "code"),
            ("scope", "openid"),
            ("redirect_uri", redirect),
        ];
        client().get(at(&provider, "auth")).header("host", host(&provider)).query(&query).send()
    };
    let answer = ask(BACK).await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with(BACK) && location.contains("error=invalid_request"), "{location}");

    let answer = ask("http://evil.localhost/").await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.headers().get("location").is_none());
}

#[tokio::test]
async fn what_happens_at_the_outside_provider_can_be_awaited() {
    let provider = OutsideProvider::start(Settings::with_client("app", "secret", BACK)).await;
    let form = [("grant_type", "authorization_code"), ("code", "unknown"), ("redirect_uri", BACK)];
    let answer = client()
        .post(at(&provider, "token"))
        .header("host", host(&provider))
        .basic_auth("app", Some("secret"))
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 400);

    let event = provider.wait_for_event("grant.error", Duration::from_secs(20)).unwrap();
    assert_eq!(event.client_id.as_deref(), Some("app"));
    assert_eq!(provider.events(), [event]);
}
