//! An app of the second door: a small relying party that does what OpenID Connect asks of one, and the older kind's
//! Session URL beside it.
#![expect(clippy::indexing_slicing, reason = "what is not there is null, and a test says so by ending")]

use crate::enter_partner::EnterPartner;
use crate::world::World;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use enter::app::{App, EntryTemplate, RedirectUri, SignIn};
use enter::domain::Domain;
use enter::ids::{AccountId, AppId, ClientId};
use enter::oidc::{Authentication, Client, ClientKind};
use kernel::ids::OrganizationId;
use kernel::jose::Algorithm;
use kernel::{Environment, Plain, SafeUrl, SystemChance};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use store::clients::ClientRecord;
use store::{DbError, activations, apps, clients};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[derive(Debug, Default)]
struct Memory {
    /// The nonce of each login under way, by `state`.
    under_way: HashMap<String, String>,
    /// ID token payloads, in the order in which people came in.
    entered: Vec<Value>,
    /// Queries of the callback.
    callbacks: Vec<String>,
    /// Queries of `/initiate`.
    initiated: Vec<String>,
    /// Tokens that its Session URL was posted.
    session_tokens: Vec<String>,
    /// What its Session URL answers.
    session_answer: Option<(u16, String)>,
}

/// A running app; it ends with this value.
#[derive(Debug)]
pub struct EnterApp {
    pub id: AppId,
    pub client: ClientId,
    /// The client's, as it was shown once.
    pub secret: String,
    /// `http://127.0.0.1:PORT`.
    pub origin: String,
    pub organization: OrganizationId,
    memory: Arc<Mutex<Memory>>,
    server: JoinHandle<()>,
}

/// An app that listens and is not registered yet: a world can be told its address.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

/// How an app is registered.
#[derive(Debug, Clone)]
pub struct Registration {
    pub older_kind: bool,
    pub initiates: bool,
    pub open_to_all: bool,
    /// Whether all its scopes are approved beforehand.
    pub pre_approved: bool,
    /// The accounts for which it is active.
    pub active_for: Vec<AccountId>,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            older_kind: false,
            initiates: false,
            open_to_all: true,
            pre_approved: true,
            active_for: Vec::new(),
        }
    }
}

#[derive(Clone)]
struct Site {
    world: World,
    client: ClientId,
    secret: String,
    origin: String,
    memory: Arc<Mutex<Memory>>,
}

