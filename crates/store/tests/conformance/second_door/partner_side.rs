//! Entry codes, used assertions, the end of sessions and the notices of it.

use super::partner_user;
use crate::on_both;
use crate::world::{NOW, SANDBOX, World, hashed};
use enter::account::{Association, Identity, Person};
use enter::app::{App, BackUrl, SignIn};
use enter::context::ServiceContext;
use enter::domain::{PageUrl, ReturnUrl};
use enter::entry::{EntryCode, NextUrl, Nonce, Order, State};
use enter::ids::{AccountId, GrantId, PartnerId, SessionId, sortable};
use enter::notice::{After, EndedSession, LEASE_S, Listener, LogoutNotice};
use enter::oidc::{AuthorizationCode, Client, CodeState, Grant};
use enter::partner::Partner;
use enter::session::{Session, SessionApp, SessionDetail};
use kernel::{Environment, Hashed, SafeUrl};
use serde_json::json;
use store::logout_notices::{Due, Ending, Withdrawn};
use store::*;

on_both!(
    entry_codes_are_kept_as_they_were_ordered,
    a_code_is_kept_for_a_caller_who_still_may,
    one_of_many_enters_at_a_stroke,
    an_arrival_is_told_part_by_part,
    an_entry_code_is_redeemed_by_one_of_many,
    old_entry_codes_go,
    an_assertion_is_used_by_one_of_many,
    a_session_ends_once_and_takes_its_grants_with_it,
    sessions_of_another_partner_do_not_end,
    those_who_took_part_are_to_be_told,
    those_who_hold_what_is_withdrawn_are_told,
    notices_are_claimed_told_and_given_up,
    a_few_notices_of_each_address_are_claimed,
    notices_go_when_they_are_over,
);

fn order(partner: &Partner, app: &App) -> Order {
    let url = |text: &str| ReturnUrl::from_stored(SafeUrl::parse(text).unwrap());
    Order {
        identity: Identity { partner: partner.id.clone(), partner_user: partner_user("ä\"1'; --") },
        email: Some("anna@example.com".to_owned()),
        app: app.id.clone(),
        context: ServiceContext::Account(AccountId::parse("AG-1").unwrap()),
        partner_session: "their session".to_owned(),
        next_url: NextUrl::Page(PageUrl::from_stored("https://app.beacon.example/x?y=1#/a")),
        back_url: BackUrl::Kept(url("https://www.meridian.example/back")),
        back_url_text: Some("Zurück".to_owned()),
        federated_identity_provider: Some("Entra".to_owned()),
        impersonator: Some(partner_user("agent")),
    }
}

fn code(order: Order, secret: &str) -> EntryCode {
    EntryCode { hash: hashed(secret), order, issued: NOW, state: State::Issued }
}

async fn insert_code(world: &World, code: &EntryCode) {
    let new = code.clone();
    let by = entry_codes::MadeBy::default();
    assert!(entry_codes::insert(&world.db, SANDBOX, &new, &by).await.unwrap());
}

async fn a_code_is_kept_for_a_caller_who_still_may(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.new_app(&partner.organization, "MP-1");
    let at = read!(world, |tx| revision::read(tx));
    let keep = async |secret: &str, revision: Option<i64>, jti: &str| {
        let by = entry_codes::MadeBy { revision, jti: jti.to_owned() };
        entry_codes::insert(&world.db, SANDBOX, &code(order(&partner, &app), secret), &by).await.unwrap()
    };
    assert!(keep("a", Some(at), "j").await && keep("b", None, "j").await);
    assert!(!keep("c", Some(at - 1), "j").await);
    write!(world, |tx| revoked_tokens::insert(tx, "j", NOW));
    assert!(!keep("d", Some(at), "j").await && !keep("e", None, "j").await, "the token was revoked");
    assert!(keep("f", Some(at), "k").await);
    world
        .write(|tx| Box::pin(async move { sql("UPDATE service_keys SET disabled_at = 1").execute(tx).await }))
        .await;
    assert!(!keep("g", Some(at), "k").await && keep("h", Some(at + 1), "k").await);
}

