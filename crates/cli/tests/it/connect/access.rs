//! What each caller has to prove, and what those see who prove nothing: other origins, other environments, other
//! hosts, and people who come too late.

use axum::http::Method;
use kernel::Environment;
use std::collections::BTreeSet;
use testkit::on_both;
use testkit::standins::STRIPE_KEY;
use testkit::world::{Ask, Dialog, Person, World};
use web::table::{Proof, Route};

fn filled(route: &Route, dialog: &str) -> String {
    let mut path = route
        .path
        .replace("{organization}", "acme")
        .replace("{connector}", "hubspot")
        .replace("{dialog}", dialog);
    path = path.replace("{name}", "hubspot").replace("{id}", "1");
    while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
        path.replace_range(from..=to, "x");
    }
    path
}

fn ask(person: &Person, route: &Route, path: &str) -> Ask {
    let method = reqwest::Method::from_bytes(route.method.as_str().as_bytes()).unwrap();
    person.ask(method, path).json()
}

/// Everything that a change could show in.
async fn counts(world: &World) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in [
        "dialogs",
        "attempts",
        "users",
        "tenants",
        "connections",
        "webhooks",
        "deliveries",
        "triggers",
        "audit",
    ] {
        counts.push(world.count(table).await);
    }
    counts
}

async fn ready(world: &World, person: &Person) -> Dialog {
    let acme = world.organization("acme").await;
    person.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await
}

const PROOFS: usize = 17;

