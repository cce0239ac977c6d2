//! The form that asks for a key.

use super::deadline::until;
use super::scene::{Plan, Scene};
use testkit::browser::Options;
use testkit::standins::STRIPE_KEY;

/// Well formed, and of nobody.
const WRONG_KEY: &str = "sk_test_wrongwrong1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_marked_at_its_field_and_the_right_one_connects() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds("stripe").await;
    scene.stage("form").await;
    scene.inspect("form").await;

    // What cannot be a key is found here; nobody outside is asked.
    scene.types("input[name=api_key]", "not a key").await;
    scene.click("button.primary").await;
    scene.frame_shows("input[name=api_key][aria-invalid=true]").await;
    assert_eq!(scene.ask("return document.activeElement.name").await, "api_key");

    scene.types("input[name=api_key]", WRONG_KEY).await;
    scene.click("[data-reveal]").await;
    assert_eq!(scene.ask("return document.querySelector('[name=api_key]').type").await, "text");
    scene.click("[data-reveal]").await;
    assert_eq!(scene.ask("return document.querySelector('[name=api_key]').type").await, "password");
    scene.click("button.primary").await;
    let told = "Stripe did not accept this key. Copy it again from the dashboard.";
    until("the refused key is told", || async {
        scene.frame_shows("main").await;
        let text = scene.browser.find(thirtyfour::By::Tag("main")).await.ok()?.text().await.ok()?;
        text.contains(told).then_some(())
    })
    .await;
    assert!(scene.has("main [role=alert]").await);
    assert_eq!(scene.ask("return document.querySelector('[name=api_key]').value").await, "");
    scene.inspect("form-refused").await;
    assert_eq!(scene.hears("vestibule-error").await["code"], "invalid_credentials");

    scene.frame_shows("input[name=api_key]").await;
    scene.types("input[name=api_key]", STRIPE_KEY).await;
    scene.click("button.primary").await;
    scene.stage("success").await;
    assert_eq!(scene.text(".fact").await, "Connected as Acme Shop (acct_1)");
    assert!(scene.outcome().await["resolved"]["tenant"].is_object());
    assert_eq!(scene.heard("vestibule-success").await.len(), 1);
    assert_eq!(scene.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_form_works_without_scripts() {
    let browser = Options { scripts: false, ..Options::default() };
    let scene = Scene::set(Plan { browser, ..Plan::default() }).await;
    let pairs = [("url", scene.landing("stripe"))];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    scene.browser.goto(format!("{}/plain?{query}", scene.site.origin("acme"))).await.unwrap();
    scene.frame_shows("form[action$='/inputs']").await;
    assert!(!scene.find("[data-reveal]").await.is_displayed().await.unwrap(), "it would do nothing");
    scene.types("input[name=api_key]", WRONG_KEY).await;
    scene.click("button.primary").await;
    scene.frame_shows("main [role=alert]").await;

    scene.types("input[name=api_key]", STRIPE_KEY).await;
    scene.click("button.primary").await;
    scene.stage("success").await;
    assert_eq!(scene.world.count("tenants").await, 1);
}
