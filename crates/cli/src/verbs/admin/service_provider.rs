//! `vestibule service-provider ..`

use super::{ACTOR, Desk, Range, account};
use clap::builder::BoolishValueParser;
use enter::app::{App, EntryTemplate, SignIn};
use enter::domain::Domain;
use enter::ids::{AccountId, AppId};
use enter::sso::{OpenIdConnect, ServiceProviderConfiguration, SessionUrl};
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Makes an app of the organization
    Create {
        /// Its id (`service_provider_id`), as MP-123. Made here where none is given
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        #[command(flatten)]
        change: Box<Change>,
    },
    /// The organization's apps
    List(Range),
    /// One app
    Show { app: String },
    /// Changes what is given and leaves the rest
    Set {
        app: String,
        #[command(flatten)]
        change: Box<Change>,
        /// Lets nobody in and refuses its clients and their tokens from now on
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// Takes --disable back
        #[arg(long)]
        enable: bool,
    },
    /// Opens the app to accounts, whichever partner's they are
    Activate {
        app: String,
        #[arg(required = true)]
        accounts: Vec<String>,
    },
    /// Closes the app to accounts
    Deactivate {
        app: String,
        #[arg(required = true)]
        accounts: Vec<String>,
    },
    /// The accounts to which the app is open
    Activations {
        app: String,
        #[command(flatten)]
        range: Range,
    },
    /// Deletes an app with its clients and their tokens
    Delete { app: String },
}

#[derive(Debug, clap::Args)]
pub struct Change {
    /// What people read. Where none is given at first: the id
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Where its users come in; `{{accountId}}` or `<accountId>` in path or query is where the account goes
    #[arg(long, value_name = "URL")]
    entry_url: Option<String>,
    /// A host of the app, the primary one first (may be repeated; replaces all). Default: the entry URL's host
    #[arg(long = "domain", value_name = "HOST")]
    domains: Option<Vec<String>>,
    /// Where it ends its own session ('' for nowhere)
    #[arg(long, value_name = "URL")]
    logout_url: Option<String>,
    /// Where a sign-in begins that did not begin at the app (OpenID Connect Core, section 4; '' for nowhere)
    #[arg(long, value_name = "URL", conflicts_with = "session_url")]
    initiate_login_uri: Option<String>,
    /// Makes it an app of the older kind: the gateway posts a signed token there ('' for OpenID Connect again)
    #[arg(long, value_name = "URL")]
    session_url: Option<String>,
    /// A scope that users are not asked about (may be repeated; replaces all; '' for none)
    #[arg(long = "pre-approved-scope", value_name = "SCOPE")]
    pre_approved_scopes: Option<Vec<String>>,
    /// Whether every account may enter, or only those to which it is opened
    #[arg(long, value_name = "YES|NO", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    open_to_all: Option<bool>,
}

impl Change {
    fn apply(self, configuration: &mut ServiceProviderConfiguration) -> anyhow::Result<()> {
        let text = |field: &mut String, new: Option<String>| {
            if let Some(new) = new {
                *field = new;
            }
        };
        text(&mut configuration.name, self.name);
        text(&mut configuration.entry_url, self.entry_url);
        text(&mut configuration.logout_url, self.logout_url);
        if let Some(domains) = self.domains {
            let mut domains = super::listed(domains).into_iter();
            configuration.primary_domain = domains.next().unwrap_or_default();
            configuration.alternative_domains = domains.collect();
        }
        if configuration.primary_domain.is_empty() {
            configuration.primary_domain = host_of(&configuration.entry_url)?;
        }
        if let Some(session_url) = self.session_url {
            let older = (!session_url.is_empty()).then_some(SessionUrl { session_url });
            configuration.open_id_connect = older.is_none().then(OpenIdConnect::default);
            configuration.session_url = older;
        }
        if let Some(initiate_login_uri) = self.initiate_login_uri {
            configuration.open_id_connect = Some(OpenIdConnect { initiate_login_uri });
            configuration.session_url = None;
        }
        if let Some(scopes) = self.pre_approved_scopes {
            configuration.pre_approved_scopes = super::listed(scopes);
        }
        configuration.open_to_all = self.open_to_all.unwrap_or(configuration.open_to_all);
        Ok(())
    }
}

/// The domain of an entry URL, with its place filled in.
fn host_of(entry_url: &str) -> anyhow::Result<String> {
    anyhow::ensure!(!entry_url.is_empty(), "an app needs its entry URL: --entry-url https://..");
    let url = EntryTemplate::from_stored(entry_url).filled(Some(&AccountId::parse("a0")?))?;
    Ok(Domain::of(&url).to_string())
}

