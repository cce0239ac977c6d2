//! From a signed token to an installed tenant, at each of the systems that ship.

use connect::credential::App;
use kernel::{Environment, SecretText};
use serde_json::json;
use testkit::on_both;
use testkit::standins::{ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, ProviderKind, STRIPE_KEY};
use testkit::world::{OWN_TOKEN, Person, World};

/// Signs in at the stand-in for HubSpot, and asks which of the company's own sites.
const SEVERAL: &str = r#"
id = "several"
name = "Several"

[auth]
kind = "oauth2"

[authorize]
url = "{hubspot}/oauth/authorize"
pkce = "off"

[token]
url = "{hubspot}/oauth/v1/token"

[[after]]
request = { url = "{own}/sites", credential = false }
choose = { value = "/id", label = "/name" }
save = { "/0/id" = "site_id" }

[api]
base_url = "{hubspot}"
headers = { Authorization = "Bearer {token.access}" }
"#;

async fn audited(world: &World) -> Vec<String> {
    let rows = world.rows("SELECT action FROM audit WHERE action LIKE 'tenant.%' ORDER BY id").await;
    let mut actions: Vec<String> = rows.into_iter().map(|mut row| row.take().unwrap()).collect();
    actions.sort();
    actions
}

on_both! {
    async fn hubspot_is_connected_in_a_popup(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        assert_eq!(dialog.stage().await, "ready");

        let callback = dialog.signs_in().await;
        assert_eq!(dialog.stage().await, "waiting");
        assert!(callback.starts_with(&format!("{}/oauth2/callback?", world.url(Environment::Sandbox))));
        let page = anna.comes_back(&callback).await;
        assert_eq!(page.status, 200, "{}", page.text());
        assert!(anna.cookies().is_empty(), "the binding cookie is taken away: {:?}", anna.cookies());

        // The credential is pending: nothing is installed before the dialog takes it.
        assert_eq!(world.count("tenants").await, 0);
        let state = dialog.state().await;
        assert_eq!((state["stage"].as_str(), state["auto"].as_str()), (Some("checking"), Some("confirm")));
        let state = dialog.confirms().await;
        assert_eq!((state["stage"].as_str(), state["announce"].as_bool()), (Some("success"), Some(true)));

        // The portal's id came from a request of its own, the own system was asked with the token's credential.
        let details = world.standin(ProviderKind::HubSpot).last("/account-info/v3/details");
        assert_eq!(details.bearer(), Some(ACCESS_TOKEN));
        assert_eq!(world.own_system.tokens(), [OWN_TOKEN]);
        assert_eq!(world.count("tenants").await, 1);
        assert_eq!(world.count("triggers WHERE mode = 'init' AND claimed_at IS NULL").await, 1);
        assert_eq!(world.count("connections WHERE status = 'Connected'").await, 2);
        assert_eq!(audited(&world).await, ["tenant.connected", "tenant.created"]);
        // What the dialog held is forgotten with its success.
        assert_eq!(world.count("dialogs WHERE own_token IS NOT NULL OR inputs IS NOT NULL").await, 0);
    }

    async fn every_system_that_ships_is_connected(world: World) {
        let acme = world.organization("acme").await;
        let key = acme.api_key(&["tenants:read"]).await;
        for kind in ProviderKind::ALL {
            let anna = world.person();
            let name = kind.connector();
            let tenant = anna.connects(&acme, name, &acme.token(name).sign()).await;
            let id = tenant["id"].as_i64().unwrap();
            assert_eq!(tenant["name"], format!("anna-example-com-{name}-sync"));
            let auth = &tenant["status"]["auth"];
            assert_eq!(auth["connected"], true, "{tenant}");
            assert_eq!(auth[format!("{}_AUTH_STATUS", name.to_uppercase())], "Connected");
            assert_eq!(auth["GWT_AUTH_STATUS"], "Connected");
            let asked = anna.calls(&key, &format!("/v2/tenants/{id}")).await.json();
            let names: Vec<_> = asked["status"]["auth"]["connectors"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
            // The outside system first, as in the published example.
            assert_eq!(names, [json!(name), json!("gwt")]);
        }
        assert_eq!(world.count("tenants").await, 5);
        assert_eq!(world.count("users").await, 1);
    }

    async fn slack_notion_and_salesforce_get_what_each_wants(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();

        let slack = anna.opens(&acme, "slack", &acme.token("slack").sign()).await;
        let authorize: url::Url = slack.starts().await.parse().unwrap();
        let query: std::collections::BTreeMap<_, _> = authorize.query_pairs().into_owned().collect();
        assert_eq!(query["scope"], "chat:write,channels:read,users:read");
        assert!(!query.contains_key("code_challenge"));

        let notion = anna.opens(&acme, "notion", &acme.token("notion").sign()).await;
        let authorize: url::Url = notion.starts().await.parse().unwrap();
        assert!(authorize.query_pairs().any(|(name, value)| name == "owner" && value == "user"));

        // Salesforce is asked where to sign in first; what could lead elsewhere is refused at the field.
        let salesforce = anna.opens(&acme, "salesforce", &acme.token("salesforce").sign()).await;
        assert_eq!(salesforce.stage().await, "form");
        for elsewhere in ["evil.example/#", "evil.example?", "login.salesforce.com@evil.example", "a b", "..", "x.evil"] {
            let state = salesforce.types(&[("login", elsewhere)]).await;
            assert_eq!(state["stage"], "form", "{elsewhere}: {state}");
        }
        assert_eq!(salesforce.types(&[("login", "acme.my")]).await["stage"], "ready");
        let authorize: url::Url = salesforce.starts().await.parse().unwrap();
        assert!(authorize.query_pairs().any(|(name, value)| name == "code_challenge_method" && value == "S256"));
        let callback = anna.signs_in_at(authorize.as_str()).await;
        anna.comes_back(&callback).await;
        assert_eq!(salesforce.confirms().await["stage"], "success");
    }

    async fn a_wrong_key_is_told_at_its_field_and_the_right_one_connects(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "stripe", &acme.token("stripe").sign()).await;
        assert_eq!(dialog.stage().await, "form");

        // Not written as a key is: nobody is asked.
        let state = dialog.types(&[("api_key", "no key at all")]).await;
        assert_eq!(state["stage"], "form");
        assert!(world.standin(ProviderKind::Stripe).seen().is_empty());

        let state = dialog.types(&[("api_key", "sk_test_wrong0key1")]).await;
        assert_eq!(state["stage"], "form");
        let html = state["html"].as_str().unwrap();
        assert!(html.contains("Stripe did not accept this key"), "{html}");
        assert!(!html.contains("sk_test_wrong0key1"), "a secret is never shown again");
        assert_eq!(world.count("tenants").await, 0);
        assert_eq!(world.count("connections").await, 0);

        let state = dialog.types(&[("api_key", STRIPE_KEY)]).await;
        assert_eq!(state["stage"], "success", "{state}");
        let tenant = &dialog.announcement().await[0]["data"]["tenant"];
        assert_eq!(tenant["status"]["auth"]["STRIPE_AUTH_STATUS"], "Connected");
        assert!(!tenant.to_string().contains(STRIPE_KEY));
        // Sealed at rest: the key stands nowhere in the database.
        let rows = world.rows("SELECT credential FROM connections WHERE credential IS NOT NULL").await;
        for mut row in rows {
            let sealed: String = row.take().unwrap();
            assert!(sealed.starts_with("v1.dk_") && !sealed.contains(STRIPE_KEY), "{sealed}");
        }
    }

    async fn the_message_is_the_published_one_to_the_byte(world: World) {
        let acme = world.organization("acme").brand("pandium").await;
        let anna = world.person();
        let token = acme
            .token("hubspot")
            .claim("external_id", "u-77")
            .claim("ti.ili", json!(["12", "13"]))
            .claim("ti.aid", "boss-1")
            .claim("ti.adn", "Berta Boss")
            .claim("ti.xti.plan", "gold");
        let dialog = anna.opens(&acme, "hubspot", &token.sign()).await;
        dialog.goes_and_comes_back().await;
        dialog.confirms().await;

        let messages = dialog.announcement().await;
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0]["targetOrigin"], "https://app.acme.example");
        let told = &messages[0]["data"];
        let webhook = told["webhook_url"].as_str().unwrap();
        let issuer = world.url(Environment::Sandbox);
        let secret = webhook.strip_prefix(&format!("{issuer}/v1/webhooks/")).expect("an address of ours");
        assert_eq!(secret.len(), 43);

        let mut rows = world.rows("SELECT id, schedule, integration_id, user_id FROM tenants").await;
        let (id, schedule, integration, user): (i64, String, i64, String) =
            (rows[0].take().unwrap(), rows[0].take().unwrap(), rows[0].take().unwrap(), rows[0].take().unwrap());
        let minutes = schedule.strip_suffix("/30 * * * *").and_then(|it| it.strip_suffix("-59"));
        let offset = minutes.map_or(0, |it| it.parse::<i64>().unwrap());
        assert!((0..30).contains(&offset), "{schedule}");
        let (now, change, millis) = (world.now().iso_micros(), world.now().iso_centis(), world.now().millis());
        let expected = format!(
            concat!(
                r#"{{"message":"pandium-success","webhook_url":"{webhook}","tenant":{{"archived":false,"#,
                r#""name":"anna-example-com-hubspot-sync","namespace":"sandbox-acme","configs":{{}},"created_date":"{now}","#,
                r#""paused":false,"user_schedule":"*/30 * * * *","schedule":"{schedule}","source":"connect","#,
                r#""integration":{{"id":{integration},"name":"hubspot-sync"}},"integration_release":null,"#,
                r#""integration_release_channel":"Default","id":{id},"modified_date":"{now}","#,
                r#""connected_users":{{"pandium":{{"id":"{user}","email":"anna@example.com","username":"anna@example.com","#,
                r#""attributes":{{"jwt":{{"display_name":"Anna","full_name":"Anna Arendt","external_integrations":"12,13","#,
                r#""auditable_uid":"boss-1","auditable_display_name":"Berta Boss","#,
                r#""extra_tenant_info":"{{\"connector_name\":\"gwt\",\"integration_name\":\"hubspot-sync\",\"token\":\"********\",\"plan\":\"gold\"}}","#,
                r#""namespace":"sandbox-acme","keycloak_uri":"{issuer}"}}}},"first_name":null,"last_name":null,"#,
                r#""email_verified":true,"enabled":true,"realm_id":"sandbox-acme","created_timestamp":{millis}}}}},"#,
                r#""status":{{"tenant_id":{id},"last_run":{{}},"current_run":{{}},"last_successful_run":{{}},"dynamic_configs":{{}},"#,
                r#""auth":{{"connected":true,"HUBSPOT_AUTH_STATUS":"Connected","HUBSPOT_LAST_CHANGE":"{change}","#,
                r#""GWT_AUTH_STATUS":"Connected","GWT_LAST_CHANGE":"{change}"}}}}}}}}"#,
            ),
            webhook = webhook, now = now, schedule = schedule, integration = integration, id = id, user = user,
            issuer = issuer, millis = millis, change = change,
        );
        assert_eq!(told.to_string(), expected);

        // The same tenant by the API, in both shapes.
        let key = acme.api_key(&["tenants:read"]).await;
        let v1 = anna.calls(&key, &format!("/v1/tenants/{id}")).await;
        assert_eq!(v1.json().to_string(), told["tenant"].to_string());
        let v2 = anna.calls(&key, &format!("/v2/tenants/{id}")).await;
        let expected = format!(
            concat!(
                r#"{{"id":{id},"name":"anna-example-com-hubspot-sync","namespace":"sandbox-acme","archived":false,"#,
                r#""integration_id":{integration},"integration_release_id":null,"integration_release_channel":"Default","#,
                r#""source":"connect","paused":false,"user_schedule":"*/30 * * * *","schedule":"{schedule}","configs":{{}},"#,
                r#""created_date":"{now}","modified_date":"{now}","status":{{"tenant_id":{id},"last_run":{{}},"current_run":{{}},"#,
                r#""last_successful_run":{{}},"dynamic_configs":{{}},"auth":{{"connected":true,"connectors":["#,
                r#"{{"name":"hubspot","status":"Connected","last_change":"{change}"}},"#,
                r#"{{"name":"gwt","status":"Connected","last_change":"{change}"}}]}}}},"time_zone":"UTC"}}"#,
            ),
            id = id, integration = integration, schedule = schedule, now = now, change = change,
        );
        assert_eq!(v2.json().to_string(), expected);

        // And the address in the message works.
        let delivered = anna.post(webhook).body("application/json", r#"{"hello":1}"#).await;
        assert_eq!(delivered.status, 202, "{}", delivered.text());
        assert_eq!(world.count("deliveries").await, 1);
    }

    async fn the_message_is_handed_out_once(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        dialog.goes_and_comes_back().await;
        dialog.confirms().await;
        let asked = futures_util::future::join_all((0..20).map(|_| dialog.announcement())).await;
        assert_eq!(asked.iter().filter(|messages| !messages.is_empty()).count(), 1);
        assert_eq!(dialog.state().await["announce"], false);
    }

    async fn a_choice_after_a_sign_in_in_the_same_tab_is_made_on_the_page_at_its_end(world: World) {
        let acme = world.organization("acme").await;
        let hubspot = world.standin(ProviderKind::HubSpot).origin();
        acme.add_connector(&SEVERAL.replace("{hubspot}", &hubspot)).await;
        let app = App { client_id: CLIENT_ID.to_owned(), client_secret: Some(SecretText::new(CLIENT_SECRET)), ..App::default() };
        acme.put_app("several", &app).await;
        acme.integrate(&["several"]).await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "several", &acme.token("several").sign()).await;
        let link = format!("{}?tab=1", dialog.start_link().await);
        let started = anna.get(&link).same_origin().await;
        let back = anna.comes_back(&anna.signs_in_at(started.location()).await).await;
        assert_eq!(back.status, 200, "{}", back.text());
        let page = back.text();
        assert!(page.contains("name=\"choice\" value=\"s-1\"") && page.contains("value=\"s-2\""), "{page}");
        assert_eq!(anna.cookies().len(), 1, "the cookie is needed once more");
        let state = page.split("name=\"state\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let choose = |person: &Person, state: &str, choice: &str| {
            person.post("/oauth2/callback").form(&[("state", state), ("choice", choice)])
        };

        // Not from elsewhere, not in another browser, not with another state, and only what was offered.
        let foreign = choose(&anna, &state, "s-2").header("origin", "https://evil.example").json().await;
        assert_eq!((foreign.status, foreign.json()["code"].as_str()), (403, Some("origin_forbidden")));
        assert_eq!(choose(&world.person(), &state, "s-2").await.status, 400);
        assert_eq!(choose(&anna, &"A".repeat(43), "s-2").await.status, 400);
        let again = choose(&anna, &state, "s-3").await;
        assert!(again.status == 200 && again.text().contains("value=\"s-2\""), "asked again: {}", again.text());
        assert_eq!((world.count("tenants").await, anna.cookies().len()), (0, 1));

        let done = choose(&anna, &state, "s-2").await;
        assert_eq!(done.status, 200, "{}", done.text());
        assert!(done.text().contains("href=\"https://app.acme.example/\""), "{}", done.text());
        assert_eq!((dialog.stage().await.as_str(), world.count("tenants").await), ("success", 1));
        assert!(anna.cookies().is_empty(), "{:?}", anna.cookies());
        assert_eq!(choose(&anna, &state, "s-1").await.status, 400, "once");

        // A dialog whose frame is still there asks in it, and nowhere else.
        let framed = anna.opens(&acme, "several", &acme.token("several").sign()).await;
        framed.retries().await;
        let authorize = framed.starts().await;
        let state = url::Url::parse(&authorize).unwrap().query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let cookie = anna.cookie_line("/oauth2/callback");
        anna.comes_back(&anna.signs_in_at(&authorize).await).await;
        assert_eq!(framed.confirms().await["stage"], "choose");
        let refused = choose(&anna, &state, "s-1").header("cookie", &cookie).await;
        assert_eq!((refused.status, framed.stage().await.as_str()), (400, "choose"));
    }

    async fn an_announcement_whose_answer_was_lost_is_told_again_to_the_same_page(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        dialog.goes_and_comes_back().await;
        dialog.confirms().await;
        let (one, other) = ("a".repeat(32), "b".repeat(32));
        let first = dialog.posts("announcement", &[("page", &one)]).await;
        assert_eq!(first.status, 200, "{}", first.text());
        let again = dialog.posts("announcement", &[("page", &one)]).await;
        assert_eq!((again.status, again.json()), (200, first.json()));
        // Another page, one that does not say which it is, and one whose name is no name get nothing.
        for (name, page) in [("page", other.as_str()), ("page", ""), ("page", "a"), ("pages", one.as_str())] {
            assert_eq!(dialog.posts("announcement", &[(name, page)]).await.status, 204, "{name}={page}");
        }
        assert_eq!(dialog.posts("announcement", &[("page", &"a".repeat(65))]).await.status, 204);
        // What names no page is told once, and its next try is another page.
        let second = anna.opens(&acme, "stripe", &acme.token("stripe").sign()).await;
        second.cancels().await;
        assert_eq!(second.posts("announcement", &[("page", "short")]).await.status, 200);
        assert_eq!(second.posts("announcement", &[("page", "short")]).await.status, 204);
    }

    async fn a_form_that_is_too_large_is_refused_in_words(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "stripe", &acme.token("stripe").sign()).await;
        let limit = world.service().limits.body;
        let form = |bytes: usize| {
            let body = format!("api_key={}", "k".repeat(bytes - "api_key=".len()));
            anna.post(&format!("{}/inputs", dialog.path)).body("application/x-www-form-urlencoded", body)
        };
        let told = form(limit + 1).json().await;
        assert_eq!((told.status, told.json()["code"].as_str()), (413, Some("body_too_large")));
        assert!(told.json()["message"].as_str().unwrap().contains("larger than can be taken"), "{}", told.text());
        let page = form(limit + 1).header("accept-language", "de").await;
        assert_eq!((page.status, page.header("content-type")), (413, "text/html; charset=utf-8"));
        assert!(page.text().contains("<h1") && page.text().contains("größer"), "{}", page.text());
        assert_eq!(dialog.stage().await, "form");
        // Who is not in a page of ours is told that before anything is read.
        let stranger = form(100).header("origin", "https://evil.example").json().await;
        assert_eq!((stranger.status, stranger.json()["code"].as_str()), (403, Some("origin_forbidden")));
        // As much as is allowed is read, and is no key.
        assert_eq!(form(limit).json().await.status, 200);
        for what in ["code", "choose", "cancel", "retry", "identity", "confirm", "start", "announcement", "disconnect"] {
            let ask = anna.post(&format!("{}/{what}", dialog.path)).json();
            let told = ask.body("application/x-www-form-urlencoded", vec![b'x'; limit + 1]).await;
            assert_eq!(told.status, 413, "{what}: {}", told.text());
        }
        assert_eq!(dialog.stage().await, "form");
    }

    async fn the_same_user_connecting_again_keeps_the_tenant(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let first = anna.connects(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let address = webhook_addresses(&world).await;

        world.pass_seconds(3600);
        let again = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let state = again.state().await;
        assert_eq!(state["stage"], "connected");
        assert!(state["html"].as_str().unwrap().contains("anna@example.com (demo.example.com)"), "{state}");
        let second = again.succeeds().await;
        assert_eq!(second["id"], first["id"]);
        assert_eq!(second["created_date"], first["created_date"]);
        assert_eq!(second["schedule"], first["schedule"]);
        assert_ne!(second["modified_date"], first["modified_date"]);
        assert_ne!(second["status"]["auth"]["HUBSPOT_LAST_CHANGE"], first["status"]["auth"]["HUBSPOT_LAST_CHANGE"]);
        assert_eq!(webhook_addresses(&world).await, address, "the address does not change under its users");
        assert_eq!((world.count("tenants").await, world.count("connections").await), (1, 2));
        assert_eq!(world.count("triggers").await, 1);
        assert_eq!(audited(&world).await, ["tenant.connected", "tenant.connected", "tenant.created"]);
    }

    async fn fifty_connects_of_one_user_at_once_make_one_tenant(world: World) {
        let acme = world.organization("acme").await;
        let dialogs = futures_util::future::join_all((0..50).map(|_| {
            let (world, acme) = (world.clone(), acme.clone());
            async move {
                let anna = world.person();
                let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
                dialog.goes_and_comes_back().await;
                dialog
            }
        }))
        .await;
        let confirmed = futures_util::future::join_all(dialogs.iter().map(|dialog| dialog.confirms())).await;
        for state in &confirmed {
            assert_eq!(state["stage"], "success", "{state}");
        }
        assert_eq!(world.count("users").await, 1);
        assert_eq!(world.count("tenants").await, 1);
        assert_eq!(world.count("connections").await, 2);
        assert_eq!(world.count("triggers").await, 1);
        // One published address, and one current address of the connector; the outside system was told others,
        // which live on for a while.
        assert_eq!(world.count("webhooks WHERE connector = ''").await, 1);
        assert_eq!(world.count("webhooks WHERE connector = 'hubspot' AND ends_at IS NULL").await, 1);
    }

    async fn disconnecting_revokes_at_the_outside_system(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let tenant = anna.connects(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let again = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let state = again.disconnects().await;
        assert_eq!(state["stage"], "ready", "the dialog begins anew");
        assert!(world.standin(ProviderKind::HubSpot).is_revoked());
        assert_eq!(world.count("connections WHERE connector = 'hubspot' AND status = 'Disconnected' AND credential IS NULL").await, 1);
        let key = acme.api_key(&["tenants:read"]).await;
        let shown = anna.calls(&key, &format!("/v1/tenants/{}", tenant["id"])).await.json();
        assert_eq!(shown["status"]["auth"]["HUBSPOT_AUTH_STATUS"], "Disconnected");
        assert_eq!(shown["status"]["auth"]["connected"], false);
        assert!(audited(&world).await.contains(&"tenant.disconnected".to_owned()));
        // Whoever comes next is not told that it is connected.
        let next = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        assert_eq!(next.stage().await, "ready");
    }

    async fn an_own_system_that_refuses_its_token_leaves_nothing_half_done(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        world.own_system.refuse();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        dialog.goes_and_comes_back().await;
        let state = dialog.confirms().await;
        assert_eq!(state["stage"], "failed", "{state}");
        for table in ["users", "tenants", "connections", "webhooks", "triggers"] {
            assert_eq!(world.count(table).await, 0, "{table}");
        }
        let message = &dialog.announcement().await[0]["data"];
        assert_eq!((message["message"].as_str(), message["code"].as_str()), (Some("vestibule-error"), Some("server_error")));
        assert!(!message.to_string().contains(OWN_TOKEN));
    }

    async fn the_connector_segment_means_the_only_one(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let landed = anna.lands("/acme/connector/auth", &acme.token("hubspot").sign()).await;
        assert_eq!(anna.dialog_of(&landed).stage().await, "ready");

        acme.integrate(&["hubspot", "slack"]).await;
        let token = acme.token("hubspot-slack");
        let landed = anna.ask(reqwest::Method::POST, "/acme/connector/auth").json().form(&[("tenant", &token.sign())]).await;
        assert_eq!(landed.status, 404);
        let refused = landed.json();
        assert_eq!(refused["code"], "connector_unknown");
        assert!(refused["message"].as_str().unwrap().contains("hubspot, slack"), "{refused}");
        let landed = anna.lands("/acme/slack/auth", &acme.token("hubspot-slack").sign()).await;
        assert_eq!(anna.dialog_of(&landed).stage().await, "ready");
    }

    async fn the_dialog_tells_itself_by_events(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let stages = {
            let events = anna.events(&format!("{}/events", dialog.path)).await;
            let walk = async {
                dialog.goes_and_comes_back().await;
                dialog.confirms().await;
            };
            let (stages, ()) = tokio::join!(events.until("success"), walk);
            stages
        };
        assert_eq!(stages.first().map(String::as_str), Some("ready"));
        assert_eq!(stages.last().map(String::as_str), Some("success"));
    }

    async fn another_node_tells_a_waiting_page(world: World) {
        let acme = world.organization("acme").await;
        let node = world.another_node().await;
        let (here, there) = (world.person(), world.person_at(&node));
        let dialog = here.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let events = here.events(&format!("{}/events", dialog.path)).await;
        let elsewhere = dialog.seen_by(&there);
        let walk = async {
            elsewhere.goes_and_comes_back().await;
            assert_eq!(elsewhere.confirms().await["stage"], "success");
        };
        let (stages, ()) = tokio::join!(events.until("success"), walk);
        assert_eq!(stages.last().map(String::as_str), Some("success"));
    }

    async fn two_users_and_two_integrations_are_four_tenants(world: World) {
        let acme = world.organization("acme").await;
        let mut names = std::collections::BTreeSet::new();
        for sub in ["anna@example.com", "ANNA-example-com"] {
            for system in ["hubspot", "notion"] {
                let person = world.person();
                let tenant = person.connects(&acme, system, &acme.token(system).sub(sub).sign()).await;
                names.insert(tenant["name"].as_str().unwrap().to_owned());
            }
        }
        // Both users' plain names are alike; no two tenants are called the same.
        assert_eq!(names.len(), 4, "{names:?}");
        assert_eq!((world.count("users").await, world.count("tenants").await), (2, 4));
    }

    async fn steps_after_connecting_ask_which_and_register_the_webhook(world: World) {
        let acme = world.organization("acme").await;
        acme.add_connector(r#"
id = "sites"
name = "Sites"

[auth]
kind = "api_key"

[[inputs]]
key = "api_key"
label = "Key"
secret = true

[verify]
request = { url = "{own}/me", headers = { Authorization = "Bearer {inputs.api_key}" } }

[[after]]
request = { url = "{own}/sites" }
choose = { value = "/id", label = "/name" }
save = { "/0/id" = "site_id" }

[[after]]
request = { method = "POST", url = "{own}/hooks", body = { url = "{webhook.url}", site = "{capture.site_id}" } }

[api]
base_url = "{own}"
"#).await;
        acme.integrate(&["sites"]).await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "sites", &acme.token("sites").sign()).await;
        let state = dialog.types(&[("api_key", OWN_TOKEN)]).await;
        assert_eq!(state["stage"], "choose", "{state}");
        let html = state["html"].as_str().unwrap();
        assert!(html.contains("North") && html.contains("South &#60;&#38;&#62;") || html.contains("South &lt;&amp;&gt;"), "{html}");
        assert_eq!(world.count("tenants").await, 0);
        // Only what was offered can be chosen.
        assert_eq!(dialog.posts("choose", &[("choice", "s-3")]).await.json()["stage"], "choose");
        assert!(world.own_system.hooks().is_empty());
        let state = dialog.posts("choose", &[("choice", "s-2")]).await.json();
        assert_eq!(state["stage"], "success", "{state}");

        let hooks = world.own_system.hooks();
        assert_eq!((hooks.len(), hooks[0]["site"].as_str()), (1, Some("s-2")));
        let address = hooks[0]["url"].as_str().unwrap();
        assert!(address.starts_with(&format!("{}/v1/webhooks/", world.url(Environment::Sandbox))));
        assert_eq!(anna.post(address).body("application/json", "{}").await.status, 202, "the address works from the start");
        assert_eq!(world.count("deliveries").await, 1);

        // Connecting again registers the same address, not another one.
        let again = anna.opens(&acme, "sites", &acme.token("sites").sign()).await;
        again.retries().await;
        again.types(&[("api_key", OWN_TOKEN)]).await;
        assert_eq!(again.posts("choose", &[("choice", "s-1")]).await.json()["stage"], "success");
        assert_eq!(world.own_system.hooks()[1]["url"], hooks[0]["url"]);
        assert_eq!(world.count("tenants").await, 1);
    }

    async fn without_a_script_the_forms_lead_back_to_the_page(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "stripe", &acme.token("stripe").sign()).await;
        let sent = anna.post(&format!("{}/inputs", dialog.path)).form(&[("api_key", STRIPE_KEY)]).await;
        assert_eq!((sent.status, sent.location()), (303, dialog.path.as_str()));
        let page = dialog.page().await;
        assert_eq!(page.status, 200);
        assert_eq!(dialog.stage().await, "success");
    }
}

async fn webhook_addresses(world: &World) -> Vec<String> {
    let rows =
        world.rows("SELECT secret_hash FROM webhooks WHERE ends_at IS NULL ORDER BY secret_hash").await;
    rows.into_iter().map(|mut row| row.take().unwrap()).collect()
}
