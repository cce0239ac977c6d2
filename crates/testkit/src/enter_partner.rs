//! A partner of the second door: a portal with a login and a session-transfer endpoint, whose backend calls the
//! gateway with a service account. Nothing in it knows how the gateway works inside.
#![expect(clippy::indexing_slicing, reason = "what is not there is null, and a test says so by ending")]

use crate::world::World;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use enter::account::Account;
use enter::context::ServiceContext;
use enter::ids::{AccountId, AppId, PartnerId, ServiceKeyId};
use enter::partner::{Partner, TransferUrl};
use enter::service_account::{KeyPair, Scope, ServiceAccount, ServiceKey};
use kernel::ids::OrganizationId;
use kernel::jose::Algorithm;
use kernel::{Actor, Environment, Plain, SystemChance};
use serde_json::{Value, json};
use service::admin::organizations::OrganizationChange;
use std::sync::{Arc, Mutex, MutexGuard};
use store::service_accounts::{self, ServiceAccountRecord};
use store::{DbError, accounts, partners};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the session-transfer endpoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transfer {
    /// What it is asked to do.
    #[default]
    Well,
    /// It sends the browser straight back to `nextUrl`.
    WithoutCode,
    /// It sends the browser back to where it came from.
    Back,
    /// An old SDK: `nextUrl` is not passed on.
    DropsNextUrl,
}

#[derive(Debug, Default)]
struct Memory {
    transfer: Transfer,
    /// Queries of the session-transfer endpoint, oldest first.
    trips: Vec<String>,
    /// Where `Back` sends to.
    back: String,
}

/// A partner with everything that it holds; it ends with this value.
#[derive(Debug)]
pub struct EnterPartner {
    pub organization: OrganizationId,
    pub partner: Partner,
    /// `http://127.0.0.1:PORT`.
    pub origin: String,
    backend: Backend,
    memory: Arc<Mutex<Memory>>,
    server: JoinHandle<()>,
}

/// What the portal's backend holds.
#[derive(Debug, Clone)]
struct Backend {
    world: World,
    email: String,
    key_id: ServiceKeyId,
    key: Arc<KeyPair>,
}

#[derive(Debug, Clone)]
struct Portal {
    backend: Backend,
    memory: Arc<Mutex<Memory>>,
}

/// What the backend orders an entry URL for.
#[derive(Debug, Clone)]
pub struct Ordered {
    body: Value,
}

impl Ordered {
    /// The user as the portal knows it, for an app and a context.
    #[must_use]
    pub fn new(user: &str, app: &AppId, context: &ServiceContext) -> Self {
        let context = match context {
            ServiceContext::Account(id) => json!({ "account": { "account_id": id } }),
            ServiceContext::Partner(id) => json!({ "partner": { "partner_id": id } }),
            ServiceContext::SuperAdmin => json!({ "superAdmin": {} }),
        };
        let session = format!("session-of-{user}");
        let body =
            json!({ "service_provider_id": app, "session_id": session, "user_id": user, "context": context });
        Self { body }
    }

    /// One more field, by its published name.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Some(body) = self.body.as_object_mut() {
            body.insert(name.to_owned(), json!(value));
        }
        self
    }
}

impl Backend {
    /// An assertion as the SDKs make it, swapped for an access token.
    async fn access_token(&self) -> String {
        let issuer = self.world.url(Environment::Sandbox);
        let now = self.world.now().seconds();
        let jti = Plain::new(&SystemChance);
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.key_id });
        let payload = json!({
            "iss": self.email, "sub": self.email, "aud": issuer, "iat": now, "exp": now + 300, "jti": jti.reveal(),
        });
        let assertion = self.key.sign(&header, &payload.to_string()).expect("a signed assertion");
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.as_str()),
        ];
        let program = self.world.person();
        let answer = program.ask(reqwest::Method::POST, "/oauth2/token").json().form(&fields).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().expect("an access token").to_owned()
    }

    async fn call(&self, method: &str, body: &Value) -> crate::world::Answer {
        let bearer = format!("Bearer {}", self.access_token().await);
        let program = self.world.person();
        let ask = program.ask(reqwest::Method::POST, &format!("/sso.v1.IdentityProvider/{method}"));
        ask.header("authorization", &bearer).body("application/json", body.to_string()).await
    }

    async fn entry_url(&self, ordered: &Ordered) -> Result<String, Value> {
        let answer = self.call("GetEntryURLWithCode", &ordered.body).await;
        if answer.status != 200 {
            return Err(answer.json());
        }
        Ok(answer.json()["entryUrl"].as_str().expect("an entry URL").to_owned())
    }
}

