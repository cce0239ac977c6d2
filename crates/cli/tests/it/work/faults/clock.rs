//! A clock that somebody sets.

use crate::work::scene::{PROGRAM, Scene, phase};
use std::fs;
use testkit::on_both;
use testkit::world::World;

/// Holds a lock as long as anything of it lives, and does not mind being asked to end.
const STUBBORN: &str = "\
trap '' TERM
exec 9>>{shared}/lock
flock -n 9 || echo overlap >> {shared}/overlaps
echo begun >> {shared}/begun
for each in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; done
echo '{\"ended\": true}'
";

on_both! {
    async fn an_hour_ahead_and_back_runs_nothing_twice_at_once_and_loses_nothing(engine: Engine) {
        let scene = Scene::of(World::build(engine).programs(PROGRAM).start().await).await;
        scene.release("1.0", &[("vestibule.yaml", "version: 1\nrun: sh run.sh\n"), ("run.sh", STUBBORN)]).await;
        let other = scene.world.another_node().await;
        let world = scene.world.clone();
        let ticking = tokio::spawn(async move {
            loop {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                world.pass_seconds(1);
            }
        });
        scene.world.node.works();
        other.works();
        let lines = |file: &str| {
            fs::read_to_string(scene.shared.path().join(file)).unwrap_or_default().lines().count()
        };
        // Ahead, while a program runs: whoever holds it notices that the lease is over, and ends it before it is
        // begun once more.
        let trigger = scene.sync().await;
        super::eventually(std::time::Duration::from_secs(30), || async {
            (lines("begun") == 0).then(|| "the first run".to_owned())
        })
        .await;
        scene.world.pass_seconds(3600);
        let run = scene.ended(trigger).await;
        assert_eq!(phase(&run), "Succeeded", "{run}");
        assert!(lines("begun") >= 2, "the lease was lost");
        assert_eq!(lines("overlaps"), 0);
        // Back again: what is asked for now is done now.
        scene.world.pass_seconds(-3600);
        let run = scene.ended(scene.sync().await).await;
        assert_eq!(phase(&run), "Succeeded", "{run}");
        assert_eq!(lines("overlaps"), 0);
        ticking.abort();
    }
}
