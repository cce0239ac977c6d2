//! `vestibule service-account ..`

use super::{ACTOR, Desk};
use serde_json::{Value, json};
use service::admin::service_accounts::ServiceAccountChange;
use store::service_accounts::ServiceAccountRecord;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Makes a service account of a partner: how its backend proves itself
    Create {
        /// Its address (`client_email`). Default: made of the name, the partner and this gateway's host
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// Whose; may be left out where there is one partner only
        #[arg(long, value_name = "ID")]
        partner: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// A partner's service accounts
    List {
        /// Whose; may be left out where there is one partner only
        #[arg(long, value_name = "ID")]
        partner: Option<String>,
    },
    /// One service account
    Show { service_account: String },
    /// Changes what is given and leaves the rest
    Set {
        service_account: String,
        #[command(flatten)]
        change: Change,
        /// Refuses it and its tokens from now on
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// Takes --disable back
        #[arg(long)]
        enable: bool,
    },
    /// Deletes a service account with its keys
    Delete { service_account: String },
}

#[derive(Debug, clap::Args)]
pub struct Change {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// What its tokens may do: entry, logout (both by default), apps:read, apps:write, partner:read, partner:write (may
    /// be repeated; replaces all)
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Option<Vec<String>>,
}

impl Change {
    fn into_change(self, disabled: Option<bool>) -> ServiceAccountChange {
        ServiceAccountChange { name: self.name, scopes: self.scopes.map(super::listed), disabled }
    }
}

fn record(record: &ServiceAccountRecord) -> Value {
    json!({
        "service_account": record.account.email,
        "name": record.name,
        "partner": record.account.partner,
        "scopes": record.account.scopes,
        "created": record.created.iso_seconds(),
        "disabled": record.account.disabled.map(kernel::Time::iso_seconds),
    })
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    match action {
        Action::Create { email, partner, change } => {
            let partner = desk.partner(&holder, partner).await?;
            let (email, change) = (email.as_deref(), change.into_change(None));
            let made = desk.service.create_service_account(&ACTOR, &holder, &partner, email, change).await?;
            let email = &made.account.email;
            let said = format!(
                "{email} may {}; next: `vestibule service-key create --service-account {email} --key-file FILE`",
                made.account.scopes.join(", ")
            );
            desk.out.done(&record(&made), &said)?;
        }
        Action::List { partner } => {
            let partner = desk.partner(&holder, partner).await?;
            let all = desk.service.service_accounts(&holder, &partner).await?;
            let records: Vec<_> = all.iter().map(record).collect();
            desk.out
                .list(&records, &["service_account", "name", "partner", "scopes", "created", "disabled"])?;
        }
        Action::Show { service_account } => {
            desk.out.one(&record(&desk.service.service_account(&holder, &service_account).await?))?;
        }
        Action::Set { service_account, change, disable, enable } => {
            let change = change.into_change((disable || enable).then_some(disable));
            let nothing = change == ServiceAccountChange::default();
            anyhow::ensure!(!nothing, "nothing to change was given; see --help");
            let changed =
                desk.service.change_service_account(&ACTOR, &holder, &service_account, change).await?;
            desk.out.one(&record(&changed))?;
        }
        Action::Delete { service_account } => {
            desk.service.delete_service_account(&ACTOR, &holder, &service_account).await?;
            let said = format!("{service_account} is deleted");
            desk.out.done(&json!({ "service_account": service_account, "deleted": true }), &said)?;
        }
    }
    Ok(())
}
