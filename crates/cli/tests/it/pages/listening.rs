//! Whom the dialog and the embed script listen to.

use super::deadline::until;
use super::scene::{HARBOR, Plan, Scene};
use serde_json::{Value, json};

/// A frame without an origin of its own, which posts to where it is told.
const NOBODY: &str = "
    const [target] = arguments;
    const frame = document.createElement('iframe');
    frame.sandbox = 'allow-scripts';
    frame.srcdoc = `<script>
        const data = {message: 'vestibule-success', tenant: {id: 666}, webhook_url: 'https://evil.example'};
        const to = ${target};
        to.postMessage(data, '*');
        to.postMessage('returned', '*');
        parent.postMessage('posted', '*');
    </scr` + `ipt>`;
    document.body.append(frame);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embed_script_believes_its_own_frame_and_nobody_else() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds("stripe").await;
    scene.stage("form").await;
    scene.at_desk().await;

    // The company's own page, a frame without an origin, and our frame's window under a foreign name.
    let forged = "const data = {message: 'vestibule-success', tenant: {id: 666}};
        window.postMessage(data, '*');
        window.dispatchEvent(new MessageEvent('message', {data, origin: 'null', source: opened.frame.contentWindow}));
        window.dispatchEvent(new MessageEvent('message', {data, origin: arguments[0], source: window}));
        window.dispatchEvent(new MessageEvent('message', {data: null, origin: arguments[0], source: opened.frame.contentWindow}));";
    scene.browser.execute(forged, vec![json!(scene.gateway())]).await.unwrap();
    scene.browser.execute(NOBODY, vec![json!("parent")]).await.unwrap();
    until("all forged messages have arrived", || async {
        let messages = scene.ask("return window.messages").await;
        let forged = messages.as_array()?.iter().filter(|it| it["data"]["tenant"]["id"] == 666).count();
        let posted = messages.as_array()?.iter().any(|it| it["data"] == "posted");
        (forged == 4 && posted).then_some(())
    })
    .await;
    assert_eq!(scene.ask("return window.outcomes").await, json!([]));

    // The true one still counts.
    scene.stage("form").await;
    scene.click("form[action$='/cancel'] button").await;
    assert_eq!(scene.outcome().await, json!({"rejected": "install_cancelled"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dialog_is_moved_by_the_server_and_by_no_message() {
    let scene = Scene::set(Plan::default()).await;
    scene.embeds(HARBOR).await;
    scene.stage("ready").await;
    scene.ask("window.heard = []; addEventListener('message', (it) => heard.push(it.origin))").await;
    scene.at_desk().await;
    scene.browser.execute(NOBODY, vec![json!("parent.frames[0]")]).await.unwrap();
    scene.ask("document.querySelector('iframe').contentWindow.postMessage('returned', '*')").await;

    // Heard, and not followed: not even the server is asked.
    until("both messages have arrived", || async {
        scene.try_frame().await?;
        let heard = scene.ask("return window.heard").await;
        let heard: Vec<&str> = heard.as_array()?.iter().filter_map(Value::as_str).collect();
        (heard.contains(&"null") && heard.contains(&scene.site.origin("acme").as_str())).then_some(())
    })
    .await;
    let asked =
        "return performance.getEntriesByType('resource').filter((it) => it.name.endsWith('/state')).length";
    assert_eq!(scene.ask(asked).await, 0);
    scene.stage("ready").await;

    // A message of our own origin makes it look.
    scene.ask("window.postMessage('returned', location.origin)").await;
    until("the server is asked", || async { (scene.ask(asked).await == 1).then_some(()) }).await;
    scene.stage("ready").await;
}
