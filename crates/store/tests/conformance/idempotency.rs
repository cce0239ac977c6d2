//! One of any number of equal requests does the work.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World, hashed, sealed};
use store::idempotency_keys::{self as keys, Key, Known};

on_both!(a_key_is_taken_once, of_a_hundred_at_once_one_goes, what_lost_its_gateway_is_taken_over);

async fn key(world: &World, text: &str) -> Key {
    let organization = world.organization("acme").await;
    Key { organization, environment: SANDBOX, hash: hashed(text) }
}

macro_rules! write {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.write(move |$tx| Box::pin(async move { $body.await })).await
    };
}

async fn a_key_is_taken_once(world: World) {
    let key = key(&world, "k").await;
    let (request, stale) = (hashed("request"), NOW.plus_seconds(-600));
    let begin = |request| {
        let key = key.clone();
        world.write(move |tx| Box::pin(async move { keys::begin(tx, &key, &request, NOW, stale).await }))
    };
    assert_eq!(begin(request.clone()).await, None);
    assert_eq!(begin(request.clone()).await, Some(Known { request: request.clone(), answer: None }));
    let other = hashed("another request");
    assert_eq!(begin(other).await, Some(Known { request: request.clone(), answer: None }));

    let (mine, answer) = (key.clone(), sealed("answer"));
    assert!(write!(world, |tx| keys::finish(tx, &mine, NOW, 202, Some(&answer))));
    let (mine, answer) = (key.clone(), sealed("a second answer"));
    assert!(!write!(world, |tx| keys::finish(tx, &mine, NOW, 200, Some(&answer))), "the first one stays");
    let kept = Some((202, Some(sealed("answer"))));
    assert_eq!(begin(request.clone()).await, Some(Known { request: request.clone(), answer: kept }));
    let mine = key.clone();
    assert!(!write!(world, |tx| keys::forget(tx, &mine, NOW)), "what is answered is not forgotten");

    // The same key of another organization is another key.
    let elsewhere = Key { organization: world.organization("other").await, ..key.clone() };
    let asked = request.clone();
    assert_eq!(write!(world, |tx| keys::begin(tx, &elsewhere, &asked, NOW, stale)), None);

    assert_eq!(write!(world, |tx| keys::delete_before(tx, NOW.plus_seconds(1), 1)), 1);
    assert_eq!(write!(world, |tx| keys::delete_before(tx, NOW.plus_seconds(1), 9)), 1);
    assert_eq!(begin(request).await, None);
}

async fn of_a_hundred_at_once_one_goes(world: World) {
    let key = key(&world, "k").await;
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (db, key) = (world.db.clone(), key.clone());
            tokio::spawn(async move {
                db.write(move |tx| {
                    Box::pin(async move {
                        keys::begin(tx, &key, &hashed("request"), NOW, NOW.plus_seconds(-600)).await
                    })
                })
                .await
            })
        })
        .collect();
    let mut gone = 0;
    for task in tasks {
        gone += usize::from(task.await.unwrap().unwrap().is_none());
    }
    assert_eq!(gone, 1);
}

async fn what_lost_its_gateway_is_taken_over(world: World) {
    let key = key(&world, "k").await;
    let begin = |request: &'static str, seconds| {
        let (key, now) = (key.clone(), NOW.plus_seconds(seconds));
        world.write(move |tx| {
            Box::pin(
                async move { keys::begin(tx, &key, &hashed(request), now, now.plus_seconds(-600)).await },
            )
        })
    };
    assert_eq!(begin("request", 0).await, None);
    assert!(begin("request", 600).await.is_some());
    assert!(begin("another", 601).await.is_some(), "only the same request takes over");
    assert_eq!(begin("request", 601).await, None);
    let mine = key.clone();
    assert!(!write!(world, |tx| keys::finish(tx, &mine, NOW, 200, None)), "the first one was overtaken");
    let mine = key.clone();
    assert!(write!(world, |tx| keys::finish(tx, &mine, NOW.plus_seconds(601), 200, None)));
    assert_eq!(begin("request", 2000).await.unwrap().answer, Some((200, None)));
}
