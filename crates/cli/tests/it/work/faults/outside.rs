//! An outside system and an endpoint for notices, which record what reaches them.

use axum::Router;
use axum::extract::{ConnectInfo, Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;

/// What it has seen.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Connections that were made; each has tokens of its own.
    connections: u64,
    /// Renewals that are under way, by connection.
    renewing: BTreeSet<u64>,
    /// Renewals that were answered, by connection.
    pub(super) renewed: BTreeMap<u64, u64>,
    /// A connection that was renewed while it was being renewed.
    pub(super) renewed_twice_at_once: Vec<u64>,
    /// Ids of notices that were answered well.
    pub(super) notices: BTreeSet<String>,
    notices_tried: u64,
    notices_refused: BTreeSet<String>,
    /// Bodies and headers of all requests, for whoever looks for what must not be there.
    pub(super) seen: Vec<String>,
    /// In place of what tokens are called otherwise.
    pub(super) token_word: Option<String>,
    /// How long tokens live, in seconds; very short unless said otherwise.
    pub(super) life_s: Option<u64>,
    /// Renewals fail, and the answer repeats what was presented.
    pub(super) echoes: bool,
    /// How much longer than else a renewal and a notice take, in milliseconds.
    pub(super) slower_ms: u64,
    /// Renewals and notices that whoever asked did not live to hear the answer of.
    pub(super) cut: Cut,
    /// What is being answered, and the port from which it was asked.
    pub(super) under_way: Vec<(Stage, u16)>,
    /// Messages that begin runs here.
    pub(super) messages: Vec<(HeaderMap, String)>,
    /// Calls of the system's API that carried a token.
    pub(super) called: usize,
}

/// What somebody may be in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Renewal,
    Notice,
}

/// How many were begun and never answered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) renewals: usize,
    pub(super) notices: usize,
}

#[derive(Debug)]
pub(super) struct Outside {
    address: String,
    memory: Arc<Mutex<Memory>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Shared = State<Arc<Mutex<Memory>>>;

impl Outside {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let memory = Arc::<Mutex<Memory>>::default();
        let router = Router::new()
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/notices", post(notice))
            .route("/function", post(function))
            .route("/api/{what}", any(api))
            .with_state(Arc::clone(&memory));
        let server = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service).await.unwrap();
        });
        Self { address, memory, server }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    /// A connector whose tokens live as short as they may, so that they are renewed all the time.
    pub(super) fn connector(&self) -> String {
        format!(
            r#"id = "crm"
name = "CRM"

[auth]
kind = "oauth2"
account = "CRM"

[authorize]
url = "{base}/authorize"
pkce = "off"

[token]
url = "{base}/token"

[refresh]
rotates = true
lead_s = 300

[api]
base_url = "{base}"
headers = {{ Authorization = "Bearer {{token.access}}" }}

[[env]]
field = "token.access"
name = "ACCESS_TOKEN"
"#,
            base = self.url("")
        )
    }
}

async fn authorize(State(memory): Shared, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let mut memory = memory.lock().unwrap();
    memory.connections += 1;
    let to = format!("{}?code=code-{}&state={}", query["redirect_uri"], memory.connections, query["state"]);
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}

/// A renewal that is under way until this is dropped, also where whoever asked has gone.
struct Renewing(Arc<Mutex<Memory>>, u64);

impl Drop for Renewing {
    fn drop(&mut self) {
        self.0.lock().unwrap().renewing.remove(&self.1);
    }
}

/// Counts where it is dropped before its time: whoever asked has gone.
struct UnderWay {
    memory: Arc<Mutex<Memory>>,
    asked: (Stage, u16),
    answered: bool,
}

impl UnderWay {
    fn new(memory: &Arc<Mutex<Memory>>, stage: Stage, peer: SocketAddr) -> Self {
        let asked = (stage, peer.port());
        memory.lock().unwrap().under_way.push(asked);
        Self { memory: Arc::clone(memory), asked, answered: false }
    }

    fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut memory = self.memory.lock().unwrap();
        let at = memory.under_way.iter().position(|asked| *asked == self.asked).unwrap();
        memory.under_way.swap_remove(at);
        match self.asked.0 {
            _ if self.answered => {}
            Stage::Renewal => memory.cut.renewals += 1,
            Stage::Notice => memory.cut.notices += 1,
        }
    }
}

