//! Whatever is sent is text wherever it comes out again, every answer carries its headers, and no secret gets into
//! the log.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use testkit::on_both;
use testkit::standins::{CLIENT_SECRET, ProviderKind, STRIPE_KEY};
use testkit::world::{Answer, Engine, OWN_TOKEN, World};
use tracing_subscriber::fmt::MakeWriter;
use vestibule::settings::LogFormat;

const HOSTILE: &str = "\"><svg onload=alert(1)>";
const ENCODED: &str = "%22%3E%3Csvg%20onload%3Dalert(1)%3E";

/// Text in markup, a JSON string in JSON; under headers that let no browser make more of it.
fn harmless(answer: &Answer, about: &str) {
    let kind = answer.header("content-type");
    let text = answer.text();
    if kind.starts_with("text/html") {
        assert!(!text.contains("<svg onload"), "{about}: {text}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{about}: {policy}");
        assert!(
            policy.contains("base-uri 'none'")
                && policy.contains("form-action 'self'")
                && !policy.contains("unsafe"),
            "{about}: {policy}"
        );
        assert_eq!(answer.header("cache-control"), "no-store", "{about}");
        // No script and no handler stands in the markup itself.
        for part in text.split("<script").skip(1) {
            let tag = part.split('>').next().unwrap();
            assert!(
                tag.contains("src=\"/static/") || tag.contains("application/json"),
                "{about}: <script{tag}>"
            );
        }
        assert!(
            !text.contains(" style=\"") && !text.contains(" onclick") && !text.contains("javascript:"),
            "{about}"
        );
    } else if kind.starts_with("application/json") {
        let value: serde_json::Value = answer.json();
        if let Some(html) = value.get("html").and_then(serde_json::Value::as_str) {
            assert!(!html.contains("<svg onload"), "{about}: {html}");
        }
    } else {
        assert!(
            kind.is_empty()
                || kind.starts_with("text/plain")
                || kind.starts_with("text/javascript")
                || kind.starts_with("image/svg"),
            "{about}: {kind}"
        );
        assert!(!text.contains("<svg onload") || kind.starts_with("text/plain"), "{about}: {text}");
    }
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{about}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{about}");
    assert!(!answer.header("content-security-policy").is_empty(), "{about}");
    assert!(!answer.header("cache-control").is_empty(), "{about}");
    assert!(answer.header("x-request-id").starts_with("req_"), "{about}");
    for (name, value) in &answer.headers {
        assert!(!String::from_utf8_lossy(value.as_bytes()).contains("<svg"), "{about}: {name}");
    }
    assert!(answer.status < 500, "{about}: {} {text}", answer.status);
}

