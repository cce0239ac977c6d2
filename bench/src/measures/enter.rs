//! The second door's operations, each beside a floor of as many requests and durable commits.

use super::{Measure, Stock};
use crate::client::{Connection, FORM, request};
use crate::load::Work;
use crate::second_door::{REDIRECT, SecondDoor, VERIFIER};
use crate::world::World;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::cell::Cell;
use std::rc::Rc;

pub(super) const PROGRAM: &str = "user-agent: app/1.0\r\naccept: */*\r\n";
pub(super) const VISITOR: &str = "user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
Chrome/156.0.0.0 Safari/537.36\r\naccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\
accept-language: en-GB,en;q=0.9\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\n\
sec-fetch-dest: document\r\n";
/// More than there are ever clients.
const MOST_CLIENTS: usize = 128;

/// The same requests in the same order again and again.
#[derive(Debug)]
pub struct Repeated {
    connection: Connection,
    requests: Vec<(Vec<u8>, u16)>,
}

impl Work for Repeated {
    async fn operate(&mut self) -> Result<bool> {
        for (request, status) in &self.requests {
            self.connection.send(request).await?.expect(*status)?;
        }
        Ok(true)
    }
}

/// A floor of `commits` durable commits and `reads` empty requests.
fn floor(world: &World, connection: Connection, commits: usize, reads: usize) -> Repeated {
    let body = "x".repeat(400);
    let commit = (request("POST", "/commit", &world.host, FORM, &body), 201);
    let read = (request("GET", "/empty", &world.host, PROGRAM, ""), 204);
    let requests = vec![commit; commits].into_iter().chain(vec![read; reads]).collect();
    Repeated { connection, requests }
}

pub(super) fn form(host: &str, path: &str, body: &str) -> Vec<u8> {
    request("POST", path, host, &format!("{PROGRAM}{FORM}"), body)
}

/// The value of a parameter of an address; codes need no decoding.
pub(super) fn parameter<'a>(address: &'a str, name: &str) -> Result<&'a str> {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(own, _)| *own == name)
        .map(|(_, value)| value)
        .with_context(|| format!("{name} in {address}"))
}

/// A browser with a session, and the app's server behind it.
#[derive(Debug)]
pub struct SignIn {
    connection: Connection,
    door: Rc<SecondDoor>,
    host: String,
}

impl SignIn {
    /// Authorize, then token: the token endpoint's answer.
    async fn run(&mut self, cookie: &str) -> Result<Value> {
        let headers = format!("{VISITOR}cookie: vst_session={cookie}\r\n");
        let authorize = request("GET", &self.door.authorize(), &self.host, &headers, "");
        let answer = self.connection.send(&authorize).await?.expect(303)?;
        let code = parameter(answer.header("location").context("the code's address")?, "code")?;
        let redirect = REDIRECT.replace(':', "%3A").replace('/', "%2F");
        let body = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={redirect}&code_verifier={VERIFIER}&{}",
            self.door.proof()
        );
        let token = form(&self.host, "/oauth2/token", &body);
        Ok(serde_json::from_slice(self.connection.send(&token).await?.expect(200)?.body)?)
    }
}

impl Work for SignIn {
    async fn operate(&mut self) -> Result<bool> {
        let cookie = self.door.cookie.reveal().to_owned();
        self.run(&cookie).await.map(|_| true)
    }
}

/// Tokens of a fresh sign-in.
async fn tokens(world: &World, door: &Rc<SecondDoor>) -> Result<Value> {
    let connection = Connection::open(world.gateway.address).await?;
    let mut sign_in = SignIn { connection, door: Rc::clone(door), host: world.host.clone() };
    let cookie = door.cookie.reveal().to_owned();
    sign_in.run(&cookie).await
}

pub(super) fn text(tokens: &Value, name: &str) -> Result<String> {
    tokens.get(name).and_then(Value::as_str).map(str::to_owned).with_context(|| name.to_owned())
}

/// Session, authorize, code, token.
#[derive(Debug)]
pub struct SignIns(pub Rc<SecondDoor>);

impl Measure for SignIns {
    type Gateway = SignIn;
    type Floor = Repeated;
    const OPERATION: &'static str = "code and token";

