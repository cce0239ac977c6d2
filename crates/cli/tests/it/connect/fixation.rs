//! Connection fixation, from both sides: nobody connects their account to another's tenant without knowing it, and
//! nobody's credential gets into a dialog that did not ask for it.

use testkit::on_both;
use testkit::world::Dialog;

/// The short code that the callback's page shows, in groups.
fn shown_code(html: &str) -> String {
    let shown = html.split("class=\"big-code\"").nth(1).unwrap_or_else(|| panic!("no code in {html}"));
    let groups = shown.split("</p>").next().unwrap().split("<span>").skip(1);
    groups.map(|group| group.split('<').next().unwrap()).collect()
}

async fn opened_as_link(dialog: &Dialog) -> String {
    let link = dialog.start_link().await;
    let page = dialog.person.get(&link).header("sec-fetch-site", "cross-site").await;
    assert_eq!(page.status, 200, "{}", page.text());
    let html = page.text();
    let href = html
        .split("href=\"")
        .find(|part| part.starts_with("http://127.0.0.1"))
        .expect("a plain link onwards");
    href.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&")
}

on_both! {
    async fn a_start_link_from_elsewhere_explains_and_asks_for_a_code(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        for site in ["cross-site", "same-site", "none", ""] {
            let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
            let link = dialog.start_link().await;
            let page = match site {
                "" => anna.get(&link).await,
                site => anna.get(&link).header("sec-fetch-site", site).await,
            };
            assert_eq!(page.status, 200, "{site}");
            let html = page.text();
            assert!(html.contains("anna@example.com") && html.contains("Acme"), "whose connection it is: {html}");
            assert!(!html.contains("<form") && !html.contains("<button"), "no button");
            let href = html.split("href=\"").find(|part| part.starts_with("http://127.0.0.1")).expect("a plain link onwards");
            let authorize = href.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
            let callback = anna.signs_in_at(&authorize).await;
            let back = anna.comes_back(&callback).await;
            assert_eq!(back.status, 200);
            let code = shown_code(&back.text());
            assert_eq!(code.len(), 6, "{code}");
            // The dialog waits for the code, and confirming without it does nothing.
            let state = dialog.confirms().await;
            assert_eq!((state["stage"].as_str(), state["auto"].is_null()), (Some("code"), true), "{state}");
            assert!(!state.to_string().contains(&code), "the code comes from the person, not from us");
            let state = dialog.types_code(&format!(" {}-{} ", &code[..3].to_lowercase(), &code[3..])).await;
            assert_eq!(state["stage"], "checking");
            assert_eq!(dialog.confirms().await["stage"], "success");
        }
    }

    async fn the_code_can_be_typed_wrong_four_times(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let authorize = opened_as_link(&dialog).await;
        let callback = anna.signs_in_at(&authorize).await;
        let code = shown_code(&anna.comes_back(&callback).await.text());
        for wrong in ["", "000000", "ABCDEF", "'; --"] {
            assert_eq!(dialog.types_code(wrong).await["stage"], "code", "{wrong}");
        }
        let state = dialog.types_code("999999").await;
        assert_eq!(state["stage"], "failed");
        assert_eq!(dialog.announcement().await[0]["data"]["code"], "state_mismatch");
        // Now the right one is too late.
        assert_eq!(dialog.types_code(&code).await["stage"], "failed");
        assert_eq!(dialog.confirms().await["stage"], "failed");
        assert_eq!(world.count("tenants").await, 0);
    }

    async fn guesses_at_once_are_counted_one_by_one(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let authorize = opened_as_link(&dialog).await;
        let callback = anna.signs_in_at(&authorize).await;
        let code = shown_code(&anna.comes_back(&callback).await.text());
        // Of guesses that arrive together, only those that were counted may have been compared.
        for _ in 0..10 {
            futures_util::future::join_all((0..20).map(|_| dialog.types_code("000000"))).await;
        }
        assert_eq!(dialog.stage().await, "failed");
        assert_eq!(dialog.types_code(&code).await["stage"], "failed");
    }

    async fn an_attackers_start_link_does_not_connect_the_victims_account_silently(world: World) {
        let acme = world.organization("acme").await;
        let (mallory, victim) = (world.person(), world.person());
        let token = acme.token("hubspot").sub("mallory@example.com").claim("ti.udn", "Mallory").claim("ti.uem", "mallory@example.com");
        let dialog = mallory.opens(&acme, "hubspot", &token.sign()).await;
        let link = dialog.start_link().await;
        let page = victim.get(&link).header("sec-fetch-site", "cross-site").await;
        assert!(page.text().contains("mallory@example.com"), "the victim sees for whom it would be");
        let html = page.text();
        let href = html.split("href=\"").find(|part| part.starts_with("http://127.0.0.1")).unwrap();
        let authorize = href.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
        let callback = victim.signs_in_at(&authorize).await;
        assert_eq!(victim.comes_back(&callback).await.status, 200);
        // Without the code, which only the victim sees, it stays pending for ever.
        assert_eq!(dialog.confirms().await["stage"], "code");
        world.pass_seconds(31 * 60);
        assert_eq!(mallory.get(&format!("{}/state", dialog.path)).json().await.status, 410);
        assert_eq!(world.count("tenants").await, 0);
    }

    async fn a_foreign_credential_does_not_get_into_a_dialog(world: World) {
        // The opposite attack: mallory signs in with his account and sends the callback's address to anna.
        let acme = world.organization("acme").await;
        let (mallory, anna) = (world.person(), world.person());
        let his = mallory.opens(&acme, "hubspot", &acme.token("hubspot").sub("mallory").without("ti.uem").sign()).await;
        let callback = his.signs_in().await;
        let hers = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        hers.starts().await;
        assert_eq!(anna.comes_back(&callback).await.status, 400);
        assert_eq!(hers.stage().await, "waiting");
        assert_eq!(hers.confirms().await["stage"], "waiting");
        assert_eq!(world.count("tenants").await, 0);
    }

    async fn a_landing_opened_as_a_link_asks_who_is_there(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        for dest in ["document", ""] {
            let token = acme.token("hubspot").sign();
            let ask = anna.get(&format!("{}?tenant={token}", acme.page("hubspot")));
            let landed = if dest.is_empty() { ask.await } else { ask.header("sec-fetch-dest", dest).await };
            let dialog = anna.dialog_of(&landed);
            let state = dialog.state().await;
            assert_eq!(state["stage"], "confirm_identity", "{dest}");
            let html = state["html"].as_str().unwrap();
            assert!(html.contains("HubSpot") && html.contains("anna@example.com") && html.contains("Acme"), "{html}");
            // Nothing can be started before.
            assert!(state["start_url"].is_null());
            let link = dialog.start_link().await;
            assert_eq!(anna.get(&link).same_origin().await.status, 410);
            assert_eq!(dialog.confirms().await["stage"], "confirm_identity");
            assert_eq!(dialog.confirms_identity().await["stage"], "ready");
        }
        // A form's key is not taken either before somebody said yes.
        let landed = anna.ask(reqwest::Method::POST, &acme.page("stripe")).form(&[("tenant", &acme.token("stripe").sign())]).await;
        let dialog = anna.dialog_of(&landed);
        let state = dialog.types(&[("api_key", testkit::standins::STRIPE_KEY)]).await;
        assert_eq!(state["stage"], "confirm_identity", "{state}");
        assert_eq!(world.count("tenants").await, 0);
    }

    async fn every_stage_shows_whose_connection_it_is(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let shows = async |stage: &str| {
            let html = dialog.page().await.text();
            assert!(html.contains(&format!("data-stage=\"{stage}\"")), "{stage}");
            assert!(html.contains("anna@example.com") && html.contains("Anna"), "{stage}: {html}");
        };
        shows("ready").await;
        let callback = dialog.signs_in().await;
        shows("waiting").await;
        anna.comes_back(&callback).await;
        shows("checking").await;
        dialog.confirms().await;
        shows("success").await;
    }

    async fn head_and_prefetch_use_nothing_up(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let token = acme.token("hubspot").sign();
        let landing = format!("{}?tenant={token}", acme.page("hubspot"));
        let early = |to: String| {
            let anna = anna.clone();
            async move {
                let head = anna.ask(reqwest::Method::HEAD, &to).same_origin().await;
                assert_eq!((head.status, head.body.len(), head.header("location")), (200, 0, ""), "{to}");
                for (name, value) in [("sec-purpose", "prefetch"), ("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")] {
                    let answer = anna.get(&to).same_origin().header(name, value).await;
                    assert_eq!((answer.status, answer.header("location")), (503, ""), "{to} {name}: {value}");
                    assert_eq!(answer.header("set-cookie"), "");
                }
            }
        };
        early(landing.clone()).await;
        assert_eq!(world.count("dialogs").await, 0);
        let dialog = anna.dialog_of(&anna.get(&landing).framed().await);

        let link = dialog.start_link().await;
        early(link.clone()).await;
        assert_eq!(world.count("attempts").await, 0);
        let authorize = anna.get(&link).same_origin().await.location().to_owned();

        let callback = anna.signs_in_at(&authorize).await;
        let path = callback.strip_prefix(world.url(kernel::Environment::Sandbox)).unwrap().to_owned();
        early(path).await;
        assert_eq!(dialog.stage().await, "waiting");
        assert_eq!(anna.comes_back(&callback).await.status, 200);
        assert_eq!(dialog.confirms().await["stage"], "success");
    }
}