on_both! {
    async fn every_parameter_is_text_where_it_comes_out_again(world: World) {
        let acme = world.organization("acme").named("Acme \"><svg onload=alert(1)>").await;
        let anna = world.person();
        let page = acme.page("hubspot");
        let good = || acme.token("hubspot");

        // What a refused landing was given.
        let spoiled = [
            good().header("alg", HOSTILE), good().header("kid", HOSTILE), good().header("typ", HOSTILE), good().header(HOSTILE, 1),
            good().claim("aud", HOSTILE), good().claim("iat", HOSTILE), good().claim("ti.xti.connector_name", HOSTILE),
            good().claim("ti.xti.integration_name", HOSTILE), good().claim("ti.uem", HOSTILE), good().claim("exp", HOSTILE),
        ];
        for token in &spoiled {
            harmless(&anna.lands(&page, &token.sign()).await, "page");
            let json = anna.ask(reqwest::Method::POST, &page).json().form(&[("tenant", &token.sign())]).await;
            harmless(&json, "json");
        }
        for to in [
            format!("/{ENCODED}/hubspot/auth?tenant=x"), format!("/acme/{ENCODED}/auth?tenant={}", good().sign()),
            format!("{page}?tenant={ENCODED}"), format!("{page}?tenant=x&ui_locales={ENCODED}"), format!("{page}?{ENCODED}={ENCODED}"),
            format!("/dialogs/{ENCODED}"), format!("/dialogs/{ENCODED}/state"), format!("/start/{ENCODED}"), format!("/start/{ENCODED}?tab={ENCODED}"),
            format!("/oauth2/callback?code={ENCODED}&state={ENCODED}"), format!("/oauth2/callback?error={ENCODED}&error_description={ENCODED}&state=x"),
            format!("/oauth2/callback?{ENCODED}=1&{ENCODED}=2"), format!("/v1/webhooks/{ENCODED}"), format!("/{ENCODED}"), format!("/a/b/c/d?{ENCODED}"),
            format!("/static/{ENCODED}/{ENCODED}"), format!("/gallery/{ENCODED}"), format!("/v2/tenants?sort_by={ENCODED}&limit={ENCODED}"),
            format!("/health/ready?{ENCODED}"), "/embed/v1.js".to_owned(), "/".to_owned(), "/robots.txt".to_owned(), "/favicon.ico".to_owned(),
        ] {
            for json in [false, true] {
                let ask = anna.get(&to).framed().header("accept-language", HOSTILE).header("referer", &format!("https://a.example/{HOSTILE}")).header("user-agent", HOSTILE);
                harmless(&if json { ask.json().await } else { ask.await }, &to);
            }
        }
        let key = acme.api_key(&["tenants:read", "tenants:write", "integrations:read"]).await;
        for to in [format!("/v2/tenants?sort_by={ENCODED}"), format!("/v2/tenants?archived={ENCODED}"), format!("/v2/tenants/{ENCODED}"), format!("/v1/tenants/{ENCODED}"), format!("/v2/integrations/{ENCODED}")] {
            harmless(&anna.calls(&key, &to).await, &to);
        }

        // What a person is called, all the way through.
        let named = || good().sub(HOSTILE).claim("ti.udn", HOSTILE).claim("ti.ufn", HOSTILE).without("ti.uem").claim("external_id", HOSTILE).claim("meta", HOSTILE).claim("ti.xti.x", HOSTILE);
        let landed = anna.lands(&page, &named().sign()).await;
        harmless(&landed, "landing");
        let dialog = anna.dialog_of(&landed);
        harmless(&dialog.page().await, "ready");
        let link = dialog.start_link().await;
        harmless(&anna.get(&link).header("sec-fetch-site", "cross-site").await, "start page");
        let callback = dialog.signs_in().await;
        harmless(&dialog.page().await, "waiting");
        let denied = callback.split_once("code=").unwrap().0.to_owned();
        let state = callback.split("state=").nth(1).unwrap().split('&').next().unwrap();
        harmless(&anna.comes_back(&format!("{denied}error={ENCODED}&error_description={ENCODED}&state={state}")).await, "denied");
        harmless(&dialog.page().await, "failed");
        harmless(&dialog.posts("retry", &[]).await, "retry");
        harmless(&dialog.goes_and_comes_back().await, "callback");
        harmless(&dialog.posts("confirm", &[]).await, "confirm");
        harmless(&dialog.page().await, "success");
        harmless(&dialog.posts("announcement", &[]).await, "announcement");

        // What is typed into forms.
        let stripe = anna.dialog_of(&anna.lands(&acme.page("stripe"), &acme.token("stripe").sign()).await);
        harmless(&stripe.posts("inputs", &[("api_key", HOSTILE), (HOSTILE, HOSTILE)]).await, "key");
        let salesforce = anna.dialog_of(&anna.lands(&acme.page("salesforce"), &acme.token("salesforce").sign()).await);
        harmless(&salesforce.posts("inputs", &[("login", HOSTILE)]).await, "login");
        harmless(&salesforce.page().await, "form");
        harmless(&salesforce.posts("code", &[("code", HOSTILE)]).await, "code");
        harmless(&salesforce.posts("choose", &[("choice", HOSTILE)]).await, "choice");
    }
}

/// What was logged, in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// While only one subscriber lives, a place that logs is switched off for good where a thread without one comes
/// by first, and the other tests of this process have none. Two that live on keep every place switched on.
static OTHERS: LazyLock<[tracing::Dispatch; 2]> = LazyLock::new(|| {
    let quiet = || {
        let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        tracing::Dispatch::new(everything.with_writer(std::io::sink).finish())
    };
    [quiet(), quiet()]
});

/// Runs a test on a runtime of its own whose every thread logs everything into memory.
fn logged(test: impl Future<Output = ()>) -> String {
    LazyLock::force(&OTHERS);
    let log = Log::default();
    // As the program logs, with everything that a setting can turn on.
    let most = vestibule::settings::Log { format: LogFormat::Text, filter: "trace".to_owned() };
    let dispatch = tracing::Dispatch::new(vestibule::logging::subscriber(&most, log.clone()).unwrap());
    let of_threads = dispatch.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        // The thread's own for as long as it lives.
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&of_threads)))
        .build()
        .unwrap();
    tracing::dispatcher::with_default(&dispatch, || runtime.block_on(test));
    drop(runtime);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

