//! Tickets, callbacks, PKCE and the short code.

use crate::sign::{NOW, encode};
use connect::attempt::{
    Answer, Attempt, CallbackQuery, CallbackRefused, LIFETIME_S, TICKET_LIFETIME_S, Ticket, TicketKey,
    TicketRefused, code_matches, pkce_challenge, pkce_verifier, short_code,
};
use connect::dialog::Failure;
use kernel::ids::{AttemptId, OrganizationId};
use kernel::{Environment, Hashed, Plain, SecretText, SeededChance, Slug};
use proptest::prelude::*;

fn key() -> TicketKey {
    TicketKey::new(&[7; 32])
}

fn ticket() -> (Ticket, String) {
    let ticket = Ticket::new(Plain::presented("dialog").hashed(), NOW, &SeededChance::new(1));
    let text = ticket.write(&key());
    (ticket, text)
}

#[test]
fn a_ticket_reads_back_for_two_minutes() {
    let (ticket, text) = ticket();
    let read = |seconds: i64| Ticket::read(&text, &key(), NOW.plus_seconds(seconds));
    for seconds in [-60, 0, TICKET_LIFETIME_S - 1] {
        assert_eq!(read(seconds).unwrap(), ticket);
    }
    for seconds in [-61, TICKET_LIFETIME_S, i64::MAX / 2_000_000] {
        assert_eq!(read(seconds), Err(TicketRefused::Late));
    }
    let other = Ticket::new(ticket.dialog, NOW, &SeededChance::new(2)).write(&key());
    assert_ne!(Ticket::hash_of(&other), Ticket::hash_of(&text));
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
}

#[test]
fn a_ticket_of_another_key_is_forged() {
    let (_, text) = ticket();
    assert_eq!(Ticket::read(&text, &TicketKey::new(&[8; 32]), NOW), Err(TicketRefused::Forged));
    let payload = encode("1.d.1.n");
    assert_eq!(Ticket::read(&format!("{payload}."), &key(), NOW), Err(TicketRefused::Forged));
    for bad in ["", "x", "=.=", &"a".repeat(600)] {
        assert_eq!(Ticket::read(bad, &key(), NOW), Err(TicketRefused::Malformed), "{bad}");
    }
}

#[test]
fn lesson_18_every_proper_prefix_of_a_ticket_is_refused() {
    let (_, text) = ticket();
    for end in 0..text.len() {
        assert!(Ticket::read(&text[..end], &key(), NOW).is_err(), "{end}");
    }
}

proptest! {
    #[test]
    fn lesson_18_every_change_of_one_byte_of_a_ticket_is_refused(at: prop::sample::Index, other in 0u8..128) {
        let (_, text) = ticket();
        let mut changed = text.into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != other);
        changed[at] = other;
        prop_assert!(Ticket::read(&String::from_utf8(changed).unwrap(), &key(), NOW).is_err());
    }

    #[test]
    fn a_query_never_panics_and_keeps_each_parameter_once(query in "[a-e=&%+0-9 ]{0,80}") {
        if let Ok(parsed) = CallbackQuery::parse(&query) {
            for (name, value) in parsed.all() {
                prop_assert_eq!(parsed.get(name), Some(value.as_str()).filter(|value| !value.is_empty()));
            }
        }
    }

    #[test]
    fn a_short_code_is_readable_and_known_again(seed: u64, upper: bool, at in 0usize..6) {
        let code = short_code(&SeededChance::new(seed));
        prop_assert!(code.len() == 6 && !code.contains(['0', '1', 'I', 'L', 'O', 'U']));
        let typed = if upper { code.clone() } else { code.to_lowercase() };
        let spaced = format!(" {}-{} ", &typed[..at], &typed[at..]);
        prop_assert!(code_matches(&code, &spaced));
        let mut wrong = code.clone().into_bytes();
        wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
        prop_assert!(!code_matches(&code, &String::from_utf8(wrong).unwrap()));
        let longer = format!("{code}A");
        prop_assert!(!code_matches(&code, &code[..at]) && !code_matches(&code, &longer));
    }
}

fn kept() -> Attempt {
    Attempt {
        id: AttemptId::new(NOW, &SeededChance::new(1)),
        dialog: Hashed::from_stored("d"),
        organization: OrganizationId::new(NOW, &SeededChance::new(1)),
        environment: Environment::Production,
        connector: Slug::parse("hubspot").unwrap(),
        ticket: Hashed::from_stored("t"),
        state: Plain::presented("state").hashed(),
        cookie: Plain::presented("cookie").hashed(),
        verifier: None,
        needs_code: false,
        in_tab: false,
        created: NOW,
        expires: NOW.plus_seconds(LIFETIME_S),
        used: None,
        outcome: None,
        pending: None,
    }
}

#[test]
fn lesson_20_a_callback_needs_the_browser_that_set_out() {
    let (attempt, state) = (kept(), Plain::presented("state").hashed());
    let (cookie, other) = (Plain::presented("cookie").hashed(), Plain::presented("other").hashed());
    assert_eq!(attempt.check_callback(&state, Some(&cookie), NOW), Ok(()));
    for missing in [None, Some(&other), Some(&state)] {
        assert_eq!(attempt.check_callback(&state, missing, NOW), Err(CallbackRefused::OtherBrowser));
    }
    assert_eq!(attempt.check_callback(&other, Some(&cookie), NOW), Err(CallbackRefused::StateUnknown));
}

