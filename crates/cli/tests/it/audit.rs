//! What somebody with bad intentions, bad luck or bad timing may try in a dialog.

use connect::credential::App;
use service::bells::SEATS;
use std::time::Duration;
use testkit::on_both;
use testkit::standins::{Behaviour, ProviderKind};
use testkit::world::{Company, Dialog, Engine, Person, World};

/// An outside system that sends `state` back under a name of its own.
const ODD: &str = r#"id = "odd"
name = "Odd"

[auth]
kind = "oauth2"

[authorize]
url = "{own}/authorize"
pkce = "off"
state_param = "xstate"

[token]
url = "{own}/token"

[api]
base_url = "{own}"
"#;

async fn opened(world: &World, connector: &str) -> (Company, Person, Dialog) {
    let acme = world.organization("acme").await;
    let anna = world.person();
    let dialog = anna.opens(&acme, connector, &acme.token(connector).sign()).await;
    (acme, anna, dialog)
}

/// What is still sealed somewhere for a dialog.
async fn kept(world: &World) -> [i64; 3] {
    [
        world.count("attempts WHERE pending IS NOT NULL").await,
        world.count("dialogs WHERE inputs IS NOT NULL").await,
        world.count("dialogs WHERE own_token IS NOT NULL").await,
    ]
}

/// Waits for what a task beside the request does.
async fn soon(what: &str, is_so: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < end, "{what} never came");
        tokio::task::yield_now().await;
    }
}

