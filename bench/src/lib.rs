//! `cargo xtask bench connect` and `cargo xtask bench enter`: what the doors cost, beside the floor of what they could
//! cost at best.
//!
//! The server under test is the program itself, built for speed, as a process of its own on a fresh database.
//! Nothing here asserts a time: figures are shown, and people judge.

pub mod client;
pub mod databases;
pub mod floor;
pub mod load;
pub mod machine;
pub mod measures;
pub mod process;
pub mod provider;
pub mod report;
pub mod second_door;
pub mod sink;
pub mod tokens;
mod work_task;
pub mod world;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use databases::{Databases, Kind};
use indicatif::{ProgressBar, ProgressStyle};
use machine::Machine;
use measures::{
    Plan, Stock, beside, beside_library, empty, enter, footprint, install, landing, tenants, webhook,
};
use provider::Provider;
use report::Report;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use world::World;

/// Measures Vestibule on this machine.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// The first door: landing, webhook, installation, many tenants, and what the program weighs
    Connect(ConnectArguments),
    /// The second door: sign-in, whole entry, exchange, refresh, introspection, userinfo, discovery
    Enter(EnterArguments),
    /// What goes on after connecting: notices, runs, schedules
    Work(work_task::WorkArguments),
    /// The floor's own server; started by `connect`
    #[command(hide = true)]
    Floor(floor::FloorArguments),
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// What stands around every route
    Empty,
    /// Token posted, page read
    Landing,
    /// Delivery kept, 202
    Webhook,
    /// Callback and confirmation, with a provider that answers at once
    Install,
    /// Landing and look-up with 1 k, 100 k and 1 M tenants
    Tenants,
    /// Memory, start, executable, page
    Footprint,
}

/// What is measured of the second door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EnterWhat {
    /// Session, authorize, code, token
    Token,
    /// Mint, redeem, authorize, token
    Entry,
    /// A service account's assertion for a token
    Exchange,
    Refresh,
    Introspect,
    Userinfo,
    Discovery,
}

/// What every measure can be told.
#[derive(Debug, clap::Args)]
struct Options {
    /// Short windows and few tenants: for a glance, not for the record
    #[arg(long)]
    quick: bool,
    /// Only these databases
    #[arg(long, value_enum, value_delimiter = ',')]
    on: Vec<Kind>,
    /// Length of one window in seconds [default: 5, with --quick 1]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=60))]
    window: Option<u64>,
    /// Windows of each, floor and gateway in turns
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Writes the tables into this file too, as markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// The executable to measure; built first where none is named
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

impl Options {
    fn program(&self) -> Result<PathBuf> {
        match &self.program {
            Some(program) => program.canonicalize().with_context(|| program.display().to_string()),
            None => build(),
        }
    }

    fn kinds(&self) -> &[Kind] {
        if self.on.is_empty() { &Kind::ALL } else { &self.on }
    }

    fn plan(&self, clients: &[usize], steps: usize) -> Result<Plan> {
        let progress = ProgressBar::new(u64::try_from(steps)?);
        progress.set_style(ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed} {msg}")?);
        progress.enable_steady_tick(Duration::from_millis(500));
        Ok(Plan {
            window: Duration::from_secs(self.window.unwrap_or(if self.quick { 1 } else { 5 })),
            warm_up: Duration::from_millis(500),
            rounds: self.rounds.max(1),
            clients: clients.to_vec(),
            progress,
        })
    }

