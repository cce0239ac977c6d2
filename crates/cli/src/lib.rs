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

use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _, Parser};
use settings::Sources;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Connects a company's users to outside systems, from pages embedded in its own application.
#[derive(Parser)]
#[command(name = "vestibule", version, disable_help_subcommand = true)]
pub struct Arguments {
    /// Settings file. Default: VESTIBULE_CONFIG, or vestibule.toml in the working folder where it exists
    #[arg(long, global = true, display_order = 910, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Covers one setting, as in --set database.url=sqlite:other.db (may be repeated)
    #[arg(long, global = true, display_order = 911, value_name = "KEY=VALUE")]
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

impl Arguments {
    /// Reads a command line. `--set` counts wherever it stands: clap keeps of an option that every command takes
    /// only the occurrences behind the last word, so here each level has its own, and all are gathered.
    ///
    /// # Errors
    /// What is wrong with it, or the help that was asked for.
    fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut root = Self::command();
        let set = root.get_arguments().find(|argument| argument.get_id() == SET);
        if let Some(set) = set.map(|set| set.clone().global(false)) {
            root = at_every_level(root.mut_arg(SET, |argument| argument.global(false)), &set);
        }
        let matches = root.try_get_matches_from(words)?;
        let mut arguments = Self::from_arg_matches(&matches)?;
        arguments.set = gathered(&matches);
        Ok(arguments)
    }
}

/// The option that may be repeated.
const SET: &str = "set";

fn at_every_level(command: Command, set: &clap::Arg) -> Command {
    command.mut_subcommands(|inner| at_every_level(inner.arg(set.clone()), set))
}

fn gathered(matches: &ArgMatches) -> Vec<String> {
    let mut all: Vec<String> = matches.get_many(SET).unwrap_or_default().cloned().collect();
    if let Some((_, inner)) = matches.subcommand() {
        all.extend(gathered(inner));
    }
    all
}

/// Runs the command line of this process: 0 where it did what was asked, 1 where it could not, 2 where the
/// command line or the settings are wrong.
pub fn run() -> ExitCode {
    // Before anything else: a supervisor is started for each run, and must not take what a command line costs.
    if std::env::args_os().nth(1).is_some_and(|word| word == runner::VERB) {
        return runner::supervise();
    }
    let Arguments { config, set, verb } = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(said) => {
            let _ = said.print();
            return ExitCode::from(if said.use_stderr() { 2 } else { 0 });
        }
    };
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
    let outcome = verb.run(&loaded);
    logging::finish();
    ended(outcome)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn set(line: &str) -> Vec<String> {
        Arguments::read(line.split(' ').map(OsString::from)).unwrap().set
    }

    #[test]
    fn settings_count_wherever_they_stand() {
        assert_eq!(set("vestibule --set a=1 serve --set b=2 --set c=3"), ["a=1", "b=2", "c=3"]);
        assert_eq!(set("vestibule --set a=1 signing-key --set b=2 list --set=c=3"), ["a=1", "b=2", "c=3"]);
        assert_eq!(set("vestibule serve"), [""; 0]);
        assert!(Arguments::read(["vestibule", "serve", "--sett", "a=1"].map(OsString::from)).is_err());
    }

    #[test]
    fn the_settings_file_may_stand_before_and_behind() {
        for line in ["vestibule --config a.toml serve", "vestibule serve --config a.toml"] {
            let read = Arguments::read(line.split(' ').map(OsString::from)).unwrap();
            assert_eq!(read.config, Some(PathBuf::from("a.toml")), "{line}");
        }
    }
}
