//! `vestibule user ..`

use super::{ACTOR, Desk, Range, account};
use clap::builder::BoolishValueParser;
use enter::account::{Association, Identity, MEMBER, PartnerUserId, Person};
use enter::ids::PersonId;
use serde_json::{Value, json};
use service::admin::people::PersonChange;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Makes a user of a partner; with just-in-time entry that happens by itself
    Create {
        /// What the partner calls its user, byte for byte: who the user is
        #[arg(value_name = "PARTNER_USER")]
        partner_user: String,
        /// Our own id, as U-123. Made here where none is given
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// Whose user; may be left out where there is one partner only
        #[arg(long, value_name = "ID")]
        partner: Option<String>,
        #[command(flatten)]
        change: Box<Change>,
    },
    /// A partner's users, by the partner's own ids
    List {
        /// Whose; may be left out where there is one partner only
        #[arg(long, value_name = "ID")]
        partner: Option<String>,
        #[command(flatten)]
        range: Range,
    },
    /// One user and the accounts for which it may act
    Show { user: String },
    /// Changes what is given and leaves the rest
    Set {
        user: String,
        #[command(flatten)]
        change: Box<Change>,
        /// Ends all its sessions and tokens and lets it in no more
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// Takes --disable back; ended sessions stay ended
        #[arg(long)]
        enable: bool,
    },
    /// Lets a user act for an account
    Associate {
        user: String,
        account: String,
        /// As what (may be repeated; replaces what was)
        #[arg(long = "role", value_name = "ROLE", default_values = [MEMBER])]
        roles: Vec<String>,
    },
    /// Lets a user act for an account no more
    Dissociate { user: String, account: String },
    /// Deletes a user, with its sessions
    Delete { user: String },
}

#[derive(Debug, clap::Args)]
pub struct Change {
    /// E-mail address, an attribute and nothing that identifies ('' for none)
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Whether the partner has checked the address
    #[arg(long, value_name = "YES|NO", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    email_verified: Option<bool>,
    /// Given name ('' for none)
    #[arg(long, value_name = "TEXT")]
    given_name: Option<String>,
    /// Family name ('' for none)
    #[arg(long, value_name = "TEXT")]
    family_name: Option<String>,
    /// Language, as de or pt-BR
    #[arg(long, value_name = "TAG")]
    locale: Option<String>,
    /// Address of a picture (https)
    #[arg(long, value_name = "URL")]
    picture: Option<String>,
}

impl Change {
    fn into_change(self, disabled: Option<bool>) -> PersonChange {
        let Self { email, email_verified, given_name, family_name, locale, picture } = self;
        PersonChange { email, email_verified, given_name, family_name, locale, picture, disabled }
    }
}

fn record(person: &Person) -> Value {
    json!({
        "user": person.id,
        "partner": person.identity.partner,
        "partner_user": person.identity.partner_user.as_str(),
        "name": person.name(),
        "email": person.email,
        "email_verified": person.email_verified,
        "given_name": person.given_name,
        "family_name": person.family_name,
        "locale": person.locale,
        "picture": person.picture,
        "disabled": person.disabled.map(kernel::Time::iso_seconds),
    })
}

fn with_accounts(person: &Person, associations: &[Association], json: bool) -> Value {
    let accounts = associations.iter().map(|one| {
        if json {
            json!({ "account": one.account, "roles": one.roles })
        } else {
            Value::String(format!("{} ({})", one.account, one.roles.join(" ")))
        }
    });
    let accounts = Value::Array(accounts.collect());
    let mut record = record(person);
    if let Some(record) = record.as_object_mut() {
        record.insert("accounts".to_owned(), accounts);
    }
    record
}

pub(super) fn id(text: &str) -> anyhow::Result<PersonId> {
    super::id(PersonId::parse, text, "user list")
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    match action {
        Action::Create { partner_user, id: wanted, partner, change } => {
            let wanted = wanted.map(|text| PersonId::parse(&text)).transpose()?;
            let partner_user = PartnerUserId::parse(&partner_user)?;
            let identity = Identity { partner: desk.partner(&holder, partner).await?, partner_user };
            let change = change.into_change(None);
            let made = desk.service.create_person(&ACTOR, &holder, identity, wanted, change).await?;
            desk.out.done(&record(&made), &format!("{} is there", made.id))?;
        }
        Action::List { partner, range } => {
            let partner = desk.partner(&holder, partner).await?;
            let after = range.after.as_deref().map(PartnerUserId::parse).transpose()?;
            let all = desk.service.people(&holder, &partner, after.as_ref(), range.limit).await?;
            let records: Vec<_> = all.iter().map(record).collect();
            desk.out.list(&records, &["user", "partner_user", "name", "email", "disabled"])?;
            range.note(records.len());
        }
        Action::Show { user } => {
            let (person, associations) = desk.service.person(&holder, &id(&user)?).await?;
            let shown = with_accounts(&person, &associations, desk.out.is_json());
            desk.out.one(&shown)?;
        }
        Action::Set { user, change, disable, enable } => {
            let change = change.into_change((disable || enable).then_some(disable));
            anyhow::ensure!(change != PersonChange::default(), "nothing to change was given; see --help");
            let changed = desk.service.change_person(&ACTOR, &holder, &id(&user)?, change).await?;
            desk.out.one(&record(&changed))?;
        }
        Action::Associate { user, account, roles } => {
            let (id, account) = (id(&user)?, account::id(&account)?);
            let made = desk.service.associate(&ACTOR, &holder, &id, &account, &roles).await?;
            let told = json!({ "user": made.person, "account": made.account, "roles": made.roles });
            desk.out.done(&told, &format!("{id} may act for {account} as {}", made.roles.join(", ")))?;
        }
        Action::Dissociate { user, account } => {
            let (id, account) = (id(&user)?, account::id(&account)?);
            let ended = desk.service.dissociate(&ACTOR, &holder, &id, &account).await?;
            anyhow::ensure!(ended, "{id} may not act for {account} anyway");
            let told = json!({ "user": id, "account": account, "roles": [] });
            desk.out.done(&told, &format!("{id} may act for {account} no more"))?;
        }
        Action::Delete { user } => {
            let id = id(&user)?;
            desk.service.delete_person(&ACTOR, &holder, &id).await?;
            desk.out.done(&json!({ "user": id, "deleted": true }), &format!("{id} is deleted"))?;
        }
    }
    Ok(())
}
