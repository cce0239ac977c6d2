//! The browser's session: fixation, ends, touching, the navigation bar's address, and what rests on it.

use crate::oidc::client;
use crate::people::{NOW, app, issuer, partner, person};
use enter::account::PartnerUserId;
use enter::app::BackUrl;
use enter::context::ServiceContext;
use enter::domain::Domain;
use enter::entry::{NextUrl, Order};
use enter::ids::{AccountId, AppId, ClientId, GrantId, PersonId};
use enter::oidc::{Grant, GrantRefused, Standing};
use enter::session::{Before, Opened, Session, SessionApp, SessionLimits, TOUCH_S};
use kernel::{Plain, SeededChance, Time};
use proptest::prelude::*;

const LIMITS: SessionLimits = SessionLimits { idle_s: 3600, absolute_s: 86_400 };

pub(crate) fn order(user: &str, partner_session: &str) -> Order {
    Order {
        identity: person("P1", user, None).identity,
        email: None,
        app: AppId::parse("MP-1").unwrap(),
        context: ServiceContext::Account(AccountId::parse("AG-1").unwrap()),
        partner_session: partner_session.to_owned(),
        next_url: NextUrl::None,
        back_url: BackUrl::None,
        back_url_text: Some("Back".to_owned()),
        federated_identity_provider: None,
        impersonator: None,
    }
}

fn id(text: &str) -> PersonId {
    PersonId::parse(text).unwrap()
}

/// `seed` makes the secrets; the person is `U-{user}`.
fn open(user: &str, partner_session: &str, live: Option<&Session>, now: Time, seed: u64) -> Opened {
    let order = order(user, partner_session);
    Session::open(&order, &id(&format!("U-{user}")), live.cloned(), LIMITS, now, &SeededChance::new(seed))
}

pub(crate) fn session() -> Session {
    open("anna", "s1", None, NOW, 1).session
}

#[test]
fn lesson_19_every_entry_gives_the_browser_another_secret_and_kills_the_old_one() {
    let first = open("anna", "s1", None, NOW, 1);
    assert_eq!(first.before, Before::None);
    assert_eq!(first.cookie.hashed(), first.session.secret);
    assert!(first.cookie.reveal().starts_with("vst_se_"));
    let old = first.cookie.hashed();
    let later = NOW.plus_seconds(10);

    let again = open("anna", "s1", Some(&first.session), later, 2);
    assert_eq!(again.before, Before::Renewed);
    assert_eq!(again.session.id, first.session.id);
    assert_ne!(again.session.secret, old);
    assert_eq!((again.session.authenticated, again.session.created), (later, NOW));
    assert_eq!(again.session.detail.navbar, first.session.detail.navbar);

    let elsewhere = open("anna", "s2", Some(&first.session), later, 3);
    let Before::Left(left) = elsewhere.before else { panic!("{:?}", elsewhere.before) };
    assert_ne!(elsewhere.session.id, first.session.id);
    assert_eq!((left.id.clone(), left.ended), (first.session.id.clone(), None));
    assert!(left.secret != old && left.secret != elsewhere.session.secret);

    let other = open("bert", "s1", Some(&first.session), later, 4);
    let Before::Ended(ended) = other.before else { panic!("{:?}", other.before) };
    assert_ne!(other.session.id, first.session.id);
    assert_ne!(other.session.secret, old);
    assert!(!ended.is_live(later, LIMITS));
    assert_eq!(ended.ended, Some(later));
}

#[test]
fn an_impersonation_is_another_person() {
    let first = session();
    let mut order = order("anna", "s1");
    order.impersonator = Some(PartnerUserId::parse("boss").unwrap());
    let opened =
        Session::open(&order, &first.person, Some(first.clone()), LIMITS, NOW, &SeededChance::new(9));
    assert!(matches!(opened.before, Before::Ended(_)));
    assert_eq!(opened.session.detail.impersonator.as_ref().map(PartnerUserId::as_str), Some("boss"));
}

