//! Meridian, a bank for small businesses: the partner, whose users enter apps of the marketplace without another
//! sign-in. It knows its users and their businesses; the gateway learns of a user when one first comes.

mod backend;
mod transfer;

use super::Stage;
use super::sites::{Links, Site, cookie, page, redirect_with_cookie, with_files};
use super::story::{At, Line, Milestone};
use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use backend::AccessToken;
use kernel::Plain;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The partner's id at the gateway.
pub(crate) const PARTNER: &str = "meridian";
const COOKIE: &str = "meridian_session";
/// What the page "how we did it" shows.
const TRANSFER: &str = include_str!("transfer.rs");

/// A business that banks with Meridian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Business {
    pub(crate) account: &'static str,
    pub(crate) name: &'static str,
    pub(crate) work: &'static str,
    pub(crate) balance: &'static str,
}

pub(crate) const BUSINESSES: [Business; 2] = [
    Business {
        account: "AG-ROSA",
        name: "Rosa's Bakery",
        work: "Bread and cake, Lisbon",
        balance: "12,480.10 €",
    },
    Business {
        account: "AG-BLUEDOOR",
        name: "Blue Door Books",
        work: "Second-hand books, Ghent",
        balance: "3,905.75 €",
    },
];

/// Someone who banks with Meridian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Person {
    /// Meridian's own id of the person: what the gateway knows them by.
    id: &'static str,
    name: &'static str,
    full_name: &'static str,
    email: &'static str,
    work: &'static str,
    accounts: &'static [&'static str],
}

const PEOPLE: [Person; 2] = [
    Person {
        id: "m-1001",
        name: "Rosa",
        full_name: "Rosa Almeida",
        email: "rosa@bakery.example",
        work: "Owner of Rosa's Bakery",
        accounts: &["AG-ROSA"],
    },
    Person {
        id: "m-1002",
        name: "Jon",
        full_name: "Jon Verbeke",
        email: "jon@bluedoor.example",
        work: "Owner of Blue Door Books, keeps the bakery's accounts",
        accounts: &["AG-BLUEDOOR", "AG-ROSA"],
    },
];

impl Person {
    fn by_id(id: &str) -> Option<Self> {
        PEOPLE.into_iter().find(|person| person.id == id)
    }

    fn may_use(self, account: &str) -> bool {
        self.accounts.contains(&account)
    }

    fn initial(&self) -> &'static str {
        self.name.get(..1).unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "demo/meridian_login.html")]
struct LoginPage {
    links: Links,
    people: [Person; 2],
    next: String,
    on_the_way: bool,
}

#[derive(Template)]
#[template(path = "demo/meridian.html")]
struct HomePage {
    links: Links,
    person: Person,
    businesses: Vec<Business>,
    transfer: &'static str,
}

#[derive(Template)]
#[template(path = "demo/meridian_no.html")]
struct NoPage {
    links: Links,
    title: &'static str,
    text: String,
}

/// Meridian's memory.
#[derive(Debug)]
pub(super) struct Meridian {
    stage: Arc<Stage>,
    /// Who is signed in, by the session's id.
    sessions: Mutex<BTreeMap<String, Person>>,
    token: tokio::sync::Mutex<Option<AccessToken>>,
}

pub(crate) fn router(stage: Arc<Stage>) -> axum::Router {
    let meridian = Meridian { stage, sessions: Mutex::default(), token: tokio::sync::Mutex::default() };
    with_files(axum::Router::new())
        .route("/", get(home))
        .route("/login", get(login_page).post(login))
        .route("/logout", post(logout))
        .route("/session-transfer", get(transfer::session_transfer))
        .with_state(Arc::new(meridian))
}

#[derive(Debug, Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Debug, Deserialize)]
struct Login {
    person: String,
    #[serde(default)]
    next: String,
}

/// Only Meridian's own endpoint is ever gone on to.
fn onwards(next: &str) -> &str {
    if next.starts_with("/session-transfer?") { next } else { "/" }
}