    async fn stock(&mut self, _: &mut World, _: usize, _: usize) -> Result<()> {
        Ok(())
    }

    fn gateway(&self, world: &World, connection: Connection) -> SignIn {
        SignIn { connection, door: Rc::clone(&self.0), host: world.host.clone() }
    }

    fn floor(&self, world: &World, connection: Connection) -> Repeated {
        floor(world, connection, 2, 0)
    }

    fn least(&self) -> usize {
        0
    }
}

/// The partner's backend, the browser and the app's server of one entry after another.
#[derive(Debug)]
pub struct Entrant {
    sign_in: SignIn,
    bearer: String,
    number: Rc<Cell<u64>>,
}

impl Work for Entrant {
    async fn operate(&mut self) -> Result<bool> {
        let number = self.number.get();
        self.number.set(number + 1);
        let SignIn { connection, door, host } = &mut self.sign_in;
        let headers =
            format!("{PROGRAM}authorization: Bearer {}\r\ncontent-type: application/json\r\n", self.bearer);
        let body = format!(
            "{{\"service_provider_id\":\"{}\",\"session_id\":\"s-{number}\",\"user_id\":\"user-{}\",\
             \"context\":{{\"account\":{{\"account_id\":\"{}\"}}}}}}",
            door.app,
            number % 1000,
            door.account
        );
        let mint = request("POST", "/sso.v1.IdentityProvider/GetEntryURLWithCode", host, &headers, &body);
        let minted: Value = serde_json::from_slice(connection.send(&mint).await?.expect(200)?.body)?;
        let entry = text(&minted, "entryUrl")?;
        let path = entry.splitn(4, '/').nth(3).context("the entry URL's path")?;
        let answer =
            connection.send(&request("GET", &format!("/{path}"), host, VISITOR, "")).await?.expect(303)?;
        let cookie = answer.headers("set-cookie").find_map(|line| {
            let value = line.strip_prefix("vst_session=")?;
            value.split(';').next().map(str::to_owned)
        });
        self.sign_in.run(&cookie.context("the session's cookie")?).await.map(|_| true)
    }
}

/// Mint, redeem, authorize, token.
#[derive(Debug)]
pub struct Entries {
    door: Rc<SecondDoor>,
    bearer: String,
    number: Rc<Cell<u64>>,
}

impl Entries {
    /// # Errors
    /// When the gateway refuses the partner's backend.
    pub async fn new(world: &World, door: &Rc<SecondDoor>) -> Result<Self> {
        let body = door.assertion(world.service.clock.now().seconds())?;
        let mut connection = Connection::open(world.gateway.address).await?;
        let answer = connection.send(&form(&world.host, "/oauth2/token", &body)).await?.expect(200)?;
        let bearer = text(&serde_json::from_slice(answer.body)?, "access_token")?;
        Ok(Self { door: Rc::clone(door), bearer, number: Rc::new(Cell::new(1)) })
    }
}

impl Measure for Entries {
    type Gateway = Entrant;
    type Floor = Repeated;
    const OPERATION: &'static str = "whole entry";

    async fn stock(&mut self, _: &mut World, _: usize, _: usize) -> Result<()> {
        Ok(())
    }

    fn gateway(&self, world: &World, connection: Connection) -> Entrant {
        let sign_in = SignIn { connection, door: Rc::clone(&self.door), host: world.host.clone() };
        Entrant { sign_in, bearer: self.bearer.clone(), number: Rc::clone(&self.number) }
    }

    fn floor(&self, world: &World, connection: Connection) -> Repeated {
        floor(world, connection, 4, 0)
    }

    fn least(&self) -> usize {
        0
    }
}

/// A partner's backend that swaps assertions.
#[derive(Debug)]
pub struct Swapper {
    connection: Connection,
    stock: Stock<Vec<u8>>,
}

impl Work for Swapper {
    async fn operate(&mut self) -> Result<bool> {
        let Some(swap) = self.stock.take() else { return Ok(false) };
        self.connection.send(&swap).await?.expect(200)?;
        Ok(true)
    }
}

/// A service account's exchange, its `jti` kept.
#[derive(Debug)]
pub struct Exchanges {
    pub door: Rc<SecondDoor>,
    pub stock: Stock<Vec<u8>>,
}

