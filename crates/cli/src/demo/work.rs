//! What goes on after connecting, as the tour tells it: the integration's release, and the runs that came of it.

use super::Stage;
use super::setup::ENVIRONMENT;
use super::story::{At, Line, Milestone};
use anyhow::Context as _;
use kernel::Actor;
use kernel::ids::{IntegrationId, OrganizationId, RunId, TenantId};
use serde_json::Value;
use service::Service;
use service::admin::Holder;
use service::work::release_build::{Order, Source};
use service::work::run_look_up::RunSort;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::Page;

const FILES: [(&str, &str); 2] = [
    ("vestibule.yaml", include_str!("integration/vestibule.yaml")),
    ("sync.sh", include_str!("integration/sync.sh")),
];
/// Between two looks for runs that have ended.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Runs of a tenant that one look sees.
const SEEN: i64 = 20;

/// Builds the release of the demo's integration, as `vestibule release build` does.
///
/// # Errors
/// Where `folder` cannot be written to, or the release is refused.
pub(super) async fn release(
    service: &Service,
    organization: &OrganizationId,
    integration: IntegrationId,
    folder: &Path,
) -> anyhow::Result<()> {
    let source = folder.join("harbor-sync");
    fs::create_dir_all(&source)?;
    for (name, text) in FILES {
        fs::write(source.join(name), text)?;
    }
    let order = Order {
        organization: organization.clone(),
        environment: ENVIRONMENT,
        integration,
        tag: "1.0".to_owned(),
    };
    let built = service.build_release(&Actor::Operator, &order, &Source::Folder(source), &mut |_| {}).await;
    built.map(drop).context("the release of the demo's integration")
}

/// Tells of each run that has ended, until the demo does.
pub(super) async fn follow(stage: Arc<Stage>) {
    let holder = Holder { organization: stage.given.organization.clone(), environment: ENVIRONMENT };
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stage.service.stopping.begun() => return,
        }
        let found = stage.service.newest_tenants(&holder.organization, ENVIRONMENT, 100).await;
        for (tenant, _) in found.map(|(tenants, _)| tenants).unwrap_or_default() {
            tell(&stage, &holder, tenant.id, &tenant.name).await;
        }
    }
}

async fn tell(stage: &Stage, holder: &Holder, tenant: TenantId, name: &str) {
    let page = Page { sort: RunSort::Id, descending: true, limit: SEEN, skip: 0 };
    let Ok(Some((runs, _))) = stage.service.runs(holder, Some(tenant), page).await else { return };
    for run in runs.iter().rev().filter(|run| !run["completed_date"].is_null()) {
        let Some(id) = run["id"].as_i64().and_then(|id| RunId::new(id).ok()) else { continue };
        let key = format!("run:{id}");
        if stage.story.was_told(&key) {
            continue;
        }
        let log = stage.service.log_parts(id, 0).await.unwrap_or_default();
        let log: String = log.into_iter().map(|part| part.body).collect();
        stage.story.tell_once(key, line(run, name).shows("Its log", log));
    }
}

fn line(run: &Value, tenant: &str) -> Line {
    let text = |pointer: &str| run.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let phase = text("/status/phase");
    let sources: Vec<&str> = run["triggers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|trigger| trigger["source"].as_str())
        .collect();
    let by = |source: &str| sources.contains(&source);
    let (title, milestone) = match text("/mode") {
        "init" => ("The integration ran for the first time", None),
        _ if by("Webhook") => ("The webhook started a run", Some(Milestone::RanForWebhook)),
        _ if by("Cron") => ("The schedule fired", Some(Milestone::ScheduleFired)),
        _ => ("The integration ran", None),
    };
    let said = format!(
        "{phase}: a shell script, for {tenant} alone, with Harbor's token in its environment. What it printed is the \
         state that the next run gets."
    );
    let line = Line::new(At::Gateway, title, said);
    match milestone {
        _ if phase != "Succeeded" => line.bad(),
        Some(milestone) => line.reaches(milestone),
        None => line,
    }
}
