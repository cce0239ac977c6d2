//! Outside systems on this machine that behave as the real ones document it, quirks included, and badly where
//! a test asks for it. They check what they are sent as the real ones do, so that the connector files that ship
//! are what is tested.

mod hubspot;
mod notion;
mod salesforce;
mod seen;
mod slack;
mod stripe;

pub use seen::Seen;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use base64::Engine as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The app that every stand-in knows.
pub const CLIENT_ID: &str = "standin-client";
pub const CLIENT_SECRET: &str = "standin-client-secret";
/// The key that the stand-in for Stripe accepts.
pub const STRIPE_KEY: &str = "sk_test_standin0key1";
/// The tokens that are given out.
pub const ACCESS_TOKEN: &str = "standin-access-token-1";
pub const REFRESH_TOKEN: &str = "standin-refresh-token-1";

/// Which outside system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    HubSpot,
    Slack,
    Salesforce,
    Notion,
    Stripe,
}

impl ProviderKind {
    pub const ALL: [Self; 5] = [Self::HubSpot, Self::Slack, Self::Salesforce, Self::Notion, Self::Stripe];

    /// The connector's name.
    #[must_use]
    pub const fn connector(self) -> &'static str {
        match self {
            Self::HubSpot => "hubspot",
            Self::Slack => "slack",
            Self::Salesforce => "salesforce",
            Self::Notion => "notion",
            Self::Stripe => "stripe",
        }
    }

    /// The origins that its connector file names.
    const fn origins(self) -> &'static [&'static str] {
        match self {
            Self::HubSpot => &["https://app.hubspot.com", "https://api.hubapi.com"],
            Self::Slack => &["https://slack.com"],
            Self::Salesforce => &["https://{inputs.login}.salesforce.com"],
            Self::Notion => &["https://api.notion.com"],
            Self::Stripe => &["https://api.stripe.com"],
        }
    }

    fn answer(self, call: &mut Call<'_>) -> Reply {
        match self {
            Self::HubSpot => hubspot::answer(call),
            Self::Slack => slack::answer(call),
            Self::Salesforce => salesforce::answer(call),
            Self::Notion => notion::answer(call),
            Self::Stripe => stripe::answer(call),
        }
    }
}

/// How it behaves, until told otherwise. Sign-in pages always work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    #[default]
    Well,
    /// A page for people, under status 200.
    Html,
    /// Status 200 with an error inside.
    ErrorInside,
    Empty,
    /// Takes the request and never answers.
    Never,
    /// 10 MB.
    Huge,
    /// Status 503.
    Down,
    /// Status 429.
    Capped,
    /// Refuses every token and key.
    Forgets,
    /// The connection ends in the middle of the answer.
    Breaks,
}

/// What a sign-in page remembers of a code.
#[derive(Debug, Clone)]
struct Code {
    redirect_uri: String,
    challenge: Option<String>,
}

#[derive(Debug, Default)]
struct Memory {
    behaviour: Behaviour,
    /// Where answers wait, while they are held.
    held: Option<Arc<Held>>,
    seen: Vec<Seen>,
    codes: BTreeMap<String, Code>,
    given: usize,
    revoked: bool,
}

/// Answers that wait until a test lets them go.
#[derive(Debug, Default)]
struct Held {
    arrived: Notify,
    go: Notify,
}

/// One request with the server's memory, for the provider's own rules.
struct Call<'a> {
    seen: &'a Seen,
    memory: &'a mut Memory,
    origin: &'a str,
}

/// An answer.
struct Reply {
    status: u16,
    content_type: &'static str,
    body: String,
    location: Option<String>,
}

impl Reply {
    fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, content_type: "application/json", body: body.to_string(), location: None }
    }

    fn missing() -> Self {
        Self { status: 404, content_type: "text/html", body: "<h1>Not found</h1>".to_owned(), location: None }
    }
}

impl Call<'_> {
    fn route(&self) -> (&str, &str) {
        (self.seen.method.as_str(), self.seen.path.as_str())
    }

    /// The sign-in page of somebody who agrees at once.
    fn sign_in(&mut self) -> Reply {
        let get = |name: &str| self.seen.query.get(name).cloned();
        let (Some(redirect_uri), Some(state)) = (get("redirect_uri"), get("state")) else {
            return Reply::missing();
        };
        if get("client_id").as_deref() != Some(CLIENT_ID) {
            return Reply::missing();
        }
        let challenge = get("code_challenge");
        self.memory.given += 1;
        let code = format!("standin-code-{}", self.memory.given);
        let separator = if redirect_uri.contains('?') { '&' } else { '?' };
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("code", &code).append_pair("state", &state);
        let location = format!("{redirect_uri}{separator}{}", pairs.finish());
        self.memory.codes.insert(code, Code { redirect_uri, challenge });
        Reply { status: 302, content_type: "text/html", body: String::new(), location: Some(location) }
    }

    /// Uses a code up: it must have been given for this redirect URI and this PKCE verifier.
    fn redeem(&mut self, code: Option<&str>, redirect_uri: Option<&str>, verifier: Option<&str>) -> bool {
        let Some(known) = code.and_then(|code| self.memory.codes.remove(code)) else { return false };
        let proven = match &known.challenge {
            Some(challenge) => verifier.is_some_and(|verifier| challenge_of(verifier) == *challenge),
            None => true,
        };
        proven && redirect_uri == Some(known.redirect_uri.as_str())
    }

    fn is_known_client(&self, pair: Option<(String, String)>) -> bool {
        pair.is_some_and(|(id, secret)| id == CLIENT_ID && secret == CLIENT_SECRET)
    }

    /// Whether the bearer token is the one that was given out and still counts.
    fn is_known_token(&self, token: Option<&str>) -> bool {
        let good = !self.memory.revoked && self.memory.behaviour != Behaviour::Forgets;
        good && token.is_some_and(|token| token.starts_with("standin-access-token-"))
    }
}