impl EnterPartner {
    /// A company that vouches for its users, with the accounts of these ids.
    ///
    /// # Panics
    /// When something of it is refused.
    pub async fn start(world: &World, slug: &str, just_in_time: bool, ids: &[&str]) -> Self {
        let change = OrganizationChange { name: Some(slug.to_owned()), ..OrganizationChange::default() };
        let made = world.service().create_organization(&Actor::Operator, slug, change).await;
        let organization = made.expect("an organization").organization.id;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("a bound port"));
        let partner = Partner {
            id: PartnerId::parse(&format!("PT-{slug}")).expect("an id"),
            organization: organization.clone(),
            environment: Environment::Sandbox,
            name: format!("{slug} portal"),
            transfer: TransferUrl::parse(&format!("{origin}/session-transfer")).expect("a transfer URL"),
            more_domains: Vec::new(),
            just_in_time,
            disabled: None,
        };
        let key = KeyPair::generate(Algorithm::Es256).expect("a key");
        let key_id = ServiceKeyId::new(&SystemChance);
        let email = format!("entry@{slug}.example");
        let scopes = Scope::DEFAULT.map(|scope| scope.as_str().to_owned()).to_vec();
        let account =
            ServiceAccount { email: email.clone(), partner: partner.id.clone(), scopes, disabled: None };
        let row = ServiceKey::new(key_id.clone(), email.clone(), Algorithm::Es256, key.public_jwk(), true);
        keep(world, &partner, account, row, ids).await;
        let backend = Backend { world: world.clone(), email, key_id, key: Arc::new(key) };
        let memory = Arc::default();
        let portal = Portal { backend: backend.clone(), memory: Arc::clone(&memory) };
        let router = Router::new()
            .route("/session-transfer", get(session_transfer))
            .route("/login", get(login_page).post(login))
            .with_state(portal);
        let server =
            tokio::spawn(async move { axum::serve(listener, router).await.expect("the portal serves") });
        Self { organization, partner, origin, backend, memory, server }
    }

    /// Another way of its endpoint; `back` is where [`Transfer::Back`] sends to.
    pub fn transfers(&self, how: Transfer, back: &str) {
        let mut memory = self.memory();
        memory.transfer = how;
        back.clone_into(&mut memory.back);
    }

    /// The queries with which its endpoint was reached, oldest first.
    #[must_use]
    pub fn trips(&self) -> Vec<String> {
        self.memory().trips.clone()
    }

    /// The portal opens an app from its own pages.
    ///
    /// # Errors
    /// The API's answer.
    pub async fn entry_url(&self, ordered: &Ordered) -> Result<String, Value> {
        self.backend.entry_url(ordered).await
    }

    /// Any call of `IdentityProvider`.
    pub async fn call(&self, method: &str, body: &Value) -> crate::world::Answer {
        self.backend.call(method, body).await
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("the portal's memory")
    }
}

impl Drop for EnterPartner {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn keep(world: &World, partner: &Partner, account: ServiceAccount, key: ServiceKey, ids: &[&str]) {
    let (now, row) = (world.now(), partner.clone());
    let account = ServiceAccountRecord { account, name: "entry".to_owned(), created: now };
    let accounts: Vec<Account> = ids
        .iter()
        .map(|id| Account {
            id: AccountId::parse(id).expect("an id"),
            partner: partner.id.clone(),
            name: format!("Account {id}"),
            customer_identifier: None,
            disabled: None,
        })
        .collect();
    let write = world.db().write(move |tx| {
        Box::pin(async move {
            assert!(partners::insert(tx, &row, now).await?, "the partner's id is taken");
            for account in &accounts {
                assert!(
                    accounts::insert(tx, row.environment, account, now).await?,
                    "the account's id is taken"
                );
            }
            assert!(service_accounts::insert(tx, &account).await?, "the address is taken");
            assert!(service_accounts::insert_key(tx, &key, now).await?, "the key's id is taken");
            Ok::<_, DbError>(())
        })
    });
    write.await.expect("a partner is kept");
}

fn value(query: &str, name: &str) -> String {
    let found = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn signed_in(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let found =
        cookies.split(';').filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == "portal");
    found.map(|(_, user)| user.to_owned())
}

fn to(location: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location.to_owned())]).into_response()
}

/// The endpoint of the contract's section 2: sign in, check the access, ask for the entry URL, redirect.
async fn session_transfer(
    State(portal): State<Portal>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let (transfer, back) = {
        let mut memory = portal.memory.lock().expect("the portal's memory");
        memory.trips.push(query.clone());
        (memory.transfer, memory.back.clone())
    };
    let Some(user) = signed_in(&headers) else { return to(&format!("/login?{query}")) };
    let next = value(&query, "nextUrl");
    match transfer {
        Transfer::WithoutCode => return to(&next),
        Transfer::Back => return to(&back),
        Transfer::Well | Transfer::DropsNextUrl => {}
    }
    let Ok(context) = ServiceContext::parse(&value(&query, "serviceContext")) else {
        return (StatusCode::FORBIDDEN, "an unknown context").into_response();
    };
    let app = AppId::parse(&value(&query, "serviceProviderId")).expect("an app's id");
    let mut ordered = Ordered::new(&user, &app, &context);
    if transfer == Transfer::Well && !next.is_empty() {
        ordered = ordered.with("next_url", &next);
    }
    match portal.backend.entry_url(&ordered).await {
        Ok(url) => to(&url),
        Err(error) => (StatusCode::FORBIDDEN, error.to_string()).into_response(),
    }
}

async fn login_page() -> Html<&'static str> {
    Html(
        "<!doctype html><html lang=en><title>Portal</title><h1>Sign in to the portal</h1>\
         <form method=post><label>User <input name=user></label> <button>Sign in</button></form>",
    )
}

/// `user` of the form signs in; the query, with which the endpoint was reached, is kept.
async fn login(RawQuery(query): RawQuery, body: Bytes) -> Response {
    let user = value(&String::from_utf8_lossy(&body), "user");
    let query = query.unwrap_or_default();
    let location = if query.is_empty() { "/".to_owned() } else { format!("/session-transfer?{query}") };
    let cookie = format!("portal={user}; Path=/; HttpOnly");
    (StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::SET_COOKIE, cookie)]).into_response()
}
