//! Who may frame a page, and who is told.

use super::deadline::until;
use super::scene::{HARBOR, Plan, Scene};
use serde_json::{Value, json};
use testkit::standins::STRIPE_KEY;

fn plain(site: &str, url: &str, policy: &str) -> String {
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("url", url), ("policy", policy)])
        .finish();
    format!("{site}/plain?{query}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_origin_cannot_frame_the_page_in_production() {
    let scene = Scene::set(Plan::default()).await;
    // Even where the foreign page keeps its origin to itself, the browser does not render ours.
    let url = plain(&scene.site.origin("evil"), &scene.landing(HARBOR), "no-referrer");
    scene.browser.goto(url).await.unwrap();
    until("the browser shows its own page instead", || async {
        scene.try_frame().await?;
        let shown = scene.browser.execute("return location.href", Vec::new()).await.ok()?;
        shown.json().as_str()?.starts_with("chrome-error:").then_some(())
    })
    .await;
    assert!(!scene.has("#main").await);
    assert_eq!(scene.messages().await, Vec::<Value>::new());
    let complaints = scene.complaints().await;
    assert!(complaints.iter().any(|it| it.contains("frame-ancestors")), "{complaints:?}");

    // Where it tells, the server refuses with a page that says so, and that holds nothing to click.
    let url = plain(&scene.site.origin("evil"), &scene.landing(HARBOR), "origin");
    scene.browser.goto(url).await.unwrap();
    scene.frame_shows("body[data-stage=failed] main h1").await;
    scene.click("details summary").await;
    assert!(scene.text("dl").await.contains("frame_origin_forbidden"));
    assert!(!scene.has("form, a").await);
    assert_eq!(scene.messages().await, Vec::<Value>::new(), "a foreign page is told nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registered_origin_that_is_not_the_parent_hears_nothing() {
    let scene = Scene::set(Plan { origins: &["acme", "portal"], ..Plan::default() }).await.nested();
    // A portal, registered too, shows the company's page in a frame, and that one shows ours.
    let inner = format!("{}/", scene.site.origin("acme"));
    scene.browser.goto(plain(&scene.site.origin("portal"), &inner, "origin")).await.unwrap();
    scene.browser.enter("iframe").await.unwrap();
    scene.find("#place").await;
    scene.connect("stripe", json!({})).await;
    scene.stage("form").await;
    scene.types("input[name=api_key]", STRIPE_KEY).await;
    scene.click("button.primary").await;
    scene.stage("success").await;

    let heard = until("the company's page hears of it", || async {
        scene.at_desk().await;
        scene.browser.enter("iframe").await.ok()?;
        let messages = scene.ask("return window.messages").await;
        let success = |it: &&Value| it["data"]["message"] == "vestibule-success";
        let count = messages.as_array()?.iter().filter(success).count();
        (count > 0).then_some(count)
    })
    .await;
    assert_eq!(heard, 1);
    assert_eq!(scene.messages().await, Vec::<Value>::new(), "the portal hears nothing");
    assert_eq!(scene.complaints().await, Vec::<String>::new());
}