/// A session that nobody has opened yet.
fn opened(person: &Person, name: &str) -> Session {
    let detail: SessionDetail =
        serde_json::from_value(json!({ "acr": "a", "amr": ["fed"], "navbar": "n" })).unwrap();
    Session {
        id: SessionId::parse(name).unwrap(),
        secret: hashed(name),
        partner: person.identity.partner.clone(),
        person: person.id.clone(),
        partner_session: "theirs".to_owned(),
        authenticated: NOW,
        detail,
        created: NOW,
        touched: NOW,
        expires: NOW.plus_seconds(3600),
        ended: None,
    }
}

async fn one_of_many_enters_at_a_stroke(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.new_app(&partner.organization, "MP-1");
    let person = world.new_person(&partner, "anna");
    let (new, of) = (person.clone(), app.clone());
    write!(world, |tx| async {
        assert!(apps::insert(tx, &of, NOW).await?);
        assert!(people::insert_if_new(tx, &new, NOW).await?);
        Ok(())
    });
    let at = read!(world, |tx| revision::read(tx));
    let first = code(order(&partner, &app), "first");
    insert_code(&world, &first).await;
    let (world, first) = (&world, &first);
    let enter = async |name: String, code: Hashed, environment, revision: i64| {
        let session = opened(&person, &name);
        let entry = SessionApp::of(&session.id, &first.order, NOW);
        let new =
            entry_codes::FreshEntry { environment, code: &code, session: &session, entry: &entry, revision };
        entry_codes::enter(&world.db, &new).await.unwrap()
    };
    assert!(!enter("S-x".to_owned(), first.hash.clone(), SANDBOX, at - 1).await, "something has changed");
    assert!(!enter("S-y".to_owned(), first.hash.clone(), Environment::Production, at).await);
    assert!(!enter("S-z".to_owned(), hashed("other"), SANDBOX, at).await);
    let all = (0..60).map(|one| enter(format!("S-{one}"), first.hash.clone(), SANDBOX, at));
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.iter().filter(|won| **won).count(), 1, "a code lets one browser in");
    let won = all.iter().position(|won| *won).unwrap();
    let count = sql("SELECT (SELECT COUNT(*) FROM sessions), (SELECT COUNT(*) FROM session_apps)");
    let mut row = world.db.maybe(count).await.unwrap().unwrap();
    assert_eq!((row.take::<i64>().unwrap(), row.take::<i64>().unwrap()), (1, 1));
    let id = SessionId::parse(&format!("S-{won}")).unwrap();
    let expected = opened(&person, id.as_str());
    let cookie = expected.secret.clone();
    assert_eq!(read!(world, |tx| sessions::by_cookie(tx, SANDBOX, &cookie)), Some(expected));
    let (kept, of) = (id.clone(), app.id.clone());
    let entry = read!(world, |tx| session_apps::find(tx, &kept, &of));
    assert_eq!(entry, Some(SessionApp::of(&id, &first.order, NOW)));
    let used = kept_code(world, SANDBOX, &first.hash).await;
    assert_eq!(used.map(|code| code.state), Some(State::Redeemed { at: NOW }));
    // Each brings its own, and they share what they can.
    for one in 0..40 {
        insert_code(world, &code(first.order.clone(), &format!("own-{one}"))).await;
    }
    let own = (0..40).map(|one| enter(format!("S-own-{one}"), hashed(&format!("own-{one}")), SANDBOX, at));
    assert!(futures_util::future::join_all(own).await.into_iter().all(|entered| entered));
}

async fn kept_code(world: &World, environment: Environment, hash: &Hashed) -> Option<EntryCode> {
    entry_codes::arrival(&world.db, environment, hash, None).await.unwrap().map(|arrived| arrived.code)
}

async fn entry_codes_are_kept_as_they_were_ordered(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let whole = order(&partner, &app);
    let nonce: Nonce = serde_json::from_value(json!("n".repeat(43))).unwrap();
    let pending = Order { next_url: NextUrl::Pending(nonce), ..whole.clone() };
    let bare = Order {
        email: None,
        context: ServiceContext::Partner(partner.id.clone()),
        partner_session: String::new(),
        next_url: NextUrl::None,
        back_url: BackUrl::None,
        back_url_text: None,
        federated_identity_provider: None,
        impersonator: None,
        ..whole.clone()
    };
    for (secret, order) in [("a", whole), ("b", pending), ("c", bare)] {
        let code = code(order, secret);
        insert_code(&world, &code).await;
        assert_eq!(kept_code(&world, SANDBOX, &code.hash).await, Some(code.clone()));
        let elsewhere = kept_code(&world, Environment::Production, &code.hash).await;
        assert_eq!(elsewhere, None, "a code of one environment is nothing in the other");
    }
    assert_eq!(kept_code(&world, SANDBOX, &hashed("d")).await, None);
}

