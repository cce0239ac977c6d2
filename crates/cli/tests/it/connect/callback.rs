//! Back from the outside system: what a callback may be, and what it may not.

use std::time::Duration;
use testkit::on_both;
use testkit::standins::{Behaviour, ProviderKind};
use testkit::world::{Answer, Company, Dialog, Person, World};

/// Someone who is at the sign-in page: the dialog and the callback that waits.
async fn signing_in(company: &Company, person: &Person) -> (Dialog, String) {
    let dialog = person.opens(company, "hubspot", &company.token("hubspot").sign()).await;
    let callback = dialog.signs_in().await;
    (dialog, callback)
}

/// The callback with one parameter of another value; `None` takes it away.
fn with(callback: &str, name: &str, value: Option<&str>) -> String {
    let mut url: url::Url = callback.parse().unwrap();
    let others: Vec<_> = url.query_pairs().into_owned().filter(|(own, _)| own != name).collect();
    url.query_pairs_mut().clear().extend_pairs(others);
    if let Some(value) = value {
        url.query_pairs_mut().append_pair(name, value);
    }
    url.into()
}

/// A page that says no, with nothing taken and nothing kept.
fn refused(answer: &Answer, about: &str) -> String {
    assert_eq!(answer.status, 400, "{about}: {}", answer.text());
    assert!(answer.header("content-type").starts_with("text/html"), "{about}");
    assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{about}");
    assert_eq!(answer.header("location"), "", "{about}");
    answer.text()
}

async fn nothing_was_made(world: &World) {
    for table in ["users", "tenants", "connections", "webhooks", "triggers"] {
        assert_eq!(world.count(table).await, 0, "{table}");
    }
}

