//! `sso.v1` as JSON (contract `enter.md`, section 3): tolerant input, exact output, exact errors, and nothing of anybody
//! else's.

use super::oidc::scene::{SANDBOX, Scene};
use super::robot::{Make, Robot, refused};
use enter::account::PartnerUserId;
use enter::context::ServiceContext;
use enter::entry::NextUrl;
use kernel::{Actor, Time};
use serde_json::{Value, json};
use service::admin::accounts::AccountChange;
use service::admin::records::AuditSort;
use std::collections::BTreeSet;
use store::{Page, entry_codes};
use testkit::on_both;
use testkit::world::{Answer, World};
use url::Url;

const WITH_CODE: &str = "IdentityProvider/GetEntryURLWithCode";
const ENTRY_URL: &str = "IdentityProvider/GetEntryURL";

fn changed(mut body: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if *value == json!("(absent)") {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

fn code_of(entry_url: &str) -> String {
    let url = Url::parse(entry_url).unwrap();
    let (name, code) = url.query_pairs().next().unwrap();
    assert_eq!(name, "code", "the code is the first parameter: {entry_url}");
    code.into_owned()
}

/// The code as it is kept.
async fn kept(world: &World, code: &str) -> enter::entry::EntryCode {
    let key = enter::entry::EntryCode::key(code);
    entry_codes::arrival(world.db(), SANDBOX, &key, None).await.unwrap().unwrap().code
}

async fn codes_recorded(robot: &Robot) -> Vec<String> {
    let found =
        robot.world.service().refusals(Some(&robot.holder.organization), Time::from_seconds(0), 500).await;
    found.unwrap().into_iter().map(|record| record.code).collect()
}

fn gate(answer: &Answer) -> (u64, u16) {
    let (code, status, _) = refused(answer);
    (code, status)
}

on_both! {
    async fn an_entry_url_leads_to_our_door_with_a_code_that_is_kept_as_a_hash(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let next = "https://app.example/reports?month=3&x=a%20b+c";
        let body = changed(robot.entry(), &json!({
            "nextUrl": next,
            "backUrl": "https://portal.example/home",
            "backUrlText": "Zurück zum Portal",
            "federatedIdentityProvider": "Entra",
            "impersonatorUserId": "agent-7",
        }));
        let answer = robot.calls(WITH_CODE, &body).await;
        assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
        let entry_url = answer["entryUrl"].as_str().unwrap();
        assert!(entry_url.starts_with(&format!("{}/enter?code=vst_ec_", scene.url())), "{entry_url}");
        let url = Url::parse(entry_url).unwrap();
        let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(names, ["code", "nextUrl"]);
        assert_eq!(url.query_pairs().nth(1).unwrap().1, next);
        let code = code_of(entry_url);
        assert_eq!(code.len(), "vst_ec_".len() + enter::ids::SORTABLE + 43, "its time and 256 bits");
        let order = kept(&world, &code).await.order;
        assert_eq!(order.identity.partner, scene.partner.id);
        assert_eq!(order.identity.partner_user, PartnerUserId::parse("berta-2").unwrap());
        assert_eq!(order.context, ServiceContext::Account(scene.account.clone()));
        assert_eq!(order.partner_session, "their-session-7");
        assert_eq!(order.next_url.page().unwrap().as_str(), next);
        assert_eq!(order.back_url_text.as_deref(), Some("Zurück zum Portal"));
        assert_eq!(order.federated_identity_provider.as_deref(), Some("Entra"));
        assert_eq!(order.impersonator, Some(PartnerUserId::parse("agent-7").unwrap()));
        for row in world.rows("SELECT hash || ordered FROM entry_codes").await {
            let mut row = row;
            let text: String = row.take().unwrap();
            assert!(!text.contains(&code), "the code itself is nowhere");
        }
    }

    async fn a_call_that_is_repeated_makes_a_second_code(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let token = robot.token().await;
        let mut codes = BTreeSet::new();
        for _ in 0..20 {
            let answer = robot.asks(&token, WITH_CODE, &robot.entry()).await;
            codes.insert(code_of(answer.json()["entryUrl"].as_str().unwrap()));
        }
        assert_eq!(codes.len(), 20);
        assert_eq!(world.count("entry_codes WHERE redeemed_at IS NULL").await, 20);
    }

    async fn input_is_read_as_clients_in_the_field_write_it(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let token = robot.token().await;
        let (app, account) = (&scene.app.id, &scene.account);
        let good = [
            json!({ "serviceProviderId": app, "userId": "b", "context": { "account": { "accountId": account } } }),
            json!({ "service_provider_id": app, "user_id": "b", "context": { "account": { "account_id": account } } }),
            json!({ "serviceProviderId": app, "user_id": "b", "context": { "account": { "accountId": account }, "partner": null } }),
            json!({ "service_provider_id": app, "user_id": "b", "email": null, "session_id": null, "next_url": null,
                "back_url": null, "back_url_text": null, "federated_identity_provider": null,
                "impersonator_user_id": null, "context": { "account": { "account_id": account, "superadmin": null } } }),
            json!({ "serviceProviderId": app, "userId": "b", "nextUrl": "", "email": "", "unknown": { "a": [1] },
                "context": { "account": { "accountId": account, "account_id": null } } }),
        ];
        for body in good {
            let answer = robot.asks(&token, WITH_CODE, &body).await;
            assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        }
        let body = robot.entry();
        let plain = robot.asks(&token, WITH_CODE, &body).without_header("content-type").await;
        assert_eq!(plain.status, 200, "a missing content type means JSON");
        for kind in ["application/json; charset=utf-8", "APPLICATION/JSON"] {
            assert_eq!(robot.asks(&token, WITH_CODE, &body).header("content-type", kind).await.status, 200);
        }
        for spelling in ["superadmin", "super_admin", "superAdmin"] {
            for empty in [json!({}), json!([])] {
                let body = changed(robot.entry(), &json!({ "context": { spelling: empty } }));
                let (code, status, message) = refused(&robot.asks(&token, WITH_CODE, &body).await);
                assert_eq!((code, status), (7, 403), "{body}");
                assert!(message.starts_with("context: "), "{message}");
            }
        }
        let empty = robot.asks(&token, "IdentityProvider/Logout", &json!({})).body("application/json", "[]").await;
        assert_eq!(gate(&empty), (3, 400), "an empty message is read and found wanting");
    }

    async fn every_error_has_its_code_its_status_and_a_message_that_names_the_field(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let token = robot.token().await;
        let context = |context: Value| changed(robot.entry(), &json!({ "context": context }));
        let with = |changes: Value| changed(robot.entry(), &changes);
        let strange = "AG-UNKNOWN";
        for (method, body, code, status, field) in [
            (WITH_CODE, with(json!({ "serviceProviderId": "(absent)" })), 3, 400, "service_provider_id"),
            (WITH_CODE, with(json!({ "serviceProviderId": "../x" })), 3, 400, "service_provider_id"),
            (WITH_CODE, with(json!({ "serviceProviderId": 7 })), 3, 400, "service_provider_id"),
            (WITH_CODE, with(json!({ "serviceProviderId": "MP-UNKNOWN" })), 5, 404, "service_provider_id"),
            (WITH_CODE, with(json!({ "service_provider_id": scene.app.id })), 3, 400, "service_provider_id"),
            (WITH_CODE, with(json!({ "userId": "(absent)", "email": "(absent)" })), 3, 400, "user_id"),
            (WITH_CODE, with(json!({ "userId": "(absent)" })), 3, 400, "user_id"),
            (WITH_CODE, with(json!({ "userId": "a\u{0}b" })), 3, 400, "user_id"),
            (WITH_CODE, with(json!({ "userId": "x".repeat(256) })), 3, 400, "user_id"),
            (WITH_CODE, with(json!({ "sessionId": "x".repeat(256) })), 3, 400, "session_id"),
            (WITH_CODE, with(json!({ "context": "(absent)" })), 3, 400, "context"),
            (WITH_CODE, context(json!({})), 3, 400, "context"),
            (WITH_CODE, context(json!("x")), 3, 400, "context"),
            (WITH_CODE, context(json!({ "account": { "accountId": "" } })), 3, 400, "context.account.account_id"),
            (WITH_CODE, context(json!({ "account": { "accountId": strange } })), 5, 404, "context.account.account_id"),
            (WITH_CODE, context(json!({ "partner": { "partnerId": "PT-OTHER" } })), 7, 403, "context.partner.partner_id"),
            (WITH_CODE, context(json!({ "account": { "accountId": strange }, "partner": { "partnerId": "PT" } })), 3, 400, "context"),
            (WITH_CODE, with(json!({ "nextUrl": "https://evil.example/" })), 3, 400, "next_url"),
            (WITH_CODE, with(json!({ "nextUrl": "javascript:alert(1)" })), 3, 400, "next_url"),
            (WITH_CODE, with(json!({ "nextUrl": "https://app.example@evil.example/" })), 3, 400, "next_url"),
            (WITH_CODE, with(json!({ "backUrlText": "x".repeat(256) })), 3, 400, "back_url_text"),
            (ENTRY_URL, with(json!({ "path": "//evil.example" })), 3, 400, "path"),
            (ENTRY_URL, with(json!({ "path": "/\\evil.example" })), 3, 400, "path"),
            (ENTRY_URL, with(json!({ "path": "reports" })), 3, 400, "path"),
            ("IdentityProvider/Logout", json!({}), 3, 400, "session_id"),
            ("IdentityProvider/Logout", json!({ "sessionId": "a", "userId": "b" }), 3, 400, "session_id"),
            ("IdentityProvider/GetMultiEntryURL", json!({}), 3, 400, "service_provider_ids"),
            ("ServiceProvider/GetLogoutURL", json!({ "serviceProviderId": scene.app.id, "nextUrl": "https://evil.example/" }), 3, 400, "next_url"),
        ] {
            let answer = robot.asks(&token, method, &body).await;
            let (seen, seen_status, message) = refused(&answer);
            assert_eq!((seen, seen_status), (code, status), "{method} {body}: {message}");
            assert!(message.starts_with(&format!("{field}: ")), "{method} {body}: {message}");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
        assert_eq!(world.count("entry_codes").await, 0);
        assert_eq!(codes_recorded(&robot).await.len(), 28, "each is written down for the partner's engineer");
    }

    async fn a_request_that_is_not_one_is_refused_clearly(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let token = robot.token().await;
        for body in ["{", "7", "\"x\"", "[1]", "{\"a\":1}{", "{\"userId\":\"a\",\"userId\":\"b\"}"] {
            let answer = robot.asks(&token, WITH_CODE, &json!({})).body("application/json", body).await;
            assert_eq!(gate(&answer), (3, 400), "{body}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(gate(&robot.asks(&token, WITH_CODE, &json!({})).body("application/json", deep).await), (3, 400));
        let huge = json!({ "userId": "x".repeat(1 << 20) });
        assert_eq!(gate(&robot.asks(&token, WITH_CODE, &huge).await), (3, 400));
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/grpc-web", "multipart/form-data"] {
            let (code, status, message) =
                refused(&robot.asks(&token, WITH_CODE, &robot.entry()).header("content-type", kind).await);
            assert_eq!((code, status), (3, 400), "{kind}");
            assert!(message.starts_with("content-type: "), "{message}");
        }
        for unknown in ["IdentityProvider/GetEverything", "Nobody/GetEntryURL"] {
            assert_eq!(gate(&robot.asks(&token, unknown, &json!({})).await), (12, 501), "{unknown}");
        }
        let get = scene.caller.ask(reqwest::Method::GET, &format!("/sso.v1.{ENTRY_URL}")).await;
        assert_eq!(get.status, 405);
        for (about, ask) in [
            ("none", robot.asks(&token, ENTRY_URL, &robot.entry()).without_header("authorization")),
            ("not ours", robot.asks("x.y.z", ENTRY_URL, &robot.entry())),
            ("another scheme", robot.asks(&token, ENTRY_URL, &robot.entry()).header("authorization", "Basic eDp5")),
            ("two", robot.asks(&token, ENTRY_URL, &robot.entry()).and_header("authorization", &format!("Bearer {token}"))),
            ("an assertion", robot.asks(&robot.assertion(), ENTRY_URL, &robot.entry())),
            ("a changed one", robot.asks(&format!("{token}x"), ENTRY_URL, &robot.entry())),
        ] {
            let answer = ask.await;
            let (code, status, message) = refused(&answer);
            assert_eq!((code, status), (16, 401), "{about}");
            assert!(message.starts_with("authorization: "), "{about}: {message}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let client = scene.web().await;
        let user = scene.tokens(&client).await;
        for kind in ["access_token", "id_token", "refresh_token"] {
            let Some(theirs) = user[kind].as_str() else { continue };
            assert_eq!(gate(&robot.asks(theirs, ENTRY_URL, &robot.entry()).await), (16, 401), "a user's {kind}");
        }
        world.pass_seconds(31 * 60);
        assert_eq!(gate(&robot.asks(&token, ENTRY_URL, &robot.entry()).await), (16, 401), "it ends");
    }

    async fn a_partner_touches_nothing_of_anothers(world: World) {
        let (acme, other) = (Scene::named(&world, "acme").await, Scene::named(&world, "other").await);
        let (robot, stranger) = (Robot::of(&acme).await, Robot::of(&other).await);
        let token = stranger.token().await;
        let theirs = robot.entry();
        let (code, status, message) = refused(&stranger.asks(&token, WITH_CODE, &theirs).await);
        assert_eq!((code, status), (5, 404));
        let unknown = changed(theirs.clone(), &json!({ "context": { "account": { "accountId": "AG-NOBODY" } } }));
        let nobody = refused(&stranger.asks(&token, WITH_CODE, &unknown).await);
        assert_eq!((code, status, message), nobody, "another's account looks like one that is not there");
        for method in [ENTRY_URL, "IdentityProvider/GetMultiEntryURL"] {
            let body = changed(theirs.clone(), &json!({ "serviceProviderIds": [acme.app.id] }));
            assert_eq!(gate(&stranger.asks(&token, method, &body).await), (5, 404), "{method}");
        }
        let body = json!({ "serviceProviderId": acme.app.id, "context": robot.context() });
        assert_eq!(gate(&stranger.asks(&token, "ServiceProvider/GetSessionTransferURL", &body).await), (7, 403));
        assert_eq!(gate(&stranger.asks(&token, "ServiceProvider/GetLogoutURL", &body).await), (7, 403));
        for body in [json!({ "sessionId": acme.session.partner_session }), json!({ "userId": "anna-1" })] {
            let answer = stranger.asks(&token, "IdentityProvider/Logout", &body).await;
            assert_eq!((answer.status, answer.json()), (200, json!({})));
        }
        assert_eq!(world.count("sessions WHERE ended_at IS NULL").await, 1, "only their own session has ended");
        let alive = acme.session.id.as_str();
        assert_eq!(world.count(&format!("sessions WHERE ended_at IS NULL AND id = '{alive}'")).await, 1);
        // Any partner may enter an app that is active for its own account, whoever's the app is.
        let body = changed(stranger.entry(), &json!({ "serviceProviderId": acme.app.id }));
        assert_eq!(gate(&stranger.asks(&token, WITH_CODE, &body).await), (9, 412), "it is not active for it");
    }

    async fn lesson_24_an_address_alone_names_a_user_only_where_it_is_certain(world: World) {
        let (acme, other) = (Scene::named(&world, "acme").await, Scene::named(&world, "other").await);
        let (robot, _) = (Robot::of(&acme).await, Robot::of(&other).await);
        let token = robot.token().await;
        let by_mail = |mail: &str| changed(robot.entry(), &json!({ "userId": null, "email": mail }));
        let (code, _, message) = refused(&robot.asks(&token, WITH_CODE, &by_mail("anna@example.com")).await);
        assert_eq!(code, 3, "with just-in-time users an address says nothing");
        assert!(message.starts_with("user_id: "), "{message}");
        let partner = world.service().partner(&robot.holder, &acme.partner.id).await.unwrap();
        let mut configuration = enter::sso::IdentityProviderConfiguration::of(&partner.noun, partner.revision);
        configuration.just_in_time = false;
        world.service().change_partner(&Actor::Operator, &robot.holder, &acme.partner.id, configuration).await.unwrap();
        let answer = robot.asks(&token, WITH_CODE, &by_mail("anna@example.com")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let code = code_of(answer.json()["entryUrl"].as_str().unwrap());
        assert_eq!(kept(&world, &code).await.order.identity, acme.person.identity);
        for other in ["Anna@example.com", "anna@EXAMPLE.com", "аnna@example.com", "anna@example.com ", "nobody@example.com"] {
            let (code, status, message) = refused(&robot.asks(&token, WITH_CODE, &by_mail(other)).await);
            assert_eq!((code, status), (3, 400), "{other}");
            assert!(message.starts_with("email: "), "{message}");
        }
        // An id that looks like one of ours is the partner's own all the same.
        let body = changed(robot.entry(), &json!({ "userId": acme.person.id }));
        let answer = robot.calls(WITH_CODE, &body).await;
        let code = code_of(answer["entryUrl"].as_str().unwrap());
        assert_eq!(kept(&world, &code).await.order.identity.partner_user.as_str(), acme.person.id.as_str());
    }

    async fn a_back_url_of_somebody_else_is_dropped_and_recorded(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        for (back_url, is_kept) in [
            ("https://portal.example/back", true),
            ("https://app.example/", true),
            ("https://evil.example/", false),
            ("javascript:alert(1)", false),
            ("http://portal.example/", false),
            ("https://portal.example.evil.example/", false),
            ("https://portal.example@evil.example/", false),
            ("//portal.example/", false),
        ] {
            let before = codes_recorded(&robot).await.len();
            let body = changed(robot.entry(), &json!({ "backUrl": back_url, "backUrlText": "Back" }));
            let answer = robot.calls(WITH_CODE, &body).await;
            let code = code_of(answer["entryUrl"].as_str().unwrap());
            let order = kept(&world, &code).await.order;
            assert_eq!(matches!(order.back_url, enter::app::BackUrl::Kept(_)), is_kept, "{back_url}");
            let records = codes_recorded(&robot).await;
            assert_eq!(records.len() - before, usize::from(!is_kept), "{back_url}");
            assert!(is_kept || records[0].starts_with("return_url_"), "{records:?}");
        }
    }

    async fn our_own_next_url_keeps_its_nonce_with_the_code(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let nonce = "n".repeat(43);
        let ours = format!("{}/enter/continue?pending={nonce}", scene.url());
        let answer = robot.calls(WITH_CODE, &changed(robot.entry(), &json!({ "next_url": ours }))).await;
        let entry_url = answer["entryUrl"].as_str().unwrap();
        let order = kept(&world, &code_of(entry_url)).await.order;
        assert!(matches!(&order.next_url, NextUrl::Pending(kept) if kept.as_str() == nonce));
        for spoilt in [
            format!("{ours}&x=1"),
            format!("https://evil.example/enter/continue?pending={nonce}"),
            format!("{}/enter/continue?pending=short", scene.url()),
        ] {
            let body = changed(robot.entry(), &json!({ "next_url": spoilt }));
            assert_eq!(robot.refused(WITH_CODE, &body).await.0, 3, "{spoilt}");
        }
    }

    async fn entry_urls_without_a_code_are_permalinks(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let account = scene.account.as_str();
        let one = async |changes: Value| {
            let answer = robot.calls(ENTRY_URL, &changed(robot.entry(), &changes)).await;
            answer["entryUrl"].as_str().unwrap().to_owned()
        };
        assert_eq!(one(json!({})).await, format!("https://app.example/enter/{account}"));
        assert_eq!(
            one(json!({ "path": "/reports/{{accountId}}?p={{partnerId}}" })).await,
            format!("https://app.example/reports/{account}?p={}", scene.partner.id)
        );
        let both = json!({ "serviceProviderIds": [scene.app.id, scene.app.id], "context": robot.context() });
        let answer = robot.calls("IdentityProvider/GetMultiEntryURL", &both).await;
        let expected = format!("https://app.example/enter/{account}");
        assert_eq!(answer, json!({ "entryUrls": [expected, expected] }));
        let wrong = json!({ "serviceProviderIds": [scene.app.id, "MP-GONE"], "context": robot.context() });
        let (code, _, message) = robot.refused("IdentityProvider/GetMultiEntryURL", &wrong).await;
        assert_eq!(code, 5);
        assert!(message.contains("MP-GONE"), "{message}");
        let without = json!({ "serviceProviderIds": [scene.app.id] });
        assert_eq!(robot.refused("IdentityProvider/GetMultiEntryURL", &without).await.0, 3, "it needs an account");
        assert_eq!(world.count("entry_codes").await, 0);
    }

    async fn an_apps_backend_learns_where_to_send_a_browser(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let body = json!({ "serviceProviderId": scene.app.id, "context": robot.context() });
        let answer = robot.calls("ServiceProvider/GetSessionTransferURL", &body).await;
        let url = Url::parse(answer["sessionTransferUrl"].as_str().unwrap()).unwrap();
        assert!(url.as_str().starts_with("https://portal.example/sso?serviceProviderId="), "{url}");
        let sent = url.query_pairs().find(|(name, _)| name == "serviceContext").unwrap().1.into_owned();
        let expected = ServiceContext::Account(scene.account.clone());
        assert_eq!(ServiceContext::parse(&sent), Ok(expected.clone()));
        assert!(url.as_str().ends_with(&format!("&serviceContext={}", expected.query_value())), "{url}");
        let body = json!({ "serviceProviderId": scene.app.id, "context": { "partner": { "partnerId": scene.partner.id } } });
        robot.calls("ServiceProvider/GetSessionTransferURL", &body).await;
        let next = json!({ "serviceProviderId": scene.app.id, "nextUrl": "https://app.example/bye" });
        let answer = robot.calls("ServiceProvider/GetLogoutURL", &next).await;
        let url = answer["logoutUrl"].as_str().unwrap();
        assert!(url.starts_with(&format!("{}/oauth2/logout?", scene.url())), "{url}");
        // Whom nobody has signed in is sent on at once; what was changed on the way leads nowhere (lesson 25).
        let gone = scene.caller.get(url).await;
        assert_eq!((gone.status, gone.location()), (303, "https://app.example/bye"));
        let own = "https%3A%2F%2Fapp.example%2Fbye";
        assert!(url.contains(own), "{url}");
        for other in ["https%3A%2F%2Fevil.example%2F", "javascript%3Aalert(1)", "%2F%2Fevil.example", "https%3A%2F%2Fapp.example%40evil.example"] {
            let spoilt = scene.caller.get(&url.replace(own, other)).await;
            assert_eq!((spoilt.status, spoilt.header("location")), (400, ""), "{other}");
        }
    }

    async fn nobody_enters_what_is_switched_off_or_not_active(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let (service, actor) = (world.service(), Actor::Operator);
        let new = AccountChange { name: Some("Second".to_owned()), ..AccountChange::default() };
        let second = service.create_account(&actor, &robot.holder, &scene.partner.id, None, new).await.unwrap();
        let other = changed(robot.entry(), &json!({ "context": { "account": { "accountId": second.id } } }));
        let (code, status, message) = robot.refused(WITH_CODE, &other).await;
        assert_eq!((code, status), (9, 412));
        assert!(message.contains("not active"), "{message}");
        service.activate_app(&actor, &robot.holder, &scene.app.id, &second.id, true).await.unwrap();
        robot.calls(WITH_CODE, &other).await;
        let off = AccountChange { disabled: Some(true), ..AccountChange::default() };
        service.change_account(&actor, &robot.holder, &second.id, off).await.unwrap();
        assert_eq!(robot.refused(WITH_CODE, &other).await.0, 9);
        let app = service.app(&robot.holder, &scene.app.id).await.unwrap();
        let mut configuration = enter::sso::ServiceProviderConfiguration::of(&app.noun, app.revision);
        configuration.disabled = true;
        service.change_app(&actor, &robot.holder, &scene.app.id, configuration).await.unwrap();
        assert_eq!(robot.refused(WITH_CODE, &robot.entry()).await.0, 9);
    }

    async fn an_organization_administers_its_own_by_program(world: World) {
        let (scene, foreign) = (Scene::named(&world, "acme").await, Scene::named(&world, "other").await);
        let scopes = &["apps:write", "partner:write"];
        let robot = Robot::made(&scene, Make { scopes, ..Make::default() }).await;
        let app = json!({ "serviceProvider": {
            "serviceProviderId": "MP-NEW",
            "name": "New",
            "entryUrl": "https://new.example/{{accountId}}",
            "primaryDomain": "new.example",
            "openToAll": true,
        } });
        let made = robot.calls("ServiceProviderAdmin/CreateServiceProvider", &app).await["serviceProvider"].clone();
        assert_eq!((&made["serviceProviderId"], &made["openToAll"]), (&json!("MP-NEW"), &json!(true)));
        assert_eq!(robot.refused("ServiceProviderAdmin/CreateServiceProvider", &app).await.0, 6, "the id is taken");
        let get = "ServiceProviderAdmin/GetServiceProvider";
        assert_eq!(robot.calls(get, &json!({ "service_provider_id": "MP-NEW" })).await["serviceProvider"], made);
        assert_eq!(robot.refused(get, &json!({ "serviceProviderId": foreign.app.id })).await.0, 5, "another's");
        let changed_app = changed(made.clone(), &json!({ "name": "Newer" }));
        let update = "ServiceProviderAdmin/UpdateServiceProvider";
        let newer = robot.calls(update, &json!({ "serviceProvider": changed_app })).await["serviceProvider"].clone();
        assert_eq!(newer["name"], "Newer");
        let stale = robot.refused(update, &json!({ "serviceProvider": changed_app })).await;
        assert_eq!((stale.0, stale.1), (9, 412), "{}", stale.2);

        let client = json!({ "client": { "serviceProviderId": "MP-NEW", "redirectUris": ["https://new.example/cb"], "scopes": ["openid"] } });
        let made = robot.calls("ServiceProviderAdmin/CreateClient", &client).await;
        assert!(made["clientSecret"].as_str().unwrap().len() > 40, "{made}");
        let id = json!({ "clientId": made["client"]["clientId"] });
        let read = robot.calls("ServiceProviderAdmin/GetClient", &id).await;
        assert!(!read.to_string().contains(made["clientSecret"].as_str().unwrap()), "shown once");
        assert_ne!(robot.calls("ServiceProviderAdmin/CreateClientSecret", &id).await["clientSecret"], made["clientSecret"]);
        let listed = robot.calls("ServiceProviderAdmin/ListClients", &json!({ "serviceProviderId": "MP-NEW" })).await;
        assert_eq!(listed["clients"].as_array().unwrap().len(), 1);
        let page = robot.calls("ServiceProviderAdmin/ListServiceProviders", &json!({ "pageSize": 1 })).await;
        assert_eq!(page["serviceProviders"].as_array().unwrap().len(), 1);
        let rest = json!({ "pageSize": 1, "pageToken": page["nextPageToken"] });
        let rest = robot.calls("ServiceProviderAdmin/ListServiceProviders", &rest).await;
        assert_eq!(rest["nextPageToken"], "");
        assert_ne!(rest["serviceProviders"], page["serviceProviders"]);
        assert_eq!(robot.calls("ServiceProviderAdmin/DeleteClient", &id).await, json!({}));
        assert_eq!(robot.refused("ServiceProviderAdmin/GetClient", &id).await.0, 5);
        robot.calls("ServiceProviderAdmin/DeleteServiceProvider", &json!({ "serviceProviderId": "MP-NEW" })).await;
        assert_eq!(robot.refused(get, &json!({ "serviceProviderId": "MP-NEW" })).await.0, 5);

        let own = robot.calls("IdentityProviderAdmin/GetIdentityProvider", &json!([])).await["identityProvider"].clone();
        assert_eq!(own["partnerId"], scene.partner.id.as_str());
        let moved = changed(own, &json!({ "sessionTransferUrl": "https://new.portal.example/sso" }));
        let answer = robot.calls("IdentityProviderAdmin/UpdateIdentityProvider", &json!({ "identityProvider": moved })).await;
        assert_eq!(answer["identityProvider"]["sessionTransferUrl"], "https://new.portal.example/sso");
        let theirs = json!({ "partnerId": foreign.partner.id });
        assert_eq!(robot.refused("IdentityProviderAdmin/GetIdentityProvider", &theirs).await.0, 5);
        assert_eq!(robot.refused("IdentityProviderAdmin/DeleteIdentityProvider", &theirs).await.0, 5);
        let newest = Page::newest(100).by(AuditSort::Date);
        let audit = world.service().audit(Some(&robot.holder.organization), Time::from_seconds(0), newest).await.unwrap().rows;
        let by_robot = audit.iter().filter(|entry| format!("{entry:?}").contains(&robot.email)).count();
        assert!(by_robot >= 6, "{by_robot} of {}", audit.len());
    }

    async fn lesson_22_no_header_changes_an_entry_url(world: World) {
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let token = robot.token().await;
        for (name, value) in [
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "host=evil.example;proto=https"),
            ("x-original-host", "evil.example"),
        ] {
            let answer = robot.asks(&token, WITH_CODE, &robot.entry()).header(name, value).await;
            let entry_url = answer.json()["entryUrl"].as_str().unwrap().to_owned();
            assert!(entry_url.starts_with(&format!("{}/enter?code=", scene.url())), "{name}: {entry_url}");
        }
        let elsewhere = robot.asks(&token, WITH_CODE, &robot.entry()).header("host", "evil.example").await;
        assert_eq!(elsewhere.status, 421);
    }
}