async fn an_arrival_is_told_part_by_part(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let code = code(order(&partner, &app), "a");
    insert_code(&world, &code).await;
    let find = async |session: Option<&Hashed>| {
        entry_codes::arrival(&world.db, SANDBOX, &code.hash, session).await.unwrap().unwrap()
    };
    let bare = find(Some(&hashed("none"))).await;
    assert_eq!((&bare.partner.id, &bare.app.id), (&partner.id, &app.id));
    assert_eq!((bare.account, bare.person, bare.roles, bare.activated), (None, None, None, false));
    assert_eq!((bare.session, bare.holder, bare.holders_partner), (None, None, None));
    let account = world.account(&partner, "AG-1").await;
    let person = Person { identity: code.order.identity.clone(), ..world.new_person(&partner, "x") };
    let (new, of, roles) = (person.clone(), account.id.clone(), vec!["member".to_owned()]);
    let id = app.id.clone();
    write!(world, |tx| async {
        assert!(people::insert_if_new(tx, &new, NOW).await?);
        let association = Association { person: new.id.clone(), account: of.clone(), roles };
        assert!(associations::insert_if_new(tx, &association, NOW).await?);
        assert!(activations::insert(tx, &id, &of, NOW).await?);
        Ok(())
    });
    let client = world.client(&app, "client-1").await.client;
    let (session, _) = session(&world, &person, "s", &client).await;
    let whole = find(Some(&session.secret)).await;
    assert_eq!((whole.account, whole.roles), (Some(account), Some(vec!["member".to_owned()])));
    assert_eq!((whole.person.as_ref(), whole.holder.as_ref()), (Some(&person), Some(&person)));
    assert_eq!((whole.session, whole.activated), (Some(session), true));
    assert_eq!(whole.holders_partner, Some(whole.partner));
}

async fn an_entry_code_is_redeemed_by_one_of_many(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let code = code(order(&partner, &app), "a");
    insert_code(&world, &code).await;
    let tries = (0..40).map(|_| {
        let (db, hash) = (world.db.clone(), code.hash.clone());
        tokio::spawn(async move {
            let write = db.write(move |tx| {
                Box::pin(async move { entry_codes::mark_redeemed(tx, SANDBOX, &hash, NOW).await })
            });
            write.await.unwrap()
        })
    });
    let mut redeemed = 0;
    for one in tries.collect::<Vec<_>>() {
        redeemed += usize::from(one.await.unwrap());
    }
    assert_eq!(redeemed, 1);
    let kept = kept_code(&world, SANDBOX, &hashed("a")).await.unwrap();
    assert_eq!(kept.state, State::Redeemed { at: NOW });
}

async fn old_entry_codes_go(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    for at in 0..3 {
        let issued = NOW.plus_seconds(at);
        let hash = Hashed::from_stored(format!("{}c", sortable(issued)));
        let code = EntryCode { issued, hash, ..code(order(&partner, &app), "c") };
        insert_code(&world, &code).await;
    }
    assert_eq!(write!(world, |tx| entry_codes::delete_before(tx, NOW.plus_seconds(2), 1)), 1);
    assert_eq!(write!(world, |tx| entry_codes::delete_before(tx, NOW.plus_seconds(2), 9)), 1);
    let last = Hashed::from_stored(format!("{}c", sortable(NOW.plus_seconds(2))));
    assert!(kept_code(&world, SANDBOX, &last).await.is_some());
}

async fn an_assertion_is_used_by_one_of_many(world: World) {
    let tries = (0..40).map(|_| {
        let db = world.db.clone();
        tokio::spawn(async move {
            let write = db.write(move |tx| {
                Box::pin(async move {
                    used_assertions::insert(tx, "service_account:a", &hashed("jti"), NOW).await
                })
            });
            write.await.unwrap()
        })
    });
    let mut used = 0;
    for one in tries.collect::<Vec<_>>() {
        used += usize::from(one.await.unwrap());
    }
    assert_eq!(used, 1);
    let later = NOW.plus_seconds(60);
    assert!(
        write!(world, |tx| used_assertions::insert(tx, "client:a", &hashed("jti"), later)),
        "another principal"
    );
    assert_eq!(write!(world, |tx| used_assertions::delete_over(tx, NOW.plus_seconds(1), 9)), 1);
    assert!(!write!(world, |tx| used_assertions::insert(tx, "client:a", &hashed("jti"), later)));
}

