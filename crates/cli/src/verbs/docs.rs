//! `vestibule docs ..`: the pages of `docs/reference/` that are made from the program itself.

use std::io::Write;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    page: Page,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Page {
    /// docs/reference/settings.md
    Settings,
}

/// # Errors
/// Where the page cannot be made or written.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let page = match arguments.page {
        Page::Settings => crate::settings::reference()?,
    };
    out.write_all(page.as_bytes())?;
    Ok(())
}
