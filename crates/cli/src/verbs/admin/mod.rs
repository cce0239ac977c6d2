//! Administration from the command line: everything goes through the same use cases as everywhere, with the
//! operator as the actor, and each change is seen by a serving process at its next request.

mod account;
mod api_key;
mod app;
mod audit;
mod client;
mod connector;
mod consent;
mod integration;
mod job;
mod master_key;
mod organization;
mod origin;
mod partner;
mod refusals;
mod release;
mod run;
mod service_account;
mod service_key;
mod service_provider;
mod signing_key;
mod tenant;
mod tenant_call;
mod tenant_set;
mod user;
mod webhook_endpoint;

use super::asking;
use super::output::{Output, note};
use crate::gateway;
use crate::settings::{Loaded, Settings};
use anyhow::{anyhow, bail};
use enter::ids::PartnerId;
use kernel::{Actor, Environment, Organization};
use service::Service;
use service::admin::{Holder, LIST_MOST};
use std::io::Write;
use std::sync::Arc;

/// On whose behalf: whoever can run this on the gateway's machine.
const ACTOR: Actor = Actor::Operator;

/// What can be administered.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes and changes organizations: the companies that embed pages
    Organization(On<organization::Action>),
    /// Keys with which an organization signs its tokens
    SigningKey(On<signing_key::Action>),
    /// Origins that may frame an organization's pages and are told what happens in them
    Origin(On<origin::Action>),
    /// Outside systems as data: those that ship and an organization's own
    Connector(On<connector::Action>),
    /// Apps that an organization registered at outside systems: client id and secret
    App(On<app::Action>),
    /// What is installed for a user when an outside system is connected
    Integration(On<integration::Action>),
    /// Versions of integrations that can run: built, chosen, deleted
    Release(On<release::Action>),
    /// What is installed: users' connections and webhook addresses
    Tenant(On<tenant::Action>),
    /// Runs of tenants: asked for, looked at, ended, done once more
    Run(On<run::Action>),
    /// Work that was given up: shown, done once more, deleted
    Job(On<job::Action>),
    /// Partners: the organization's side that vouches for its users at the second door
    Partner(On<partner::Action>),
    /// Accounts: the businesses of partners, for which their users enter apps
    Account(On<account::Action>),
    /// Partners' users, and for which accounts they may act
    User(On<user::Action>),
    /// Apps that partners' users enter, and to which accounts they are open
    ServiceProvider(On<service_provider::Action>),
    /// The apps' OpenID Connect clients and their secrets
    Client(On<client::Action>),
    /// What users have allowed apps of other companies
    Consent(On<consent::Action>),
    /// Service accounts: how partners' backends prove themselves
    ServiceAccount(On<service_account::Action>),
    /// Keys of service accounts
    ServiceKey(On<service_key::Action>),
    /// Where an organization hears of events: signed messages, what became of them
    WebhookEndpoint(On<webhook_endpoint::Action>),
    /// Keys for the REST API
    ApiKey(On<api_key::Action>),
    /// The key that seals all others
    MasterKey(On<master_key::Action>),
    /// Why visits were refused: which claim, and what was seen
    Refusals(refusals::Arguments),
    /// Who changed what
    Audit(On<audit::Action>),
}

/// What is done, and to whose records.
#[derive(Debug, clap::Args)]
pub struct On<A: clap::Subcommand> {
    #[command(subcommand)]
    action: A,
    #[command(flatten)]
    scope: Scope,
}

/// Whose records, in which environment, and how they are shown.
#[derive(Debug, Clone, clap::Args)]
pub struct Scope {
    /// The organization's name; may be left out where there is one only
    #[arg(long, global = true, display_order = 900, value_name = "NAME")]
    organization: Option<String>,
    /// `sandbox` or `production`; may be left out where one only has a public URL
    #[arg(long, global = true, display_order = 901, value_name = "NAME", value_parser = environment)]
    environment: Option<Environment>,
    /// JSON for programs instead of tables for people
    #[arg(long, global = true, display_order = 902)]
    json: bool,
}