async fn a_whole_life(engine: Engine, secrets: Arc<Mutex<Vec<(&'static str, String)>>>) {
    let world = World::on(engine).await;
    let acme = world.organization("acme").await;
    let keep = |what, secret: &str| secrets.lock().unwrap().push((what, secret.to_owned()));
    let anna = world.person();
    let token = acme.token("hubspot").sign();
    keep("token", &token);
    keep("the token's signature", token.rsplit('.').next().unwrap());
    keep("signing secret", acme.secret());
    let dialog = anna.dialog_of(&anna.lands_by_get(&acme.page("hubspot"), &token).await);
    keep("dialog", dialog.bearer());
    anna.lands_by_get(&acme.page("hubspot"), &token).await;
    let bad = acme.token("hubspot").secret("wrong-secret-0123456789-0123456789").sign();
    keep("refused token", &bad);
    anna.lands(&acme.page("hubspot"), &bad).await;
    dialog.page().await;
    let link = dialog.start_link().await;
    keep("ticket", link.trim_start_matches("/start/"));
    let page = anna.get(&link).header("sec-fetch-site", "cross-site").await.text();
    let href = page
        .split("href=\"")
        .find(|part| part.starts_with("http://127.0.0.1"))
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let callback = anna.signs_in_at(&href.replace("&amp;", "&").replace("&#38;", "&")).await;
    let value = |name: &str| {
        url::Url::parse(&callback).unwrap().query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned()
    };
    keep("state", &value("state"));
    let cookie = anna.cookie_line("/oauth2/callback");
    keep("cookie", cookie.split_once('=').unwrap().1);
    let back = anna.comes_back(&callback).await.text();
    let groups = back.split("class=\"big-code\"").nth(1).unwrap().split("</p>").next().unwrap();
    let code: String = groups.split("<span>").skip(1).map(|group| group.split('<').next().unwrap()).collect();
    keep("short code", &code);
    dialog.types_code("WRONG0").await;
    dialog.types_code(&code).await;
    dialog.confirms().await;
    let told = dialog.announcement().await;
    let webhook = told[0]["data"]["webhook_url"].as_str().unwrap().to_owned();
    keep("webhook secret", webhook.rsplit('/').next().unwrap());
    anna.post(&webhook)
        .body("application/json", r#"{"body":"delivered-body-text"}"#)
        .header("x-secret", "delivered-header-text")
        .await;
    keep("delivered body", "delivered-body-text");
    keep("delivered header", "delivered-header-text");
    let key = acme.api_key(&["tenants:read"]).await;
    keep("API key", &key);
    anna.calls(&key, "/v2/tenants").await;
    anna.calls(&format!("{key}x"), "/v2/tenants").await;
    let stripe = anna.opens(&acme, "stripe", &acme.token("stripe").sign()).await;
    stripe.types(&[("api_key", "sk_test_wrong0key1")]).await;
    keep("wrong key", "sk_test_wrong0key1");
    stripe.types(&[("api_key", STRIPE_KEY)]).await;
    keep("key", STRIPE_KEY);
    keep("xti.token", OWN_TOKEN);
    keep("client secret", CLIENT_SECRET);
    keep("access token", testkit::standins::ACCESS_TOKEN);
    keep("refresh token", testkit::standins::REFRESH_TOKEN);
    keep("master key", &world.master_key());
    let code = world.standin(ProviderKind::HubSpot).last("/oauth/v1/token").form()["code"].clone();
    keep("authorization code", &format!("code={code}"));
}

fn no_secret_is_logged(engine: Engine) {
    let secrets = Arc::new(Mutex::new(Vec::new()));
    let log = logged(a_whole_life(engine, Arc::clone(&secrets)));
    let own: Vec<&str> = log.lines().filter(|line| !of_a_library(line)).collect();
    let text = own.join("\n");
    assert!(text.matches("answered").count() > 20, "requests are logged: {text}");
    assert!(
        text.contains("/dialogs/{dialog}") && text.contains("/v1/webhooks/{hash}"),
        "by their route: {text}"
    );
    let secrets = secrets.lock().unwrap();
    assert!(secrets.len() > 20);
    for (what, secret) in secrets.iter() {
        let line = own.iter().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "{what} is in the log: {}", line.unwrap());
    }
}

/// Lines of libraries below the level that the gateway logs by default, and of the test's own clients.
fn of_a_library(line: &str) -> bool {
    let level = line.split_whitespace().nth(1).unwrap_or_default();
    let rooms = ["kernel", "connect", "store", "outbound", "service", "web", "vestibule"];
    let of_ours =
        rooms.iter().any(|room| line.contains(&format!(" {room}::")) || line.contains(&format!(" {room}: ")));
    matches!(level, "TRACE" | "DEBUG") && !of_ours
}

mod no_secret_gets_into_the_log {
    use super::{Engine, no_secret_is_logged};

    #[test]
    fn sqlite() {
        no_secret_is_logged(Engine::Sqlite);
    }

    #[test]
    fn postgres() {
        no_secret_is_logged(Engine::Postgres);
    }
}