on_both! {
    async fn the_binding_cookie_is_as_narrow_as_can_be(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let answer = anna.get(&dialog.start_link().await).same_origin().await;
        let cookie = answer.header("set-cookie").to_owned();
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert!(pair.starts_with("vst_"), "{cookie}");
        assert_eq!(pair.split_once('=').unwrap().1.len(), 43, "256 bits");
        assert_eq!(attributes, "Path=/oauth2/callback; Max-Age=900; HttpOnly; SameSite=Lax");
        // No other page of the flow sets any.
        for answer in [dialog.page().await, anna.get(&format!("{}/state", dialog.path)).await] {
            assert_eq!(answer.header("set-cookie"), "");
        }
    }

    async fn a_state_is_used_once(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let (dialog, callback) = signing_in(&acme, &anna).await;
        let cookies = anna.cookie_line("/oauth2/callback");
        assert_eq!(anna.comes_back(&callback).await.status, 200);
        let calls = world.standin(ProviderKind::HubSpot).seen().len();
        for _ in 0..2 {
            let again = anna.get(&callback).header("cookie", &cookies).await;
            refused(&again, "once more");
        }
        assert_eq!(world.standin(ProviderKind::HubSpot).seen().len(), calls, "the code is not swapped again");
        // What arrived the first time is not disturbed.
        assert_eq!(dialog.confirms().await["stage"], "success");
        refused(&anna.get(&callback).header("cookie", &cookies).await, "after success");
        assert_eq!(dialog.stage().await, "success");
    }

    async fn lesson_20_a_state_of_one_browser_is_not_finished_in_another(world: World) {
        let acme = world.organization("acme").await;
        let (anna, mallory) = (world.person(), world.person());
        let (dialog, callback) = signing_in(&acme, &anna).await;
        // Without a cookie, with a forged one of the right name, with one's own for another attempt.
        refused(&mallory.comes_back(&callback).await, "no cookie");
        let line = anna.cookie_line("/oauth2/callback");
        let name = line.split_once('=').unwrap().0;
        refused(&mallory.get(&callback).header("cookie", &format!("{name}=guess")).await, "a guess");
        refused(&mallory.get(&callback).header("cookie", &format!("{name}=")).await, "empty");
        let (_, own) = signing_in(&acme, &mallory).await;
        refused(&mallory.comes_back(&callback).await, "the cookie of another attempt");
        let crossed = mallory.cookie_line("/oauth2/callback");
        let value = crossed.split_once('=').unwrap().1;
        refused(&mallory.get(&callback).header("cookie", &format!("{name}={value}")).await, "another value");
        refused(&anna.get(&callback).header("cookie", &format!("{line}; {line}")).await, "twice");
        // Her own code under somebody's state, and the other way round.
        let code = own.split("code=").nth(1).unwrap().split('&').next().unwrap();
        refused(&mallory.comes_back(&with(&callback, "code", Some(code))).await, "her code, his state");
        // None of it has used the sign-in up.
        assert_eq!(dialog.stage().await, "waiting");
        assert_eq!(anna.comes_back(&callback).await.status, 200);
        assert_eq!(dialog.confirms().await["stage"], "success");
        assert_eq!(world.count("tenants").await, 1);
    }

    async fn a_callback_that_is_no_answer_is_refused(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let (dialog, callback) = signing_in(&acme, &anna).await;
        let state = callback.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        for (about, bad) in [
            ("both", format!("{callback}&error=access_denied")),
            ("neither", with(&callback, "code", None)),
            ("an empty code", with(&callback, "code", Some(""))),
            ("code twice", format!("{callback}&code=other")),
            ("code twice, alike", format!("{callback}&{}", callback.split('?').nth(1).unwrap().split('&').next().unwrap())),
            ("state twice", format!("{callback}&state={state}")),
            ("error twice", with(&format!("{}&error=a&error=b", with(&callback, "code", None)), "x", None)),
            ("anything twice", format!("{callback}&x=1&x=2")),
            ("no state", with(&callback, "state", None)),
            ("an empty state", with(&callback, "state", Some(""))),
            ("an unknown state", with(&callback, "state", Some(&"A".repeat(43)))),
            ("a shorter state", with(&callback, "state", Some(&state[..42]))),
            ("a state with SQL", with(&callback, "state", Some("' OR 1=1 --"))),
            ("a very long state", with(&callback, "state", Some(&"A".repeat(5000)))),
            ("a code with a line break", with(&callback, "code", Some("a\r\nSet-Cookie: x=1"))),
            ("too many parameters", (0..70).fold(callback.clone(), |url, at| format!("{url}&p{at}=1"))),
            ("nothing", format!("{}/oauth2/callback", world.url(kernel::Environment::Sandbox))),
        ] {
            refused(&anna.comes_back(&bad).await, about);
            assert_eq!(dialog.stage().await, "waiting", "{about}");
        }
        nothing_was_made(&world).await;
        // The true one still works.
        assert_eq!(anna.comes_back(&callback).await.status, 200);
        assert_eq!(dialog.confirms().await["stage"], "success");
    }

    async fn a_callback_after_a_quarter_of_an_hour_is_too_late(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let (dialog, callback) = signing_in(&acme, &anna).await;
        world.pass_seconds(15 * 60);
        refused(&anna.comes_back(&callback).await, "late");
        let state = dialog.state().await;
        assert_eq!(state["stage"], "failed", "{state}");
        assert_eq!(dialog.announcement().await[0]["data"]["code"], "timed_out");
        nothing_was_made(&world).await;
    }

    async fn a_callback_a_second_before_is_in_time(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let (dialog, callback) = signing_in(&acme, &anna).await;
        world.pass_seconds(15 * 60 - 1);
        assert_eq!(anna.comes_back(&callback).await.status, 200);
        world.pass_seconds(60);
        assert_eq!(dialog.confirms().await["stage"], "success");
    }

    async fn an_error_of_the_outside_system_is_told_and_can_be_tried_again(world: World) {
        let acme = world.organization("acme").await;
        for (error, code) in [
            ("access_denied", "user_denied"), ("invalid_scope", "missing_scopes"), ("server_error", "provider_down"),
            ("temporarily_unavailable", "provider_down"), ("unheard_of", "server_error"),
        ] {
            let anna = world.person();
            let (dialog, callback) = signing_in(&acme, &anna).await;
            let denied = format!("{}&error={error}&error_description=%3Cb%3Ebecause%3C%2Fb%3E", with(&callback, "code", None));
            let html = refused(&anna.comes_back(&denied).await, error);
            assert!(!html.contains("<b>because"), "{error}");
            let state = dialog.state().await;
            assert_eq!(state["stage"], "failed", "{error}: {state}");
            let told = dialog.announcement().await;
            assert_eq!(told[0]["data"]["code"], code, "{error}");
            assert_eq!(told[0]["data"]["message"], "vestibule-error");
            assert_eq!(dialog.retries().await["stage"], "ready");
            dialog.goes_and_comes_back().await;
            assert_eq!(dialog.confirms().await["stage"], "success");
        }
    }

    async fn a_callback_after_the_person_cancelled_changes_nothing(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let (dialog, callback) = signing_in(&acme, &anna).await;
        assert_eq!(dialog.cancels().await["stage"], "cancelled");
        refused(&anna.comes_back(&callback).await, "cancelled meanwhile");
        assert_eq!(dialog.stage().await, "cancelled");
        assert_eq!(dialog.confirms().await["stage"], "cancelled");
        assert_eq!(dialog.announcement().await[0]["data"]["message"], "vestibule-install-cancel");
        assert!(dialog.announcement().await.is_empty());
        nothing_was_made(&world).await;
        // The code is left to expire.
        let seen = world.standin(ProviderKind::HubSpot).seen();
        assert!(seen.iter().all(|seen| seen.path != "/oauth/v1/token"), "{seen:?}");
    }

    async fn only_the_newest_sign_in_counts(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let (dialog, first) = signing_in(&acme, &anna).await;
        let second = dialog.signs_in().await;
        refused(&anna.comes_back(&first).await, "replaced");
        assert_eq!(dialog.stage().await, "waiting");
        assert_eq!(anna.comes_back(&second).await.status, 200);
        assert_eq!(dialog.confirms().await["stage"], "success");
    }

    async fn in_the_frames_own_tab_the_callback_finishes_by_itself(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let link = format!("{}?tab=1", dialog.start_link().await);
        let authorize = anna.get(&link).same_origin().await.location().to_owned();
        let callback = anna.signs_in_at(&authorize).await;
        let page = anna.comes_back(&callback).await;
        assert_eq!(page.status, 200);
        assert!(page.text().contains("https://app.acme.example/"), "a way back to the company's page");
        assert_eq!(dialog.stage().await, "success");
        assert_eq!(world.count("tenants").await, 1);
    }

    async fn a_credential_that_comes_after_the_person_cancelled_is_given_back(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let (dialog, callback) = signing_in(&acme, &anna).await;
        let standin = world.standin(ProviderKind::HubSpot);
        standin.hold();
        let back = tokio::spawn({
            let anna = anna.clone();
            async move { anna.comes_back(&callback).await }
        });
        standin.wait_until_held().await;
        assert_eq!(dialog.cancels().await["stage"], "cancelled");
        standin.let_go();
        refused(&back.await.unwrap(), "cancelled while the code was swapped");
        assert_eq!(dialog.stage().await, "cancelled");
        assert!(standin.is_revoked());
        nothing_was_made(&world).await;
    }

    async fn lesson_25_the_way_back_leads_only_to_the_companys_own_pages(world: World) {
        let acme = world.organization("acme").await;
        for (framed, referer) in [
            (true, "https://evil.example/"), (false, "https://evil.example/"), (true, "https://app.acme.example.evil.example/x"),
            (false, "https://app.acme.example@evil.example/"), (true, "javascript:alert(1)"), (true, "https://evil.example/?https://app.acme.example/"),
            (true, "https://evil.example/%5c@app.acme.example"), (false, "//evil.example"), (true, "http://evil.example\\@app.acme.example/"),
        ] {
            let anna = world.person();
            let ask = anna.ask(reqwest::Method::POST, &acme.page("hubspot")).header("referer", referer);
            let ask = if framed { ask.framed() } else { ask };
            let token = acme.token("hubspot").sub(referer).without("ti.uem").claim("next_url", referer).claim("ti.xti.next_url", referer);
            let query = format!("{}?next_url={referer}&back_url={referer}&target_link_uri={referer}&redirect_uri={referer}", acme.page("hubspot"));
            let dialog = anna.dialog_of(&ask.to(&query).form(&[("tenant", &token.sign()), ("next_url", referer)]).await);
            if !framed {
                dialog.confirms_identity().await;
            }
            let link = format!("{}?tab=1&next_url={referer}&redirect_uri={referer}", dialog.start_link().await);
            let link = link.replace("?tab=1&", "?tab=1#").split('#').next().unwrap().to_owned();
            let started = anna.get(&link).same_origin().await;
            let authorize = started.location_url();
            assert_eq!(authorize.origin().ascii_serialization(), world.standin(ProviderKind::HubSpot).origin(), "{referer}");
            let callback = anna.signs_in_at(authorize.as_str()).await;
            let page = anna.comes_back(&callback).await;
            assert_eq!((page.status, page.header("location")), (200, ""), "{referer}");
            let html = page.text();
            for href in html.split("href=\"").skip(1).map(|part| part.split('"').next().unwrap()) {
                let own = href.starts_with("/static/") || href.starts_with("/favicon") || href == "https://app.acme.example/";
                assert!(own, "{referer}: {href}");
            }
        }
    }
}

