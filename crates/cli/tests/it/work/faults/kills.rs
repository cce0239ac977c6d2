//! `kill -9` at any moment, 200 times: nothing is lost, nothing runs twice at the same time.

use super::nodes::Node;
use super::outside::{Cut, Stage};
use super::workshop::{MANIFEST, PROGRAM};
use super::{Dice, Outside, Workshop, eventually};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::world::{Engine, World};

/// Kills of one test.
const KILLS: usize = 100;
/// At least so many of them fall inside a renewal, a run and a notice each: one in five.
const OF_EACH: usize = KILLS / 5;
/// What a kill leaves behind is nobody's for up to a minute. There are so many tenants that others can go on.
const TENANTS: usize = 80;
/// Renewals and notices take so much longer than else, in milliseconds: at any moment some are under way.
const SLOWER_MS: u64 = 200;
/// How long a kill waits for a node that is in the middle of what it is to fall into.
const AIMING: Duration = Duration::from_secs(4);
/// Everybody who was killed held something for at most this long.
const RECOVERY: Duration = Duration::from_secs(240);

async fn workshop(engine: Engine) -> Arc<Workshop> {
    let outside = Outside::start().await;
    let world = World::build(engine).system_clock().reaching(outside.address()).start().await;
    let mut workshop = Workshop::open(world, outside, TENANTS, (MANIFEST, PROGRAM)).await;
    // So few at a time that one kill does not leave most of them to nobody.
    workshop.nodes = workshop.nodes.set("work.refresh_slots=1").set("work.run_slots=2");
    workshop.outside.memory().slower_ms = SLOWER_MS;
    Arc::new(workshop)
}

/// Things happen until it is told to stop.
fn busy(workshop: &Arc<Workshop>, mut dice: Dice) -> (Arc<AtomicBool>, tokio::task::JoinHandle<()>) {
    let (workshop, goes_on) = (Arc::clone(workshop), Arc::new(AtomicBool::new(true)));
    let told = Arc::clone(&goes_on);
    let task = tokio::spawn(async move {
        while told.load(Ordering::SeqCst) {
            workshop.something_happens(&mut dice).await;
            tokio::time::sleep(dice.millis(80)).await;
        }
    });
    (goes_on, task)
}

/// What a kill is to fall into.
#[derive(Debug, Clone, Copy)]
enum Aim {
    Anything,
    A(Stage),
    Run,
}

impl Aim {
    const fn of(kill: usize) -> Self {
        match kill % 7 {
            0 => Self::Anything,
            1 | 4 => Self::A(Stage::Renewal),
            2 | 5 => Self::Run,
            _ => Self::A(Stage::Notice),
        }
    }

    /// The node that is in the middle of it, where one is.
    fn victim(self, workshop: &Workshop, nodes: &[Node]) -> Option<usize> {
        match self {
            Self::Anything => None,
            Self::Run => nodes.iter().position(|node| !workshop.runs_of(node.process()).is_empty()),
            Self::A(stage) => {
                let under_way = workshop.outside.memory().under_way.clone();
                let ports = under_way.into_iter().filter(|(what, _)| *what == stage).map(|(_, port)| port);
                let ports: Vec<u16> = ports.collect();
                nodes.iter().position(|node| !ports.is_empty() && node.asks_from(&ports))
            }
        }
    }

    /// Waits for one that is in the middle of it, but not for long.
    async fn wait(self, workshop: &Workshop, nodes: &[Node], dice: &mut Dice) -> usize {
        let until = tokio::time::Instant::now() + AIMING;
        while !matches!(self, Self::Anything) && tokio::time::Instant::now() < until {
            if let Some(victim) = self.victim(workshop, nodes) {
                // Not always at its beginning.
                tokio::time::sleep(dice.millis(SLOWER_MS / 2)).await;
                return victim;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        usize::try_from(dice.below(nodes.len() as u64)).unwrap()
    }
}

/// What was under way when a node was killed.
#[derive(Debug)]
struct Kill {
    /// As many as had been cut by then.
    cut: Cut,
    /// Runs of this node.
    runs: Vec<i64>,
}

/// How many kills fell inside a renewal, a run, a notice.
#[derive(Debug, Default)]
struct Hits {
    renewals: usize,
    runs: usize,
    notices: usize,
}

impl Hits {
    /// A renewal or notice was cut between this kill and the next one, which nothing else does; a run of this node had to
    /// be begun once more.
    fn of(kills: &[Kill], after: Cut, mut begun_again: BTreeMap<i64, i64>) -> Self {
        let mut hits = Self::default();
        for (at, kill) in kills.iter().enumerate() {
            let next = kills.get(at + 1).map_or(after, |kill| kill.cut);
            hits.renewals += usize::from(next.renewals > kill.cut.renewals);
            hits.notices += usize::from(next.notices > kill.cut.notices);
            let mut is_hit = false;
            for run in &kill.runs {
                let left = begun_again.entry(*run).or_default();
                is_hit |= *left > 0;
                *left -= 1;
            }
            hits.runs += usize::from(is_hit);
        }
        hits
    }
}

/// How often each run was begun beyond the first time.
async fn begun_again(workshop: &Workshop) -> BTreeMap<i64, i64> {
    let mut runs = BTreeMap::new();
    for mut run in workshop.world.rows("SELECT id, attempts - 1 FROM runs").await {
        runs.insert(run.take().unwrap(), run.take().unwrap());
    }
    runs
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
    let mut kills = Vec::new();
    for number in 0..KILLS {
        tokio::time::sleep(dice.millis(400)).await;
        let victim = Aim::of(number).wait(&workshop, &nodes, &mut dice).await;
        let victim = nodes.swap_remove(victim);
        let cut = workshop.outside.memory().cut;
        kills.push(Kill { cut, runs: workshop.runs_of(victim.process()) });
        tokio::task::spawn_blocking(move || victim.kill()).await.unwrap();
        nodes.push(start().await);
    }
    let after = workshop.outside.memory().cut;
    goes_on.store(false, Ordering::SeqCst);
    happening.await.unwrap();
    workshop.is_done(RECOVERY).await;
    // Renewals go on as long as anybody works; each connection has its turn, those too whose renewal was cut.
    eventually(RECOVERY, || async {
        let renewed = workshop.outside.memory().renewed.len();
        (renewed < workshop.tenants.len()).then(|| format!("only {renewed} were renewed"))
    })
    .await;
    for node in nodes {
        tokio::task::spawn_blocking(move || node.stop()).await.unwrap();
    }
    workshop.all_is_well().await;
    let hits = Hits::of(&kills, after, begun_again(&workshop).await);
    let is_enough = hits.renewals >= OF_EACH && hits.runs >= OF_EACH && hits.notices >= OF_EACH;
    assert!(is_enough, "of {KILLS} kills: {hits:?}");
    eprintln!("of {KILLS} kills: {hits:?}");
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
