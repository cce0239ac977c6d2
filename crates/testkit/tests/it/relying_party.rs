use std::time::Duration;

use serde_json::Value;
use testkit::browser::{Browser, Options};
use testkit::process::free_port;
use testkit::provider::{self, OutsideProvider};
use testkit::relying_party::{RelyingParty, Settings};
use thirtyfour::prelude::*;

/// The app, and a provider that this project did not write either.
async fn both() -> (OutsideProvider, RelyingParty) {
    let port = free_port();
    let redirect = format!("http://app.localhost:{port}/callback");
    let provider = OutsideProvider::start(provider::Settings::with_client("app", "secret", &redirect)).await;
    let issuer = provider.issuer().as_str().trim_end_matches('/').to_owned();
    let settings = Settings::with_secret(port, &issuer, "app", "secret");
    assert_eq!(settings.redirect_uri(), redirect);
    (provider, RelyingParty::start(settings).await)
}

async fn shown(browser: &Browser) -> Value {
    let text = browser.query(By::Css("pre")).first().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

async fn types(browser: &Browser, name: &str, text: &str) {
    let field = browser.query(By::Css(format!("input[name={name}]"))).first().await.unwrap();
    field.send_keys(text).await.unwrap();
}

async fn submits(browser: &Browser) {
    browser.query(By::Css("button[type=submit]")).first().await.unwrap().click().await.unwrap();
}

#[tokio::test]
async fn somebody_signs_in_at_the_app_that_others_wrote() {
    let (provider, app) = both().await;
    let browser = Browser::start(&Options::default()).await;
    browser.goto(format!("{}/login", app.settings().origin())).await.unwrap();
    types(&browser, "login", "anna").await;
    types(&browser, "password", "any").await;
    submits(&browser).await;
    browser.query(By::Css("input[name=prompt][value=consent]")).first().await.unwrap();
    submits(&browser).await;

    let signed_in = shown(&browser).await;
    assert_eq!(signed_in["claims"]["sub"], "anna");
    assert_eq!(signed_in["claims"]["aud"], "app");
    assert_eq!(
        (&signed_in["id_token_header"]["alg"], &signed_in["refreshable"]),
        (&"RS256".into(), &true.into())
    );
    assert_eq!(provider.wait_for_event("authorization_code.consumed", Duration::ZERO).unwrap().error, None);

    let open = async |path: &str| {
        browser.goto(format!("{}{path}", app.settings().origin())).await.unwrap();
        shown(&browser).await
    };
    assert_eq!(open("/userinfo").await["email"], "anna@example.com");
    assert_eq!(open("/refresh").await["rotated"], true);
    assert_eq!(open("/userinfo").await["sub"], "anna");
    let names: Vec<_> = app.events().into_iter().map(|event| event.name).collect();
    assert_eq!(names, ["signed_in", "refreshed"]);
}

#[tokio::test]
async fn the_app_takes_no_answer_that_it_did_not_ask_for() {
    let (provider, app) = both().await;
    let mut visit = app.visit();
    let login = visit.open("/login?account_id=AG-1&prompt=login").await;
    assert_eq!(login.status, 302);
    assert!(login.location.starts_with(provider.endpoint("auth").as_str()), "{}", login.location);
    for asked in ["account_id=AG-1", "prompt=login", "code_challenge_method=S256", "nonce=", "state="] {
        assert!(login.location.contains(asked), "{asked}: {}", login.location);
    }
    let issuer = &app.settings().issuer;
    let (_, state) = login.location.split_once("state=").unwrap();
    let state = state.split('&').next().unwrap();
    for (query, why) in [
        (format!("code=c&state=other&iss={issuer}"), "mismatching_state"),
        (format!("code=c&state={state}&iss=http://evil.localhost"), "issuer_mismatch"),
        (format!("error=access_denied&state={state}&iss={issuer}"), "access_denied"),
    ] {
        let answer = visit.open(&format!("/callback?{query}")).await;
        assert_eq!((answer.status, answer.json["error"].as_str()), (400, Some(why)), "{query}");
    }
    // Another browser has no part in it.
    let answer = app.visit().open(&format!("/callback?code=c&state={state}&iss={issuer}")).await;
    assert_eq!(answer.json["error"], "mismatching_state");
    // The right answer with a code that is none: the provider says so.
    let answer = visit.open(&format!("/callback?code=c&state={state}&iss={issuer}")).await;
    assert_eq!(answer.json["error"], "invalid_grant");
}

#[tokio::test]
async fn a_login_that_begins_elsewhere_begins_only_for_the_right_issuer() {
    let (_provider, app) = both().await;
    let issuer = &app.settings().issuer;
    let begun = app.visit().open(&format!("/initiate?iss={issuer}&login_hint=anna")).await;
    assert!(begun.location.starts_with(issuer) && begun.location.contains("login_hint=anna"), "{begun:?}");
    let refused = app.visit().open("/initiate?iss=http://evil.localhost").await;
    assert_eq!((refused.status, refused.json["error"].as_str()), (400, Some("issuer_unknown")));
}
