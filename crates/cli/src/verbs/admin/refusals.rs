//! `vestibule refusals`: until there is a Hub, the place where an organization's engineer sees what was wrong.

use super::{Desk, Scope};
use connect::refusal::RecordedRefusal;
use kernel::Time;
use kernel::ids::OrganizationId;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How far back, as in 1h
    #[arg(long, value_name = "SPAN", value_parser = crate::verbs::span::seconds, default_value = "24h")]
    since: i64,
    /// At most so many, the newest first
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
    /// Goes on and shows each new one, until it is stopped
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    pub(super) scope: Scope,
}

const FIELDS: [&str; 7] = ["at", "organization", "environment", "code", "claim", "message", "reference"];
/// Between two looks while following.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What one look while following takes at most.
const MOST: i64 = 1000;

pub(super) type Names = HashMap<OrganizationId, String>;

/// The names of all organizations.
pub(super) async fn names(desk: &Desk<'_>) -> anyhow::Result<Names> {
    let all = desk.service.organizations().await?;
    let named = |record: store::organizations::OrganizationRecord| {
        (record.organization.id, record.organization.slug.to_string())
    };
    Ok(all.into_iter().map(named).collect())
}

fn record(refusal: &RecordedRefusal, names: &Names) -> Value {
    json!({
        "at": refusal.at.iso_seconds(),
        "organization": refusal.organization.as_ref().and_then(|id| names.get(id)),
        "environment": refusal.environment.as_str(),
        "code": refusal.code,
        "status": refusal.status,
        "claim": refusal.claim,
        "message": refusal.message,
        "seen": refusal.seen,
        "route": refusal.route,
        "reference": refusal.id,
    })
}

pub(super) async fn run(arguments: Arguments, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let owner = match &desk.scope.organization {
        Some(_) => Some(desk.organization().await?.id),
        None => None,
    };
    let names = names(desk).await?;
    let since = desk.service.clock.now().plus_seconds(-arguments.since);
    let wanted = desk.scope.environment;
    let fits = |refusal: &RecordedRefusal| wanted.is_none_or(|wanted| refusal.environment == wanted);
    let mut found = desk.service.refusals(owner.as_ref(), since, arguments.limit).await?;
    found.retain(fits);
    if !arguments.follow {
        let records: Vec<_> = found.iter().map(|refusal| record(refusal, &names)).collect();
        desk.out.list(&records, &FIELDS)?;
        return Ok(());
    }
    let (mut seen, mut last) = (HashSet::new(), since);
    loop {
        for refusal in found.iter().rev() {
            last = last.max(refusal.at);
            if seen.insert(refusal.id.clone()) {
                desk.out.line(&record(refusal, &names), &FIELDS)?;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
        found = desk.service.refusals(owner.as_ref(), overlapping(last, since), MOST).await?;
        found.retain(fits);
        let listed: HashSet<_> = found.iter().map(|refusal| refusal.id.clone()).collect();
        seen.retain(|id| listed.contains(id));
    }
}

/// From a little before the newest one that was shown, because another node's may be written a moment late.
fn overlapping(last: Time, since: Time) -> Time {
    last.plus_seconds(-10).max(since)
}
