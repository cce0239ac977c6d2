//! `vestibule demo`.

use crate::demo::Demo;
use crate::logging;
use crate::settings::{Log, LogFormat};
use crate::signals::Signals;
use anyhow::Context as _;
use runner::Runner;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long what is still open at the end may take.
const LAST: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Port of 127.0.0.1; 0 for any free one. Default: 8400, or any free one where that is taken
    #[arg(long)]
    port: Option<u16>,
    /// Opens the tour in the browser
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    open: bool,
}

/// Shows both doors at work on this machine: needs no settings, no network, and leaves nothing behind.
///
/// # Errors
/// Where the port is taken or the temporary folder cannot be written to.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    logging::start(&Log { format: LogFormat::Text, filter: "warn".to_owned() })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let signals = Signals::listen().context("waiting for Ctrl-C")?;
        let demo = Demo::prepare(arguments.port, Runner::of_this_executable()).await?;
        say(&demo)?;
        if arguments.open {
            open(&demo.url());
        }
        demo.serve(signals.reached(1)).await
    });
    runtime.shutdown_timeout(LAST);
    outcome
}

fn say(demo: &Demo) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n  Vestibule's demo is ready. Open this address:\n\n      {}\n", demo.url())?;
    writeln!(out, "  It works offline, keeps everything in {}", demo.folder().display())?;
    writeln!(out, "  and removes that when you stop it with Ctrl-C.\n")?;
    out.flush()
}

/// Asks the desktop for its browser. Where there is none, the printed address is enough.
fn open(url: &str) {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    let nothing = Stdio::null;
    let _ = Command::new(program)
        .args(arguments)
        .arg(url)
        .stdin(nothing())
        .stdout(nothing())
        .stderr(nothing())
        .spawn();
}