impl Listening {
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port").to_string();
        Self { listener, address }
    }

    /// Registers it for an organization and serves.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn register(
        self,
        world: &World,
        owner: &OrganizationId,
        id: &str,
        how: Registration,
    ) -> EnterApp {
        let origin = format!("http://{}", self.address);
        let url = |path: &str| SafeUrl::parse(&format!("{origin}{path}")).expect("a URL");
        let scopes: Vec<String> = ["openid", "profile", "email", "offline_access"].map(str::to_owned).into();
        let sign_in = if how.older_kind {
            SignIn::SessionUrl(url("/session"))
        } else {
            SignIn::OpenIdConnect { initiate_login_uri: how.initiates.then(|| url("/initiate")) }
        };
        let app = App {
            id: AppId::parse(id).expect("an id"),
            organization: owner.clone(),
            environment: Environment::Sandbox,
            name: format!("App {id}"),
            entry: EntryTemplate::from_stored(format!("{origin}/open/<accountId>")),
            primary_domain: Domain::of(&url("/")),
            more_domains: Vec::new(),
            logout_url: None,
            sign_in,
            pre_approved_scopes: if how.pre_approved { scopes.clone() } else { Vec::new() },
            open_to_all: how.open_to_all,
            disabled: None,
        };
        let secret = Plain::new(&SystemChance);
        let client = Client {
            id: ClientId::parse(&format!("client-{id}")).expect("an id"),
            app: app.id.clone(),
            kind: ClientKind::Web,
            authentication: Authentication::Secret(vec![secret.hashed()]),
            redirect_uris: vec![
                RedirectUri::register(&format!("{origin}/callback")).expect("a redirect URI"),
            ],
            post_logout_redirect_uris: vec![
                RedirectUri::register(&format!("{origin}/bye")).expect("an address"),
            ],
            scopes,
            id_token_algorithm: Algorithm::Es256,
            forgiveness: true,
            backchannel_logout_uri: None,
            disabled: None,
        };
        let (now, hash, row, of) = (world.now(), secret.hashed(), client.clone(), app.clone());
        let write = world.db().write(move |tx| {
            Box::pin(async move {
                assert!(apps::insert(tx, &of, now).await?, "the app's id is taken");
                for account in &how.active_for {
                    activations::insert(tx, &of.id, account, now).await?;
                }
                let id = row.id.clone();
                let record = ClientRecord { client: row, name: "web".to_owned(), created: now };
                assert!(clients::insert(tx, &record).await?, "the client's id is taken");
                clients::add_secret(tx, &id, &hash, now).await?;
                Ok::<_, DbError>(())
            })
        });
        write.await.expect("an app is kept");
        let memory: Arc<Mutex<Memory>> = Arc::default();
        let site = Site {
            world: world.clone(),
            client: client.id.clone(),
            secret: secret.reveal().to_owned(),
            origin: origin.clone(),
            memory: Arc::clone(&memory),
        };
        let router = Router::new()
            .route("/login", get(login))
            .route("/callback", get(callback))
            .route("/initiate", get(initiate))
            .route("/open/{account}", get(page))
            .route("/page", get(page))
            .route("/bye", get(page))
            .route("/session", post(session))
            .with_state(site);
        let listener = self.listener;
        let server =
            tokio::spawn(async move { axum::serve(listener, router).await.expect("the app serves") });
        EnterApp {
            id: app.id,
            client: client.id,
            secret: secret.reveal().to_owned(),
            origin,
            organization: owner.clone(),
            memory,
            server,
        }
    }
}

impl EnterApp {
    /// An app of a partner's organization.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn of(world: &World, partner: &EnterPartner, id: &str, how: Registration) -> Self {
        Listening::start().await.register(world, &partner.organization, id, how).await
    }

    /// Where a person begins: `more` is appended to the authorize request.
    #[must_use]
    pub fn login(&self, more: &[(&str, &str)]) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(more).finish();
        format!("{}/login?{query}", self.origin)
    }

    /// The payloads of the ID tokens with which people came in.
    #[must_use]
    pub fn entered(&self) -> Vec<Value> {
        self.memory().entered.clone()
    }

    /// The queries with which its callback was reached.
    #[must_use]
    pub fn callbacks(&self) -> Vec<String> {
        self.memory().callbacks.clone()
    }

    /// The queries with which its `initiate_login_uri` was reached.
    #[must_use]
    pub fn initiated(&self) -> Vec<String> {
        self.memory().initiated.clone()
    }

    /// What was posted to its Session URL.
    #[must_use]
    pub fn session_tokens(&self) -> Vec<String> {
        self.memory().session_tokens.clone()
    }

    /// What its Session URL answers from now on; `{"code":"their-code"}` before that.
    pub fn answers_sessions(&self, status: u16, body: &str) {
        self.memory().session_answer = Some((status, body.to_owned()));
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("the app's memory")
    }
}

