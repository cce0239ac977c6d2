//! An outside system of a test's own: single-use refresh tokens, an API, and bad days by a test's word.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::http::{HeaderMap, Method, Response, Uri};
use connect::credential::{App, Credential};
use kernel::ids::TenantId;
use kernel::{SecretText, Slug};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use testkit::world::{Company, Engine, World};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub const CLIENT_SECRET: &str = "tide-client-secret-canary";
/// Seconds that its tokens live.
pub const LIFE_S: i64 = 3600;

/// How its token endpoint answers a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    Well,
    /// This status.
    Status(u16),
    /// This status, and how long it wants to be left alone.
    Busy(u16, &'static str),
    Html,
    /// 200 with an error in it.
    ErrorInside,
    Huge,
    /// The grant is dead.
    InvalidGrant,
    /// The new token is made, the answer is lost.
    Lost,
    /// The app is not known any more.
    InvalidClient,
}

#[derive(Debug)]
struct Memory {
    day: Day,
    /// Whether a refresh token works once only.
    rotates: bool,
    /// Tokens given out so far.
    serial: u32,
    /// How many renewals were asked for.
    renewals: u32,
    at_once: u32,
    most_at_once: u32,
    held: Option<Arc<Held>>,
    /// API calls: method, path with query, headers, body.
    calls: Vec<Call>,
    limited: u32,
}

#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

#[derive(Debug, Default)]
struct Held {
    arrived: Notify,
    go: Notify,
}

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Tide {
    pub address: String,
    memory: Arc<Mutex<Memory>>,
    server: JoinHandle<()>,
}

impl Drop for Tide {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Tide {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let memory = Arc::new(Mutex::new(Memory {
            day: Day::Well,
            rotates: true,
            serial: 0,
            renewals: 0,
            at_once: 0,
            most_at_once: 0,
            held: None,
            calls: Vec::new(),
            limited: 0,
        }));
        let router = Router::new().fallback(arrived).layer(DefaultBodyLimit::disable());
        let router = router.with_state(Arc::clone(&memory));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, memory, server }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    pub fn has(&self, day: Day) {
        self.memory().day = day;
    }

    pub fn keeps_refresh_tokens(&self) {
        self.memory().rotates = false;
    }

    pub fn renewals(&self) -> u32 {
        self.memory().renewals
    }

    /// How many renewals it saw at the same time.
    pub fn most_at_once(&self) -> u32 {
        self.memory().most_at_once
    }

    pub fn access_token(&self) -> String {
        access(self.memory().serial)
    }

    pub fn calls(&self) -> Vec<Call> {
        self.memory().calls.clone()
    }

    pub fn last_call(&self) -> Call {
        self.calls().pop().unwrap()
    }

    /// From now on every API token is an old one.
    pub fn forgets_tokens(&self) {
        self.memory().serial += 1;
    }

    /// The next renewal waits until it is let go.
    pub fn holds(&self) -> Hold {
        let held = Arc::new(Held::default());
        self.memory().held = Some(Arc::clone(&held));
        Hold(held)
    }
}

/// A renewal that waits.
pub struct Hold(Arc<Held>);

impl Hold {
    pub async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    pub fn let_go(self) {
        self.0.go.notify_one();
    }
}

fn access(serial: u32) -> String {
    format!("tide-access-canary-{serial}")
}

fn refresh(serial: u32) -> String {
    format!("tide-refresh-canary-{serial}")
}

fn answer(status: u16, kind: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).header("content-type", kind).body(body.into()).unwrap()
}

fn as_json(status: u16, body: &Value) -> Response<Body> {
    answer(status, "application/json", body.to_string())
}

async fn arrived(
    State(memory): State<Arc<Mutex<Memory>>>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    match uri.path() {
        "/authorize" => signed_in(&uri),
        "/token" => {
            let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
            if form.get("grant_type").map(String::as_str) == Some("refresh_token") {
                renewed(&memory, &form).await
            } else {
                let mut memory = memory.lock().unwrap();
                memory.serial += 1;
                token(memory.serial)
            }
        }
        "/elsewhere" => {
            let mut memory = memory.lock().unwrap();
            memory.calls.push(call(&method, &headers, &body));
            as_json(200, &json!({"elsewhere": true}))
        }
        path if path.starts_with("/api") => {
            let mut memory = memory.lock().unwrap();
            memory.calls.push(call(&method, &headers, &body));
            if headers.get("authorization").and_then(|value| value.to_str().ok())
                != Some(format!("Bearer {}", access(memory.serial)).as_str())
            {
                let seen =
                    headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
                return as_json(401, &json!({"error": "no", "seen": seen}));
            }
            api(&mut memory, &method, &uri)
        }
        _ => as_json(404, &json!({"error": "nothing here"})),
    }
}