fn record(app: &App) -> Value {
    let (kind, initiate_login_uri, session_url) = match &app.sign_in {
        SignIn::OpenIdConnect { initiate_login_uri } => ("OpenID Connect", initiate_login_uri.as_ref(), None),
        SignIn::SessionUrl(url) => ("session URL", None, Some(url)),
    };
    let domains: Vec<_> = app.domains().iter().map(ToString::to_string).collect();
    json!({
        "service_provider": app.id,
        "name": app.name,
        "environment": app.environment.as_str(),
        "signs_in_by": kind,
        "entry_url": app.entry.as_str(),
        "domains": domains,
        "logout_url": app.logout_url.as_ref().map(kernel::SafeUrl::as_str),
        "initiate_login_uri": initiate_login_uri.map(kernel::SafeUrl::as_str),
        "session_url": session_url.map(kernel::SafeUrl::as_str),
        "pre_approved_scopes": app.pre_approved_scopes,
        "open_to_all": app.open_to_all,
        "disabled": app.disabled.map(kernel::Time::iso_seconds),
    })
}

pub(super) fn id(text: &str) -> anyhow::Result<AppId> {
    super::id(AppId::parse, text, "service-provider list")
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    match action {
        Action::Create { id: wanted, change } => create(desk, wanted, *change).await?,
        Action::List(range) => {
            let after = range.after.as_deref().map(id).transpose()?;
            let all = desk.service.all_apps(&holder, after.as_ref(), range.limit).await?;
            let records: Vec<_> = all.iter().map(|kept| record(&kept.noun)).collect();
            let fields = ["service_provider", "name", "signs_in_by", "entry_url", "open_to_all", "disabled"];
            desk.out.list(&records, &fields)?;
            range.note(records.len());
        }
        Action::Show { app } => {
            let found = desk.service.app(&holder, &id(&app)?).await?;
            desk.out.one(&record(&found.noun))?;
        }
        Action::Set { app, change, disable, enable } => {
            let id = id(&app)?;
            let kept = desk.service.app(&holder, &id).await?;
            let mut new = ServiceProviderConfiguration::of(&kept.noun, kept.revision);
            change.apply(&mut new)?;
            new.disabled = (new.disabled || disable) && !enable;
            let changed = desk.service.change_app(&ACTOR, &holder, &id, new).await?;
            desk.out.one(&record(&changed.noun))?;
        }
        Action::Activate { app, accounts } => switch(desk, &app, &accounts, true).await?,
        Action::Deactivate { app, accounts } => switch(desk, &app, &accounts, false).await?,
        Action::Activations { app, range } => {
            let after = range.after.as_deref().map(account::id).transpose()?;
            let id = id(&app)?;
            let all = desk.service.activations(&holder, &id, after.as_ref(), range.limit).await?;
            let records = all
                .iter()
                .map(|(account, since)| json!({ "account": account, "since": since.iso_seconds() }));
            let records: Vec<_> = records.collect();
            desk.out.list(&records, &["account", "since"])?;
            range.note(records.len());
        }
        Action::Delete { app } => {
            let id = id(&app)?;
            desk.service.delete_app(&ACTOR, &holder, &id).await?;
            let said = format!("{id} is deleted");
            desk.out.done(&json!({ "service_provider": id, "deleted": true }), &said)?;
        }
    }
    Ok(())
}

async fn create(desk: &mut Desk<'_>, wanted: Option<String>, change: Change) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let wanted = wanted.unwrap_or_else(|| AppId::new(&*desk.service.chance).to_string());
    let mut new = ServiceProviderConfiguration {
        service_provider_id: wanted.clone(),
        name: wanted,
        ..ServiceProviderConfiguration::default()
    };
    change.apply(&mut new)?;
    let made = desk.service.create_app(&ACTOR, &holder, &new).await?.noun;
    let next = match made.sign_in {
        SignIn::OpenIdConnect { .. } => {
            format!(
                "{0} is there; next: `vestibule client create --service-provider {0} --redirect-uri https://..`",
                made.id
            )
        }
        SignIn::SessionUrl(_) => format!("{} is there", made.id),
    };
    desk.out.done(&record(&made), &next)?;
    Ok(())
}

/// One after another: those before one that is refused stay as they are wanted.
async fn switch(desk: &mut Desk<'_>, app: &str, accounts: &[String], active: bool) -> anyhow::Result<()> {
    let (holder, app) = (desk.holder().await?, id(app)?);
    let accounts: Vec<AccountId> = accounts.iter().map(|text| account::id(text)).collect::<Result<_, _>>()?;
    for account in &accounts {
        desk.service.activate_app(&ACTOR, &holder, &app, account, active).await?;
    }
    let names: Vec<_> = accounts.iter().map(AccountId::as_str).collect();
    let word = if active { "open" } else { "closed" };
    let said = format!("{app} is {word} to {}", names.join(", "));
    desk.out.done(&json!({ "service_provider": app, "accounts": accounts, "active": active }), &said)?;
    Ok(())
}
