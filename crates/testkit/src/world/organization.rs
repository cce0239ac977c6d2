//! A company that embeds our pages, set up through the same use cases as the command line's.

use super::own_system::OWN_TOKEN;
use super::token::Token;
use super::{World, WorldBuilder};
use crate::standins::{CLIENT_ID, CLIENT_SECRET, ProviderKind};
use connect::credential::App;
use connect::integration::Integration;
use connect::signing_key::{Algorithm, SigningKey};
use kernel::ids::OrganizationId;
use kernel::{Actor, Environment, Plain, SecretText, SystemChance};
use serde_json::json;
use service::admin::integrations::NewIntegration;
use service::admin::organizations::OrganizationChange;
use service::admin::signing_keys::NewMaterial;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

/// The connector that stands for the companies' own system.
pub const OWN_CONNECTOR: &str = "gwt";

/// A company that is about to be set up; `await` does it.
#[derive(Debug, Clone)]
pub struct NewCompany {
    world: World,
    slug: String,
    change: OrganizationChange,
    environment: Environment,
    origins: Vec<String>,
}

impl NewCompany {
    pub(super) fn new(world: World, slug: &str) -> Self {
        let origins = vec![format!("https://app.{slug}.example")];
        let change = OrganizationChange { name: Some(capitalized(slug)), ..OrganizationChange::default() };
        Self { world, slug: slug.to_owned(), change, environment: Environment::Sandbox, origins }
    }

    /// Everything stands in production instead of the sandbox.
    #[must_use]
    pub const fn in_production(mut self) -> Self {
        self.environment = Environment::Production;
        self
    }

    /// The name that people read.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.change.name = Some(name.to_owned());
        self
    }

    #[must_use]
    pub fn brand(mut self, brand: &str) -> Self {
        self.change.brand = Some(brand.to_owned());
        self
    }

    /// Exactly these origins; none leaves the list empty.
    #[must_use]
    pub fn origins(mut self, origins: &[&str]) -> Self {
        self.origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        self
    }

    async fn set_up(self) -> Company {
        let Self { world, slug, change, environment, origins } = self;
        let (service, actor) = (world.service(), Actor::Operator);
        let made = service.create_organization(&actor, &slug, change).await.expect("an organization");
        let id = made.organization.id;
        let (key, secret) = service
            .add_signing_key(&actor, &id, environment, Algorithm::Hs256, "first", NewMaterial::Secret)
            .await
            .expect("a signing key");
        for origin in &origins {
            service.add_origin(&actor, &id, environment, origin).await.expect("an origin");
        }
        let company = Company {
            id,
            slug,
            environment,
            key,
            secret: secret.expect("a shared secret is shown once"),
            world: world.clone(),
        };
        let own = company.own_definition();
        service.put_connector(&actor, &company.id, "gwt.toml", &own).await.expect("the own connector");
        for kind in ProviderKind::ALL {
            company.add_app(kind).await;
            company.integrate(&[kind.connector()]).await;
        }
        company
    }
}

impl IntoFuture for NewCompany {
    type Output = Company;
    type IntoFuture = Pin<Box<dyn Future<Output = Company> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.set_up())
    }
}

/// A company, with what its engineers hold.
#[derive(Debug, Clone)]
pub struct Company {
    pub id: OrganizationId,
    pub slug: String,
    pub environment: Environment,
    /// The first signing key's record.
    pub key: SigningKey,
    secret: Plain,
    world: World,
}

