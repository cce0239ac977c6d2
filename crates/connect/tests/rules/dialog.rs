//! Every stage against every event.

use crate::sign::NOW;
use connect::attempt;
use connect::dialog::{
    CODE_TRIES, Choice, Dialog, Event, Failure, GRACE_S, INSTALLING_S, LIFETIME_S, NotNow, Opening, Stage,
    Visitor, Way,
};
use kernel::ids::{AttemptId, IntegrationId, OrganizationId, TenantId};
use kernel::{Environment, Hashed, SeededChance, Slug};

fn attempt(number: u64) -> AttemptId {
    AttemptId::new(NOW, &SeededChance::new(number))
}

fn tenant() -> TenantId {
    TenantId::new(7).unwrap()
}

const SIGN_IN: Opening = Opening { way: Way::SignIn, asks_inputs: false, connected: None };
const SIGN_IN_AFTER_INPUTS: Opening = Opening { way: Way::SignIn, asks_inputs: true, connected: None };
const FIELDS: Opening = Opening { way: Way::Fields, asks_inputs: true, connected: None };

fn choices() -> Vec<Choice> {
    vec![Choice { value: "a".into(), label: "A".into() }, Choice { value: "b".into(), label: "B".into() }]
}

fn stages() -> Vec<Stage> {
    vec![
        Stage::ConfirmIdentity,
        Stage::Connected { tenant: tenant() },
        Stage::Form,
        Stage::Ready,
        Stage::Waiting { attempt: attempt(1) },
        Stage::Arrived { attempt: attempt(1), code: Some("ABC234".into()), tries: 0 },
        Stage::Arrived { attempt: attempt(1), code: None, tries: 0 },
        Stage::Choose { attempt: Some(attempt(1)), step: 0, choices: choices() },
        Stage::Installing { until: NOW.plus_seconds(1) },
        Stage::Success { tenant: tenant() },
        Stage::Failed { failure: Failure::UserDenied, at_input: None, detail: None },
        Stage::Cancelled,
    ]
}

/// Each kind of event, named; sign-in events are of attempt 1.
fn events() -> Vec<(&'static str, Event)> {
    let arrived = |code| Event::CallbackArrived { attempt: attempt(1), code };
    vec![
        ("identity", Event::IdentityConfirmed(SIGN_IN)),
        ("inputs, sign-in", Event::InputsAccepted(Way::SignIn)),
        ("inputs, fields", Event::InputsAccepted(Way::Fields)),
        ("reconnect", Event::Reconnected(FIELDS)),
        ("disconnect", Event::Disconnected(SIGN_IN)),
        ("start", Event::Started(attempt(2))),
        ("arrived", arrived(None)),
        ("arrived, code", arrived(Some("ABC234".into()))),
        (
            "refused",
            Event::CallbackRefused { attempt: attempt(1), failure: Failure::UserDenied, detail: None },
        ),
        ("timed out", Event::TimedOut(attempt(1))),
        ("code", Event::CodeTyped("abc-234".into())),
        ("wrong code", Event::CodeTyped("ABC235".into())),
        ("confirm", Event::Confirmed),
        ("offer", Event::ChoiceOffered { attempt: None, step: 1, choices: choices() }),
        ("choose", Event::Chosen("b".into())),
        ("installed", Event::Installed(tenant())),
        (
            "install failed",
            Event::InstallFailed { failure: Failure::ServerError, at_input: None, detail: None },
        ),
        ("retry", Event::Retried(FIELDS)),
        ("cancel", Event::Cancelled),
    ]
}

/// What is allowed: stage, event, the stage that follows. Everything else changes nothing.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("confirm_identity", "identity", "ready"),
    ("confirm_identity", "cancel", "cancelled"),
    ("connected", "reconnect", "form"),
    ("connected", "disconnect", "ready"),
    ("connected", "start", "waiting"),
    ("connected", "cancel", "cancelled"),
    ("form", "inputs, sign-in", "ready"),
    ("form", "inputs, fields", "installing"),
    ("form", "cancel", "cancelled"),
    ("ready", "start", "waiting"),
    ("ready", "cancel", "cancelled"),
    ("waiting", "start", "waiting"),
    ("waiting", "arrived", "checking"),
    ("waiting", "arrived, code", "code"),
    ("waiting", "refused", "failed"),
    ("waiting", "timed out", "failed"),
    ("waiting", "retry", "form"),
    ("waiting", "cancel", "cancelled"),
    ("code", "code", "checking"),
    ("code", "wrong code", "code"),
    ("code", "retry", "form"),
    ("code", "cancel", "cancelled"),
    ("checking", "confirm", "installing"),
    ("checking", "retry", "form"),
    ("checking", "cancel", "cancelled"),
    ("choose", "choose", "installing"),
    ("choose", "retry", "form"),
    ("choose", "cancel", "cancelled"),
    ("installing", "offer", "choose"),
    ("installing", "installed", "success"),
    ("installing", "install failed", "failed"),
    ("failed", "inputs, sign-in", "ready"),
    ("failed", "inputs, fields", "installing"),
    ("failed", "start", "waiting"),
    ("failed", "retry", "form"),
    ("failed", "cancel", "cancelled"),
];