    /// Shows what was measured, also where something went wrong afterwards.
    fn show(&self, plan: &Plan, report: &Report, machine: &Machine) -> Result<()> {
        plan.progress.finish_and_clear();
        println!("{}", report.shown());
        if let Some(file) = &self.markdown {
            std::fs::write(file, report.markdown(machine, &command()))?;
        }
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
struct EnterArguments {
    /// Only these, with commas between them
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<EnterWhat>,
    /// Numbers of clients at the same time
    #[arg(long, value_delimiter = ',', default_values_t = [8, 32])]
    clients: Vec<usize>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
struct ConnectArguments {
    /// Only these, with commas between them
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<What>,
    /// Numbers of clients at the same time
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    clients: Vec<usize>,
    #[command(flatten)]
    options: Options,
}

/// Does what this process's command line asks for.
///
/// # Errors
/// When something cannot be built, started or measured.
pub fn run() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.task {
        // As many threads as the gateway has.
        Task::Floor(floor) => {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(floor::serve(&floor))
        }
        // One thread: the client must leave the cores to what it measures.
        Task::Connect(connect) => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(&connect))
        }
        Task::Work(work) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(work_task::measure(&work)),
        Task::Enter(enter) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(measure_enter(&enter)),
    }
}

async fn measure(arguments: &ConnectArguments) -> Result<()> {
    let options = &arguments.options;
    let program = options.program()?;
    let what = if arguments.only.is_empty() { What::value_variants() } else { &arguments.only };
    let kinds = options.kinds();
    let rungs: &[i64] = if options.quick { &[1_000, 10_000] } else { &[1_000, 100_000, 1_000_000] };
    let plan = plan(arguments, what, kinds, rungs)?;
    let databases = Databases::start(kinds).await?;
    let machine = Machine::look(databases.folder())?;
    let provider = Provider::start().await?;
    let mut report = Report::default();
    println!("{machine}");
    let bed = Bed { program: &program, databases: &databases, provider: &provider, plan: &plan };
    let outcome = bed.measure_all(what, kinds, rungs, &mut report).await;
    options.show(&plan, &report, &machine)?;
    outcome
}

/// What every measure stands on.
struct Bed<'a> {
    program: &'a Path,
    databases: &'a Databases,
    provider: &'a Provider,
    plan: &'a Plan,
}

impl Bed<'_> {
    async fn measure_all(
        &self,
        what: &[What],
        kinds: &[Kind],
        rungs: &[i64],
        report: &mut Report,
    ) -> Result<()> {
        let Self { program, databases, provider, plan } = *self;
        if what.contains(&What::Footprint) {
            footprint::starts(program, databases, plan, report).await?;
        }
        for &kind in kinds {
            let mut world = World::new(program, databases, provider, kind, "load").await?;
            if what.contains(&What::Footprint) && Some(&kind) == kinds.first() {
                footprint::page(&mut world, plan, report).await?;
            }
            loads(&mut world, what, plan, report).await?;
            // SQLite without waiting for the disk finds rows in the same way.
            if what.contains(&What::Tenants) && kind != Kind::SqliteNormal {
                let mut world = World::new(program, databases, provider, kind, "tenants").await?;
                tenants::measure(&mut world, rungs, 16, plan, report).await?;
            }
        }
        Ok(())
    }
}

async fn measure_enter(arguments: &EnterArguments) -> Result<()> {
    let options = &arguments.options;
    let program = options.program()?;
    let what = if arguments.only.is_empty() { EnterWhat::value_variants() } else { &arguments.only };
    let kinds = options.kinds();
    let beside = library_operations(what);
    let steps = (what.len() * kinds.len() + beside.len()) * arguments.clients.len();
    let plan = options.plan(&arguments.clients, steps)?;
    let databases = Databases::start(kinds).await?;
    let machine = Machine::look(databases.folder())?;
    let provider = Provider::start().await?;
    let mut report = Report::default();
    println!("{machine}");
    let mut outcome = Ok(());
    for &kind in kinds {
        let mut world = World::new(&program, &databases, &provider, kind, "enter").await?;
        outcome = enters(&mut world, what, &plan, &mut report).await;
        if outcome.is_err() {
            break;
        }
    }
    if outcome.is_ok() && !beside.is_empty() {
        outcome = beside_library::measure(&beside, databases.folder(), &plan, &mut report).await;
    }
    options.show(&plan, &report, &machine)?;
    outcome
}

/// What a library of the same kind does as well.
fn library_operations(what: &[EnterWhat]) -> Vec<beside_library::Operation> {
    use beside_library::Operation;
    let same = |one: &EnterWhat| match one {
        EnterWhat::Token => Some(Operation::CodeAndToken),
        EnterWhat::Refresh => Some(Operation::Refresh),
        EnterWhat::Introspect => Some(Operation::Introspection),
        EnterWhat::Userinfo => Some(Operation::UserInfo),
        EnterWhat::Entry | EnterWhat::Exchange | EnterWhat::Discovery => None,
    };
    what.iter().filter_map(same).collect()
}

