//! What goes on after connecting: from a webhook to the run that it starts, and from an event to the signed notice. The
//! floor of both is a request with one durable commit and one post to the same sink by a plain client.

use super::install::Installs;
use super::{Measure, Plan};
use crate::client::{Connection, request};
use crate::load::{Work, median};
use crate::measures::webhook::{Sender, body};
use crate::report::{Fact, Report};
use crate::sink::{Sink, run_of};
use crate::world::World;
use anyhow::{Context as _, Result, ensure};
use kernel::{Actor, Environment};
use service::admin::Holder;
use service::work::endpoints::NewEndpoint;
use service::work::release_build::{Order, Source};
use std::cell::Cell;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;
use store::sql;
use tokio::time::Instant;

const HEADERS: &str = "user-agent: outside/1.0\r\ncontent-type: application/json\r\naccept: */*\r\n";
/// How often a program is run for the figures of `process` runs.
const PROGRAMS: usize = 40;
/// Tenants that one client delivers to in turn.
const IN_TURN: usize = 8;

fn forward(world: &World, sink: &Sink, connection: Connection) -> Sender {
    let headers = format!("{HEADERS}x-forward: {}\r\n", sink.url("/plain"));
    Sender::new(connection, request("POST", "/forward", &world.host, &headers, &body()), 201)
}

/// Events that are told to one endpoint.
#[derive(Debug)]
pub struct Notices {
    sink: Rc<Sink>,
    request: Vec<u8>,
}

impl Notices {
    /// # Errors
    /// When the endpoint cannot be made.
    pub async fn new(world: &World, sink: &Rc<Sink>) -> Result<Self> {
        let new = NewEndpoint {
            url: sink.url("/notice"),
            description: "bench".to_owned(),
            events: Some(vec!["tenant.created".to_owned()]),
            ordered: false,
        };
        let holder = Holder { organization: world.organization.clone(), environment: Environment::Sandbox };
        let (endpoint, _) = world.service.create_endpoint(&Actor::Operator, &holder, new).await?;
        let path = format!("/v2/webhooks/{}/test", endpoint.id);
        let headers = format!("content-type: application/json\r\nx-api-key: {}\r\n", world.api_key);
        Ok(Self { sink: Rc::clone(sink), request: request("POST", &path, &world.host, &headers, "{}") })
    }
}

/// Has an event told and waits until it has arrived.
#[derive(Debug)]
pub struct Teller {
    connection: Connection,
    request: Vec<u8>,
    sink: Rc<Sink>,
}

impl Work for Teller {
    async fn operate(&mut self) -> Result<bool> {
        let answer = self.connection.send(&self.request).await?.expect(202)?;
        let told: serde_json::Value = serde_json::from_slice(answer.body)?;
        let id = told.get("message_id").and_then(serde_json::Value::as_str).context("the message's id")?;
        self.sink.arrival(id).await?;
        Ok(true)
    }
}

impl Measure for Notices {
    type Gateway = Teller;
    type Floor = Sender;
    const OPERATION: &'static str = "event to notice delivered";

    async fn stock(&mut self, _: &mut World, _: usize, _: usize) -> Result<()> {
        Ok(())
    }

    fn gateway(&self, _: &World, connection: Connection) -> Teller {
        Teller { connection, request: self.request.clone(), sink: Rc::clone(&self.sink) }
    }

    fn floor(&self, world: &World, connection: Connection) -> Sender {
        forward(world, &self.sink, connection)
    }

    fn least(&self) -> usize {
        0
    }
}

/// A tenant and the path of its own address.
type Place = (i64, String);

/// Tenants whose runs arrive at the sink.
#[derive(Debug)]
pub struct Runs {
    sink: Rc<Sink>,
    places: Vec<Place>,
}

impl Runs {
    /// Makes a release that runs at the sink, and tenants for so many clients.
    ///
    /// # Errors
    /// When something of it cannot be made.
    pub async fn new(world: &mut World, sink: &Rc<Sink>, clients: usize, folder: &Path) -> Result<Self> {
        let manifest = format!("version: 0.1\nrunner: http\nurl: {}\n", sink.url("/run"));
        release(world, folder, "http", &manifest).await?;
        let mut installs = Installs::default();
        let mut places = Vec::new();
        for _ in 0..clients * IN_TURN {
            let address = installs.webhook(world).await?;
            let path = address.splitn(4, '/').nth(3).unwrap_or_default();
            let newest = world.service.db.maybe(sql("SELECT MAX(id) FROM tenants")).await?;
            let id = newest.context("a tenant")?.take::<i64>()?;
            places.push((id, format!("/{path}")));
        }
        let made = Self { sink: Rc::clone(sink), places };
        made.quiet(world).await?;
        Ok(made)
    }

    /// Waits until nothing runs any more: each installation begins with a run.
    async fn quiet(&self, world: &World) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let waiting = sql("SELECT COUNT(*) FROM jobs WHERE kind = 'run'");
            let left = world.service.db.maybe(waiting).await?.context("a count")?.take::<i64>()?;
            if left == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < until, "{left} runs do not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn release(world: &World, folder: &Path, tag: &str, manifest: &str) -> Result<kernel::ids::ReleaseId> {
    let folder = folder.join(format!("release-{}-{tag}", world.kind.name().replace(' ', "-")));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("vestibule.yaml"), manifest)?;
    let order = Order {
        organization: world.organization.clone(),
        environment: Environment::Sandbox,
        integration: world.integration,
        tag: tag.to_owned(),
    };
    let source = Source::Folder(folder);
    let built = world.service.build_release(&Actor::Operator, &order, &source, &mut |_| {}).await?;
    Ok(built.id)
}

