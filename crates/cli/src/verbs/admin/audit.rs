//! `vestibule audit list`

use super::Desk;
use super::refusals::names;
use serde_json::json;
use service::admin::records::AuditSort;
use store::Page;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// The newest changes first
    List {
        /// How far back, as in 7d
        #[arg(long, value_name = "SPAN", value_parser = crate::verbs::span::seconds, default_value = "30d")]
        since: i64,
        /// At most so many
        #[arg(long, default_value = "50", value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let Action::List { since, limit } = action;
    let owner = match &desk.scope.organization {
        Some(_) => Some(desk.organization().await?.id),
        None => None,
    };
    let names = names(desk).await?;
    let since = desk.service.clock.now().plus_seconds(-since);
    let found = desk.service.audit(owner.as_ref(), since, Page::newest(limit).by(AuditSort::Date)).await?;
    let records: Vec<_> = found
        .rows
        .iter()
        .map(|entry| {
            json!({
                "at": entry.at.iso_seconds(),
                "organization": entry.organization.as_ref().and_then(|id| names.get(id)),
                "actor": entry.actor.label(),
                "action": entry.action,
                "subject": entry.subject,
                "detail": entry.detail,
                "id": entry.id,
            })
        })
        .collect();
    desk.out.list(&records, &["at", "organization", "actor", "action", "subject", "detail"])?;
    Ok(())
}
