//! What goes on after connecting: whether somebody works on the queue, what was given up, and who takes no messages.

use super::finding::Findings;
use connect::notice::Endpoint;
use kernel::Time;
use kernel::ids::OrganizationId;
use std::collections::BTreeMap;
use store::jobs::letters::{self, DEEPEST, Depth, Letters};
use store::{Db, DbError, Page, notice_endpoints, organizations};

/// Work that has waited for so long, in seconds, waits for somebody: a claim is a matter of a second.
const LATE_S: i64 = 300;
/// An endpoint that has taken nothing for so long, in seconds, has more than a mood.
const FAILING_S: i64 = 900;
/// The most endpoints that are told one by one.
const MOST: i64 = 20;

/// What the database says.
struct Seen {
    depth: Depth,
    /// Names by id.
    names: BTreeMap<OrganizationId, String>,
    /// What was given up, by organization.
    dead: Vec<(String, i64)>,
    failing: Vec<Endpoint>,
}

pub(super) async fn examine(db: &Db, now: Time, findings: &mut Findings) {
    match read(db, now).await {
        Ok(seen) => tell(&seen, now, findings),
        Err(error) => findings.error("work", error.to_string(), "look into the database"),
    }
}

async fn read(db: &Db, now: Time) -> Result<Seen, DbError> {
    let read = db.read(move |tx| {
        Box::pin(async move {
            let depth = letters::depth(tx).await?;
            let (mut names, mut dead) = (BTreeMap::new(), Vec::new());
            for found in organizations::list(tx).await? {
                let (id, name) = (found.organization.id, found.organization.slug.to_string());
                let which = Letters {
                    organization: id.clone(),
                    environment: None,
                    kind: None,
                    page: Page::newest(0),
                };
                // Without any at all nobody has some.
                let count = if depth.dead > 0 { letters::list(tx, &which).await?.total } else { 0 };
                if count > 0 {
                    dead.push((name.clone(), count));
                }
                names.insert(id, name);
            }
            let failing = notice_endpoints::failing(tx, now.plus_seconds(-FAILING_S), MOST + 1).await?;
            Ok(Seen { depth, names, dead, failing })
        })
    });
    read.await
}

fn tell(seen: &Seen, now: Time, findings: &mut Findings) {
    queue(&seen.depth, now, findings);
    for (name, count) in &seen.dead {
        findings.warning(
            "dead letters",
            format!("{count} jobs of {name} were given up"),
            format!("run `vestibule job list --organization {name}`, mend what it says, then `vestibule job replay JOB`"),
        );
    }
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    for endpoint in seen.failing.iter().take(most) {
        let name = seen.names.get(&endpoint.organization).map_or("?", String::as_str);
        let since = endpoint.failing.map_or_else(String::new, Time::iso_seconds);
        findings.warning(
            "webhook endpoints",
            format!("{} of {name} in {} has taken nothing since {since}", endpoint.id, endpoint.environment),
            format!(
                "run `vestibule webhook-endpoint attempts {} --failed --organization {name} --environment {}`",
                endpoint.id, endpoint.environment
            ),
        );
    }
    if seen.failing.len() > most {
        findings.warning(
            "webhook endpoints",
            format!("more than {MOST} take nothing; these were the first"),
            "see whether this machine reaches the outside at all",
        );
    }
}

fn queue(depth: &Depth, now: Time, findings: &mut Findings) {
    let mut is_late = false;
    for (kind, count, oldest) in &depth.ready {
        let Some(late) = oldest.map(|at| now.seconds_since(at)).filter(|late| *late >= LATE_S) else {
            continue;
        };
        is_late = true;
        findings.warning(
            "queue",
            format!("{} jobs of the kind {} are ready, the oldest for {late} s", shown(*count), kind.as_str()),
            "see that `vestibule serve` or `vestibule work` runs and that its log says nothing of them; where they are busy, add a node or slots (`work.*`)",
        );
    }
    if !is_late {
        let ready = depth.ready.iter().map(|(_, count, _)| count).sum();
        let what = format!(
            "{} ready, {} waiting for their time, {} under way",
            shown(ready),
            shown(depth.waiting),
            shown(depth.held)
        );
        findings.good("queue", what);
    }
}

/// Counting ends somewhere.
fn shown(count: i64) -> String {
    if count >= DEEPEST { format!("{DEEPEST} or more") } else { count.to_string() }
}
