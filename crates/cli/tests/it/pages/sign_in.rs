//! A sign-in at the outside system: in a popup or in the tab, to the end or not.

use super::deadline::until;
use super::scene::{HARBOR, Plan, Scene, Signer};
use serde_json::{Value, json};
use testkit::browser::Options;
use testkit::world::Engine;
use thirtyfour::prelude::*;

/// From the landing to the success, with everything that the parent window may expect of it.
async fn connects_and_the_parent_hears_of_it(plan: Plan) {
    // As strict as people's browsers: a window that no click opened is blocked.
    let browser = Options { block_popups: true, ..Options::default() };
    let scene = Scene::set(Plan { browser, ..plan }).await;
    scene.embeds(HARBOR).await;
    scene.stage("ready").await;
    assert!(scene.text("footer.person").await.contains("anna@example.com"));
    scene.inspect("ready").await;

    scene.opens_window("a[data-popup]").await;
    // The outside system is open while the frame waits.
    scene.find("input[name=login]").await;
    let popup = scene.browser.window().await.unwrap();
    scene.stage("waiting").await;
    scene.inspect("waiting").await;
    assert_eq!(scene.ask("return document.activeElement.tagName").await, "H1");
    scene.browser.switch_to_window(popup.clone()).await.unwrap();
    scene.signs_in("anna@harbor.example").await;

    scene.stage("success").await;
    assert_eq!(scene.ask("return document.activeElement.tagName").await, "H1");
    assert_eq!(scene.text(".fact").await, "Connected as anna@harbor.example");
    scene.inspect("success").await;
    if std::env::var_os("DBG").is_some() {
        println!("{popup:?} {:?}", scene.browser.windows().await);
    }
    until("the popup closes itself", || async {
        let windows = scene.browser.windows().await.ok()?;
        (!windows.contains(&popup)).then_some(())
    })
    .await;

    let told = scene.hears("vestibule-success").await;
    assert_eq!(told["tenant"]["status"]["auth"]["HARBOR_AUTH_STATUS"], "Connected");
    assert!(told["webhook_url"].as_str().unwrap().starts_with(&format!("{}/v1/webhooks/", scene.gateway())));
    let outcome = scene.outcome().await;
    assert_eq!(outcome["resolved"]["tenant"], told["tenant"]);
    assert_eq!(outcome["resolved"]["webhook_url"], told["webhook_url"]);

    // The frame is as high as its content, and was told so by messages.
    until("the frame has the height that was told last", || async {
        let heights = scene.heard("vestibule-content-height-change").await;
        let last = heights.last()?["data"]["height"].as_f64()?;
        let height = scene.ask("return document.querySelector('iframe').clientHeight").await;
        scene.try_frame().await?;
        let content = scene.ask("return document.documentElement.scrollHeight").await;
        (height.as_f64()? == last && content == height).then_some(())
    })
    .await;
    let success = scene.heard("vestibule-success").await;
    assert_eq!(success.len(), 1);
    let heights = scene.heard("vestibule-content-height-change").await;
    assert!(heights.len() > 1, "each stage has a height of its own: {heights:?}");
    for message in scene.messages().await {
        assert_eq!(message["origin"], scene.gateway());
    }
    assert_eq!(scene.world.count("tenants").await, 1);
    assert_eq!(scene.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_connects_in_a_popup_and_the_parent_hears_of_it_once_on_sqlite() {
    connects_and_the_parent_hears_of_it(Plan::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_connects_in_a_popup_and_the_parent_hears_of_it_once_on_postgres() {
    let plan = Plan { engine: Engine::Postgres, signer: Signer::Jose, ..Plan::default() };
    connects_and_the_parent_hears_of_it(plan).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_popups_are_blocked_the_same_is_done_in_this_tab() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds(HARBOR).await;
    scene.stage("ready").await;
    scene.ask("window.open = () => null").await;
    scene.click("a[data-popup]").await;
    let offer = scene.find("[data-opened]").await;
    until("the other way is offered", || async { offer.is_displayed().await.ok()?.then_some(()) }).await;
    assert_eq!(scene.ask("return document.querySelector('main').dataset.stage").await, "ready");
    scene.inspect("popup-blocked").await;

    scene.click("[data-opened] a[data-start]").await;
    scene.browser.enter_default_frame().await.unwrap();
    scene.signs_in("anna@harbor.example").await;
    let back = scene.find("main a.primary").await;
    assert_eq!(back.prop("href").await.unwrap().unwrap(), format!("{}/", scene.site.origin("acme")));
    assert_eq!(scene.world.count("tenants").await, 1);
    scene.inspect("callback-in-tab").await;
    assert_eq!(scene.complaints().await, Vec::<String>::new());

    back.click().await.unwrap();
    scene.find("#place").await;
    let windows = scene.browser.windows().await.unwrap();
    assert_eq!(windows, std::slice::from_ref(&scene.desk), "nothing was opened beside this tab");

    // The company's page opens ours again, which knows by now.
    scene.connect(HARBOR, json!({})).await;
    scene.stage("connected").await;
    scene.inspect("connected").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cancels_is_heard_and_leaves_nothing_behind() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds(HARBOR).await;
    scene.stage("ready").await;
    scene.click("form[action$='/cancel'] button").await;
    scene.stage("cancelled").await;
    assert_eq!(scene.ask("return document.activeElement.tagName").await, "H1");
    scene.inspect("cancelled").await;

    assert_eq!(scene.hears("vestibule-install-cancel").await, json!({"message": "vestibule-install-cancel"}));
    assert_eq!(scene.outcome().await, json!({"rejected": "install_cancelled"}));
    scene.try_frame().await.unwrap();
    scene.browser.refresh_frame().await;
    scene.stage("cancelled").await;
    assert_eq!(scene.heard("vestibule-install-cancel").await.len(), 1);
    assert_eq!(scene.world.count("tenants").await, 0);
    assert_eq!(scene.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_at_the_outside_system_reads_why_and_tries_again() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds(HARBOR).await;
    scene.stage("ready").await;
    scene.opens_window("a[data-popup]").await;
    scene.click("a[href$=abort]").await;
    scene.find("body[data-stage=failed] main [role=alert]").await;
    scene.inspect("callback-user_denied").await;
    scene.browser.close_window().await.unwrap();

    scene.stage("failed").await;
    assert_eq!(scene.text("main h1").await, "Harbor wasn't connected");
    scene.inspect("failed-user_denied").await;
    let error = scene.hears("vestibule-error").await;
    assert_eq!(error["code"], "user_denied");
    scene.at_desk().await;
    assert_eq!(scene.ask("return window.outcomes").await, json!([]), "the person may try again");

    scene.stage("failed").await;
    scene.opens_window("a.primary[data-popup]").await;
    scene.signs_in("anna@harbor.example").await;
    scene.stage("success").await;
    assert!(scene.outcome().await["resolved"]["tenant"].is_object());
    let complaints = scene.complaints().await;
    assert!(complaints.iter().all(|it| it.contains("/oauth2/callback")), "{complaints:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_loses_nothing_and_tells_nothing_twice() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds(HARBOR).await;
    scene.stage("ready").await;
    scene.opens_window("a[data-popup]").await;
    scene.find("input[name=login]").await;
    let popup = scene.browser.window().await.unwrap();
    scene.stage("waiting").await;
    scene.browser.refresh_frame().await;
    scene.stage("waiting").await;

    scene.browser.switch_to_window(popup).await.unwrap();
    scene.signs_in("anna@harbor.example").await;
    scene.stage("success").await;
    scene.hears("vestibule-success").await;
    scene.stage("success").await;
    scene.browser.refresh_frame().await;
    scene.stage("success").await;
    // The reloaded page is ready when it has told its height again.
    let heights = scene.heard("vestibule-content-height-change").await.len();
    scene.try_frame().await.unwrap();
    scene.ask("document.querySelector('h1').style.paddingBlockStart = '31px'").await;
    until("its height is told", || async {
        let told = scene.heard("vestibule-content-height-change").await.len();
        (told > heights).then_some(())
    })
    .await;
    assert_eq!(scene.heard("vestibule-success").await.len(), 1);
    assert_eq!(scene.complaints().await, Vec::<String>::new());
}

/// What a person does with the frame's context menu.
trait Reload {
    async fn refresh_frame(&self);
}

impl Reload for WebDriver {
    /// Reloads the document where the driver is; a mark tells the old one from the new.
    async fn refresh_frame(&self) {
        let mark = "document.documentElement.dataset.old = 'yes'; location.reload()";
        self.execute(mark, Vec::new()).await.unwrap();
        until("the frame is loaded again", || async {
            let fresh = "return document.readyState === 'complete' && !document.documentElement.dataset.old";
            let answer = self.execute(fresh, Vec::new()).await.ok()?;
            (answer.json() == &Value::Bool(true)).then_some(())
        })
        .await;
    }
}
