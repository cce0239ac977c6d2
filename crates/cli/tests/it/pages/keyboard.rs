//! Everything with the keyboard alone.

use super::deadline::until;
use super::scene::{HARBOR, Plan, Scene};
use testkit::standins::STRIPE_KEY;
use thirtyfour::prelude::*;

/// More stops than any page has.
const MOST_STOPS: usize = 12;

/// Presses Tab until the element has the focus and shows that it has.
async fn tab_to(scene: &Scene, css: &str) {
    for _ in 0..MOST_STOPS {
        scene.browser.action_chain().send_keys(Key::Tab).perform().await.unwrap();
        let there = scene.ask(&format!("return document.activeElement.matches(\"{css}\")")).await;
        if there == true {
            let ring = "const it = document.activeElement; const outer = it.closest('.entry') ?? it;
                return [it, outer].some((one) => getComputedStyle(one).outlineStyle !== 'none')";
            assert_eq!(scene.ask(ring).await, true, "{css} shows its focus");
            return;
        }
    }
    panic!("{css} is not reached by Tab");
}

async fn press(scene: &Scene, keys: impl Into<TypingData>) {
    scene.browser.action_chain().send_keys(keys).perform().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_is_filled_in_and_sent_with_the_keyboard_alone() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds("stripe").await;
    scene.stage("form").await;
    tab_to(&scene, "[name=api_key]").await;
    press(&scene, "sk_test_wrongwrong1").await;
    tab_to(&scene, "button.primary").await;
    press(&scene, Key::Enter).await;
    scene.frame_shows("main [role=alert]").await;
    let focus = "const it = document.activeElement; return it.tagName === 'H1' || it.name === 'api_key'";
    assert_eq!(scene.ask(focus).await, true);

    if scene.ask("return document.activeElement.name ?? ''").await != "api_key" {
        tab_to(&scene, "[name=api_key]").await;
    }
    press(&scene, STRIPE_KEY).await;
    press(&scene, Key::Enter).await;
    scene.stage("success").await;
    assert_eq!(scene.ask("return document.activeElement.tagName").await, "H1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_is_begun_and_ended_with_the_keyboard_alone() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds(HARBOR).await;
    scene.stage("ready").await;
    tab_to(&scene, "a[data-popup]").await;
    let before = scene.browser.windows().await.unwrap();
    press(&scene, Key::Enter).await;
    scene.browser.enter_new_window(&before).await.unwrap();
    scene.find("input[name=login]").await;
    let popup = scene.browser.window().await.unwrap();
    scene.stage("waiting").await;
    assert_eq!(scene.ask("return document.activeElement.tagName").await, "H1");

    scene.browser.switch_to_window(popup).await.unwrap();
    // The outside system's pages are its own; its form takes the keyboard too.
    tab_to_any(&scene, "[name=login]").await;
    press(&scene, "anna@harbor.example").await;
    arrived(&scene, "[name=login]", "anna@harbor.example").await;
    tab_to_any(&scene, "[name=password]").await;
    press(&scene, "any").await;
    arrived(&scene, "[name=password]", "any").await;
    tab_to_any(&scene, "button[type=submit]").await;
    // The space bar acts when it comes up. Enter acts when it goes down, and comes up in the next page.
    press(&scene, " ").await;
    for _ in 0..10 {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    scene.find("input[name=prompt][value=consent]").await;
    tab_to_any(&scene, "button[type=submit]").await;
    // The window may be gone before the driver has its answer.
    let _ = scene.browser.action_chain().send_keys(" ").perform().await;
    scene.stage("success").await;
    assert_eq!(scene.ask("return document.activeElement.tagName").await, "H1");
}

/// Waits until the keys have become a field's text.
async fn arrived(scene: &Scene, css: &str, text: &str) {
    let ask = format!("return document.querySelector('{css}').value");
    until("the keys have arrived", || async { (scene.ask(&ask).await == text).then_some(()) }).await;
}

/// The same in a page that is not ours, whatever it shows of the focus.
async fn tab_to_any(scene: &Scene, css: &str) {
    until(&format!("{css} is reached by Tab"), || async {
        let there = format!("return document.activeElement.matches(\"{css}\")");
        if scene.browser.execute(there.as_str(), Vec::new()).await.ok()?.json() == true {
            return Some(());
        }
        scene.browser.action_chain().send_keys(Key::Tab).perform().await.ok()?;
        None
    })
    .await;
}
