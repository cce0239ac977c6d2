use super::*;
use crate::connector::{Definition, Policy};
use crate::dialog::Failure;
use kernel::SecretText;
use proptest::prelude::*;

fn definition(refresh: &str) -> Definition {
    let text = format!(
        r#"id = "acme"
name = "Acme"
[auth]
kind = "oauth2"
[authorize]
url = "https://acme.example.com/authorize"
[token]
url = "https://acme.example.com/token"
{refresh}
[api]
base_url = "https://acme.example.com"
headers = {{ Authorization = "Bearer {{token.access}}" }}
"#
    );
    Definition::parse("acme.toml", &text, Policy::default()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

const BEGIN: Time = Time::from_seconds(1_700_000_000);

fn credential(life: Option<i64>) -> Credential {
    Credential {
        access: Some(SecretText::new("access")),
        refresh: Some(SecretText::new("refresh")),
        obtained: Some(BEGIN),
        expires: life.map(|life| BEGIN.plus_seconds(life)),
        ..Credential::default()
    }
}

fn due_after(refresh: &str, life: Option<i64>) -> Option<i64> {
    due(&definition(refresh), &credential(life), Jitter::NONE).map(|at| at.seconds_since(BEGIN))
}

#[test]
fn a_token_is_renewed_ahead_of_its_end() {
    for (refresh, life, expected) in [
        ("[refresh]", Some(3600), Some(3300)),
        ("[refresh]\nlead_s = 60", Some(3600), Some(3540)),
        // The lead that ships is more than half of a short life.
        ("[refresh]", Some(300), Some(150)),
        // Exact Online: not before the last half minute of ten.
        ("[refresh]\nlead_s = 30\nrotates = true", Some(600), Some(570)),
        ("[refresh]\nlead_s = 0", Some(600), Some(600)),
        ("[refresh]", None, None),
        ("[refresh]\nmax_age_s = 5400", None, Some(4860)),
        // What the provider says goes before what the file guesses.
        ("[refresh]\nmax_age_s = 5400", Some(7200), Some(6900)),
        ("[refresh]\nkeepalive_h = 24", None, Some(77_760)),
        ("[refresh]\nkeepalive_h = 24", Some(3600), Some(3300)),
        ("[refresh]\nkeepalive_h = 24", Some(30 * 86_400), Some(77_760)),
        ("", Some(3600), None),
    ] {
        assert_eq!(due_after(refresh, life), expected, "{refresh} {life:?}");
    }
}

#[test]
fn what_a_grant_needs_must_be_there() {
    let without = |name: &str| {
        let mut credential = credential(Some(3600));
        match name {
            "refresh" => credential.refresh = None,
            "empty refresh" => credential.refresh = Some(SecretText::new("")),
            _ => credential.access = None,
        }
        credential
    };
    let by_refresh = definition("[refresh]");
    let by_access = definition(
        "[refresh]\ngrant = \"access_token\"\nparams = { grant_type = \"exchange\", token = \"{token.access}\" }",
    );
    let by_repeating = definition("[refresh]\ngrant = \"repeat\"");
    let can = |definition: &Definition, lacking: &str| can_renew(definition, &without(lacking));
    assert!(!can(&by_refresh, "refresh") && !can(&by_refresh, "empty refresh") && can(&by_refresh, "access"));
    assert!(can(&by_access, "refresh") && !can(&by_access, "access"));
    assert!(can(&by_repeating, "refresh") && can(&by_repeating, "access"));
    assert!(!can_renew(&definition(""), &credential(Some(3600))));
    assert_eq!(due(&by_refresh, &without("refresh"), Jitter::NONE), None);
}

#[test]
fn a_token_is_fresh_then_due_then_stale_and_usable_to_its_end() {
    let definition = definition("[refresh]");
    let credential = credential(Some(3600));
    for (age, expected) in [
        (0, Freshness::Fresh),
        (3299, Freshness::Fresh),
        (3300, Freshness::Due),
        (3569, Freshness::Due),
        (3570, Freshness::Stale),
        (9999, Freshness::Stale),
    ] {
        assert_eq!(freshness(&definition, &credential, BEGIN.plus_seconds(age)), expected, "{age}");
    }
    assert!(is_usable(&credential, BEGIN.plus_seconds(3599)));
    assert!(!is_usable(&credential, BEGIN.plus_seconds(3600)));
    // A token whose end nobody knows is never stale of itself.
    let endless = Credential { expires: None, ..credential.clone() };
    assert_eq!(freshness(&definition, &endless, BEGIN.plus_seconds(1 << 40)), Freshness::Fresh);
    assert!(is_usable(&endless, BEGIN.plus_seconds(1 << 40)));
    // One that cannot be renewed ends nevertheless.
    let bare = Credential { refresh: None, ..credential };
    assert_eq!(freshness(&definition, &bare, BEGIN.plus_seconds(3400)), Freshness::Fresh);
    assert_eq!(freshness(&definition, &bare, BEGIN.plus_seconds(3600)), Freshness::Stale);
}

#[test]
fn a_token_that_was_given_just_now_is_not_renewed_for_being_refused() {
    let credential = credential(None);
    assert!(!is_old_enough(&credential, BEGIN.plus_seconds(29)));
    assert!(is_old_enough(&credential, BEGIN.plus_seconds(30)));
    assert!(is_old_enough(&Credential { obtained: None, ..credential }, BEGIN));
}

#[test]
fn an_answer_is_new_or_dead_or_weather() {
    let before = credential(Some(1800));
    let failure = |failure: Failure, reconnect: bool| {
        let mut answer = ProviderFailure::new(failure, "status 400");
        answer.reconnect = reconnect;
        judge(&before, Err(answer))
    };
    assert!(matches!(failure(Failure::InvalidCredentials, true), Renewal::Dead(_)));
    for weather in [Failure::ProviderDown, Failure::TimedOut, Failure::Capped] {
        assert!(matches!(failure(weather, false), Renewal::Again(_)));
        // Whatever else it says: nobody connects again because of weather.
        assert!(matches!(failure(weather, true), Renewal::Again(_)));
    }
    // What only the operator can mend (an app's secret that has changed) does not end the connection.
    assert!(matches!(failure(Failure::ServerError, false), Renewal::Again(_)));
}

#[test]
fn an_answer_without_a_life_means_the_life_of_before() {
    let before = credential(Some(1800));
    let now = BEGIN.plus_seconds(1500);
    let silent = Credential { obtained: Some(now), expires: None, ..before.clone() };
    let Renewal::Renewed(after) = judge(&before, Ok(silent.clone())) else { panic!("renewed") };
    assert_eq!(after.expires, Some(now.plus_seconds(1800)));
    let told = Credential { expires: Some(now.plus_seconds(60)), ..silent.clone() };
    let Renewal::Renewed(after) = judge(&before, Ok(told)) else { panic!("renewed") };
    assert_eq!(after.expires, Some(now.plus_seconds(60)));
    let past = Credential { expires: Some(now), ..silent.clone() };
    let Renewal::Renewed(after) = judge(&before, Ok(past)) else { panic!("renewed") };
    assert_eq!(after.expires, Some(now.plus_seconds(1800)));
    let Renewal::Renewed(after) = judge(&credential(None), Ok(silent)) else { panic!("renewed") };
    assert_eq!(after.expires, None);
}

#[test]
fn pauses_double_to_a_quarter_of_an_hour() {
    let pauses: Vec<i64> = (1..=10).map(|failures| pause_s(failures, Jitter::NONE)).collect();
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
    assert_eq!(pause_s(i64::MAX, Jitter::NONE), 900);
    assert_eq!(pause_s(i64::MIN, Jitter::NONE), 5);
}

#[test]
fn a_rest_that_is_asked_for_is_given_for_an_hour_at_most() {
    let next = |failures, rest| next_try_s(failures, rest, Jitter::NONE);
    assert_eq!((next(1, None), next(1, Some(0)), next(1, Some(3)), next(1, Some(6))), (5, 5, 5, 6));
    assert_eq!((next(8, Some(600)), next(20, Some(600))), (640, 900));
    assert_eq!((next(1, Some(3600)), next(1, Some(86_400)), next(1, Some(i64::MIN))), (3600, 3600, 5));
}

proptest! {
    #[test]
    fn it_is_due_before_the_end_and_never_before_the_lead(
        life in 1_i64..400 * 86_400, lead in 0_i64..86_400, jitter in any::<u8>(),
        keepalive in proptest::option::of(1_i64..8_760),
    ) {
        let alive = keepalive.map_or(String::new(), |hours| format!("\nkeepalive_h = {hours}"));
        let definition = definition(&format!("[refresh]\nlead_s = {lead}{alive}"));
        let credential = credential(Some(life));
        let at = due(&definition, &credential, Jitter(jitter)).unwrap().seconds_since(BEGIN);
        prop_assert!(at <= life);
        let earliest = life - lead.min(life / 2);
        match keepalive {
            None => prop_assert!(at >= earliest, "{} < {}", at, earliest),
            Some(hours) => prop_assert!(at >= earliest.min(hours * 3600 * 9 / 10) && at <= hours * 3600),
        }
        // At the latest moment that jitter allows there is a fifth less than the lead left.
        prop_assert!(at <= earliest + lead / 5);
        // When the job comes the credential is due: it is not put off once more.
        prop_assert_ne!(freshness(&definition, &credential, BEGIN.plus_seconds(at)), Freshness::Fresh);
    }

    #[test]
    fn freshness_only_gets_worse(life in 1_i64..86_400, lead in 0_i64..86_400, early in 0_i64..90_000, later in 0_i64..90_000) {
        let definition = definition(&format!("[refresh]\nlead_s = {lead}"));
        let credential = credential(Some(life));
        let rank = |age: i64| match freshness(&definition, &credential, BEGIN.plus_seconds(age)) {
            Freshness::Fresh => 0,
            Freshness::Due => 1,
            Freshness::Stale => 2,
        };
        prop_assert!(rank(early) <= rank(early + later));
        prop_assert_eq!(rank(life), 2);
        prop_assert!(lead == 0 || rank(0) == 0 || life < 2);
    }

    #[test]
    fn pauses_stay_in_their_bounds(failures in any::<i64>(), jitter in any::<u8>()) {
        let pause = pause_s(failures, Jitter(jitter));
        prop_assert!((3..=900).contains(&pause));
    }
}