fn challenge_of(verifier: &str) -> String {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()))
}

/// A running stand-in; it ends with this value.
#[derive(Debug)]
pub struct Standin {
    kind: ProviderKind,
    address: String,
    memory: Arc<Mutex<Memory>>,
    gate: Mutex<Option<Arc<Held>>>,
    server: JoinHandle<()>,
}

impl Standin {
    /// # Panics
    /// When no port is free.
    pub async fn start(kind: ProviderKind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port").to_string();
        let memory = Arc::new(Mutex::new(Memory::default()));
        let place = Place { kind, origin: format!("http://{address}"), memory: Arc::clone(&memory) };
        let router = Router::new().fallback(arrived).with_state(place);
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the stand-in serves");
        });
        Self { kind, address, memory, gate: Mutex::default(), server }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether it is the stand-in for this system.
    #[must_use]
    pub fn is(&self, kind: ProviderKind) -> bool {
        self.kind == kind
    }

    /// `127.0.0.1:PORT`, for the list of addresses that may be called.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What `Definition::with_base` takes, so that the connector file that ships meets this server.
    #[must_use]
    pub fn mapping(&self) -> Vec<(&'static str, String)> {
        self.kind.origins().iter().map(|origin| (*origin, self.origin())).collect()
    }

    /// From now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.memory().behaviour = behaviour;
    }

    /// The next answer waits until [`Self::let_go`]; those after it do not.
    pub fn hold(&self) {
        self.memory().held = Some(Arc::default());
        *self.gate() = self.memory().held.clone();
    }

    /// Until a request waits.
    pub async fn wait_until_held(&self) {
        let gate = self.gate().clone();
        if let Some(gate) = gate {
            gate.arrived.notified().await;
        }
    }

    pub fn let_go(&self) {
        if let Some(gate) = self.gate().take() {
            gate.go.notify_one();
        }
    }

    fn gate(&self) -> MutexGuard<'_, Option<Arc<Held>>> {
        self.gate.lock().expect("the stand-in's gate")
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.memory().seen.clone()
    }

    /// The last request to a path.
    ///
    /// # Panics
    /// When there was none.
    #[must_use]
    pub fn last(&self, path: &str) -> Seen {
        let seen = self.seen();
        let found = seen.iter().rev().find(|seen| seen.path == path).cloned();
        found.unwrap_or_else(|| panic!("{path} was not called; called were {:?}", paths(&seen)))
    }

    /// Whether its token was revoked.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.memory().revoked
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("the stand-in's memory")
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn paths(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.path.as_str()).collect()
}

#[derive(Clone)]
struct Place {
    kind: ProviderKind,
    origin: String,
    memory: Arc<Mutex<Memory>>,
}

async fn arrived(
    State(place): State<Place>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let seen = Seen {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let is_page = seen.path.ends_with("/authorize") && seen.method == "GET";
    let behaviour = place.memory.lock().expect("the stand-in's memory").behaviour;
    if behaviour == Behaviour::Never && !is_page {
        place.memory.lock().expect("the stand-in's memory").seen.push(seen);
        std::future::pending::<()>().await;
        unreachable!("a pending future never ends");
    }
    let held = if is_page { None } else { place.memory.lock().expect("the stand-in's memory").held.take() };
    if let Some(held) = held {
        held.arrived.notify_one();
        held.go.notified().await;
    }
    let mut memory = place.memory.lock().expect("the stand-in's memory");
    memory.seen.push(seen.clone());
    if !is_page && let Some(bad) = misbehaved(behaviour) {
        return bad;
    }
    let mut call = Call { seen: &seen, memory: &mut memory, origin: &place.origin };
    let reply = place.kind.answer(&mut call);
    let mut response = Response::builder().status(reply.status).header("content-type", reply.content_type);
    if let Some(location) = reply.location {
        response = response.header("location", location);
    }
    response.body(reply.body.into()).expect("an answer")
}

fn misbehaved(behaviour: Behaviour) -> Option<Response<Body>> {
    let (status, kind, body): (u16, &str, Body) = match behaviour {
        Behaviour::Well | Behaviour::Forgets | Behaviour::Never => return None,
        Behaviour::Html => (200, "text/html", "<!doctype html><title>Maintenance</title>".into()),
        Behaviour::ErrorInside => {
            (200, "application/json", r#"{"ok":false,"error":"internal_error"}"#.into())
        }
        Behaviour::Empty => (200, "application/json", Body::empty()),
        Behaviour::Huge => (200, "application/json", vec![b' '; 10 << 20].into()),
        Behaviour::Down => (503, "text/plain", "try later".into()),
        Behaviour::Capped => (429, "application/json", r#"{"message":"slow down"}"#.into()),
        Behaviour::Breaks => {
            let response = Response::builder()
                .header("content-length", "1000")
                .header("content-type", "application/json");
            return Some(response.body(Body::from_stream(broken())).expect("an answer"));
        }
    };
    Some(Response::builder().status(status).header("content-type", kind).body(body).expect("an answer"))
}

/// A body that ends in an error after its first bytes.
fn broken() -> impl futures_util::Stream<Item = Result<&'static str, std::io::Error>> {
    futures_util::stream::iter([
        Ok("{\"access_token\":"),
        Err(std::io::Error::other("the connection breaks")),
    ])
}
