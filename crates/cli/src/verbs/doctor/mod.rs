//! `vestibule doctor`: what is wrong, and what to do. It changes nothing and makes no file.

mod database;
mod finding;
mod keys;
mod machine;
mod organizations;
mod reach;
mod second_door;
mod work;

use super::asking;
use crate::gateway;
use crate::settings::Loaded;
use finding::Findings;
use kernel::{Clock as _, SystemClock};
use std::io::Write;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// JSON for programs: an array of {level, topic, what, todo}
    #[arg(long)]
    json: bool,
}

/// # Errors
/// Where something is wrong that keeps the gateway from working; all findings were told.
pub fn run(arguments: &Arguments, loaded: &Loaded, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    asking()?.block_on(Box::pin(examine(loaded, &mut findings)));
    findings.write(arguments.json, out)?;
    let errors = findings.errors();
    anyhow::ensure!(errors == 0, "{errors} to mend");
    Ok(())
}

async fn examine(loaded: &Loaded, findings: &mut Findings) {
    let settings = &loaded.settings;
    let now = SystemClock.now();
    machine::settings_file(loaded, findings);
    machine::clock(now, findings);
    machine::public_urls(settings, findings);
    machine::certificate(settings, findings);
    let masters = keys::loaded(settings, findings);
    let catalogue = match gateway::catalogue(settings) {
        Ok(catalogue) => {
            findings.good("connectors", format!("{} can be used", catalogue.len()));
            Some(catalogue)
        }
        Err(refused) => {
            let todo = "mend the files in `connectors.folder`; `vestibule connector check FILE` helps";
            findings.error("connectors", refused.to_string(), todo);
            None
        }
    };
    if let Some(db) = database::opened(settings, now, findings).await {
        keys::data_keys(settings, &db, masters.as_ref(), findings).await;
        if let Some(catalogue) = catalogue {
            organizations::examine(settings, &db, &catalogue, now, findings).await;
        }
        second_door::examine(&db, findings).await;
        work::examine(&db, now, findings).await;
        db.close().await;
    }
    reach::examine(settings, findings).await;
}
