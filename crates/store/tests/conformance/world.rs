//! A migrated database of one test and the things that most tests begin with.

use connect::attempt::Attempt;
use connect::dialog::{Dialog, Stage, Visitor, id_of, least_id, token_name};
use connect::integration::{Channel, Integration};
use connect::tenant::{Source, Tenant};
use connect::webhook::Webhook;
use futures_util::future::BoxFuture;
use kernel::ids::{AttemptId, OrganizationId, TenantId, UserId, WebhookId};
use kernel::{Brand, Environment, Hashed, Organization, Plain, Sealed, SeededChance, Slug, Time, User};
use serde_json::json;
use store::organizations::OrganizationRecord;
use store::{Config, Db, DbError, Tx, dialogs, organizations};

pub(crate) const NOW: Time = Time::from_micros(1_710_182_741_532_727);
pub(crate) const SANDBOX: Environment = Environment::Sandbox;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) chance: SeededChance,
    _folder: Option<tempfile::TempDir>,
    _database: Option<testkit::postgres::Database>,
}

pub(crate) fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

pub(crate) fn sealed(text: &str) -> Sealed {
    Sealed::from_stored(format!("v1.k.{text}"))
}

pub(crate) fn hashed(text: &str) -> Hashed {
    Plain::presented(text).hashed()
}

/// The id of the dialog that was opened [`NOW`] with this bearer.
pub(crate) fn dialog_id(bearer: &str) -> Hashed {
    id_of(&Plain::presented(format!("{}{bearer}", least_id(NOW).as_str())))
}