fn environment(text: &str) -> Result<Environment, String> {
    Environment::parse(text).ok_or_else(|| "expected `sandbox` or `production`".to_owned())
}

/// What every command has at hand.
#[derive(Debug)]
struct Desk<'a> {
    service: Arc<Service>,
    scope: Scope,
    out: Output<'a>,
}

impl Desk<'_> {
    /// The organization that is meant.
    async fn organization(&self) -> anyhow::Result<Organization> {
        if let Some(name) = &self.scope.organization {
            return Ok(self.service.organization(name).await?.organization);
        }
        let mut all = self.service.organizations().await?;
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only.organization),
            (None, _) => {
                bail!("there is no organization yet; make one with `vestibule organization create NAME`")
            }
            (Some(last), false) => {
                let others = all.iter().map(|record| record.organization.slug.as_str());
                let names: Vec<_> = others.chain([last.organization.slug.as_str()]).collect();
                bail!("which organization? say --organization with one of: {}", names.join(", "))
            }
        }
    }

    /// The environment that is meant; it must have a public URL.
    fn environment(&self) -> anyhow::Result<Environment> {
        let places = self.service.places.all();
        match (self.scope.environment, places) {
            (Some(wanted), _) if self.service.places.of(wanted).is_some() => Ok(wanted),
            (Some(wanted), _) => {
                bail!("{wanted} has no public URL; set `environments.{wanted}.public_url` first")
            }
            (None, [only]) => Ok(only.environment),
            (None, _) => bail!("which environment? say --environment sandbox or --environment production"),
        }
    }
}

impl Desk<'_> {
    /// Whose records of the second door are meant.
    async fn holder(&self) -> anyhow::Result<Holder> {
        let organization = self.organization().await?.id;
        Ok(Holder { organization, environment: self.environment()? })
    }

    /// The partner that is meant: the one that is named, else the only one.
    async fn partner(&self, holder: &Holder, named: Option<String>) -> anyhow::Result<PartnerId> {
        if let Some(text) = named {
            return id(PartnerId::parse, &text, "partner list");
        }
        let all = self.service.partners(holder, None, 2).await?;
        match all.as_slice() {
            [only] => Ok(only.noun.id.clone()),
            [] => bail!(
                "there is no partner yet; make one with `vestibule partner create --transfer-url https://..`"
            ),
            _ => bail!("which partner? say --partner; `vestibule partner list` shows them"),
        }
    }
}

/// Which part of a long list.
#[derive(Debug, Clone, clap::Args)]
pub struct Range {
    /// Goes on after this one
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = LIST_MOST, value_parser = clap::value_parser!(i64).range(1..=LIST_MOST))]
    limit: i64,
}

impl Range {
    /// Says that there may be more.
    fn note(&self, shown: usize) {
        if i64::try_from(shown).is_ok_and(|shown| shown == self.limit) {
            note("there may be more: go on with --after and the last one");
        }
    }
}

/// What a repeated flag gave; an empty value stands for nothing.
fn listed(given: Vec<String>) -> Vec<String> {
    given.into_iter().filter(|one| !one.is_empty()).collect()
}

