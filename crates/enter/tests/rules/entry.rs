//! An entry: the code, who comes in, and where the browser goes.

use crate::people::{NOW, account, app, issuer, partner, person};
use enter::account::MEMBER;
use enter::app::{BackUrl, SignIn};
use enter::context::ServiceContext;
use enter::entry::{
    Admission, Arrival, CODE_LIFETIME_S, EntryCode, EntryRefused, Known, Live, NextUrl, Nonce, Onward, Order,
    PENDING_LIFETIME_S, Pending, PendingRequests, Question, State, TRIPS_MOST, TRIPS_WINDOW_S, Trips, Who,
    WhoRefused, admit, onward,
};
use enter::ids::{AccountId, AppId, ClientId, PartnerId, PersonId, SORTABLE, sortable};
use kernel::{Plain, SafeUrl, SeededChance, Time};

fn for_account(id: &str) -> ServiceContext {
    ServiceContext::Account(AccountId::parse(id).unwrap())
}

fn order() -> Order {
    Order {
        identity: person("P1", "anna", None).identity,
        email: None,
        app: AppId::parse("MP-1").unwrap(),
        context: for_account("AG-1"),
        partner_session: "s1".to_owned(),
        next_url: NextUrl::None,
        back_url: BackUrl::None,
        back_url_text: None,
        federated_identity_provider: None,
        impersonator: None,
    }
}

fn code() -> EntryCode {
    EntryCode::mint(order(), NOW, &SeededChance::new(1)).code
}

#[test]
fn an_entry_code_opens_the_door_once_and_for_sixty_seconds() {
    let (partner, app) = (partner("P1"), app("MP-1"));
    let last = Time::from_micros(NOW.plus_seconds(CODE_LIFETIME_S).micros() - 1);
    let used = code().redeem(&partner, &app, last).unwrap();
    assert_eq!(used.state, State::Redeemed { at: last });
    assert_eq!(used.redeem(&partner, &app, NOW), Err(EntryRefused::CodeUsed));
    assert_eq!(code().redeem(&partner, &app, NOW.plus_seconds(CODE_LIFETIME_S)), Err(EntryRefused::CodeLate));
}

#[test]
fn a_code_is_256_random_bits_that_are_not_kept() {
    let chance = SeededChance::new(7);
    let (first, second) = (EntryCode::mint(order(), NOW, &chance), EntryCode::mint(order(), NOW, &chance));
    assert_eq!(first.plain.reveal().len(), "vst_ec_".len() + SORTABLE + 43);
    assert_ne!(first.plain.reveal(), second.plain.reveal());
    assert!(!format!("{first:?}").contains(first.plain.reveal()));
    let text = first.plain.reveal();
    for end in 0..text.len() {
        assert_ne!(EntryCode::key(&text[..end]), first.code.hash);
    }
    assert_eq!(EntryCode::key(text), first.code.hash);
    // Older ones sort before it, so that they are found by their key when they are over.
    let later = EntryCode::mint(order(), NOW.plus_seconds(1), &chance).code.hash;
    assert!(first.code.hash < later && later.as_str() < sortable(NOW.plus_seconds(2)).as_str());
    for strange in ["", "vst_ec_", "vst_ec_ääääääää", "vst_ec_12345678", "vst_ec_' OR 1=1--xxxxxxxx"]
    {
        assert_eq!(EntryCode::key(strange), Plain::presented(strange).hashed(), "{strange}");
    }
}

#[test]
fn lesson_7_and_14_a_code_is_bound_and_what_is_switched_off_lets_nobody_in() {
    let (mut partner_one, mut app_one) = (partner("P1"), app("MP-1"));
    assert_eq!(code().redeem(&partner_one, &app("MP-2"), NOW), Err(EntryRefused::CodeOtherApp));
    assert_eq!(code().redeem(&partner("P2"), &app_one, NOW), Err(EntryRefused::CodeUnknown));
    app_one.disabled = Some(NOW);
    assert_eq!(code().redeem(&partner_one, &app_one, NOW), Err(EntryRefused::AppDisabled));
    partner_one.disabled = Some(NOW);
    assert_eq!(code().redeem(&partner_one, &app("MP-1"), NOW), Err(EntryRefused::PartnerDisabled));
}

