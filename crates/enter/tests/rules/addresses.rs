//! Addresses to which a browser may be sent: lessons 1 to 5 and 25.

use crate::people::{app, partner};
use enter::app::{BackUrl, EntryTemplate, RedirectUri, TemplateRefused, with_code};
use enter::context::ServiceContext;
use enter::domain::{Domain, ReturnUrl};
use enter::ids::{AccountId, AppId};
use enter::partner::TransferUrl;
use kernel::SafeUrl;

const REGISTERED: &str = "https://app.example.com/callback";

/// What attackers make of [`REGISTERED`]. The second column: whether it still stands at the app's own host, so
/// that it is no open redirect, though it is never the registered redirect URI.
const MUTATIONS: [(&str, bool); 66] = [
    ("https://app.example.com@evil.example/callback", false),
    ("https://app.example.com:80@evil.example/callback", false),
    ("https://app.example.com%40evil.example/callback", false),
    ("https://evil.example@app.example.com/callback", false),
    ("https://user:pw@app.example.com/callback", false),
    ("https://app.example.com.evil.example/callback", false),
    ("https://evil-app.example.com/callback", false),
    ("https://evilapp.example.com/callback", false),
    ("https://appaexample.com/callback", false),
    ("https://app.examplescom/callback", false),
    ("https://example.com/callback", false),
    ("https://sub.app.example.com/callback", false),
    ("https://app.example.com./callback", false),
    ("https://app.example.com../callback", false),
    ("https://app.example.co/callback", false),
    ("https://app.example.comm/callback", false),
    ("https://xn--pp-oga.example.com/callback", false),
    ("https://\u{430}pp.example.com/callback", false),
    ("https://app\u{3002}example\u{3002}evil/callback", false),
    ("https://app.example.com:444/callback", false),
    ("https://app.example.com:80/callback", false),
    ("https://app.example.com:99999/callback", false),
    ("http://app.example.com/callback", false),
    ("http://app.example.com:443/callback", false),
    ("ftp://app.example.com/callback", false),
    ("ws://app.example.com/callback", false),
    ("javascript:alert(1)//app.example.com/callback", false),
    ("javascript://app.example.com/%0aalert(1)", false),
    ("data:text/html,https://app.example.com/callback", false),
    ("vbscript:x", false),
    ("blob:https://app.example.com/callback", false),
    ("file://app.example.com/callback", false),
    ("//evil.example/callback", false),
    ("//app.example.com/callback", false),
    ("/callback", false),
    ("/\\evil.example/callback", false),
    ("/\t/evil.example/callback", false),
    ("\\\\evil.example\\callback", false),
    ("https:\\\\app.example.com\\callback", false),
    ("https:/app.example.com/callback", false),
    ("https:app.example.com/callback", false),
    ("https:///app.example.com/callback", false),
    ("https:////evil.example/callback", false),
    ("https://evil.example\\@app.example.com/callback", false),
    ("https://evil.example/\\app.example.com/callback", false),
    ("https://app.example.com\\.evil.example/callback", false),
    ("https://app.example.com\t.evil.example/callback", false),
    ("https://app.exam\nple.com/callback", false),
    (" https://app.example.com/callback", false),
    ("https://app.example.com/callback ", false),
    ("https://app.example.com/callback\r\nLocation: https://evil.example", false),
    ("https://app.example.com/callback\0", false),
    ("https://app.example.com/callback#x", false),
    ("https://app.example.com#@evil.example/callback", false),
    ("HTTPS://app.example.com/callback", false),
    ("", false),
    ("null", false),
    ("https://evil.example/?https://app.example.com/callback", false),
    ("https://evil.example/app.example.com/callback", false),
    ("https://app.example.com/callback/", true),
    ("https://app.example.com/callback/../evil", true),
    ("https://app.example.com/callback%2f..%2fevil", true),
    ("https://app.example.com/callback/..;/evil", true),
    ("https://app.example.com/callback%252f", true),
    ("https://app.example.com/callback?x=1", true),
    ("https://APP.example.com/Callback", true),
];

#[test]
fn lesson_1_no_mutation_is_the_registered_redirect_uri() {
    let registered = RedirectUri::register(REGISTERED).unwrap();
    assert!(registered.matches(REGISTERED, false) && registered.matches(REGISTERED, true));
    for (mutation, _) in MUTATIONS {
        assert!(!registered.matches(mutation, false) && !registered.matches(mutation, true), "{mutation}");
    }
}

