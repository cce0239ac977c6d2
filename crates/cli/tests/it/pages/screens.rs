//! The same dialogs on a telephone, with less motion, and in German.

use super::deadline::{SOON, until, within};
use super::scene::{HARBOR, Plan, Scene};
use serde_json::json;
use testkit::browser::Options;
use testkit::standins::{ProviderKind, STRIPE_KEY};
use testkit::world::OWN_TOKEN;

fn telephone() -> Options {
    Options { width: 360, height: 740, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_entered_on_a_telephone_of_360_px() {
    let scene = Scene::set(Plan { browser: telephone(), ..Plan::default() }).await;
    scene.embeds("stripe").await;
    scene.stage("form").await;
    let width = scene.ask("return innerWidth").await.as_u64().unwrap();
    assert!((320..=360).contains(&width), "{width} px, with or without a scroll bar around the frame");
    scene.inspect("phone-form").await;
    scene.types("input[name=api_key]", "sk_test_wrongwrong1").await;
    scene.click("button.primary").await;
    scene.frame_shows("main [role=alert]").await;
    scene.inspect("phone-form-refused").await;
    scene.types("input[name=api_key]", STRIPE_KEY).await;
    scene.click("button.primary").await;
    scene.stage("success").await;
    scene.inspect("phone-success").await;
    scene.at_desk().await;
    let wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
    assert_eq!(scene.ask(wide).await, true, "the company's page has no second scroll bar either");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_is_done_on_a_telephone_of_360_px() {
    let scene = Scene::set(Plan { browser: telephone(), ..Plan::default() }).await;
    scene.embeds(HARBOR).await;
    scene.stage("ready").await;
    scene.inspect("phone-ready").await;
    scene.opens_window("a[data-popup]").await;
    scene.find("input[name=login]").await;
    let popup = scene.browser.window().await.unwrap();
    scene.stage("waiting").await;
    scene.inspect("phone-waiting").await;
    scene.browser.switch_to_window(popup).await.unwrap();
    scene.click("a[href$=abort]").await;
    scene.stage("failed").await;
    scene.inspect("phone-failed").await;
    scene.click("form[action$='/cancel'] button").await;
    scene.stage("cancelled").await;
    scene.inspect("phone-cancelled").await;
}

/// The confirmation waits in the page until `release()`.
const HOLDS_CONFIRMATION: &str = "
    const send = window.fetch;
    window.fetch = (url, ...rest) => String(url).endsWith('/confirm')
        ? new Promise((go) => { window.release = () => go(send(url, ...rest)); })
        : send(url, ...rest);";

/// A connector whose accounts have several sites.
const SITES: &str = r#"
id = "sites"
name = "Sites"

[auth]
kind = "api_key"

[[inputs]]
key = "api_key"
label = "Key"
secret = true

[verify]
request = { url = "{own}/me", headers = { Authorization = "Bearer {inputs.api_key}" } }

[[after]]
request = { url = "{own}/sites" }
choose = { value = "/id", label = "/name" }
save = { "/0/id" = "site_id" }

[api]
base_url = "{own}"
"#;

/// The stages in which the server works, each held until it was looked at.
async fn looks_while_the_server_works(screen: Options, name: &str) {
    let scene = Scene::set(Plan { browser: screen, ..Plan::default() }).await;
    let hubspot = scene.world.standin(ProviderKind::HubSpot);
    scene.embeds("hubspot").await;
    scene.stage("ready").await;
    scene.ask(HOLDS_CONFIRMATION).await;
    scene.click("a[data-popup]").await;
    scene.stage("checking").await;
    scene.inspect(&format!("{name}-checking")).await;
    let focused = "return document.activeElement === document.querySelector('h1')";
    assert_eq!(scene.ask(focused).await, true);
    hubspot.hold();
    until("the confirmation goes on", || async {
        (scene.ask("return typeof release").await == "function").then_some(())
    })
    .await;
    scene.ask("release()").await;
    within(SOON, "the outside system is asked", hubspot.wait_until_held()).await;
    scene.stage("installing").await;
    scene.inspect(&format!("{name}-installing")).await;
    assert_eq!(scene.ask(focused).await, true);
    assert!(scene.heard("vestibule-success").await.is_empty());
    hubspot.let_go();
    scene.stage("success").await;
    scene.hears("vestibule-success").await;

    scene.acme.add_connector(SITES).await;
    scene.acme.integrate(&["sites"]).await;
    scene.embeds("sites").await;
    scene.stage("form").await;
    scene.types("input[name=api_key]", OWN_TOKEN).await;
    scene.click("button.primary").await;
    scene.stage("choose").await;
    scene.inspect(&format!("{name}-choose")).await;
    scene.click("label.choice:last-of-type").await;
    scene.click("button.primary").await;
    scene.stage("success").await;
    assert_eq!(scene.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stages_in_which_the_server_works_are_without_barriers_on_a_telephone() {
    looks_while_the_server_works(telephone(), "phone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stages_in_which_the_server_works_are_without_barriers_on_a_desk() {
    looks_while_the_server_works(Options { width: 1280, height: 800, ..Options::default() }, "desk").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_less_motion_gets_none() {
    let scene = Scene::set(Plan::default()).await;
    scene.browser.goto(scene.landing("stripe")).await.unwrap();
    scene.find("main[data-stage=confirm_identity]").await;
    let moving = "return [...document.querySelectorAll('*')].flatMap((it) => [null, '::before', '::after'].map((part) =>
        getComputedStyle(it, part))).filter((style) => parseFloat(style.transitionDuration) > 0
            || style.animationName !== 'none').length";
    assert_ne!(scene.ask(moving).await, json!(0), "without the wish something moves");
    scene.browser.media("prefers-reduced-motion", "reduce").await.unwrap();
    assert_eq!(scene.ask(moving).await, json!(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_language_is_the_persons_and_a_modal_gives_the_focus_back() {
    let browser = Options { languages: "de,en".to_owned(), ..Options::default() };
    let scene = Scene::set(Plan { browser, ..Plan::default() }).await;
    scene.browser.goto(scene.site.origin("acme")).await.unwrap();
    scene.ask("document.querySelector('main').insertAdjacentHTML('beforeend', '<button id=open>Connect</button>')").await;
    scene.ask("document.getElementById('open').focus()").await;
    scene.connect("stripe", json!({"modal": true, "container": null})).await;
    scene.stage("form").await;
    assert_eq!(scene.ask("return document.documentElement.lang").await, "de");
    assert_eq!(scene.text("h1").await, "Stripe mit Acme verbinden");
    scene.inspect("modal-german").await;
    scene.at_desk().await;
    assert_eq!(scene.browser.axe().await.unwrap().len(), 0);
    scene.click("dialog button").await;
    assert_eq!(scene.outcome().await, json!({"rejected": "closed"}));
    until("the focus is back", || async {
        (scene.ask("return document.activeElement.id").await == "open").then_some(())
    })
    .await;
    assert!(!scene.has("dialog").await && !scene.has("iframe").await);
}