#[test]
fn just_in_time_makes_users_and_associations_but_no_accounts() {
    let mut partner = partner("P1");
    let (own, foreign, anna) = (account("AG-1", "P1"), account("AG-1", "P2"), person("P1", "anna", None));
    let roles = ["admin".to_owned()];
    let known = |account, person, roles| Known { account, person, roles };
    let made = |create_person, create_association| Ok(Admission { create_person, create_association });
    let context = for_account("AG-1");
    assert_eq!(admit(&partner, &context, known(Some(&own), None, None)), made(true, Some(MEMBER)));
    assert_eq!(admit(&partner, &context, known(Some(&own), Some(&anna), None)), made(false, Some(MEMBER)));
    assert_eq!(admit(&partner, &context, known(Some(&own), Some(&anna), Some(&roles))), made(false, None));
    for no_account in [None, Some(&foreign)] {
        let refused = admit(&partner, &context, known(no_account, Some(&anna), Some(&roles)));
        assert_eq!(refused, Err(EntryRefused::AccountUnknown));
    }
    assert_eq!(
        admit(&partner, &for_account("AG-2"), known(Some(&own), Some(&anna), Some(&roles))),
        Err(EntryRefused::AccountUnknown)
    );
    partner.just_in_time = false;
    assert_eq!(admit(&partner, &context, known(Some(&own), None, None)), Err(EntryRefused::UserUnknown));
    assert_eq!(
        admit(&partner, &context, known(Some(&own), Some(&anna), None)),
        Err(EntryRefused::NotAssociated)
    );
    assert_eq!(admit(&partner, &context, known(Some(&own), Some(&anna), Some(&roles))), made(false, None));
}

#[test]
fn contexts_that_nobody_enters_with() {
    let partner = partner("P1");
    let nothing = Known { account: None, person: None, roles: None };
    let of = |id: &str| ServiceContext::Partner(PartnerId::parse(id).unwrap());
    assert_eq!(admit(&partner, &ServiceContext::SuperAdmin, nothing), Err(EntryRefused::ContextForbidden));
    assert_eq!(admit(&partner, &of("P2"), nothing), Err(EntryRefused::ContextForbidden));
    assert_eq!(
        admit(&partner, &of("P1"), nothing),
        Ok(Admission { create_person: true, create_association: None })
    );
}

#[test]
fn lesson_24_another_partners_user_is_nobody_here() {
    let mut partner = partner("P1");
    partner.just_in_time = false;
    let stranger = person("P2", "anna", Some("anna@x.example"));
    let known = Known { account: None, person: Some(&stranger), roles: None };
    let context = ServiceContext::Partner(partner.id.clone());
    assert_eq!(admit(&partner, &context, known), Err(EntryRefused::UserUnknown));
    let found = [stranger];
    assert_eq!(Who::one_by_email("anna@x.example", &partner, &found), Err(WhoRefused::NobodyByEmail));
}

#[test]
fn an_email_alone_identifies_exactly_one_user_or_nobody() {
    let mut partner = partner("P1");
    assert_eq!(Who::read(Some(""), Some("a@x.example"), &partner), Err(WhoRefused::EmailWithJustInTime));
    partner.just_in_time = false;
    assert_eq!(Who::read(None, None, &partner), Err(WhoRefused::Missing));
    assert_eq!(Who::read(None, Some("a@x.example"), &partner), Ok(Who::ByEmail("a@x.example".to_owned())));
    let Ok(Who::ById(id)) = Who::read(Some(" U-1 "), Some("a@x.example"), &partner) else {
        panic!("an id counts first")
    };
    assert_eq!(id.as_str(), " U-1 ", "byte for byte");
    assert!(Who::read(Some("a\nb"), None, &partner).is_err());
    let found = [
        person("P1", "anna", Some("a@x.example")),
        person("P1", "berta", Some("A@x.example")),
        person("P1", "carla", Some("\u{430}@x.example")),
    ];
    assert_eq!(Who::one_by_email("a@x.example", &partner, &found).unwrap().as_str(), "anna");
    assert_eq!(Who::one_by_email("A@X.example", &partner, &found), Err(WhoRefused::NobodyByEmail));
    let twice = [found[0].clone(), person("P1", "dora", Some("a@x.example"))];
    assert_eq!(Who::one_by_email("a@x.example", &partner, &twice), Err(WhoRefused::SeveralByEmail));
}

fn pending(app: &str, number: u64, since: Time) -> Pending {
    Pending {
        nonce: Nonce::new(&SeededChance::new(number)),
        app: AppId::parse(app).unwrap(),
        client: ClientId::parse("c1").unwrap(),
        query: format!("n={number}"),
        since,
    }
}

