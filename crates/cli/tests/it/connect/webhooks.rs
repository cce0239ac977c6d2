//! What arrives at a tenant's addresses is kept once, durably, and only from whom it claims to be.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::ids::TenantId;
use kernel::{Actor, Environment, Slug};
use serde_json::json;
use testkit::on_both;
use testkit::standins::CLIENT_SECRET;
use testkit::world::{Answer, Ask, Company, NOTION_VERIFICATION_TOKEN, Person, SLACK_SIGNING_SECRET, World};

/// A tenant and the two addresses that deliver to it.
struct Receiver {
    tenant: TenantId,
    own: String,
    connectors: String,
}

async fn receiver(world: &World, company: &Company, connector: &str) -> Receiver {
    let anna = world.person();
    let connected = anna.connects(company, connector, &company.token(connector).sign()).await;
    let tenant = TenantId::parse(&connected["id"].to_string()).unwrap();
    let slug = Slug::parse(connector).unwrap();
    let service = world.service();
    let own = service.webhook_url(&company.id, tenant, None).await.unwrap().unwrap();
    let connectors = service.webhook_url(&company.id, tenant, Some(&slug)).await.unwrap().unwrap();
    Receiver { tenant, own, connectors }
}

/// A delivery as a program sends it: no cookies, no `Origin`.
fn delivery(person: &Person, to: &str, body: impl Into<Vec<u8>>) -> Ask {
    person
        .ask(reqwest::Method::POST, to)
        .without_header("accept-language")
        .json()
        .body("application/json", body)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(secret: &str, message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes()).as_ref().to_vec()
}

fn hubspot(person: &Person, to: &str, body: &str, at_ms: i64, secret: &str) -> Ask {
    let signature = STANDARD.encode(mac(secret, &format!("POST{to}{body}{at_ms}")));
    let ask = delivery(person, to, body).header("x-hubspot-request-timestamp", &at_ms.to_string());
    ask.header("x-hubspot-signature-v3", &signature)
}

fn accepted(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.json()["message"].as_str()),
        (202, Some("accepted")),
        "{}",
        answer.text()
    );
}

fn repeated(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.json()["message"].as_str()),
        (202, Some("accepted before")),
        "{}",
        answer.text()
    );
}