/// A session of `person`, with a grant of `client` in it.
async fn session(world: &World, person: &Person, name: &str, client: &Client) -> (Session, Grant) {
    let detail: SessionDetail =
        serde_json::from_value(json!({ "acr": "a", "amr": [], "navbar": "n".repeat(43) })).unwrap();
    let session = Session {
        id: SessionId::new(NOW, &world.chance),
        secret: hashed(&format!("{name}:{}", person.id)),
        partner: person.identity.partner.clone(),
        person: person.id.clone(),
        partner_session: name.to_owned(),
        authenticated: NOW,
        detail,
        created: NOW,
        touched: NOW,
        expires: NOW.plus_seconds(3600),
        ended: None,
    };
    let grant = Grant {
        id: GrantId::new(NOW, &world.chance),
        client: client.id.clone(),
        person: person.id.clone(),
        session: session.id.clone(),
        account: None,
        scopes: vec!["openid".to_owned()],
        claims: None,
        created: NOW,
        expires: NOW.plus_seconds(3600),
        revoked: None,
    };
    let code = AuthorizationCode {
        hash: hashed("code"),
        client: grant.client.clone(),
        grant: grant.id.clone(),
        redirect_uri: "https://app.example/cb".to_owned(),
        challenge: None,
        nonce: None,
        scopes: grant.scopes.clone(),
        issued: NOW,
        state: CodeState::Issued,
    };
    let (new, granted) = (session.clone(), grant.clone());
    write!(world, |tx| async {
        sessions::insert(tx, SANDBOX, &new).await?;
        grants::insert(tx, &granted, &code).await
    });
    (session, grant)
}

async fn end(world: &World, which: Ending) -> Vec<SessionId> {
    let ended = write!(world, |tx| logout_notices::end_sessions(tx, SANDBOX, &which, NOW));
    ended.into_iter().map(|ended| ended.session).collect()
}

async fn a_session_ends_once_and_takes_its_grants_with_it(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let client = world.client(&app, "client-1").await.client;
    let (anna, berta) = (world.person(&partner, "anna").await, world.person(&partner, "berta").await);
    let (first, grant) = session(&world, &anna, "one", &client).await;
    let (second, _) = session(&world, &anna, "two", &client).await;
    let (third, theirs) = session(&world, &berta, "one", &client).await;
    let production = Ending::One(first.id.clone());
    let ended =
        write!(world, |tx| logout_notices::end_sessions(tx, Environment::Production, &production, NOW));
    assert!(ended.is_empty());
    assert_eq!(end(&world, Ending::One(first.id.clone())).await, std::slice::from_ref(&first.id));
    assert!(end(&world, Ending::One(first.id)).await.is_empty(), "once");
    for (grant, revoked) in [(grant, Some(NOW)), (theirs, None)] {
        let (_, rests) = standings::of_code(&world.db, SANDBOX, &grant.id).await.unwrap().unwrap();
        assert_eq!(rests.grant.revoked, revoked);
    }
    let all = Ending::Person { partner: partner.id.clone(), person: anna.id.clone() };
    assert_eq!(end(&world, all.clone()).await, [second.id]);
    assert!(end(&world, all).await.is_empty());
    let named = Ending::PartnerSession { partner: partner.id, session: "one".to_owned() };
    assert_eq!(end(&world, named).await, [third.id]);
}

async fn sessions_of_another_partner_do_not_end(world: World) {
    let (partner, other) = (world.partner("PT-1").await, world.partner("PT-2").await);
    let app = world.app(&partner.organization, "MP-1").await;
    let client = world.client(&app, "client-1").await.client;
    let anna = world.person(&partner, "anna").await;
    let (session, _) = session(&world, &anna, "one", &client).await;
    let of =
        |partner: &PartnerId| Ending::PartnerSession { partner: partner.clone(), session: "one".to_owned() };
    assert!(end(&world, of(&other.id)).await.is_empty());
    let foreign = Ending::Person { partner: other.id.clone(), person: anna.id.clone() };
    assert!(end(&world, foreign).await.is_empty());
    assert_eq!(end(&world, of(&partner.id)).await, [session.id]);
}

