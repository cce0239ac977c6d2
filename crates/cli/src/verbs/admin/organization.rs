//! `vestibule organization ..`

use super::{ACTOR, Desk};
use serde_json::{Value, json};
use service::admin::organizations::OrganizationChange;
use store::organizations::OrganizationRecord;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Makes an organization; NAME is the first segment of its pages' paths
    Create {
        name: String,
        #[command(flatten)]
        change: Box<Change>,
    },
    /// All organizations
    List,
    /// One organization
    Show { name: Option<String> },
    /// Changes what is given and leaves the rest
    Set {
        name: Option<String>,
        #[command(flatten)]
        change: Box<Change>,
        /// Refuses every visit and every API key from now on
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// Takes --disable back
        #[arg(long)]
        enable: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct Change {
    /// What people read: "Acme Limited"
    #[arg(long = "name", value_name = "TEXT")]
    long_name: Option<String>,
    /// Prefix of the messages to the parent window; `pandium` gives the names published by that platform
    #[arg(long)]
    brand: Option<String>,
    /// Colour of buttons, as #rrggbb
    #[arg(long)]
    color: Option<String>,
    /// Logo: an https URL, or data:image/...;base64,... of at most 32 KiB
    #[arg(long)]
    logo: Option<String>,
    /// How old a token's iat may be, as in 5m
    #[arg(long, value_name = "SPAN", value_parser = crate::verbs::span::seconds)]
    token_max_age: Option<i64>,
    /// How far a token's iat may lie ahead, as in 60s
    #[arg(long, value_name = "SPAN", value_parser = crate::verbs::span::seconds)]
    token_ahead: Option<i64>,
}

impl Change {
    fn into_change(self, disabled: Option<bool>) -> OrganizationChange {
        OrganizationChange {
            name: self.long_name,
            brand: self.brand,
            color: self.color,
            logo: self.logo,
            token_max_age_s: self.token_max_age,
            token_ahead_s: self.token_ahead,
            disabled,
        }
    }
}

fn record(organization: &OrganizationRecord) -> Value {
    let OrganizationRecord { organization, token_max_age_s, token_ahead_s } = organization;
    json!({
        "organization": organization.slug,
        "name": organization.name,
        "id": organization.id,
        "brand": organization.brand.as_str(),
        "color": organization.color.map(|color| color.to_string()),
        "logo": organization.logo,
        "token_max_age_s": token_max_age_s,
        "token_ahead_s": token_ahead_s,
        "disabled": organization.disabled,
        "created": organization.created.iso_seconds(),
    })
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    match action {
        Action::Create { name, change } => {
            let made = desk.service.create_organization(&ACTOR, &name, change.into_change(None)).await?;
            let said = format!("{name} is there; next: `vestibule signing-key create --organization {name}`");
            desk.out.done(&record(&made), &said)?;
        }
        Action::List => {
            let all = desk.service.organizations().await?;
            let records: Vec<_> = all.iter().map(record).collect();
            desk.out.list(&records, &["organization", "name", "brand", "disabled", "created"])?;
        }
        Action::Show { name } => {
            let found = desk.service.organization(&named(desk, name).await?).await?;
            desk.out.one(&record(&found))?;
        }
        Action::Set { name, change, disable, enable } => {
            let disabled = (disable || enable).then_some(disable);
            let change = change.into_change(disabled);
            anyhow::ensure!(
                change != OrganizationChange::default(),
                "nothing to change was given; see --help"
            );
            let name = named(desk, name).await?;
            let changed = desk.service.change_organization(&ACTOR, &name, change).await?;
            desk.out.one(&record(&changed))?;
        }
    }
    Ok(())
}

/// The name as an argument, else as the flag, else the only one.
async fn named(desk: &Desk<'_>, name: Option<String>) -> anyhow::Result<String> {
    match name {
        Some(name) => Ok(name),
        None => Ok(desk.organization().await?.slug.to_string()),
    }
}
