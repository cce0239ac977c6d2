//! What happens is told: by the use cases, in the contract's words, signed, to those that chose it.

use super::sink::Received;
use super::{Endpoint, Scene};
use crate::enter::visit::Visit;
use kernel::ids::TenantId;
use reqwest::Method;
use serde_json::{Value, json};
use service::admin::integrations::NewIntegration;
use testkit::on_both;

fn of_kind<'a>(received: &'a [Received], kind: &str) -> Vec<&'a Received> {
    received.iter().filter(|it| it.kind() == kind).collect()
}

/// The shape that every message has, and that its endpoint's secret signed it.
fn check(endpoint: &Endpoint, received: &Received, now: i64) -> Value {
    assert!(endpoint.signed(received), "{:?}", received.headers);
    assert_eq!(received.header("content-type"), "application/json");
    assert!(received.header("webhook-id").starts_with("msg_"));
    let at: i64 = received.header("webhook-timestamp").parse().unwrap();
    assert_eq!(at, now, "signed at the time of the try");
    let message = received.json();
    let members: Vec<&String> = message.as_object().unwrap().keys().collect();
    assert_eq!(members, ["type", "timestamp", "data"]);
    let timestamp = message["timestamp"].as_str().unwrap();
    assert!(timestamp.ends_with('Z') && timestamp.len() == 27, "{timestamp}");
    message["data"].clone()
}

