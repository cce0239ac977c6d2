//! From the callback to an installed tenant: the provider's code is swapped and the account looked up (two calls to
//! a stand-in that answers at once), then the dialog confirms. Its floor is two requests with a durable commit each.

use super::{Measure, Stock};
use crate::client::{BROWSER, Connection, request};
use crate::load::Work;
use crate::world::World;
use anyhow::{Context as _, Result};

/// A person who is back from the outside system: what the two windows send now.
#[derive(Debug)]
pub struct Returned {
    callback: Vec<u8>,
    confirm: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Installs {
    returned: Stock<Returned>,
    user: u64,
}

impl Installs {
    /// Lands, opens the start link and stands before the callback.
    async fn prepare(&mut self, world: &mut World, connection: &mut Connection) -> Result<Returned> {
        self.user += 1;
        // Users that no other measure has, so that each tenant is new.
        let (path, page) = world.dialog(connection, 10_000_000 + self.user).await?;
        let link = page.split_once("/start/").and_then(|(_, rest)| rest.split(['"', '?', '&']).next());
        let link = format!("/start/{}", link.context("the page has no start link")?);
        let own = BROWSER.replace("cross-site", "same-origin").replace("iframe", "document");
        let answer = connection.send(&request("GET", &link, &world.host, &own, "")).await?.expect(303)?;
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.context("the start sets no cookie")?.to_owned();
        let to = answer.header("location").context("the start leads nowhere")?;
        let state = to.split_once("state=").and_then(|(_, rest)| rest.split('&').next());
        let state = state.context("the address has no state")?;
        let headers = format!("{BROWSER}cookie: {cookie}\r\n");
        let callback = format!("/oauth2/callback?code=a-code-of-the-usual-length&state={state}");
        let callback = request("GET", &callback, &world.host, &headers, "");
        let headers = format!("accept: application/json\r\norigin: http://{}\r\n", world.host);
        let confirm = request("POST", &format!("{path}/confirm"), &world.host, &headers, "");
        Ok(Returned { callback, confirm })
    }

    /// Installs one tenant and returns the address of its own webhook.
    ///
    /// # Errors
    /// When the gateway refuses something on the way.
    pub async fn webhook(&mut self, world: &mut World) -> Result<String> {
        let mut connection = Connection::open(world.gateway.address).await?;
        let returned = self.prepare(world, &mut connection).await?;
        finish(&mut connection, &returned).await?;
        let headers = format!("x-api-key: {}\r\n", world.api_key);
        let path = "/v2/tenants?limit=1&sort_by=id__DESC";
        let answer = connection.send(&request("GET", path, &world.host, &headers, "")).await?.expect(200)?;
        let tenants: serde_json::Value = serde_json::from_slice(answer.body)?;
        let id =
            tenants.pointer("/0/id").and_then(serde_json::Value::as_i64).context("no tenant is listed")?;
        let tenant = kernel::ids::TenantId::new(id)?;
        let address = world.service.webhook_url(&world.organization, tenant, None).await?;
        address.context("the tenant has no webhook address")
    }
}

async fn finish(connection: &mut Connection, returned: &Returned) -> Result<()> {
    connection.send(&returned.callback).await?.expect(200)?;
    let state = connection.send(&returned.confirm).await?.expect(200)?;
    anyhow::ensure!(state.text().contains(r#""stage":"success""#), "not installed: {}", state.text());
    Ok(())
}

#[derive(Debug)]
pub struct Confirmer {
    connection: Connection,
    returned: Stock<Returned>,
}

impl Work for Confirmer {
    async fn operate(&mut self) -> Result<bool> {
        let Some(returned) = self.returned.take() else { return Ok(false) };
        finish(&mut self.connection, &returned).await?;
        Ok(true)
    }
}

#[derive(Debug)]
pub struct TwoCommits {
    connection: Connection,
    request: Vec<u8>,
}

impl Work for TwoCommits {
    async fn operate(&mut self) -> Result<bool> {
        self.connection.send(&self.request).await?.expect(201)?;
        self.connection.send(&self.request).await?.expect(201)?;
        Ok(true)
    }
}

impl Measure for Installs {
    type Gateway = Confirmer;
    type Floor = TwoCommits;
    const OPERATION: &'static str = "callback to tenant installed";

    async fn stock(&mut self, world: &mut World, gateway: usize, _: usize) -> Result<()> {
        let mut connection = Connection::open(world.gateway.address).await?;
        while self.returned.len() < gateway {
            let returned = self.prepare(world, &mut connection).await?;
            self.returned.put(returned);
        }
        Ok(())
    }

    fn gateway(&self, _: &World, connection: Connection) -> Confirmer {
        Confirmer { connection, returned: self.returned.clone() }
    }

    fn floor(&self, world: &World, connection: Connection) -> TwoCommits {
        let request = request("POST", "/commit", &world.host, BROWSER, &"x".repeat(800));
        TwoCommits { connection, request }
    }

    fn least(&self) -> usize {
        200
    }
}
