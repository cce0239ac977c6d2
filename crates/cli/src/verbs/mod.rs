//! What the program can be asked to do: one file per verb.

pub mod admin;
pub mod demo;
pub mod docs;
pub mod doctor;
pub mod migrate;
pub mod output;
pub mod secret_source;
pub mod serve;
pub mod settings;
pub mod span;
pub mod token;
pub mod work;

use crate::settings::Loaded;
use clap::Subcommand;
use std::io;

/// The first word of the command line. A new verb is a file here, a variant, and a line in each match.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Serves the gateway until SIGTERM or SIGINT
    Serve(serve::Arguments),
    /// Does what goes on after connecting and answers nobody, until SIGTERM or SIGINT
    Work(work::Arguments),
    /// Shows the first door at work with stand-ins of everyone around it; needs nothing, leaves nothing
    Demo(demo::Arguments),
    /// Brings the database up to what this program knows
    Migrate(migrate::Arguments),
    /// Says what is wrong with this installation and what to do
    Doctor(doctor::Arguments),
    #[command(flatten)]
    Admin(admin::Command),
    /// Signs tokens for trying things out
    Token(token::Arguments),
    /// Shows the settings in force and where each came from; secrets are masked
    Settings(settings::Arguments),
    /// Writes a page of the generated reference to standard output
    #[command(hide = true)]
    Docs(docs::Arguments),
    /// Stands between the gateway and a program that it runs; the gateway starts it and speaks to it
    #[command(hide = true)]
    Supervise,
}

impl Verb {
    /// Whether the verb works on this machine's settings; the others start even where those are wrong.
    pub const fn needs_settings(&self) -> bool {
        !matches!(self, Self::Demo(_) | Self::Docs(_) | Self::Supervise)
    }

    /// # Errors
    /// Where the verb could not do what was asked; the text is for the person who asked.
    pub fn run(self, loaded: &Loaded) -> anyhow::Result<()> {
        let out = &mut io::stdout();
        match self {
            Self::Serve(arguments) => serve::run(&arguments, loaded),
            Self::Work(arguments) => work::run(&arguments, loaded),
            Self::Migrate(arguments) => migrate::run(&arguments, loaded, out),
            Self::Doctor(arguments) => doctor::run(&arguments, loaded, out),
            Self::Admin(command) => command.run(loaded, out),
            Self::Token(arguments) => token::run(&arguments, loaded, out),
            Self::Settings(arguments) => settings::run(&arguments, loaded, out),
            Self::Demo(_) | Self::Docs(_) | Self::Supervise => self.run_without_settings(),
        }
    }

    /// # Errors
    /// As [`Self::run`], and for a verb that needs settings.
    pub fn run_without_settings(self) -> anyhow::Result<()> {
        match self {
            Self::Demo(arguments) => demo::run(&arguments),
            Self::Docs(arguments) => docs::run(&arguments, &mut io::stdout()),
            Self::Supervise => anyhow::bail!("the gateway starts this by itself"),
            _ => anyhow::bail!("this needs settings"),
        }
    }
}

/// A runtime for a command that asks the database a few things and ends.
fn asking() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
