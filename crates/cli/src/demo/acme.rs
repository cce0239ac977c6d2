//! Acme Desk: a small help desk, the company whose customers connect their systems. Its backend signs tokens,
//! serves its own API to the gateway, and asks the gateway's API what is connected.

use super::Stage;
use super::setup::ORGANIZATION;
use super::sign::sign_tenant_token;
use super::sites::{Links, Site, bearer, cookie, json, page, redirect_with_cookie, with_files};
use super::story::{At, Line, Milestone};
use askama::Template;
use axum::extract::{Form, Json, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use kernel::{Plain, SecretText};
use outbound::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

const COOKIE: &str = "acme_person";
/// What the page "how we did it" shows.
const SIGNING: &str = include_str!("sign.rs");

/// Someone who works with Acme Desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) full_name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) work: &'static str,
}

const PEOPLE: [Person; 2] = [
    Person {
        id: "anna",
        name: "Anna",
        full_name: "Anna Lindqvist",
        email: "anna@northwind.example",
        work: "Head of support at Northwind",
    },
    Person {
        id: "ben",
        name: "Ben",
        full_name: "Ben Okafor",
        email: "ben@northwind.example",
        work: "Sales operations at Northwind",
    },
];

impl Person {
    fn by_id(id: &str) -> Option<Self> {
        PEOPLE.into_iter().find(|person| person.id == id)
    }

    pub(crate) fn initial(&self) -> &'static str {
        self.name.get(..1).unwrap_or_default()
    }
}

/// A system that can be connected.
#[derive(Debug, Clone, Copy)]
struct System {
    connector: &'static str,
    integration: &'static str,
    name: &'static str,
    text: &'static str,
}

const SYSTEMS: [System; 2] = [
    System {
        connector: "harbor",
        integration: "harbor-sync",
        name: "Harbor CRM",
        text: "See a customer's deals beside each ticket.",
    },
    System {
        connector: "ledger",
        integration: "ledger-sync",
        name: "Ledger",
        text: "See whether their invoices are paid.",
    },
];

/// A system as the page shows it to one person.
struct Card {
    system: System,
    /// Since when, where it is connected.
    since: Option<String>,
    tenant: Option<u64>,
}

#[derive(Template)]
#[template(path = "demo/acme_login.html")]
struct LoginPage {
    links: Links,
    people: [Person; 2],
}

#[derive(Template)]
#[template(path = "demo/acme.html")]
struct IntegrationsPage {
    links: Links,
    person: Person,
    cards: Vec<Card>,
    signing: &'static str,
}

/// Acme's memory.
#[derive(Debug)]
struct Acme {
    stage: Arc<Stage>,
    /// Whose installations which are, as the gateway's API confirmed it.
    tenants: Mutex<BTreeMap<&'static str, BTreeSet<u64>>>,
    /// The tokens of Acme's own API, one per person.
    tokens: BTreeMap<&'static str, Plain>,
}

pub(crate) fn router(stage: Arc<Stage>) -> axum::Router {
    let tokens = PEOPLE.map(|person| (person.id, Plain::with_prefix("acme_", &*stage.service.chance)));
    let acme = Acme { stage, tenants: Mutex::default(), tokens: BTreeMap::from(tokens) };
    with_files(axum::Router::new())
        .route("/", get(|| async { Redirect::to("/integrations") }))
        .route("/login", get(login_page).post(login))
        .route("/logout", post(|| async { redirect_with_cookie("/login", COOKIE, "") }))
        .route("/integrations", get(integrations))
        .route("/integrations/token", post(token))
        .route("/integrations/connected", post(connected))
        .route("/api/me", get(me))
        .with_state(Arc::new(acme))
}

fn signed_in(headers: &HeaderMap) -> Option<Person> {
    Person::by_id(&cookie(headers, COOKIE)?)
}

async fn login_page(State(acme): State<Arc<Acme>>) -> Response {
    page(acme.stage.addresses, 200, &LoginPage { links: acme.stage.links(), people: PEOPLE })
}

#[derive(Deserialize)]
struct Login {
    person: String,
}

async fn login(State(acme): State<Arc<Acme>>, Form(login): Form<Login>) -> Response {
    let Some(person) = Person::by_id(&login.person) else { return Redirect::to("/login").into_response() };
    let text = "At Acme, as every day. The gateway knows nothing of it.";
    let line = Line::new(At::Acme, format!("{} signed in", person.name), text);
    acme.stage.story.tell(line.reaches(Milestone::SignedIn));
    redirect_with_cookie("/integrations", COOKIE, person.id)
}

async fn integrations(State(acme): State<Arc<Acme>>, headers: HeaderMap) -> Response {
    let Some(person) = signed_in(&headers) else { return Redirect::to("/login").into_response() };
    let tenants = acme.installed_of(person).await;
    let cards = SYSTEMS.map(|system| {
        let own = tenants.iter().find(|tenant| text_at(tenant, "/integration/name") == system.integration);
        let connected = own.filter(|tenant| tenant.pointer("/status/auth/connected") == Some(&json!(true)));
        let since = connected.map(|tenant| {
            let name = format!("/status/auth/{}_LAST_CHANGE", system.connector.to_ascii_uppercase());
            text_at(tenant, &name).get(11..16).unwrap_or_default().to_owned()
        });
        Card { system, since, tenant: own.and_then(|tenant| tenant.get("id")?.as_u64()) }
    });
    let page_of = IntegrationsPage {
        links: acme.stage.links(),
        person,
        cards: cards.into_iter().collect(),
        signing: SIGNING,
    };
    page(acme.stage.addresses, 200, &page_of)
}