async fn enters(world: &mut World, what: &[EnterWhat], plan: &Plan, report: &mut Report) -> Result<()> {
    let door = second_door::SecondDoor::open(world).await?;
    let again = || std::rc::Rc::clone(&door);
    for one in what {
        match one {
            EnterWhat::Token => beside(world, &mut enter::SignIns(again()), plan, report).await?,
            EnterWhat::Entry => {
                let mut entries = enter::Entries::new(world, &door).await?;
                beside(world, &mut entries, plan, report).await?;
            }
            EnterWhat::Exchange => {
                let mut exchanges = enter::Exchanges { door: again(), stock: Stock::default() };
                beside(world, &mut exchanges, plan, report).await?;
            }
            EnterWhat::Refresh => {
                let mut refreshes = enter::Refreshes { door: again(), stock: Stock::default() };
                beside(world, &mut refreshes, plan, report).await?;
            }
            EnterWhat::Introspect => {
                let mut introspections = enter::Introspections { door: again(), token: String::new() };
                beside(world, &mut introspections, plan, report).await?;
            }
            EnterWhat::Userinfo => {
                let mut infos = enter::UserInfos { door: again(), token: String::new() };
                beside(world, &mut infos, plan, report).await?;
            }
            EnterWhat::Discovery => {
                let mut discoveries = enter::Discoveries { door: again(), token: String::new() };
                beside(world, &mut discoveries, plan, report).await?;
            }
        }
    }
    Ok(())
}

async fn loads(world: &mut World, what: &[What], plan: &Plan, report: &mut Report) -> Result<()> {
    // No database is asked, so one says it all.
    if what.contains(&What::Empty) && world.kind == Kind::SqliteFull {
        beside(world, &mut empty::Empties, plan, report).await?;
    }
    if what.contains(&What::Landing) {
        beside(world, &mut landing::Landings::default(), plan, report).await?;
    }
    let mut installs = install::Installs::default();
    if what.contains(&What::Webhook) {
        let address = installs.webhook(world).await?;
        beside(world, &mut webhook::Webhooks::new(&address), plan, report).await?;
    }
    if what.contains(&What::Install) {
        beside(world, &mut installs, plan, report).await?;
    }
    Ok(())
}

fn plan(arguments: &ConnectArguments, what: &[What], kinds: &[Kind], rungs: &[i64]) -> Result<Plan> {
    let beside = [What::Landing, What::Webhook, What::Install].iter().filter(|it| what.contains(it)).count();
    let ladders = kinds.iter().filter(|kind| **kind != Kind::SqliteNormal).count();
    let mut steps = beside * kinds.len() * arguments.clients.len();
    steps += if what.contains(&What::Empty) { arguments.clients.len() } else { 0 };
    steps += if what.contains(&What::Footprint) { 2 } else { 0 };
    steps += if what.contains(&What::Tenants) { ladders * rungs.len() * 2 } else { 0 };
    arguments.options.plan(&arguments.clients, steps)
}

/// Builds the program as it is shipped and finds it beside this one.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--profile", "dist", "-p", "vestibule"]).status()?;
    ensure!(built.success(), "the program was not built");
    let own = std::env::current_exe()?;
    let program = own.parent().unwrap_or(Path::new(".")).join("vestibule");
    ensure!(program.is_file(), "{} is not there", program.display());
    Ok(program)
}

/// The command that measures this again.
fn command() -> String {
    let mut arguments = std::env::args().skip(1);
    let mut command = String::from("cargo xtask bench");
    while let Some(argument) = arguments.next() {
        // Where the files of this run lie is nobody else's.
        if matches!(argument.as_str(), "--program" | "--markdown") {
            arguments.next();
        } else if !argument.starts_with("--program=") && !argument.starts_with("--markdown=") {
            command.push(' ');
            command.push_str(&argument);
        }
    }
    command
}
