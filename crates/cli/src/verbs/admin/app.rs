//! `vestibule app ..`: what the organization registered at outside systems.

use super::{ACTOR, Desk};
use crate::verbs::output::note;
use crate::verbs::secret_source::{file_or_input, variable};
use connect::credential::{App, Values};
use kernel::SecretText;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Stores the app for a connector, replacing the one before
    Set(Box<Given>),
    /// All apps of both environments, without their secrets
    List,
}

#[derive(clap::Args)]
pub struct Given {
    connector: String,
    /// As the outside system gave it
    #[arg(long)]
    client_id: String,
    /// File with the client's secret (`-`: standard input). Without any secret the app is a public client
    #[arg(long, value_name = "FILE", group = "secret")]
    client_secret_file: Option<PathBuf>,
    /// Variable of the environment with the client's secret
    #[arg(long, value_name = "NAME", group = "secret")]
    client_secret_variable: Option<String>,
    /// The secret itself. Shells and lists of processes keep it: use a file where you can
    #[arg(long, value_name = "SECRET", group = "secret")]
    client_secret: Option<String>,
    /// Scopes to ask for instead of the connector's, separated by commas
    #[arg(long, value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// The same for scopes of the person, where the outside system knows both
    #[arg(long, value_delimiter = ',')]
    user_scopes: Option<Vec<String>>,
    /// What the connector asks for beyond the client; FILE holds the value (may be repeated)
    #[arg(long, value_name = "NAME=FILE")]
    field: Vec<String>,
}

impl std::fmt::Debug for Given {
    /// One of the arguments may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("connector", &self.connector).finish_non_exhaustive()
    }
}

impl Given {
    fn app(self) -> anyhow::Result<(String, App)> {
        let secret = match (self.client_secret_file, self.client_secret_variable, self.client_secret) {
            (Some(file), _, _) => Some(file_or_input(&file)?),
            (None, Some(name), _) => Some(variable(&name)?),
            (None, None, Some(secret)) => {
                note(
                    "the secret now stands in your shell's history; --client-secret-file keeps it out of there",
                );
                Some(SecretText::new(secret))
            }
            (None, None, None) => None,
        };
        let mut fields = Values::new();
        for field in &self.field {
            let Some((name, file)) = field.split_once('=') else {
                anyhow::bail!("--field is written as NAME=FILE, not `{field}`");
            };
            fields.set(name, file_or_input(&PathBuf::from(file))?.reveal());
        }
        let app = App {
            client_id: self.client_id,
            client_secret: secret,
            scopes: self.scopes,
            user_scopes: self.user_scopes,
            fields,
        };
        Ok((self.connector, app))
    }
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let organization = desk.organization().await?;
    match action {
        Action::Set(given) => {
            let environment = desk.environment()?;
            let (connector, app) = given.app()?;
            desk.service.put_app(&ACTOR, &organization.id, environment, &connector, &app).await?;
            let callback = desk.service.places.of(environment).map(service::Place::callback);
            let callback = callback.unwrap_or_default();
            let record = json!({
                "connector": connector,
                "environment": environment.as_str(),
                "client_id": app.client_id,
                "has_secret": app.client_secret.is_some(),
                "callback_url": callback,
            });
            let secret = if app.client_secret.is_some() { "" } else { " without a secret (public client)" };
            let said = format!(
                "{connector}'s app is stored for {environment}{secret}; its redirect URL must be {callback}"
            );
            desk.out.done(&record, &said)?;
        }
        Action::List => {
            let apps = desk.service.apps(&organization.id).await?;
            let wanted = desk.scope.environment;
            let apps = apps.iter().filter(|app| wanted.is_none_or(|wanted| app.environment == wanted));
            let records: Vec<_> = apps
                .map(|app| {
                    json!({
                        "connector": app.connector,
                        "environment": app.environment.as_str(),
                        "client_id": app.client_id,
                        "scopes": app.scopes,
                        "modified": app.modified.iso_seconds(),
                    })
                })
                .collect();
            desk.out.list(&records, &["connector", "environment", "client_id", "scopes", "modified"])?;
        }
    }
    Ok(())
}
