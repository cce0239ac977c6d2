//! Calls through the gateway: where they may go, what goes along, and what answers say of limits.

use crate::connector::flow::{
    CallBody, CallRefused, Inside, Rate, Wanted, access, call_request, redirected, said_inside,
};
use crate::connector::{Definition, Method, OutgoingRequest, Policy};
use crate::credential::{App, Credential};
use kernel::{SecretText, Time};
use proptest::prelude::*;
use serde_json::json;
use url::Url;

const NOW: Time = Time::from_seconds(1_700_000_000);

fn definition(api: &str) -> Definition {
    let text = format!(
        r#"id = "acme"
name = "Acme"
[auth]
kind = "oauth2"
app = ["signing_secret"]
[[inputs]]
key = "site"
label = "Site"
[authorize]
url = "https://acme.example.com/authorize"
[token]
url = "https://acme.example.com/token"
[refresh]
[api]
{api}
"#
    );
    Definition::parse("acme.toml", &text, Policy::default()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

const API: &str = r#"base_url = "https://api.acme.example.com/v1"
hosts = ["*.files.acme.example.com", "{inputs.site}.acme.example.com"]
headers = { Authorization = "Bearer {token.access}", X-Version = "3", X-Site = "{inputs.site}" }
query = { key = "{inputs.site}" }
retry = { after = "Retry-After", remaining = "X-Left", reset = "X-Reset", in_body = "/error" }"#;

fn credential() -> Credential {
    Credential {
        access: Some(SecretText::new("access-canary")),
        refresh: Some(SecretText::new("refresh-canary")),
        inputs: [("site", "north")].into_iter().collect(),
        ..Credential::default()
    }
}

fn app() -> App {
    App {
        client_id: "client".to_owned(),
        client_secret: Some(SecretText::new("secret-canary")),
        fields: [("signing_secret", "signing-canary")].into_iter().collect(),
        ..App::default()
    }
}

fn wanted(target: &str) -> Wanted {
    Wanted {
        method: Method::Get,
        target: target.to_owned(),
        headers: Vec::new(),
        query: Vec::new(),
        body: None,
        text_type: "text/plain; charset=utf-8",
        accept: "application/json",
    }
}

fn request(wanted: &Wanted) -> Result<OutgoingRequest, CallRefused> {
    call_request(&definition(API), credential().variables(Some(&app()), None), wanted, true)
}

fn url_of(target: &str) -> String {
    let mut url = request(&wanted(target)).unwrap_or_else(|refused| panic!("{target}: {refused}")).url;
    assert!(url.query_pairs().any(|(name, value)| name == "key" && value == "north"));
    let others: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "key").collect();
    url.set_query(None);
    for (name, value) in others {
        url.query_pairs_mut().append_pair(&name, &value);
    }
    url.to_string()
}

#[test]
fn a_target_is_below_the_base_or_at_a_declared_host() {
    for (target, expected) in [
        ("contacts", "https://api.acme.example.com/v1/contacts"),
        ("/contacts", "https://api.acme.example.com/v1/contacts"),
        ("/contacts?a=1&b=x%20y#part", "https://api.acme.example.com/v1/contacts?a=1&b=x+y"),
        ("", "https://api.acme.example.com/v1"),
        ("?a=1", "https://api.acme.example.com/v1?a=1"),
        ("contacts/a%3Ab", "https://api.acme.example.com/v1/contacts/a%3Ab"),
        ("https://api.acme.example.com/v2/x", "https://api.acme.example.com/v2/x"),
        ("HTTPS://API.ACME.example.com:443/v2/x", "https://api.acme.example.com/v2/x"),
        ("https://north.acme.example.com/x", "https://north.acme.example.com/x"),
        ("https://eu.files.acme.example.com/x", "https://eu.files.acme.example.com/x"),
        // What climbs stays at the host.
        ("../../admin", "https://api.acme.example.com/admin"),
    ] {
        assert_eq!(url_of(target), expected, "{target}");
    }
}

#[test]
fn other_hosts_get_nothing() {
    for (target, code) in [
        ("https://evil.example/", "host_not_declared"),
        ("https://api.acme.example.com@evil.example/", "target_invalid"),
        ("https://user:pass@api.acme.example.com/", "target_invalid"),
        ("https://api.acme.example.com:8443/", "host_not_declared"),
        ("https://api.acme.example.com.evil.example/", "host_not_declared"),
        ("https://evilapi.acme.example.com/", "host_not_declared"),
        ("https://files.acme.example.com/", "host_not_declared"),
        ("https://evil-files.acme.example.com/", "host_not_declared"),
        ("https://south.acme.example.com/", "host_not_declared"),
        ("https://api.acme.example.com./", "host_not_declared"),
        ("https://api.acme.example.com%2eevil.example/", "host_not_declared"),
        ("https://api%2eacme.example.com.evil.example/", "host_not_declared"),
        ("http://api.acme.example.com/", "target_invalid"),
        ("ftp://api.acme.example.com/", "target_invalid"),
        ("file:///etc/passwd", "target_invalid"),
        ("javascript:alert(1)", "target_invalid"),
        ("data:text/html,x", "target_invalid"),
        ("gopher://api.acme.example.com/", "target_invalid"),
        ("//evil.example/x", "target_invalid"),
        ("/\\evil.example", "target_invalid"),
        ("https:\\\\api.acme.example.com/", "target_invalid"),
        ("\thttps://evil.example", "target_invalid"),
        ("https://api.acme.example.com/\r\nHost: evil", "target_invalid"),
        ("https://127.0.0.1/", "host_not_declared"),
        ("https://127.1/", "host_not_declared"),
        ("https://2130706433/", "host_not_declared"),
        ("https://0x7f000001/", "host_not_declared"),
        ("https://0177.0.0.1/", "host_not_declared"),
        ("https://[::1]/", "host_not_declared"),
        ("https://[::ffff:127.0.0.1]/", "host_not_declared"),
        ("https://169.254.169.254/latest/meta-data", "host_not_declared"),
        ("https://localhost/", "host_not_declared"),
        ("https://metadata.internal/", "host_not_declared"),
        ("https:evil.example", "host_not_declared"),
        ("https://", "target_invalid"),
    ] {
        let refused = request(&wanted(target)).err().map(|refused| refused.code());
        assert_eq!(refused, Some(code), "{target:?}");
    }
}

#[test]
fn any_public_host_is_still_no_address_and_no_other_port() {
    let open = definition(
        "base_url = \"https://api.acme.example.com\"\nhosts = [\"*\"]\nheaders = { X-Key = \"{token.access}\" }",
    );
    let call = |target: &str| {
        call_request(&open, credential().variables(Some(&app()), None), &wanted(target), true).is_ok()
    };
    assert!(call("https://anything.example.org/x"));
    for target in [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://host.internal/",
        "https://anything.example.org:8443/",
        "http://anything.example.org/",
        "https://single/",
    ] {
        assert!(!call(target), "{target}");
    }
}

#[test]
fn the_credential_is_ours_and_the_callers_proof_stays_here() {
    let headers = [
        ("Authorization", "Basic evil"),
        ("authorization", "Bearer evil"),
        ("Cookie", "a=b"),
        ("X-API-KEY", "vst_live_1"),
        ("Host", "evil.example"),
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "5"),
        ("Proxy-Authorization", "x"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("Expect", "100-continue"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("Forwarded", "for=1.2.3.4"),
        ("x-site", "south"),
        ("Idempotency-Key", "k"),
        ("X-Version", "4"),
        ("If-Match", "\"7\""),
        ("Accept", "text/csv"),
    ];
    let wanted = Wanted {
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        query: vec![("key".to_owned(), "evil".to_owned()), ("a".to_owned(), "b c".to_owned())],
        ..wanted("/x?key=evil&c=d")
    };
    let request = request(&wanted).unwrap();
    let mut sent: Vec<_> = request
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), header.value.reveal().to_owned()))
        .collect();
    sent.sort();
    let expected = [
        ("accept", "text/csv"),
        ("authorization", "Bearer access-canary"),
        ("if-match", "\"7\""),
        ("x-site", "north"),
        ("x-version", "4"),
    ];
    assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(
        request.headers.iter().filter(|header| header.name == "Authorization").all(|header| header.secret)
    );
    assert_eq!(request.url.query(), Some("c=d&a=b+c&key=north"));
}