#[test]
fn eight_requests_wait_per_browser_and_a_quarter_of_an_hour() {
    let mut list = PendingRequests::default();
    for number in 0..10 {
        list = list.with(pending("MP-1", number, NOW), NOW);
    }
    let app = AppId::parse("MP-1").unwrap();
    assert_eq!(list.len(), 8);
    assert_eq!(list.find(&pending("MP-1", 1, NOW).nonce, &app), None);
    assert_eq!(list.youngest(&app).unwrap().query, "n=9");
    let nine = pending("MP-1", 9, NOW).nonce;
    assert_eq!(list.find(&nine, &AppId::parse("MP-2").unwrap()), None, "another app's");
    assert_eq!(list.clone().without(&nine).find(&nine, &app), None);
    let read: PendingRequests = serde_json::from_str(&serde_json::to_string(&list).unwrap()).unwrap();
    assert_eq!(read, list);
    assert!(list.at(NOW.plus_seconds(PENDING_LIFETIME_S)).is_empty());
}

#[test]
fn a_page_may_have_a_fragment_that_takes_no_part_in_the_comparison() {
    let (app, issuer) = (app("MP-1"), issuer());
    let page = |text: &str| NextUrl::read(Some(text), &issuer, &app);
    for good in ["#/orders/7?tab=a%20b", "#", "#!/x", "#a=(b),c;d:e@f'g*h~i_j-k.l&m+n$o", "?x=1#y"] {
        let text = format!("https://app.example.com/x{good}");
        assert_eq!(page(&text).unwrap().page().unwrap().as_str(), text);
    }
    for bad in [
        "#a b", "#<x>", "#x\"y", "#a#b", "#a%2", "#a%zz", "#%", "#ä", "#a\\b", "#a\tb", "#{x}", "#`", "#a|b",
        "#[x]",
    ] {
        assert!(page(&format!("https://app.example.com/x{bad}")).is_err(), "{bad}");
    }
    for foreign in [
        "https://evil.example/#https://app.example.com/x",
        "https://evil.example#@app.example.com/",
        "#https://app.example.com/",
        "https://#app.example.com/x",
    ] {
        assert!(page(foreign).is_err(), "{foreign}");
    }
}

#[test]
fn the_nonce_travels_in_the_next_url() {
    let (app, issuer) = (app("MP-1"), issuer());
    let nonce = Nonce::new(&SeededChance::new(1));
    let text = NextUrl::for_pending(&issuer, &nonce);
    assert!(text.starts_with("https://gateway.example/enter/continue?pending="));
    assert_eq!(NextUrl::read(Some(&text), &issuer, &app), Ok(NextUrl::Pending(nonce)));
    assert_eq!(NextUrl::read(Some(""), &issuer, &app), Ok(NextUrl::None));
    assert_eq!(NextUrl::read(None, &issuer, &app), Ok(NextUrl::None));
    assert!(matches!(NextUrl::read(Some("https://app.example.com/x"), &issuer, &app), Ok(NextUrl::Page(_))));
    for end in "https://gateway.example/".len()..text.len() {
        assert!(NextUrl::read(Some(&text[..end]), &issuer, &app).is_err(), "{}", &text[..end]);
    }
    assert!(NextUrl::read(Some(&format!("{text}&x=1")), &issuer, &app).is_err());
    assert!(NextUrl::read(Some("https://evil.example/"), &issuer, &app).is_err());
}

struct Scene {
    next_url: NextUrl,
    live: Option<PersonId>,
    pending: PendingRequests,
    confirmed: bool,
    sign_in: Option<SignIn>,
}

fn goes(scene: Scene) -> Onward {
    let (mut app, issuer, context) = (app("MP-1"), issuer(), for_account("AG-1"));
    if let Some(sign_in) = scene.sign_in {
        app.sign_in = sign_in;
    }
    let person = PersonId::parse("U-B").unwrap();
    let arrival = Arrival {
        person: &person,
        app: &app,
        context: &context,
        next_url: &scene.next_url,
        issuer: &issuer,
        confirmed: scene.confirmed,
    };
    onward(&arrival, Live { person: scene.live.as_ref(), pending: &scene.pending }).unwrap()
}

fn quiet() -> Scene {
    Scene {
        next_url: NextUrl::None,
        live: None,
        pending: PendingRequests::default(),
        confirmed: false,
        sign_in: None,
    }
}