impl World {
    pub(crate) async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Config::new(format!("sqlite:{}", folder.path().join("test.db").display())))
            .await
            .unwrap();
        store::migrate(&db, NOW).await.unwrap();
        Self { db, chance: SeededChance::new(1), _folder: Some(folder), _database: None }
    }

    pub(crate) async fn on_postgres() -> Self {
        let server = testkit::postgres::Postgres::shared().await;
        let migrated = |url: String| async move {
            let db = Db::open(&Config::new(url)).await?;
            store::migrate(&db, NOW).await?;
            db.close().await;
            Ok::<_, DbError>(())
        };
        let database = server.database("store", migrated).await;
        let config = Config { max_connections: 12, ..Config::new(database.url()) };
        let db = Db::open(&config).await.unwrap();
        Self { db, chance: SeededChance::new(1), _folder: None, _database: Some(database) }
    }

    /// A unit of work that must succeed.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, DbError>> + Send + 'static,
    ) -> T {
        self.db.write(body).await.unwrap()
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, DbError>> + Send + 'static,
    ) -> T {
        self.db.read(body).await.unwrap()
    }

    pub(crate) fn new_organization(&self, name: &str) -> OrganizationRecord {
        let organization = Organization {
            id: OrganizationId::new(NOW, &self.chance),
            slug: slug(name),
            name: format!("{name} & Söhne"),
            brand: Brand::default(),
            color: kernel::Color::parse("#0f6b5c").ok(),
            logo: None,
            config_version: 0,
            created: NOW,
            disabled: false,
        };
        OrganizationRecord { organization, token_max_age_s: 300, token_ahead_s: 60 }
    }

    pub(crate) async fn organization(&self, name: &str) -> OrganizationId {
        let new = self.new_organization(name);
        let id = new.organization.id.clone();
        assert!(
            self.write(move |tx| Box::pin(async move { store::organizations::insert(tx, &new).await })).await
        );
        id
    }

    pub(crate) async fn integration(&self, organization: &OrganizationId, name: &str) -> Integration {
        let (organization, name) = (organization.clone(), slug(name));
        self.write(move |tx| {
            Box::pin(async move {
                let new = Integration {
                    id: store::integrations::next_id(tx).await?,
                    organization,
                    environment: SANDBOX,
                    long_name: format!("The {name}"),
                    name,
                    external: true,
                    own_connector: Some(slug("acme")),
                    connectors: vec![slug("hubspot"), slug("a-second"), slug("notion")],
                    schedule: Some("*/30 * * * *".to_owned()),
                    shift_all: false,
                    channel: Channel::Default,
                    default_release: None,
                    repository: None,
                    created: NOW,
                    modified: NOW,
                };
                assert!(store::integrations::insert(tx, &new).await?);
                Ok(new)
            })
        })
        .await
    }

    pub(crate) fn new_user(&self, organization: &OrganizationId, username: &str) -> User {
        User {
            id: UserId::new(&self.chance),
            organization: organization.clone(),
            environment: SANDBOX,
            username: username.to_owned(),
            email: Some(format!("{username}@example.com")),
            external_id: None,
            meta: json!({"plan": [1, "gold", null]}),
            attributes: json!({"z": 1, "a": "é"}),
            created: NOW,
            modified: NOW,
        }
    }

    pub(crate) async fn user(&self, organization: &OrganizationId, username: &str) -> UserId {
        let user = self.new_user(organization, username);
        self.write(move |tx| Box::pin(async move { store::users::upsert(tx, &user).await })).await
    }

    pub(crate) fn new_tenant(
        &self,
        id: TenantId,
        integration: &Integration,
        user: UserId,
        name: &str,
    ) -> Tenant {
        Tenant {
            id,
            organization: integration.organization.clone(),
            environment: SANDBOX,
            integration: integration.id,
            user,
            name: name.to_owned(),
            source: Source::Connect,
            paused: false,
            archived: None,
            user_schedule: Some("*/30 * * * *".to_owned()),
            schedule: Some("8-59/30 * * * *".to_owned()),
            time_zone: "Europe/Berlin".to_owned(),
            channel: Channel::Default,
            release: None,
            configs: json!({}),
            created: NOW,
            modified: NOW,
        }
    }

    pub(crate) async fn tenant(&self, integration: &Integration, username: &str) -> Tenant {
        let user = self.user(&integration.organization, username).await;
        let id = self.write(|tx| Box::pin(store::tenants::next_id(tx))).await;
        let tenant = self.new_tenant(id, integration, user, &format!("t-{id}"));
        let new = tenant.clone();
        let inserted =
            self.write(move |tx| Box::pin(async move { store::tenants::insert(tx, &new).await })).await;
        assert_eq!(inserted, store::tenants::Inserted::New);
        tenant
    }

    pub(crate) fn new_dialog(&self, organization: &OrganizationId, bearer: &str, jti: &str) -> Dialog {
        Dialog {
            id: dialog_id(bearer),
            organization: organization.clone(),
            environment: SANDBOX,
            jti: token_name(organization, SANDBOX, jti),
            integration: kernel::ids::IntegrationId::new(1).unwrap(),
            connector: slug("hubspot"),
            own_connector: None,
            visitor: Visitor {
                username: "anna".to_owned(),
                email: None,
                display_name: Some("Anna \"A\" O'Neil \\ 🚪".to_owned()),
                full_name: None,
                external_id: None,
                meta: json!(null),
                external_integrations: vec!["x".to_owned()],
                acting_id: None,
                acting_name: None,
                extra: json!({"z": 1, "a": 2, "token": "********"}),
            },
            own_token: Some(sealed("own")),
            inputs: None,
            stage: Stage::Ready,
            version: 1,
            framed: true,
            parent: kernel::Origin::parse("https://app.example.com").ok(),
            locale: "de".to_owned(),
            announced_to: None,
            created: NOW,
            expires: NOW.plus_seconds(900),
            replay_until: NOW.plus_seconds(420),
        }
    }

    /// Writes a dialog under its organization's present configuration, as a landing does.
    pub(crate) async fn open(&self, dialog: &Dialog) -> bool {
        let version = organizations::config_version_by_id(&self.db, &dialog.organization).await.unwrap();
        let (_, version) = version.unwrap();
        dialogs::open(&self.db, dialog, version, |tenant| Stage::Connected { tenant })
            .await
            .unwrap()
            .is_some()
    }

    pub(crate) fn new_attempt(&self, dialog: &Dialog, ticket: &str, state: &str) -> Attempt {
        Attempt {
            id: AttemptId::new(NOW, &self.chance),
            dialog: dialog.id.clone(),
            organization: dialog.organization.clone(),
            environment: dialog.environment,
            connector: dialog.connector.clone(),
            ticket: hashed(ticket),
            state: hashed(state),
            cookie: hashed("cookie"),
            verifier: Some(sealed("verifier")),
            needs_code: false,
            in_tab: true,
            created: NOW,
            expires: NOW.plus_seconds(900),
            used: None,
            outcome: None,
            pending: None,
        }
    }

    pub(crate) fn new_webhook(&self, tenant: &Tenant, connector: Option<&str>, secret: &str) -> Webhook {
        Webhook {
            id: WebhookId::new(NOW, &self.chance),
            organization: tenant.organization.clone(),
            environment: tenant.environment,
            tenant: tenant.id,
            connector: connector.map(slug),
            secret_hash: hashed(secret),
            secret: sealed(secret),
            created: NOW,
            ends: None,
        }
    }
}
