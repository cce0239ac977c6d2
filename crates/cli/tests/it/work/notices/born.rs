//! Notices that are begun where their events are written, without a claim, and what becomes of those that are not.

use super::{Endpoint, Scene, until};
use futures_util::future::join_all;
use kernel::ids::{EventId, JobId, MessageId};
use reqwest::Method;
use serde_json::json;
use service::work::Births;
use std::sync::Arc;
use store::jobs::Kind;
use store::{DbError, events, notices};
use testkit::on_both;

/// Writes an event, its message and their job as a use case does, up to the commit.
async fn written(scene: &Scene, to: &Endpoint, n: usize, fails: bool) -> Result<Births, DbError> {
    let service = Arc::clone(scene.world.service());
    let (event, now, chance) = (scene.event(1, n), service.clock.now(), Arc::clone(&service.chance));
    let endpoint = kernel::ids::EndpointId::parse(&to.id).unwrap();
    let mut births = service.births(Kind::Notice);
    let write = service.db.write(move |tx| {
        Box::pin(async move {
            let (id, message) = (EventId::new(now, &*chance), MessageId::new(now, &*chance));
            events::insert(tx, &id, &event, &event.message(now), now).await?;
            notices::insert(tx, &message, &endpoint, &id, None, now).await?;
            let job = JobId::new(now, &*chance);
            let is_born = births.enqueue(tx, &event.organization, message.to_string(), job, now).await?;
            assert!(is_born, "there is a slot for it");
            if fails { Err(DbError::Bug("it did not happen".to_owned())) } else { Ok(births) }
        })
    });
    write.await
}

/// Waits until this node's worker takes what is born.
async fn works(scene: &Scene) {
    until("the worker has begun", || async {
        scene.world.service().births(Kind::Notice).hold(&scene.acme.id).is_some()
    })
    .await;
}

async fn tested(scene: &Scene, to: &Endpoint) -> String {
    let told = scene.posts(&format!("/v2/webhooks/{}/test", to.id), json!({})).await;
    assert_eq!(told.status, 202, "{}", told.text());
    told.json()["message_id"].as_str().unwrap().to_owned()
}

