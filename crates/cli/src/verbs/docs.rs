//! `vestibule docs ..`: the pages of `docs/reference/` that are made from the program itself.

use crate::{reference, settings};
use std::io::Write;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    page: Page,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Page {
    /// docs/reference/settings.md
    Settings,
    /// docs/reference/cli.md
    Cli,
    /// docs/reference/routes.md
    Routes,
    /// docs/reference/errors.md
    Errors,
    /// docs/reference/connectors-shipped.md
    Connectors,
    /// docs/reference/retention.md
    Retention,
    /// docs/reference/openapi.json
    Openapi,
}

impl Page {
    fn text(self) -> anyhow::Result<String> {
        Ok(match self {
            Self::Settings => settings::reference()?,
            Self::Cli => reference::command_line(),
            Self::Routes => reference::routes(),
            Self::Errors => reference::errors(),
            Self::Connectors => reference::connectors(),
            Self::Retention => reference::retention(),
            Self::Openapi => reference::openapi()?,
        })
    }
}

/// # Errors
/// Where the page cannot be made or written.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    out.write_all(arguments.page.text()?.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn the_pages_are_current() {
        for page in Page::value_variants() {
            let name = match page {
                Page::Settings => "settings.md",
                Page::Cli => "cli.md",
                Page::Routes => "routes.md",
                Page::Errors => "errors.md",
                Page::Connectors => "connectors-shipped.md",
                Page::Retention => "retention.md",
                Page::Openapi => "openapi.json",
            };
            let path = format!("{}/../../docs/reference/{name}", env!("CARGO_MANIFEST_DIR"));
            let written = std::fs::read_to_string(path).unwrap_or_default();
            assert!(written == page.text().unwrap(), "docs/reference/{name}: run `cargo xtask gen`");
        }
    }
}
