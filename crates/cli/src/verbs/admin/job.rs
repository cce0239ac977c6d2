//! `vestibule job`: work that was given up.

use super::{ACTOR, Desk, id};
use kernel::ids::JobId;
use serde_json::{Value, json};
use service::admin::LIST_MOST;
use store::Page;
use store::jobs::letters::Letters;
use store::jobs::{Job, Kind};

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// What was given up, the newest first
    List {
        /// Of one kind only
        #[arg(long, value_name = "KIND", value_parser = kind)]
        kind: Option<Kind>,
        /// Leaves so many out at the beginning
        #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        skip: i64,
        /// How many at most
        #[arg(long, value_name = "NUMBER", default_value_t = LIST_MOST, value_parser = clap::value_parser!(i64).range(1..=LIST_MOST))]
        limit: i64,
    },
    /// One of them, or one that is still in the queue
    Show {
        /// Its id
        #[arg(value_name = "JOB")]
        job: String,
    },
    /// Has it done once more, as if it had never been tried
    Replay {
        /// Its id
        #[arg(value_name = "JOB")]
        job: String,
    },
    /// Deletes it
    Delete {
        /// Its id
        #[arg(value_name = "JOB")]
        job: String,
    },
}

fn kind(text: &str) -> Result<Kind, String> {
    let known = || Kind::ALL.map(Kind::as_str).join(", ");
    Kind::parse(text).ok_or_else(|| format!("expected one of {}", known()))
}

fn record(job: &Job) -> Value {
    json!({
        "id": job.id,
        "kind": job.kind.as_str(),
        "subject": job.subject,
        "state": job.state.as_str(),
        "attempts": job.attempts,
        "due": job.due.iso_seconds(),
        "failure": job.failure,
        "created": job.created.iso_seconds(),
        "died": job.died.map(kernel::Time::iso_seconds),
    })
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let organization = desk.organization().await?.id;
    let environment = desk.scope.environment;
    let named = |text: &str| id(JobId::parse, text, "job list");
    match action {
        Action::List { kind, skip, limit } => {
            let which =
                Letters { organization, environment, kind, page: Page { skip, ..Page::newest(limit) } };
            let found = desk.service.dead_jobs(which).await?;
            let records: Vec<_> = found.rows.iter().map(record).collect();
            desk.out.list(&records, &["id", "kind", "subject", "attempts", "died", "failure"])?;
        }
        Action::Show { job } => {
            let job = desk.service.job(&organization, environment, &named(&job)?).await?;
            desk.out.one(&record(&job))?;
        }
        Action::Replay { job } => {
            let id = named(&job)?;
            let job = desk.service.replay_job(&ACTOR, &organization, environment, &id).await?;
            desk.out.done(&record(&job), &format!("{id} is in the queue again"))?;
        }
        Action::Delete { job } => {
            let id = named(&job)?;
            desk.service.delete_job(&ACTOR, &organization, environment, &id).await?;
            desk.out.done(&json!({ "id": id, "deleted": true }), &format!("{id} is deleted"))?;
        }
    }
    Ok(())
}
