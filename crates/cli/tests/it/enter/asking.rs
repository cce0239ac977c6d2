//! What a person is asked on the way into an app, and who may answer: another user, another request, an account,
//! consent, signing out.

use super::visit::{Visit, account};
use reqwest::Method;
use testkit::enter_app::{EnterApp, Registration};
use testkit::enter_partner::{Ordered, Transfer};
use testkit::on_both;
use testkit::surfer::{Rest, Surfer};
use testkit::world::{Person, World};

/// The session's secret, as the browser has it.
fn cookie(browser: &Person, name: &str) -> String {
    let line = browser.cookie_line("/");
    let found = line.split("; ").find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap_or_default();
    found.to_owned()
}

async fn is_inside(browser: &Person) -> bool {
    !browser.get("/oauth2/consents").await.text().contains("Nobody is signed in here")
}

async fn agrees(world: &World, surfer: &Surfer, asked: &Rest) -> Rest {
    let to = format!("{}/enter/confirm", world.url(kernel::Environment::Sandbox));
    surfer.sends(&to, &[("token", &asked.hidden("token"))]).await
}

on_both! {
    async fn lesson_21_another_users_entry_asks_before_it_replaces_anybody(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        let before = cookie(&anna.at_gateway, "vst_session");
        let mallorys = visit.entry("mallory").await;
        let asked = anna.opens(&mallorys).await;
        assert!(asked.text().contains("Continue as mallory?"), "{}", asked.text());
        assert!(asked.text().contains("You are now"), "{}", asked.text());
        assert_eq!(cookie(&anna.at_gateway, "vst_session"), before, "nothing has happened");
        assert_eq!(world.count("people").await, 1, "nobody was made either");
        assert_eq!(anna.opens(&mallorys).await.answer.status, 410, "the code is used up");
        // Only in the browser that was asked, from a page of ours, once.
        let token = asked.hidden("token");
        let fields = [("token", token.as_str())];
        assert_eq!(world.person().post("/enter/confirm").form(&fields).await.status, 410, "another browser");
        let foreign = anna.at_gateway.ask(Method::POST, "/enter/confirm").header("origin", "https://evil.example");
        assert_eq!(foreign.form(&fields).await.status, 403, "another site");
        assert_eq!(cookie(&anna.at_gateway, "vst_session"), before);
        let rest = agrees(&world, &anna, &asked).await;
        assert_eq!(rest.url.as_str(), format!("{}/open/AG-1", visit.app.origin), "{}", rest.text());
        assert_ne!(cookie(&anna.at_gateway, "vst_session"), before);
        assert_eq!(world.count("sessions WHERE ended_at IS NULL").await, 1, "the first one has ended");
        assert_eq!(agrees(&world, &anna, &asked).await.answer.status, 410, "a second answer");
    }

    async fn lesson_21_another_entry_while_a_login_waits_asks_first(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.signed_in(&world, "anna").await;
        // The login stands at the partner's; meanwhile somebody else's entry URL is opened.
        visit.partner.transfers(Transfer::WithoutCode, "");
        anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        let asked = anna.opens(&visit.entry("mallory").await).await;
        assert!(asked.text().contains("while another sign-in is waiting"), "{}", asked.text());
        assert_eq!(world.count("sessions").await, 0);
    }

    async fn eight_requests_of_one_browser_wait_and_the_oldest_goes(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.signed_in(&world, "anna").await;
        visit.partner.transfers(Transfer::WithoutCode, "");
        let mut nonces = Vec::new();
        for _ in 0..9 {
            let stopped = anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
            let ours = stopped.way.iter().find(|url| url.contains("/enter/continue?pending=")).unwrap();
            nonces.push(ours.split("pending=").nth(1).unwrap().to_owned());
            world.pass_seconds(61);
        }
        assert_eq!(cookie(&anna.at_gateway, "vst_waiting").split('.').collect::<Vec<_>>(), nonces[1..]);
        // Each is answered by its own nonce: the one that has gone cannot be.
        let next = |nonce: &str| {
            format!("{}/enter/continue?pending={nonce}", world.url(kernel::Environment::Sandbox))
        };
        let ordered = |nonce: &str| Ordered::new("anna", &visit.app.id, &account("AG-1")).with("next_url", &next(nonce));
        let rest = anna.opens(&visit.partner.entry_url(&ordered(&nonces[4])).await.unwrap()).await;
        assert!(rest.text().starts_with("signed in as U-"), "{}", rest.text());
        assert_eq!(cookie(&anna.at_gateway, "vst_waiting").split('.').count(), 7);
        let asked = anna.opens(&visit.partner.entry_url(&ordered(&nonces[0])).await.unwrap()).await;
        assert!(asked.text().contains("Continue as"), "{}", asked.text());
    }

    async fn an_old_sdk_that_drops_next_url_comes_in_after_a_question(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.signed_in(&world, "anna").await;
        visit.partner.transfers(Transfer::DropsNextUrl, "");
        let asked = anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        assert!(asked.text().contains("Continue as anna?"), "{}", asked.text());
        let rest = agrees(&world, &anna, &asked).await;
        assert!(rest.text().starts_with("signed in as U-"), "{}", rest.text());
    }

    async fn an_unanswered_question_ends_after_a_quarter_of_an_hour(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        let asked = anna.opens(&visit.entry("ben").await).await;
        world.pass_seconds(enter::entry::PENDING_LIFETIME_S);
        assert_eq!(agrees(&world, &anna, &asked).await.answer.status, 410);
        // What was switched off while the person read is judged again.
        let asked = anna.opens(&visit.entry("ben").await).await;
        world.change("UPDATE partners SET disabled_at = 1").await;
        assert_eq!(agrees(&world, &anna, &asked).await.answer.status, 403);
    }

    async fn lesson_19_every_entry_gives_a_new_secret_and_the_old_one_is_dead(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        let first = cookie(&anna.at_gateway, "vst_session");
        assert!(first.starts_with("vst_se_") && first.len() == 50, "{first}");
        let stored = world.rows("SELECT hash FROM sessions").await.remove(0).take::<String>().unwrap();
        assert!(!stored.contains(&first) && stored.len() == 64);
        anna.opens(&visit.entry("anna").await).await;
        let second = cookie(&anna.at_gateway, "vst_session");
        assert_ne!(first, second);
        assert_eq!(world.count("sessions").await, 1, "the same session of the partner's");
        let stolen = |secret: &str| world.person().get("/oauth2/consents").header("cookie", &format!("vst_session={secret}"));
        assert!(stolen(&first).await.text().contains("Nobody is signed in here"));
        assert!(!stolen(&second).await.text().contains("Nobody is signed in here"));
        // Another sign-in at the partner's is another session, and the cookie of before opens nothing.
        let ordered = Ordered::new("anna", &visit.app.id, &account("AG-1")).with("session_id", "their-next");
        anna.opens(&visit.partner.entry_url(&ordered).await.unwrap()).await;
        assert_eq!(world.count("sessions").await, 2);
        assert!(stolen(&second).await.text().contains("Nobody is signed in here"));
        // A secret that somebody planted is not taken over.
        let planted = format!("vst_session=vst_se_{}", "A".repeat(43));
        let entered = world.person().get(&visit.entry("ben").await).header("cookie", &planted).await;
        assert!(!entered.header("set-cookie").contains("AAAAAAAA"));
    }

    async fn a_session_ends_when_it_is_idle_and_in_any_case_after_a_day(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        for _ in 0..3 {
            world.pass_seconds(7 * 3600);
            assert!(is_inside(&anna.at_gateway).await, "it is used");
        }
        world.pass_seconds(3 * 3600);
        assert!(!is_inside(&anna.at_gateway).await, "a day");
        let ben = visit.inside(&world, "ben").await;
        world.pass_seconds(8 * 3600);
        assert!(!is_inside(&ben.at_gateway).await, "idle");
        // Many requests within a minute are one write.
        let eva = visit.inside(&world, "eva").await;
        let touched = world.rows("SELECT MAX(touched_at) FROM sessions").await.remove(0).take::<i64>().unwrap();
        world.pass_seconds(59);
        assert!(is_inside(&eva.at_gateway).await);
        assert_eq!(world.rows("SELECT MAX(touched_at) FROM sessions").await.remove(0).take::<i64>().unwrap(), touched);
        world.pass_seconds(1);
        assert!(is_inside(&eva.at_gateway).await);
        assert_eq!(world.rows("SELECT MAX(touched_at) FROM sessions").await.remove(0).take::<i64>().unwrap(), touched + 60_000_000);
    }

    async fn lesson_20_nobody_finishes_another_browsers_request(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.signed_in(&world, "anna").await;
        // Mallory's request waits; its continuation is sent to Anna, who is signed in.
        let mallory = visit.signed_in(&world, "mallory").await;
        visit.partner.transfers(Transfer::WithoutCode, "");
        let stopped = mallory.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        let continuation = stopped.way.iter().find(|url| url.contains("/enter/continue?pending=")).unwrap().clone();
        visit.partner.transfers(Transfer::Well, "");
        anna.opens(&visit.entry("anna").await).await;
        let rest = anna.opens(&continuation).await;
        assert_eq!(rest.answer.status, 400, "{:?}", rest.way);
        let nonce = continuation.split("pending=").nth(1).unwrap();
        for (path, fields) in [
            ("/oauth2/auth/consent", [("pending", nonce), ("answer", "allow")]),
            ("/oauth2/auth/account", [("pending", nonce), ("account", "AG-1")]),
        ] {
            let answer = anna.at_gateway.post(path).form(&fields).await;
            assert_eq!(answer.status, 403, "{path}: {}", answer.text());
        }
        assert!(visit.app.entered().is_empty());
    }

    async fn prompts_and_ages_force_a_trip_and_are_checked_when_it_ends(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        world.pass_seconds(100);
        for (name, value, trips) in
            [("max_age", "1000", 0), ("max_age", "99", 1), ("prompt", "login", 1), ("max_age", "0", 1)]
        {
            let before = visit.partner.trips().len();
            let rest = anna.opens(&visit.app.login(&[("account_id", "AG-1"), (name, value)])).await;
            assert!(rest.text().starts_with("signed in as U-"), "{name}={value}: {} {:?}", rest.text(), rest.way);
            assert_eq!(visit.partner.trips().len() - before, trips, "{name}={value}");
            let claims = visit.app.entered().pop().unwrap();
            let age = world.now().seconds() - claims["auth_time"].as_i64().unwrap();
            assert_eq!(age, if trips == 1 { 0 } else { 100 }, "{name}={value}");
            world.pass_seconds(100);
        }
        // Coming back without the partner's word does not count as having been there.
        visit.partner.transfers(Transfer::WithoutCode, "");
        let rest = anna.opens(&visit.app.login(&[("account_id", "AG-1"), ("prompt", "login")])).await;
        assert_eq!(rest.answer.status, 400, "{:?}", rest.way);
    }

    async fn prompt_none_answers_the_app_and_shows_nothing(world: World) {
        let visit = Visit::with(&world, true, Registration { pre_approved: false, ..Registration::default() }).await;
        let nobody = Surfer::new(&world);
        let silent = |more: &[(&str, &str)]| visit.app.login(&[&[("prompt", "none")], more].concat());
        assert_eq!(nobody.opens(&silent(&[("account_id", "AG-1")])).await.text(), "not signed in: login_required");
        assert_eq!(nobody.opens(&silent(&[])).await.text(), "not signed in: login_required");
        let anna = visit.inside(&world, "anna").await;
        assert_eq!(anna.opens(&silent(&[])).await.text(), "not signed in: account_selection_required");
        assert_eq!(anna.opens(&silent(&[("account_id", "AG-2")])).await.text(), "not signed in: interaction_required");
        assert_eq!(anna.opens(&silent(&[("account_id", "AG-1")])).await.text(), "not signed in: consent_required");
        let openid = anna.opens(&silent(&[("account_id", "AG-1"), ("scope", "openid")])).await;
        assert!(openid.text().starts_with("signed in as U-"), "{}", openid.text());
        assert_eq!(world.count("pending_requests").await, 0, "nothing waits");
        assert!(visit.app.callbacks().iter().all(|query| query.contains("&iss=http%3A%2F%2Fsandbox.localhost")));
        // A frame without cookies gets the same answer, and nothing that a browser would not show there.
        let authorize = nobody.step(&Method::GET, &silent(&[("account_id", "AG-1")]).parse().unwrap(), &[]).await;
        let framed = world.person().get(authorize.location()).framed().await;
        assert_eq!(framed.status, 303);
        assert!(framed.location().contains("error=login_required"));
        assert_eq!(framed.header("x-frame-options"), "");
    }

    async fn consent_is_asked_once_remembered_and_taken_back(world: World) {
        let visit = Visit::with(&world, true, Registration { pre_approved: false, ..Registration::default() }).await;
        let anna = visit.inside(&world, "anna").await;
        let login = visit.app.login(&[("account_id", "AG-1")]);
        let send = async |answer: &str| {
            let asked = anna.opens(&login).await;
            assert!(asked.text().contains("Your e-mail address"), "{}", asked.text());
            let policy = asked.answer.header("content-security-policy").to_owned();
            assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            let to = format!("{}/oauth2/auth/consent", world.url(kernel::Environment::Sandbox));
            let nonce = asked.hidden("pending");
            anna.sends(&to, &[("pending", nonce.as_str()), ("answer", answer)]).await
        };
        assert_eq!(send("deny").await.text(), "not signed in: access_denied");
        assert_eq!(world.count("consents").await, 0);
        assert!(send("allow").await.text().starts_with("signed in as U-"));
        assert!(anna.opens(&login).await.text().starts_with("signed in as U-"), "remembered");
        let again = anna.opens(&visit.app.login(&[("account_id", "AG-1"), ("prompt", "consent")])).await;
        assert!(again.text().contains("Your e-mail address"), "asked for by the app");
        // Taken back, what the app holds is worth nothing.
        let token = visit.app.entered()[0]["access_token"].as_str().unwrap().to_owned();
        let bearer = format!("Bearer {token}");
        let info = || world.person().get("/oauth2/user-info").header("authorization", &bearer);
        assert_eq!(info().await.status, 200);
        let list = anna.at_gateway.get("/oauth2/consents").await.text();
        assert!(list.contains("App MP-1"), "{list}");
        let fields = [("client", "client-MP-1")];
        assert_eq!(anna.at_gateway.ask(Method::POST, "/oauth2/consents").form(&fields).await.status, 403);
        assert_eq!(anna.at_gateway.post("/oauth2/consents").form(&fields).await.status, 303);
        assert_eq!(info().await.status, 401);
        assert!(anna.opens(&login).await.text().contains("Your e-mail address"));
    }

    async fn without_a_context_the_person_chooses_among_the_accounts_that_the_app_may_open(world: World) {
        let how = Registration {
            open_to_all: false,
            active_for: vec!["AG-1", "AG-2"].into_iter().map(|id| enter::ids::AccountId::parse(id).unwrap()).collect(),
            ..Registration::default()
        };
        let visit = Visit::with(&world, true, how).await;
        let anna = visit.inside(&world, "anna").await;
        let asked = anna.opens(&visit.app.login(&[])).await;
        let text = asked.text();
        assert!(text.contains("Account AG-1") && !text.contains("Account AG-2"), "only her own: {text}");
        let to = format!("{}/oauth2/auth/account", world.url(kernel::Environment::Sandbox));
        let nonce = asked.hidden("pending");
        // An account that was not offered is judged like any other.
        visit.knows(&world, "ben").await;
        let rest = anna.sends(&to, &[("pending", nonce.as_str()), ("account", "AG-unknown")]).await;
        assert_eq!(rest.text(), "not signed in: access_denied");
        let asked = anna.opens(&visit.app.login(&[])).await;
        let nonce = asked.hidden("pending");
        let found = anna.opens(&format!("{to}?pending={nonce}&search=nothing")).await;
        assert!(found.text().contains("No account fits"), "{}", found.text());
        let rest = anna.sends(&to, &[("pending", nonce.as_str()), ("account", "AG-1")]).await;
        assert!(rest.text().starts_with("signed in as U-"), "{}", rest.text());
        assert_eq!(visit.app.entered()[0]["account_id"], "AG-1");
        assert_eq!(anna.sends(&to, &[("pending", nonce.as_str()), ("account", "AG-1")]).await.answer.status, 403, "once");
        let again = anna.opens(&visit.app.login(&[("account_id", "AG-1"), ("prompt", "select_account")])).await;
        assert!(again.text().contains("Choose an account for App MP-1"), "{}", again.text());
    }

    async fn without_context_and_session_a_page_names_the_partners_of_this_browser(world: World) {
        let visit = Visit::of(&world, true).await;
        let nobody = Surfer::new(&world);
        let text = nobody.opens(&visit.app.login(&[])).await.text();
        assert!(text.contains("Start where you sign in") && !text.contains("meridian"), "{text}");
        let anna = visit.inside(&world, "anna").await;
        world.pass_seconds(24 * 3600);
        let text = anna.opens(&visit.app.login(&[])).await.text();
        assert!(text.contains("Start where you sign in") && text.contains("meridian portal"), "{text}");
        // Nobody learns a partner's name by guessing ids.
        let guess = world.person().get(nobody.step(&Method::GET, &visit.app.login(&[]).parse().unwrap(), &[]).await.location());
        let text = guess.header("cookie", "vst_partners=PT-meridian~AAAA").await.text();
        assert!(!text.contains("meridian"), "{text}");
    }

    async fn signing_out_asks_unless_the_app_proves_whose_session_it_is(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        let claims = visit.app.entered().remove(0);
        let base = format!("{}/oauth2/logout", world.url(kernel::Environment::Sandbox));
        let bye = format!("{}/bye", visit.app.origin);
        let asked = anna.opens(&base).await;
        assert!(asked.text().contains("Sign out?"), "{}", asked.text());
        assert!(is_inside(&anna.at_gateway).await, "any site can send a browser there");
        assert_eq!(anna.at_gateway.ask(Method::POST, "/oauth2/logout/confirm").form(&[("request", "")]).await.status, 403);
        // Addresses that are not the app's own.
        for wrong in ["https://evil.example/", &format!("{bye}/x"), &format!("{bye}?x=1"), "javascript:alert(1)"] {
            let query = [("client_id", "client-MP-1"), ("post_logout_redirect_uri", wrong)];
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
            let refused = anna.at_gateway.get(&format!("/oauth2/logout?{query}")).await;
            assert_eq!((refused.status, refused.header("location")), (400, ""), "{wrong}");
        }
        let hint = claims["id_token"].as_str().unwrap();
        let query = [("id_token_hint", hint), ("post_logout_redirect_uri", &bye), ("state", "s&1")];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let rest = anna.opens(&format!("{base}?{query}")).await;
        assert_eq!(rest.url.as_str(), format!("{bye}?state=s%261"));
        assert!(!is_inside(&anna.at_gateway).await);
        let bearer = format!("Bearer {}", claims["access_token"].as_str().unwrap());
        assert_eq!(world.person().get("/oauth2/user-info").header("authorization", &bearer).await.status, 401);
        // And by the person alone.
        let ben = visit.inside(&world, "ben").await;
        let asked = ben.opens(&base).await;
        let done = ben.sends(&format!("{base}/confirm"), &[("request", &asked.hidden("request"))]).await;
        assert!(done.text().contains("You are signed out"), "{}", done.text());
        assert!(!is_inside(&ben.at_gateway).await);
    }

    async fn access_is_checked_with_the_users_token(world: World) {
        let visit = Visit::of(&world, true).await;
        let anna = visit.inside(&world, "anna").await;
        anna.opens(&visit.app.login(&[("account_id", "AG-1")])).await;
        let bearer = format!("Bearer {}", visit.app.entered()[0]["access_token"].as_str().unwrap());
        let check = async |method: Method, query: &str| {
            world.person().ask(method, &format!("/oauth2/access-check{query}")).header("authorization", &bearer).await.status
        };
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(check(method.clone(), "?account_id=AG-1").await, 200);
            assert_eq!(check(method.clone(), "?account_id=AG-2").await, 403);
            assert_eq!(check(method.clone(), "?account_id=AG-unknown").await, 404);
        }
        assert_eq!(world.person().get("/oauth2/access-check?account_id=AG-1").await.status, 401);
    }

    async fn links_are_checked(world: World) {
        let visit = Visit::with(&world, true, Registration { open_to_all: false, active_for: vec![enter::ids::AccountId::parse("AG-1").unwrap()], ..Registration::default() }).await;
        let origin = visit.app.origin.clone();
        let link = |query: &str| format!("{}/service-gateway?serviceProviderId=MP-1&{query}", world.url(kernel::Environment::Sandbox));
        let step = async |surfer: &Surfer, query: &str| surfer.step(&Method::GET, &link(query).parse().unwrap(), &[]).await;
        let nobody = Surfer::new(&world);
        // Nobody is signed in: to the partner first, or straight on, and nothing is told of access.
        let sent = step(&nobody, "account_id=AG-1&&path=%2Fa%2F%7B%7BaccountId%7D%7D%3Fp%3D%7B%7BpartnerId%7D%7D").await;
        assert!(sent.location().starts_with(&format!("{}/session-transfer?serviceProviderId=MP-1", visit.partner.origin)));
        let next = sent.location_url().query_pairs().find(|(name, _)| name == "nextUrl").unwrap().1.into_owned();
        assert_eq!(next, format!("{origin}/a/AG-1?p=PT-meridian"));
        for account in ["AG-1", "AG-2"] {
            let straight = step(&nobody, &format!("account_id={account}&path=%2Fx&skipAuth=true")).await;
            assert_eq!(straight.location(), format!("{origin}/x"));
        }
        let anna = visit.inside(&world, "anna").await;
        assert_eq!(step(&anna, "account_id=AG-1&path=%2Fx").await.location(), format!("{origin}/x"));
        assert_eq!(step(&anna, "account_id=AG-1").await.location(), format!("{origin}/open/AG-1"));
        for (query, status, code) in [
            ("account_id=AG-2", 403, "app_not_active"),
            ("account_id=AG-unknown", 404, "account_unknown"),
            ("account_id=AG-1&partner_id=PT-meridian", 400, "link_malformed"),
            ("path=%2Fx", 400, "link_malformed"),
            ("serviceContext=eyJfdHlwZSI6ImdhbGF4eSJ9", 400, "context_type_unknown"),
            ("account_id=AG-1&path=%2F%2Fevil.example", 400, "link_malformed"),
            ("account_id=AG-1&path=https%3A%2F%2Fevil.example", 400, "link_malformed"),
            ("account_id=AG-1&path=%2F%5Cevil.example", 400, "link_malformed"),
            ("account_id=AG-1&path=%40evil.example", 400, "link_malformed"),
            ("account_id=AG-1&path=x", 400, "link_malformed"),
        ] {
            let refused = step(&anna, query).await;
            assert_eq!((refused.status, refused.header("location")), (status, ""), "{query}: {}", refused.text());
            assert!(refused.text().contains(&format!("<code>{code}</code>")), "{query}: {}", refused.text());
        }
        world.change("DELETE FROM associations").await;
        assert!(step(&anna, "account_id=AG-1").await.text().contains("user_not_associated"));
    }
}