#[test]
fn a_state_is_used_once_and_in_time() {
    let (mut attempt, state, cookie) =
        (kept(), Plain::presented("state").hashed(), Plain::presented("cookie").hashed());
    let end = NOW.plus_seconds(LIFETIME_S);
    assert_eq!(attempt.check_callback(&state, Some(&cookie), end.plus_seconds(-1)), Ok(()));
    assert_eq!(attempt.check_callback(&state, Some(&cookie), end), Err(CallbackRefused::Late));
    assert_eq!(CallbackRefused::Late.failure(), Failure::TimedOut);
    // The browser has dropped the cookie by then; that it was another browser would be the wrong thing to say.
    assert_eq!(attempt.check_callback(&state, None, end), Err(CallbackRefused::Late));
    let other = Plain::presented("other").hashed();
    assert_eq!(attempt.check_callback(&state, Some(&other), end), Err(CallbackRefused::OtherBrowser));
    attempt.used = Some(NOW);
    assert_eq!(attempt.check_callback(&state, Some(&cookie), NOW), Err(CallbackRefused::StateUsed));
    assert_eq!(attempt.check_callback(&state, None, NOW), Err(CallbackRefused::OtherBrowser));
}

fn answer(query: &str) -> Result<Answer, CallbackRefused> {
    CallbackQuery::parse(query)?.answer("code", false)
}

#[test]
fn a_callback_has_exactly_one_answer() {
    assert_eq!(answer("code=a%2Fb&state=s"), Ok(Answer::Code(SecretText::new("a/b"))));
    assert_eq!(answer("code=a&error=b&state=s"), Err(CallbackRefused::Both));
    assert_eq!(answer("state=s"), Err(CallbackRefused::Neither));
    assert_eq!(answer("code=&state=s"), Err(CallbackRefused::Neither));
    assert_eq!(answer(""), Err(CallbackRefused::Neither));
    let other = CallbackQuery::parse("state=s&spapi_oauth_code=x&tenant=t").unwrap();
    assert_eq!(other.answer("spapi_oauth_code", false), Ok(Answer::Code(SecretText::new("x"))));
    assert_eq!(other.answer("code", true), Ok(Answer::Captured));
    assert_eq!(other.get("tenant"), Some("t"));
    assert_eq!(other.state("state"), Ok(Plain::presented("s").hashed()));
    assert!(!format!("{other:?}").contains('x'), "the values are not printed");
}

#[test]
fn repeated_parameters_are_refused_whatever_their_name() {
    for name in ["code", "state", "error", "iss", "error_description", "realmId"] {
        for query in [
            format!("{name}=a&{name}=a"),
            format!("{name}=a&x=1&{name}="),
            format!("{name}=a&%{:02x}{}=b", name.as_bytes()[0], &name[1..]),
        ] {
            assert_eq!(
                CallbackQuery::parse(&query),
                Err(CallbackRefused::Duplicate(name.to_owned())),
                "{query}"
            );
        }
    }
}

#[test]
fn a_callback_is_bounded() {
    let many = (0..65).map(|number| format!("p{number}=1")).collect::<Vec<_>>().join("&");
    let long_value = format!("code={}", "a".repeat(8 * 1024 + 1));
    let long_name = format!("{}=1", "n".repeat(129));
    for query in ["a".repeat(16 * 1024 + 1), many, long_value, long_name] {
        assert_eq!(CallbackQuery::parse(&query), Err(CallbackRefused::TooLong));
    }
    assert!(CallbackQuery::parse(&format!("code={}", "a".repeat(8 * 1024))).is_ok());
    let state = |query: &str| CallbackQuery::parse(query).unwrap().state("state");
    assert_eq!(state(&format!("state={}", "s".repeat(129))), Err(CallbackRefused::TooLong));
    assert_eq!(state("state=a%00b"), Err(CallbackRefused::Characters("state")));
    assert_eq!(state("code=a"), Err(CallbackRefused::StateMissing));
    assert_eq!(answer("code=a%0d%0ab"), Err(CallbackRefused::Characters("code")));
    assert_eq!(answer("code=%C3%A4"), Err(CallbackRefused::Characters("code")));
}

#[test]
fn a_providers_error_becomes_a_sentence_of_ours() {
    let failure = |query: &str| match answer(query).unwrap() {
        Answer::Error(error) => (error.failure(), error.detail()),
        other => panic!("{other:?}"),
    };
    assert_eq!(failure("error=access_denied"), (Failure::UserDenied, "access_denied".to_owned()));
    assert_eq!(failure("error=invalid_scope&error_description=no%0Away").0, Failure::MissingScopes);
    assert_eq!(failure("error=temporarily_unavailable").0, Failure::ProviderDown);
    assert_eq!(failure("error=what%0d%0aever&error_description=").1, "whatever");
    let long = format!("error={}&error_description={}", "e".repeat(500), "d".repeat(5000));
    assert_eq!(failure(&long).1.len(), 200);
    // LinkedIn's words for the same no.
    for no in ["user_cancelled_login", "user_cancelled_authorize"] {
        assert_eq!(failure(&format!("error={no}")).0, Failure::UserDenied);
    }
    // Error texts repeat what they refused.
    let telling = "error=invalid_request&error_description=code%204/0AX4XfWh_secretcode123%20is%20wrong";
    assert_eq!(failure(telling).1, "invalid_request: code [hidden] is wrong");
}

#[test]
fn pkce_as_rfc_7636_has_it() {
    // RFC 7636, appendix B.
    let verifier = SecretText::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(pkce_challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let fresh = pkce_verifier(&SeededChance::new(1));
    assert_eq!(fresh.reveal().len(), 43);
    assert_ne!(fresh, pkce_verifier(&SeededChance::new(2)));
    assert!(!code_matches("", "") && !code_matches("", "-"));
}