on_both! {
    async fn what_is_born_is_held_until_it_is_begun(engine: Engine) {
        let scene = Scene::on(engine).await;
        let to = scene.endpoint("/", &json!({})).await;
        works(&scene).await;
        let births = written(&scene, &to, 1, false).await.unwrap();
        assert_eq!(scene.world.count("jobs WHERE state = 'held' AND attempts = 1 AND holder IS NOT NULL").await, 1);
        assert!(scene.sink.received().is_empty());
        births.begin();
        let received = scene.sink.hears("it", |all| all.len() == 1).await;
        assert!(to.signed(&received[0]));
        scene.tried(&to, 1).await;
        assert_eq!(scene.world.count("jobs WHERE kind = 'notice'").await, 0);
        assert_eq!(scene.in_state(&to, "delivered").await.len(), 1);
    }

    async fn what_failed_gives_its_slot_back_and_leaves_nothing(engine: Engine) {
        let scene = Scene::on(engine).await;
        let to = scene.endpoint("/", &json!({})).await;
        works(&scene).await;
        // More than there are slots.
        for n in 0..100 {
            written(&scene, &to, n, true).await.unwrap_err();
        }
        assert_eq!(scene.world.count("jobs WHERE kind = 'notice'").await, 0);
        written(&scene, &to, 100, false).await.unwrap().begin();
        let received = scene.sink.hears("the last one", |all| !all.is_empty()).await;
        assert_eq!(received[0].json()["data"]["n"], 100);
    }

    async fn what_nobody_came_back_for_is_begun_all_the_same(engine: Engine) {
        let scene = Scene::in_time(engine).await;
        scene.world.node.works();
        let to = scene.endpoint("/", &json!({})).await;
        works(&scene).await;
        // Whoever asked has gone, as with a caller who hangs up while the answer is on its way.
        drop(written(&scene, &to, 1, false).await.unwrap());
        scene.sink.hears("it, long before its lease is over", |all| all.len() == 1).await;
        scene.tried(&to, 1).await;
        assert_eq!(scene.sink.received().len(), 1);
    }

    async fn what_is_born_while_the_process_stops_is_done_before_it_ends(engine: Engine) {
        let scene = Scene::on(engine).await;
        let to = scene.endpoint("/", &json!({})).await;
        works(&scene).await;
        let births = written(&scene, &to, 1, false).await.unwrap();
        scene.world.service().stopping.begin();
        until("nothing more is born", || async {
            scene.world.service().births(Kind::Notice).hold(&scene.acme.id).is_none()
        })
        .await;
        births.begin();
        scene.sink.hears("it", |all| all.len() == 1).await;
        until("it is kept", || async { scene.world.count("notices WHERE state = 'delivered'").await == 1 }).await;
        assert_eq!(scene.world.count("jobs WHERE kind = 'notice'").await, 0);
    }

    async fn many_at_once_are_told_once_each(engine: Engine) {
        let scene = Scene::in_time(engine).await;
        scene.world.node.works();
        let to = scene.endpoint("/", &json!({})).await;
        works(&scene).await;
        // More at a time than there are slots: some are born, and the others are claimed.
        let mut told = join_all((0..200).map(|_| tested(&scene, &to))).await;
        let received = scene.sink.hears("all of them", |all| all.len() >= 200).await;
        let mut heard: Vec<_> = received.iter().map(|it| it.header("webhook-id").to_owned()).collect();
        told.sort_unstable();
        heard.sort_unstable();
        assert_eq!(told, heard);
        assert!(received.iter().all(|it| to.signed(it)));
        scene.rests().await;
        until("all are kept", || async { scene.world.count("notices WHERE state = 'delivered'").await == 200 }).await;
        assert_eq!(scene.world.count("jobs WHERE kind = 'notice'").await, 0);
        assert_eq!(scene.world.count("notices WHERE attempts = 1 AND status = 204").await, 200);
    }

    async fn a_change_made_elsewhere_holds_with_the_next_notice(engine: Engine) {
        let scene = Scene::on(engine).await;
        let old = scene.endpoint("/old", &json!({})).await;
        let path = format!("/v2/webhooks/{}", old.id);
        tested(&scene, &old).await;
        scene.sink.hears("the first", |all| all.len() == 1).await;
        // Another node, which this one does not hear of.
        let other = scene.world.another_node().await;
        let elsewhere = scene.world.person().moved_to(other.address());
        let asks = |method: Method, path: String, body: serde_json::Value| {
            let ask = elsewhere.ask(method, &path).header("x-api-key", &scene.key).json();
            ask.body("application/json", body.to_string())
        };
        assert_eq!(asks(Method::PATCH, path.clone(), json!({ "url": scene.sink.url("/new") })).await.status, 200);
        let rotated = asks(Method::POST, format!("{path}/rotate"), json!({ "overlap_s": 0 })).await;
        let new = Endpoint::shown(&rotated.json());
        tested(&scene, &old).await;
        let received = scene.sink.hears("the second", |all| all.len() == 2).await;
        assert_eq!(received[1].path, "/new");
        assert!(new.signed(&received[1]) && !old.signed(&received[1]));
        assert_eq!(asks(Method::PATCH, path.clone(), json!({ "disabled": true })).await.status, 200);
        assert_eq!(scene.posts(&format!("{path}/test"), json!({})).await.status, 409);
        assert_eq!(asks(Method::DELETE, path.clone(), json!({})).await.status, 204);
        assert_eq!(scene.posts(&format!("{path}/test"), json!({})).await.status, 404);
        assert_eq!(scene.world.count("notices").await, 2);
    }
}
