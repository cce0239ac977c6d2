//! The one front door for people who work on this project: `cargo xtask`.

mod check;
mod commands;
mod dependencies;
mod generate;
mod setup;
mod test;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Works on the project: sets the machine up, runs the tests and the checks, writes what is generated.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Door {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Installs what the tests need and is not there yet: PostgreSQL, Chromium, packages for Node and Python.
    Setup,
    /// Runs all tests, or those whose name contains the filter, after the setup.
    Test {
        /// A part of a test's full name, such as `connect::` or `lesson_23`.
        filter: Option<String>,
    },
    /// Formatting, generated files, licences, sizes, words, clippy and documentation.
    Check {
        /// Only the checks of these names.
        only: Vec<String>,
    },
    /// Writes every generated file anew.
    Gen {
        /// Writes nothing; fails where a file is not what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Measures: `cargo xtask bench connect`.
    Bench {
        /// What to measure, and options for it.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Starts the demonstration, built for speed.
    Demo {
        /// Options for `vestibule demo`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match run(Door::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Setup => setup::run(),
        Task::Test { filter } => test::run(filter.as_deref()),
        Task::Check { only } => check::run(&only),
        Task::Gen { check: true } => generate::compare(),
        Task::Gen { check: false } => generate::write(),
        Task::Bench { arguments } => {
            let run = ["run", "--profile", "dist", "-p", "bench", "--"];
            commands::show(commands::cargo(run).args(arguments))
        }
        Task::Demo { arguments } => commands::show(
            commands::cargo(["run", "--release", "-p", "vestibule", "--", "demo"]).args(arguments),
        ),
    }
}
