//! A gateway as a company would have set it up, with its floor beside it.

use crate::client::{BROWSER, Connection, request};
use crate::databases::{Databases, Fresh, Kind};
use crate::floor;
use crate::process::{Server, free_address};
use crate::provider::Provider;
use crate::tokens::Signer;
use anyhow::{Context as _, Result};
use connect::credential::App;
use connect::signing_key::Algorithm;
use kernel::ids::{IntegrationId, OrganizationId};
use kernel::{Actor, Chance, Environment, MasterKey, SecretText, SystemChance};
use service::Service;
use service::admin::integrations::NewIntegration;
use service::admin::organizations::OrganizationChange;
use service::admin::signing_keys::NewMaterial;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use vestibule::settings::{Settings, Sources};

pub const ORGANIZATION: &str = "acme";
pub const OWN_CONNECTOR: &str = "acme-product";
pub const OUTSIDE_CONNECTOR: &str = "outside";
pub const INTEGRATION: &str = "acme-outside";

const OWN_DEFINITION: &str = r#"id = "acme-product"
name = "Acme"

[auth]
kind = "api_key"

[[inputs]]
key = "token"
label = "Token"
secret = true

[api]
base_url = "https://api.acme.example"
headers = { Authorization = "Bearer {inputs.token}" }
"#;

/// One gateway and its floor on one kind of database.
#[derive(Debug)]
pub struct World {
    pub kind: Kind,
    pub gateway: Server,
    pub floor: Server,
    /// The floor with a commit of its own for each row.
    pub alone: Server,
    /// `Host`, as browsers send it.
    pub host: String,
    pub signer: Signer,
    pub api_key: String,
    pub organization: OrganizationId,
    pub integration: IntegrationId,
    /// The same database, for what is prepared past HTTP.
    pub service: Arc<Service>,
    _databases: [Fresh; 3],
}

/// Settings of a gateway, in a file.
#[derive(Debug)]
pub struct Configuration {
    pub address: SocketAddr,
    pub file: PathBuf,
    program: PathBuf,
    log: PathBuf,
}

impl Configuration {
    /// # Errors
    /// When the folder does not take it.
    pub fn write(program: &Path, folder: &Path, name: &str, database: &str, kind: Kind) -> Result<Self> {
        let address = free_address();
        let connectors = folder.join("connectors");
        std::fs::create_dir_all(&connectors)?;
        let key = MasterKey::new((&SystemChance as &dyn Chance).bytes::<32>());
        let synchronous = if kind == Kind::SqliteNormal { "normal" } else { "full" };
        let text = format!(
            "listen = \"{address}\"\n\
             [environments.sandbox]\npublic_url = \"http://localhost:{port}\"\n\
             [database]\nurl = \"{database}\"\nsynchronous = \"{synchronous}\"\n\
             [keys]\nmaster_key = \"{key}\"\n\
             [outbound]\nallow = [\"127.0.0.0/8\"]\n\
             [connectors]\nfolder = \"{connectors}\"\n",
            port = address.port(),
            key = key.to_hex().as_str(),
            connectors = connectors.display(),
        );
        let file = folder.join(format!("{name}.toml"));
        std::fs::write(&file, text)?;
        let log = folder.join(format!("{name}.log"));
        Ok(Self { address, file, program: program.to_owned(), log })
    }

    pub fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// # Errors
    /// When the program refuses it.
    pub fn settings(&self) -> Result<Settings> {
        let sources = Sources { file: Some(self.file.clone()), ..Sources::default() };
        let loaded = vestibule::settings::load(&sources).map_err(|refused| anyhow::anyhow!("{refused}"))?;
        Ok(loaded.settings)
    }

    /// Starts the program as its operator does: everything that is not in the file is as shipped.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(&self) -> Result<Server> {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(&self.file);
        Server::start(&mut command, self.address, "/health/ready", &self.log).await
    }
}

