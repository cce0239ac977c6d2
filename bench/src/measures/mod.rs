//! What is measured, one file each.

pub mod beside_library;
pub mod empty;
pub mod enter;
pub mod footprint;
pub mod install;
pub mod landing;
pub mod schedules;
pub mod tenants;
pub mod webhook;
pub mod work;

use crate::client::Connection;
use crate::load::{Summary, Window, Work, run};
use crate::process::Server;
use crate::report::{Line, Report};
use crate::world::World;
use anyhow::Result;
use indicatif::ProgressBar;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// How long and how often.
#[derive(Debug, Clone)]
pub struct Plan {
    pub window: Duration,
    pub warm_up: Duration,
    pub rounds: usize,
    pub clients: Vec<usize>,
    pub progress: ProgressBar,
}

/// Requests made before a window begins, taken by every worker in turn.
#[derive(Debug)]
pub struct Stock<T>(Rc<RefCell<Vec<T>>>);

impl<T> Default for Stock<T> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<T> Clone for Stock<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Stock<T> {
    pub fn take(&self) -> Option<T> {
        self.0.borrow_mut().pop()
    }

    /// Puts in what is missing, so that `wanted` are there.
    pub fn fill(&self, wanted: usize, mut make: impl FnMut() -> T) {
        let mut all = self.0.borrow_mut();
        while all.len() < wanted {
            all.push(make());
        }
    }

    pub fn put(&self, one: T) {
        self.0.borrow_mut().push(one);
    }

    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How many operations a window may take, with a reserve, from how many the one before took.
pub fn enough(before: &[Window], plan: &Plan, least: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is small and positive"
    )]
    let expected =
        before.last().map_or(0, |window| (window.per_second() * plan.window.as_secs_f64()) as usize);
    (expected + expected / 2).max(least)
}

/// One worker for each client.
pub(crate) async fn workers<W>(
    server: &Server,
    clients: usize,
    make: impl Fn(Connection) -> W,
) -> Result<Vec<W>> {
    let mut all = Vec::with_capacity(clients);
    for _ in 0..clients {
        all.push(make(Connection::open(server.address).await?));
    }
    Ok(all)
}

/// Something that is measured beside its floor, in turns.
pub(crate) trait Measure {
    type Gateway: Work;
    type Floor: Work;
    const OPERATION: &'static str;
    /// Puts in stock what a window of the gateway uses up, and what one of the floor does.
    async fn stock(&mut self, world: &mut World, gateway: usize, floor: usize) -> Result<()>;
    fn gateway(&self, world: &World, connection: Connection) -> Self::Gateway;
    fn floor(&self, world: &World, connection: Connection) -> Self::Floor;
    /// Operations that are made ready for the warm-up and as the least of a window.
    fn least(&self) -> usize;
}

/// Floors and gateway in turns (A B C A B C ..), so that what else the machine does falls on both.
pub(crate) async fn beside<M: Measure>(
    world: &mut World,
    measure: &mut M,
    plan: &Plan,
    report: &mut Report,
) -> Result<()> {
    for &clients in &plan.clients {
        let at = format!("{} · {} · {clients} clients", M::OPERATION, world.kind.name());
        plan.progress.set_message(format!("{at} · warm-up"));
        let (mut floor, mut alone, mut gateway) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=plan.rounds {
            let length = if round == 0 { plan.warm_up } else { plan.window };
            if round > 0 {
                plan.progress.set_message(format!("{at} · round {round} of {}", plan.rounds));
            }
            let least = measure.least();
            let (few, many) = (enough(&gateway, plan, least), enough(&floor, plan, least));
            measure.stock(world, few, many).await?;
            // Fresh connections: the gateway ends those that say nothing while the stock is filled.
            let mut floors = workers(&world.floor, clients, |it| measure.floor(world, it)).await?;
            floor.push(run(&world.floor, &mut floors, length).await?);
            measure.stock(world, few, many).await?;
            let mut floors = workers(&world.alone, clients, |it| measure.floor(world, it)).await?;
            alone.push(run(&world.alone, &mut floors, length).await?);
            let mut gateways = workers(&world.gateway, clients, |it| measure.gateway(world, it)).await?;
            gateway.push(run(&world.gateway, &mut gateways, length).await?);
        }
        let summary = |windows: &[Window]| Summary::of(windows.get(1..).unwrap_or_default());
        let line = Line {
            operation: M::OPERATION,
            kind: world.kind,
            clients,
            floor: summary(&floor),
            alone: summary(&alone),
            gateway: summary(&gateway),
        };
        plan.progress.suspend(|| println!("{}", line.told()));
        report.lines.push(line);
        plan.progress.inc(1);
    }
    Ok(())
}