impl Measure for Exchanges {
    type Gateway = Swapper;
    type Floor = Repeated;
    const OPERATION: &'static str = "service-account exchange";

    async fn stock(&mut self, world: &mut World, gateway: usize, _: usize) -> Result<()> {
        let now = world.service.clock.now().seconds();
        // What is left from the window before grows old.
        while self.stock.take().is_some() {}
        for _ in 0..gateway {
            self.stock.put(form(&world.host, "/oauth2/token", &self.door.assertion(now)?));
        }
        Ok(())
    }

    fn gateway(&self, _: &World, connection: Connection) -> Swapper {
        Swapper { connection, stock: self.stock.clone() }
    }

    fn floor(&self, world: &World, connection: Connection) -> Repeated {
        floor(world, connection, 1, 0)
    }

    fn least(&self) -> usize {
        20_000
    }
}

/// An app that uses each refresh token once.
#[derive(Debug)]
pub struct Refresher {
    connection: Connection,
    door: Rc<SecondDoor>,
    host: String,
    token: String,
}

impl Work for Refresher {
    async fn operate(&mut self) -> Result<bool> {
        let body = format!("grant_type=refresh_token&refresh_token={}&{}", self.token, self.door.proof());
        let refresh = form(&self.host, "/oauth2/token", &body);
        let answer = self.connection.send(&refresh).await?.expect(200)?;
        self.token = text(&serde_json::from_slice(answer.body)?, "refresh_token")?;
        Ok(true)
    }
}

#[derive(Debug)]
pub struct Refreshes {
    pub door: Rc<SecondDoor>,
    pub stock: Stock<String>,
}

impl Measure for Refreshes {
    type Gateway = Refresher;
    type Floor = Repeated;
    const OPERATION: &'static str = "refresh";

    async fn stock(&mut self, world: &mut World, _: usize, _: usize) -> Result<()> {
        while self.stock.len() < MOST_CLIENTS {
            self.stock.put(text(&tokens(world, &self.door).await?, "refresh_token")?);
        }
        Ok(())
    }

    fn gateway(&self, world: &World, connection: Connection) -> Refresher {
        let token = self.stock.take().unwrap_or_default();
        Refresher { connection, door: Rc::clone(&self.door), host: world.host.clone(), token }
    }

    fn floor(&self, world: &World, connection: Connection) -> Repeated {
        floor(world, connection, 1, 0)
    }

    fn least(&self) -> usize {
        0
    }
}

/// Declares a measure that asks the same again and again, with an access token of a fresh sign-in.
macro_rules! asked_again {
    ($name:ident, $operation:literal, |$door:ident, $host:ident, $token:ident| $request:expr) => {
        #[derive(Debug)]
        pub struct $name {
            pub door: Rc<SecondDoor>,
            pub token: String,
        }

        impl Measure for $name {
            type Gateway = Repeated;
            type Floor = Repeated;
            const OPERATION: &'static str = $operation;

            async fn stock(&mut self, world: &mut World, _: usize, _: usize) -> Result<()> {
                self.token = text(&tokens(world, &self.door).await?, "access_token")?;
                Ok(())
            }

            fn gateway(&self, world: &World, connection: Connection) -> Repeated {
                let ($door, $host, $token) = (&self.door, world.host.as_str(), self.token.as_str());
                let _ = ($door, $token);
                Repeated { connection, requests: vec![($request, 200)] }
            }

            fn floor(&self, world: &World, connection: Connection) -> Repeated {
                floor(world, connection, 0, 1)
            }

            fn least(&self) -> usize {
                0
            }
        }
    };
}

asked_again!(Introspections, "introspection", |door, host, token| {
    form(host, "/oauth2/introspect", &format!("token={token}&{}", door.proof()))
});
asked_again!(UserInfos, "userinfo", |_door, host, token| {
    request("GET", "/oauth2/user-info", host, &format!("{PROGRAM}authorization: Bearer {token}\r\n"), "")
});
asked_again!(Discoveries, "discovery", |_door, host, _token| {
    request("GET", "/.well-known/openid-configuration", host, PROGRAM, "")
});