#[test]
fn headers_that_http_does_not_have_are_refused() {
    for (name, value) in [("", "x"), ("a b", "x"), ("a:", "x"), ("a", "x\r\nb: c"), ("a", "x\0"), ("ä", "x")]
    {
        let wanted = Wanted { headers: vec![(name.to_owned(), value.to_owned())], ..wanted("/x") };
        assert_eq!(
            request(&wanted).err().map(|refused| refused.code()),
            Some("header_invalid"),
            "{name:?} {value:?}"
        );
    }
}

#[test]
fn a_body_is_json_a_form_or_text() {
    let body = |body: CallBody, kind: Option<&str>| {
        let headers = kind.map(|kind| ("Content-Type".to_owned(), kind.to_owned())).into_iter().collect();
        let wanted = Wanted { method: Method::Post, headers, body: Some(body), ..wanted("/x") };
        let request = request(&wanted).unwrap();
        (request.header("content-type").unwrap().to_owned(), request.body.unwrap().reveal().to_owned())
    };
    let is = |kind: &str, text: &str| (kind.to_owned(), text.to_owned());
    let object = json!({"b": 1, "a": "x y"});
    assert_eq!(body(CallBody::Json(object.clone()), None), is("application/json", r#"{"b":1,"a":"x y"}"#));
    let form = "application/x-www-form-urlencoded";
    assert_eq!(body(CallBody::Json(object), Some(form)), is(form, "b=1&a=x+y"));
    assert_eq!(body(CallBody::Text("a,b".into()), Some("text/csv")), is("text/csv", "a,b"));
    assert_eq!(body(CallBody::Text("a".into()), None), is("text/plain; charset=utf-8", "a"));
}

#[test]
fn a_redirect_takes_the_credential_no_further_than_its_origin() {
    let from = Url::parse("https://api.acme.example.com/v1/a").unwrap();
    let with_body = Wanted {
        method: Method::Post,
        headers: vec![("Content-Type".into(), "text/csv".into()), ("X-Mine".into(), "1".into())],
        body: Some(CallBody::Text("x".into())),
        ..wanted("/a")
    };
    let go = |wanted: &Wanted, status: u16, location: &str| {
        redirected(wanted, &from, status, location)
            .map(|(next, stays)| (next.target, next.method, next.body.is_some(), stays))
    };
    let get = wanted("/a");
    assert_eq!(
        go(&get, 302, "/b"),
        Some(("https://api.acme.example.com/b".into(), Method::Get, false, true))
    );
    assert!(!go(&get, 307, "https://x.files.acme.example.com/b").unwrap().3);
    assert!(!go(&get, 302, "https://api.acme.example.com:8443/").unwrap().3);
    assert!(!go(&get, 302, "http://api.acme.example.com/").unwrap().3);
    assert_eq!(
        go(&with_body, 303, "/b"),
        Some(("https://api.acme.example.com/b".into(), Method::Get, false, true))
    );
    assert_eq!(go(&with_body, 302, "/b").unwrap().1, Method::Get);
    assert_eq!(
        go(&with_body, 307, "/b"),
        Some(("https://api.acme.example.com/b".into(), Method::Post, true, true))
    );
    assert_eq!(go(&with_body, 308, "https://x.files.acme.example.com/b"), None, "no body goes elsewhere");
    assert_eq!(go(&get, 302, "https://["), None);
    let head = Wanted { method: Method::Head, ..wanted("/a") };
    for status in [301, 302, 303, 307, 308] {
        assert_eq!(go(&head, status, "/b").unwrap().1, Method::Head, "{status}");
    }
    let (elsewhere, stays) =
        redirected(&with_body, &from, 303, "https://x.files.acme.example.com/b").unwrap();
    assert!(!stays && elsewhere.headers.is_empty());
    let request =
        call_request(&definition(API), credential().variables(Some(&app()), None), &elsewhere, false)
            .unwrap();
    assert!(request.header("authorization").is_none() && !request.url.as_str().contains("canary"));
    // Also the next host must be declared.
    let (evil, _) = redirected(&get, &from, 302, "https://evil.example/").unwrap();
    let refused = call_request(&definition(API), credential().variables(Some(&app()), None), &evil, false);
    assert_eq!(refused.err().map(|refused| refused.code()), Some("host_not_declared"));
}

#[test]
fn who_fetches_a_credential_gets_the_access_and_nothing_beyond() {
    let api = r#"base_url = "https://{inputs.site}.acme.example.com/v1/"
headers = { Authorization = "Bearer {token.access}", X-App = "{app.client_secret}", X-Sign = "{app.signing_secret}", X-Again = "{token.refresh}", X-Client = "{app.client_id}" }
hosts = ["*.acme.example.com"]
query = { key = "{inputs.site}" }"#;
    let (credential, app) = (credential(), app());
    let given = access(&definition(api), credential.variables(Some(&app), None));
    assert_eq!(given.base.as_deref(), Some("https://north.acme.example.com/v1"));
    assert_eq!(
        given.headers.iter().collect::<Vec<_>>(),
        [("Authorization", "Bearer access-canary"), ("X-Client", "client")]
    );
    assert_eq!(given.query.iter().collect::<Vec<_>>(), [("key", "north")]);
    // Stripe Connect's way: the app's secret as the user of Basic.
    let basic = "base_url = \"https://api.acme.example.com\"\nbasic = { user = \"{app.client_secret}\", password = \"\" }";
    assert!(access(&definition(basic), credential.variables(Some(&app), None)).headers.is_empty());
}

#[test]
fn limits_are_read_as_the_connector_names_them() {
    let acme = definition(API);
    let rate = |headers: &[(&str, &str)]| {
        let find = |name: &str| {
            headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
        };
        Rate::of(&acme, find, NOW)
    };
    for (value, expected) in [
        ("7", Some(7)),
        ("1.2", Some(2)),
        ("0", Some(0)),
        ("-5", Some(0)),
        ("1700000060", Some(60)),
        ("1700000060000", Some(60)),
        ("Tue, 14 Nov 2023 22:14:20 GMT", Some(60)),
        ("Tue, 14 Nov 2000 22:14:20 GMT", Some(0)),
        ("99999999999999999999", Some(86_400)),
        ("soon", None),
        ("", None),
        ("NaN", None),
    ] {
        assert_eq!(rate(&[("retry-after", value)]).wait_s(), expected, "{value}");
    }
    let spent = rate(&[("x-left", "0"), ("x-reset", "30")]);
    assert_eq!((spent.remaining, spent.wait_s()), (Some(0), Some(30)));
    assert!(
        spent.is_refusal(403) && spent.is_refusal(429) && !spent.is_refusal(200) && !spent.is_refusal(500)
    );
    let left = rate(&[("x-left", "3"), ("x-reset", "30")]);
    assert_eq!(left.wait_s(), None);
    assert!(!left.is_refusal(403) && left.is_refusal(429));
    let inside = |error: serde_json::Value| said_inside(&acme, &json!({ "ok": false, "error": error }));
    assert_eq!(inside(json!("ratelimited")), Some(Inside::TooMany));
    assert_eq!(inside(json!("token_expired")), Some(Inside::TokenEnded));
    assert_eq!(inside(json!("channel_not_found")), None);
    assert_eq!(inside(json!(null)), None);
}

proptest! {
    /// Whatever is asked for, the credential goes to declared hosts over https alone.
    #[test]
    fn no_target_leads_astray(target in "(https?:)?/{0,3}[a-z0-9@:%._/\\\\?#\\[\\]-]{0,40}(evil\\.example|api\\.acme\\.example\\.com)?[a-z0-9@:%._/\\\\?#-]{0,20}") {
        if let Ok(request) = request(&wanted(&target)) {
            let host = request.url.host_str().unwrap().to_owned();
            prop_assert_eq!(request.url.scheme(), "https");
            prop_assert!(request.url.port().is_none() && request.url.username().is_empty());
            let fits = host == "api.acme.example.com" || host == "north.acme.example.com" || host.ends_with(".files.acme.example.com");
            prop_assert!(fits, "{} -> {}", target, host);
        }
    }
}