#[test]
fn lesson_25_no_mutation_leads_to_a_stranger() {
    let (app, partner) = (app("MP-1"), partner("P1"));
    assert!(app.own_url(REGISTERED).is_ok() && app.own_url("https://app.example.org/x").is_ok());
    for (mutation, own) in MUTATIONS {
        let read = app.own_url(mutation);
        assert_eq!(read.is_ok(), own, "{mutation}: {read:?}");
        if let Ok(url) = read {
            assert_eq!(url.url().as_url().host_str(), Some("app.example.com"), "{mutation}");
        }
        let back = BackUrl::judge(Some(mutation), &partner.domains(), &app.domains());
        assert_eq!(matches!(back, BackUrl::Kept(_)), own, "{mutation}");
    }
}

#[test]
fn a_back_url_may_be_the_partners() {
    let (app, partner) = (app("MP-1"), partner("P1"));
    for good in ["https://partner.example/dashboard", "https://portal.partner.example/"] {
        assert!(
            matches!(BackUrl::judge(Some(good), &partner.domains(), &app.domains()), BackUrl::Kept(_)),
            "{good}"
        );
    }
    assert_eq!(BackUrl::judge(None, &[], &[]), BackUrl::None);
    assert_eq!(BackUrl::judge(Some(""), &[], &[]), BackUrl::None);
    let strange = BackUrl::judge(Some("https://other.example/"), &partner.domains(), &app.domains());
    assert!(matches!(strange, BackUrl::Dropped(_)));
}

#[test]
fn a_link_stays_at_the_apps_host() {
    let (app, partner) = (app("MP-1"), partner("P1"));
    let account = AccountId::parse("AG-1").unwrap();
    let link = |path: &str| app.link(path, Some(&account), &partner.id).map(|url| url.to_string());
    assert_eq!(
        link("/r/{{accountId}}/{{partnerId}}?x=1&&y=2"),
        Ok("https://app.example.com/r/AG-1/P1?x=1&&y=2".to_owned())
    );
    for bad in [
        "",
        "r",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "\\evil",
        "@evil.example",
        ".evil.example/",
        ":8443/",
        "/a b",
        "/#x",
        "https://evil.example/",
    ] {
        assert!(link(bad).is_err(), "{bad}");
    }
}

#[test]
fn lesson_2_to_5_what_cannot_be_registered() {
    for bad in [
        "https://*.example.com/cb",
        "https://app.example.com/*",
        "https://app.example.com/a/../b",
        "https://app.example.com/%2e%2e/b",
        "https://app.example.com/a;b",
        "https://app.example.com/a%2fb",
        "https://app.example.com/a%252fb",
        "https://app.example.com/a%5Cb",
        "https://app.example.com/cb?code=x&state=y",
        "https://app.example.com/cb?state=y",
        "https://app.example.com/cb?%63ode=x",
        "https://app.example.com/cb?iss=x",
        "https://app.example.com/cb#f",
        "https://u@app.example.com/cb",
        "http://app.example.com/cb",
        "javascript:alert(1)",
        "com.example.app:/cb",
        "com.example.app://cb",
        "urn:ietf:wg:oauth:2.0:oob",
        "https://App.example.com/cb",
        "https://app.example.com:443/cb",
        "https://\u{e4}pp.example.com/cb",
        "",
        "/cb",
        "https:app.example.com/cb",
        "https://0x7f.1/cb",
        "https://app.example.com/c b",
    ] {
        assert!(RedirectUri::register(bad).is_err(), "{bad}");
    }
    for good in [
        REGISTERED,
        "https://app.example.com",
        "https://app.example.com/cb?tenant=1",
        "http://127.0.0.1/cb",
        "http://[::1]/cb",
        "http://localhost:3000/cb",
    ] {
        assert!(RedirectUri::register(good).is_ok(), "{good}");
    }
}

#[test]
fn only_the_loopback_port_of_native_clients_is_free() {
    let registered = RedirectUri::register("http://127.0.0.1/cb").unwrap();
    for good in ["http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://127.0.0.1/cb"] {
        assert!(registered.matches(good, true), "{good}");
    }
    assert!(!registered.matches("http://127.0.0.1:1/cb", false));
    for bad in [
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:01/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:1@evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1:1/cb/",
        "http://127.0.0.1:1/cb?x",
        "http://[::1]:1/cb",
        "http://localhost:1/cb",
        "https://127.0.0.1:1/cb",
        "http://127.0.0.11:1/cb",
        "http://127.0.0.1:+1/cb",
        "http://127.0.0.1:1.evil.example/cb",
    ] {
        assert!(!registered.matches(bad, true), "{bad}");
    }
    let with_port = RedirectUri::register("http://[::1]:7000/cb").unwrap();
    assert!(with_port.matches("http://[::1]:9000/cb", true) && with_port.matches("http://[::1]/cb", true));
    let by_name = RedirectUri::register("http://localhost:3000/cb").unwrap();
    assert!(!by_name.matches("http://localhost:3001/cb", true));
    let ordinary = RedirectUri::register(REGISTERED).unwrap();
    assert!(!ordinary.matches("https://app.example.com:444/callback", true));
}

