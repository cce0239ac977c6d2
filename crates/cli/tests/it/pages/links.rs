//! Links that somebody may have sent: nobody connects an account to another's tenant without knowing it.

use super::deadline::until;
use super::scene::{HARBOR, Plan, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_landing_opened_as_a_link_first_asks_who_is_there() {
    let scene = Scene::set(Plan::default()).await;
    scene.browser.goto(scene.landing(HARBOR)).await.unwrap();
    scene.find("main[data-stage=confirm_identity]").await;
    let asked = scene.text("h1").await;
    assert_eq!(asked, "Connect Harbor for Anna (anna@example.com) in Acme?");
    assert!(!scene.has("a[data-popup]").await, "nothing goes on before the answer");
    scene.inspect("confirm_identity").await;
    scene.click("form[action$='/identity'] button").await;
    scene.find("main[data-stage=ready] a[data-popup]").await;
    assert_eq!(scene.ask("return document.activeElement.tagName").await, "H1");
    assert_eq!(scene.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_link_opened_from_elsewhere_needs_the_short_code_typed() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds(HARBOR).await;
    scene.stage("ready").await;
    let link = scene.find("a[data-popup]").await.prop("href").await.unwrap().unwrap();

    // The same browser, but the link was typed in or came by mail.
    let before = scene.browser.windows().await.unwrap();
    scene.browser.new_tab().await.unwrap();
    let elsewhere = scene.browser.enter_new_window(&before).await.unwrap();
    scene.browser.goto(link).await.unwrap();
    assert!(scene.text(".who").await.contains("anna@example.com"));
    assert!(!scene.has("button").await, "nothing that a hasty person would press");
    scene.inspect("start").await;
    scene.click("main a").await;
    scene.signs_in("anna@harbor.example").await;
    let code = scene.text(".big-code").await.replace(char::is_whitespace, "");
    scene.inspect("callback-code").await;

    scene.stage("code").await;
    scene.inspect("code").await;
    scene.types("#code", "AAAAAA").await;
    scene.click("button.primary").await;
    scene.frame_shows("#code[aria-invalid=true]").await;
    assert_eq!(scene.ask("return document.activeElement.id").await, "code");
    assert_eq!(scene.world.count("tenants").await, 0);
    scene.inspect("code-wrong").await;
    // Small letters and a gap are as good.
    let (first, second) = code.split_at(3);
    scene.types("#code", &format!("{} {}", first.to_lowercase(), second)).await;
    scene.click("button.primary").await;
    scene.stage("success").await;
    assert_eq!(scene.world.count("tenants").await, 1);

    // The page with the code stays for its reader, who closes it.
    scene.browser.switch_to_window(elsewhere.clone()).await.unwrap();
    assert!(scene.has(".big-code").await);
    let back = until("the code's page is still there", || async { scene.browser.windows().await.ok() }).await;
    assert!(back.contains(&elsewhere));
    assert_eq!(scene.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_link_works_once() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds(HARBOR).await;
    scene.stage("ready").await;
    let link = scene.find("a[data-popup]").await.prop("href").await.unwrap().unwrap();
    scene.opens_window("a[data-popup]").await;
    scene.find("input[name=login]").await;
    scene.browser.goto(link).await.unwrap();
    assert_eq!(scene.text("h1").await, "This page has had its time");
    scene.inspect("refused-start").await;
    scene.browser.close_window().await.unwrap();

    // The frame has a fresh one by then.
    scene.stage("waiting").await;
    scene.opens_window("a[data-popup]").await;
    scene.signs_in("anna@harbor.example").await;
    scene.stage("success").await;
}
