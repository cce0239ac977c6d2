use std::net::SocketAddr;

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use testkit::browser::{Browser, Options, Scheme};
use testkit::provider::{OutsideProvider, Settings};
use thirtyfour::prelude::*;

/// A page in another site's frame asks for a cookie and tells whether it comes back.
async fn frame() -> Html<&'static str> {
    Html(
        "<!doctype html><html lang=en><title>frame</title><main><h1>frame</h1><p id=told></p></main><script>
        fetch('/cookie').then(() => fetch('/told')).then((answer) => answer.text())
            .then((text) => { document.getElementById('told').textContent = text })</script>",
    )
}

async fn cookie() -> Response {
    ([(header::SET_COOKIE, "seen=yes; SameSite=None; Secure; Path=/")], "set").into_response()
}

async fn told(headers: HeaderMap) -> &'static str {
    if headers.get(header::COOKIE).is_some_and(|value| value == "seen=yes") { "came back" } else { "lost" }
}

const PAGE: &str = "<!doctype html><html lang=en><title>page</title>
    <style>body { color: #111; background: #fff } @media (prefers-color-scheme: dark) {
        body { color: #eee; background: #111 } }</style>
    <main><h1>page</h1>
    <iframe title=inner src='http://inner.localhost:PORT/frame' width=300 height=200></iframe>
    <button id=click onclick=\"window.open('/told')\">open</button></main>
    <script>const early = window.open('/told'); document.body.dataset.early = early ? 'opened' : 'blocked'</script>";

const POOR: &str = "<!doctype html><html><title>poor</title><img src=/told>
    <p style='color:#ccc;background:#fff'>hard to read</p><script>console.error('a complaint')</script>";

async fn site() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let page = PAGE.replace("PORT", &address.port().to_string());
    let routes = Router::new()
        .route("/", get(move || async move { Html(page) }))
        .route("/frame", get(frame))
        .route("/cookie", get(cookie))
        .route("/told", get(told))
        .route("/poor", get(|| async { Html(POOR) }));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

fn url(site: SocketAddr, path: &str) -> String {
    format!("http://outer.localhost:{}{path}", site.port())
}

/// What the frame of another site says about its cookie.
async fn cookie_in_frame(browser: &Browser, site: SocketAddr) -> String {
    browser.goto(url(site, "/")).await.unwrap();
    browser.enter("iframe").await.unwrap();
    let told = browser.query(By::Css("#told:not(:empty)")).first().await.unwrap();
    let text = told.text().await.unwrap();
    browser.enter_default_frame().await.unwrap();
    text
}

#[tokio::test]
async fn third_party_cookies_are_blocked() {
    let site = site().await;
    let browser = Browser::start(&Options::default()).await;
    assert_eq!(cookie_in_frame(&browser, site).await, "lost");

    // The same frame as a page of its own keeps its cookie: it is the frame that makes the difference.
    browser.goto(format!("http://inner.localhost:{}/frame", site.port())).await.unwrap();
    let told = browser.query(By::Css("#told:not(:empty)")).first().await.unwrap();
    assert_eq!(told.text().await.unwrap(), "came back");
}

#[tokio::test]
async fn the_same_cookie_comes_back_where_a_test_lets_it() {
    let options = Options { third_party_cookies: true, ..Options::default() };
    let browser = Browser::start(&options).await;
    assert_eq!(cookie_in_frame(&browser, site().await).await, "came back");
}

#[tokio::test]
async fn popups_without_a_click_are_blocked_when_asked() {
    let site = site().await;
    for (block_popups, expected) in [(true, "blocked"), (false, "opened")] {
        let browser = Browser::start(&Options { block_popups, ..Options::default() }).await;
        browser.goto(url(site, "/")).await.unwrap();
        let body = browser.find(By::Tag("body")).await.unwrap();
        assert_eq!(body.attr("data-early").await.unwrap().as_deref(), Some(expected));

        // A click opens a window in both.
        let before = browser.windows().await.unwrap();
        browser.find(By::Id("click")).await.unwrap().click().await.unwrap();
        browser.enter_new_window(&before).await.unwrap();
        browser.query(By::XPath("//*[text()='lost']")).first().await.unwrap();
        assert!(browser.current_url().await.unwrap().path().ends_with("/told"));
    }
}

#[tokio::test]
async fn the_window_has_the_size_and_the_scheme_that_were_asked_for() {
    let browser = Browser::start(&Options { width: 360, height: 640, ..Options::default() }).await;
    browser.goto(url(site().await, "/")).await.unwrap();
    let width = browser.execute("return window.innerWidth", vec![]).await.unwrap();
    assert_eq!(width.json(), 360);

    let color = || async {
        let script = "return getComputedStyle(document.body).backgroundColor";
        browser.execute(script, vec![]).await.unwrap().convert::<String>().unwrap()
    };
    browser.scheme(Scheme::Dark).await.unwrap();
    assert_eq!(color().await, "rgb(17, 17, 17)");
    browser.scheme(Scheme::Light).await.unwrap();
    assert_eq!(color().await, "rgb(255, 255, 255)");

    let folder = tempfile::tempdir().unwrap();
    let picture = browser.picture(&folder.path().join("deep"), "page").await.unwrap();
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));
}

