//! `vestibule run`: a tenant's runs, their logs, and asking for them.

use super::{ACTOR, Desk, id};
use anyhow::{Context as _, anyhow, bail};
use connect::run::{Mode, Source};
use kernel::ids::{RunId, TenantId};
use serde_json::{Value, json};
use service::admin::Holder;
use service::connect::look_up::Page;
use service::work::run_control::{Asked, Chosen, Controlled, Desk as Control, Synced};
use service::work::run_look_up::RunSort;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks while following a log.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// The newest runs, of one tenant or of all
    List {
        /// The tenant's id
        #[arg(value_name = "TENANT")]
        tenant: Option<String>,
        /// At most so many
        #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
    },
    /// One run: how it stands and why
    Show {
        /// Its id
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// What a run wrote to standard error, secrets masked
    Log {
        /// Its id
        #[arg(value_name = "RUN", required_unless_present = "newest")]
        run: Option<String>,
        /// Of the newest run there is
        #[arg(long, conflicts_with = "run")]
        newest: bool,
        /// Goes on until the run has ended
        #[arg(long)]
        follow: bool,
    },
    /// Asks for a run of a tenant
    Start {
        /// The tenant's id
        #[arg(value_name = "TENANT", required_unless_present = "integration")]
        tenant: Option<String>,
        /// In place of the tenant: the integration's name
        #[arg(long, value_name = "NAME", conflicts_with = "tenant")]
        integration: Option<String>,
        /// Whose tenant of the integration it is; may be left out where it has one only
        #[arg(long, value_name = "NAME", requires = "integration")]
        user: Option<String>,
        /// What it is for: `normal` or `init`
        #[arg(long, value_name = "MODE", default_value = "normal", value_parser = mode)]
        mode: Mode,
        /// Waits until the run has ended, and fails where it failed
        #[arg(long)]
        wait: bool,
    },
    /// Ends a run
    Cancel {
        /// Its id
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// Does a run once more, with the same triggers
    Rerun {
        /// Its id
        #[arg(value_name = "RUN")]
        run: String,
        /// A file with a JSON object in place of the tenant's configs
        #[arg(long, value_name = "FILE")]
        configs: Option<PathBuf>,
        /// A file with what it is handed in place of the last run's state
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
    },
}

fn mode(text: &str) -> Result<Mode, String> {
    Mode::asked(text).ok_or_else(|| "expected `normal` or `init`".to_owned())
}

fn run_id(text: &str) -> anyhow::Result<RunId> {
    id(RunId::parse, text, "run list")
}

fn tenant_id(text: &str) -> anyhow::Result<TenantId> {
    id(TenantId::parse, text, "tenant list")
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let Holder { organization, environment } = holder.clone();
    let control = Control { organization, environment, actor: ACTOR };
    match action {
        Action::List { tenant, limit } => {
            let tenant = tenant.as_deref().map(tenant_id).transpose()?;
            list(desk, &holder, tenant, limit).await
        }
        Action::Show { run } => {
            let run = run_id(&run)?;
            let shown = desk.service.run_in_full(&holder, run).await?;
            desk.out.one(&shown.with_context(|| no_run(run))?)?;
            Ok(())
        }
        Action::Log { run, newest: _, follow } => {
            let run = match run {
                Some(run) => run_id(&run)?,
                None => newest(desk, &holder).await?,
            };
            log(desk, &holder, run, follow).await
        }
        Action::Start { tenant, integration, user, mode, wait } => {
            let asked = Asked { source: Source::Manual, mode, payload: None };
            let synced = match (tenant, integration) {
                (Some(tenant), _) => desk.service.sync_tenant(&control, tenant_id(&tenant)?, asked).await?,
                (None, Some(name)) => {
                    let integration = desk.service.integration_named(&holder, &name).await?;
                    desk.service.sync_integration(&control, integration.id, user, asked).await?
                }
                (None, None) => bail!("which tenant? `vestibule tenant list` shows them"),
            };
            started(desk, &holder, synced, wait).await
        }
        Action::Cancel { run } => {
            let run = run_id(&run)?;
            let done = desk.service.cancel_run(&control, run).await?;
            controlled(desk, run, &done)
        }
        Action::Rerun { run, configs, state } => {
            let run = run_id(&run)?;
            let chosen = Chosen {
                configs: configs.as_deref().map(object).transpose()?,
                state: state.as_deref().map(text).transpose()?,
            };
            let done = desk.service.rerun(&control, run, chosen).await?;
            controlled(desk, run, &done)
        }
    }
}

async fn started(desk: &mut Desk<'_>, holder: &Holder, synced: Synced, wait: bool) -> anyhow::Result<()> {
    let trigger = match synced {
        Synced::Triggered(trigger) => trigger,
        Synced::Archived => bail!("this tenant is archived"),
        Synced::WhichUser => bail!("several users have this integration; say --user"),
        Synced::NoTenant | Synced::NoIntegration => {
            bail!("there is no such tenant; `vestibule tenant list` shows them")
        }
    };
    if !wait {
        let said = "asked for; `vestibule run list` shows the run soon";
        desk.out.done(&json!({ "trigger_id": trigger }), said)?;
        return Ok(());
    }
    loop {
        let status = desk.service.trigger_status(holder, trigger).await?;
        let ended = status.filter(|it| it.get("completed_date").is_some_and(|time| !time.is_null()));
        let Some(status) = ended else {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        };
        let phase = status.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
        let run = status.get("run_id").and_then(Value::as_i64).unwrap_or_default();
        desk.out.done(&status, &format!("run {run}: {phase}"))?;
        if phase != "Succeeded" {
            bail!("the run ended as {phase}; `vestibule run log {run}` may say why");
        }
        return Ok(());
    }
}

async fn newest(desk: &Desk<'_>, holder: &Holder) -> anyhow::Result<RunId> {
    let page = Page { sort: RunSort::Id, descending: true, limit: 1, skip: 0 };
    let found = desk.service.runs(holder, None, page).await?.map(|(runs, _)| runs).unwrap_or_default();
    let newest = found.first().and_then(|run| run["id"].as_i64()).and_then(|id| RunId::new(id).ok());
    newest.context("there is no run yet")
}

fn no_run(run: RunId) -> String {
    format!("there is no run {run}; `vestibule run list` shows them")
}

fn text(path: &Path) -> anyhow::Result<String> {
    let read = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(read.trim_end_matches('\n').to_owned())
}

fn object(path: &Path) -> anyhow::Result<Value> {
    let shown = path.display().to_string();
    let value: Value = serde_json::from_str(&text(path)?).with_context(|| format!("{shown} is not JSON"))?;
    if value.is_object() { Ok(value) } else { Err(anyhow!("{shown} is not a JSON object")) }
}

fn controlled(desk: &mut Desk<'_>, run: RunId, done: &Controlled) -> anyhow::Result<()> {
    match done {
        Controlled::Ending => {
            desk.out.done(&json!({ "run_id": run }), &format!("run {run} is being ended"))?;
        }
        Controlled::Again(trigger) => {
            let record = json!({ "run_id": run, "trigger_id": trigger });
            desk.out.done(&record, &format!("run {run} is done once more"))?;
        }
        Controlled::NoRun => bail!(no_run(run)),
        Controlled::Over(said) => bail!("{said}"),
    }
    Ok(())
}

async fn list(
    desk: &mut Desk<'_>,
    holder: &Holder,
    tenant: Option<TenantId>,
    limit: i64,
) -> anyhow::Result<()> {
    let page = Page { sort: RunSort::Id, descending: true, limit, skip: 0 };
    let found = desk.service.runs(holder, tenant, page).await?;
    let (runs, total) = found.context("there is no such tenant; `vestibule tenant list` shows them")?;
    if desk.out.is_json() {
        desk.out.list(&runs, &[])?;
        return Ok(());
    }
    let records: Vec<Value> = runs
        .iter()
        .map(|run| {
            let sources = run["triggers"].as_array().into_iter().flatten().map(|it| it["source"].clone());
            let mut sources: Vec<Value> = sources.collect();
            sources.dedup();
            json!({
                "id": run["id"],
                "tenant": run["tenant_id"],
                "mode": run["mode"],
                "phase": run.pointer("/status/phase"),
                "triggers": sources,
                "started": run["started_date"],
                "completed": run["completed_date"],
            })
        })
        .collect();
    desk.out.list(&records, &["id", "tenant", "mode", "phase", "triggers", "started", "completed"])?;
    let shown = i64::try_from(records.len()).unwrap_or(i64::MAX);
    if total > shown {
        crate::verbs::output::note(&format!("the newest {shown} of {total}; --limit shows more"));
    }
    Ok(())
}

async fn log(desk: &mut Desk<'_>, holder: &Holder, run: RunId, follow: bool) -> anyhow::Result<()> {
    if desk.service.run(holder, run).await?.is_none() {
        bail!(no_run(run));
    }
    let mut after = 0;
    loop {
        // Asked before the parts are read, so that the last of them is not missed.
        let goes_on = follow && desk.service.is_open(holder, run).await?;
        loop {
            let parts = desk.service.log_parts(run, after).await?;
            let Some(last) = parts.last() else { break };
            after = last.number;
            for part in &parts {
                desk.out.raw(&part.body)?;
            }
        }
        if !goes_on {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