on_both! {
    async fn an_app_of_the_older_kind_is_told_and_gives_its_own_code(engine: Engine) {
        let listening = testkit::enter_app::Listening::start().await;
        let world = World::build(engine).reaching(&listening.address).start().await;
        let partner = testkit::enter_partner::EnterPartner::start(&world, "meridian", true, &["AG-1"]).await;
        let how = Registration { older_kind: true, ..Registration::default() };
        let app: EnterApp = listening.register(&world, &partner.organization, "MP-1", how).await;
        let next = format!("{}/page", app.origin);
        let ordered = Ordered::new("anna", &app.id, &account("AG-1")).with("next_url", &next);
        let enters = async |surfer: &Surfer| {
            let url = partner.entry_url(&ordered).await.unwrap();
            surfer.opens(&url).await
        };
        let anna = Surfer::new(&world).who_reads("pt-BR,pt;q=0.8,en;q=0.5");
        let rest = enters(&anna).await;
        let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        assert_eq!(rest.url.as_str(), format!("{}/open/AG-1?code=their-code&nextUrl={encoded}", app.origin));
        let token = app.session_tokens().remove(0);
        let compact = kernel::jose::Compact::parse(&token, 8192).unwrap();
        assert_eq!(compact.header["alg"], "RS256");
        let claims: serde_json::Value = serde_json::from_slice(&compact.payload).unwrap();
        assert_eq!(claims["lang"], "pt-BR");
        for (status, body, code) in [
            (500, "no", "session_url_status"),
            (200, "no json", "session_url_answer"),
            (200, "{}", "session_url_answer"),
            (302, "{\"code\":\"x\"}", "session_url_status"),
        ] {
            app.answers_sessions(status, body);
            let rest = enters(&anna).await;
            assert_eq!(rest.answer.status, 502, "{}", rest.text());
            assert!(rest.text().contains(&format!("<code>{code}</code>")), "{}", rest.text());
        }
        assert_eq!(world.count("refusals WHERE code LIKE 'session_url_%'").await, 4);
        drop(app);
        let rest = enters(&anna).await;
        assert!(rest.text().contains("session_url_unreachable"), "{}", rest.text());
    }
}