#[test]
fn the_whole_matrix() {
    let (mut seen, mut cells) = (0, 0);
    for stage in stages() {
        for (name, event) in events() {
            cells += 1;
            let place = format!("{} x {name}", stage.name());
            let allowed = ALLOWED.iter().find(|(from, on, _)| *from == stage.name() && *on == name);
            match (stage.after(event, NOW), allowed) {
                (Ok(next), Some((_, _, to))) => {
                    assert_eq!(next.name(), *to, "{place}");
                    seen += 1;
                }
                (Err(why), None) => {
                    let expected = match stage.name() {
                        "success" | "cancelled" => NotNow::Over,
                        "installing" => NotNow::Busy,
                        _ => NotNow::OutOfTurn,
                    };
                    assert_eq!(why, expected, "{place}");
                }
                (result, _) => panic!("{place}: {result:?}"),
            }
        }
    }
    assert_eq!((seen, cells), (ALLOWED.len(), 12 * 19));
}

#[test]
fn a_dialog_opens_where_the_person_can_go_on() {
    let connected = Opening { connected: Some(tenant()), ..SIGN_IN };
    assert_eq!(Stage::first(true, SIGN_IN), Stage::Ready);
    assert_eq!(Stage::first(true, SIGN_IN_AFTER_INPUTS), Stage::Form);
    assert_eq!(Stage::first(true, FIELDS), Stage::Form);
    assert_eq!(Stage::first(true, Opening { asks_inputs: false, ..FIELDS }), Stage::Form);
    assert_eq!(Stage::first(true, connected), Stage::Connected { tenant: tenant() });
    for opening in [SIGN_IN, FIELDS, connected] {
        assert_eq!(Stage::first(false, opening), Stage::ConfirmIdentity);
        let next = Stage::ConfirmIdentity.after(Event::IdentityConfirmed(opening), NOW).unwrap();
        assert_eq!(next, Stage::first(true, opening));
    }
    // Disconnected and begun anew never lead back to "already connected".
    let stage = Stage::Connected { tenant: tenant() };
    assert_eq!(stage.after(Event::Disconnected(connected), NOW), Ok(Stage::Ready));
    assert_eq!(Stage::Form.after(Event::Cancelled, NOW), Ok(Stage::Cancelled));
}

#[test]
fn a_callback_of_another_attempt_changes_nothing() {
    let waiting = Stage::Waiting { attempt: attempt(2) };
    for (_, event) in events()
        .into_iter()
        .filter(|(name, _)| ["arrived", "arrived, code", "refused", "timed out"].contains(name))
    {
        assert_eq!(waiting.after(event, NOW), Err(NotNow::OtherAttempt));
    }
}

#[test]
fn nothing_late_brings_a_dialog_back() {
    for over in [Stage::Cancelled, Stage::Success { tenant: tenant() }] {
        for (name, event) in events() {
            assert_eq!(over.after(event, NOW), Err(NotNow::Over), "{name}");
        }
    }
    let timed_out = Stage::Waiting { attempt: attempt(1) }.after(Event::TimedOut(attempt(1)), NOW).unwrap();
    assert_eq!(timed_out, Stage::Failed { failure: Failure::TimedOut, at_input: None, detail: None });
    let arrived = Event::CallbackArrived { attempt: attempt(1), code: None };
    assert_eq!(timed_out.after(arrived, NOW), Err(NotNow::OutOfTurn));
}

