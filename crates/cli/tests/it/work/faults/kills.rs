//! `kill -9` at any moment, 200 times: nothing is lost, nothing runs twice at the same time.

use super::workshop::{MANIFEST, PROGRAM};
use super::{Dice, Outside, Workshop};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::world::{Engine, World};

/// Kills of one test.
const KILLS: usize = 100;
/// Everybody who was killed held something for at most this long.
const RECOVERY: Duration = Duration::from_secs(240);

async fn workshop(engine: Engine) -> Arc<Workshop> {
    let outside = Outside::start().await;
    let world = World::build(engine).system_clock().reaching(outside.address()).start().await;
    Arc::new(Workshop::open(world, outside, 24, (MANIFEST, PROGRAM)).await)
}

/// Things happen until it is told to stop.
fn busy(workshop: &Arc<Workshop>, mut dice: Dice) -> (Arc<AtomicBool>, tokio::task::JoinHandle<()>) {
    let (workshop, goes_on) = (Arc::clone(workshop), Arc::new(AtomicBool::new(true)));
    let told = Arc::clone(&goes_on);
    let task = tokio::spawn(async move {
        while told.load(Ordering::SeqCst) {
            workshop.something_happens(&mut dice).await;
            tokio::time::sleep(dice.millis(300)).await;
        }
    });
    (goes_on, task)
}

async fn killed_again_and_again(engine: Engine, nodes_at_once: usize, seed: u64) {
    let workshop = workshop(engine).await;
    let (goes_on, happening) = busy(&workshop, Dice(seed));
    let mut dice = Dice(seed + 1);
    let start = || {
        let nodes = workshop.nodes.clone();
        async move { tokio::task::spawn_blocking(move || nodes.work()).await.unwrap() }
    };
    let mut nodes = Vec::new();
    for _ in 0..nodes_at_once {
        nodes.push(start().await);
    }
    for _ in 0..KILLS {
        tokio::time::sleep(dice.millis(400)).await;
        let victim = nodes.swap_remove(usize::try_from(dice.below(nodes_at_once as u64)).unwrap());
        tokio::task::spawn_blocking(move || victim.kill()).await.unwrap();
        nodes.push(start().await);
    }
    goes_on.store(false, Ordering::SeqCst);
    happening.await.unwrap();
    workshop.is_done(RECOVERY).await;
    // Renewals go on as long as anybody works; all of them were renewed by now.
    let renewed = workshop.outside.memory().renewed.len();
    assert_eq!(renewed, workshop.tenants.len());
    for node in nodes {
        tokio::task::spawn_blocking(move || node.stop()).await.unwrap();
    }
    workshop.all_is_well().await;
    assert!(workshop.world.count("runs WHERE attempts > 1").await > 0, "no run was hit");
}

mod a_node_that_is_killed_a_hundred_times_loses_nothing {
    use super::{Engine, killed_again_and_again};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        killed_again_and_again(Engine::Sqlite, 1, 11).await;
    }

    /// Three processes on one database; each time one of them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        killed_again_and_again(Engine::Postgres, 3, 12).await;
    }
}