on_both! {
    /// The fixation that neither ticket nor cookie stops: the address of a dialog that its owner opened in a frame.
    async fn lesson_20_a_dialogs_address_sent_to_somebody_asks_whose_connection_it_is(world: World) {
        let (_, mallory, dialog) = opened(&world, "hubspot").await;
        assert!(dialog.page().await.text().contains("data-stage=\"ready\""));
        let victim = world.person();
        let seen = dialog.seen_by(&victim);
        let from = |site: &'static str| {
            victim.get(&seen.path).header("sec-fetch-dest", "document").header("sec-fetch-site", site)
        };
        for site in ["cross-site", "same-site", "none"] {
            let page = from(site).await.text();
            assert!(page.contains("<main id=\"main\" data-stage=\"confirm_identity\">"), "{site}: {page}");
            assert!(!page.contains("/start/"), "{site}: nothing begins before the answer");
            assert!(page.contains("anna@example.com"), "{site}: it says whose it is");
        }
        // That the sender moves the dialog on changes nothing in the victim's page.
        dialog.goes_and_comes_back().await;
        mallory.post(&format!("{}/retry", dialog.path)).json().await;
        assert!(from("cross-site").await.text().contains("data-stage=\"confirm_identity\""));
        // Without a script: the answer leads back to the page, this time from a page of ours.
        let answered = victim.post(&format!("{}/identity", seen.path)).await;
        assert_eq!((answered.status, answered.location()), (303, seen.path.as_str()));
        assert!(from("same-origin").await.text().contains("data-stage=\"ready\""));
        // Its own frame is never asked.
        assert!(mallory.get(&dialog.path).framed().await.text().contains("data-stage=\"ready\""));
    }

    async fn whoever_cancels_leaves_no_secret_behind(world: World) {
        let (_, _, dialog) = opened(&world, "hubspot").await;
        dialog.goes_and_comes_back().await;
        assert_eq!(kept(&world).await, [1, 0, 1], "what the next step needs");
        assert_eq!(dialog.cancels().await["stage"], "cancelled");
        assert_eq!(kept(&world).await, [0, 0, 0]);
        soon("the revocation", async || world.standin(ProviderKind::HubSpot).is_revoked()).await;
    }

    async fn whoever_cancels_a_second_sign_in_keeps_the_connection(world: World) {
        let (acme, anna, dialog) = opened(&world, "hubspot").await;
        dialog.succeeds().await;
        assert_eq!(kept(&world).await, [0, 0, 0], "an installed credential is the connection's alone");
        let second = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        second.retries().await;
        second.goes_and_comes_back().await;
        assert_eq!(second.cancels().await["stage"], "cancelled");
        world.service().stopping.idle().await;
        // Some systems know all sign-ins of one account by one token: giving this one back would end the other.
        assert!(!world.standin(ProviderKind::HubSpot).is_revoked());
        assert_eq!(world.count("connections WHERE status = 'Connected'").await, 2);
        assert_eq!(kept(&world).await, [0, 0, 0]);
    }

    async fn an_installation_that_took_too_long_cannot_end_a_dialog_that_went_on(world: World) {
        let (_, _, dialog) = opened(&world, "hubspot").await;
        dialog.goes_and_comes_back().await;
        let hubspot = world.standin(ProviderKind::HubSpot);
        hubspot.hold();
        let slow = tokio::spawn({
            let dialog = dialog.clone();
            async move { dialog.posts("confirm", &[]).await }
        });
        hubspot.wait_until_held().await;
        world.pass_seconds(121);
        assert_eq!(dialog.stage().await, "failed", "its time is over");
        assert_eq!(dialog.retries().await["stage"], "ready");
        hubspot.let_go();
        let answer = slow.await.unwrap();
        assert_eq!((answer.status, &answer.json()["stage"]), (200, &serde_json::json!("ready")));
        for table in ["users", "tenants", "connections", "webhooks", "triggers", "audit WHERE action LIKE 'tenant.%'"] {
            assert_eq!(world.count(table).await, 0, "{table}");
        }
        assert_eq!(world.count("attempts WHERE pending IS NOT NULL").await, 0);
        // And the next try is as good as the first.
        dialog.succeeds().await;
        assert_eq!(world.count("tenants").await, 1);
        assert_eq!(kept(&world).await, [0, 0, 0]);
    }

    async fn a_browser_that_goes_away_does_not_stop_an_installation(world: World) {
        let (_, anna, dialog) = opened(&world, "hubspot").await;
        dialog.goes_and_comes_back().await;
        let hubspot = world.standin(ProviderKind::HubSpot);
        hubspot.hold();
        let asking = tokio::spawn({
            let dialog = dialog.clone();
            async move { dialog.posts("confirm", &[]).await }
        });
        hubspot.wait_until_held().await;
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        assert_eq!(anna.get(&format!("{}/state", dialog.path)).json().await.json()["stage"], "installing");
        hubspot.let_go();
        world.service().stopping.idle().await;
        assert_eq!(dialog.stage().await, "success");
        assert_eq!(world.count("tenants").await, 1);
    }

    async fn whoever_tries_again_may_type_something_else(world: World) {
        let (_, _, dialog) = opened(&world, "salesforce").await;
        assert_eq!(dialog.types(&[("login", "test")]).await["stage"], "ready");
        let salesforce = world.standin(ProviderKind::Salesforce);
        salesforce.behave(Behaviour::Down);
        dialog.goes_and_comes_back().await;
        assert_eq!(dialog.stage().await, "failed");
        salesforce.behave(Behaviour::Well);
        assert_eq!(dialog.retries().await["stage"], "form", "what was typed may be what was wrong");
        assert_eq!(kept(&world).await[1], 0);
        // A link from before does not begin without what is asked.
        let early = dialog.person.get(&dialog.start_link().await).same_origin().await;
        assert_eq!(early.status, 410);
        dialog.succeeds().await;
    }

    async fn a_companys_own_connector_may_call_the_state_otherwise(world: World) {
        let acme = world.organization("acme").await;
        acme.add_connector(ODD).await;
        let app = App { client_id: "odd-client".to_owned(), ..App::default() };
        acme.put_app("odd", &app).await;
        acme.integrate(&["odd"]).await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "odd", &acme.token("odd").sign()).await;
        let authorize: url::Url = dialog.starts().await.parse().unwrap();
        let (_, state) = authorize.query_pairs().into_owned().find(|(name, _)| name == "xstate").unwrap();
        // Under another name it is no state of this connector.
        let other = anna.comes_back(&format!("/oauth2/callback?state={state}&error=access_denied")).await;
        assert_eq!((other.status, dialog.stage().await.as_str()), (400, "waiting"));
        let back = anna.comes_back(&format!("/oauth2/callback?xstate={state}&error=access_denied")).await;
        assert_eq!((back.status, dialog.stage().await.as_str()), (400, "failed"));
    }

    async fn a_ticket_begins_nothing_where_a_key_is_asked(world: World) {
        let (_, _, dialog) = opened(&world, "stripe").await;
        assert_eq!(dialog.types(&[("api_key", "sk_test_standin0wrong1")]).await["stage"], "form");
        let answer = dialog.person.get(&dialog.start_link().await).same_origin().await;
        assert_eq!(answer.status, 410, "{}", answer.text());
        assert_eq!(world.count("attempts").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialog_is_listened_to_by_so_many_and_they_end_with_it() {
    let world = World::on(Engine::Sqlite).await;
    let (_, anna, dialog) = opened(&world, "hubspot").await;
    let path = format!("{}/events", dialog.path);
    let mut listening = Vec::new();
    for _ in 0..SEATS {
        listening.push(anna.events(&path).await);
    }
    let one_more = anna.get(&path).header("accept", "text/event-stream").await;
    assert_eq!(one_more.status, 429);
    assert_eq!(dialog.stage().await, "ready", "who is turned away can ask");
    dialog.cancels().await;
    for events in listening {
        // Read until the stream itself ends: a stage that never comes.
        assert_eq!(events.until("(the end)").await, ["ready", "cancelled"]);
    }
    let last = anna.get(&path).header("accept", "text/event-stream").await;
    assert_eq!((last.status, last.header("cache-control")), (200, "no-store"));
    assert!(last.text().contains("\"stage\":\"cancelled\""));
}