on_both! {
    async fn what_is_accepted_is_kept_as_it_came(world: World) {
        let acme = world.organization("acme").await;
        let to = receiver(&world, &acme, "hubspot").await;
        let sender = world.person();
        for body in [&b"{\"a\": 1,  \"b\":\"\xc3\xa4\"}"[..], b"", b"\x00\xff\xfe not text", b"plain words"] {
            let ask = delivery(&sender, &to.own, body).header("x-event", "created").header("authorization", "Bearer secret-of-the-sender");
            accepted(&ask.header("cookie", "a=b").await);
        }
        let rows = world.rows("SELECT headers, body_encoding, body FROM deliveries ORDER BY id").await;
        let mut bodies = Vec::new();
        for mut row in rows {
            let (headers, encoding, body): (String, String, String) = (row.take().unwrap(), row.take().unwrap(), row.take().unwrap());
            assert!(headers.contains("x-event") && !headers.contains("secret-of-the-sender") && !headers.contains("cookie"), "{headers}");
            bodies.push(if encoding == "utf-8" { body.into_bytes() } else { STANDARD.decode(body).unwrap() });
        }
        bodies.sort();
        assert_eq!(bodies, [&b""[..], b"\x00\xff\xfe not text", b"plain words", b"{\"a\": 1,  \"b\":\"\xc3\xa4\"}"]);
        // Each waits to be taken: nothing received now is lost when runs come, also not to the sweeper.
        world.pass_seconds(400 * 24 * 3600);
        store::retention::sweep(world.db(), world.now()).await.unwrap();
        assert_eq!(world.count("deliveries WHERE taken_at IS NULL").await, 4);
        // And another node sees it: it was committed before it was answered.
        let node = world.another_node().await;
        let read = node.service().db.read(|tx| Box::pin(async move { store::sql("SELECT COUNT(*) FROM deliveries").one(tx).await }));
        let mut row: store::Row = read.await.map_err(|error: store::DbError| error).unwrap();
        assert_eq!(row.take::<i64>().unwrap(), 4);
    }

    async fn a_body_over_a_mebibyte_is_refused(world: World) {
        let acme = world.organization("acme").await;
        let to = receiver(&world, &acme, "hubspot").await;
        let sender = world.person();
        accepted(&delivery(&sender, &to.own, vec![b'x'; 1 << 20]).await);
        let answer = delivery(&sender, &to.own, vec![b'x'; (1 << 20) + 1]).await;
        assert_eq!(answer.status, 413, "{}", answer.text());
        assert!(answer.json()["message"].as_str().unwrap().contains("1048576"));
        assert_eq!(world.count("deliveries").await, 1);
    }

    async fn an_address_that_is_not_known_is_404(world: World) {
        let acme = world.organization("acme").await;
        let to = receiver(&world, &acme, "hubspot").await;
        let sender = world.person();
        let base = format!("{}/v1/webhooks/", world.url(Environment::Sandbox));
        let secret = to.own.strip_prefix(&base).unwrap();
        for wrong in ["x".to_owned(), "A".repeat(43), secret[..42].to_owned(), format!("{secret}x"), secret.to_lowercase(), "%00".to_owned(), "%ff".to_owned(), "'%20OR%201=1".to_owned()] {
            let answer = delivery(&sender, &format!("{base}{wrong}"), "{}").await;
            assert_eq!(answer.status, 404, "{wrong}: {}", answer.text());
        }
        // Of the other environment it is not known either.
        let path = to.own.strip_prefix(world.url(Environment::Sandbox)).unwrap();
        let elsewhere = delivery(&world.person_in_production(), path, "{}").await;
        assert_eq!(elsewhere.status, 404);
        assert_eq!(sender.get(&to.own).await.status, 404, "nothing is there to be read");
        assert_eq!(world.count("deliveries").await, 0);
    }

    async fn an_archived_tenant_takes_no_more(world: World) {
        let acme = world.organization("acme").await;
        let to = receiver(&world, &acme, "hubspot").await;
        let sender = world.person();
        world.change("UPDATE tenants SET archived_at = 1").await;
        for address in [&to.own, &to.connectors] {
            let answer = delivery(&sender, address, "{}").await;
            assert_eq!(answer.status, 410, "{}", answer.text());
        }
        assert_eq!(world.count("deliveries").await, 0);
    }

    async fn a_rotated_address_lives_seven_days(world: World) {
        let acme = world.organization("acme").await;
        let to = receiver(&world, &acme, "hubspot").await;
        let sender = world.person();
        let rotate = |at_once| {
            let (world, id, tenant) = (world.clone(), acme.id.clone(), to.tenant);
            async move { world.service().rotate_webhook(&Actor::Operator, &id, tenant, None, at_once).await.unwrap() }
        };
        let new = rotate(false).await;
        assert_ne!(new, to.own);
        accepted(&delivery(&sender, &to.own, "old").await);
        accepted(&delivery(&sender, &new, "new").await);
        world.pass_seconds(7 * 24 * 3600 - 1);
        accepted(&delivery(&sender, &to.own, "old, late").await);
        world.pass_seconds(1);
        assert_eq!(delivery(&sender, &to.own, "too late").await.status, 404);
        accepted(&delivery(&sender, &new, "new").await);
        // At once, on request.
        let newest = rotate(true).await;
        assert_eq!(delivery(&sender, &new, "ended").await.status, 404);
        accepted(&delivery(&sender, &newest, "newest").await);
        assert_eq!(world.service().webhook_url(&acme.id, to.tenant, None).await.unwrap().unwrap(), newest);
    }

    async fn a_repeated_id_is_kept_once(world: World) {
        let acme = world.organization("acme").await;
        let to = receiver(&world, &acme, "hubspot").await;
        let other = receiver(&world, &acme, "notion").await;
        let sender = world.person();
        let sent = |address: &str, id: &str, body: &str| delivery(&sender, address, body.to_owned()).header("webhook-id", id);
        accepted(&sent(&to.own, "msg_1", "one").await);
        repeated(&sent(&to.own, "msg_1", "one").await);
        repeated(&sent(&to.own, "msg_1", "another body").await);
        accepted(&sent(&to.own, "msg_2", "one").await);
        accepted(&sent(&other.own, "msg_1", "one").await);
        // Without an id nothing is dropped.
        for _ in 0..2 {
            accepted(&delivery(&sender, &to.own, "same").await);
        }
        assert_eq!(world.count("deliveries").await, 5);
        // Also when they arrive together, at two nodes.
        let node = world.another_node().await;
        let there = world.person_at(&node);
        let asked = (0..20).map(|at| {
            let person = if at % 2 == 0 { &sender } else { &there };
            let ask = delivery(person, &to.own, "together").header("webhook-id", "msg_9");
            async move { ask.await }
        });
        let answers = futures_util::future::join_all(asked).await;
        assert!(answers.iter().all(|answer| answer.status == 202));
        assert_eq!(answers.iter().filter(|answer| answer.json()["message"] == "accepted").count(), 1);
        assert_eq!(world.count("deliveries").await, 6);
    }

    async fn hubspot_is_checked_and_its_bodies_told_apart_for_a_day(world: World) {
        let acme = world.organization("acme").await;
        let to = receiver(&world, &acme, "hubspot").await;
        let sender = world.person();
        let body = r#"[{"subscriptionType":"contact.creation"}]"#;
        let now = || world.now().millis();
        for (about, ask) in [
            ("no signature", delivery(&sender, &to.connectors, body)),
            ("another secret", hubspot(&sender, &to.connectors, body, now(), "another")),
            ("signed for another address", {
                let signed = hubspot(&sender, &to.own, body, now(), CLIENT_SECRET);
                signed.to(&to.connectors)
            }),
            ("another body", hubspot(&sender, &to.connectors, body, now(), CLIENT_SECRET).body("application/json", "[]")),
            ("too old", hubspot(&sender, &to.connectors, body, now() - 301_000, CLIENT_SECRET)),
            ("too far ahead", hubspot(&sender, &to.connectors, body, now() + 301_000, CLIENT_SECRET)),
            ("another time", hubspot(&sender, &to.connectors, body, now(), CLIENT_SECRET).header("x-hubspot-request-timestamp", &(now() + 1).to_string())),
            ("no time", hubspot(&sender, &to.connectors, body, now(), CLIENT_SECRET).without_header("x-hubspot-request-timestamp")),
            ("no base64", hubspot(&sender, &to.connectors, body, now(), CLIENT_SECRET).header("x-hubspot-signature-v3", "?")),
        ] {
            let answer = ask.await;
            assert_eq!(answer.status, 401, "{about}: {}", answer.text());
            assert_eq!(world.count("deliveries").await, 0, "{about}");
        }
        let send = || hubspot(&sender, &to.connectors, body, now(), CLIENT_SECRET);
        accepted(&send().await);
        repeated(&send().await);
        world.pass_seconds(24 * 3600 - 1);
        repeated(&send().await);
        world.pass_seconds(2);
        accepted(&send().await);
        repeated(&send().await);
        assert_eq!(world.count("deliveries").await, 2);
    }

    async fn slack_notion_and_stripe_are_checked_as_each_signs(world: World) {
        let acme = world.organization("acme").await;
        let sender = world.person();
        let at = world.now().seconds();

        let slack = receiver(&world, &acme, "slack").await;
        let body = json!({"type": "event_callback", "event_id": "Ev1", "event": {"type": "message"}}).to_string();
        let signed = |secret: &str, body: &str| {
            let signature = format!("v0={}", hex(&mac(secret, &format!("v0:{at}:{body}"))));
            delivery(&sender, &slack.connectors, body).header("x-slack-request-timestamp", &at.to_string()).header("x-slack-signature", &signature)
        };
        assert_eq!(signed("wrong", &body).await.status, 401);
        accepted(&signed(SLACK_SIGNING_SECRET, &body).await);
        repeated(&signed(SLACK_SIGNING_SECRET, &body).await);
        // Slack's question is answered, and is no delivery.
        let question = json!({"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}).to_string();
        let answer = signed(SLACK_SIGNING_SECRET, &question).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"));
        assert!(answer.header("content-type").starts_with("text/plain"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");

        let notion = receiver(&world, &acme, "notion").await;
        let body = json!({"id": "n-1", "type": "page.created"}).to_string();
        let signed = |secret: &str| {
            let signature = format!("sha256={}", hex(&mac(secret, &body)));
            delivery(&sender, &notion.connectors, body.clone()).header("x-notion-signature", &signature)
        };
        assert_eq!(signed("wrong").await.status, 401);
        accepted(&signed(NOTION_VERIFICATION_TOKEN).await);
        repeated(&signed(NOTION_VERIFICATION_TOKEN).await);

        // Stripe's secret belongs to the tenant, who typed it beside the key.
        let anna = world.person();
        let dialog = anna.opens(&acme, "stripe", &acme.token("stripe").sign()).await;
        let secret = "whsec_abcdefgh12345678";
        dialog.types(&[("api_key", testkit::standins::STRIPE_KEY), ("webhook_secret", secret)]).await;
        let tenant = TenantId::parse(&dialog.succeeds().await["id"].to_string()).unwrap();
        let slug = Slug::parse("stripe").unwrap();
        let stripe = world.service().webhook_url(&acme.id, tenant, Some(&slug)).await.unwrap().unwrap();
        let body = json!({"id": "evt_1", "type": "charge.succeeded"}).to_string();
        let signed = |secret: &str| {
            let signature = format!("t={at},v1={},v0=00", hex(&mac(secret, &format!("{at}.{body}"))));
            delivery(&sender, &stripe, body.clone()).header("stripe-signature", &signature)
        };
        assert_eq!(signed("whsec_wrong_wrong").await.status, 401);
        accepted(&signed(secret).await);
        repeated(&signed(secret).await);
        assert_eq!(world.count("deliveries").await, 3);
    }

    async fn a_tenant_without_the_secret_takes_nothing_unverified(world: World) {
        let acme = world.organization("acme").await;
        let to = receiver(&world, &acme, "stripe").await;
        let sender = world.person();
        let at = world.now().seconds();
        let signature = format!("t={at},v1={}", hex(&mac("", &format!("{at}.{{}}"))));
        let answer = delivery(&sender, &to.connectors, "{}").header("stripe-signature", &signature).await;
        assert_eq!(answer.status, 401, "a MAC with an empty key proves nothing");
        assert_eq!(world.count("deliveries").await, 0);
        // Once the person has disconnected, HubSpot's deliveries have a secret still: the app's.
        assert_eq!(delivery(&sender, &to.own, "{}").await.status, 202);
    }

    async fn a_challenge_by_get_is_answered_as_declared(world: World) {
        let acme = world.organization("acme").await;
        acme.add_connector(r#"
id = "pager"
name = "Pager"

[auth]
kind = "api_key"

[[inputs]]
key = "api_key"
label = "Key"
secret = true

[[inputs]]
key = "hook_token"
label = "Token of the hook"
secret = true
optional = true

[verify]
request = { url = "{own}/me", headers = { Authorization = "Bearer {inputs.api_key}" } }

[api]
base_url = "{own}"

[webhook]
dedupe = "/id"

[webhook.verify]
scheme = "token"
header = "X-Token"
secret_from = "tenant"
secret_name = "hook_token"

[webhook.challenge]
match = { "?hub.mode" = "subscribe", "?hub.verify_token" = "{secret}" }
reply = "?hub.challenge"
"#).await;
        acme.integrate(&["pager"]).await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "pager", &acme.token("pager").sign()).await;
        let state = dialog.types(&[("api_key", testkit::world::OWN_TOKEN), ("hook_token", "hook-secret-1")]).await;
        assert_eq!(state["stage"], "success", "{state}");
        let tenant = TenantId::parse(&dialog.succeeds().await["id"].to_string()).unwrap();
        let slug = Slug::parse("pager").unwrap();
        let to = world.service().webhook_url(&acme.id, tenant, Some(&slug)).await.unwrap().unwrap();
        let sender = world.person();
        let ask = |query: &str| sender.get(&format!("{to}?{query}"));
        let answer = ask("hub.mode=subscribe&hub.verify_token=hook-secret-1&hub.challenge=%22%3E%3Csvg%20onload%3D1%3E").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "\"><svg onload=1>"));
        assert!(answer.header("content-type").starts_with("text/plain"));
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
        for wrong in ["hub.mode=subscribe&hub.verify_token=guess&hub.challenge=1", "hub.mode=subscribe&hub.challenge=1", "hub.challenge=1", ""] {
            assert_eq!(ask(wrong).await.status, 404, "{wrong}");
        }
        assert_eq!(delivery(&sender, &to, r#"{"id":1}"#).header("x-token", "guess").await.status, 401);
        accepted(&delivery(&sender, &to, r#"{"id":1}"#).header("x-token", "hook-secret-1").await);
        repeated(&delivery(&sender, &to, r#"{"id":1}"#).header("x-token", "hook-secret-1").await);
        assert_eq!(world.count("deliveries").await, 1);
        // What was presented to prove the sender does not lie in the database; the rest of the headers does.
        let mut row = world.rows("SELECT headers FROM deliveries").await.remove(0);
        let headers: String = row.take().unwrap();
        assert!(headers.contains("content-type") && !headers.contains("hook-secret-1") && !headers.contains("x-token"), "{headers}");
    }

    async fn a_secret_in_the_header_of_a_user_and_password_or_of_a_signed_token_is_not_kept(world: World) {
        let acme = world.organization("acme").await;
        let sender = world.person();
        for (name, scheme, header) in [("pair", "basic", None), ("pass", "token", Some("X-Pass"))] {
            let header = header.map(|header| format!("header = \"{header}\"")).unwrap_or_default();
            let form = format!(
                "id = \"{name}\"\nname = \"{name}\"\n[auth]\nkind = \"api_key\"\n\
                 [[inputs]]\nkey = \"api_key\"\nlabel = \"Key\"\nsecret = true\n\
                 [[inputs]]\nkey = \"hook\"\nlabel = \"Hook\"\nsecret = true\n\
                 [verify]\nrequest = {{ url = \"{{own}}/me\", headers = {{ Authorization = \"Bearer {{inputs.api_key}}\" }} }}\n\
                 [api]\nbase_url = \"{{own}}\"\n\
                 [webhook.verify]\nscheme = \"{scheme}\"\n{header}\nsecret_from = \"tenant\"\nsecret_name = \"hook\"\n"
            );
            acme.add_connector(&form).await;
            acme.integrate(&[name]).await;
            let anna = world.person();
            let dialog = anna.opens(&acme, name, &acme.token(name).sign()).await;
            dialog.types(&[("api_key", testkit::world::OWN_TOKEN), ("hook", "user:hook-secret-2")]).await;
            let tenant = TenantId::parse(&dialog.succeeds().await["id"].to_string()).unwrap();
            let to = world.service().webhook_url(&acme.id, tenant, Some(&Slug::parse(name).unwrap())).await.unwrap().unwrap();
            let proof = if scheme == "basic" { format!("Basic {}", STANDARD.encode("user:hook-secret-2")) } else { "user:hook-secret-2".to_owned() };
            let with = |value: &str| {
                let ask = delivery(&sender, &to, "{}").header("x-kind", name);
                if scheme == "basic" { ask.header("authorization", value) } else { ask.header("x-pass", value) }
            };
            assert_eq!(with("wrong").await.status, 401, "{name}");
            accepted(&with(&proof).await);
            let rows = world.rows("SELECT headers FROM deliveries ORDER BY received_at, id").await;
            let headers: Vec<String> = rows.into_iter().map(|mut row| row.take().unwrap()).collect();
            assert!(headers.iter().any(|it| it.contains(&format!("\"{name}\""))), "{headers:?}");
            let told = headers.concat();
            assert!(!told.contains("hook-secret-2") && !told.contains(&STANDARD.encode("user:hook-secret-2")), "{told}");
        }
    }

    async fn an_address_counts_under_its_own_host_whatever_a_proxy_is_said_to_have_seen(world: World) {
        let acme = world.organization("acme").await;
        let to = receiver(&world, &acme, "hubspot").await;
        let sender = world.person();
        let host = |url: &str| url.trim_start_matches("http://").to_owned();
        let (own, other) = (host(world.url(Environment::Sandbox)), host(world.url(Environment::Production)));
        let at = world.now().micros() / 1000;
        for address in [&to.own, &to.connectors] {
            let signed = || hubspot(&sender, address, r#"[{"subscriptionType":"a"}]"#, at, CLIENT_SECRET);
            // The other environment has no such address; a host of nobody has none at all.
            assert_eq!(signed().header("host", &other).await.status, 404, "{address}");
            let nobody = signed().header("host", "evil.example").await;
            assert_eq!((nobody.status, nobody.json()["code"].as_str()), (421, Some("host_unknown")), "{address}");
            // What a proxy is said to have seen moves nothing: not the place, and not the URL that was signed.
            let forged = signed().header("host", &other).header("x-forwarded-host", &own).header("forwarded", &format!("host={own}"));
            assert_eq!(forged.await.status, 404, "{address}");
        }
        assert_eq!(world.count("deliveries").await, 0);
        let forged = hubspot(&sender, &to.connectors, r#"[{"subscriptionType":"a"}]"#, at, CLIENT_SECRET);
        let forged = forged.header("x-forwarded-host", "evil.example").header("x-forwarded-proto", "https");
        let forged = forged.header("forwarded", "host=evil.example;proto=https").header("x-original-url", "/evil");
        accepted(&forged.header("x-forwarded-for", "203.0.113.7").await);
        // And who signed the address that a forged header names did not sign ours.
        let evil = to.connectors.replace(&own, "evil.example");
        let body = r#"[{"subscriptionType":"b"}]"#;
        let signature = STANDARD.encode(mac(CLIENT_SECRET, &format!("POST{evil}{body}{at}")));
        let ask = delivery(&sender, &to.connectors, body).header("x-hubspot-request-timestamp", &at.to_string());
        let ask = ask.header("x-hubspot-signature-v3", &signature).header("x-forwarded-host", "evil.example");
        assert_eq!(ask.await.status, 401);
        assert_eq!(world.count("deliveries").await, 1);
    }
}
