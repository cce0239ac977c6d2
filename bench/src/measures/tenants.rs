//! Whether a landing and the look-up of a tenant cost the same with a thousand and with a million tenants.

use super::landing::Lander;
use super::{Plan, Stock, enough, workers};
use crate::client::{Connection, request};
use crate::load::{Summary, Work, run};
use crate::report::{Report, Rung};
use crate::world::{OUTSIDE_CONNECTOR, OWN_CONNECTOR, World};
use anyhow::Result;
use kernel::{Clock as _, Environment, SystemClock};
use store::{Query, sql};

/// Rows that one statement makes: PostgreSQL ends a statement after 15 s.
const CHUNK: i64 = 50_000;
/// Ids far above those that the gateway gives.
const FIRST_TENANT: i64 = 1_000_000_000;

macro_rules! numbers {
    () => {
        "WITH RECURSIVE numbers(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < $2) "
    };
}

const USERS: &str = concat!(
    numbers!(),
    "INSERT INTO users (id, organization_id, environment, username, email, meta, attributes, created_at, modified_at)
     SELECT '00000000-0000-4000-8000-' || CAST(100000000000 + i AS TEXT), $3, $4,
        'user' || CAST(i AS TEXT) || '@acme.example', 'user' || CAST(i AS TEXT) || '@acme.example',
        'null', '{}', $5, $5 FROM numbers"
);
const TENANTS: &str = concat!(
    numbers!(),
    "INSERT INTO tenants (id, organization_id, environment, integration_id, user_id, name, source, paused, channel,
        configs, created_at, modified_at)
     SELECT 1000000000 + i, $3, $4, $6, '00000000-0000-4000-8000-' || CAST(100000000000 + i AS TEXT),
        'user' || CAST(i AS TEXT), 'connect', FALSE, 'Default', '{}', $5, $5 FROM numbers"
);
const CONNECTIONS: &str = concat!(
    numbers!(),
    "INSERT INTO connections (id, organization_id, tenant_id, connector, own, status, version, last_change_at,
        created_at)
     SELECT $6 || CAST(100000000000 + i AS TEXT), $3, 1000000000 + i, $4, $7, 'Connected', 1, $5, $5 FROM numbers"
);

/// Makes the tenants from the number `from` to `to`, each with its user and two connections.
pub(super) async fn make(world: &World, from: i64, to: i64) -> Result<()> {
    let now = SystemClock.now();
    let environment = Environment::Sandbox;
    let begin = |text: &'static str| -> Query { sql(text).bind(from).bind(to).bind(&world.organization) };
    let connection = |connector: &'static str, own: bool, prefix: &str| {
        begin(CONNECTIONS).bind(connector).bind(now).bind(prefix).bind(own)
    };
    let db = &world.service.db;
    db.execute(begin(USERS).bind(environment).bind(now)).await?;
    db.execute(begin(TENANTS).bind(environment).bind(now).bind(world.integration)).await?;
    db.execute(connection(OUTSIDE_CONNECTOR, false, "con_00000000000000")).await?;
    db.execute(connection(OWN_CONNECTOR, true, "con_10000000000000")).await?;
    Ok(())
}

/// Looks up one tenant after the other, in no order.
#[derive(Debug)]
struct Finder {
    connection: Connection,
    headers: String,
    host: String,
    tenants: i64,
    random: u64,
}

impl Work for Finder {
    async fn operate(&mut self) -> Result<bool> {
        let path = format!("/v1/tenants/{}", FIRST_TENANT + number(&mut self.random, self.tenants));
        self.connection.send(&request("GET", &path, &self.host, &self.headers, "")).await?.expect(200)?;
        Ok(true)
    }
}

/// The next of a fixed sequence that jumps about (a linear congruential generator), from 1 to `most`.
fn number(random: &mut u64, most: i64) -> i64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    i64::try_from(*random >> 33).unwrap_or_default() % most + 1
}

/// Climbs the ladder: makes what is missing, measures both.
///
/// # Errors
/// When the gateway answers what it should not.
pub async fn measure(
    world: &mut World,
    rungs: &[i64],
    clients: usize,
    plan: &Plan,
    report: &mut Report,
) -> Result<()> {
    let mut made = 0;
    for &tenants in rungs {
        while made < tenants {
            let to = tenants.min(made + CHUNK);
            plan.progress.set_message(format!("{} · making tenants · {to}", world.kind.name()));
            make(world, made + 1, to).await?;
            made = to;
        }
        world.service.db.execute(sql("ANALYZE")).await?;
        for (operation, summary) in [
            ("landing", landings(world, tenants, clients, plan).await?),
            ("tenant looked up", look_ups(world, tenants, clients, plan).await?),
        ] {
            let rung = Rung { operation, kind: world.kind, tenants, clients, summary };
            plan.progress.suspend(|| println!("{}", rung.told()));
            report.rungs.push(rung);
            plan.progress.inc(1);
        }
    }
    Ok(())
}

async fn landings(world: &mut World, tenants: i64, clients: usize, plan: &Plan) -> Result<Summary> {
    plan.progress.set_message(format!("landing · {} · {tenants} tenants", world.kind.name()));
    let stock = Stock::default();
    let mut random = 1;
    let mut windows = Vec::new();
    for round in 0..=plan.rounds {
        let length = if round == 0 { plan.warm_up } else { plan.window };
        stock.fill(enough(&windows, plan, 10_000), || {
            world.landing(number(&mut random, tenants).unsigned_abs())
        });
        let lander = |connection| Lander::new(connection, stock.clone(), &world.host);
        let mut landers = workers(&world.gateway, clients, lander).await?;
        windows.push(run(&world.gateway, &mut landers, length).await?);
    }
    Ok(Summary::of(windows.get(1..).unwrap_or_default()))
}

async fn look_ups(world: &World, tenants: i64, clients: usize, plan: &Plan) -> Result<Summary> {
    plan.progress.set_message(format!("look-up · {} · {tenants} tenants", world.kind.name()));
    let headers = format!("x-api-key: {}\r\naccept: application/json\r\n", world.api_key);
    let mut finders = workers(&world.gateway, clients, |connection| Finder {
        connection,
        headers: headers.clone(),
        host: world.host.clone(),
        tenants,
        random: 1,
    })
    .await?;
    for (finder, seed) in finders.iter_mut().zip(1..) {
        finder.random = seed;
    }
    let mut windows = Vec::new();
    for round in 0..=plan.rounds {
        let length = if round == 0 { plan.warm_up } else { plan.window };
        windows.push(run(&world.gateway, &mut finders, length).await?);
    }
    Ok(Summary::of(windows.get(1..).unwrap_or_default()))
}
