//! The demo's gateway: a database in a temporary folder, a master key that is only in memory, one organization
//! with everything it needs, all made by the same functions that the command line uses.

use super::setup_enter::{self, GivenEntering};
use super::sites::{Addresses, Site, picture};
use super::work;
use anyhow::{Context as _, anyhow};
use connect::connector::{Catalogue, Definition, Loopback, Policy, Problem, shipped};
use connect::credential::App;
use connect::signing_key::Algorithm;
use kernel::ids::OrganizationId;
use kernel::{
    Actor, Chance, Clock, Environment, MasterKey, MasterKeys, Plain, SecretText, SystemChance, SystemClock,
};
use outbound::{Allow, Client};
use runner::Runner;
use service::admin::integrations::NewIntegration;
use service::admin::organizations::OrganizationChange;
use service::admin::signing_keys::NewMaterial;
use service::work::Machine;
use service::{Limits, Parts, Place, Places, Service};
use std::path::Path;
use std::sync::Arc;
use store::{Config, Db, migrate};

/// The organization's name in paths.
pub(crate) const ORGANIZATION: &str = "acme";
/// The demo's one environment.
pub(crate) const ENVIRONMENT: Environment = Environment::Sandbox;
/// The integration that has a program.
const RUNS: &str = "harbor-sync";
/// The client that Acme registered at Harbor.
pub(crate) const CLIENT_ID: &str = "acme-desk";

const HARBOR: &str = include_str!("connectors/harbor.toml");
const LEDGER: &str = include_str!("connectors/ledger.toml");
const ACME: &str = include_str!("connectors/acme.toml");

/// What Acme got when it registered at the gateway and at Harbor: each secret is known to its two sides only.
pub(crate) struct Given {
    pub(crate) organization: OrganizationId,
    /// The secret that tenant tokens are signed with.
    pub(crate) signing_secret: Plain,
    /// Acme's key for the gateway's API.
    pub(crate) api_key: Plain,
    /// Acme's client secret at Harbor.
    pub(crate) client_secret: SecretText,
    /// The second door's.
    pub(crate) entering: GivenEntering,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("organization", &self.organization).finish_non_exhaustive()
    }
}

/// Makes the gateway's service with its database in `folder`.
///
/// # Errors
/// Where the folder cannot be written to.
pub(crate) async fn service(
    folder: &Path,
    addresses: Addresses,
    runner: Runner,
) -> anyhow::Result<Arc<Service>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chance: Arc<dyn Chance> = Arc::new(SystemChance);
    let file = folder.join("vestibule.db");
    let db = Db::open(&Config::new(format!("sqlite:{}", file.display()))).await?;
    migrate(&db, clock.now()).await?;
    let place = Place::new(ENVIRONMENT, &addresses.origin(Site::Gateway))?;
    // Decision: calls may go to this one port of this machine. Attack: a connector that the visitor writes
    // would otherwise reach whatever else listens here. Trade: none in the demo.
    let allow = Allow::parse(&[format!("127.0.0.1:{}", addresses.port)])?;
    let mut service = Service::new(Parts {
        db,
        clock,
        places: Places::new(vec![place])?,
        masters: MasterKeys::new(MasterKey::new(chance.bytes::<32>()), Vec::new()),
        chance,
        catalogue: catalogue(addresses)?,
        outbound: Client::new(outbound::Limits::default(), allow)?,
        policy: Policy { loopback: Loopback::Allowed },
        limits: Limits::default(),
    });
    service.machine = Machine { runner, folder: folder.join("work"), ..Machine::default() };
    Ok(Arc::new(service))
}

/// The shipped connectors and those of the two outside stand-ins.
fn catalogue(addresses: Addresses) -> anyhow::Result<Catalogue> {
    let mut catalogue = shipped();
    for (file, text) in [("harbor.toml", HARBOR), ("ledger.toml", LEDGER)] {
        let policy = Policy { loopback: Loopback::Allowed };
        let definition = Definition::parse(file, &placed(text, addresses), policy);
        let lines = |problems: Vec<Problem>| {
            anyhow!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        };
        catalogue.put(definition.map_err(lines)?);
    }
    Ok(catalogue)
}

/// A definition with this run's port and its picture.
fn placed(text: &str, addresses: Addresses) -> String {
    let mut text = text.replace(".localhost:8400", &format!(".localhost:{}", addresses.port));
    for name in ["harbor.svg", "ledger.svg", "acme.svg"] {
        text = text.replace(&format!("\"{name}\""), &format!("\"{}\"", picture(&format!("/{name}"))));
    }
    text
}

/// Sets the organization up: what an engineer does once, at the command line.
///
/// # Errors
/// Where the database does not take it.
pub(crate) async fn organization(
    service: &Service,
    addresses: Addresses,
    folder: &Path,
) -> anyhow::Result<Given> {
    let operator = Actor::Operator;
    let change = OrganizationChange {
        name: Some("Acme Desk".to_owned()),
        color: Some("#6b3fd4".to_owned()),
        logo: Some(picture("/acme.svg")),
        ..OrganizationChange::default()
    };
    let made = service.create_organization(&operator, ORGANIZATION, change).await?;
    let id = made.organization.id;
    let key = service
        .add_signing_key(&operator, &id, ENVIRONMENT, Algorithm::Hs256, "Acme backend", NewMaterial::Secret)
        .await?;
    service.add_origin(&operator, &id, ENVIRONMENT, &addresses.origin(Site::Acme)).await?;
    service.put_connector(&operator, &id, "acme.toml", &placed(ACME, addresses)).await?;
    let client_secret = SecretText::new(Plain::new(&*service.chance).reveal());
    let app =
        App { client_id: CLIENT_ID.to_owned(), client_secret: Some(client_secret.clone()), ..App::default() };
    service.put_app(&operator, &id, ENVIRONMENT, "harbor", &app).await?;
    for (name, long_name, connector, schedule) in [
        // Each minute, because nobody watches a tour for half an hour.
        (RUNS, "Deals from Harbor CRM", "harbor", "* * * * *"),
        ("ledger-sync", "Invoices from Ledger", "ledger", "*/30 * * * *"),
    ] {
        let new = NewIntegration {
            name: name.to_owned(),
            long_name: Some(long_name.to_owned()),
            external: true,
            own_connector: Some("acme".to_owned()),
            connectors: vec![connector.to_owned()],
            schedule: Some(schedule.to_owned()),
            shift_all: false,
        };
        let made = service.create_integration(&operator, &id, ENVIRONMENT, new).await?;
        if name == RUNS {
            work::release(service, &id, made.id, folder).await?;
        }
    }
    let scopes = ["tenants:read", "tenants:write", "integrations:read", "runs:read"].map(str::to_owned);
    let (_, api_key) = service.create_api_key(&operator, &id, ENVIRONMENT, "Acme backend", &scopes).await?;
    let signing_secret = key.1.context("a shared secret is made for HS256")?;
    let entering = setup_enter::companies(service, addresses).await?;
    Ok(Given { organization: id, signing_secret, api_key, client_secret, entering })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stand_ins_are_described_without_problems() {
        let addresses = Addresses { port: 4321 };
        let catalogue = catalogue(addresses).unwrap();
        for name in ["harbor", "ledger", "hubspot"] {
            assert!(catalogue.find(&kernel::Slug::parse(name).unwrap()).is_some(), "{name}");
        }
        let text = placed(HARBOR, addresses);
        assert!(!text.contains("8400") || text.matches("8400").count() == 1, "only the comment names it");
        assert!(text.contains("http://harbor.localhost:4321/oauth/token"));
    }
}