// With outside systems that behave badly.
on_both! {
    async fn a_token_endpoint_that_fails_leaves_nothing_half_done(engine: Engine) {
        let (world, acme) = World::build(engine).provider_timeout(Duration::from_millis(400)).with("acme").await;
        let standin = world.standin(ProviderKind::HubSpot);
        for (behaviour, code) in [
            (Behaviour::Html, "provider_down"), (Behaviour::ErrorInside, "provider_down"), (Behaviour::Empty, "provider_down"),
            (Behaviour::Never, "timed_out"), (Behaviour::Huge, "provider_down"), (Behaviour::Down, "provider_down"),
            (Behaviour::Capped, "capped"), (Behaviour::Breaks, "provider_down"),
        ] {
            let anna = world.person();
            let (dialog, callback) = signing_in(&acme, &anna).await;
            standin.behave(behaviour);
            let answer = anna.comes_back(&callback).await;
            refused(&answer, &format!("{behaviour:?}"));
            let told = dialog.announcement().await;
            assert_eq!(told[0]["data"]["code"], code, "{behaviour:?}");
            nothing_was_made(&world).await;
            // Once it is well again, the person only has to try again.
            standin.behave(Behaviour::Well);
            assert_eq!(dialog.retries().await["stage"], "ready", "{behaviour:?}");
            assert!(dialog.signs_in().await.contains("code="), "{behaviour:?}");
        }
    }

    async fn a_check_that_fails_after_the_callback_leaves_nothing_half_done(engine: Engine) {
        let (world, acme) = World::build(engine).provider_timeout(Duration::from_millis(400)).with("acme").await;
        let standin = world.standin(ProviderKind::HubSpot);
        for behaviour in [Behaviour::Html, Behaviour::Never, Behaviour::Huge, Behaviour::Down, Behaviour::Forgets] {
            let anna = world.person();
            let (dialog, callback) = signing_in(&acme, &anna).await;
            assert_eq!(anna.comes_back(&callback).await.status, 200);
            standin.behave(behaviour);
            let state = dialog.confirms().await;
            assert_eq!(state["stage"], "failed", "{behaviour:?}: {state}");
            nothing_was_made(&world).await;
            standin.behave(Behaviour::Well);
            dialog.retries().await;
            assert!(dialog.signs_in().await.contains("code="), "{behaviour:?}");
        }
    }
}