fn call(method: &Method, headers: &HeaderMap, body: &Bytes) -> Call {
    let headers = headers.iter();
    Call {
        method: method.to_string(),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

fn signed_in(uri: &Uri) -> Response<Body> {
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let mut back = url::Url::parse(&query["redirect_uri"]).unwrap();
    back.query_pairs_mut().append_pair("code", "code-1").append_pair("state", &query["state"]);
    Response::builder().status(302).header("location", back.as_str()).body(Body::empty()).unwrap()
}

fn token(serial: u32) -> Response<Body> {
    as_json(
        200,
        &json!({
            "access_token": access(serial), "refresh_token": refresh(serial), "token_type": "Bearer", "expires_in": LIFE_S,
        }),
    )
}

async fn renewed(memory: &Mutex<Memory>, form: &HashMap<String, String>) -> Response<Body> {
    let held = {
        let mut memory = memory.lock().unwrap();
        memory.renewals += 1;
        memory.at_once += 1;
        memory.most_at_once = memory.most_at_once.max(memory.at_once);
        memory.held.take()
    };
    if let Some(held) = held {
        held.arrived.notify_one();
        held.go.notified().await;
    }
    let mut memory = memory.lock().unwrap();
    memory.at_once -= 1;
    let is_known = form.get("client_secret").map(String::as_str) == Some(CLIENT_SECRET)
        && (!memory.rotates || form.get("refresh_token") == Some(&refresh(memory.serial)));
    match memory.day {
        Day::Well if is_known => {
            memory.serial += 1;
            token(memory.serial)
        }
        Day::Lost if is_known => {
            memory.serial += 1;
            answer(502, "text/html", "<html>the proxy lost it</html>")
        }
        Day::Well | Day::Lost | Day::InvalidGrant => as_json(400, &json!({"error": "invalid_grant"})),
        Day::InvalidClient => as_json(401, &json!({"error": "invalid_client"})),
        Day::Status(status) => answer(status, "text/plain", format!("bad {}", form["refresh_token"])),
        Day::Busy(status, rest) => {
            Response::builder().status(status).header("retry-after", rest).body(Body::empty()).unwrap()
        }
        Day::Html => answer(200, "text/html", "<!doctype html><title>Maintenance</title>"),
        Day::ErrorInside => as_json(200, &json!({"error": "temporarily_unavailable"})),
        Day::Huge => answer(200, "application/json", vec![b' '; 10 << 20]),
    }
}

fn api(memory: &mut Memory, method: &Method, uri: &Uri) -> Response<Body> {
    match uri.path() {
        "/api/echo" => as_json(200, &json!({"method": method.as_str(), "uri": uri.to_string()})),
        "/api/big" => answer(200, "application/json", Body::from_stream(big())),
        "/api/escapes" => {
            let padding = "x".repeat(2 << 20);
            answer(200, "application/json", format!("{{\"a\":\"{padding}\"}},\"extra\":1"))
        }
        "/api/text" => answer(200, "text/plain; charset=utf-8", "gr\u{fc}n"),
        "/api/nothing" => answer(204, "text/plain", ""),
        "/api/bytes" => answer(200, "application/pdf", vec![0xff, 0x00, 0xfe, b'%']),
        "/api/page" => answer(200, "text/html", "<script>alert(1)</script>"),
        "/api/breaks" => {
            let pieces: Vec<Result<Bytes, std::io::Error>> = vec![
                Ok(Bytes::from(vec![b'['; 1])),
                Ok(Bytes::from(vec![b' '; 2 << 20])),
                Err(std::io::Error::other("cut")),
            ];
            answer(200, "application/json", Body::from_stream(futures_util::stream::iter(pieces)))
        }
        "/api/missing" => as_json(404, &json!({"error": {"text": "no such thing"}})),
        "/api/repeats" => as_json(400, &json!({"sent": access(memory.serial), "app": CLIENT_SECRET})),
        "/api/limited" => {
            let limited = Response::builder().status(429).header("retry-after", "77").header("x-left", "0");
            limited
                .header("content-type", "application/json")
                .body(Body::from("{\"error\":\"slow down\"}"))
                .unwrap()
        }
        "/api/shortly" if memory.limited == 0 => {
            memory.limited += 1;
            Response::builder().status(429).header("retry-after", "1").body(Body::empty()).unwrap()
        }
        "/api/shortly" => {
            let good = Response::builder().header("x-left", "41").header("x-reset", "60");
            good.header("content-type", "application/json").body(Body::from("{\"ok\":true}")).unwrap()
        }
        "/api/inside" => as_json(200, &json!({"ok": false, "error": "ratelimited"})),
        "/api/redirects" => {
            let to = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
                .find_map(|(name, value)| (name == "to").then(|| value.into_owned()))
                .unwrap();
            Response::builder().status(302).header("location", to).body(Body::empty()).unwrap()
        }
        "/api/soap" => answer(
            200,
            "text/xml; charset=utf-8",
            "<?xml version='1.0'?><s:Envelope xmlns:s='u'><s:Body><r:Orders xmlns:r='r'><r:Order id='1'>A</r:Order>\
             <r:Order id='2'>B</r:Order></r:Orders></s:Body></s:Envelope>",
        ),
        "/api/fault" => answer(
            500,
            "text/xml",
            "<s:Envelope xmlns:s='u'><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>No order</faultstring>\
             </s:Fault></s:Body></s:Envelope>",
        ),
        "/api/bomb" => {
            answer(200, "application/xml", "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>")
        }
        _ => as_json(200, &json!({"path": uri.path()})),
    }
}

/// 8 MiB of JSON.
fn big() -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    let row = format!("\"{}\",", "y".repeat(1022));
    let rows = std::iter::repeat_n(Bytes::from(row.repeat(64)), 128);
    let pieces = std::iter::once(Bytes::from_static(b"[")).chain(rows).chain([Bytes::from_static(b"0]")]);
    futures_util::stream::iter(pieces.map(Ok))
}

/// A company whose user has connected the system.
pub struct Scene {
    pub world: World,
    pub tide: Tide,
    pub acme: Company,
    pub tenant: TenantId,
}

pub const CONNECTOR: &str = "tide";

impl Scene {
    pub async fn on(engine: Engine) -> Self {
        Self::with(engine, "", &[]).await
    }

    /// `refresh`: what stands in `[refresh]`; `{tide}` is the system's origin. `reaching`: other hosts that may be called.
    pub async fn with(engine: Engine, refresh: &str, reaching: &[&str]) -> Self {
        let tide = Tide::start().await;
        let mut world = World::build(engine).reaching(&tide.address).provider_timeout(Duration::from_secs(5));
        for address in reaching {
            world = world.reaching(address);
        }
        let world = world.start().await;
        let acme = world.organization("acme").await;
        let text = r#"
id = "tide"
name = "Tide"

[auth]
kind = "oauth2"

[authorize]
url = "{tide}/authorize"
pkce = "off"

[token]
url = "{tide}/token"

[refresh]
rotates = true
{refresh}

[api]
base_url = "{tide}/api"
headers = { Authorization = "Bearer {token.access}" }
retry = { after = "Retry-After", remaining = "X-Left", reset = "X-Reset", in_body = "/error" }
"#;
        let text = text.replace("{refresh}", refresh).replace("{tide}", &tide.url(""));
        acme.add_connector(&text).await;
        let app = App {
            client_id: "tide-client".to_owned(),
            client_secret: Some(SecretText::new(CLIENT_SECRET)),
            ..App::default()
        };
        acme.put_app(CONNECTOR, &app).await;
        acme.integrate(&[CONNECTOR]).await;
        let told = world.person().connects(&acme, CONNECTOR, &acme.token(CONNECTOR).sign()).await;
        let tenant = TenantId::new(told["id"].as_i64().unwrap()).unwrap();
        Self { world, tide, acme, tenant }
    }

    pub fn connector(&self) -> Slug {
        Slug::parse(CONNECTOR).unwrap()
    }

    pub fn path(&self, what: &str) -> String {
        format!("/v2/tenants/{}/connectors/{CONNECTOR}/{what}", self.tenant)
    }
}

pub fn access_of(credential: &Credential) -> &str {
    credential.access.as_ref().map_or("", SecretText::reveal)
}

/// Looks until it is so.
pub async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let begun = tokio::time::Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
