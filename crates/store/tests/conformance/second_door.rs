//! The tables of the second door on both databases, and what their tests begin with.

// Above the modules, which use them.
macro_rules! write {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.write(move |$tx| Box::pin(async move { $body.await })).await
    };
}
macro_rules! read {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.read(move |$tx| Box::pin(async move { $body.await })).await
    };
}

mod browser_side;
mod partner_side;
mod registry;
mod swept;
mod tokens;

use crate::world::{NOW, SANDBOX, World, slug};
use enter::account::{Account, Identity, PartnerUserId, Person};
use enter::app::{App, EntryTemplate, RedirectUri, SignIn};
use enter::domain::Domain;
use enter::ids::{AccountId, AppId, ClientId, PartnerId, PersonId};
use enter::oidc::{Authentication, Client, ClientKind};
use enter::partner::{Partner, TransferUrl};
use kernel::SafeUrl;
use kernel::ids::OrganizationId;
use kernel::jose::Algorithm;
use store::clients::ClientRecord;

pub(crate) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

pub(crate) fn partner_user(text: &str) -> PartnerUserId {
    PartnerUserId::parse(text).unwrap()
}

impl World {
    pub(crate) fn new_partner(&self, organization: &OrganizationId, id: &str) -> Partner {
        Partner {
            id: PartnerId::parse(id).unwrap(),
            organization: organization.clone(),
            environment: SANDBOX,
            name: "Meridian & Söhne".to_owned(),
            transfer: TransferUrl::parse("https://login.meridian.example/session-transfer?x=1").unwrap(),
            more_domains: vec![domain("www.meridian.example"), domain("localhost:3000")],
            just_in_time: true,
            disabled: None,
        }
    }

    /// A partner of an organization of its own.
    pub(crate) async fn partner(&self, id: &str) -> Partner {
        let organization = self.organization(slug(&id.to_ascii_lowercase()).as_str()).await;
        let partner = self.new_partner(&organization, id);
        let new = partner.clone();
        assert!(
            self.write(move |tx| Box::pin(async move { store::partners::insert(tx, &new, NOW).await })).await
        );
        partner
    }

    pub(crate) fn new_account(&self, partner: &Partner, id: &str) -> Account {
        Account {
            id: AccountId::parse(id).unwrap(),
            partner: partner.id.clone(),
            name: format!("Bakery {id}"),
            customer_identifier: Some("cust/7".to_owned()),
            disabled: None,
        }
    }

    pub(crate) async fn account(&self, partner: &Partner, id: &str) -> Account {
        let account = self.new_account(partner, id);
        let new = account.clone();
        let write = self
            .write(move |tx| Box::pin(async move { store::accounts::insert(tx, SANDBOX, &new, NOW).await }));
        assert!(write.await);
        account
    }

    pub(crate) fn new_person(&self, partner: &Partner, partner_user_id: &str) -> Person {
        Person {
            id: PersonId::new(&self.chance),
            identity: Identity { partner: partner.id.clone(), partner_user: partner_user(partner_user_id) },
            email: Some("anna@example.com".to_owned()),
            email_verified: true,
            given_name: Some("Anna".to_owned()),
            family_name: None,
            locale: Some("de".to_owned()),
            picture: None,
            disabled: None,
        }
    }

    pub(crate) async fn person(&self, partner: &Partner, partner_user_id: &str) -> Person {
        let person = self.new_person(partner, partner_user_id);
        let new = person.clone();
        let write =
            self.write(move |tx| Box::pin(async move { store::people::insert_if_new(tx, &new, NOW).await }));
        assert!(write.await);
        person
    }

    pub(crate) fn new_app(&self, organization: &OrganizationId, id: &str) -> App {
        let primary_domain = domain("app.beacon.example");
        let entry = "https://app.beacon.example/enter/<accountId>?tab=1";
        App {
            id: AppId::parse(id).unwrap(),
            organization: organization.clone(),
            environment: SANDBOX,
            name: "Beacon".to_owned(),
            entry: EntryTemplate::register(entry, std::slice::from_ref(&primary_domain)).unwrap(),
            primary_domain,
            more_domains: vec![domain("beacon.example")],
            logout_url: SafeUrl::parse("https://app.beacon.example/logout").ok(),
            sign_in: SignIn::OpenIdConnect {
                initiate_login_uri: SafeUrl::parse("https://app.beacon.example/login").ok(),
            },
            pre_approved_scopes: vec!["openid".to_owned(), "profile".to_owned()],
            open_to_all: false,
            disabled: None,
        }
    }

    pub(crate) async fn app(&self, organization: &OrganizationId, id: &str) -> App {
        let app = self.new_app(organization, id);
        let new = app.clone();
        assert!(
            self.write(move |tx| Box::pin(async move { store::apps::insert(tx, &new, NOW).await })).await
        );
        app
    }

    pub(crate) fn new_client(&self, app: &App, id: &str) -> ClientRecord {
        let uri = |text: &str| RedirectUri::register(text).unwrap();
        let client = Client {
            id: ClientId::parse(id).unwrap(),
            app: app.id.clone(),
            kind: ClientKind::Web,
            authentication: Authentication::Secret(vec![]),
            redirect_uris: vec![
                uri("https://app.beacon.example/callback?a=b"),
                uri("https://app.beacon.example"),
            ],
            post_logout_redirect_uris: vec![uri("https://app.beacon.example/bye")],
            scopes: vec!["openid".to_owned()],
            id_token_algorithm: Algorithm::Rs256,
            forgiveness: true,
            backchannel_logout_uri: SafeUrl::parse("https://app.beacon.example/backchannel").ok(),
            disabled: None,
        };
        ClientRecord { client, name: "Beacon's server".to_owned(), created: NOW }
    }

    pub(crate) async fn client(&self, app: &App, id: &str) -> ClientRecord {
        let record = self.new_client(app, id);
        let new = record.clone();
        assert!(self.write(move |tx| Box::pin(async move { store::clients::insert(tx, &new).await })).await);
        record
    }
}