#[test]
fn a_code_that_carries_the_nonce_continues_the_waiting_request() {
    let list =
        || PendingRequests::default().with(pending("MP-1", 1, NOW), NOW).with(pending("MP-1", 2, NOW), NOW);
    let first = pending("MP-1", 1, NOW);
    let by_nonce = NextUrl::Pending(first.nonce.clone());
    assert_eq!(
        goes(Scene { next_url: by_nonce.clone(), pending: list(), ..quiet() }),
        Onward::Continue(first)
    );
    // Lesson 21: another person's entry URL opened while a login is pending.
    assert_eq!(goes(Scene { pending: list(), ..quiet() }), Onward::Ask(Question::OtherRequest));
    let strange = NextUrl::Pending(Nonce::new(&SeededChance::new(99)));
    assert_eq!(
        goes(Scene { next_url: strange, pending: list(), ..quiet() }),
        Onward::Ask(Question::OtherRequest)
    );
    let confirmed = goes(Scene { pending: list(), confirmed: true, ..quiet() });
    assert_eq!(confirmed, Onward::Continue(pending("MP-1", 2, NOW)));
    let elsewhere = PendingRequests::default().with(pending("MP-2", 1, NOW), NOW);
    let on = goes(Scene { next_url: by_nonce, pending: elsewhere, confirmed: true, ..quiet() });
    assert_eq!(on, Onward::EntryUrl("https://app.example.com/enter/AG-1?a=1".to_owned()));
}

#[test]
fn lesson_21_another_living_user_is_asked() {
    let other = PersonId::parse("U-A").ok();
    let first = pending("MP-1", 1, NOW);
    let list = PendingRequests::default().with(first.clone(), NOW);
    let scene = || Scene {
        next_url: NextUrl::Pending(first.nonce.clone()),
        live: other.clone(),
        pending: list.clone(),
        ..quiet()
    };
    assert_eq!(goes(scene()), Onward::Ask(Question::OtherUser));
    assert_eq!(goes(Scene { confirmed: true, ..scene() }), Onward::Continue(first.clone()));
    assert_eq!(goes(Scene { live: PersonId::parse("U-B").ok(), ..scene() }), Onward::Continue(first.clone()));
}

#[test]
fn without_a_waiting_request_the_app_begins_its_own_login() {
    let uri = SafeUrl::parse("https://app.example.com/login?k=v").unwrap();
    let initiate = || Some(SignIn::OpenIdConnect { initiate_login_uri: Some(uri.clone()) });
    let page = || NextUrl::Page(app("MP-1").own_page("https://app.example.com/r?x=1").unwrap());
    assert_eq!(
        goes(Scene { sign_in: initiate(), next_url: page(), ..quiet() }),
        Onward::InitiateLogin(
            "https://app.example.com/login?k=v&iss=https%3A%2F%2Fgateway.example&login_hint=U-B&target_link_uri=https%3A%2F%2Fapp.example.com%2Fr%3Fx%3D1".to_owned()
        )
    );
    let Onward::InitiateLogin(bare) = goes(Scene { sign_in: initiate(), ..quiet() }) else {
        panic!("begins a login")
    };
    assert!(bare.ends_with("target_link_uri=https%3A%2F%2Fapp.example.com%2Fenter%2FAG-1%3Fa%3D1"), "{bare}");
    assert_eq!(
        goes(Scene { next_url: page(), ..quiet() }),
        Onward::EntryUrl(
            "https://app.example.com/enter/AG-1?a=1&nextUrl=https%3A%2F%2Fapp.example.com%2Fr%3Fx%3D1"
                .to_owned()
        )
    );
    let older = goes(Scene { sign_in: Some(SignIn::SessionUrl(uri.clone())), next_url: page(), ..quiet() });
    assert!(matches!(older, Onward::OlderKind { session_url, next_url: Some(_), .. } if session_url == uri));
}

#[test]
fn a_loop_of_redirects_is_cut_and_a_slow_person_is_not() {
    let (one, two) = (AppId::parse("MP-1").unwrap(), AppId::parse("MP-2").unwrap());
    let mut trips = Trips::default();
    for second in 0..TRIPS_MOST {
        trips = trips.another(&one, NOW.plus_seconds(i64::try_from(second).unwrap())).unwrap();
    }
    let soon = NOW.plus_seconds(10);
    assert_eq!(trips.clone().another(&one, soon), Err(EntryRefused::RedirectLoop));
    assert!(trips.clone().another(&two, soon).is_ok());
    assert!(trips.clone().arrived(&one).another(&one, soon).is_ok());
    assert!(trips.another(&one, NOW.plus_seconds(TRIPS_WINDOW_S)).is_ok());
}
