//! Sessions and their apps, waiting requests, held entries, consents.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World, hashed};
use enter::account::Person;
use enter::context::ServiceContext;
use enter::entry::{Answers, Nonce, Pending, Waiting};
use enter::ids::{AccountId, SessionId};
use enter::oidc::consent::Consent;
use enter::session::{Session, SessionApp, SessionDetail};
use kernel::{Environment, Time};
use serde_json::json;
use store::held_entries::HeldEntry;
use store::logout_notices::{self, Ending};
use store::{DbError, consents, held_entries, pending_requests, session_apps, sessions, sql};

on_both!(
    sessions_are_found_renewed_left_and_ended,
    a_session_remembers_the_latest_entry_of_each_app,
    a_waiting_request_goes_on_once,
    a_held_entry_is_answered_once,
    consents_are_remembered_and_taken_back,
);

const LATER: Time = NOW.plus_seconds(90);

fn session(world: &World, person: &Person) -> Session {
    let detail = json!({ "acr": "a", "amr": ["fed"], "impersonator": "agent", "navbar": "n".repeat(43) });
    let detail: SessionDetail = serde_json::from_value(detail).unwrap();
    Session {
        id: SessionId::new(NOW, &world.chance),
        secret: hashed("first"),
        partner: person.identity.partner.clone(),
        person: person.id.clone(),
        partner_session: "their session".to_owned(),
        authenticated: NOW,
        detail,
        created: NOW,
        touched: NOW,
        expires: NOW.plus_seconds(3600),
        ended: None,
    }
}

async fn inserted(world: &World) -> (Person, Session) {
    let partner = world.partner("PT-1").await;
    let person = world.person(&partner, "anna").await;
    let session = session(world, &person);
    let new = session.clone();
    write!(world, |tx| sessions::insert(tx, SANDBOX, &new));
    (person, session)
}

async fn sessions_are_found_renewed_left_and_ended(world: World) {
    let (_, session) = inserted(&world).await;
    let first = hashed("first");
    assert_eq!(read!(world, |tx| sessions::by_cookie(tx, SANDBOX, &first)), Some(session.clone()));
    let first = hashed("first");
    assert_eq!(read!(world, |tx| sessions::by_cookie(tx, Environment::Production, &first)), None);

    let renewed =
        Session { secret: hashed("second"), authenticated: LATER, touched: LATER, ..session.clone() };
    let (old, new) = (hashed("first"), renewed.clone());
    assert!(write!(world, |tx| sessions::renew(tx, &old, &new)));
    let (old, new) = (hashed("first"), Session { secret: hashed("third"), ..renewed.clone() });
    assert!(!write!(world, |tx| sessions::renew(tx, &old, &new)), "the old secret is the guard");
    let second = hashed("second");
    assert_eq!(read!(world, |tx| sessions::by_cookie(tx, SANDBOX, &second)), Some(renewed.clone()));

    let id = session.id.clone();
    assert!(!write!(world, |tx| sessions::touch(tx, &id, NOW)), "never back");
    let (id, at) = (session.id.clone(), LATER.plus_seconds(60));
    assert!(write!(world, |tx| sessions::touch(tx, &id, at)));
    let (id, old, new) = (session.id.clone(), hashed("second"), hashed("left"));
    assert!(write!(world, |tx| sessions::change_secret(tx, &id, &old, &new)));
    let second = hashed("second");
    assert_eq!(read!(world, |tx| sessions::by_cookie(tx, SANDBOX, &second)), None);
    for ended in [1, 0] {
        let which = Ending::One(session.id.clone());
        let all = write!(world, |tx| logout_notices::end_sessions(tx, SANDBOX, &which, LATER));
        assert_eq!(all.len(), ended);
    }
    let (old, new) = (hashed("left"), renewed);
    assert!(!write!(world, |tx| sessions::renew(tx, &old, &new)), "what has ended stays so");
    let left = hashed("left");
    assert_eq!(read!(world, |tx| sessions::by_cookie(tx, SANDBOX, &left)).unwrap().ended, Some(LATER));
}

async fn a_session_remembers_the_latest_entry_of_each_app(world: World) {
    let (_, session) = inserted(&world).await;
    let organization = world.organization("beacon").await;
    let app = world.app(&organization, "MP-1").await;
    let first = SessionApp {
        session: session.id.clone(),
        app: app.id.clone(),
        context: ServiceContext::Partner(session.partner.clone()),
        back_url: Some("https://www.meridian.example/back".to_owned()),
        back_url_text: Some("Zurück".to_owned()),
        entered: NOW,
    };
    let second = SessionApp { back_url: None, back_url_text: None, entered: LATER, ..first.clone() };
    for entry in [first, second] {
        let new = entry.clone();
        write!(world, |tx| session_apps::upsert(tx, &new));
        let (id, app) = (session.id.clone(), app.id.clone());
        assert_eq!(read!(world, |tx| session_apps::find(tx, &id, &app)), Some(entry));
    }
}

