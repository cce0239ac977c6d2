//! Endpoints by the API: scopes, shapes, secrets and their rotation, tests, pages of lists.

use super::sink::Reply;
use super::{Endpoint, Scene, until};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;

on_both! {
    async fn an_endpoint_is_made_read_changed_and_deleted(engine: Engine) {
        let scene = Scene::resting(engine, &[]).await;
        let made = scene.posts("/v2/webhooks", json!({
            "url": scene.sink.url("/in?x=1"), "description": " ours ",
            "events": ["run.failed", "tenant.created", "run.failed"], "ordered": true,
        })).await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(made.header("cache-control"), "no-store");
        let mut shown = made.json();
        let secret = shown.as_object_mut().unwrap().remove("secret").unwrap();
        assert!(secret.as_str().unwrap().starts_with("whsec_"));
        assert_eq!(shown["events"], json!(["tenant.created", "run.failed"]));
        assert_eq!((&shown["description"], &shown["status"]), (&json!("ours"), &json!("active")));
        let path = format!("/v2/webhooks/{}", shown["id"].as_str().unwrap());
        assert_eq!(scene.reads(&path).await, shown, "without the secret");
        assert_eq!(scene.reads("/v2/webhooks").await, json!([shown]));
        // Neither the database nor the audit log has it in plain text.
        for table in ["notice_endpoints", "audit"] {
            let kept: Vec<String> = dump(&scene, table).await;
            assert!(!kept.is_empty() && kept.iter().all(|it| !it.contains(secret.as_str().unwrap())), "{table}");
        }

        let change = json!({ "description": "", "ordered": false, "events": ["session.ended"], "disabled": true });
        let changed = scene.asks(Method::PATCH, &path, Some(change)).await.json();
        assert_eq!(changed["events"], json!(["session.ended"]));
        assert_eq!((&changed["status"], &changed["disabled_because"]), (&json!("disabled"), &json!("asked")));
        assert_eq!(changed["url"], shown["url"], "what is not said stays");
        let refused = scene.posts(&format!("{path}/test"), json!({})).await;
        assert_eq!(refused.status, 409, "{}", refused.text());

        assert_eq!(scene.asks(Method::DELETE, &path, None).await.status, 204);
        assert_eq!(scene.asks(Method::DELETE, &path, None).await.status, 404);
        assert_eq!(scene.asks(Method::GET, &path, None).await.status, 404);
        assert_eq!(scene.reads("/v2/webhooks").await, json!([]));
    }

    async fn only_a_key_with_the_scope_and_only_its_own_organization(engine: Engine) {
        let scene = Scene::resting(engine, &[]).await;
        let endpoint = scene.endpoint("/", &json!({})).await;
        let program = scene.world.person();
        let reading = scene.acme.api_key(&["webhooks:read", "tenants:read", "tenants:write"]).await;
        let writing = scene.acme.api_key(&["webhooks:write"]).await;
        let other = scene.world.organization("other").await.api_key(&["webhooks:read", "webhooks:write"]).await;
        let one = format!("/v2/webhooks/{}", endpoint.id);
        let routes = [
            (Method::GET, "/v2/webhooks".to_owned(), false), (Method::POST, "/v2/webhooks".to_owned(), true),
            (Method::GET, one.clone(), false), (Method::PATCH, one.clone(), true), (Method::DELETE, one.clone(), true),
            (Method::POST, format!("{one}/rotate"), true), (Method::POST, format!("{one}/test"), true),
            (Method::POST, format!("{one}/replay"), true), (Method::GET, format!("{one}/attempts"), false),
            (Method::GET, format!("{one}/messages"), false),
        ];
        for (method, path, writes) in routes {
            let wrong = if writes { &reading } else { &writing };
            let body = json!({ "url": scene.sink.url("/") }).to_string();
            let ask = |key: &str| {
                let ask = program.ask(method.clone(), &path).header("x-api-key", key).json();
                ask.body("application/json", body.clone())
            };
            let answer = ask(wrong).await;
            assert_eq!((answer.status, answer.json()), (403, json!({ "detail": "Not authorized" })), "{path}");
            if path != "/v2/webhooks" {
                let answer = ask(&other).await;
                assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
            }
        }
        assert_eq!(scene.reads("/v2/webhooks").await.as_array().unwrap().len(), 1, "nothing of it happened");
    }

    async fn what_does_not_fit_is_named(engine: Engine) {
        let scene = Scene::resting(engine, &[]).await;
        let good = scene.sink.url("/");
        let endpoint = scene.endpoint("/", &json!({})).await;
        for (body, said) in [
            (json!({}), "url"), (json!({ "url": 7 }), "string"), (json!([]), "invalid"),
            (json!({ "url": good, "events": [] }), "at least one"),
            (json!({ "url": good, "events": ["tenant.*"] }), "tenant.archived"),
            (json!({ "url": good, "description": "x".repeat(501) }), "500"),
        ] {
            let answer = scene.posts("/v2/webhooks", body.clone()).await;
            assert_eq!(answer.status, 422, "{body}");
            assert!(answer.json()["detail"][0]["msg"].as_str().unwrap().contains(said), "{body}: {}", answer.text());
        }
        let one = format!("/v2/webhooks/{}", endpoint.id);
        for (path, body) in [
            (format!("{one}/rotate"), json!({ "overlap_s": -1 })), (format!("{one}/test"), json!({ "event": "x" })),
            (format!("{one}/replay"), json!({ "from": "yesterday" })), (format!("{one}/replay"), json!({ "state": "waiting" })),
        ] {
            assert_eq!(scene.posts(&path, body.clone()).await.status, 422, "{path} {body}");
        }
        for query in ["limit=0", "limit=501", "before=x", "state=gone"] {
            let answer = scene.asks(Method::GET, &format!("{one}/messages?{query}"), None).await;
            assert_eq!(answer.status, 422, "{query}");
        }
        for path in ["/v2/webhooks/messages/msg_x", "/v2/webhooks/end_x", "/v2/webhooks/messages/x/replay"] {
            let method = if path.ends_with("replay") { Method::POST } else { Method::GET };
            assert_eq!(scene.asks(method, path, None).await.status, 404, "{path}");
        }
    }

    async fn a_rotated_secret_signs_beside_the_new_one_for_a_day(engine: Engine) {
        let scene = Scene::on(engine).await;
        let old = scene.endpoint("/", &json!({})).await;
        let rotate = format!("/v2/webhooks/{}/rotate", old.id);
        let rotated = scene.posts(&rotate, json!({})).await;
        assert_eq!((rotated.status, rotated.header("cache-control")), (200, "no-store"));
        let new = Endpoint::shown(&rotated.json());
        assert!(rotated.json()["previous_secret_until"].is_string());
        let hears = async |count: usize| {
            scene.happen(vec![scene.event(1, count)]).await;
            let received = scene.sink.hears_so_many(count).await;
            scene.rests().await;
            received[count - 1].clone()
        };
        let both = hears(1).await;
        assert_eq!(both.header("webhook-signature").split(' ').count(), 2);
        assert!(new.signed(&both) && old.signed(&both));
        scene.world.pass_seconds(24 * 3600 - 1);
        let still = hears(2).await;
        assert!(new.signed(&still) && old.signed(&still));
        scene.world.pass_seconds(1);
        let alone = hears(3).await;
        assert_eq!(alone.header("webhook-signature").split(' ').count(), 1);
        assert!(new.signed(&alone) && !old.signed(&alone));
        // One that leaked ends at once.
        let newest = Endpoint::shown(&scene.posts(&rotate, json!({ "overlap_s": 0 })).await.json());
        let last = hears(4).await;
        assert!(newest.signed(&last) && !new.signed(&last) && !old.signed(&last));
    }

    async fn a_test_message_is_a_marked_sample(engine: Engine) {
        let scene = Scene::on(engine).await;
        let endpoint = scene.endpoint("/", &json!({ "events": ["tenant.created"] })).await;
        let path = format!("/v2/webhooks/{}/test", endpoint.id);
        let sent = scene.posts(&path, json!({ "event": "run.failed" })).await;
        assert_eq!(sent.status, 202, "{}", sent.text());
        let received = scene.sink.hears_so_many(1).await;
        assert!(endpoint.signed(&received[0]));
        assert_eq!(received[0].header("webhook-id"), sent.json()["message_id"]);
        assert_eq!(received[0].kind(), "run.failed", "also an event that it did not choose");
        let data = received[0].json()["data"].clone();
        assert_eq!((&data["test"], &data["environment"]), (&json!(true), &json!("sandbox")));
        scene.posts(&path, Value::Null).await;
        scene.posts(&path, json!({})).await;
        let received = scene.sink.hears_so_many(2).await;
        assert_eq!(received[1].kind(), "tenant.created", "the first that it chose");
    }

    async fn lists_go_on_where_they_ended(engine: Engine) {
        let scene = Scene::on(engine).await;
        let endpoint = scene.endpoint("/", &json!({})).await;
        scene.sink.answers(|it| Reply::status(if it.json()["data"]["n"] == 3 { 400 } else { 200 }));
        for n in 0..7 {
            scene.happen(vec![scene.event(1, n)]).await;
            scene.tried(&endpoint, n + 1).await;
            scene.world.pass_seconds(1);
        }
        for (list, member) in [("messages", "id"), ("attempts", "message_id")] {
            let mut path = format!("/v2/webhooks/{}/{list}?limit=3", endpoint.id);
            let mut seen: Vec<String> = Vec::new();
            loop {
                let answer = scene.asks(Method::GET, &path, None).await;
                let page = answer.json();
                seen.extend(page.as_array().unwrap().iter().map(|it| it[member].as_str().unwrap().to_owned()));
                let link = answer.header("link").to_owned();
                if link.is_empty() {
                    break;
                }
                let (next, rel) = link.split_once('>').unwrap();
                assert_eq!(rel, "; rel=\"next\"");
                next.trim_start_matches('<').clone_into(&mut path);
            }
            let mut newest = scene.sink.received();
            newest.reverse();
            let ids: Vec<&str> = newest.iter().map(|it| it.header("webhook-id")).collect();
            assert_eq!(seen, ids, "{list}");
        }
        let failed = scene.reads(&format!("/v2/webhooks/{}/attempts?failed=true", endpoint.id)).await;
        assert_eq!(failed.as_array().unwrap().len(), 1);
        assert_eq!(failed[0]["status"], 400);
        until("one waits", || async { scene.in_state(&endpoint, "waiting").await.len() == 1 }).await;
        assert_eq!(scene.in_state(&endpoint, "delivered").await.len(), 6);
    }
}

/// Every text of a table.
async fn dump(scene: &Scene, table: &'static str) -> Vec<String> {
    let query = match table {
        "notice_endpoints" => "SELECT url || description || secret FROM notice_endpoints",
        _ => "SELECT action || subject || detail FROM audit",
    };
    let rows = scene.world.rows(query).await;
    rows.into_iter().map(|mut row| row.take().unwrap()).collect()
}
