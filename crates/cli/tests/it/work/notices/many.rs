//! Many events, many endpoints, many nodes, and one that is slow.

use super::sink::{Received, Reply};
use super::{Scene, until};
use futures_util::future::join_all;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use testkit::on_both;
use testkit::world::Engine;
use tokio::sync::Notify;

/// How often each message arrived.
fn times(received: &[Received]) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for it in received {
        *times.entry(it.header("webhook-id").to_owned()).or_default() += 1;
    }
    times
}

/// A hundred events at once, by as many tasks.
async fn a_hundred(scene: &Scene) {
    join_all((0..100).map(|n| scene.happen(vec![scene.event(i64::try_from(n % 7 + 1).unwrap(), n)]))).await;
}

on_both! {
    async fn a_hundred_events_at_once_reach_ten_endpoints(engine: Engine) {
        let scene = Scene::in_time(engine).await;
        scene.world.node.works();
        let mut endpoints = Vec::new();
        for n in 0..10 {
            endpoints.push(scene.endpoint(&format!("/{n}"), &json!({ "ordered": n % 2 == 0 })).await);
        }
        a_hundred(&scene).await;
        let received = scene.sink.hears("all of them", |all| times(all).len() >= 1_000).await;
        assert_eq!(times(&received).len(), 1_000);
        for (n, endpoint) in endpoints.iter().enumerate() {
            let own: Vec<&Received> = received.iter().filter(|it| it.path == format!("/{n}")).collect();
            assert!(own.iter().all(|it| endpoint.signed(it)));
            let mut heard: Vec<i64> = own.iter().map(|it| it.json()["data"]["n"].as_i64().unwrap()).collect();
            heard.sort_unstable();
            heard.dedup();
            assert_eq!(heard, (0..100).collect::<Vec<_>>(), "endpoint {n}");
        }
        scene.rests().await;
        until("all are delivered", || async {
            scene.world.count("notices WHERE state = 'delivered'").await == 1_000
        })
        .await;
        assert_eq!(scene.world.count("jobs WHERE kind = 'notice'").await, 0);
    }

    async fn an_endpoint_that_is_slow_holds_up_nobody_else(engine: Engine) {
        let scene = Scene::in_time(engine).await;
        scene.world.node.works();
        scene.endpoint("/slow", &json!({})).await;
        scene.endpoint("/quick", &json!({})).await;
        let gate = Arc::new(Notify::new());
        let closed = Arc::clone(&gate);
        scene.sink.answers(move |it| match it.path.as_str() {
            "/slow" => Reply::status(204).after(&closed),
            _ => Reply::status(204),
        });
        a_hundred(&scene).await;
        a_hundred(&scene).await;
        // All of the quick one's arrive while not one of the slow one's has been answered.
        let quick = |all: &[Received]| all.iter().filter(|it| it.path == "/quick").count();
        let received = scene.sink.hears("the quick one's", |all| quick(all) >= 200).await;
        let slow = received.iter().filter(|it| it.path == "/slow").count();
        assert!(slow < 50, "{slow} of the slow one's are under way");
        scene.sink.answers(|_| Reply::status(204));
        gate.notify_waiters();
    }
}

/// In the calm case, that is without a node that dies, nobody hears twice.
async fn three_nodes_deliver_each_once(engine: Engine) {
    let scene = Scene::in_time(engine).await;
    scene.endpoint("/a", &json!({})).await;
    scene.endpoint("/b", &json!({ "ordered": true })).await;
    let (second, third) = (scene.world.another_node().await, scene.world.another_node().await);
    scene.world.node.works();
    second.works();
    third.works();
    a_hundred(&scene).await;
    a_hundred(&scene).await;
    scene.sink.hears("all of them", |all| times(all).len() >= 400).await;
    scene.rests().await;
    until("all are delivered", || async {
        scene.world.count("notices WHERE state = 'delivered'").await == 400
    })
    .await;
    let times = times(&scene.sink.received());
    assert_eq!(times.len(), 400);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_on_postgres_deliver_each_once() {
    three_nodes_deliver_each_once(Engine::Postgres).await;
}