async fn home(State(meridian): State<Arc<Meridian>>, headers: HeaderMap) -> Response {
    let Some((person, _)) = meridian.signed_in(&headers) else {
        return Redirect::to("/login").into_response();
    };
    let businesses = BUSINESSES.into_iter().filter(|business| person.may_use(business.account)).collect();
    let shown = HomePage { links: meridian.stage.links(), person, businesses, transfer: TRANSFER };
    page(meridian.stage.addresses, 200, &shown)
}

async fn login_page(State(meridian): State<Arc<Meridian>>, Query(asked): Query<Next>) -> Response {
    let (next, on_the_way) = (onwards(&asked.next).to_owned(), onwards(&asked.next) != "/");
    page(
        meridian.stage.addresses,
        200,
        &LoginPage { links: meridian.stage.links(), people: PEOPLE, next, on_the_way },
    )
}

async fn login(State(meridian): State<Arc<Meridian>>, Form(login): Form<Login>) -> Response {
    let Some(person) = Person::by_id(&login.person) else { return Redirect::to("/login").into_response() };
    let session = Plain::new(&*meridian.stage.service.chance).reveal().to_owned();
    meridian.sessions().insert(session.clone(), person);
    let text = "At the bank, as every day. The gateway knows nothing of it.";
    let line = Line::new(At::Meridian, format!("{} signed in", person.name), text);
    meridian.stage.story.tell(line.reaches(Milestone::PortalSignedIn));
    redirect_with_cookie(onwards(&login.next), COOKIE, &session)
}

/// Ends the session here, and asks the gateway to end what grew out of it.
async fn logout(State(meridian): State<Arc<Meridian>>, headers: HeaderMap) -> Response {
    if let Some((person, session)) = meridian.signed_in(&headers) {
        meridian.sessions().remove(&session);
        let text = "And asked the gateway to end the session there as well, by the id that Meridian gave it.";
        let line = Line::new(At::Meridian, format!("{} signed out", person.name), text);
        meridian.stage.story.tell(line.shows("The call", "POST /sso.v1.IdentityProvider/Logout"));
        if let Err(why) = meridian.ask("Logout", &json!({ "session_id": session })).await {
            meridian.stage.story.tell(Line::new(At::Meridian, "The gateway did not end it", why).bad());
        }
    }
    redirect_with_cookie("/login", COOKIE, "")
}

impl Meridian {
    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Person>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signed_in(&self, headers: &HeaderMap) -> Option<(Person, String)> {
        let session = cookie(headers, COOKIE)?;
        let person = self.sessions().get(&session).copied()?;
        Some((person, session))
    }

    fn own_url(&self, path: &str) -> String {
        format!("{}{path}", self.stage.addresses.origin(Site::Meridian))
    }

    fn sign_in_first(&self, query: &str) -> Response {
        let line =
            Line::new(At::Meridian, "Asked for a sign-in first", "Whom to vouch for is not known yet.");
        self.stage.story.tell(line);
        let next: String =
            url::form_urlencoded::byte_serialize(format!("/session-transfer?{query}").as_bytes()).collect();
        Redirect::to(&format!("/login?next={next}")).into_response()
    }

    fn denied(&self, person: Person, context: &str) -> Response {
        let text =
            "Meridian's own access check. Without it, anybody who signs in there could enter any account.";
        let line = Line::new(At::Meridian, format!("Did not let {} go there", person.name), text).bad();
        self.stage.story.tell(line.shows("The context", context));
        let text = format!("{} has no business with this account at Meridian.", person.full_name);
        page(
            self.stage.addresses,
            403,
            &NoPage { links: self.stage.links(), title: "Not yours to open", text },
        )
    }

    fn failed(&self, why: &str) -> Response {
        self.stage.story.tell(Line::new(At::Meridian, "Got no way in", why).bad());
        let text = format!("The gateway gave no way in: {why}");
        page(
            self.stage.addresses,
            502,
            &NoPage { links: self.stage.links(), title: "The app did not open", text },
        )
    }
}
