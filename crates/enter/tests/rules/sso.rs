//! `sso.v1`: tolerant reading, exact writing, refusals, and the same names as the .proto file.

use crate::people::{NOW, account, app, issuer, partner, person};
use enter::account::Account;
use enter::app::{BackUrl, SignIn};
use enter::context::ServiceContext;
use enter::entry::{NextUrl, Who};
use enter::ids::{AccountId, AppId, PartnerId};
use enter::oidc::Authentication;
use enter::sso::json::{Message, camel, read, write};
use enter::sso::*;
use kernel::{Environment, Hashed, Time};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn parsed<T: Message>(value: &Value) -> Result<T, Refused> {
    read(value.to_string().as_bytes())
}

fn with_context(context: &Value) -> Result<Context, Refused> {
    parsed::<GetEntryUrlRequest>(&json!({ "context": context })).map(|request| request.context)
}

fn in_account(id: &str) -> ServiceContext {
    ServiceContext::Account(AccountId::parse(id).unwrap())
}

#[test]
fn every_spelling_of_the_field_is_read() {
    let snake = json!({
        "service_provider_id": "MP-1", "session_id": "s", "user_id": "u", "email": null, "next_url": "n",
        "context": { "account": { "account_id": "AG-1" } }, "back_url": "b", "back_url_text": "t",
        "federated_identity_provider": "f", "impersonator_user_id": "i", "unknown": { "deep": [1] },
    });
    let camel_case = json!({
        "serviceProviderId": "MP-1", "sessionId": "s", "userId": "u", "nextUrl": "n",
        "context": { "account": { "accountId": "AG-1" }, "partner": null }, "backUrl": "b", "backUrlText": "t",
        "federatedIdentityProvider": "f", "impersonatorUserId": "i",
    });
    let text = |text: &str| text.to_owned();
    let expected = GetEntryUrlWithCodeRequest {
        service_provider_id: text("MP-1"),
        session_id: text("s"),
        user_id: text("u"),
        email: String::new(),
        context: Context::Account(text("AG-1")),
        next_url: text("n"),
        back_url: text("b"),
        back_url_text: text("t"),
        federated_identity_provider: text("f"),
        impersonator_user_id: text("i"),
    };
    assert_eq!(parsed::<GetEntryUrlWithCodeRequest>(&snake).unwrap(), expected);
    assert_eq!(parsed::<GetEntryUrlWithCodeRequest>(&camel_case).unwrap(), expected);
    assert_eq!(write(&expected)["context"], json!({ "account": { "accountId": "AG-1" } }));
}

#[test]
fn contexts_as_clients_in_the_field_write_them() {
    for top in ["superadmin", "super_admin", "superAdmin"] {
        for empty in [json!({}), json!([]), json!({ "x": 1 })] {
            assert_eq!(with_context(&json!({ top: empty })).unwrap(), Context::SuperAdmin, "{top}");
        }
        assert_eq!(with_context(&json!({ top: null })).unwrap(), Context::Unset);
    }
    assert_eq!(with_context(&json!([])).unwrap(), Context::Unset);
    assert_eq!(with_context(&Value::Null).unwrap(), Context::Unset);
    assert_eq!(
        with_context(&json!({ "partner": { "partnerId": "P1" } })).unwrap(),
        Context::Partner("P1".to_owned())
    );
    assert_eq!(with_context(&json!({ "account": [] })).unwrap(), Context::Account(String::new()));
    for two in [
        json!({ "account": { "account_id": "AG-1" }, "partner": { "partner_id": "P1" } }),
        json!({ "account": {}, "superadmin": [] }),
        json!({ "super_admin": {}, "superAdmin": {} }),
    ] {
        assert_eq!(with_context(&two).unwrap_err().code, Code::InvalidArgument, "{two}");
    }
    let code = |context: Context| context.check().unwrap_err().code;
    assert_eq!(code(Context::Unset), Code::InvalidArgument);
    assert_eq!(code(Context::SuperAdmin), Code::PermissionDenied);
    assert_eq!(code(Context::Account(String::new())), Code::InvalidArgument);
    assert_eq!(code(Context::Partner("../x".to_owned())), Code::InvalidArgument);
}