impl Drop for EnterApp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn value(query: &str, name: &str) -> Option<String> {
    pairs(query).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

impl Site {
    /// The authorize request with everything that belongs into one, and `more`.
    fn authorize(&self, more: &[(String, String)]) -> String {
        let (state, nonce) = (Plain::new(&SystemChance), Plain::new(&SystemChance));
        let mut memory = self.memory.lock().expect("the app's memory");
        memory.under_way.insert(state.reveal().to_owned(), nonce.reveal().to_owned());
        let has = |name: &str| more.iter().any(|(key, _)| key == name);
        let redirect = format!("{}/callback", self.origin);
        let own = [
            ("client_id", self.client.as_str()),
            ("redirect_uri", redirect.as_str()),
            ("response_type", "code"),
            ("scope", "openid profile email"),
            ("state", state.reveal()),
            ("nonce", nonce.reveal()),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(own.iter().filter(|(name, _)| !has(name)));
        query.extend_pairs(more);
        format!("{}/oauth2/auth?{}", self.world.url(Environment::Sandbox), query.finish())
    }

    async fn swap(&self, code: &str) -> Value {
        let redirect = format!("{}/callback", self.origin);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", VERIFIER),
            ("client_id", self.client.as_str()),
            ("client_secret", self.secret.as_str()),
        ];
        let program = self.world.person();
        let answer = program.ask(reqwest::Method::POST, "/oauth2/token").json().form(&fields).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

fn to(location: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location.to_owned())]).into_response()
}

async fn login(State(site): State<Site>, RawQuery(query): RawQuery) -> Response {
    to(&site.authorize(&pairs(&query.unwrap_or_default())))
}

/// Third-party-initiated login (OpenID Connect Core, section 4): only at the issuer that the app knows.
async fn initiate(State(site): State<Site>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    site.memory.lock().expect("the app's memory").initiated.push(query.clone());
    if value(&query, "iss").as_deref() != Some(site.world.url(Environment::Sandbox)) {
        return (StatusCode::BAD_REQUEST, "another issuer").into_response();
    }
    let target = value(&query, "target_link_uri").unwrap_or_default();
    let account = target.rsplit('/').next().unwrap_or_default().to_owned();
    let hint = value(&query, "login_hint").unwrap_or_default();
    to(&site.authorize(&[("login_hint".to_owned(), hint), ("account_id".to_owned(), account)]))
}

/// Checks `state`, `iss` and the nonce, swaps the code, and says who came in.
async fn callback(State(site): State<Site>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let nonce = {
        let mut memory = site.memory.lock().expect("the app's memory");
        memory.callbacks.push(query.clone());
        value(&query, "state").and_then(|state| memory.under_way.remove(&state))
    };
    let Some(nonce) = nonce else { return (StatusCode::BAD_REQUEST, "an unknown state").into_response() };
    if value(&query, "iss").as_deref() != Some(site.world.url(Environment::Sandbox)) {
        return (StatusCode::BAD_REQUEST, "another issuer").into_response();
    }
    if let Some(error) = value(&query, "error") {
        return (StatusCode::OK, format!("not signed in: {error}")).into_response();
    }
    let tokens = site.swap(&value(&query, "code").unwrap_or_default()).await;
    let id_token = tokens["id_token"].as_str().unwrap_or_default();
    let payload = id_token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let mut claims: Value = serde_json::from_slice(&payload.unwrap_or_default()).unwrap_or_default();
    if claims["nonce"].as_str() != Some(nonce.as_str()) {
        return (StatusCode::BAD_REQUEST, "another nonce").into_response();
    }
    let said = format!("signed in as {}", claims["sub"].as_str().unwrap_or_default());
    claims["access_token"] = tokens["access_token"].clone();
    claims["id_token"] = tokens["id_token"].clone();
    site.memory.lock().expect("the app's memory").entered.push(claims);
    (StatusCode::OK, said).into_response()
}

async fn page() -> &'static str {
    "a page of the app's"
}

/// The older kind's Session URL.
async fn session(State(site): State<Site>, _: HeaderMap, body: Bytes) -> Response {
    let posted: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut memory = site.memory.lock().expect("the app's memory");
    memory.session_tokens.push(posted["token"].as_str().unwrap_or_default().to_owned());
    let (status, text) =
        memory.session_answer.clone().unwrap_or((200, r#"{"code":"their-code"}"#.to_owned()));
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}