/// How many processes name `text` in their command line.
fn processes(text: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
}

#[tokio::test]
async fn a_browser_leaves_nothing_behind() {
    let browser = Browser::start(&Options::default()).await;
    browser.goto(url(site().await, "/")).await.unwrap();
    let folder = browser.folder().to_path_buf();
    let name = folder.to_str().unwrap();
    assert!(processes(name) > 1, "Chromium works in {name}");

    drop(browser);
    assert_eq!(processes(name), 0);
    assert!(!folder.exists());
}

#[tokio::test]
async fn axe_and_the_console_tell_what_is_wrong_with_a_page() {
    let browser = Browser::start(&Options::default()).await;
    let site = site().await;
    browser.goto(url(site, "/")).await.unwrap();
    assert!(browser.axe().await.unwrap().is_empty());
    assert!(browser.axe_in_frame("iframe").await.unwrap().is_empty());
    let _ = browser.console_errors().await.unwrap();

    browser.goto(url(site, "/poor")).await.unwrap();
    let found = browser.axe().await.unwrap();
    let mut rules: Vec<_> = found.iter().map(|violation| &*violation.id).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["color-contrast", "html-has-lang", "image-alt"]);
    assert!(
        found.iter().any(|violation| violation.nodes.iter().any(|node| node.html.contains("hard to read")))
    );

    let complaints = browser.console_errors().await.unwrap();
    assert!(complaints.iter().any(|complaint| complaint.contains("a complaint")), "{complaints:?}");
    assert!(browser.console_errors().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_person_can_log_in_at_the_outside_provider_and_comes_back_with_a_code() {
    let back = url(site().await, "/told");
    let mut settings = Settings::with_client("app", "secret", &back);
    settings.require_pkce = false;
    let provider = OutsideProvider::start(settings).await;
    let mut start = provider.endpoint("auth");
    start
        .query_pairs_mut()
        .append_pair("client_id", "app")
        .append_pair("response_type", "code")
        .append_pair("scope", "openid email")
        .append_pair("state", "s-1")
        .append_pair("redirect_uri", &back);
    let browser = Browser::start(&Options::default()).await;
    browser.goto(start.as_str()).await.unwrap();
    browser.find(By::Name("login")).await.unwrap().send_keys("anna").await.unwrap();
    browser.find(By::Name("password")).await.unwrap().send_keys("anything").await.unwrap();
    browser.find(By::Css("[type=submit]")).await.unwrap().click().await.unwrap();
    // The page before has such a button as well.
    assert!(browser.query(By::Name("login")).not_exists().await.unwrap(), "the sign-in page stays");
    let consent = browser.query(By::Css("button[type=submit]:not([name])")).first().await.unwrap();
    consent.click().await.unwrap();
    browser.query(By::XPath("//*[text()='lost']")).first().await.unwrap();

    let arrived = browser.current_url().await.unwrap();
    let value =
        |name: &str| arrived.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert!(arrived.as_str().starts_with(&back), "{arrived}");
    assert_eq!(value("state").as_deref(), Some("s-1"));
    assert!(value("code").is_some_and(|code| code.len() > 20));
    // Nothing was asked of any other host; that two sites have no icon is no matter.
    let mut complaints = browser.console_errors().await.unwrap();
    complaints.retain(|complaint| !complaint.contains("/favicon.ico"));
    assert_eq!(complaints, Vec::<String>::new());
}