/// Tokens are `{word}-access-{connection}-{number}`. An older token for renewing stays good: what became of an answer
/// that nobody read is the gateway's to find out.
async fn token(
    State(memory): Shared,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let renews = form.get("grant_type").map(String::as_str) == Some("refresh_token");
    let presented = if renews { &form["refresh_token"] } else { &form["code"] };
    let mut parts = presented.rsplit('-');
    if renews {
        parts.next();
    }
    if renews && memory.lock().unwrap().echoes {
        let said =
            json!({ "error": "server_error", "error_description": format!("{presented} was not taken") });
        return (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(said)).into_response();
    }
    let connection: u64 = parts.next().unwrap().parse().unwrap();
    let mut number = 0;
    if renews {
        if !memory.lock().unwrap().renewing.insert(connection) {
            memory.lock().unwrap().renewed_twice_at_once.push(connection);
        }
        let _renewing = Renewing(Arc::clone(&memory), connection);
        let under_way = UnderWay::new(&memory, Stage::Renewal, peer);
        let slower = memory.lock().unwrap().slower_ms;
        tokio::time::sleep(Duration::from_millis(20 + connection * 7 % 60 + slower)).await;
        under_way.answered();
        let mut memory = memory.lock().unwrap();
        let renewed = memory.renewed.entry(connection).or_default();
        *renewed += 1;
        number = *renewed;
    }
    let memory = memory.lock().unwrap();
    let word = memory.token_word.clone().unwrap_or_else(|| "token".to_owned());
    axum::Json(json!({
        "access_token": format!("{word}-access-{connection}-{number}"),
        "refresh_token": format!("{word}-refresh-{connection}-{number}"),
        "token_type": "bearer",
        "expires_in": memory.life_s.unwrap_or(20),
    }))
    .into_response()
}

/// Some are refused at their first try, as by an endpoint that has its moods.
async fn notice(
    State(memory): Shared,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let under_way = UnderWay::new(&memory, Stage::Notice, peer);
    let slower = memory.lock().unwrap().slower_ms;
    tokio::time::sleep(Duration::from_millis(10 + slower)).await;
    under_way.answered();
    let mut memory = memory.lock().unwrap();
    memory.seen.push(format!("{headers:?} {body}"));
    memory.notices_tried += 1;
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    if memory.notices_tried.is_multiple_of(5) && memory.notices_refused.insert(id.clone()) {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    memory.notices.insert(id);
    StatusCode::NO_CONTENT
}

/// An integration at a URL of its own: it will report.
async fn function(State(memory): Shared, headers: HeaderMap, body: String) -> StatusCode {
    memory.lock().unwrap().messages.push((headers, body));
    StatusCode::ACCEPTED
}

/// The system's API: what begins with `bad` fails and repeats the token that it was called with.
async fn api(State(memory): Shared, Path(what): Path<String>, headers: HeaderMap) -> Response {
    let token = headers["authorization"].to_str().unwrap().to_owned();
    assert!(token.starts_with("Bearer "), "{token}");
    memory.lock().unwrap().called += 1;
    let envelope = |inner: &str| {
        let soap = "http://schemas.xmlsoap.org/soap/envelope/";
        format!("<s:Envelope xmlns:s=\"{soap}\"><s:Body>{inner}</s:Body></s:Envelope>")
    };
    let (status, kind, body) = match what.as_str() {
        "good" => (200, "application/json", json!({ "well": true }).to_string()),
        "good-xml" => (200, "text/xml", "<answer><well>yes</well></answer>".to_owned()),
        "good-soap" => (200, "text/xml", envelope("<well>yes</well>")),
        "bad" => (500, "application/json", json!({ "error": format!("{token} was not taken") }).to_string()),
        "bad-token" => (401, "application/json", json!({ "error": format!("{token} is old") }).to_string()),
        "bad-xml" => (400, "text/xml", format!("<error token=\"{token}\">{token} was not taken</error>")),
        "bad-soap" | "bad-soap-200" => {
            let fault = format!(
                "<s:Fault><faultcode>s:Server</faultcode><faultstring>{token} was not taken</faultstring></s:Fault>"
            );
            (if what == "bad-soap" { 500 } else { 200 }, "text/xml", envelope(&fault))
        }
        _ => (404, "text/plain", String::new()),
    };
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, kind)], body).into_response()
}
