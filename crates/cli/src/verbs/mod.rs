//! What the program can be asked to do: one file per verb.

pub mod docs;
pub mod settings;

use crate::settings::Loaded;
use clap::Subcommand;

/// The first word of the command line. A new verb is a file here, a variant, and a line in each match.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Shows the settings in force and where each came from; secrets are masked
    Settings(settings::Arguments),
    /// Writes a page of the generated reference to standard output
    #[command(hide = true)]
    Docs(docs::Arguments),
}

impl Verb {
    /// Whether the verb works on this machine's settings; the others start even where those are wrong.
    pub const fn needs_settings(&self) -> bool {
        match self {
            Self::Settings(_) => true,
            Self::Docs(_) => false,
        }
    }

    /// # Errors
    /// Where the verb could not do what was asked; the text is for the person who asked.
    pub fn run(self, loaded: &Loaded) -> anyhow::Result<()> {
        match self {
            Self::Settings(arguments) => settings::run(&arguments, loaded, &mut std::io::stdout().lock()),
            Self::Docs(_) => self.run_without_settings(),
        }
    }

    /// # Errors
    /// As [`Self::run`], and for a verb that needs settings.
    pub fn run_without_settings(self) -> anyhow::Result<()> {
        match self {
            Self::Docs(arguments) => docs::run(&arguments, &mut std::io::stdout().lock()),
            Self::Settings(_) => anyhow::bail!("this needs settings"),
        }
    }
}
