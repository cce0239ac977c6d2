//! A whole gateway for one test: a real server on a free port, a real database, stand-ins for the outside systems,
//! and the people who use it.
//!
//! ```ignore
//! testkit::on_both! {
//!     async fn a_user_connects_hubspot(world: World) {
//!         let acme = world.organization("acme").await;
//!         let anna = world.person();
//!         let dialog = anna.opens(&acme, &acme.token("hubspot").sign()).await;
//!         dialog.signs_in().await;
//!         assert_eq!(dialog.confirms().await["stage"], "success");
//!     }
//! }
//! ```

mod database;
mod dialog;
mod node;
mod on_both;
mod organization;
mod own_system;
mod person;
mod token;

pub use database::Engine;
pub use dialog::Dialog;
pub use node::Node;
pub use organization::{Company, NOTION_VERIFICATION_TOKEN, NewCompany, OWN_CONNECTOR, SLACK_SIGNING_SECRET};
pub use own_system::{OWN_TOKEN, OwnSystem};
pub use person::{Answer, Ask, Events, Person};
pub use token::{Token, hs256};

use crate::postgres::Postgres;
use crate::standins::{ProviderKind, Standin};
use connect::connector::{Loopback, Policy, shipped};
use database::Database;
use kernel::{Chance, Clock, Environment, MasterKey, MasterKeys, SystemChance, SystemClock, TestClock, Time};
use outbound::Allow;
use service::{Limits, Place, Places, Service};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use store::Db;
use tokio::net::TcpListener;

/// The gateway of one test and everything around it. Cheap to clone; it ends with the last clone.
#[derive(Debug, Clone)]
pub struct World(Arc<Parts>);

/// What a [`World`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The node that people reach unless a test says otherwise.
    pub node: Node,
    pub standins: Vec<Standin>,
    /// The organizations' own system, which their tokens' `xti.token` opens.
    pub own_system: OwnSystem,
    clock: Arc<dyn Clock>,
    /// The same clock where it is one that a test moves.
    hands: Option<Arc<TestClock>>,
    places: Places,
    masters: MasterKeys,
    plan: Plan,
    database: Database,
}

/// What can be chosen for a [`World`].
#[derive(Debug, Clone)]
struct Plan {
    limits: Limits,
    /// Outside systems beside the stand-ins, as `host:port`.
    outside: Vec<String>,
    /// How long one call to an outside system may take.
    provider_timeout: Duration,
    loopback: Loopback,
    is_system_clock: bool,
    /// Between two looks of whoever works, where nobody rang.
    look: Duration,
    /// Who starts programs, and the folder of the machine that they run on.
    programs: Option<(std::path::PathBuf, Arc<tempfile::TempDir>)>,
}

/// A world before it begins.
#[derive(Debug, Clone)]
pub struct WorldBuilder {
    engine: Engine,
    plan: Plan,
    server: Option<Arc<Postgres>>,
}

impl WorldBuilder {
    /// On a PostgreSQL server of its own, as one that can be taken down.
    #[must_use]
    pub fn server(mut self, server: Arc<Postgres>) -> Self {
        self.server = Some(server);
        self
    }

    /// Sizes other than the shipped ones.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.plan.limits = limits;
        self
    }

    /// How long one call to an outside system may take; 10 seconds unless said otherwise.
    #[must_use]
    pub const fn provider_timeout(mut self, within: Duration) -> Self {
        self.plan.provider_timeout = within;
        self
    }

    /// Definitions that organizations store are judged as in production: no address of this machine.
    #[must_use]
    pub const fn strict_definitions(mut self) -> Self {
        self.plan.loopback = Loopback::Refused;
        self
    }

    /// One more outside system that may be called, as `host:port`.
    #[must_use]
    pub fn reaching(mut self, address: &str) -> Self {
        self.plan.outside.push(address.to_owned());
        self
    }

    /// The machine's clock, for browsers and libraries that have no other.
    #[must_use]
    pub const fn system_clock(mut self) -> Self {
        self.plan.is_system_clock = true;
        self
    }

    /// How long whoever works waits until it looks although nobody rang; half a second unless said otherwise. Where that
    /// never comes, only rings begin what is asked for.
    #[must_use]
    pub const fn looking_every(mut self, look: Duration) -> Self {
        self.plan.look = look;
        self
    }

    /// Programs can be run: `executable` is the gateway's own, which becomes their supervisor. Every node of the world
    /// is on one machine.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    #[must_use]
    pub fn programs(mut self, executable: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        self.plan.programs = Some((executable.into(), Arc::new(folder)));
        self
    }

    /// # Panics
    /// When a server does not start.
    pub async fn start(self) -> World {
        let hands = (!self.plan.is_system_clock).then(|| Arc::new(TestClock::at(SystemClock.now())));
        let clock: Arc<dyn Clock> = match &hands {
            Some(hands) => Arc::clone(hands) as Arc<dyn Clock>,
            None => Arc::new(SystemClock),
        };
        let mut standins = Vec::new();
        for kind in ProviderKind::ALL {
            standins.push(Standin::start(kind).await);
        }
        let own_system = OwnSystem::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let place = |environment: Environment, host: &str| {
            Place::new(environment, &format!("http://{host}.localhost:{port}")).expect("a place")
        };
        let places = [place(Environment::Sandbox, "sandbox"), place(Environment::Production, "connect")];
        let places = Places::new(places.into()).expect("two places");
        let chance: &dyn Chance = &SystemChance;
        let masters = MasterKeys::new(MasterKey::new(chance.bytes()), Vec::new());
        let database = Database::make(self.engine, self.server).await;
        let parts = Setting {
            clock: &clock,
            places: &places,
            masters: &masters,
            standins: &standins,
            own_system: &own_system,
            plan: &self.plan,
        };
        let service = parts.service(database.open().await);
        let node = Node::start(service, listener);
        let plan = self.plan;
        World(Arc::new(Parts { node, standins, own_system, clock, hands, places, masters, plan, database }))
    }
}