#[derive(Deserialize)]
struct Wanted {
    connector: String,
}

/// Signs a token for the person who is signed in: the page posts it into the frame.
async fn token(State(acme): State<Arc<Acme>>, headers: HeaderMap, Json(wanted): Json<Wanted>) -> Response {
    let Some(person) = signed_in(&headers) else { return json(401, &json!({ "message": "sign in first" })) };
    let system = SYSTEMS.into_iter().find(|system| system.connector == wanted.connector);
    let Some(system) = system else { return json(404, &json!({ "message": "no such system" })) };
    let claims = acme.claims(person, system);
    let token = sign_tenant_token(acme.stage.given.signing_secret.reveal(), &claims);
    let mut shown = claims;
    if let Some(token) = shown.pointer_mut("/ti/xti/token") {
        *token = json!("acme_••••");
    }
    let text = "Ten lines in Acme's backend, with the secret both sides share. It vouches for the person and \
                brings the key to Acme's own API.";
    let title = format!("Signed a token for {}", person.name);
    acme.stage.story.tell(Line::new(At::Acme, title, text).json("The claims", &shown));
    let url =
        format!("{}/{ORGANIZATION}/{}/auth", acme.stage.addresses.origin(Site::Gateway), system.connector);
    json(200, &json!({ "url": url, "token": token }))
}

#[derive(Deserialize)]
struct Announced {
    tenant: u64,
}

/// The page heard of a new installation. A browser can say anything, so the gateway is asked.
async fn connected(
    State(acme): State<Arc<Acme>>,
    headers: HeaderMap,
    Json(said): Json<Announced>,
) -> Response {
    let Some(person) = signed_in(&headers) else { return json(401, &json!({ "message": "sign in first" })) };
    let Some(tenant) = acme.ask_gateway(said.tenant).await else {
        return json(404, &json!({ "message": "the gateway knows no such tenant" }));
    };
    if !belongs_to(&tenant, person) {
        return json(403, &json!({ "message": "this tenant is somebody else's" }));
    }
    acme.tenants
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(person.id)
        .or_default()
        .insert(said.tenant);
    let text = "The page had the message. Acme's backend trusts no browser: it asked the gateway's API, and \
                keeps the tenant's number.";
    let line = Line::new(At::Acme, "Heard of it, and made sure", text);
    let call = format!("GET /v1/tenants/{}\nX-API-KEY: vst_test_••••", said.tenant);
    acme.stage.story.tell(line.shows("The call", call));
    json(200, &json!({ "message": "noted" }))
}

/// Acme's own API: what the gateway checks `xti.token` with.
async fn me(State(acme): State<Arc<Acme>>, headers: HeaderMap) -> Response {
    let presented = bearer(&headers).map(|token| Plain::presented(token).hashed());
    let found = acme.tokens.iter().find(|(_, token)| presented.as_ref() == Some(&token.hashed()));
    let Some(person) = found.and_then(|(id, _)| Person::by_id(id)) else {
        return json(401, &json!({ "message": "unknown token" }));
    };
    let text = "The gateway tried the token that Acme sent along: both ends of the connection work.";
    let line = Line::new(At::Acme, "Was asked who this is", text);
    let answer = json!({ "id": person.id, "name": person.full_name, "email": person.email });
    acme.stage.story.tell(line.json("The answer", &answer));
    json(200, &answer)
}

impl Acme {
    fn claims(&self, person: Person, system: System) -> Value {
        let service = &self.stage.service;
        let token = self.tokens.get(person.id).map(Plain::reveal).unwrap_or_default();
        json!({
            "iat": service.clock.now().seconds(),
            "jti": Plain::new(&*service.chance).reveal(),
            "sub": person.email,
            "ti": {
                "udn": person.name,
                "ufn": person.full_name,
                "uem": person.email,
                "xti": {
                    "connector_name": "acme",
                    "integration_name": system.integration,
                    "token": token,
                },
            },
        })
    }

    /// The installations of a person, as the gateway's API answers now.
    async fn installed_of(&self, person: Person) -> Vec<Value> {
        let known = self.tenants.lock().unwrap_or_else(PoisonError::into_inner).get(person.id).cloned();
        let mut tenants = Vec::new();
        for id in known.unwrap_or_default() {
            tenants.extend(self.ask_gateway(id).await);
        }
        tenants
    }

    async fn ask_gateway(&self, tenant: u64) -> Option<Value> {
        let Stage { addresses, service, given, .. } = &*self.stage;
        let url = format!("{}/v1/tenants/{tenant}", addresses.origin(Site::Gateway));
        let key = SecretText::new(given.api_key.reveal());
        let request = Request::get(Url::parse(&url).ok()?).secret_header("x-api-key", key);
        let answer = service.outbound.send(request).await.ok().filter(outbound::Response::is_success)?;
        answer.json().ok()
    }
}

fn belongs_to(tenant: &Value, person: Person) -> bool {
    let users = tenant.get("connected_users").and_then(Value::as_object);
    users.is_some_and(|users| users.values().any(|user| text_at(user, "/username") == person.email))
}

fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
