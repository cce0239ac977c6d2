//! A database that is gone for twenty seconds.

use super::workshop::{MANIFEST, PROGRAM};
use super::{Dice, Outside, Workshop};
use std::sync::Arc;
use std::time::Duration;
use testkit::postgres::Postgres;
use testkit::world::{Engine, World};

const AWAY: Duration = Duration::from_secs(20);
const RECOVERY: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_on_when_postgres_is_back() {
    let server = Arc::new(Postgres::breakable().await);
    let outside = Outside::start().await;
    let world = World::build(Engine::Postgres).server(Arc::clone(&server)).system_clock();
    let world = world.reaching(outside.address()).start().await;
    let workshop = Workshop::open(world, outside, 12, (MANIFEST, PROGRAM)).await;
    let nodes = workshop.nodes.clone();
    let node = tokio::task::spawn_blocking(move || nodes.serve()).await.unwrap();
    let mut dice = Dice(21);
    for _ in 0..60 {
        workshop.something_happens(&mut dice).await;
    }
    // In the middle of it.
    tokio::time::sleep(dice.millis(300)).await;
    server.take_down().await;
    let health = format!("http://{}/health", node.address);
    let away = tokio::time::Instant::now();
    while away.elapsed() < AWAY {
        let live = status(&format!("{health}/live")).await;
        assert_eq!(live, 200, "a process without its database is not broken itself");
        let ready = status(&format!("{health}/ready")).await;
        assert_eq!(ready, 503, "it can answer nobody");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    server.bring_back().await;
    workshop.is_done(RECOVERY).await;
    assert_eq!(status(&format!("{health}/ready")).await, 200);
    // And what comes later is done by the same process.
    for _ in 0..10 {
        workshop.something_happens(&mut dice).await;
    }
    workshop.is_done(RECOVERY).await;
    tokio::task::spawn_blocking(move || node.stop()).await.unwrap();
    workshop.all_is_well().await;
}

#[expect(clippy::disallowed_methods, reason = "the test calls the gateway, not the gateway others")]
async fn status(url: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
    client.get(url).send().await.unwrap().status().as_u16()
}
