//! An empty request through everything that stands around every route: request id, log line, meters, time limit,
//! headers. Its floor is an empty handler with nothing around it; the difference is a part of every other measure.

use super::Measure;
use super::webhook::Sender;
use crate::client::{BROWSER, Connection, request};
use crate::world::World;
use anyhow::Result;

#[derive(Debug)]
pub struct Empties;

impl Measure for Empties {
    type Gateway = Sender;
    type Floor = Sender;
    const OPERATION: &'static str = "empty request";

    async fn stock(&mut self, _: &mut World, _: usize, _: usize) -> Result<()> {
        Ok(())
    }

    fn gateway(&self, world: &World, connection: Connection) -> Sender {
        Sender::new(connection, request("GET", "/health/live", &world.host, BROWSER, ""), 200)
    }

    fn floor(&self, world: &World, connection: Connection) -> Sender {
        Sender::new(connection, request("GET", "/empty", &world.host, BROWSER, ""), 204)
    }

    fn least(&self) -> usize {
        0
    }
}