async fn a_waiting_request_goes_on_once(world: World) {
    let (person, _) = inserted(&world).await;
    let organization = world.organization("beacon").await;
    let app = world.app(&organization, "MP-1").await;
    let client = world.client(&app, "client-1").await.client;
    let nonce = Nonce::new(&world.chance);
    let pending = Pending {
        nonce: nonce.clone(),
        app: app.id,
        client: client.id,
        query: "a=b&c=%C3%A4".to_owned(),
        since: NOW,
    };
    let mut waiting = Waiting { pending, sent: None, answers: Answers::default(), done: None };
    let new = waiting.clone();
    write!(world, |tx| pending_requests::insert(tx, SANDBOX, &new));
    let wanted = nonce.clone();
    assert_eq!(read!(world, |tx| pending_requests::find(tx, Environment::Production, &wanted)), None);
    let wanted = nonce.clone();
    assert!(write!(world, |tx| pending_requests::send(tx, &wanted, LATER)));
    waiting.sent = Some(LATER);
    waiting.answers = Answers {
        person: Some(person.id.clone()),
        context: Some(ServiceContext::Account(AccountId::parse("AG-1").unwrap())),
        consented: true,
    };
    let (wanted, who, answers) = (nonce.clone(), person.id.clone(), waiting.answers.clone());
    assert!(write!(world, |tx| pending_requests::answer(tx, &wanted, &who, &answers)));
    let wanted = nonce.clone();
    assert_eq!(read!(world, |tx| pending_requests::find(tx, SANDBOX, &wanted)), Some(waiting.clone()));
    for first in [true, false] {
        let wanted = nonce.clone();
        assert_eq!(write!(world, |tx| pending_requests::finish(tx, &wanted, LATER)), first);
    }
    let wanted = nonce.clone();
    assert!(!write!(world, |tx| pending_requests::send(tx, &wanted, LATER)), "it is done");
    let (wanted, who, answers) = (nonce, person.id, waiting.answers);
    assert!(!write!(world, |tx| pending_requests::answer(tx, &wanted, &who, &answers)));
    assert_eq!(write!(world, |tx| pending_requests::delete_before(tx, NOW, 10)), 0);
    assert_eq!(write!(world, |tx| pending_requests::delete_before(tx, LATER, 10)), 1);
}

async fn a_held_entry_is_answered_once(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let text =
        "INSERT INTO entry_codes (hash, environment, partner_id, app_id, partner_user, ordered, issued_at, redeemed_at)
        VALUES ($1, $2, $3, $4, 'anna', '{}', 0, 0)";
    let code = sql(text).bind(&hashed("code")).bind(SANDBOX).bind(&partner.id).bind(&app.id);
    world.db.execute(code).await.map_err(|error: DbError| error).unwrap();
    let held = HeldEntry {
        token: hashed("token"),
        cookie: hashed("cookie"),
        environment: SANDBOX,
        code: hashed("code"),
        since: NOW,
        answered: None,
    };
    let new = held.clone();
    write!(world, |tx| held_entries::insert(tx, &new));
    let token = hashed("token");
    assert_eq!(read!(world, |tx| held_entries::find(tx, SANDBOX, &token)), Some(held));
    let token = hashed("token");
    assert_eq!(read!(world, |tx| held_entries::find(tx, Environment::Production, &token)), None);
    for first in [true, false] {
        let token = hashed("token");
        assert_eq!(write!(world, |tx| held_entries::answer(tx, &token, LATER)), first);
    }
    assert_eq!(write!(world, |tx| held_entries::delete_before(tx, LATER, 10)), 1);
}

async fn consents_are_remembered_and_taken_back(world: World) {
    let (person, _) = inserted(&world).await;
    let organization = world.organization("beacon").await;
    let app = world.app(&organization, "MP-1").await;
    let client = world.client(&app, "client-1").await.client;
    let scopes = |list: &[&str]| list.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>();
    for list in [scopes(&["email"]), scopes(&["email", "profile"])] {
        let consent =
            Consent { person: person.id.clone(), client: client.id.clone(), scopes: list, given: NOW };
        let new = consent.clone();
        write!(world, |tx| consents::upsert(tx, &new));
        let (who, of) = (person.id.clone(), client.id.clone());
        assert_eq!(read!(world, |tx| consents::find(tx, &who, &of)), Some(consent.clone()));
        let who = person.id.clone();
        assert_eq!(read!(world, |tx| consents::of_person(tx, &who)), [consent]);
    }
    for first in [true, false] {
        let (who, of) = (person.id.clone(), client.id.clone());
        assert_eq!(write!(world, |tx| consents::remove(tx, &who, &of)), first);
    }
}
