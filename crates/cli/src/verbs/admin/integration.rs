//! `vestibule integration ..`

use super::{ACTOR, Desk};
use connect::integration::Integration;
use kernel::Environment;
use serde_json::{Value, json};
use service::admin::integrations::NewIntegration;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Makes an integration; NAME is `integration_name` in a token
    Create {
        name: String,
        /// What people read
        #[arg(long, value_name = "TEXT")]
        long_name: Option<String>,
        /// The organization's own connector: `connector_name` in a token
        #[arg(long, value_name = "CONNECTOR")]
        own_connector: Option<String>,
        /// The outside system (may be repeated)
        #[arg(long, value_name = "CONNECTOR", required = true)]
        connector: Vec<String>,
        /// Written by somebody else than the organization: `External` in the published API
        #[arg(long)]
        external: bool,
        /// When a new tenant runs, as five fields of cron; the minute is spread per tenant
        #[arg(long, value_name = "CRON")]
        schedule: Option<String>,
        /// Spreads hourly and daily schedules too
        #[arg(long, requires = "schedule")]
        shift_all: bool,
    },
    /// All integrations
    List,
}

fn record(integration: &Integration) -> Value {
    json!({
        "id": integration.id,
        "integration": integration.name,
        "long_name": integration.long_name,
        "environment": integration.environment.as_str(),
        "own_connector": integration.own_connector,
        "connectors": integration.connectors,
        "schedule": integration.schedule,
        "created": integration.created.iso_seconds(),
    })
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let organization = desk.organization().await?;
    let owner = &organization.id;
    match action {
        Action::Create { name, long_name, own_connector, connector, external, schedule, shift_all } => {
            let environment = desk.environment()?;
            let connectors = connector;
            let new =
                NewIntegration { name, long_name, external, own_connector, connectors, schedule, shift_all };
            let made = desk.service.create_integration(&ACTOR, owner, environment, new).await?;
            let place = desk.service.places.of(environment);
            let outside = made.connectors.first().map_or("connector", |connector| connector.as_str());
            let path = format!("/{}/{outside}/auth", organization.slug);
            let url = place.map(|place| place.link(&path)).unwrap_or_default();
            desk.out.done(&record(&made), &format!("{} is there; its page to embed is {url}", made.name))?;
        }
        Action::List => {
            let mut records = Vec::new();
            let wanted = desk.scope.environment;
            for environment in
                Environment::ALL.into_iter().filter(|it| wanted.is_none_or(|wanted| wanted == *it))
            {
                let found = desk.service.all_integrations(owner, environment).await?;
                records.extend(found.iter().map(record));
            }
            let fields = ["id", "integration", "environment", "own_connector", "connectors", "schedule"];
            desk.out.list(&records, &fields)?;
        }
    }
    Ok(())
}
