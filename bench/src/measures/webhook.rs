//! A webhook that is accepted: kept durably, then 202. Its floor is a request with one durable commit.

use super::Measure;
use crate::client::{Connection, request};
use crate::load::Work;
use crate::world::World;
use anyhow::Result;

const HEADERS: &str = "user-agent: outside/1.0\r\ncontent-type: application/json\r\naccept: */*\r\n";

/// A delivery of a usual size, about 600 bytes.
pub(super) fn body() -> String {
    let properties: Vec<String> =
        (0..12).map(|at| format!("{{\"name\":\"property_{at}\",\"value\":\"value number {at}\"}}")).collect();
    format!("{{\"event\":\"contact.changed\",\"object\":62515,\"properties\":[{}]}}", properties.join(","))
}

#[derive(Debug)]
pub struct Webhooks {
    path: String,
}

impl Webhooks {
    /// `address` is a tenant's own.
    pub fn new(address: &str) -> Self {
        let path = address.splitn(4, '/').nth(3).unwrap_or_default();
        Self { path: format!("/{path}") }
    }
}

/// The same bytes again and again.
#[derive(Debug)]
pub struct Sender {
    connection: Connection,
    request: Vec<u8>,
    status: u16,
}

impl Sender {
    pub(super) fn new(connection: Connection, request: Vec<u8>, status: u16) -> Self {
        Self { connection, request, status }
    }
}

impl Work for Sender {
    async fn operate(&mut self) -> Result<bool> {
        self.connection.send(&self.request).await?.expect(self.status)?;
        Ok(true)
    }
}

impl Measure for Webhooks {
    type Gateway = Sender;
    type Floor = Sender;
    const OPERATION: &'static str = "webhook accepted";

    async fn stock(&mut self, _: &mut World, _: usize, _: usize) -> Result<()> {
        Ok(())
    }

    fn gateway(&self, world: &World, connection: Connection) -> Sender {
        let request = request("POST", &self.path, &world.host, HEADERS, &body());
        Sender::new(connection, request, 202)
    }

    fn floor(&self, world: &World, connection: Connection) -> Sender {
        Sender::new(connection, request("POST", "/commit", &world.host, HEADERS, &body()), 201)
    }

    fn least(&self) -> usize {
        0
    }
}