on_both! {
    async fn every_route_refuses_who_does_not_prove_what_it_asks(world: World) {
        let anna = world.person();
        let dialog = ready(&world, &anna).await;
        // The first to ask has the signing keys made, which is written down.
        assert_eq!(anna.get("/oauth2/v1/certs").await.status, 200);
        let before = counts(&world).await;
        let mut proofs = BTreeSet::new();
        let mut tried = 0;
        for route in web::routes() {
            let about = format!("{} {}", route.method, route.path);
            proofs.insert(std::mem::discriminant(&route.proof).hash_text());
            let nobody = "A".repeat(43);
            let expected = match route.proof {
                Proof::Nothing => None,
                Proof::TenantToken => Some((filled(&route, ""), 401)),
                Proof::DialogBearer => Some((filled(&route, &nobody), 410)),
                // With a dialog that is there, but without an `Origin`.
                Proof::DialogBearerAndOrigin => Some((filled(&route, dialog.bearer()), 403)),
                Proof::StartTicket => Some((filled(&route, ""), 410)),
                Proof::StateAndCookie => Some((filled(&route, ""), 400)),
                Proof::WebhookSecret => Some((filled(&route, ""), 404)),
                Proof::ApiKey(_) => Some((filled(&route, ""), 403)),
                Proof::UserToken(_) | Proof::ServiceToken(_) | Proof::RunToken => Some((filled(&route, ""), 401)),
                Proof::SignedLink => Some((filled(&route, ""), 403)),
                Proof::Assertion => Some((filled(&route, ""), 400)),
                Proof::OwnCookieAndOrigin => Some((filled(&route, ""), 403)),
                // They answer nobody in words of their own, which are tested where they belong.
                Proof::Client | Proof::EntryCode | Proof::Session => None,
            };
            if let Some((path, status)) = expected {
                let answer = ask(&anna, &route, &path).await;
                assert_eq!(answer.status, status, "{about}: {}", answer.text());
                tried += 1;
            } else {
                let answer = ask(&anna, &route, &filled(&route, "")).await;
                assert!(answer.status < 500, "{about}: {}", answer.text());
                assert_eq!(answer.header("set-cookie"), "", "{about}");
                assert!(!answer.text().contains("anna@example.com"), "{about} holds nothing of anybody");
            }
        }
        assert_eq!(proofs.len(), PROOFS, "each kind of proof has a route");
        assert!(tried > 20, "{tried}");
        assert_eq!(counts(&world).await, before, "nothing was changed");
        assert_eq!(dialog.stage().await, "ready");
    }

    async fn a_change_needs_an_origin_of_our_own(world: World) {
        let anna = world.person();
        let dialog = ready(&world, &anna).await;
        let own = world.url(Environment::Sandbox).to_owned();
        let production = world.url(Environment::Production).to_owned();
        let foreign = [
            None, Some("null".to_owned()), Some("https://evil.example".to_owned()), Some(production), Some(String::new()),
            Some(format!("{own}.evil.example")), Some(format!("{own}/")), Some(own.rsplit_once(':').unwrap().0.to_owned()),
            Some(own.replace("http://", "https://")), Some(own.replace("sandbox", "SANDBOX")), Some(format!("{own} {own}")),
            Some("https://app.acme.example".to_owned()), Some("http://localhost".to_owned()),
        ];
        for route in web::routes().iter().filter(|route| route.proof == Proof::DialogBearerAndOrigin) {
            let path = filled(route, dialog.bearer());
            for origin in &foreign {
                // A page of our own that sends no script's request says `null`, and the browser says whose it is.
                let unsaid = matches!(origin.as_deref(), None | Some("null"));
                let sites: &[&str] = if unsaid { &["cross-site", "same-site", "none", "", "SAME-ORIGIN"] } else { &["same-origin", "cross-site"] };
                for site in sites {
                    let mut post = ask(&anna, route, &path).header("sec-fetch-site", site).form(&[("code", "x"), ("api_key", STRIPE_KEY)]);
                    if let Some(origin) = origin {
                        post = post.header("origin", origin);
                    }
                    let answer = post.await;
                    let about = format!("{path} from {origin:?}, {site}");
                    assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("origin_forbidden")), "{about}");
                }
            }
        }
        assert_eq!(dialog.stage().await, "ready");
        // Without a script the cancel button's form works all the same.
        let sent = anna.ask(reqwest::Method::POST, &format!("{}/cancel", dialog.path)).header("origin", "null").same_origin().await;
        assert_eq!((sent.status, sent.location()), (303, dialog.path.as_str()));
        assert_eq!(dialog.stage().await, "cancelled");
    }

    async fn a_dialog_is_not_there_for_the_other_environment(world: World) {
        let anna = world.person();
        let dialog = ready(&world, &anna).await;
        let there = dialog.seen_by(&world.person_in_production());
        for path in ["", "/state", "/events"] {
            assert_eq!(there.person.get(&format!("{}{path}", there.path)).json().await.status, 410, "{path}");
        }
        for what in ["inputs", "code", "confirm", "choose", "cancel", "retry", "disconnect", "identity", "start"] {
            assert_eq!(there.posts(what, &[]).await.status, 410, "{what}");
        }
        assert!(there.announcement().await.is_empty());
        let link = dialog.start_link().await;
        assert_eq!(there.person.get(&link).same_origin().await.status, 410);
        let callback = dialog.signs_in().await;
        let path = callback.strip_prefix(world.url(Environment::Sandbox)).unwrap();
        let cookie = anna.cookie_line("/oauth2/callback");
        assert_eq!(there.person.get(path).header("cookie", &cookie).await.status, 400);
        assert_eq!(dialog.stage().await, "waiting");
        assert_eq!(anna.comes_back(&callback).await.status, 200);
        assert_eq!(dialog.confirms().await["stage"], "success");
    }

    async fn a_dialog_ends_after_a_quarter_of_an_hour(world: World) {
        let anna = world.person();
        let dialog = ready(&world, &anna).await;
        world.pass_seconds(15 * 60 - 1);
        assert_eq!(dialog.stage().await, "ready");
        let link = dialog.start_link().await;
        world.pass_seconds(1);
        let page = dialog.page().await;
        assert_eq!(page.status, 410);
        assert_eq!(page.text().matches("<h1").count(), 1);
        assert!(!page.text().contains("anna@example.com"));
        assert_eq!(anna.get(&link).same_origin().await.status, 410);
        for what in ["inputs", "confirm", "cancel", "retry", "start"] {
            assert_eq!(dialog.posts(what, &[]).await.status, 410, "{what}");
        }
        assert_eq!(world.count("attempts").await, 0);
    }

    async fn lesson_22_no_forged_host_or_forwarding_changes_a_link(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let evil = |ask: Ask| {
            ask.header("x-forwarded-host", "evil.example").header("x-forwarded-proto", "https").header("x-forwarded-port", "443")
                .header("x-forwarded-for", "127.0.0.1").header("forwarded", "for=127.0.0.1;host=evil.example;proto=https")
                .header("x-original-url", "/metrics").header("x-rewrite-url", "/metrics").header("x-host", "evil.example")
                .header("x-forwarded-server", "evil.example").header("x-original-host", "evil.example").header("x-forwarded-prefix", "/evil")
        };
        let clean = |text: &str, about: &str| assert!(!text.contains("evil"), "{about}: {text}");
        let own = world.url(Environment::Sandbox);

        let landed = evil(anna.ask(reqwest::Method::POST, &acme.page("hubspot")).framed()).form(&[("tenant", &acme.token("hubspot").sign())]).await;
        assert!(landed.location().starts_with("/dialogs/"), "{}", landed.location());
        let dialog = anna.dialog_of(&landed);
        for to in ["", "/state"] {
            clean(&evil(anna.get(&format!("{}{to}", dialog.path))).await.text(), to);
        }
        let link = evil(anna.post(&format!("{}/start", dialog.path)).json()).await.json()["start_url"].as_str().unwrap().to_owned();
        assert!(link.starts_with("/start/"));
        let started = evil(anna.get(&link).same_origin()).await;
        let redirect = started.location_url().query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
        assert_eq!(redirect, format!("{own}/oauth2/callback"));
        assert!(!started.header("set-cookie").contains("Secure") && !started.header("set-cookie").contains("Domain"));
        let callback = anna.signs_in_at(started.location()).await;
        let back = evil(anna.get(&callback)).await;
        assert_eq!(back.status, 200);
        clean(&back.text(), "callback");
        let confirmed = evil(anna.post(&format!("{}/confirm", dialog.path)).json()).await;
        clean(&confirmed.text(), "confirm");
        let told = evil(anna.post(&format!("{}/announcement", dialog.path)).json()).await.json();
        clean(&told.to_string(), "message");
        let data = &told["messages"][0]["data"];
        assert!(data["webhook_url"].as_str().unwrap().starts_with(&format!("{own}/v1/webhooks/")));
        let user = &data["tenant"]["connected_users"]["vestibule"];
        assert_eq!(user["attributes"]["jwt"]["keycloak_uri"], own);
        let key = acme.api_key(&["tenants:read"]).await;
        let listed = evil(anna.get("/v2/tenants?limit=1").header("x-api-key", &key)).await;
        clean(listed.header("link"), "link");

        // A host that is not ours gets 421 wherever somebody's things are; what belongs to nobody repeats no host.
        for route in web::routes() {
            for host in ["evil.example", "sandbox.localhost", "sandbox.localhost:1", "sandbox.localhost.evil.example", "", "127.0.0.1"] {
                let path = filled(&route, dialog.bearer());
                let answer = ask(&anna, &route, &path).header("host", host).header("origin", own).header("x-api-key", &key).await;
                let about = format!("{} {} at {host:?}", route.method, route.path);
                if route.proof != Proof::Nothing {
                    assert_eq!((answer.status, answer.json()["code"].as_str()), (421, Some("host_unknown")), "{about}");
                }
                clean(&answer.text(), &about);
                clean(answer.header("location"), &about);
            }
            let path = filled(&route, dialog.bearer());
            let host = own.trim_start_matches("http://");
            let twice = ask(&anna, &route, &path).header("host", host).and_header("host", "evil.example").await;
            assert!(route.proof == Proof::Nothing || matches!(twice.status, 400 | 421), "{} {}: {}", route.method, route.path, twice.status);
        }
        // Case and the default port are spelling.
        let host = own.trim_start_matches("http://").to_uppercase();
        assert_eq!(anna.get(&dialog.path).header("host", &host).await.status, 200);
    }

    async fn a_wrong_address_or_method_is_told_in_a_whole_sentence(world: World) {
        let anna = world.person();
        for (method, to, status) in [("GET", "/nothing/here", 404), ("DELETE", "/oauth2/callback", 405), ("PUT", "/health/live", 405), ("POST", "/", 405)] {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let told = anna.ask(method.clone(), to).json().await;
            assert_eq!(told.status, status, "{to}");
            let message = told.json()["message"].as_str().unwrap().to_owned();
            assert!(!message.contains("  ") && !message.contains('{') && message.ends_with('.'), "{message}");
            let page = anna.ask(method, to).await;
            assert!(page.status == status && page.text().contains("<h1"), "{to}");
        }
        let sandbox = anna.get("/").await;
        assert!(sandbox.status == 200 && sandbox.header("content-security-policy").contains("frame-ancestors 'none'"));
    }

    async fn what_comes_out_of_turn_changes_nothing(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        for what in ["code", "confirm", "choose", "disconnect", "identity"] {
            let answer = dialog.posts(what, &[("code", "x"), ("choice", "x")]).await;
            assert_eq!((answer.status, answer.json()["stage"].as_str()), (200, Some("ready")), "{what}");
        }
        dialog.goes_and_comes_back().await;
        dialog.confirms().await;
        for what in ["code", "confirm", "choose", "disconnect", "identity", "inputs", "retry", "cancel"] {
            let answer = dialog.posts(what, &[("code", "x"), ("choice", "x")]).await;
            assert_eq!((answer.status, answer.json()["stage"].as_str()), (200, Some("success")), "{what}");
        }
        assert_eq!(world.count("tenants").await, 1);
        assert_eq!(world.count("connections WHERE status = 'Connected'").await, 2);
    }
}

/// A discriminant has no name and no order; its debug text serves for counting kinds.
trait HashText {
    fn hash_text(&self) -> String;
}

impl HashText for std::mem::Discriminant<Proof> {
    fn hash_text(&self) -> String {
        format!("{self:?}")
    }
}

#[test]
fn each_route_stands_once() {
    let routes = web::routes();
    let lines: BTreeSet<String> =
        routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(lines.len(), routes.len());
    assert!(routes.iter().all(|route| matches!(
        route.method,
        Method::GET
            | Method::HEAD
            | Method::OPTIONS
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE
    )));
    // What changes something for a person needs more than an address that could leak.
    let posts =
        routes.iter().filter(|route| route.path.starts_with("/dialogs/") && route.method == Method::POST);
    assert!(posts.into_iter().all(|route| route.proof == Proof::DialogBearerAndOrigin));
}