#[test]
fn wrong_types_are_refused_by_name() {
    let told = |body: Value| parsed::<GetEntryUrlRequest>(&body).unwrap_err();
    for (body, message) in [
        (json!({ "serviceProviderId": 7 }), "service_provider_id: must be a string"),
        (json!({ "path": ["x"] }), "path: must be a string"),
        (
            json!({ "skip_gateway_authentication": "true" }),
            "skip_gateway_authentication: must be true or false",
        ),
        (json!({ "context": "x" }), "context: must be an object"),
        (json!({ "context": [1] }), "context: must be an object"),
        (json!({ "context": { "account": "AG-1" } }), "context.account: must be an object"),
        (
            json!({ "context": { "account": { "accountId": 1 } } }),
            "context.account.account_id: must be a string",
        ),
        (json!({ "context": { "superadmin": true } }), "context.super_admin: must be an object"),
        (
            json!({ "path": "a", "serviceProviderId": "a", "service_provider_id": "a" }),
            "service_provider_id: stands there twice, in two spellings; send it once",
        ),
    ] {
        assert_eq!(told(body.clone()).message, message, "{body}");
    }
    for bad in ["", " ", "null", "[]", "{}"] {
        assert_eq!(
            read::<GetEntryUrlRequest>(bad.as_bytes()).unwrap(),
            GetEntryUrlRequest::default(),
            "{bad}"
        );
    }
    let deep = "[".repeat(10_000);
    for bad in ["{", "7", "\"x\"", "[1]", r#"{"path":"a","path":"b"}"#, "\u{feff}{}", &deep] {
        let refused = read::<GetEntryUrlRequest>(bad.as_bytes()).unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument);
        assert!(refused.message.len() < 200);
    }
    let many = |ids: Value| parsed::<GetMultiEntryUrlRequest>(&json!({ "serviceProviderIds": ids }));
    assert_eq!(many(json!(["MP-1", "MP-2"])).unwrap().service_provider_ids.len(), 2);
    assert_eq!(many(json!(["MP-1", null])).unwrap_err().message, "service_provider_ids: must be a string");
    assert_eq!(many(json!("MP-1")).unwrap_err().message, "service_provider_ids: must be a list");
}

#[test]
fn a_missing_content_type_means_json() {
    for json in [None, Some(""), Some("application/json"), Some("Application/JSON; charset=utf-8")] {
        assert_eq!(Encoding::of(json), Some(Encoding::Json), "{json:?}");
    }
    for grpc in ["application/grpc", "application/grpc+proto"] {
        assert_eq!(Encoding::of(Some(grpc)), Some(Encoding::Grpc));
    }
    for other in
        ["text/html", "application/grpc-web", "application/x-www-form-urlencoded", "application/jsonx"]
    {
        assert_eq!(Encoding::of(Some(other)), None, "{other}");
    }
}

