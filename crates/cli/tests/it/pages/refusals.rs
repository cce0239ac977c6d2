//! Landings that are refused, in the frame and to the parent.

use super::scene::{HARBOR, Plan, Scene};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_landing_opened_twice_is_refused_in_the_frame_and_the_parent_hears_why() {
    let scene = Scene::set(Plan::default()).await;
    let landing = scene.landing(HARBOR);
    let again = json!({"url": landing, "token": null});
    scene.embeds_with(HARBOR, again.clone()).await;
    scene.stage("ready").await;

    scene.embeds_with(HARBOR, again).await;
    scene.frame_shows("body[data-stage=failed] main h1").await;
    assert_eq!(scene.text("h1").await, "This page has had its time");
    scene.inspect("refused-replay").await;
    scene.click("details summary").await;
    scene.inspect("refused-replay-open").await;
    assert!(scene.text("dl").await.contains("token_replayed"));

    let error = scene.hears("vestibule-error").await;
    assert_eq!(error["code"], "token_replayed");
    // The parent is told the reference by which the company's engineers find the record.
    let (_, reference) = error["detail"].as_str().unwrap().rsplit_once('(').unwrap();
    let record = format!("refusals WHERE id = '{}'", reference.trim_end_matches(')'));
    assert_eq!(scene.world.count(&record).await, 1, "{error}");
    assert_eq!(scene.outcome().await, json!({"rejected": "token_replayed"}));
    assert_eq!(scene.heard("vestibule-error").await.len(), 1);
    let complaints = scene.complaints().await;
    assert!(complaints.iter().all(|it| it.contains("status of 401")), "{complaints:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_published_brand_the_messages_have_the_published_names() {
    let scene = Scene::set(Plan { brand: "pandium", ..Plan::default() }).await;
    let landing = scene.landing("stripe");
    let again = json!({"url": landing, "token": null});
    scene.embeds_with("stripe", again.clone()).await;
    scene.stage("form").await;
    scene.hears("pandium-content-height-change").await;
    scene.stage("form").await;
    scene.click("form[action$='/cancel'] button").await;
    scene.hears("pandium-install-cancel").await;
    assert_eq!(scene.outcome().await, json!({"rejected": "install_cancelled"}));

    scene.embeds_with("stripe", again).await;
    assert_eq!(scene.hears("pandium-error").await["code"], "token_replayed");
    let messages = scene.messages().await;
    let named = |it: &serde_json::Value| it["data"]["message"].as_str().unwrap().starts_with("pandium-");
    assert!(messages.iter().all(named), "{messages:?}");
}
