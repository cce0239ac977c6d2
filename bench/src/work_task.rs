//! `cargo xtask bench work`: what goes on after connecting.

use super::{Bed, Options};
use crate::databases::{Databases, Kind};
use crate::machine::Machine;
use crate::measures::{beside, schedules, work};
use crate::provider::Provider;
use crate::report::Report;
use crate::sink::Sink;
use crate::world::World;
use anyhow::Result;
use clap::ValueEnum;
use std::rc::Rc;

/// What is measured of what goes on after connecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WorkWhat {
    /// Event written, signed notice delivered
    Notices,
    /// Webhook accepted, run started; `process` runs over the bare program
    Runs,
    /// Schedules of 1 k, 100 k and 1 M tenants while nothing runs
    Schedules,
}

#[derive(Debug, clap::Args)]
pub(crate) struct WorkArguments {
    /// Only these, with commas between them
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<WorkWhat>,
    /// Numbers of clients at the same time
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    clients: Vec<usize>,
    #[command(flatten)]
    options: Options,
}

/// # Errors
/// When something cannot be built, started or measured.
pub(crate) async fn measure(arguments: &WorkArguments) -> Result<()> {
    let options = &arguments.options;
    let program = options.program()?;
    let what = if arguments.only.is_empty() { WorkWhat::value_variants() } else { &arguments.only };
    let kinds = options.kinds();
    let rungs: &[i64] = if options.quick { &[1_000, 10_000] } else { &[1_000, 100_000, 1_000_000] };
    let plan =
        options.plan(&arguments.clients, kinds.len() * (3 * arguments.clients.len() + 1 + rungs.len()))?;
    let databases = Databases::start(kinds).await?;
    let machine = Machine::look(databases.folder())?;
    let (provider, sink) = (Provider::start().await?, Rc::new(Sink::start().await?));
    let mut report = Report::default();
    println!("{machine}");
    let bed = Bed { program: &program, databases: &databases, provider: &provider, plan: &plan };
    let outcome = bed.measure_work(what, kinds, rungs, &sink, &mut report).await;
    options.show(&plan, &report, &machine)?;
    outcome
}

impl Bed<'_> {
    async fn measure_work(
        &self,
        what: &[WorkWhat],
        kinds: &[Kind],
        rungs: &[i64],
        sink: &Rc<Sink>,
        report: &mut Report,
    ) -> Result<()> {
        let Self { program, databases, provider, plan } = *self;
        for &kind in kinds {
            if what.contains(&WorkWhat::Notices) || what.contains(&WorkWhat::Runs) {
                let mut world = World::new(program, databases, provider, kind, "work").await?;
                if what.contains(&WorkWhat::Notices) {
                    let mut notices = work::Notices::new(&world, sink).await?;
                    beside(&mut world, &mut notices, plan, report).await?;
                }
                if what.contains(&WorkWhat::Runs) {
                    let most = plan.clients.iter().copied().max().unwrap_or(1);
                    let runs = work::Runs::new(&mut world, sink, most, databases.folder()).await?;
                    beside(&mut world, &mut work::StartsInTurn::new(&runs), plan, report).await?;
                    beside(&mut world, &mut work::StartsAgain::new(&runs), plan, report).await?;
                    work::programs(&world, &runs, databases.folder(), plan, report).await?;
                }
            }
            if what.contains(&WorkWhat::Schedules) && kind != Kind::SqliteNormal {
                let world = World::new(program, databases, provider, kind, "schedules").await?;
                schedules::measure(&world, rungs, plan, report).await?;
            }
        }
        Ok(())
    }
}