#[test]
fn codes_have_the_statuses_of_the_contract() {
    let contract = [
        (3, 400),
        (16, 401),
        (7, 403),
        (5, 404),
        (4, 408),
        (6, 409),
        (9, 412),
        (8, 429),
        (12, 501),
        (1, 503),
        (10, 503),
        (14, 503),
    ];
    for code in Code::ALL {
        let stated = contract.iter().find(|(number, _)| *number == code.number());
        assert_eq!(code.status(), stated.map_or(500, |(_, status)| *status), "{code:?}");
    }
    let refused = Refused::field("user_id", "missing");
    assert_eq!(refused.body().to_string(), r#"{"code":3,"message":"user_id: missing","details":[]}"#);
}

#[test]
fn answers_are_camel_case() {
    let text = write(&GetEntryUrlWithCodeResponse { entry_url: "https://a.example/?code=x".to_owned() });
    assert_eq!(text.to_string(), r#"{"entryUrl":"https://a.example/?code=x"}"#);
    assert_eq!(write(&GetMultiEntryUrlResponse { entry_urls: vec![] }).to_string(), r#"{"entryUrls":[]}"#);
    assert_eq!(write(&Empty {}).to_string(), "{}");
    assert_eq!(camel("id_token_signed_response_alg"), "idTokenSignedResponseAlg");
}

fn order_of(request: &GetEntryUrlWithCodeRequest) -> Result<enter::entry::Order, Refused> {
    let target = request.check()?;
    request.order(target, person("P1", "anna", None).identity, &partner("P1"), &app("MP-1"), &issuer())
}

fn asks() -> GetEntryUrlWithCodeRequest {
    GetEntryUrlWithCodeRequest {
        service_provider_id: "MP-1".to_owned(),
        session_id: "s-9".to_owned(),
        user_id: "änna/1 ".to_owned(),
        context: Context::Account("AG-1".to_owned()),
        ..GetEntryUrlWithCodeRequest::default()
    }
}

#[test]
fn a_request_for_a_code_becomes_an_order() {
    let mut request = asks();
    request.next_url = "https://app.example.com/r?x=1".to_owned();
    request.back_url = "https://portal.partner.example/home".to_owned();
    request.back_url_text = "Zurück".to_owned();
    request.impersonator_user_id = "boss".to_owned();
    let order = order_of(&request).unwrap();
    assert_eq!((order.app.as_str(), order.context), ("MP-1", in_account("AG-1")));
    assert_eq!(order.partner_session, "s-9");
    assert!(matches!(order.next_url, NextUrl::Page(_)));
    assert!(matches!(order.back_url, BackUrl::Kept(_)));
    assert_eq!(order.back_url_text.as_deref(), Some("Zurück"));
    assert_eq!(order.impersonator.unwrap().as_str(), "boss");
    assert!(matches!(request.who(&partner("P1")).unwrap(), Who::ById(id) if id.as_str() == "änna/1 "));
    // Without a session id, and with a back_url that leads elsewhere, the entry goes on.
    request.session_id.clear();
    request.back_url = "javascript:alert(1)".to_owned();
    assert!(matches!(order_of(&request).unwrap().back_url, BackUrl::Dropped(_)));
}

#[test]
fn what_is_wrong_with_a_request_for_a_code_is_named() {
    let long = "x".repeat(400);
    type Change = fn(&mut GetEntryUrlWithCodeRequest, String);
    let changes: [(&str, Change, &str); 10] = [
        ("service_provider_id", |request, text| request.service_provider_id = text, ""),
        ("service_provider_id", |request, text| request.service_provider_id = text, "../x"),
        ("context.account.account_id", |request, text| request.context = Context::Account(text), ""),
        ("session_id", |request, text| request.session_id = text, &long),
        ("session_id", |request, text| request.session_id = text, "a\nb"),
        ("next_url", |request, text| request.next_url = text, "https://stranger.example/"),
        ("back_url_text", |request, text| request.back_url_text = text, &long),
        ("email", |request, text| request.email = text, "a\0@b"),
        ("federated_identity_provider", |request, text| request.federated_identity_provider = text, "a\tb"),
        ("impersonator_user_id", |request, text| request.impersonator_user_id = text, &long),
    ];
    for (field, change, text) in changes {
        let mut request = asks();
        change(&mut request, text.to_owned());
        let refused = order_of(&request).unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument, "{field}");
        assert!(refused.message.starts_with(&format!("{field}: ")), "{}", refused.message);
        assert!(!refused.message.contains("stranger.example/\"") && refused.message.len() < 300);
    }
    let nobody = GetEntryUrlWithCodeRequest { user_id: String::new(), ..asks() };
    let refused = nobody.who(&partner("P1")).unwrap_err();
    assert_eq!((refused.code, refused.message.split(':').next()), (Code::InvalidArgument, Some("user_id")));
}

/// Lesson 25's table, in small: `next_url` and `back_url` lead to nobody else.
#[test]
fn lesson_25_addresses_lead_to_the_apps_own_domains() {
    for bad in [
        "https://app.example.com.evil.example/",
        "https://app.example.com@evil.example/",
        "https://evil.example/?https://app.example.com/",
        "https:\\\\app.example.com\\",
        "//app.example.com/",
        "/\\evil.example",
        "https://app.example.com:444/",
        "http://app.example.com/",
        "javascript:alert(1)//app.example.com/",
        "https://app.example.com./",
        "https://APP.example.com%2eevil.example/",
        "\thttps://app.example.com/",
    ] {
        let mut request = asks();
        request.next_url = bad.to_owned();
        assert!(order_of(&request).is_err(), "{bad}");
        request.next_url = String::new();
        request.back_url = bad.to_owned();
        assert!(matches!(order_of(&request).unwrap().back_url, BackUrl::Dropped(_)), "{bad}");
        let logout = GetLogoutUrlRequest { service_provider_id: "MP-1".to_owned(), next_url: bad.to_owned() };
        assert!(logout.next(&app("MP-1")).unwrap_err().message.starts_with("next_url: "), "{bad}");
    }
}

#[test]
fn a_partner_names_only_what_is_its_own() {
    let own = |context: &ServiceContext, found: Option<&Account>| {
        check_own(context, &partner("P1"), found).map_err(|refused| refused.code)
    };
    let (mine, other) = (account("AG-1", "P1"), account("AG-1", "P2"));
    assert_eq!(own(&in_account("AG-1"), Some(&mine)), Ok(()));
    assert_eq!(own(&in_account("AG-1"), Some(&other)), Err(Code::NotFound));
    assert_eq!(own(&in_account("AG-1"), None), Err(Code::NotFound));
    assert_eq!(own(&in_account("AG-2"), Some(&mine)), Err(Code::NotFound));
    let off = Account { disabled: Some(NOW), ..mine };
    assert_eq!(own(&in_account("AG-1"), Some(&off)), Err(Code::FailedPrecondition));
    let context = |id: &str| ServiceContext::Partner(PartnerId::parse(id).unwrap());
    assert_eq!(own(&context("P1"), None), Ok(()));
    assert_eq!(own(&context("P2"), None), Err(Code::PermissionDenied));
    assert_eq!(own(&ServiceContext::SuperAdmin, None), Err(Code::PermissionDenied));
    // And the two refusals of an account say the same.
    let told = |found| check_own(&in_account("AG-1"), &partner("P1"), found).unwrap_err().message;
    assert_eq!(told(None), told(Some(&other)));
}

#[test]
fn permalinks() {
    let p1 = PartnerId::parse("P1").unwrap();
    let url = |context: &ServiceContext, path: &str| entry_url(&app("MP-1"), context, &p1, path);
    assert_eq!(url(&in_account("AG-1"), "").unwrap(), "https://app.example.com/enter/AG-1?a=1");
    assert_eq!(
        url(&in_account("AG-1"), "/reports/{{accountId}}?p={{partnerId}}").unwrap(),
        "https://app.example.com/reports/AG-1?p=P1"
    );
    let own = ServiceContext::Partner(p1.clone());
    assert_eq!(url(&own, "").unwrap_err().message.split(':').next(), Some("context"));
    for bad in ["//evil.example", "x", "/\\evil.example", "/a b", "https://evil.example"] {
        assert_eq!(
            url(&in_account("AG-1"), bad).unwrap_err().message.split(':').next(),
            Some("path"),
            "{bad}"
        );
    }
    let many = |ids: Vec<String>| {
        GetMultiEntryUrlRequest { service_provider_ids: ids, context: Context::Unset }.check()
    };
    let (apps, context) = many(vec!["MP-2".to_owned(), "MP-1".to_owned()]).unwrap();
    assert_eq!((apps[0].as_str(), apps[1].as_str(), context), ("MP-2", "MP-1", None));
    assert!(many(vec![]).is_err() && many(vec!["MP-1".to_owned(); MULTI_MOST + 1]).is_err());
}

#[test]
fn logout_is_of_a_session_or_a_user() {
    let leaving = |session: &str, user: &str| {
        LogoutRequest { session_id: session.to_owned(), user_id: user.to_owned() }.check()
    };
    assert_eq!(leaving("s", ""), Ok(Leaving::Session("s".to_owned())));
    assert!(matches!(leaving("", "U-1"), Ok(Leaving::User(id)) if id.as_str() == "U-1"));
    assert!(leaving("", "").is_err() && leaving("s", "u").is_err());
}

fn provider() -> ServiceProviderConfiguration {
    let body = json!({
        "name": "Reports", "entryUrl": "https://app.example.com/{{accountId}}", "primaryDomain": "app.example.com",
        "alternativeDomains": ["app.example.org"], "openIdConnect": { "initiateLoginUri": "https://app.example.com/in" },
        "preApprovedScopes": ["profile"], "openToAll": true, "logoutUrl": "https://app.example.com/out",
    });
    parsed(&body).unwrap()
}

fn app_of(provider: &ServiceProviderConfiguration) -> Result<enter::app::App, Refused> {
    let organization = app("MP-1").organization;
    provider.check(AppId::parse("MP-9").unwrap(), organization, Environment::Production, None, NOW)
}

#[test]
fn an_app_is_written_as_it_was_read() {
    let made = app_of(&provider()).unwrap();
    assert!(matches!(&made.sign_in, SignIn::OpenIdConnect { initiate_login_uri: Some(_) }));
    let shown = ServiceProviderConfiguration::of(&made, NOW);
    assert_eq!(app_of(&shown).unwrap(), made);
    assert_eq!(shown.revision, revision(NOW));
    assert_eq!(parsed::<ServiceProviderConfiguration>(&write(&shown)).unwrap(), shown);
    let older = ServiceProviderConfiguration {
        open_id_connect: None,
        session_url: Some(SessionUrl { session_url: "https://app.example.com/session".to_owned() }),
        ..provider()
    };
    let made = app_of(&older).unwrap();
    assert!(matches!(made.sign_in, SignIn::SessionUrl(_)));
    assert_eq!(app_of(&ServiceProviderConfiguration::of(&made, NOW)).unwrap(), made);
}

#[test]
fn what_is_wrong_with_an_app_is_named() {
    type Change = fn(&mut ServiceProviderConfiguration);
    let changes: [(&str, Change); 8] = [
        ("name", |app| app.name.clear()),
        ("entry_url", |app| app.entry_url = "https://evil.example/".to_owned()),
        ("primary_domain", |app| app.primary_domain = "*.example.com".to_owned()),
        ("alternative_domains", |app| app.alternative_domains = vec!["com/".to_owned()]),
        ("logout_url", |app| app.logout_url = "http://app.example.com".to_owned()),
        ("open_id_connect.initiate_login_uri", |app| {
            app.open_id_connect = Some(OpenIdConnect { initiate_login_uri: "javascript:x".to_owned() });
        }),
        ("session_url.session_url", |app| {
            app.open_id_connect = None;
            app.session_url = Some(SessionUrl::default());
        }),
        ("pre_approved_scopes", |app| app.pre_approved_scopes = vec!["admin".to_owned()]),
    ];
    for (field, change) in changes {
        let mut provider = provider();
        change(&mut provider);
        let refused = app_of(&provider).unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument);
        let named = format!("service_provider.{field}: ");
        assert!(refused.message.starts_with(&named), "{field}: {}", refused.message);
    }
    let both = ServiceProviderConfiguration { session_url: Some(SessionUrl::default()), ..provider() };
    assert!(app_of(&both).unwrap_err().message.contains("not both"));
}

#[test]
fn switching_off_keeps_its_moment() {
    let off = ServiceProviderConfiguration { disabled: true, ..provider() };
    let before = enter::app::App { disabled: Some(Time::from_seconds(5)), ..app("MP-1") };
    let update = |provider: &ServiceProviderConfiguration, before| {
        let (id, organization) = (AppId::parse("MP-1").unwrap(), app("MP-1").organization);
        provider.check(id, organization, Environment::Production, before, NOW).unwrap().disabled
    };
    assert_eq!(update(&off, None), Some(NOW));
    assert_eq!(update(&off, Some(&before)), Some(Time::from_seconds(5)));
    assert_eq!(update(&provider(), Some(&before)), None);
}

#[test]
fn a_client_shows_no_secret() {
    let body = json!({
        "name": "Web", "redirectUris": ["https://app.example.com/cb"], "scopes": ["openid", "email"],
        "idTokenSignedResponseAlg": "ES256",
    });
    let client: ClientConfiguration = parsed(&body).unwrap();
    let (registered, name) = client.check().unwrap();
    let secret = Hashed::from_stored("0123456789abcdef");
    let id = enter::ids::ClientId::parse("c1").unwrap();
    let made = registered.clone().into_client(id, AppId::parse("MP-1").unwrap(), vec![secret.clone()], None);
    assert_eq!(made.authentication, Authentication::Secret(vec![secret.clone()]));
    let shown = ClientConfiguration::of(&made, &name, NOW);
    assert!(!write(&shown).to_string().contains(secret.as_str()));
    assert_eq!(shown.check().unwrap(), (registered, name));
    let wrong = ClientConfiguration { redirect_uris: vec!["https://*.example.com".to_owned()], ..client };
    assert!(wrong.check().unwrap_err().message.starts_with("client.redirect_uris: "));
}

#[test]
fn a_partner_is_written_as_it_was_read() {
    let body = json!({
        "name": "Acme", "sessionTransferUrl": "https://acme.example/session-transfer",
        "domains": ["portal.acme.example"], "just_in_time": true,
    });
    let sent: IdentityProviderConfiguration = parsed(&body).unwrap();
    let made = |sent: &IdentityProviderConfiguration| {
        let organization = partner("P1").organization;
        sent.check(PartnerId::parse("P9").unwrap(), organization, Environment::Sandbox, None, NOW)
    };
    let partner = made(&sent).unwrap();
    assert_eq!(made(&IdentityProviderConfiguration::of(&partner, NOW)).unwrap(), partner);
    for (field, bad) in [
        ("name", IdentityProviderConfiguration { name: "a\nb".to_owned(), ..sent.clone() }),
        (
            "session_transfer_url",
            IdentityProviderConfiguration {
                session_transfer_url: "http://acme.example/".to_owned(),
                ..sent.clone()
            },
        ),
        ("domains", IdentityProviderConfiguration { domains: vec!["a b".to_owned()], ..sent }),
    ] {
        let refused = made(&bad).unwrap_err();
        assert!(refused.message.starts_with(&format!("identity_provider.{field}: ")), "{}", refused.message);
    }
}

#[test]
fn two_who_change_one_record_do_not_undo_each_other() {
    let check = |sent: &str| check_revision("client.revision", sent, NOW).map_err(|refused| refused.code);
    assert_eq!(check(&revision(NOW)), Ok(()));
    assert_eq!(check(""), Err(Code::InvalidArgument));
    assert_eq!(check(&revision(NOW.plus_seconds(1))), Err(Code::FailedPrecondition));
}

#[test]
fn pages_are_asked_for_by_an_id_and_nothing_else() {
    let page = |size, token: &str| Page::read(size, token, AppId::parse);
    assert_eq!(page(0, "").unwrap(), Page { most: 100, after: None });
    let token = page_token("MP-7");
    assert_eq!(page(500, &token).unwrap(), Page { most: 500, after: Some(AppId::parse("MP-7").unwrap()) });
    assert!(page(-1, "").is_err() && page(501, "").is_err());
    for forged in ["MP-7", "!", &page_token("' OR 1=1 --"), &format!("{token}=")] {
        assert_eq!(page(1, forged).unwrap_err().message.split(':').next(), Some("page_token"), "{forged}");
    }
}

#[test]
fn every_method_has_one_path_and_a_scope() {
    for method in Method::ALL {
        assert_eq!(Method::of_path(method.path()), Some(method));
        let admin = method.path().contains("Admin/");
        let entering = ["entry", "logout"].contains(&method.scope().as_str());
        assert_eq!(
            admin, !entering,
            "{method:?}: what a session-transfer endpoint needs changes no configuration"
        );
    }
    assert_eq!(Method::of_path("/sso.v1.IdentityProvider/getEntryURL"), None);
}

/// Services with their methods, and messages with their fields, of the published .proto file.
fn proto() -> (Vec<String>, BTreeMap<String, Vec<String>>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/proto/sso/v1/sso.proto");
    let text = std::fs::read_to_string(path).unwrap();
    let (mut methods, mut messages, mut open) =
        (Vec::new(), BTreeMap::<String, Vec<String>>::new(), Vec::new());
    for line in text.lines().map(|line| line.split("//").next().unwrap().trim()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [kind @ ("service" | "message" | "oneof"), name, rest @ ..] => {
                if *kind == "message" {
                    messages.entry((*name).to_owned()).or_default();
                }
                if rest.last() != Some(&"{}") {
                    open.push((*kind, (*name).to_owned()));
                }
            }
            ["rpc", call, ..] => {
                let (_, service) = open.last().unwrap();
                methods.push(format!("/sso.v1.{service}/{}", call.split('(').next().unwrap()));
            }
            ["}"] => drop(open.pop()),
            [.., name, "=", number] if !open.is_empty() => {
                assert!(number.trim_end_matches(';').parse::<u32>().is_ok(), "{line}");
                let message = open.iter().rfind(|(kind, _)| *kind == "message").unwrap();
                messages.get_mut(&message.1).unwrap().push((*name).to_owned());
            }
            _ => {}
        }
    }
    (methods, messages)
}