#[test]
fn the_short_code_takes_five_tries() {
    let mut stage = Stage::Arrived { attempt: attempt(1), code: Some("ABC234".into()), tries: 0 };
    for tries in 1..CODE_TRIES {
        stage = stage.after(Event::CodeTyped(format!("WRNG{tries}")), NOW).unwrap();
        assert_eq!(stage, Stage::Arrived { attempt: attempt(1), code: Some("ABC234".into()), tries });
        assert_eq!(stage.after(Event::Confirmed, NOW), Err(NotNow::OutOfTurn));
    }
    let right = stage.after(Event::CodeTyped(" abc 234".into()), NOW).unwrap();
    assert_eq!(right, Stage::Arrived { attempt: attempt(1), code: None, tries: CODE_TRIES - 1 });
    let wrong = stage.after(Event::CodeTyped(String::new()), NOW).unwrap();
    assert_eq!(wrong, Stage::Failed { failure: Failure::StateMismatch, at_input: None, detail: None });
    assert_eq!(wrong.after(Event::CodeTyped("ABC234".into()), NOW), Err(NotNow::OutOfTurn));
}

#[test]
fn an_installation_that_never_ended_has_failed() {
    let stage = Stage::Form.after(Event::InputsAccepted(Way::Fields), NOW).unwrap();
    let end = NOW.plus_seconds(INSTALLING_S);
    assert_eq!(stage, Stage::Installing { until: end });
    assert_eq!(stage.effective(end.plus_seconds(-1)), stage);
    assert_eq!(
        stage.effective(end),
        Stage::Failed { failure: Failure::ServerError, at_input: None, detail: None }
    );
    assert_eq!(stage.after(Event::Installed(tenant()), end), Err(NotNow::OutOfTurn));
    assert_eq!(stage.after(Event::Retried(FIELDS), end), Ok(Stage::Form));
    assert_eq!(stage.after(Event::Cancelled, end), Ok(Stage::Cancelled));
}

#[test]
fn only_what_was_offered_can_be_chosen() {
    let stage = Stage::Choose { attempt: None, step: 0, choices: choices() };
    for other in ["c", "", "A", "a "] {
        assert_eq!(stage.after(Event::Chosen(other.into()), NOW), Err(NotNow::NoSuchChoice));
    }
}

fn dialog(stage: Stage) -> Dialog {
    Dialog {
        id: Hashed::from_stored("d"),
        organization: OrganizationId::new(NOW, &SeededChance::new(1)),
        environment: Environment::Production,
        jti: Hashed::from_stored("j"),
        integration: IntegrationId::new(1).unwrap(),
        connector: Slug::parse("hubspot").unwrap(),
        own_connector: None,
        visitor: Visitor {
            username: "anna".into(),
            email: None,
            display_name: None,
            full_name: None,
            external_id: None,
            meta: serde_json::Value::Null,
            external_integrations: vec![],
            acting_id: None,
            acting_name: None,
            extra: serde_json::Value::Null,
        },
        own_token: None,
        inputs: None,
        stage,
        version: 1,
        framed: true,
        parent: None,
        locale: "en".into(),
        announced_to: None,
        created: NOW,
        expires: NOW.plus_seconds(LIFETIME_S),
        replay_until: NOW,
    }
}

#[test]
fn a_dialog_begins_nothing_after_its_end_and_finishes_within_the_grace() {
    let end = NOW.plus_seconds(LIFETIME_S);
    let late = end.plus_seconds(GRACE_S);
    let begins =
        ["identity", "inputs, sign-in", "inputs, fields", "reconnect", "disconnect", "start", "retry"];
    for mut stage in stages() {
        if let Stage::Installing { until } = &mut stage {
            *until = late.plus_seconds(1);
        }
        let dialog = dialog(stage.clone());
        for (name, event) in events() {
            let place = format!("{} x {name}", stage.name());
            assert_eq!(
                dialog.after(event.clone(), end.plus_seconds(-1)),
                stage.after(event.clone(), end.plus_seconds(-1)),
                "{place}"
            );
            let idle = ["confirm_identity", "connected", "form", "ready"].contains(&stage.name());
            let expected = if begins.contains(&name) || idle {
                Err(NotNow::Expired)
            } else {
                stage.after(event.clone(), end)
            };
            assert_eq!(dialog.after(event.clone(), end), expected, "{place}");
            assert_eq!(dialog.after(event, late), Err(NotNow::Expired), "{place}");
        }
        assert_eq!(dialog.stage_at(late), Err(NotNow::Expired));
        assert_eq!(dialog.stage_at(end.plus_seconds(-1)), Ok(stage));
    }
    assert_eq!(GRACE_S, attempt::LIFETIME_S);
}
