//! What is not taken: tried again for a day, then dead and replayed; what answers mean; order; addresses that are never
//! called.

use super::sink::{Received, Reply, Sink};
use super::{Scene, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::on_both;
use testkit::world::World;

fn numbers(received: &[Received]) -> Vec<i64> {
    received.iter().map(|it| it.json()["data"]["n"].as_i64().unwrap()).collect()
}

on_both! {
    async fn a_day_of_failures_ends_dead_and_is_replayed(engine: Engine) {
        let scene = Scene::on(engine).await;
        let endpoint = scene.endpoint("/", &json!({})).await;
        scene.sink.answers(|_| Reply::status(500));
        scene.happen(vec![scene.event(1, 1)]).await;
        let begun = scene.world.now();
        let mut tries = 1;
        while scene.in_state(&endpoint, "dead").await.is_empty() {
            scene.tried(&endpoint, tries).await;
            let shown = scene.reads(&format!("/v2/webhooks/{}", endpoint.id)).await;
            assert_eq!(shown["status"], "failing");
            assert!(shown["failing_since"].is_string(), "{shown}");
            let waiting = scene.in_state(&endpoint, "waiting").await;
            let Some(message) = waiting.first() else { break };
            assert_eq!(message["attempts"], tries);
            assert_eq!(message["failure"], "it answered 500");
            // To its next time, and not earlier.
            let next = connect::notice::json::read_moment(message["next_attempt_at"].as_str().unwrap()).unwrap();
            let wait = next.micros() - scene.world.now().micros();
            assert!(wait > 0, "{message}");
            scene.world.pass_seconds(wait / 1_000_000 + 1);
            tries += 1;
        }
        let passed = scene.world.now().seconds_since(begun);
        assert!((24 * 3600..24 * 3600 + 60).contains(&passed), "{passed}");
        let received = scene.sink.received();
        assert!((11..=18).contains(&received.len()), "{}", received.len());
        let ids: BTreeSet<&str> = received.iter().map(|it| it.header("webhook-id")).collect();
        assert_eq!(ids.len(), 1, "one message, the same id at each try");
        assert!(received.iter().all(|it| endpoint.signed(it) && it.body == received[0].body));
        let times: BTreeSet<&str> = received.iter().map(|it| it.header("webhook-timestamp")).collect();
        assert_eq!(times.len(), received.len(), "each try is signed anew");

        // The log has every try, newest first.
        let log = scene.tried(&endpoint, tries).await;
        let numbers: Vec<u64> = log.iter().map(|it| it["number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=u64::try_from(received.len()).unwrap()).rev().collect::<Vec<_>>());
        assert!(log.iter().all(|it| it["status"] == 500 && it["failure"] == "it answered 500"));

        // It is dead and stays so; then all dead ones are replayed.
        scene.world.pass_seconds(24 * 3600);
        scene.happen(vec![]).await;
        scene.rests().await;
        assert_eq!(scene.sink.received().len(), received.len());
        scene.sink.answers(|_| Reply::status(200));
        let replayed = scene.posts(&format!("/v2/webhooks/{}/replay", endpoint.id), json!({})).await;
        assert_eq!((replayed.status, replayed.json()), (202, json!({ "replayed": 1, "more_after": null })));
        scene.sink.hears_so_many(received.len() + 1).await;
        until("it is delivered", || async { scene.in_state(&endpoint, "delivered").await.len() == 1 }).await;
        let shown = scene.reads(&format!("/v2/webhooks/{}", endpoint.id)).await;
        assert_eq!((&shown["status"], &shown["failing_since"]), (&json!("active"), &Value::Null));
    }

    async fn messages_of_a_span_and_single_ones_are_replayed(engine: Engine) {
        let scene = Scene::on(engine).await;
        let endpoint = scene.endpoint("/", &json!({})).await;
        let mut marks = Vec::new();
        for n in 0..3 {
            marks.push(format!("{}Z", scene.world.now().iso_micros()));
            scene.happen(vec![scene.event(1, n)]).await;
            scene.sink.hears_so_many(n + 1).await;
            scene.world.pass_seconds(10);
        }
        scene.rests().await;
        until("all are delivered", || async { scene.in_state(&endpoint, "delivered").await.len() == 3 }).await;
        let replay = format!("/v2/webhooks/{}/replay", endpoint.id);
        let dead = scene.posts(&replay, json!({})).await.json();
        assert_eq!(dead["replayed"], 0, "nothing is dead");
        let span = json!({ "state": "delivered", "from": marks[1], "to": marks[2] });
        assert_eq!(scene.posts(&replay, span).await.json()["replayed"], 1);
        let received = scene.sink.hears_so_many(4).await;
        assert_eq!(numbers(&received), [0, 1, 2, 1]);
        scene.rests().await;

        let first = received[0].header("webhook-id");
        let one = scene.posts(&format!("/v2/webhooks/messages/{first}/replay"), json!({})).await;
        assert_eq!(one.status, 202, "{}", one.text());
        assert_eq!(numbers(&scene.sink.hears_so_many(5).await), [0, 1, 2, 1, 0]);
        scene.rests().await;
        let path = format!("/v2/webhooks/messages/{first}");
        until("both tries are kept", || async { scene.reads(&path).await["attempts"] == 2 }).await;
        let shown = scene.reads(&path).await;
        assert_eq!(shown["attempt_log"].as_array().unwrap().len(), 2);
        assert_eq!(shown["endpoint_id"], endpoint.id);
        assert_eq!(shown["type"], "tenant.archived");
    }

    async fn an_ordered_endpoint_hears_of_each_tenant_in_order(engine: Engine) {
        let scene = Scene::on(engine).await;
        let endpoint = scene.endpoint("/", &json!({ "ordered": true })).await;
        // Tenant 1's first message is refused at first; tenant 2 is not held up by that.
        scene.sink.answers(|it| match it.json()["data"]["tenant"]["id"].as_i64() {
            Some(1) => Reply::status(503),
            _ => Reply::status(200),
        });
        let events = (0..10).flat_map(|n| [scene.event(1, n), scene.event(2, n)]).collect();
        scene.happen(events).await;
        let of = |received: &[Received], tenant: i64| {
            let own = received.iter().filter(|it| it.json()["data"]["tenant"]["id"] == tenant);
            numbers(&own.cloned().collect::<Vec<_>>())
        };
        let received = scene.sink.hears("tenant 2", |all| of(all, 2).len() >= 10).await;
        assert_eq!(of(&received, 2), (0..10).collect::<Vec<_>>());
        scene.rests().await;
        assert_eq!(of(&scene.sink.received(), 1), [0], "its first one holds up the others");
        assert_eq!(scene.in_state(&endpoint, "waiting").await.len(), 10);
        // More that happens meanwhile waits behind it, and does not shorten its pause.
        scene.happen(vec![scene.event(1, 10)]).await;
        scene.rests().await;
        assert_eq!(of(&scene.sink.received(), 1), [0]);

        scene.sink.answers(|_| Reply::status(200));
        scene.world.pass_seconds(7);
        let received = scene.sink.hears("tenant 1", |all| of(all, 1).len() >= 12).await;
        let mut expected = vec![0];
        expected.extend(0..=10);
        assert_eq!(of(&received, 1), expected);
    }

    async fn what_answers_mean(engine: Engine) {
        let scene = Scene::on(engine).await;
        let busy = scene.endpoint("/busy", &json!({})).await;
        scene.sink.answers(|_| Reply::status(429).with("retry-after", "100"));
        scene.happen(vec![scene.event(1, 1)]).await;
        scene.tried(&busy, 1).await;
        // The second message does not even knock.
        scene.happen(vec![scene.event(1, 2)]).await;
        scene.rests().await;
        assert_eq!(scene.sink.received().len(), 1);
        assert!(scene.reads(&format!("/v2/webhooks/{}", busy.id)).await["resumes_at"].is_string());
        scene.sink.answers(|_| Reply::status(204));
        scene.world.pass_seconds(90);
        scene.happen(vec![]).await;
        scene.rests().await;
        assert_eq!(scene.sink.received().len(), 1, "it is left alone as long as it asked");
        scene.world.pass_seconds(15);
        let mut heard = numbers(&scene.sink.hears_so_many(3).await);
        heard.sort_unstable();
        assert_eq!(heard, [1, 1, 2]);
        scene.rests().await;
        assert_eq!(scene.asks(Method::DELETE, &format!("/v2/webhooks/{}", busy.id), None).await.status, 204);

        // A redirect is a failure, also to an address that would be called.
        let moved = scene.endpoint("/moved", &json!({})).await;
        let elsewhere = scene.sink.url("/elsewhere");
        scene.sink.answers(move |_| Reply::status(307).with("location", &elsewhere));
        scene.happen(vec![scene.event(1, 3)]).await;
        let log = scene.tried(&moved, 1).await;
        assert_eq!(log[0]["status"], 307);
        assert!(log[0]["failure"].as_str().unwrap().contains("redirects are not followed"), "{log:?}");
        assert!(scene.sink.at("/elsewhere").is_empty());
        assert_eq!(scene.asks(Method::DELETE, &format!("/v2/webhooks/{}", moved.id), None).await.status, 204);
        // What waited for it is not delivered any more.
        scene.sink.answers(|_| Reply::status(204));
        scene.world.pass_seconds(60);
        until("its message is dead", || async { scene.world.count("notices WHERE state = 'waiting'").await == 0 }).await;
        assert_eq!(scene.sink.at("/moved").len(), 1);

        // 410 switches it off; it hears again once somebody switches it on, and what it missed can be replayed.
        let gone = scene.endpoint("/gone", &json!({})).await;
        scene.sink.answers(|_| Reply::status(410));
        scene.happen(vec![scene.event(1, 4)]).await;
        scene.tried(&gone, 1).await;
        let path = format!("/v2/webhooks/{}", gone.id);
        until("it is off", || async { scene.reads(&path).await["disabled_because"] == "gone" }).await;
        scene.happen(vec![scene.event(1, 5)]).await;
        scene.rests().await;
        assert_eq!(scene.sink.at("/gone").len(), 1);
        let refused = scene.posts(&format!("{path}/replay"), json!({})).await;
        assert_eq!(refused.status, 409, "{}", refused.text());
        scene.sink.answers(|_| Reply::status(200));
        let on = scene.asks(Method::PATCH, &path, Some(json!({ "disabled": false }))).await;
        assert_eq!(on.json()["status"], "active");
        assert_eq!(scene.posts(&format!("{path}/replay"), json!({})).await.json()["replayed"], 1);
        scene.sink.hears("the replay", |all| all.iter().filter(|it| it.path == "/gone").count() == 2).await;
    }

    async fn addresses_of_this_machine_and_of_private_networks_are_refused(engine: Engine) {
        let forbidden = Sink::start().await;
        let scene = Scene::on(engine).await;
        let port = forbidden.address().rsplit_once(':').unwrap().1.to_owned();
        for url in [
            format!("http://{}/", forbidden.address()), format!("https://127.0.0.1:{port}/"),
            "https://10.0.0.1/".to_owned(), "https://192.168.1.1/x".to_owned(), "https://169.254.169.254/".to_owned(),
            "https://[::1]/".to_owned(), "https://0x7f000001/".to_owned(), "http://example.com/".to_owned(),
            "https://localhost/".to_owned(), "ftp://example.com/".to_owned(), "https://user:pass@example.com/".to_owned(), "nonsense".to_owned(),
        ] {
            let answer = scene.posts("/v2/webhooks", json!({ "url": url })).await;
            assert_eq!(answer.status, 422, "{url}: {}", answer.text());
        }
        // A name is looked up at each try, and judged again: one that was public may lead here by now (RFC 6761: names
        // below `localhost` are this machine).
        let endpoint = scene.endpoint("/", &json!({})).await;
        let moved = store::sql("UPDATE notice_endpoints SET url = $1");
        let moved = moved.bind(format!("https://hooks.localhost:{port}/"));
        assert_eq!(scene.world.db().execute(moved).await.unwrap(), 1);
        scene.happen(vec![scene.event(1, 1)]).await;
        let log = scene.tried(&endpoint, 1).await;
        let failure = log[0]["failure"].as_str().unwrap();
        assert!(failure.contains("this machine's own"), "{failure}");
        assert!(forbidden.received().is_empty());
        // Nor can an endpoint be moved there.
        let own = scene.endpoint("/", &json!({})).await;
        let change = json!({ "url": "https://10.0.0.1/" });
        let refused = scene.asks(Method::PATCH, &format!("/v2/webhooks/{}", own.id), Some(change)).await;
        assert_eq!(refused.status, 422);
    }

    async fn what_nobody_answers_is_tried_again(engine: Engine) {
        // An address where nobody listens any more.
        let closed = Sink::start().await;
        let address = closed.address().to_owned();
        drop(closed);
        let scene = Scene::resting(engine, &[&address]).await;
        scene.world.node.works();
        let made = scene.posts("/v2/webhooks", json!({ "url": format!("http://{address}/") })).await;
        let endpoint = super::Endpoint::shown(&made.json());
        scene.happen(vec![scene.event(1, 1)]).await;
        let log = scene.tried(&endpoint, 1).await;
        assert_eq!(log[0]["status"], Value::Null);
        assert!(log[0]["failure"].as_str().unwrap().contains("cannot be reached"), "{log:?}");
        let waiting = scene.in_state(&endpoint, "waiting").await;
        assert!(waiting[0]["next_attempt_at"].is_string());
        let _: &World = &scene.world;
    }
}
