//! `vestibule account ..`

use super::{ACTOR, Desk, Range};
use enter::account::Account;
use enter::ids::AccountId;
use serde_json::{Value, json};
use service::admin::accounts::AccountChange;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Makes an account: a business of a partner's
    Create {
        /// Its id (`account_id`), as AG-123. Made here where none is given
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// Whose it is; may be left out where there is one partner only
        #[arg(long, value_name = "ID")]
        partner: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// A partner's accounts
    List {
        /// Whose; may be left out where there is one partner only
        #[arg(long, value_name = "ID")]
        partner: Option<String>,
        #[command(flatten)]
        range: Range,
    },
    /// One account and the apps that are open to it
    Show { account: String },
    /// The users who may act for an account, and as what
    Users {
        account: String,
        #[command(flatten)]
        range: Range,
    },
    /// Changes what is given and leaves the rest
    Set {
        account: String,
        #[command(flatten)]
        change: Change,
        /// Lets nobody in for it from now on
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// Takes --disable back
        #[arg(long)]
        enable: bool,
    },
    /// Deletes an account, who may act for it, and for what it was activated
    Delete { account: String },
}

#[derive(Debug, clap::Args)]
pub struct Change {
    /// What people read. Where none is given at first: the id
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// What the partner calls it ('' for nothing)
    #[arg(long, value_name = "TEXT")]
    customer_identifier: Option<String>,
}

impl Change {
    fn into_change(self, disabled: Option<bool>) -> AccountChange {
        AccountChange { name: self.name, customer_identifier: self.customer_identifier, disabled }
    }
}

fn record(account: &Account) -> Value {
    json!({
        "account": account.id,
        "name": account.name,
        "partner": account.partner,
        "customer_identifier": account.customer_identifier,
        "disabled": account.disabled.map(kernel::Time::iso_seconds),
    })
}

pub(super) fn id(text: &str) -> anyhow::Result<AccountId> {
    super::id(AccountId::parse, text, "account list")
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    match action {
        Action::Create { id: wanted, partner, change } => {
            let wanted = wanted.map(|text| AccountId::parse(&text)).transpose()?;
            let partner = desk.partner(&holder, partner).await?;
            let change = change.into_change(None);
            let made = desk.service.create_account(&ACTOR, &holder, &partner, wanted, change).await?;
            desk.out.done(&record(&made), &format!("{} is there", made.id))?;
        }
        Action::List { partner, range } => {
            let partner = desk.partner(&holder, partner).await?;
            let after = range.after.as_deref().map(id).transpose()?;
            let all = desk.service.accounts(&holder, &partner, after.as_ref(), range.limit).await?;
            let records: Vec<_> = all.iter().map(record).collect();
            desk.out.list(&records, &["account", "name", "partner", "customer_identifier", "disabled"])?;
            range.note(records.len());
        }
        Action::Show { account } => {
            let id = id(&account)?;
            let mut record = record(&desk.service.account(&holder, &id).await?);
            let apps = desk.service.account_apps(&holder, &id).await?;
            if let Some(record) = record.as_object_mut() {
                let apps: Vec<_> = apps.into_iter().map(|(app, _)| app).collect();
                record.insert("service_providers".to_owned(), json!(apps));
            }
            desk.out.one(&record)?;
        }
        Action::Users { account, range } => {
            let id = id(&account)?;
            let after = range.after.as_deref().map(super::user::id).transpose()?;
            let all = desk.service.account_users(&holder, &id, after.as_ref(), range.limit).await?;
            let records = all.iter().map(|one| json!({ "user": one.person, "roles": one.roles }));
            let records: Vec<_> = records.collect();
            desk.out.list(&records, &["user", "roles"])?;
            range.note(records.len());
        }
        Action::Set { account, change, disable, enable } => {
            let change = change.into_change((disable || enable).then_some(disable));
            anyhow::ensure!(change != AccountChange::default(), "nothing to change was given; see --help");
            let changed = desk.service.change_account(&ACTOR, &holder, &id(&account)?, change).await?;
            desk.out.one(&record(&changed))?;
        }
        Action::Delete { account } => {
            let id = id(&account)?;
            desk.service.delete_account(&ACTOR, &holder, &id).await?;
            desk.out.done(&json!({ "account": id, "deleted": true }), &format!("{id} is deleted"))?;
        }
    }
    Ok(())
}
