//! `vestibule origin ..`

use super::{ACTOR, Desk};
use kernel::Environment;
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Registers an origin: scheme, host and port of the page that embeds
    Add { origin: String },
    /// All origins
    List,
    /// Takes an origin away
    Remove { origin: String },
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let organization = desk.organization().await?;
    let owner = &organization.id;
    match action {
        Action::Add { origin } => {
            let environment = desk.environment()?;
            let added = desk.service.add_origin(&ACTOR, owner, environment, &origin).await?;
            let record = json!({ "origin": origin, "environment": environment.as_str(), "added": added });
            let word = if added { "is registered" } else { "was registered before" };
            desk.out.done(&record, &format!("{origin} {word} for {} in {environment}", organization.slug))?;
        }
        Action::List => {
            let mut records = Vec::new();
            let wanted = desk.scope.environment;
            for environment in
                Environment::ALL.into_iter().filter(|it| wanted.is_none_or(|wanted| wanted == *it))
            {
                let origins = desk.service.origins(owner, environment).await?;
                records.extend(
                    origins.iter().map(
                        |origin| json!({ "origin": origin.as_str(), "environment": environment.as_str() }),
                    ),
                );
            }
            desk.out.list(&records, &["origin", "environment"])?;
        }
        Action::Remove { origin } => {
            let environment = desk.environment()?;
            desk.service.remove_origin(&ACTOR, owner, environment, &origin).await?;
            let record = json!({ "origin": origin, "environment": environment.as_str(), "removed": true });
            desk.out.done(&record, &format!("{origin} is no longer registered in {environment}"))?;
        }
    }
    Ok(())
}