async fn those_who_took_part_are_to_be_told(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let mut older = world.new_app(&partner.organization, "MP-2");
    older.sign_in = SignIn::SessionUrl(SafeUrl::parse("https://app.beacon.example/session").unwrap());
    let row = older.clone();
    assert!(write!(world, |tx| apps::insert(tx, &row, NOW)));
    let (client, bystander) =
        (world.client(&app, "client-1").await.client, world.client(&app, "client-2").await.client);
    let anna = world.person(&partner, "anna").await;
    let (session, _) = session(&world, &anna, "one", &client).await;
    for app in [&app, &older] {
        let entered = SessionApp {
            session: session.id.clone(),
            app: app.id.clone(),
            context: ServiceContext::Partner(partner.id.clone()),
            back_url: None,
            back_url_text: None,
            entered: NOW,
        };
        write!(world, |tx| session_apps::upsert(tx, &entered));
    }
    let told = read!(world, |tx| logout_notices::to_tell(tx, &session.id));
    let uri = |text: &str| SafeUrl::parse(text).unwrap();
    assert_eq!(
        told,
        [
            (Listener::Client(client.id), uri("https://app.beacon.example/backchannel")),
            (Listener::App(older.id), uri("https://app.beacon.example/logout")),
        ],
        "not {}, which took no part, and not the app by its client's address",
        bystander.id
    );
}

async fn those_who_hold_what_is_withdrawn_are_told(world: World) {
    let (partner, other) = (world.partner("PT-1").await, world.partner("PT-2").await);
    let account = world.account(&partner, "AG-1").await.id;
    let (app, second) =
        (world.app(&partner.organization, "MP-1").await, world.app(&partner.organization, "MP-2").await);
    let (client, bystander) =
        (world.client(&app, "client-1").await.client, world.client(&second, "client-2").await.client);
    let (anna, ben) = (world.person(&partner, "anna").await, world.person(&other, "ben").await);
    let (held, grant) = session(&world, &anna, "one", &client).await;
    session(&world, &ben, "two", &bystander).await;
    let (id, of) = (grant.id.clone(), account.clone());
    let for_account = sql("UPDATE grants SET account_id = $2 WHERE id = $1").bind(&id).bind(&of);
    assert!(world.write(move |tx| Box::pin(for_account.wrote(tx))).await);
    let told = async |which: Withdrawn| {
        let found = read!(world, |tx| logout_notices::holders(tx, SANDBOX, &which, NOW));
        found.into_iter().map(|(ended, listener, _)| (ended.session, listener)).collect::<Vec<_>>()
    };
    let first = [(held.id.clone(), Listener::Client(client.id.clone()))];
    assert_eq!(told(Withdrawn::Account(account.clone())).await, first);
    assert_eq!(told(Withdrawn::App(app.id.clone())).await, first);
    assert_eq!(told(Withdrawn::Activation(app.id.clone(), account.clone())).await, first);
    assert!(told(Withdrawn::Activation(second.id.clone(), account.clone())).await.is_empty());
    assert_eq!(told(Withdrawn::App(second.id.clone())).await.len(), 1, "the other partner's user");
    assert!(told(Withdrawn::Account(AccountId::parse("AG-2").unwrap())).await.is_empty());
    let which = Ending::Partner(partner.id.clone());
    assert_eq!(end(&world, which).await, std::slice::from_ref(&held.id), "of this partner alone");
    assert!(told(Withdrawn::Account(account)).await.is_empty(), "a session that has ended");
}

/// A notice to this address, due at once.
async fn notice(world: &World, session: &Session, client: &Client, uri: &str) -> LogoutNotice {
    let (listener, uri) = (Listener::Client(client.id.clone()), SafeUrl::parse(uri).unwrap());
    let Session { id, person, partner, .. } = session.clone();
    let notice = LogoutNotice::new(id.clone(), listener, uri, NOW, &world.chance);
    let (new, ended) = (notice.clone(), EndedSession { session: id, person, partner });
    write!(world, |tx| logout_notices::insert(tx, SANDBOX, &ended, &new));
    notice
}

