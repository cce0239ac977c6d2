//! Apps of the older kind.

use crate::people::{NOW, app, issuer};
use crate::session::session;
use enter::ids::AppId;
use enter::notice::EndedSession;
use enter::older::{ALGORITHM, AnswerRefused, SessionToken, landing, logout_body, read_answer, session_hash};
use kernel::SafeUrl;
use kernel::jose::Algorithm;
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn the_token_says_who_and_lives_a_minute() {
    let (session, app) = (session(), AppId::parse("MP-1").unwrap());
    let payload = SessionToken {
        issuer: &issuer(),
        app: &app,
        session: &session,
        person: &session.person,
        partner: &session.partner,
        lang: "de",
        jti: "j",
        now: NOW,
    }
    .payload();
    let read: Value = serde_json::from_str(&payload).unwrap();
    assert_eq!(
        read,
        json!({
            "iss": "https://gateway.example", "aud": "MP-1", "sub": session.person, "iat": NOW.seconds(),
            "exp": NOW.seconds() + 60, "jti": "j", "session_id": session_hash(&session.id, &app),
            "user_id": session.person, "partner_id": "P1", "lang": "de",
            "product_navbar_data_url": session.navbar_url(&issuer(), &app),
        })
    );
    assert_eq!(ALGORITHM, Algorithm::Rs256);
    assert!(
        !payload.contains(session.id.as_str().trim_start_matches("S-")) || payload.contains("navbar/data")
    );
}

#[test]
fn an_app_knows_a_session_by_a_hash_of_its_own_and_hears_of_its_end_by_the_same() {
    let (session, first, second) = (session(), app("MP-1"), app("MP-2"));
    let hash = session_hash(&session.id, &first.id);
    assert_eq!(hash.len(), 64);
    assert_ne!(hash, session_hash(&session.id, &second.id));
    let ended = EndedSession {
        session: session.id.clone(),
        person: session.person.clone(),
        partner: session.partner.clone(),
    };
    let body = logout_body(&first.id, &ended);
    assert_eq!(body, json!({ "session_id": hash, "user_id": session.person, "partner_id": "P1" }));
    assert!(!body.to_string().contains(session.id.as_str()));
}

#[test]
fn an_answer_is_a_code_and_nothing_else_is() {
    assert_eq!(read_answer(200, br#"{"code":"abc","more":1}"#), Ok("abc".to_owned()));
    for status in [201, 204, 302, 401, 404, 500] {
        assert_eq!(read_answer(status, br#"{"code":"abc"}"#), Err(AnswerRefused::Status(status)));
    }
    let long = format!(r#"{{"code":"{}"}}"#, "a".repeat(1025));
    for bad in [
        r#"{"code":""}"#,
        r#"{"code":1}"#,
        "{}",
        r#""abc""#,
        r#"{"code":"a b"}"#,
        r#"{"code":"a\nb"}"#,
        &long,
    ] {
        assert_eq!(read_answer(200, bad.as_bytes()), Err(AnswerRefused::NoCode), "{bad}");
    }
    for bad in ["", "<html>", "{", r#"{"code":"a","code":"b"}"#] {
        assert!(matches!(read_answer(200, bad.as_bytes()), Err(AnswerRefused::NotJson(_))), "{bad}");
    }
    assert_eq!(read_answer(200, &vec![b' '; 20_000]), Err(AnswerRefused::TooLong));
}

proptest! {
    /// The app's code comes from the app's backend; it still leads nowhere but to the entry URL.
    #[test]
    fn whatever_the_code_is_the_browser_goes_to_the_entry_url(code in "\\PC{1,40}", next in "\\PC{0,40}") {
        let entry = SafeUrl::parse("https://app.example.com/enter?a=1").unwrap();
        let url = SafeUrl::parse(&landing(&entry, &code, Some(&next))).unwrap();
        prop_assert_eq!(url.origin(), entry.origin());
        let pairs: Vec<(String, String)> = url.as_url().query_pairs().into_owned().collect();
        prop_assert_eq!(pairs[0].clone(), ("code".to_owned(), code));
        prop_assert_eq!(pairs[1].clone(), ("nextUrl".to_owned(), next));
        prop_assert_eq!(pairs.len(), 3);
    }
}
