//! The executable `vestibule`: what its words mean, its settings, and how the rooms are put together.

pub mod demo;
pub mod gateway;
pub mod housekeeping;
pub mod listener;
pub mod logging;
pub mod master_keys;
pub mod process_metrics;
pub mod reference;
pub mod settings;
pub mod signals;
pub mod tls;
pub mod verbs;

use clap::Parser;
use settings::Sources;
use std::path::PathBuf;
use std::process::ExitCode;

/// Connects a company's users to outside systems, from pages embedded in its own application.
#[derive(Parser)]
#[command(name = "vestibule", version, disable_help_subcommand = true)]
pub struct Arguments {
    /// Settings file. Default: VESTIBULE_CONFIG, or vestibule.toml in the working folder where it exists
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Covers one setting, as in --set database.url=sqlite:other.db (may be repeated)
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(subcommand)]
    verb: verbs::Verb,
}

impl std::fmt::Debug for Arguments {
    /// `--set` may carry a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arguments")
            .field("config", &self.config)
            .field("verb", &self.verb)
            .finish_non_exhaustive()
    }
}

/// Runs the command line of this process: 0 where it did what was asked, 1 where it could not, 2 where the
/// command line or the settings are wrong.
pub fn run() -> ExitCode {
    let Arguments { config, set, verb } = Arguments::parse();
    if !verb.needs_settings() {
        return ended(verb.run_without_settings());
    }
    let loaded = match settings::load(&Sources::of_process(config, set)) {
        Ok(loaded) => loaded,
        Err(refused) => {
            told(&refused);
            return ExitCode::from(2);
        }
    };
    if let Err(refused) = logging::start(&loaded.settings.log) {
        told(&refused);
        return ExitCode::from(2);
    }
    ended(verb.run(&loaded))
}

fn ended(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output may stop reading (`vestibule settings | head`).
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            told(&format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}

/// One message to a person at the terminal. Where even that cannot be written there is nobody to tell.
fn told(message: &dyn std::fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "vestibule: {message}");
}