#[test]
fn an_entry_url_is_filled_and_stays_where_it_was() {
    let domains = [Domain::parse("app.example.com").unwrap()];
    let account = AccountId::parse("AG-1").unwrap();
    for text in ["https://app.example.com/a/<accountId>/x", "https://app.example.com/a/{{accountId}}/x"] {
        let template = EntryTemplate::register(text, &domains).unwrap();
        assert_eq!(template.filled(Some(&account)).unwrap().as_str(), "https://app.example.com/a/AG-1/x");
        assert_eq!(template.filled(None), Err(TemplateRefused::NeedsAccount));
    }
    let bare = EntryTemplate::register("https://app.example.com/a", &domains).unwrap();
    assert_eq!(bare.filled(None).unwrap().as_str(), "https://app.example.com/a");
    for bad in [
        "https://{{accountId}}.example.com/",
        "https://app.example.com{{accountId}}/",
        "https://<accountId>@app.example.com/",
        "https://evil.example/<accountId>",
        "https://app.example.com:4{{accountId}}/",
        "https://app.example.com/{{userId}}",
        "https://app.example.com/<id>",
        "http://app.example.com/",
        "https://app.example.com/?code=1",
        "https://app.example.com/?nextUrl=1",
        "/{{accountId}}",
        "{{accountId}}",
        "javascript:{{accountId}}",
        "",
    ] {
        assert!(EntryTemplate::register(bad, &domains).is_err(), "{bad}");
    }
}

#[test]
fn the_code_is_the_first_parameter() {
    let url = |text| SafeUrl::parse(text).unwrap();
    assert_eq!(with_code(&url("https://a.example/x"), "c", None), "https://a.example/x?code=c");
    assert_eq!(
        with_code(&url("https://a.example/x?a=1"), "c", Some("https://a.example/?q=1&r")),
        "https://a.example/x?code=c&nextUrl=https%3A%2F%2Fa.example%2F%3Fq%3D1%26r&a=1"
    );
}

#[test]
fn the_transfer_url_is_https_or_this_machine() {
    for good in [
        "https://partner.example/t",
        "https://partner.example/t?k=v",
        "http://localhost:3000/t",
        "http://127.0.0.1/t",
    ] {
        assert!(TransferUrl::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "/t",
        "http://partner.example/t",
        "https://u@partner.example/t",
        "https://partner.example/?serviceContext=x",
        "https://partner.example/#f",
    ] {
        assert!(TransferUrl::parse(bad).is_err(), "{bad}");
    }
    let context = ServiceContext::Account(AccountId::parse("AG-1").unwrap());
    let entry = TransferUrl::parse("https://partner.example/t?k=v").unwrap().for_entry(
        &AppId::parse("MP-1").unwrap(),
        &context,
        Some("https://a.example/?b"),
    );
    assert_eq!(
        entry,
        "https://partner.example/t?k=v&serviceProviderId=MP-1&serviceContext=eyJfdHlwZSI6ImFjY291bnQiLCJhY2NvdW50X2lkIjoiQUctMSJ9&nextUrl=https%3A%2F%2Fa.example%2F%3Fb"
    );
}

#[test]
fn domains_are_hosts_and_nothing_more() {
    for good in ["app.example.com", "localhost:3000", "127.0.0.1:8080", "[::1]:8080", "a.localhost"] {
        assert!(Domain::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "*.example.com",
        "com",
        "https://a.example",
        "a.example/",
        "a.example.",
        "u@a.example",
        "a.example?x",
        "a b.example",
        ".",
    ] {
        assert!(Domain::parse(bad).is_err(), "{bad}");
    }
    let local = [Domain::parse("localhost:3000").unwrap()];
    assert!(ReturnUrl::parse("http://localhost:3000/x", &local).is_ok());
    assert!(ReturnUrl::parse("http://localhost:3001/x", &local).is_err());
}