impl Company {
    /// The shared secret of its first key, as it was shown once.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.secret.reveal()
    }

    /// The landing's path for this outside system.
    #[must_use]
    pub fn page(&self, connector: &str) -> String {
        format!("/{}/{connector}/auth", self.slug)
    }

    /// A good token of Anna's for the integration `{connector}-sync`, with a fresh `jti`.
    #[must_use]
    pub fn token(&self, connector: &str) -> Token {
        let jti = Plain::new(&SystemChance);
        let claims = json!({
            "iat": self.world.now().seconds(),
            "jti": jti.reveal(),
            "sub": "anna@example.com",
            "ti": {
                "udn": "Anna",
                "ufn": "Anna Arendt",
                "uem": "anna@example.com",
                "ili": [],
                "xti": {
                    "connector_name": OWN_CONNECTOR,
                    "integration_name": format!("{connector}-sync"),
                    "token": OWN_TOKEN,
                },
            },
        });
        Token::new(claims, self.secret())
    }

    /// An API key with these scopes: the secret.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn api_key(&self, scopes: &[&str]) -> String {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let made = self
            .world
            .service()
            .create_api_key(&Actor::Operator, &self.id, self.environment, "test", &scopes)
            .await;
        made.expect("an API key").1.reveal().to_owned()
    }

    /// One more integration, `{first connector}-sync` where it has one connector, else their names with dashes.
    /// It runs every half an hour.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn integrate(&self, connectors: &[&str]) -> Integration {
        let name = format!("{}-sync", connectors.join("-"));
        let new = NewIntegration {
            long_name: Some(format!("{} for {}", connectors.join(" and "), self.slug)),
            name,
            external: true,
            own_connector: Some(OWN_CONNECTOR.to_owned()),
            connectors: connectors.iter().map(|name| (*name).to_owned()).collect(),
            schedule: Some("*/30 * * * *".to_owned()),
            shift_all: false,
        };
        self.add_integration(new).await
    }

    /// # Panics
    /// When it is refused.
    pub async fn add_integration(&self, new: NewIntegration) -> Integration {
        let made =
            self.world.service().create_integration(&Actor::Operator, &self.id, self.environment, new).await;
        made.expect("an integration")
    }

    /// A connector of its own making. `text` may say `{own}` for the origin of its own system.
    ///
    /// # Panics
    /// When the definition is refused.
    pub async fn add_connector(&self, text: &str) {
        let text = text.replace("{own}", &self.world.own_system.url(""));
        let put = self.world.service().put_connector(&Actor::Operator, &self.id, "own.toml", &text).await;
        put.unwrap_or_else(|refused| panic!("{refused}"));
    }

    async fn add_app(&self, kind: ProviderKind) {
        let mut app = App {
            client_id: CLIENT_ID.to_owned(),
            client_secret: Some(SecretText::new(CLIENT_SECRET)),
            ..App::default()
        };
        match kind {
            ProviderKind::Slack => app.fields.set("signing_secret", SLACK_SIGNING_SECRET),
            ProviderKind::Notion => app.fields.set("verification_token", NOTION_VERIFICATION_TOKEN),
            ProviderKind::Stripe => return,
            ProviderKind::HubSpot | ProviderKind::Salesforce => {}
        }
        self.put_app(kind.connector(), &app).await;
    }

    /// # Panics
    /// When it is refused.
    pub async fn put_app(&self, connector: &str, app: &App) {
        let put =
            self.world.service().put_app(&Actor::Operator, &self.id, self.environment, connector, app).await;
        put.expect("an app");
    }

    fn own_definition(&self) -> String {
        let base = if self.world.accepts_loopback() {
            self.world.own_system.url("")
        } else {
            "https://desk.example.com".to_owned()
        };
        format!(
            r#"id = "{OWN_CONNECTOR}"
name = "{name} Desk"

[auth]
kind = "api_key"
account = "{{capture.account}}"

[[inputs]]
key = "token"
label = "Token"
secret = true

[verify]
request = {{ url = "{base}/me" }}
save = {{ "/account" = "account" }}

[api]
base_url = "{base}"
headers = {{ Authorization = "Bearer {{token.access}}" }}
"#,
            name = capitalized(&self.slug),
        )
    }
}

/// What Slack signs its deliveries with.
pub const SLACK_SIGNING_SECRET: &str = "standin-slack-signing-secret";
/// What Notion signs its deliveries with.
pub const NOTION_VERIFICATION_TOKEN: &str = "standin-notion-verification-token";

fn capitalized(slug: &str) -> String {
    let mut letters = slug.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl World {
    fn accepts_loopback(&self) -> bool {
        self.plan.loopback == connect::connector::Loopback::Allowed
    }
}

impl WorldBuilder {
    /// A world and a company in it: what most tests begin with.
    ///
    /// # Panics
    /// When a server does not start.
    pub async fn with(self, slug: &str) -> (World, Company) {
        let world = self.start().await;
        let company = world.organization(slug).await;
        (world, company)
    }
}