/// What every node of one world shares.
struct Setting<'a> {
    clock: &'a Arc<dyn Clock>,
    places: &'a Places,
    masters: &'a MasterKeys,
    standins: &'a [Standin],
    own_system: &'a OwnSystem,
    plan: &'a Plan,
}

impl Setting<'_> {
    fn service(&self, db: Db) -> Arc<Service> {
        let mapping: Vec<(&str, String)> = self.standins.iter().flat_map(Standin::mapping).collect();
        let mapping: Vec<(&str, &str)> = mapping.iter().map(|(from, to)| (*from, to.as_str())).collect();
        let mut open: Vec<&str> = self.standins.iter().map(Standin::address).collect();
        open.push(self.own_system.address());
        open.extend(self.plan.outside.iter().map(String::as_str));
        let allow = Allow::parse(&open).expect("loopback addresses with a port");
        let outbound = outbound::Client::new(outbound::Limits::default(), allow).expect("the guarded client");
        let mut service = Service::new(service::Parts {
            db,
            clock: Arc::clone(self.clock),
            chance: Arc::new(SystemChance),
            places: self.places.clone(),
            masters: self.masters.clone(),
            catalogue: shipped().with_base(&mapping),
            outbound,
            policy: Policy { loopback: self.plan.loopback },
            limits: self.plan.limits,
        });
        let within = self.plan.provider_timeout;
        service.providers = service.providers.within(within).refreshing_within(within);
        service.work.look = self.plan.look;
        if let Some((executable, folder)) = &self.plan.programs {
            service.machine.runner = runner::Runner::new(executable, [runner::VERB]);
            service.machine.folder = folder.path().to_owned();
            service.machine.path = path();
        }
        Arc::new(service)
    }
}

/// Python and Node may lie where the tests found them.
#[expect(clippy::disallowed_methods, reason = "tests run with what their machine has")]
fn path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

impl World {
    /// A world on this database, with a clock that stands until a test moves it, from now on.
    ///
    /// # Panics
    /// When a server does not start.
    pub async fn on(engine: Engine) -> Self {
        Self::build(engine).start().await
    }

    /// A world with something chosen.
    #[must_use]
    pub fn build(engine: Engine) -> WorldBuilder {
        let plan = Plan {
            limits: Limits::default(),
            outside: Vec::new(),
            provider_timeout: Duration::from_secs(10),
            loopback: Loopback::Allowed,
            is_system_clock: false,
            look: service::work::Options::default().look,
            programs: None,
        };
        WorldBuilder { engine, plan, server: None }
    }

    /// One more process on the same database, with the same keys and clock and with empty memory: another node, or
    /// this one after a restart.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn another_node(&self) -> Node {
        let setting = Setting {
            clock: &self.clock,
            places: &self.places,
            masters: &self.masters,
            standins: &self.standins,
            own_system: &self.own_system,
            plan: &self.plan,
        };
        let service = setting.service(self.database.open().await);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Node::start(service, listener)
    }

    #[must_use]
    pub fn service(&self) -> &Arc<Service> {
        self.node.service()
    }

    #[must_use]
    pub fn db(&self) -> &Db {
        &self.node.service().db
    }

    /// The URL that the store opens: for a process of its own on the same database.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// 64 hexadecimal digits: the master key, for a process of its own on the same database.
    #[must_use]
    pub fn master_key(&self) -> String {
        self.masters.current().to_hex().to_string()
    }

    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Moves the clock of every node.
    ///
    /// # Panics
    /// In a world with the machine's clock.
    pub fn pass_seconds(&self, seconds: i64) {
        self.hands.as_ref().expect("a clock with hands").advance_seconds(seconds);
    }

    /// `http://sandbox.localhost:PORT` or `http://connect.localhost:PORT` (production).
    ///
    /// # Panics
    /// Never: both are served.
    #[must_use]
    pub fn url(&self, environment: Environment) -> &str {
        self.places.of(environment).expect("both are served").url()
    }

    /// # Panics
    /// Never: all of them run.
    #[must_use]
    pub fn standin(&self, kind: ProviderKind) -> &Standin {
        self.standins.iter().find(|standin| standin.is(kind)).expect("every stand-in runs")
    }

    /// Someone with a browser of their own, in the sandbox.
    #[must_use]
    pub fn person(&self) -> Person {
        Person::new(self, Environment::Sandbox, self.node.address())
    }

    /// Someone with a browser of their own, in production.
    #[must_use]
    pub fn person_in_production(&self) -> Person {
        Person::new(self, Environment::Production, self.node.address())
    }

    /// Someone whose requests reach another node.
    #[must_use]
    pub fn person_at(&self, node: &Node) -> Person {
        Person::new(self, Environment::Sandbox, node.address())
    }

    /// A company that has set everything up in the sandbox: a shared secret, the origin
    /// `https://app.{slug}.example`, its own connector, apps at every outside system, and for each of them an
    /// integration of the name `{connector}-sync`.
    #[must_use]
    pub fn organization(&self, slug: &str) -> NewCompany {
        NewCompany::new(self.clone(), slug)
    }
}

impl Deref for World {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