/// Webhooks that start runs. `IN_TURN`: how many tenants each client delivers to, one after the other. With one the run
/// before is mostly still ending when the next webhook comes, and a tenant has one run at a time.
#[derive(Debug)]
pub struct Starts<'a, const IN_TURN: usize> {
    runs: &'a Runs,
    next: Cell<usize>,
}

/// Each client has tenants for whom nothing runs.
pub type StartsInTurn<'a> = Starts<'a, IN_TURN>;
/// Each client has one tenant, whose last run has just begun.
pub type StartsAgain<'a> = Starts<'a, 1>;

impl<'a, const IN_TURN: usize> Starts<'a, IN_TURN> {
    pub const fn new(runs: &'a Runs) -> Self {
        Self { runs, next: Cell::new(0) }
    }
}

/// Delivers a webhook and waits until the run that it starts has begun.
#[derive(Debug)]
pub struct Starter {
    connection: Connection,
    /// Requests, and the names under which their runs arrive.
    tenants: Vec<(Vec<u8>, String)>,
    next: usize,
    sink: Rc<Sink>,
}

impl Work for Starter {
    async fn operate(&mut self) -> Result<bool> {
        let at = self.next % self.tenants.len().max(1);
        let (request, name) = self.tenants.get(at).context("a tenant")?;
        self.next = at + 1;
        self.sink.forget(name);
        self.connection.send(request).await?.expect(202)?;
        self.sink.arrival(name).await?;
        Ok(true)
    }
}

impl<const IN_TURN: usize> Measure for Starts<'_, IN_TURN> {
    type Gateway = Starter;
    type Floor = Sender;
    const OPERATION: &'static str =
        if IN_TURN == 1 { "the same, its last run not over" } else { "webhook to run started" };

    async fn stock(&mut self, world: &mut World, _: usize, _: usize) -> Result<()> {
        self.runs.quiet(world).await
    }

    fn gateway(&self, world: &World, connection: Connection) -> Starter {
        let places = &self.runs.places;
        let first = self.next.replace(self.next.get() + IN_TURN);
        let own = (first..first + IN_TURN).filter_map(|at| places.get(at % places.len().max(1)));
        let request =
            |(tenant, path): &Place| (request("POST", path, &world.host, HEADERS, &body()), run_of(*tenant));
        let sink = Rc::clone(&self.runs.sink);
        Starter { connection, tenants: own.map(request).collect(), next: 0, sink }
    }

    fn floor(&self, world: &World, connection: Connection) -> Sender {
        forward(world, &self.runs.sink, connection)
    }

    fn least(&self) -> usize {
        0
    }
}

/// What a `process` run costs over the program that it runs.
///
/// # Errors
/// When a run does not end well.
pub async fn programs(
    world: &World,
    runs: &Runs,
    folder: &Path,
    plan: &Plan,
    report: &mut Report,
) -> Result<()> {
    plan.progress.set_message(format!("process runs · {}", world.kind.name()));
    let mut bare = Vec::new();
    for _ in 0..PROGRAMS {
        let begun = Instant::now();
        let ended = Command::new("/bin/sh").args(["-c", "true"]).stdin(Stdio::null()).status()?;
        ensure!(ended.success(), "/bin/sh does not run");
        bare.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let id = release(world, folder, "process", "version: 0.1\nrun: 'true'\n").await?;
    let holder = Holder { organization: world.organization.clone(), environment: Environment::Sandbox };
    world.service.set_default_release(&Actor::Operator, &holder, world.integration, id).await?;
    let (tenant, path) = runs.places.first().context("a tenant")?;
    let mut connection = Connection::open(world.gateway.address).await?;
    let delivery = request("POST", path, &world.host, HEADERS, &body());
    for _ in 0..PROGRAMS {
        connection.send(&delivery).await?.expect(202)?;
        // The trigger is made from the delivery before there is a job to wait for.
        tokio::time::sleep(Duration::from_millis(20)).await;
        runs.quiet(world).await?;
    }
    let took = "SELECT completed_at - started_at, phase FROM runs WHERE tenant_id = $1 AND release_id = $2 ORDER BY id";
    let (tenant, query) = (*tenant, sql(took));
    let rows = world.service.db.read(move |tx| Box::pin(query.bind(tenant).bind(id).all(tx))).await;
    let mut whole = Vec::new();
    for mut row in rows.map_err(|error: store::DbError| error)? {
        let (micros, phase): (i64, String) = (row.take()?, row.take()?);
        ensure!(phase == "Succeeded", "a run ended as {phase}");
        whole.push(Duration::from_micros(micros.unsigned_abs()).as_secs_f64() * 1e3);
    }
    ensure!(whole.len() >= PROGRAMS / 2, "only {} runs", whole.len());
    let (bare, whole) = (median(bare.into_iter()), median(whole.into_iter()));
    report.facts.push(Fact {
        what: format!("`process` run over the bare program, {} (medians of {PROGRAMS})", world.kind.name()),
        value: format!("{:.1} ms ({whole:.1} of {bare:.1} ms)", whole - bare),
        goal: "under 10 ms".to_owned(),
    });
    plan.progress.inc(1);
    Ok(())
}
