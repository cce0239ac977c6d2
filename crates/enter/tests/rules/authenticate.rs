//! What an authorize request still needs: prompt, max_age, hints, place, access, consent.

use crate::oidc::{asked, client};
use crate::people::{NOW, account, partner, person};
use crate::session::session;
use enter::account::{Account, Person};
use enter::context::ServiceContext;
use enter::ids::{AccountId, PartnerId, PersonId};
use enter::oidc::authenticate::{Hint, Next, Place, Visit, next};
use enter::oidc::claims::Requested;
use enter::partner::Partner;
use enter::session::Session;
use kernel::Time;
use proptest::prelude::*;

/// Everything that a decision depends on, in a form that tests can change.
#[derive(Clone)]
struct Scene {
    parameters: Vec<(&'static str, String)>,
    live: Option<(Session, Person)>,
    context: Option<ServiceContext>,
    partner: Option<Partner>,
    account: Option<Account>,
    roles: Option<Vec<String>>,
    active: bool,
    chosen: bool,
    sent: Option<Time>,
    hint: Hint,
    to_consent: Vec<String>,
    consented: bool,
    now: Time,
}

/// Anna is signed in and may open the account.
fn good() -> Scene {
    let mut anna = person("P1", "anna", None);
    anna.id = session().person;
    Scene {
        parameters: vec![],
        live: Some((session(), anna)),
        context: Some(ServiceContext::Account(AccountId::parse("AG-1").unwrap())),
        partner: Some(partner("P1")),
        account: Some(account("AG-1", "P1")),
        roles: Some(vec!["member".to_owned()]),
        active: true,
        chosen: false,
        sent: None,
        hint: Hint::None,
        to_consent: vec![],
        consented: false,
        now: NOW.plus_seconds(100),
    }
}

fn with(parameters: &[(&'static str, &str)]) -> Scene {
    let parameters = parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Scene { parameters, ..good() }
}

fn decide(scene: &Scene) -> Next {
    let parameters: Vec<(&str, &str)> =
        scene.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let request = asked(&parameters, &client("c1")).unwrap();
    let requested = Requested::read(request.claims.as_ref());
    let place = scene.context.as_ref().map(|context| Place {
        context,
        partner: scene.partner.as_ref(),
        account: scene.account.as_ref(),
        roles: scene.roles.as_deref(),
        active: scene.active,
    });
    let visit = Visit {
        live: scene.live.as_ref().map(|(session, person)| (session, person)),
        place,
        chosen: scene.chosen,
        sent_to_partner: scene.sent,
        hint: &scene.hint,
        requested: &requested,
        to_consent: &scene.to_consent,
        consented: scene.consented,
        now: scene.now,
    };
    next(&request, &visit)
}

fn answers() -> Next {
    Next::Answer(ServiceContext::Account(AccountId::parse("AG-1").unwrap()))
}

fn goes() -> Next {
    Next::GoToPartner {
        partner: PartnerId::parse("P1").unwrap(),
        context: ServiceContext::Account(AccountId::parse("AG-1").unwrap()),
    }
}

fn error(next: &Next) -> &'static str {
    match next {
        Next::Error(answer) => answer.error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_with_access_is_answered_with_and_without_prompt_none() {
    assert_eq!(decide(&good()), answers());
    assert_eq!(decide(&with(&[("prompt", "none")])), answers());
}

#[test]
fn without_a_session_the_partner_is_asked_or_login_is_required() {
    let nobody = |parameters: &[(&'static str, &str)]| Scene { live: None, roles: None, ..with(parameters) };
    assert_eq!(decide(&nobody(&[])), goes());
    assert_eq!(error(&decide(&nobody(&[("prompt", "none")]))), "login_required");
    // Another partner's user is nobody here.
    let mut stranger = good();
    stranger.partner = Some(partner("P2"));
    stranger.account = Some(account("AG-1", "P2"));
    assert!(matches!(decide(&stranger), Next::GoToPartner { partner, .. } if partner.as_str() == "P2"));
}

#[test]
fn prompt_login_forces_one_trip() {
    let forced = with(&[("prompt", "login")]);
    assert_eq!(decide(&forced), goes());
    let sent = NOW.plus_seconds(50);
    // Back without a new sign-in, and back with one.
    assert_eq!(decide(&Scene { sent: Some(sent), ..forced.clone() }), goes());
    let mut back = Scene { sent: Some(sent), ..forced };
    back.live.as_mut().unwrap().0.authenticated = sent;
    assert_eq!(decide(&back), answers());
}

#[test]
fn max_age_is_the_age_of_the_partners_word() {
    for (most, fits) in [("0", false), ("1", false), ("99", false), ("100", true), ("1000", true)] {
        let scene = with(&[("max_age", most)]);
        assert_eq!(decide(&scene), if fits { answers() } else { goes() }, "{most}");
        let silent = with(&[("max_age", most), ("prompt", "none")]);
        match fits {
            true => assert_eq!(decide(&silent), answers(), "{most}"),
            false => assert_eq!(error(&decide(&silent)), "login_required", "{most}"),
        }
    }
    // `max_age=0` is never satisfied by what was there before, however young.
    assert_eq!(decide(&Scene { now: NOW, ..with(&[("max_age", "0")]) }), goes());
    assert_eq!(decide(&Scene { now: NOW, ..with(&[("max_age", "1")]) }), answers());
    // `max_age=0` is satisfied by the trip that it forced.
    let mut back = with(&[("max_age", "0")]);
    back.sent = Some(NOW.plus_seconds(90));
    back.live.as_mut().unwrap().0.authenticated = NOW.plus_seconds(95);
    assert_eq!(decide(&back), answers());
}

#[test]
fn hints_name_the_person_who_must_be_there() {
    let anna = session().person;
    let other = PersonId::parse("U-other").unwrap();
    assert_eq!(decide(&Scene { hint: Hint::Person(anna.clone()), ..good() }), answers());
    let subject = |id: &PersonId| format!(r#"{{"id_token":{{"sub":{{"value":"{id}"}}}}}}"#);
    assert_eq!(decide(&with(&[("login_hint", anna.as_str())])), answers());
    assert_eq!(decide(&with(&[("login_hint", "anna@partner.example")])), answers());
    assert_eq!(decide(&with(&[("claims", &subject(&anna))])), answers());
    let wrong: [(&[(&'static str, &str)], Hint); 5] = [
        (&[], Hint::Person(other.clone())),
        (&[], Hint::Unproven),
        (&[("login_hint", other.as_str())], Hint::None),
        (&[("claims", &subject(&other))], Hint::None),
        (&[("claims", r#"{"id_token":{"sub":{"value":7}}}"#)], Hint::None),
    ];
    for (parameters, hint) in wrong {
        let scene = Scene { hint: hint.clone(), ..with(parameters) };
        assert_eq!(decide(&scene), goes(), "{parameters:?} {hint:?}");
        let silent = [parameters, &[("prompt", "none")]].concat();
        let silent = Scene { hint: hint.clone(), ..with(&silent) };
        assert_eq!(error(&decide(&silent)), "login_required", "{parameters:?} {hint:?}");
        // Back from the partner as the wrong one: an answer, not another trip.
        let mut back = Scene { sent: Some(NOW), ..scene };
        back.live.as_mut().unwrap().0.authenticated = NOW;
        assert_eq!(error(&decide(&back)), "login_required", "{parameters:?}");
    }
}

#[test]
fn an_essential_acr_that_nobody_has_fails_the_sign_in() {
    let acr = |values: &str| format!(r#"{{"id_token":{{"acr":{{"essential":true,"values":{values}}}}}}}"#);
    assert_eq!(decide(&with(&[("claims", &acr(r#"["x","urn:vestibule:acr:partner"]"#))])), answers());
    let unmet = decide(&with(&[("claims", &acr(r#"["phr"]"#))]));
    assert_eq!(error(&unmet), "unmet_authentication_requirements");
    let voluntary = r#"{"id_token":{"acr":{"values":["phr"]}}}"#;
    assert_eq!(decide(&with(&[("claims", voluntary)])), answers());
}

#[test]
fn without_a_place_the_person_chooses_one() {
    let nowhere = |parameters: &[(&'static str, &str)]| Scene { context: None, ..with(parameters) };
    assert_eq!(decide(&nowhere(&[])), Next::ChooseAccount);
    assert_eq!(error(&decide(&nowhere(&[("prompt", "none")]))), "account_selection_required");
    let nobody = Scene { live: None, ..nowhere(&[]) };
    assert_eq!(decide(&nobody), Next::ChoosePartner);
    let nobody = Scene { live: None, ..nowhere(&[("prompt", "none")]) };
    assert_eq!(error(&decide(&nobody)), "login_required");
    let select = with(&[("prompt", "select_account")]);
    assert_eq!(decide(&select), Next::ChooseAccount);
    assert_eq!(decide(&Scene { chosen: true, ..select }), answers());
}

#[test]
fn places_that_are_not_there_are_denied_alike() {
    let mut told = Vec::new();
    let off = |mut scene: Scene| {
        scene.partner.as_mut().unwrap().disabled = Some(NOW);
        scene
    };
    let mut closed = good();
    closed.account.as_mut().unwrap().disabled = Some(NOW);
    for scene in [
        Scene { account: None, partner: None, ..good() },
        Scene { account: None, ..good() },
        Scene { account: Some(account("AG-1", "P2")), ..good() },
        Scene { account: Some(account("AG-2", "P1")), ..good() },
        Scene { context: Some(ServiceContext::SuperAdmin), ..good() },
        Scene { context: Some(ServiceContext::Partner(PartnerId::parse("P2").unwrap())), ..good() },
        off(good()),
        closed,
    ] {
        for live in [scene.live.clone(), None] {
            let answer = decide(&Scene { live, ..scene.clone() });
            assert_eq!(error(&answer), "access_denied");
            told.push(answer);
        }
    }
    assert!(told.windows(2).all(|two| two[0] == two[1]), "nobody learns which accounts there are");
    assert_eq!(error(&decide(&Scene { active: false, ..good() })), "access_denied");
}

#[test]
fn access_is_the_partners_to_give_once() {
    let without = |parameters: &[(&'static str, &str)]| Scene { roles: None, ..with(parameters) };
    assert_eq!(decide(&without(&[])), goes());
    assert_eq!(error(&decide(&without(&[("prompt", "none")]))), "interaction_required");
    let back = Scene { sent: Some(NOW), ..without(&[]) };
    assert_eq!(error(&decide(&back)), "access_denied");
    let mut fixed = without(&[]);
    fixed.partner.as_mut().unwrap().just_in_time = false;
    assert_eq!(error(&decide(&fixed)), "access_denied");
    // The partner's own context belongs to no account.
    let own = ServiceContext::Partner(PartnerId::parse("P1").unwrap());
    let own_scene = Scene { context: Some(own.clone()), account: None, active: false, ..without(&[]) };
    assert_eq!(decide(&own_scene), Next::Answer(own));
}

#[test]
fn consent_is_asked_for_once_and_last() {
    let email = vec!["email".to_owned()];
    let missing = Scene { to_consent: email.clone(), ..good() };
    assert_eq!(decide(&missing), Next::Consent(email.clone()));
    assert_eq!(decide(&Scene { consented: true, ..missing.clone() }), answers());
    assert_eq!(decide(&Scene { roles: None, ..missing }), goes());
    let silent = Scene { to_consent: email, ..with(&[("prompt", "none")]) };
    assert_eq!(error(&decide(&silent)), "consent_required");
    let again = with(&[("prompt", "consent")]);
    assert_eq!(decide(&again), Next::Consent(vec!["openid".to_owned(), "email".to_owned()]));
    assert_eq!(decide(&Scene { consented: true, ..again }), answers());
}

proptest! {
    /// OpenID Connect Core, section 3.1.2.1: no page of any kind with prompt=none.
    #[test]
    fn prompt_none_shows_nothing(
        signed_in: bool, placed: bool, associated: bool, active: bool, consent: bool, jit: bool, sent: bool,
        max_age in prop::option::of(0i64..200), foreign: bool,
    ) {
        let mut scene = with(&[("prompt", "none")]);
        if let Some(age) = max_age {
            scene.parameters.push(("max_age", age.to_string()));
        }
        if !signed_in { scene.live = None; }
        if !placed { scene.context = None; }
        if !associated { scene.roles = None; }
        if foreign { scene.partner = Some(partner("P2")); scene.account = Some(account("AG-1", "P2")); }
        scene.partner.as_mut().unwrap().just_in_time = jit;
        scene.active = active;
        scene.sent = sent.then_some(NOW);
        scene.to_consent = if consent { vec!["email".to_owned()] } else { vec![] };
        let silent = decide(&scene);
        prop_assert!(matches!(silent, Next::Answer(_) | Next::Error(_)), "{:?}", silent);
        // And nobody gets an answer who lacks any of it.
        let all = signed_in && placed && associated && active && !consent && !foreign;
        prop_assert!(all || !matches!(silent, Next::Answer(_)));
    }
}
