//! Pushed authorization requests.

use crate::oidc::{client, query};
use crate::people::NOW;
use enter::oidc::authorize::{LocalRefusal, Parameters, check};
use enter::oidc::par::{PUSHED_LIFETIME_S, Pushed, PushedRequest, push, reference};
use enter::oidc::{Client, TokenKind};
use kernel::{Plain, SeededChance};
use proptest::prelude::*;

fn parameters(changes: &[(&str, &str)]) -> Parameters {
    Parameters::parse(&query(changes)).unwrap()
}

fn pushed(changes: &[(&str, &str)]) -> Pushed {
    push(parameters(changes), &client("c1"), NOW, &SeededChance::new(3)).unwrap()
}

fn outer(request_uri: &str, more: &str) -> Parameters {
    let uri = enter::percent::encoded(request_uri);
    Parameters::parse(&format!("client_id=c1&request_uri={uri}{more}")).unwrap()
}

#[test]
fn a_pushed_request_replaces_the_browsers_and_is_checked_as_that_one() {
    let Pushed { request_uri, request } = pushed(&[("client_secret", "hidden"), ("nonce", "n")]);
    assert!(request_uri.reveal().starts_with("urn:ietf:params:oauth:request_uri:vst_"));
    assert_eq!(TokenKind::of_opaque(request_uri.reveal()), Some(TokenKind::RequestUri));
    assert!(request.parameters.get("client_secret").is_none());
    // What stands in the browser counts for nothing.
    let evil = "&redirect_uri=https%3A%2F%2Fevil.example%2F&scope=openid+profile&state=other&prompt=none";
    let outer = outer(request_uri.reveal(), evil);
    assert_eq!(reference(&outer), Some(request.hash.clone()));
    let (inner, used) = request.replace(&outer, NOW).unwrap();
    assert_eq!(used.used, Some(NOW));
    let checked = check(&inner, Some(&client("c1"))).unwrap();
    assert_eq!((checked.nonce.as_deref(), checked.state.as_deref()), (Some("n"), Some("s&1")));
    assert!(!checked.prompt.none);
    // And goes on as a query, as it waits for its user.
    let again = Parameters::parse(&inner.query()).unwrap();
    assert_eq!(check(&again, Some(&client("c1"))).unwrap(), checked);
}

#[test]
fn a_reference_is_good_once_for_ninety_seconds_and_for_its_client() {
    let Pushed { request_uri, request } = pushed(&[]);
    let outer = outer(request_uri.reveal(), "");
    let late = NOW.plus_seconds(PUSHED_LIFETIME_S);
    let refused = Err(LocalRefusal::RequestUri);
    assert_eq!(request.clone().replace(&outer, late), refused);
    let (_, used) = request.clone().replace(&outer, NOW.plus_seconds(PUSHED_LIFETIME_S - 1)).unwrap();
    assert_eq!(used.clone().replace(&outer, NOW), refused);
    // Also with prompt=none, which elsewhere let a reference be used again.
    let silent = Parameters::parse(&format!("{}&prompt=none", outer.query())).unwrap();
    assert_eq!(used.replace(&silent, NOW), refused);
    let others =
        [outer.query().replace("client_id=c1", "client_id=c2"), outer.query().replace("client_id=c1&", "")];
    for other in others {
        let outer = Parameters::parse(&other).unwrap();
        assert_eq!(request.clone().replace(&outer, NOW), refused, "{other}");
    }
    let foreign = PushedRequest { hash: Plain::presented("x").hashed(), ..request };
    assert_eq!(foreign.replace(&outer, NOW), refused);
}

#[test]
fn mistakes_are_told_to_the_app() {
    let error = |changes: &[(&str, &str)], client: &Client| {
        push(parameters(changes), client, NOW, &SeededChance::new(3)).unwrap_err().error
    };
    let own = client("c1");
    assert_eq!(error(&[("request_uri", "urn:x")], &own), "invalid_request");
    assert_eq!(error(&[("client_id", "c2")], &own), "invalid_request");
    assert_eq!(error(&[("redirect_uri", "https://evil.example/")], &own), "invalid_request");
    assert_eq!(error(&[("response_type", "token")], &own), "unsupported_response_type");
    assert_eq!(error(&[("scope", "email")], &own), "invalid_scope");
    assert_eq!(error(&[("request", "e30.e30.")], &own), "request_not_supported");
    let off = Client { disabled: Some(NOW), ..client("c1") };
    assert_eq!(error(&[], &off), "unauthorized_client");
    // A client that proved itself by its header need not name itself again.
    assert_eq!(pushed(&[("client_id", "")]).request.parameters.get("client_id"), Some("c1"));
}

#[test]
fn lesson_23_a_reference_to_somebody_elses_address_is_never_followed() {
    for foreign in
        ["https://evil.example/request.jwt", "http://169.254.169.254/", "urn:ietf:params:oauth:request_uri:x"]
    {
        let outer = outer(
            foreign,
            "&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb&response_type=code&scope=openid",
        );
        assert_eq!(reference(&outer), None, "{foreign}");
        assert!(check(&outer, Some(&client("c1"))).is_err());
    }
}

proptest! {
    #[test]
    fn lesson_18_no_part_of_a_reference_is_the_reference(cut in 0usize..80, byte in 0x21u8..0x7f) {
        let Pushed { request_uri, request } = pushed(&[]);
        let text = request_uri.reveal();
        let at = cut % text.len();
        let mut changed = text.as_bytes().to_vec();
        changed[at] = byte;
        let changed = String::from_utf8(changed).unwrap();
        for wrong in [&text[..at], &changed] {
            if wrong != text {
                prop_assert!(request.clone().replace(&outer(wrong, ""), NOW).is_err());
            }
        }
    }
}
