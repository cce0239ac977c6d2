//! The service context: one way to write it, four spellings to read it, nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use enter::context::{ContextRefused, ServiceContext};
use enter::ids::{AccountId, PartnerId};
use proptest::prelude::*;

fn account(id: &str) -> ServiceContext {
    ServiceContext::Account(AccountId::parse(id).unwrap())
}

#[test]
fn it_is_written_as_published() {
    assert_eq!(account("AG-1").json(), r#"{"_type":"account","account_id":"AG-1"}"#);
    assert_eq!(account("AG-1").encoded(), "eyJfdHlwZSI6ImFjY291bnQiLCJhY2NvdW50X2lkIjoiQUctMSJ9");
    let partner = ServiceContext::Partner(PartnerId::parse("ABC").unwrap());
    assert_eq!(partner.json(), r#"{"_type":"partner","partner_id":"ABC"}"#);
    assert_eq!(ServiceContext::SuperAdmin.encoded(), "eyJfdHlwZSI6InN1cGVyYWRtaW4ifQ==");
    assert_eq!(ServiceContext::SuperAdmin.query_value(), "eyJfdHlwZSI6InN1cGVyYWRtaW4ifQ%3D%3D");
}

#[test]
fn everything_else_is_refused() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for json in [
        "",
        "x",
        "[]",
        "null",
        "\"account\"",
        "{}",
        r#"{"_type":1}"#,
        r#"{"_type":"account"}"#,
        r#"{"account_id":"AG-1"}"#,
        r#"{"_type":"account","partner_id":"P"}"#,
        r#"{"_type":"account","account_id":"AG-1","partner_id":"P"}"#,
        r#"{"_type":"partner","partner_id":"P","account_id":"AG-1"}"#,
        r#"{"_type":"account","account_id":""}"#,
        r#"{"_type":"account","account_id":".."}"#,
        r#"{"_type":"account","account_id":"a/b"}"#,
        r#"{"_type":"account","account_id":["AG-1"]}"#,
        r#"{"_type":"account","account_id":"a","account_id":"b"}"#,
        r#"{"_type":"partner","_type":"account","account_id":"a"}"#,
        r#"{"_type":"superadmin","account_id":"a"}"#,
        r#"{"_type":"Account","account_id":"a"}"#,
        r#"{"_type":"admin"}"#,
        &deep,
        &" ".repeat(1_000_000),
    ] {
        for text in [STANDARD.encode(json), URL_SAFE_NO_PAD.encode(json)] {
            assert!(ServiceContext::parse(&text).is_err(), "{}", json.get(..60).unwrap_or(json));
        }
    }
    let unknown = ServiceContext::parse(&STANDARD.encode(r#"{"_type":"brand"}"#));
    assert_eq!(unknown, Err(ContextRefused::UnknownType("brand".to_owned())));
    for text in [
        "%",
        "eyJfdHlwZSI6InN1cGVyYWRtaW4ifQ=",
        "eyJfdHlwZSI6InN1cGVyYWRtaW4ifQ===",
        " eyJfdHlwZSI6InN1cGVyYWRtaW4ifQ==",
        "{}",
        "==",
    ] {
        assert!(ServiceContext::parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn each_spelling_is_read(id in "[A-Za-z0-9][A-Za-z0-9._-]{0,40}") {
        let context = account(&id);
        let json = context.json();
        for text in [STANDARD.encode(&json), STANDARD_NO_PAD.encode(&json), URL_SAFE.encode(&json), URL_SAFE_NO_PAD.encode(&json)] {
            prop_assert_eq!(ServiceContext::parse(&text), Ok(context.clone()));
        }
    }

    #[test]
    fn no_proper_prefix_is_a_context(id in "[A-Za-z0-9]{1,20}", cut in 1usize..200) {
        let text = account(&id).encoded();
        let bare = text.trim_end_matches('=');
        let end = cut % bare.len();
        prop_assert!(ServiceContext::parse(&bare[..end]).is_err());
    }

    #[test]
    fn never_panics(text in ".{0,200}") {
        let _ = ServiceContext::parse(&text);
    }
}