impl Command {
    fn scope(&self) -> &Scope {
        match self {
            Self::Organization(arguments) => &arguments.scope,
            Self::SigningKey(arguments) => &arguments.scope,
            Self::Origin(arguments) => &arguments.scope,
            Self::Connector(arguments) => &arguments.scope,
            Self::App(arguments) => &arguments.scope,
            Self::Integration(arguments) => &arguments.scope,
            Self::Release(arguments) => &arguments.scope,
            Self::Tenant(arguments) => &arguments.scope,
            Self::Run(arguments) => &arguments.scope,
            Self::Job(arguments) => &arguments.scope,
            Self::Partner(arguments) => &arguments.scope,
            Self::Account(arguments) => &arguments.scope,
            Self::User(arguments) => &arguments.scope,
            Self::ServiceProvider(arguments) => &arguments.scope,
            Self::Client(arguments) => &arguments.scope,
            Self::Consent(arguments) => &arguments.scope,
            Self::ServiceAccount(arguments) => &arguments.scope,
            Self::ServiceKey(arguments) => &arguments.scope,
            Self::WebhookEndpoint(arguments) => &arguments.scope,
            Self::ApiKey(arguments) => &arguments.scope,
            Self::MasterKey(arguments) => &arguments.scope,
            Self::Refusals(arguments) => &arguments.scope,
            Self::Audit(arguments) => &arguments.scope,
        }
    }

    async fn carry_out(self, desk: &mut Desk<'_>) -> anyhow::Result<()> {
        match self {
            Self::Organization(arguments) => organization::run(arguments.action, desk).await,
            Self::SigningKey(arguments) => signing_key::run(arguments.action, desk).await,
            Self::Origin(arguments) => origin::run(arguments.action, desk).await,
            Self::Connector(arguments) => connector::run(arguments.action, desk).await,
            Self::App(arguments) => app::run(arguments.action, desk).await,
            Self::Integration(arguments) => integration::run(arguments.action, desk).await,
            Self::Release(arguments) => release::run(arguments.action, desk).await,
            Self::Tenant(arguments) => tenant::run(arguments.action, desk).await,
            Self::Run(arguments) => run::run(arguments.action, desk).await,
            Self::Job(arguments) => job::run(arguments.action, desk).await,
            Self::Partner(arguments) => partner::run(arguments.action, desk).await,
            Self::Account(arguments) => account::run(arguments.action, desk).await,
            Self::User(arguments) => user::run(arguments.action, desk).await,
            Self::ServiceProvider(arguments) => service_provider::run(arguments.action, desk).await,
            Self::Client(arguments) => client::run(arguments.action, desk).await,
            Self::Consent(arguments) => consent::run(arguments.action, desk).await,
            Self::ServiceAccount(arguments) => service_account::run(arguments.action, desk).await,
            Self::ServiceKey(arguments) => service_key::run(arguments.action, desk).await,
            Self::WebhookEndpoint(arguments) => webhook_endpoint::run(arguments.action, desk).await,
            Self::ApiKey(arguments) => api_key::run(arguments.action, desk).await,
            Self::MasterKey(arguments) => master_key::run(arguments.action, desk).await,
            Self::Refusals(arguments) => refusals::run(arguments, desk).await,
            Self::Audit(arguments) => audit::run(arguments.action, desk).await,
        }
    }

    /// # Errors
    /// One sentence on what was wrong and what to do; nothing was changed then.
    pub fn run(self, loaded: &Loaded, out: &mut dyn Write) -> anyhow::Result<()> {
        let scope = self.scope().clone();
        let out = Output::new(out, scope.json);
        if let Self::Connector(arguments) = &self
            && let Some(files) = arguments.action.files_to_check()
        {
            return connector::check(files, gateway::policy(&loaded.settings), out);
        }
        asking()?.block_on(at_desk(self, &loaded.settings, scope, out))
    }
}

async fn at_desk(command: Command, settings: &Settings, scope: Scope, out: Output<'_>) -> anyhow::Result<()> {
    let service = gateway::open(settings).await?;
    let mut desk = Desk { service: Arc::clone(&service), scope, out };
    // On the heap: a command's future is as large as the largest of its use cases.
    let done = Box::pin(command.carry_out(&mut desk)).await;
    service.db.close().await;
    done
}

/// An id as it was typed.
fn id<T, E>(parse: impl FnOnce(&str) -> Result<T, E>, text: &str, list: &str) -> anyhow::Result<T> {
    parse(text).map_err(|_| anyhow!("`{text}` is not the id of one; `vestibule {list}` shows them"))
}