impl World {
    /// # Errors
    /// When something of it cannot be made.
    pub async fn new(
        program: &Path,
        databases: &Databases,
        provider: &Provider,
        kind: Kind,
        name: &str,
    ) -> Result<Self> {
        let database = databases.fresh(kind, &format!("{name}-gateway")).await?;
        let floor_database = databases.fresh(kind, &format!("{name}-floor")).await?;
        let alone_database = databases.fresh(kind, &format!("{name}-alone")).await?;
        let name = format!("{name}-{}", kind.name().replace(' ', "-"));
        let configuration = Configuration::write(program, databases.folder(), &name, &database.url, kind)?;
        let definition = databases.folder().join("connectors").join("outside.toml");
        std::fs::write(definition, provider.definition())?;
        let service = vestibule::gateway::open(&configuration.settings()?).await?;
        let company = company(&service).await?;
        let gateway = configuration.start().await?;
        let log = databases.folder().join(format!("{name}-floor.log"));
        let floor = floor::start(&floor_database.url, kind.synchronous(), false, &log).await?;
        let alone = floor::start(&alone_database.url, kind.synchronous(), true, &log).await?;
        Ok(Self {
            kind,
            gateway,
            floor,
            alone,
            host: configuration.host(),
            signer: company.signer,
            api_key: company.api_key,
            organization: company.organization,
            integration: company.integration,
            service,
            _databases: [database, floor_database, alone_database],
        })
    }

    /// The landing of a user, as a browser posts it.
    pub fn landing(&mut self, user: u64) -> Vec<u8> {
        let body = format!("tenant={}", self.signer.sign(user));
        let headers = format!("{BROWSER}{}", crate::client::FORM);
        request("POST", &format!("/{ORGANIZATION}/{OUTSIDE_CONNECTOR}/auth"), &self.host, &headers, &body)
    }

    /// A landing's body at the floor: the same bytes, kept in a row.
    pub fn floor_landing(&mut self, user: u64) -> Vec<u8> {
        let body = format!("tenant={}", self.signer.sign(user));
        let headers = format!("{BROWSER}{}", crate::client::FORM);
        request("POST", "/commit", &self.host, &headers, &body)
    }

    /// Opens a dialog and reads its page: the dialog's path and the page.
    ///
    /// # Errors
    /// When the gateway refuses it.
    pub async fn dialog(&mut self, connection: &mut Connection, user: u64) -> Result<(String, String)> {
        let landing = self.landing(user);
        let answer = connection.send(&landing).await?.expect(303)?;
        let path = answer.header("location").context("the landing's location")?.to_owned();
        let page = connection.send(&request("GET", &path, &self.host, BROWSER, "")).await?.expect(200)?;
        let page = page.text().to_owned();
        Ok((path, page))
    }
}

struct Company {
    organization: OrganizationId,
    integration: IntegrationId,
    signer: Signer,
    api_key: String,
}

async fn company(service: &Service) -> Result<Company> {
    let (actor, environment) = (Actor::Operator, Environment::Sandbox);
    let change = OrganizationChange { name: Some("Acme".to_owned()), ..OrganizationChange::default() };
    let made = service.create_organization(&actor, ORGANIZATION, change).await?;
    let id = made.organization.id;
    let (key, secret) = service
        .add_signing_key(&actor, &id, environment, Algorithm::Hs256, "bench", NewMaterial::Secret)
        .await?;
    let secret = secret.context("the signing key's secret")?;
    service.put_connector(&actor, &id, "acme-product.toml", OWN_DEFINITION).await?;
    let app = App {
        client_id: "bench".to_owned(),
        client_secret: Some(SecretText::new("a-client-secret-of-the-usual-length")),
        ..App::default()
    };
    service.put_app(&actor, &id, environment, OUTSIDE_CONNECTOR, &app).await?;
    let new = NewIntegration {
        name: INTEGRATION.to_owned(),
        long_name: None,
        external: true,
        own_connector: Some(OWN_CONNECTOR.to_owned()),
        connectors: vec![OUTSIDE_CONNECTOR.to_owned()],
        schedule: None,
        shift_all: false,
    };
    let integration = service.create_integration(&actor, &id, environment, new).await?;
    let scopes = ["tenants:read".to_owned(), "webhooks:write".to_owned()];
    let (_, api_key) = service.create_api_key(&actor, &id, environment, "bench", &scopes).await?;
    Ok(Company {
        organization: id,
        integration: integration.id,
        signer: Signer::new(secret.reveal(), key.id.as_str()),
        api_key: api_key.reveal().to_owned(),
    })
}
