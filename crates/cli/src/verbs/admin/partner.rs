//! `vestibule partner ..`

use super::{ACTOR, Desk, Range};
use clap::builder::BoolishValueParser;
use enter::ids::PartnerId;
use enter::partner::Partner;
use enter::sso::IdentityProviderConfiguration;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Makes a partner of the organization
    Create {
        /// Its id (`partner_id`), as clients in the field already have it. Made here where none is given
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// The organization's partners
    List(Range),
    /// One partner
    Show { partner: String },
    /// Changes what is given and leaves the rest
    Set {
        partner: String,
        #[command(flatten)]
        change: Change,
        /// Lets nobody in and refuses its service accounts from now on
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// Takes --disable back
        #[arg(long)]
        enable: bool,
    },
    /// Deletes a partner without accounts, with its users and service accounts
    Delete { partner: String },
}

#[derive(Debug, clap::Args)]
pub struct Change {
    /// What people read. Where none is given at first: the id
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Session-transfer URL: where browsers go to have their user vouched for
    #[arg(long, value_name = "URL")]
    transfer_url: Option<String>,
    /// A further host where a back button may lead, as app.example.com (may be repeated; replaces all; '' for none)
    #[arg(long = "domain", value_name = "HOST")]
    domains: Option<Vec<String>>,
    /// Whether users are made, and associated with accounts, when they first enter
    #[arg(long, value_name = "YES|NO", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    just_in_time: Option<bool>,
}

impl Change {
    fn apply(self, configuration: &mut IdentityProviderConfiguration) {
        let Self { name, transfer_url, domains, just_in_time } = self;
        configuration.name = name.unwrap_or_else(|| configuration.name.clone());
        if let Some(url) = transfer_url {
            configuration.session_transfer_url = url;
        }
        if let Some(domains) = domains {
            configuration.domains = super::listed(domains);
        }
        configuration.just_in_time = just_in_time.unwrap_or(configuration.just_in_time);
    }
}

fn record(partner: &Partner) -> Value {
    let domains: Vec<_> = partner.domains().iter().map(ToString::to_string).collect();
    json!({
        "partner": partner.id,
        "name": partner.name,
        "environment": partner.environment.as_str(),
        "transfer_url": partner.transfer.url().as_str(),
        "domains": domains,
        "just_in_time": partner.just_in_time,
        "disabled": partner.disabled.map(kernel::Time::iso_seconds),
    })
}

fn id(text: &str) -> anyhow::Result<PartnerId> {
    super::id(PartnerId::parse, text, "partner list")
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    match action {
        Action::Create { id: wanted, change } => {
            let wanted = wanted.unwrap_or_else(|| PartnerId::new(&*desk.service.chance).to_string());
            let mut new = IdentityProviderConfiguration {
                partner_id: wanted.clone(),
                name: wanted,
                ..IdentityProviderConfiguration::default()
            };
            change.apply(&mut new);
            let made = desk.service.create_partner(&ACTOR, &holder, &new).await?.noun;
            let next = format!(
                "{0} is there; next: `vestibule account create --partner {0}` and `vestibule service-account create --partner {0}`",
                made.id
            );
            desk.out.done(&record(&made), &next)?;
        }
        Action::List(range) => {
            let after = range.after.as_deref().map(id).transpose()?;
            let all = desk.service.partners(&holder, after.as_ref(), range.limit).await?;
            let records: Vec<_> = all.iter().map(|kept| record(&kept.noun)).collect();
            desk.out.list(&records, &["partner", "name", "transfer_url", "just_in_time", "disabled"])?;
            range.note(records.len());
        }
        Action::Show { partner } => {
            let found = desk.service.partner(&holder, &id(&partner)?).await?;
            desk.out.one(&record(&found.noun))?;
        }
        Action::Set { partner, change, disable, enable } => {
            let id = id(&partner)?;
            let kept = desk.service.partner(&holder, &id).await?;
            let mut new = IdentityProviderConfiguration::of(&kept.noun, kept.revision);
            change.apply(&mut new);
            new.disabled = (new.disabled || disable) && !enable;
            let changed = desk.service.change_partner(&ACTOR, &holder, &id, new).await?;
            desk.out.one(&record(&changed.noun))?;
        }
        Action::Delete { partner } => {
            let id = id(&partner)?;
            desk.service.delete_partner(&ACTOR, &holder, &id).await?;
            desk.out.done(&json!({ "partner": id, "deleted": true }), &format!("{id} is deleted"))?;
        }
    }
    Ok(())
}
