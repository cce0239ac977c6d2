//! An app without a server of its own: npm's oidc-client-ts in Chromium. A public client with PKCE, CORS, renewal by
//! refresh token, `prompt=none` at the top level; a framed one answers `login_required`.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use enter::app::RedirectUri;
use enter::ids::ClientId;
use enter::oidc::{Authentication, Client, ClientKind};
use kernel::jose::Algorithm;
use kernel::{Environment, SystemChance};
use serde_json::{Value, json};
use std::time::Duration;
use store::clients::ClientRecord;
use store::{DbError, clients};
use testkit::browser::{Browser, Options};
use testkit::enter_app::{EnterApp, Registration};
use testkit::enter_partner::EnterPartner;
use testkit::node::package_file;
use testkit::on_both;
use testkit::world::{Engine, World};
use tokio::net::TcpListener;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(60);

const PAGE: &str = r#"<!doctype html><title>Single page</title><script src="/oidc-client-ts.js"></script><script>
const settings = {
  authority: "AUTHORITY", client_id: "CLIENT", redirect_uri: location.origin + "/cb",
  silent_redirect_uri: location.origin + "/silent", scope: "openid profile email", automaticSilentRenew: false,
  loadUserInfo: true, silentRequestTimeoutInSeconds: 30, extraQueryParams: { account_id: "AG-1" },
  userStore: new oidc.WebStorageStateStore({ store: sessionStorage }),
};
window.manager = new oidc.UserManager(settings);
window.forgetful = new oidc.UserManager({
  ...settings, userStore: new oidc.WebStorageStateStore({ store: new oidc.InMemoryWebStorage() }),
});
window.told = (promise, done) => promise.then(
  (user) => done(user && { profile: user.profile, access: user.access_token, refresh: user.refresh_token }),
  (error) => done({ error: error.error || String(error) }));
if (location.pathname === "/silent") manager.signinSilentCallback();
</script>"#;

/// The site, reached as a name of its own below `localhost`.
async fn site(authority: String) -> (String, ClientId) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://spa.localhost:{}", listener.local_addr().unwrap().port());
    let id = ClientId::new(&SystemChance);
    let page = PAGE.replace("AUTHORITY", &authority).replace("CLIENT", id.as_str());
    let library =
        std::fs::read_to_string(package_file("oidc-client-ts/dist/browser/oidc-client-ts.min.js")).unwrap();
    let script = move || async move { ([("content-type", "text/javascript")], library) };
    let router =
        Router::new().route("/oidc-client-ts.js", get(script)).fallback(move || async move { Html(page) });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (origin, id)
}

async fn register(world: &World, app: &EnterApp, origin: &str, id: ClientId) {
    let uri = |path: &str| RedirectUri::register(&format!("{origin}{path}")).unwrap();
    let client = Client {
        id,
        app: app.id.clone(),
        kind: ClientKind::Browser,
        authentication: Authentication::None,
        redirect_uris: vec![uri("/cb"), uri("/silent")],
        post_logout_redirect_uris: vec![],
        scopes: ["openid", "profile", "email"].map(str::to_owned).into(),
        id_token_algorithm: Algorithm::Rs256,
        forgiveness: false,
        backchannel_logout_uri: None,
        disabled: None,
    };
    let record = ClientRecord { client, name: "single page".to_owned(), created: world.now() };
    let write = world.db().write(move |tx| {
        Box::pin(async move {
            assert!(clients::insert(tx, &record).await?);
            Ok::<_, DbError>(())
        })
    });
    write.await.unwrap();
}

/// Waits until the browser's address begins so.
async fn at(browser: &Browser, start: &str) -> String {
    let deadline = Instant::now() + SOON;
    loop {
        let url = browser.current_url().await.unwrap().to_string();
        if url.starts_with(start) {
            return url;
        }
        assert!(Instant::now() < deadline, "{url} is not {start}: {}", browser.source().await.unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a promise of the page comes to.
async fn told(browser: &Browser, promise: &str) -> Value {
    let script = format!("told({promise}, arguments[arguments.length - 1])");
    browser.execute_async(script, Vec::new()).await.unwrap().json().clone()
}

async fn single_page(engine: Engine) {
    let world = World::build(engine).system_clock().start().await;
    let partner = EnterPartner::start(&world, "acme", true, &["AG-1"]).await;
    let app = EnterApp::of(&world, &partner, "MP-1", Registration::default()).await;
    let (origin, id) = site(world.url(Environment::Sandbox).to_owned()).await;
    register(&world, &app, &origin, id).await;
    let browser = Browser::start(&Options::default()).await;
    browser.set_script_timeout(SOON).await.unwrap();

    // To the partner and back.
    browser.goto(&origin).await.unwrap();
    browser.execute("manager.signinRedirect()", Vec::new()).await.unwrap();
    let login = at(&browser, &format!("{}/login", partner.origin)).await;
    let sign_in = "const done = arguments[0]; const body = new URLSearchParams({ user: 'anna' });
        fetch(location.href, { method: 'POST', body, redirect: 'manual' }).then(() => done(1), () => done(0));";
    assert_eq!(browser.execute_async(sign_in, Vec::new()).await.unwrap().json(), &json!(1));
    browser.goto(login.replace("/login?", "/session-transfer?")).await.unwrap();
    at(&browser, &format!("{origin}/cb?")).await;
    let user = told(&browser, "manager.signinRedirectCallback()").await;
    assert_eq!(user["profile"]["account_id"], "AG-1", "{user}");
    assert_eq!(user["profile"]["partner_id"], json!(partner.partner.id), "{user}");

    // Renewed by the refresh token, without any frame.
    let renewed = told(&browser, "manager.signinSilent()").await;
    assert_eq!(renewed["profile"]["sub"], user["profile"]["sub"], "{renewed}");
    assert_ne!((&renewed["access"], &renewed["refresh"]), (&user["access"], &user["refresh"]));

    // In a frame of another site the browser withholds the session's cookie.
    let framed = told(&browser, "forgetful.signinSilent()").await;
    assert_eq!(framed, json!({ "error": "login_required" }));

    // At the top level it is there, and nobody is sent to the partner.
    let trips = partner.trips().len();
    browser.goto(&origin).await.unwrap();
    browser.execute("manager.signinRedirect({ prompt: 'none' })", Vec::new()).await.unwrap();
    at(&browser, &format!("{origin}/cb?")).await;
    let again = told(&browser, "manager.signinRedirectCallback()").await;
    assert_eq!(again["profile"]["sub"], user["profile"]["sub"], "{again}");
    assert_eq!(partner.trips().len(), trips);

    // The page ends what it has.
    let before = world.count("grants WHERE revoked_at IS NOT NULL").await;
    assert_eq!(told(&browser, "manager.revokeTokens(['refresh_token'])").await, Value::Null);
    assert_eq!(world.count("grants WHERE revoked_at IS NOT NULL").await, before + 1);
}

on_both! {
    async fn oidc_client_ts_enters_renews_and_ends(engine: Engine) {
        single_page(engine).await;
    }
}