async fn claim(world: &World, seconds: i64) -> Vec<Due> {
    let now = NOW.plus_seconds(seconds);
    write!(world, |tx| logout_notices::claim(tx, now, now.plus_seconds(LEASE_S), 64))
}

async fn notices_are_claimed_told_and_given_up(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let client = world.client(&app, "client-1").await.client;
    let anna = world.person(&partner, "anna").await;
    let (session, _) = session(&world, &anna, "one", &client).await;
    assert!(!read!(world, |tx| logout_notices::is_due(tx, NOW)));
    let made = notice(&world, &session, &client, "https://app.beacon.example/backchannel").await;
    let of = session.id.clone();
    assert_eq!(read!(world, |tx| logout_notices::of_session(tx, &of)), std::slice::from_ref(&made));
    assert!(read!(world, |tx| logout_notices::is_due(tx, NOW)));
    let [due] = claim(&world, 0).await.try_into().unwrap();
    assert_eq!(due.notice.attempts, 1);
    assert_eq!(due.notice.next, Some(NOW.plus_seconds(LEASE_S)));
    assert_eq!(
        (&due.ended.session, &due.ended.person, &due.ended.partner),
        (&session.id, &anna.id, &partner.id)
    );
    assert_eq!((due.environment, due.algorithm), (SANDBOX, Some(client.id_token_algorithm)));
    assert_eq!(due.organization, app.organization);
    assert!(claim(&world, 0).await.is_empty(), "it is somebody's");

    let [again] = claim(&world, LEASE_S).await.try_into().unwrap();
    assert_eq!(again.notice.attempts, 2, "the lease was over");
    let late = due.notice.clone();
    assert!(
        !write!(world, |tx| logout_notices::save(tx, &late, After::Told, None, NOW)),
        "it is another's now"
    );
    let (tried, next) = (again.notice.clone(), NOW.plus_seconds(500));
    assert!(write!(world, |tx| logout_notices::save(tx, &tried, After::Again(next), Some("503"), NOW)));
    assert!(claim(&world, 499).await.is_empty());
    let [third] = claim(&world, 500).await.try_into().unwrap();
    assert_eq!((third.notice.attempts, third.notice.failure.as_deref()), (3, Some("503")));
    let told = third.notice;
    assert!(write!(world, |tx| logout_notices::save(tx, &told, After::Told, None, NOW)));
    let of = session.id.clone();
    let kept = read!(world, |tx| logout_notices::of_session(tx, &of)).remove(0);
    assert_eq!((kept.next, kept.told, kept.failure), (None, Some(NOW), None));

    notice(&world, &session, &client, "https://app.beacon.example/backchannel").await;
    let [due] = claim(&world, 0).await.try_into().unwrap();
    assert!(write!(world, |tx| logout_notices::save(tx, &due.notice, After::GivenUp, Some("gone"), NOW)));
    assert!(claim(&world, 1_000_000).await.is_empty());
}

async fn a_few_notices_of_each_address_are_claimed(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let client = world.client(&app, "client-1").await.client;
    let anna = world.person(&partner, "anna").await;
    let (session, _) = session(&world, &anna, "one", &client).await;
    for _ in 0..20 {
        notice(&world, &session, &client, "https://slow.example/").await;
    }
    notice(&world, &session, &client, "https://quick.example/").await;
    let claimed = claim(&world, 0).await;
    let of = |host: &str| claimed.iter().filter(|due| due.notice.uri.as_str().contains(host)).count();
    assert_eq!((of("slow"), of("quick")), (8, 1));
    assert_eq!(claim(&world, 0).await.len(), 8);
}

async fn notices_go_when_they_are_over(world: World) {
    let partner = world.partner("PT-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let client = world.client(&app, "client-1").await.client;
    let anna = world.person(&partner, "anna").await;
    let (session, _) = session(&world, &anna, "one", &client).await;
    notice(&world, &session, &client, "https://a.example/").await;
    notice(&world, &session, &client, "https://b.example/").await;
    let [first, _] = claim(&world, 0).await.try_into().unwrap();
    assert!(write!(world, |tx| logout_notices::save(tx, &first.notice, After::Told, None, NOW)));
    let later = NOW.plus_seconds(9);
    assert_eq!(
        write!(world, |tx| logout_notices::delete_over(tx, later, 9)),
        1,
        "the other one is still to be told"
    );
}
