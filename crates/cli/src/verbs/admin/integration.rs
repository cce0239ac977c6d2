//! `vestibule integration ..`

use super::tenant_set::channel;
use super::{ACTOR, Desk};
use connect::integration::{Channel, Integration};
use kernel::Environment;
use serde_json::{Value, json};
use service::admin::integrations::{IntegrationChange, NewIntegration};
use service::work::git::Trust;

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
    /// Changes an integration: its repository, what its new tenants begin with
    Set {
        /// Its name or id
        integration: String,
        #[command(flatten)]
        choices: Box<Choices>,
    },
    /// All integrations
    List,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Choices {
    /// What people read
    #[arg(long, value_name = "TEXT")]
    long_name: Option<String>,
    /// Where releases are built from by API: https or ssh; an empty text takes it away
    #[arg(long, value_name = "URL")]
    repository: Option<String>,
    /// The folder inside it that has the manifest; an empty text stands for its root
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The branch that is built; an empty text stands for the repository's own choice
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Which release new tenants follow: `Default` or `Latest`
    #[arg(long, value_name = "CHANNEL", value_parser = channel)]
    channel: Option<Channel>,
    /// When new tenants run, as five fields of cron; an empty text takes it away
    #[arg(long, value_name = "CRON")]
    schedule: Option<String>,
}

impl Choices {
    fn change(self) -> IntegrationChange {
        // An empty text stands for nothing.
        let given = |text: Option<String>| text.map(|text| Some(text).filter(|text| !text.is_empty()));
        IntegrationChange {
            long_name: self.long_name,
            schedule: given(self.schedule),
            channel: self.channel,
            repository_url: given(self.repository),
            repository_path: given(self.path),
            repository_branch: given(self.branch),
            ..IntegrationChange::default()
        }
    }
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
        "channel": integration.channel.as_str(),
        "default_release": integration.default_release,
        "repository": integration.repository.as_ref().map(|it| &it.url),
        "repository_path": integration.repository.as_ref().and_then(|it| it.path.as_ref()),
        "repository_branch": integration.repository.as_ref().and_then(|it| it.branch.as_ref()),
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
        Action::Set { integration, choices } => {
            let holder = desk.holder().await?;
            let found = desk.service.integration_named(&holder, &integration).await?;
            let (service, change) = (&desk.service, choices.change());
            let changed =
                service.change_integration(&ACTOR, &holder, found.id, change, Trust::Operator).await?;
            desk.out.one(&record(&changed))?;
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