on_both! {
    async fn a_tenant_is_made_connected_and_disconnected(engine: Engine) {
        let scene = Scene::on(engine).await;
        let all = scene.endpoint("/all", &json!({})).await;
        let few = scene.endpoint("/few", &json!({ "events": ["tenant.disconnected"] })).await;
        let now = scene.world.now().seconds();
        let token = scene.acme.token("hubspot").sign();
        let tenant = scene.world.person().connects(&scene.acme, "hubspot", &token).await;
        let received = scene.sink.hears_so_many(2).await;
        let created = check(&all, of_kind(&received, "tenant.created")[0], now);
        let shown = json!({
            "id": tenant["id"], "name": tenant["name"], "integration_id": tenant["integration"]["id"],
            "username": "anna@example.com",
        });
        assert_eq!(created, json!({ "environment": "sandbox", "tenant": shown }));
        let connected = check(&all, of_kind(&received, "tenant.connected")[0], now);
        assert_eq!(connected, json!({ "environment": "sandbox", "tenant": shown, "connector": "hubspot" }));

        let key = scene.acme.api_key(&["tenants:write"]).await;
        let path = format!("/v2/tenants/{}/connectors/hubspot/disconnect", tenant["id"]);
        let answer = scene.world.person().ask(Method::PATCH, &path).header("x-api-key", &key).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = scene.sink.hears_so_many(4).await;
        let gone = of_kind(&received, "tenant.disconnected");
        let paths: Vec<&str> = gone.iter().map(|it| it.path.as_str()).collect();
        assert!(paths.contains(&"/all") && paths.contains(&"/few"), "{paths:?}");
        for it in gone {
            let endpoint = if it.path == "/all" { &all } else { &few };
            let said = json!({
                "environment": "sandbox", "tenant": shown, "connector": "hubspot", "reason": "api",
            });
            assert_eq!(check(endpoint, it, now), said);
            let other = if it.path == "/all" { &few } else { &all };
            assert!(!other.signed(it), "each endpoint has a secret of its own");
        }
        assert_eq!(scene.sink.at("/few").len(), 1, "it chose one event");
    }

    async fn an_integration_is_made(engine: Engine) {
        let scene = Scene::on(engine).await;
        let all = scene.endpoint("/", &json!({})).await;
        let new = NewIntegration {
            name: "orders".to_owned(),
            long_name: Some("Orders".to_owned()),
            external: true,
            own_connector: None,
            connectors: vec!["hubspot".to_owned(), "notion".to_owned()],
            schedule: None,
            shift_all: false,
        };
        let made = scene.acme.add_integration(new).await;
        let received = scene.sink.hears_so_many(1).await;
        assert_eq!(received[0].kind(), "integration.created");
        let said = json!({
            "environment": "sandbox",
            "integration": {
                "id": made.id, "name": "orders", "long_name": "Orders", "connectors": ["hubspot", "notion"],
            },
        });
        assert_eq!(check(&all, &received[0], scene.world.now().seconds()), said);
    }

    async fn what_nobody_chose_leaves_nothing(engine: Engine) {
        let scene = Scene::on(engine).await;
        scene.happen(vec![scene.event(1, 1)]).await;
        scene.endpoint("/", &json!({ "events": ["run.failed"] })).await;
        scene.happen(vec![scene.event(1, 2)]).await;
        for table in ["events", "notices", "jobs WHERE kind = 'notice'"] {
            assert_eq!(scene.world.count(table).await, 0, "{table}");
        }
    }

    async fn what_is_rolled_back_is_not_told(engine: Engine) {
        let scene = Scene::on(engine).await;
        scene.endpoint("/", &json!({})).await;
        let (event, service) = (scene.event(1, 1), scene.world.service());
        let (now, chance) = (service.clock.now(), std::sync::Arc::clone(&service.chance));
        let write = service.db.write(move |tx| {
            Box::pin(async move {
                assert!(service::work::events::emit(tx, &event, now, &*chance).await?);
                Err::<(), _>(store::DbError::Bug("it did not happen".to_owned()))
            })
        });
        write.await.unwrap_err();
        for table in ["events", "notices", "jobs WHERE kind = 'notice'"] {
            assert_eq!(scene.world.count(table).await, 0, "{table}");
        }
    }

    async fn a_user_enters_for_the_first_time_and_leaves(engine: Engine) {
        let scene = Scene::on(engine).await;
        let visit = Visit::of(&scene.world, true).await;
        let partner = &visit.partner.partner;
        let holder = service::admin::Holder {
            organization: partner.organization.clone(),
            environment: partner.environment,
        };
        let new = service::work::endpoints::NewEndpoint {
            url: scene.sink.url("/enter"),
            ..Default::default()
        };
        let actor = kernel::Actor::Operator;
        let (made, _) = scene.world.service().create_endpoint(&actor, &holder, new).await.unwrap();
        assert_eq!(made.events.len(), 8, "all of them where nothing is said");
        let surfer = visit.inside(&scene.world, "anna").await;
        let received = scene.sink.hears("a user", |all| !of_kind(all, "user.provisioned").is_empty()).await;
        let data = of_kind(&received, "user.provisioned")[0].json()["data"].clone();
        assert_eq!(data["partner"], partner.id.as_str());
        assert_eq!(data["user"]["partner_user_id"], "anna");
        let id = data["user"]["id"].as_str().unwrap().to_owned();

        let left = visit.partner.call("Logout", &json!({ "userId": "anna" })).await;
        assert_eq!(left.status, 200, "{}", left.text());
        let received = scene.sink.hears("an end", |all| !of_kind(all, "session.ended").is_empty()).await;
        let ended = of_kind(&received, "session.ended")[0].json()["data"].clone();
        assert_eq!(ended["user"], json!({ "id": id }));
        assert_eq!(ended["partner"], partner.id.as_str());
        assert!(ended["session"].as_str().unwrap().starts_with("S-"), "{ended}");
        // A second entry of the same user provisions nobody.
        drop(surfer);
        visit.inside(&scene.world, "anna").await;
        scene.rests().await;
        assert_eq!(of_kind(&scene.sink.received(), "user.provisioned").len(), 1);
    }

    async fn an_archived_tenant_is_told(engine: Engine) {
        let scene = Scene::on(engine).await;
        let all = scene.endpoint("/", &json!({ "events": ["tenant.archived"] })).await;
        let token = scene.acme.token("notion").sign();
        let tenant = scene.world.person().connects(&scene.acme, "notion", &token).await;
        let id = TenantId::new(tenant["id"].as_i64().unwrap()).unwrap();
        let key = scene.acme.api_key(&["tenants:write"]).await;
        let path = format!("/v2/tenants/{id}");
        let answer = scene.world.person().ask(Method::DELETE, &path).header("x-api-key", &key).await;
        assert!(matches!(answer.status, 200 | 204), "{} {}", answer.status, answer.text());
        let received = scene.sink.hears_so_many(1).await;
        let data = check(&all, &received[0], scene.world.now().seconds());
        assert_eq!(data["tenant"]["id"], tenant["id"]);
    }
}