#[test]
fn methods_and_fields_are_those_of_the_proto_file() {
    let (methods, messages) = proto();
    assert_eq!(methods, Method::ALL.map(|method| method.path().to_owned()));
    fn of<T: Message>(name: &'static str) -> (&'static str, &'static [&'static str]) {
        (name, T::FIELDS)
    }
    let ours = [
        of::<AccountContext>("Account"),
        of::<PartnerContext>("Partner"),
        of::<Empty>("SuperAdmin"),
        of::<GetEntryUrlRequest>("GetEntryURLRequest"),
        of::<GetEntryUrlResponse>("GetEntryURLResponse"),
        of::<GetEntryUrlWithCodeRequest>("GetEntryURLWithCodeRequest"),
        of::<GetEntryUrlWithCodeResponse>("GetEntryURLWithCodeResponse"),
        of::<GetMultiEntryUrlRequest>("GetMultiEntryURLRequest"),
        of::<GetMultiEntryUrlResponse>("GetMultiEntryURLResponse"),
        of::<LogoutRequest>("LogoutRequest"),
        of::<GetSessionTransferUrlRequest>("GetSessionTransferURLRequest"),
        of::<GetSessionTransferUrlResponse>("GetSessionTransferURLResponse"),
        of::<GetLogoutUrlRequest>("GetLogoutURLRequest"),
        of::<GetLogoutUrlResponse>("GetLogoutURLResponse"),
        of::<OpenIdConnect>("OpenIdConnect"),
        of::<SessionUrl>("SessionUrl"),
        of::<ServiceProviderConfiguration>("ServiceProviderConfiguration"),
        of::<CreateServiceProviderRequest>("CreateServiceProviderRequest"),
        of::<GetServiceProviderResponse>("CreateServiceProviderResponse"),
        of::<GetServiceProviderRequest>("GetServiceProviderRequest"),
        of::<GetServiceProviderResponse>("GetServiceProviderResponse"),
        of::<ListServiceProvidersRequest>("ListServiceProvidersRequest"),
        of::<ListServiceProvidersResponse>("ListServiceProvidersResponse"),
        of::<UpdateServiceProviderRequest>("UpdateServiceProviderRequest"),
        of::<GetServiceProviderResponse>("UpdateServiceProviderResponse"),
        of::<DeleteServiceProviderRequest>("DeleteServiceProviderRequest"),
        of::<ClientConfiguration>("Client"),
        of::<CreateClientRequest>("CreateClientRequest"),
        of::<CreateClientResponse>("CreateClientResponse"),
        of::<GetClientRequest>("GetClientRequest"),
        of::<GetClientResponse>("GetClientResponse"),
        of::<ListClientsRequest>("ListClientsRequest"),
        of::<ListClientsResponse>("ListClientsResponse"),
        of::<UpdateClientRequest>("UpdateClientRequest"),
        of::<GetClientResponse>("UpdateClientResponse"),
        of::<DeleteClientRequest>("DeleteClientRequest"),
        of::<CreateClientSecretRequest>("CreateClientSecretRequest"),
        of::<CreateClientSecretResponse>("CreateClientSecretResponse"),
        of::<IdentityProviderConfiguration>("IdentityProviderConfiguration"),
        of::<CreateIdentityProviderRequest>("CreateIdentityProviderRequest"),
        of::<GetIdentityProviderResponse>("CreateIdentityProviderResponse"),
        of::<GetIdentityProviderRequest>("GetIdentityProviderRequest"),
        of::<GetIdentityProviderResponse>("GetIdentityProviderResponse"),
        of::<ListIdentityProvidersRequest>("ListIdentityProvidersRequest"),
        of::<ListIdentityProvidersResponse>("ListIdentityProvidersResponse"),
        of::<UpdateIdentityProviderRequest>("UpdateIdentityProviderRequest"),
        of::<GetIdentityProviderResponse>("UpdateIdentityProviderResponse"),
        of::<DeleteIdentityProviderRequest>("DeleteIdentityProviderRequest"),
    ];
    for (name, fields) in ours {
        let published = messages.get(name).unwrap_or_else(|| panic!("{name} is not in the .proto file"));
        let mut fields: Vec<&str> = fields.to_vec();
        let mut published: Vec<&str> = published.iter().map(String::as_str).collect();
        fields.sort_unstable();
        published.sort_unstable();
        assert_eq!(fields, published, "{name}");
    }
    let named: Vec<&str> = ours.iter().map(|(name, _)| *name).chain(["ServiceContext"]).collect();
    let missing: Vec<&String> = messages.keys().filter(|name| !named.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(user in "\\PC{0,20}", next in "[ -~]{0,20}", account in "\\PC{1,12}", kind in 0u8..4) {
        let context = match kind {
            0 => Context::Unset,
            1 => Context::Account(account),
            2 => Context::Partner(account),
            _ => Context::SuperAdmin,
        };
        let request = GetEntryUrlWithCodeRequest { user_id: user, next_url: next, context, ..asks() };
        prop_assert_eq!(parsed::<GetEntryUrlWithCodeRequest>(&write(&request)).unwrap(), request);
    }

    #[test]
    fn no_body_panics(body: Vec<u8>, text in "[{}\\[\\]\":,a-zA-Z_0-9]{0,80}") {
        let _ = read::<GetEntryUrlWithCodeRequest>(&body);
        let _ = read::<ServiceProviderConfiguration>(text.as_bytes());
    }
}