#[test]
fn a_dead_session_is_not_renewed() {
    let dead = [session().end(NOW), Session { expires: NOW, ..session() }];
    for old in dead {
        let opened = open("anna", "s1", Some(&old), NOW, 5);
        assert_eq!(opened.before, Before::None);
        assert_ne!(opened.session.id, old.id);
    }
}

#[test]
fn a_session_ends_by_logout_by_idleness_and_for_good() {
    let session = session();
    assert!(session.is_live(NOW.plus_seconds(3599), LIMITS));
    assert!(!session.is_live(NOW.plus_seconds(3600), LIMITS));
    let busy = Session { touched: NOW.plus_seconds(86_399), ..session.clone() };
    assert!(busy.is_live(NOW.plus_seconds(86_399), LIMITS));
    assert!(!busy.is_live(NOW.plus_seconds(86_400), LIMITS));
    let ended = session.end(NOW);
    assert!(!ended.is_live(NOW, LIMITS));
    assert_eq!(ended.end(NOW.plus_seconds(5)).ended, Some(NOW));
}

#[test]
fn what_is_stored_beside_is_read_again() {
    let detail = session().detail;
    let text = serde_json::to_string(&detail).unwrap();
    assert_eq!(serde_json::from_str::<enter::session::SessionDetail>(&text).unwrap(), detail);
    assert!(!format!("{detail:?}").contains(&text[text.find("navbar").unwrap() + 9..][..20]));
}

#[test]
fn the_navigation_bars_address_is_of_one_session_and_one_app() {
    let (one, other) = (session(), open("anna", "s1", None, NOW, 7).session);
    let (app, second) = (AppId::parse("MP-1").unwrap(), AppId::parse("MP-2").unwrap());
    let url = one.navbar_url(&issuer(), &app);
    let secret = url.rsplit('/').next().unwrap();
    assert_eq!(url, format!("https://gateway.example/navbar/data/{}/MP-1/{secret}", one.id));
    assert_eq!(secret.len(), 43);
    assert!(one.knows_navbar_secret(&app, secret));
    assert!(!one.knows_navbar_secret(&second, secret));
    assert!(!other.knows_navbar_secret(&app, secret));
    for end in 0..secret.len() {
        assert!(!one.knows_navbar_secret(&app, &secret[..end]));
    }
}

#[test]
fn an_entry_leaves_its_way_back() {
    let session = session();
    let domains = [Domain::parse("portal.partner.example").unwrap()];
    let kept = BackUrl::judge(Some("https://portal.partner.example/x"), &domains, &[]);
    let entered = SessionApp::of(&session.id, &Order { back_url: kept, ..order("anna", "s1") }, NOW);
    assert_eq!(entered.back_url.as_deref(), Some("https://portal.partner.example/x"));
    assert_eq!(entered.back_url_text.as_deref(), Some("Back"));
    for bad in ["javascript:alert(1)", "https://stranger.example/"] {
        let dropped = BackUrl::judge(Some(bad), &domains, &[]);
        let entered = SessionApp::of(&session.id, &Order { back_url: dropped, ..order("anna", "s1") }, NOW);
        assert_eq!((entered.back_url, entered.back_url_text), (None, None), "{bad}");
    }
}

pub(crate) fn grant(session: &Session, account: Option<&str>) -> Grant {
    Grant {
        id: GrantId::parse("grant-1").unwrap(),
        client: ClientId::parse("c1").unwrap(),
        person: session.person.clone(),
        session: session.id.clone(),
        account: account.map(|id| AccountId::parse(id).unwrap()),
        scopes: ["openid", "email"].map(str::to_owned).to_vec(),
        claims: None,
        created: NOW,
        expires: session.expires,
        revoked: None,
    }
}

