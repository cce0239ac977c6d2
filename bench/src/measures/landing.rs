//! The landing: a token is posted (303) and the page is read (200). Its floor is a request with one durable
//! commit and an empty one.

use super::{Measure, Stock};
use crate::client::{BROWSER, Connection, request};
use crate::load::Work;
use crate::world::World;
use anyhow::{Context as _, Result};

/// Users that land: fewer than landings, as in life.
const USERS: u64 = 100_000;

#[derive(Debug, Default)]
pub struct Landings {
    gateway: Stock<Vec<u8>>,
    floor: Stock<Vec<u8>>,
    user: u64,
}

/// A browser that lands again and again.
#[derive(Debug)]
pub struct Lander {
    connection: Connection,
    stock: Stock<Vec<u8>>,
    page: Vec<u8>,
    /// What stands behind the path in the page's request.
    rest: String,
}

impl Lander {
    pub fn new(connection: Connection, stock: Stock<Vec<u8>>, host: &str) -> Self {
        let rest = format!(" HTTP/1.1\r\nhost: {host}\r\n{BROWSER}\r\n");
        Self { connection, stock, page: Vec::new(), rest }
    }
}

impl Work for Lander {
    async fn operate(&mut self) -> Result<bool> {
        let Some(landing) = self.stock.take() else { return Ok(false) };
        let answer = self.connection.send(&landing).await?.expect(303)?;
        let path = answer.header("location").context("the landing's location")?;
        self.page.clear();
        self.page.extend_from_slice(b"GET ");
        self.page.extend_from_slice(path.as_bytes());
        self.page.extend_from_slice(self.rest.as_bytes());
        self.connection.send(&self.page).await?.expect(200)?;
        Ok(true)
    }
}

/// The same bytes at the floor.
#[derive(Debug)]
pub struct FloorLander {
    connection: Connection,
    stock: Stock<Vec<u8>>,
    empty: Vec<u8>,
}

impl Work for FloorLander {
    async fn operate(&mut self) -> Result<bool> {
        let Some(landing) = self.stock.take() else { return Ok(false) };
        self.connection.send(&landing).await?.expect(201)?;
        self.connection.send(&self.empty).await?.expect(204)?;
        Ok(true)
    }
}

impl Measure for Landings {
    type Gateway = Lander;
    type Floor = FloorLander;
    const OPERATION: &'static str = "landing";

    async fn stock(&mut self, world: &mut World, gateway: usize, floor: usize) -> Result<()> {
        let user = &mut self.user;
        let mut next = || {
            *user = (*user + 1) % USERS;
            *user
        };
        self.gateway.fill(gateway, || world.landing(next()));
        self.floor.fill(floor, || world.floor_landing(next()));
        Ok(())
    }

    fn gateway(&self, world: &World, connection: Connection) -> Lander {
        Lander::new(connection, self.gateway.clone(), &world.host)
    }

    fn floor(&self, world: &World, connection: Connection) -> FloorLander {
        let empty = request("GET", "/empty", &world.host, BROWSER, "");
        FloorLander { connection, stock: self.floor.clone(), empty }
    }

    fn least(&self) -> usize {
        20_000
    }
}
