//! Beacon: an app of the marketplace, for invoices. It has no users of its own; it is a plain client of OpenID
//! Connect, and everything that it knows of a person came in an ID token and from user-info.

mod login;

use super::Stage;
use super::sites::{Links, Site, cookie, json as json_answer, page, redirect_with_cookie, with_files};
use super::story::{At, Line, Milestone};
use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use kernel::Plain;
use login::{Back, Begun, Claims};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The app's id at the gateway.
pub(crate) const APP: &str = "MP-BEACON";
const SESSION: &str = "beacon_session";
const LOGIN: &str = "beacon_login";

/// Someone who is signed in here.
#[derive(Debug, Clone)]
struct Guest {
    claims: Claims,
    id_token: String,
}

struct Invoice {
    number: &'static str,
    to: &'static str,
    sum: &'static str,
    paid: bool,
}

#[derive(Template)]
#[template(path = "demo/beacon.html")]
struct InvoicesPage {
    links: Links,
    guest: Guest,
    account_name: String,
    invoices: [Invoice; 3],
}

#[derive(Template)]
#[template(path = "demo/beacon_out.html")]
struct OutPage {
    links: Links,
    title: &'static str,
    text: String,
}

#[derive(Debug, Default)]
struct Memory {
    /// Logins that have begun, by `state`.
    begun: BTreeMap<String, Begun>,
    guests: BTreeMap<String, Guest>,
}

#[derive(Debug)]
pub(super) struct Beacon {
    stage: Arc<Stage>,
    memory: Mutex<Memory>,
}

pub(crate) fn router(stage: Arc<Stage>) -> axum::Router {
    with_files(axum::Router::new())
        .route("/", get(home))
        .route("/accounts/{account}", get(invoices))
        .route("/login", get(initiate))
        .route("/callback", get(callback))
        .route("/logout", post(sign_out))
        .route("/signed-out", get(signed_out))
        .route("/backchannel-logout", post(backchannel))
        .with_state(Arc::new(Beacon { stage, memory: Mutex::default() }))
}

async fn home(State(beacon): State<Arc<Beacon>>) -> Response {
    let text = "Beacon has no sign-in of its own. Come in from Meridian, where you are known.".to_owned();
    beacon.out(200, "Invoices that write themselves", text)
}

async fn invoices(
    State(beacon): State<Arc<Beacon>>,
    headers: HeaderMap,
    Path(account): Path<String>,
) -> Response {
    match beacon.guest(&headers) {
        Some(guest) if guest.claims.account == account => beacon.show(guest),
        _ => beacon.begin(&account, None),
    }
}

/// A login that somebody else began (OpenID Connect Core, section 4).
#[derive(Debug, Deserialize)]
struct Initiated {
    iss: String,
    login_hint: Option<String>,
    target_link_uri: Option<String>,
}

async fn initiate(State(beacon): State<Arc<Beacon>>, Query(asked): Query<Initiated>) -> Response {
    if asked.iss != beacon.issuer() {
        return beacon.out(400, "Not a door of ours", "This link names another gateway.".to_owned());
    }
    // Only a page of our own is gone on to, and of it only which account it names.
    let own = format!("{}/accounts/", beacon.stage.addresses.origin(Site::Beacon));
    let account = asked.target_link_uri.as_deref().and_then(|uri| uri.strip_prefix(&own));
    match account.and_then(|rest| rest.split(['?', '/', '#']).next()).filter(|account| !account.is_empty()) {
        Some(account) => beacon.begin(account, asked.login_hint.as_deref()),
        None => Redirect::to("/").into_response(),
    }
}