#[test]
fn lesson_14_whatever_a_grant_rests_on_ends_it_at_once() {
    let session = session();
    let (grant, client, app, partner) =
        (grant(&session, Some("AG-1")), client("c1"), app("MP-1"), partner("P1"));
    let mut anna = person("P1", "anna", None);
    anna.id = session.person.clone();
    let roles = ["member".to_owned()];
    let good = Standing {
        grant: &grant,
        client: &client,
        app: &app,
        partner: &partner,
        person: &anna,
        session: &session,
        account_live: true,
        active: true,
        roles: Some(&roles),
    };
    // A long time without the browser is no reason.
    let later = NOW.plus_seconds(80_000);
    assert_eq!(good.check(later), Ok(()));
    assert_eq!(good.check(NOW.plus_seconds(86_400)), Err(GrantRefused::Ended));
    let off = Some(NOW);

    let revoked = Grant { revoked: off, ..grant.clone() };
    assert_eq!(Standing { grant: &revoked, ..good }.check(later), Err(GrantRefused::Ended));
    let foreign = Grant { client: ClientId::parse("c2").unwrap(), ..grant.clone() };
    assert_eq!(Standing { grant: &foreign, ..good }.check(later), Err(GrantRefused::Ended));
    let ended = session.clone().end(NOW);
    assert_eq!(Standing { session: &ended, ..good }.check(later), Err(GrantRefused::Session));
    let other = open("anna", "s1", None, NOW, 8).session;
    assert_eq!(Standing { session: &other, ..good }.check(later), Err(GrantRefused::Session));
    let no_client = enter::oidc::Client { disabled: off, ..client.clone() };
    assert_eq!(Standing { client: &no_client, ..good }.check(later), Err(GrantRefused::App));
    let no_app = enter::app::App { disabled: off, ..app.clone() };
    assert_eq!(Standing { app: &no_app, ..good }.check(later), Err(GrantRefused::App));
    let elsewhere = crate::people::app("MP-2");
    assert_eq!(Standing { app: &elsewhere, ..good }.check(later), Err(GrantRefused::App));
    let another = crate::people::partner("P2");
    assert_eq!(Standing { partner: &another, ..good }.check(later), Err(GrantRefused::Partner));
    let no_partner = enter::partner::Partner { disabled: off, ..partner.clone() };
    assert_eq!(Standing { partner: &no_partner, ..good }.check(later), Err(GrantRefused::Partner));
    let nobody = enter::account::Person { disabled: off, ..anna.clone() };
    assert_eq!(Standing { person: &nobody, ..good }.check(later), Err(GrantRefused::Person));
    let mut stranger = person("P2", "anna", None);
    stranger.id = session.person.clone();
    assert_eq!(Standing { person: &stranger, ..good }.check(later), Err(GrantRefused::Person));
    for bad in [
        Standing { account_live: false, ..good },
        Standing { active: false, ..good },
        Standing { roles: None, ..good },
    ] {
        assert_eq!(bad.check(later), Err(GrantRefused::Access));
    }
    // For the partner's own context there is no account to ask about.
    let own = Grant { account: None, ..grant.clone() };
    let own = Standing { grant: &own, account_live: false, active: false, roles: None, ..good };
    assert_eq!(own.check(later), Ok(()));
}

proptest! {
    #[test]
    fn a_session_is_written_at_most_once_a_minute(mut steps in prop::collection::vec(0i64..200, 1..50)) {
        let mut session = session();
        let (mut now, mut writes) = (NOW, Vec::new());
        steps.push(0);
        for step in steps {
            now = now.plus_seconds(step);
            if let Some(at) = session.touch(now) {
                prop_assert_eq!(at, now);
                session.touched = at;
                writes.push(at);
            }
            // What is stored is never further behind than that.
            prop_assert!(now.seconds_since(session.touched) < TOUCH_S);
        }
        prop_assert!(writes.windows(2).all(|two| two[1].seconds_since(two[0]) >= TOUCH_S));
    }

    #[test]
    fn lesson_18_no_changed_cookie_is_the_session(at in 0usize..50, byte in 0x21u8..0x7f) {
        let opened = open("anna", "s1", None, NOW, 1);
        let mut text = opened.cookie.reveal().as_bytes().to_vec();
        let at = at % text.len();
        prop_assume!(text[at] != byte);
        text[at] = byte;
        let changed = Plain::presented(String::from_utf8(text).unwrap()).hashed();
        prop_assert_ne!(changed, opened.session.secret);
    }
}
