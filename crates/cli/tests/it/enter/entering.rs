//! A partner's user enters an app: both beginnings, with and without just-in-time users, and every way in which it is
//! refused.

use super::visit::{Visit, account};
use enter::context::ServiceContext;
use enter::ids::PartnerId;
use reqwest::Method;
use testkit::enter_app::{EnterApp, Registration};
use testkit::enter_partner::{EnterPartner, Ordered, Transfer};
use testkit::on_both;
use testkit::surfer::Surfer;

on_both! {
    async fn a_login_at_the_app_goes_through_the_partner_and_comes_back_signed_in(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = Surfer::new(&world);
        // Not signed in at the partner: its login keeps the query.
        let login = anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        assert!(login.text().contains("Sign in to the portal"), "{}", login.text());
        let query = login.url.query().unwrap();
        assert!(query.starts_with("serviceProviderId=MP-1&serviceContext="), "{query}");
        let rest = anna.sends(&format!("{}/login?{query}", visit.partner.origin), &[("user", "anna")]).await;
        assert!(rest.text().starts_with("signed in as U-"), "{} {:?}", rest.text(), rest.way);
        let claims = visit.app.entered().remove(0);
        assert_eq!(claims["account_id"], "AG-1");
        assert_eq!(claims["partner_id"], "PT-meridian");
        assert_eq!(claims["roles"][0], "member");
        assert_eq!(world.count("people").await, 1);
        assert_eq!(world.count("associations").await, 1);
        // From now on the session answers at once, without the partner.
        let trips = visit.partner.trips().len();
        let again = anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        assert!(again.text().starts_with("signed in as U-"), "{}", again.text());
        assert_eq!(visit.partner.trips().len(), trips);
        assert_eq!(world.count("pending_requests WHERE done_at IS NULL").await, 0);
    }

    async fn a_partner_opens_an_app_from_its_own_pages(world: World) {
        let partner = EnterPartner::start(&world, "meridian", true, &["AG-1"]).await;
        let app = EnterApp::of(&world, &partner, "MP-1", Registration { initiates: true, ..Registration::default() }).await;
        let anna = Surfer::new(&world);
        let ordered = Ordered::new("anna", &app.id, &account("AG-1")).with("email", "anna@example.com");
        let url = partner.entry_url(&ordered).await.unwrap();
        assert!(url.starts_with(&format!("{}/enter?code=vst_ec_", world.url(kernel::Environment::Sandbox))), "{url}");
        let rest = anna.opens(&url).await;
        assert!(rest.text().starts_with("signed in as U-"), "{} {:?}", rest.text(), rest.way);
        assert_eq!(app.initiated().len(), 1);
        assert!(app.initiated()[0].starts_with("iss=http%3A%2F%2Fsandbox.localhost"), "{:?}", app.initiated());
        assert_eq!(app.entered()[0]["email"], "anna@example.com");
        // An app without an address for it is opened at its entry URL.
        let plain = EnterApp::of(&world, &partner, "MP-2", Registration::default()).await;
        let url = partner.entry_url(&Ordered::new("anna", &plain.id, &account("AG-1"))).await.unwrap();
        let rest = anna.opens(&url).await;
        assert_eq!(rest.url.as_str(), format!("{}/open/AG-1", plain.origin));
    }

    async fn without_just_in_time_users_only_those_who_are_there_come_in(world: World) {
        let visit = Visit::of(&world, false).await;
        let anna = visit.signed_in(&world, "anna").await;
        let rest = anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        visit.refused(&world, &rest, 403, "user_unknown").await;
        assert_eq!(world.count("people").await, 0);
        visit.knows(&world, "anna").await;
        let rest = anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        visit.refused(&world, &rest, 403, "user_not_associated").await;
        visit.associates(&world, "anna", "AG-1").await;
        let rest = anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        assert!(rest.text().starts_with("signed in as U-"), "{}", rest.text());
        assert_eq!(world.count("people").await, 1);
    }

    async fn the_same_user_transferred_a_hundred_times_at_once_is_one_user(world: World) {
        let visit = Visit::of(&world, true).await;
        let mut urls = Vec::new();
        for _ in 0..100 {
            let ordered = Ordered::new("anna", &visit.app.id, &account("AG-1"));
            urls.push(visit.partner.entry_url(&ordered).await.unwrap());
        }
        let entering = urls.into_iter().map(|url| {
            let browser = world.person();
            tokio::spawn(async move { browser.get(&url).await.status })
        });
        for entered in entering.collect::<Vec<_>>() {
            assert_eq!(entered.await.unwrap(), 303);
        }
        assert_eq!(world.count("people").await, 1);
        assert_eq!(world.count("associations").await, 1);
        assert_eq!(world.count("sessions").await, 100);
    }

    async fn lesson_9_a_hundred_redemptions_of_one_code_open_one_session(world: World) {
        let visit = Visit::of(&world, true).await;
        let url = visit.entry("anna").await;
        let entering = (0..100).map(|_| {
            let (browser, url) = (world.person(), url.clone());
            tokio::spawn(async move { browser.get(&url).await.status })
        });
        let mut statuses = Vec::new();
        for entered in entering.collect::<Vec<_>>() {
            statuses.push(entered.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses[0], 303);
        assert!(statuses[1..].iter().all(|status| *status == 410), "{statuses:?}");
        assert_eq!(world.count("sessions").await, 1);
    }

    async fn head_and_prefetch_redeem_nothing(world: World) {
        let visit = Visit::of(&world, true).await;
        let url = visit.entry("anna").await;
        let browser = world.person();
        assert_eq!(browser.ask(reqwest::Method::HEAD, &url).await.status, 200);
        for (name, value) in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "prefetch"),
            ("x-moz", "prefetch"),
            ("purpose", "preview"),
        ] {
            let answer = browser.get(&url).header(name, value).await;
            assert_eq!((answer.status, answer.header("set-cookie")), (503, ""), "{name}: {value}");
        }
        assert_eq!(world.count("sessions").await, 0);
        assert_eq!(browser.get(&url).await.status, 303, "the person who looks comes in");
    }

    async fn a_code_is_good_for_a_minute_and_in_its_environment(world: World) {
        let visit = Visit::of(&world, true).await;
        let url = visit.entry("anna").await;
        let path = url.strip_prefix(world.url(kernel::Environment::Sandbox)).unwrap();
        let elsewhere = world.person_in_production().get(path).await;
        assert_eq!(elsewhere.status, 404);
        world.pass_seconds(60);
        let rest = Surfer::new(&world).opens(&url).await;
        visit.refused(&world, &rest, 410, "entry_code_late").await;
        for code in ["", "x", "vst_ec_", "vst_rt_AAAA"] {
            let answer = world.person().get(&format!("/enter?code={code}")).await;
            assert!(matches!(answer.status, 400 | 404), "{code}: {}", answer.status);
            assert!(answer.text().contains("id=\"reference\""));
        }
        assert_eq!(world.person().get("/enter?code=a&code=b").await.status, 400);
        assert_eq!(world.count("sessions").await, 0);
    }

    async fn lesson_14_what_was_switched_off_after_the_code_was_made_lets_nobody_in(world: World) {
        let visit = Visit::of(&world, true).await;
        for (statement, back, code) in [
            ("UPDATE partners SET disabled_at = 1", "UPDATE partners SET disabled_at = NULL", "partner_disabled"),
            ("UPDATE apps SET disabled_at = 1", "UPDATE apps SET disabled_at = NULL", "app_disabled"),
            ("UPDATE accounts SET disabled_at = 1", "UPDATE accounts SET disabled_at = NULL", "account_disabled"),
            (
                "UPDATE apps SET open_to_all = FALSE, modified_at = modified_at + 1",
                "UPDATE apps SET open_to_all = TRUE, modified_at = modified_at + 1",
                "app_not_active",
            ),
        ] {
            let url = visit.entry("anna").await;
            world.change(statement).await;
            let rest = Surfer::new(&world).opens(&url).await;
            visit.refused(&world, &rest, 403, code).await;
            world.change(back).await;
        }
        assert_eq!(world.count("sessions").await, 0);
        // And a session ends with its person or its partner, from the next request on.
        let anna = visit.inside(&world, "anna").await;
        world.change("UPDATE people SET disabled_at = 1").await;
        let answer = anna.at_gateway.get("/oauth2/consents").await;
        assert!(answer.text().contains("Nobody is signed in here"), "{}", answer.text());
    }

    async fn a_code_tells_of_the_sign_in_as_it_is_when_it_is_redeemed(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        let login = visit.app.login(&[("account_id", "AG-1")]);
        // Once, so that what the next code rests on is in memory.
        assert!(anna.opens(&login).await.text().starts_with("signed in as U-"));
        let to_us = anna.step(&Method::GET, &login.parse().unwrap(), &[]).await.location_url();
        let callback = anna.step(&Method::GET, &to_us, &[]).await.location_url();
        assert!(callback.query().unwrap_or_default().contains("code="), "{callback}");
        // Before the app redeems it she enters once more, which renews the session.
        world.pass_seconds(30);
        anna.opens(&visit.entry("anna").await).await;
        assert_eq!(world.count("sessions").await, 1);
        let rest = anna.opens(callback.as_str()).await;
        assert!(rest.text().starts_with("signed in as U-"), "{} {:?}", rest.text(), rest.way);
        let [before, after] = visit.app.entered().try_into().unwrap();
        assert_eq!(before["sid"], after["sid"]);
        // The time of the renewed session, which is after the request, is not told as the request's own.
        assert!(before["auth_time"].is_i64() && after["auth_time"].is_null(), "{before} {after}");
    }

    async fn next_url_counts_as_it_was_stored_and_leads_to_the_apps_own_pages_only(world: World) {
        let visit = Visit::of(&world, true).await;
        // With what follows `#`, which apps need that have all of their pages at one address.
        let own = format!("{}/page?x=1#/orders/7?tab=a%20b", visit.app.origin);
        let ordered = Ordered::new("anna", &visit.app.id, &account("AG-1")).with("next_url", &own);
        let url = visit.partner.entry_url(&ordered).await.unwrap();
        // Changed on the way: what the query says is decoration.
        let code = url.split("code=").nth(1).unwrap().split('&').next().unwrap();
        let base = url.split('?').next().unwrap();
        let changed = format!("{base}?code={code}&nextUrl=https%3A%2F%2Fevil.example%2F");
        let location = world.person().get(&changed).await.location().to_owned();
        assert!(location.starts_with(&format!("{}/open/AG-1?nextUrl=", visit.app.origin)), "{location}");
        assert!(location.ends_with(&url::form_urlencoded::byte_serialize(own.as_bytes()).collect::<String>()), "{location}");
    }

    async fn lesson_25_no_next_url_leads_elsewhere(world: World) {
        let visit = Visit::of(&world, true).await;
        let origin = &visit.app.origin;
        let host = origin.strip_prefix("http://").unwrap();
        for next in [
            "https://evil.example/".to_owned(),
            "//evil.example/".to_owned(),
            "/\\evil.example".to_owned(),
            "javascript:alert(1)".to_owned(),
            "data:text/html,x".to_owned(),
            "/page".to_owned(),
            format!("{origin}@evil.example/"),
            format!("http://{host}.evil.example/"),
            format!("http://evil.example\\@{host}/"),
            format!("http://evil.example#@{host}/"),
            format!("http://user@{host}/page"),
            format!("http:{host}/page"),
            format!("http:///{host}/page"),
            format!("{origin}\t/page"),
            format!("{origin}/page#<x>"),
            format!("{origin}/page#x#y"),
            format!("http://evil.example/#{origin}/page"),
            format!("http://evil.example#.{host}/page"),
            format!("{}/enter/continue?pending=short", world.url(kernel::Environment::Sandbox)),
        ] {
            let ordered = Ordered::new("anna", &visit.app.id, &account("AG-1")).with("next_url", &next);
            let error = visit.partner.entry_url(&ordered).await.expect_err(&next);
            assert_eq!(error["code"], 3, "{next}: {error}");
        }
    }

    async fn a_back_url_that_is_no_link_of_theirs_is_dropped_and_recorded(world: World) {
        let visit = Visit::of(&world, true).await;
        for (back, kept) in [
            ("javascript:alert(1)".to_owned(), false),
            ("https://evil.example/".to_owned(), false),
            (format!("{}/dashboard", visit.partner.origin), true),
        ] {
            let ordered = Ordered::new("anna", &visit.app.id, &account("AG-1")).with("back_url", &back).with("back_url_text", "Back");
            let url = visit.partner.entry_url(&ordered).await.unwrap();
            assert_eq!(world.person().get(&url).await.status, 303, "it does not fail the entry");
            let expected = if kept { "back_url IS NOT NULL AND back_url_text = 'Back'" } else { "back_url IS NOT NULL" };
            assert_eq!(world.count(&format!("session_apps WHERE {expected}")).await, i64::from(kept), "{back}");
        }
        assert_eq!(world.count("refusals WHERE code LIKE 'return_url_%'").await, 2);
    }

    async fn a_browser_that_comes_back_without_a_code_is_told_and_not_sent_round(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.signed_in(&world, "anna").await;
        visit.partner.transfers(Transfer::WithoutCode, "");
        let rest = anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        assert_eq!(rest.answer.status, 400, "{:?}", rest.way);
        assert!(rest.text().contains("entry_code_missing"));
        assert_eq!(visit.partner.trips().len(), 1);
    }

    async fn a_redirect_loop_is_cut_with_an_explanation(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.signed_in(&world, "anna").await;
        visit.partner.transfers(Transfer::Back, &visit.app.login(&[("account_id", "AG-1")]));
        let rest = anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        visit.refused(&world, &rest, 508, "redirect_loop").await;
        assert_eq!(visit.partner.trips().len(), enter::entry::TRIPS_MOST);
        // A minute later, with a partner that works, it is forgotten.
        world.pass_seconds(61);
        visit.partner.transfers(Transfer::Well, "");
        let rest = anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        assert!(rest.text().starts_with("signed in as U-"), "{}", rest.text());
    }

    async fn every_unknown_context_is_refused(world: World) {
        let visit = Visit::of(&world, true).await;
        let other = EnterPartner::start(&world, "harbour", true, &["AG-9"]).await;
        let anna = visit.signed_in(&world, "anna").await;
        let with = |name: &'static str, value: String| visit.app.login(&[(name, value.as_str())]);
        // Anybody may ask for any account; only its own partner vouches, and knows nobody of this name.
        for (url, error) in [
            (with("account_id", "AG-unknown".to_owned()), "access_denied"),
            (with("partner_id", "PT-unknown".to_owned()), "access_denied"),
            (with("serviceContext", ServiceContext::SuperAdmin.encoded()), "access_denied"),
            (with("serviceContext", "bm90IGpzb24=".to_owned()), "invalid_request"),
            (with("serviceContext", "%%%".to_owned()), "invalid_request"),
            (with("serviceContext", "eyJfdHlwZSI6ImdhbGF4eSJ9".to_owned()), "invalid_request"),
            (with("account_id", "../..".to_owned()), "invalid_request"),
            (visit.app.login(&[("account_id", "AG-1"), ("partner_id", "PT-meridian")]), "invalid_request"),
        ] {
            let rest = anna.opens(&url).await;
            assert_eq!(rest.text(), format!("not signed in: {error}"), "{url}");
        }
        let deep = "[".repeat(10_000);
        let deep = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, deep);
        assert_eq!(anna.opens(&with("serviceContext", deep)).await.text(), "not signed in: invalid_request");
        // Over the API another partner's account is as unknown as none.
        for wrong in ["AG-9", "AG-unknown"] {
            let error = visit.partner.entry_url(&Ordered::new("anna", &visit.app.id, &account(wrong))).await.unwrap_err();
            assert_eq!(error["code"], 5, "{error}");
        }
        let theirs = ServiceContext::Partner(PartnerId::parse("PT-harbour").unwrap());
        assert!(visit.partner.entry_url(&Ordered::new("anna", &visit.app.id, &theirs)).await.is_err());
        assert!(visit.partner.entry_url(&Ordered::new("anna", &visit.app.id, &ServiceContext::SuperAdmin)).await.is_err());
        assert_eq!(world.count("sessions").await, 0);
        drop(other);
    }

    async fn the_partners_own_context_needs_no_account(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.signed_in(&world, "anna").await;
        let rest = anna.opens(&visit.app.login(&[("partner_id", "PT-meridian")])).await;
        assert!(rest.text().starts_with("signed in as U-"), "{}", rest.text());
        assert!(visit.app.entered()[0].get("account_id").is_none());
        assert_eq!(world.count("associations").await, 0);
    }

    async fn lesson_24_an_email_address_is_nobody(world: World) {
        let visit = Visit::of(&world, true).await;
        let other = EnterPartner::start(&world, "harbour", true, &["AG-9"]).await;
        let enters = async |partner: &EnterPartner, user: &str, email: &str, of: &str| {
            let ordered = Ordered::new(user, &visit.app.id, &account(of)).with("email", email);
            let url = partner.entry_url(&ordered).await.unwrap();
            assert_eq!(world.person().get(&url).await.status, 303);
            world.count("people").await
        };
        assert_eq!(enters(&visit.partner, "anna", "admin@example.com", "AG-1").await, 1);
        assert_eq!(enters(&other, "anna", "admin@example.com", "AG-9").await, 2, "another partner's");
        assert_eq!(enters(&visit.partner, "mallory", "admin@example.com", "AG-1").await, 3, "another user");
        assert_eq!(enters(&visit.partner, "Anna", "Admin@example.com", "AG-1").await, 4, "not folded");
        assert_eq!(enters(&visit.partner, "аnna", "admin@example.com", "AG-1").await, 5, "a look-alike");
        assert_eq!(enters(&visit.partner, "anna", "anna@new.example", "AG-1").await, 5, "a changed address");
        assert_eq!(world.count("people WHERE email = 'anna@new.example'").await, 1);
    }
}