async fn callback(
    State(beacon): State<Arc<Beacon>>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Response {
    let begun = cookie(&headers, LOGIN).filter(|state| Some(state) == back.state.as_ref());
    let begun = begun.and_then(|state| beacon.memory().begun.remove(&state));
    let Some(begun) = begun else {
        return beacon.out(
            400,
            "This sign-in was not begun here",
            "Open the app from Meridian once more.".to_owned(),
        );
    };
    match beacon.finish(&begun, &back).await {
        Ok(guest) => {
            let session = Plain::new(&*beacon.stage.service.chance).reveal().to_owned();
            let to = format!("/accounts/{}", begun.account);
            let name = guest.claims.name.clone();
            let facts = json!({
                "sub": guest.claims.sub, "name": name, "account_id": guest.claims.account,
                "roles": guest.claims.roles, "partner_id": guest.claims.partner, "back_url": guest.claims.back_url,
            });
            let text = "Signature, issuer, audience and nonce of the ID token fit. Beacon never saw a password, and \
                        Meridian never saw Beacon.";
            let line = Line::new(At::Beacon, format!("{name} is in"), text).reaches(Milestone::Entered);
            beacon.stage.story.tell(line.json("What Beacon was told", &facts));
            beacon.memory().guests.insert(session.clone(), guest);
            redirect_with_cookie(&to, SESSION, &session)
        }
        Err(why) => {
            beacon.stage.story.tell(Line::new(At::Beacon, "Signed nobody in", why.clone()).bad());
            beacon.out(502, "The sign-in did not succeed", why)
        }
    }
}

async fn sign_out(State(beacon): State<Arc<Beacon>>, headers: HeaderMap) -> Response {
    let session = cookie(&headers, SESSION).unwrap_or_default();
    let guest = beacon.memory().guests.remove(&session);
    let to = guest.map_or_else(|| "/".to_owned(), |guest| beacon.logout_url(&guest.id_token));
    redirect_with_cookie(&to, SESSION, "")
}

async fn signed_out(State(beacon): State<Arc<Beacon>>) -> Response {
    beacon.out(
        200,
        "You are signed out",
        "Here, at the gateway, and in every app you entered from there.".to_owned(),
    )
}

#[derive(Debug, Deserialize)]
struct Told {
    logout_token: String,
}

/// The gateway says that a session has ended (OpenID Connect Back-Channel Logout).
async fn backchannel(State(beacon): State<Arc<Beacon>>, Form(told): Form<Told>) -> Response {
    match beacon.ended_session(&told.logout_token).await {
        Ok(sid) => {
            let mut memory = beacon.memory();
            let before = memory.guests.len();
            memory.guests.retain(|_, guest| guest.claims.sid != sid);
            let ended = before.saturating_sub(memory.guests.len());
            drop(memory);
            let text =
                "The gateway sent a signed logout token straight to Beacon's backend; no browser was needed.";
            let line = Line::new(
                At::Beacon,
                if ended == 0 { "Had no such session" } else { "Ended its own session" },
                text,
            )
            .reaches(Milestone::Left);
            beacon.stage.story.tell(line);
            json_answer(200, &json!({}))
        }
        Err(why) => {
            beacon.stage.story.tell(Line::new(At::Beacon, "Did not believe a logout", why.clone()).bad());
            json_answer(400, &json!({ "error": "invalid_request", "error_description": why }))
        }
    }
}

impl Beacon {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guest(&self, headers: &HeaderMap) -> Option<Guest> {
        let session = cookie(headers, SESSION)?;
        self.memory().guests.get(&session).cloned()
    }

    fn show(&self, guest: Guest) -> Response {
        let known =
            super::meridian::BUSINESSES.iter().find(|business| business.account == guest.claims.account);
        let account_name =
            known.map_or_else(|| guest.claims.account.clone(), |business| business.name.to_owned());
        let invoices = [
            Invoice { number: "2026-041", to: "Hotel Miramar", sum: "418.00 €", paid: true },
            Invoice { number: "2026-042", to: "Café Central", sum: "96.50 €", paid: false },
            Invoice { number: "2026-043", to: "School on the Hill", sum: "1,240.00 €", paid: false },
        ];
        page(
            self.stage.addresses,
            200,
            &InvoicesPage { links: self.stage.links(), guest, account_name, invoices },
        )
    }

    fn out(&self, status: u16, title: &'static str, text: String) -> Response {
        page(self.stage.addresses, status, &OutPage { links: self.stage.links(), title, text })
    }
}
