//! A partner with accounts `AG-1` and `AG-2`, an app of it, and people with browsers.

use enter::account::{Association, Identity, PartnerUserId, Person};
use enter::context::ServiceContext;
use enter::ids::{AccountId, PersonId};
use kernel::ids::RefusalId;
use kernel::{Environment, SystemChance};
use store::{DbError, associations, people, refusals};
use testkit::enter_app::{EnterApp, Registration};
use testkit::enter_partner::{EnterPartner, Ordered};
use testkit::surfer::{Rest, Surfer};
use testkit::world::World;

pub(crate) struct Visit {
    pub(crate) partner: EnterPartner,
    pub(crate) app: EnterApp,
}

pub(crate) fn account(id: &str) -> ServiceContext {
    ServiceContext::Account(AccountId::parse(id).unwrap())
}

impl Visit {
    pub(crate) async fn of(world: &World, just_in_time: bool) -> Self {
        Self::with(world, just_in_time, Registration::default()).await
    }

    pub(crate) async fn with(world: &World, just_in_time: bool, how: Registration) -> Self {
        let partner = EnterPartner::start(world, "meridian", just_in_time, &["AG-1", "AG-2"]).await;
        let app = EnterApp::of(world, &partner, "MP-1", how).await;
        Self { partner, app }
    }

    /// Someone who is signed in at the partner's portal.
    pub(crate) async fn signed_in(&self, world: &World, user: &str) -> Surfer {
        let surfer = Surfer::new(world);
        surfer.signs_in(&self.partner.origin, user).await;
        surfer
    }

    /// Someone who has come in, and is signed in at the gateway.
    pub(crate) async fn inside(&self, world: &World, user: &str) -> Surfer {
        let surfer = self.signed_in(world, user).await;
        let rest = surfer.opens(&self.entry(user).await).await;
        assert_eq!(rest.answer.status, 200, "{}", rest.text());
        surfer
    }

    /// A fresh entry URL for account `AG-1`.
    pub(crate) async fn entry(&self, user: &str) -> String {
        let ordered = Ordered::new(user, &self.app.id, &account("AG-1"));
        self.partner.entry_url(&ordered).await.unwrap()
    }

    /// A user that the partner has added itself.
    pub(crate) async fn knows(&self, world: &World, user: &str) {
        let person = Person {
            id: PersonId::new(&SystemChance),
            identity: self.identity(user),
            email: None,
            email_verified: false,
            given_name: None,
            family_name: None,
            locale: None,
            picture: None,
            disabled: None,
        };
        let now = world.now();
        let write = world
            .db()
            .write(move |tx| Box::pin(async move { people::insert_if_new(tx, &person, now).await }));
        assert!(write.await.map_err(|error: DbError| error).unwrap());
    }

    pub(crate) async fn associates(&self, world: &World, user: &str, with: &str) {
        let (identity, account, now) = (self.identity(user), AccountId::parse(with).unwrap(), world.now());
        let write = world.db().write(move |tx| {
            Box::pin(async move {
                let person = people::by_identity(tx, &identity).await?.expect("a user");
                let roles = vec!["owner".to_owned()];
                associations::insert_if_new(tx, &Association { person: person.id, account, roles }, now).await
            })
        });
        assert!(write.await.map_err(|error: DbError| error).unwrap());
    }

    fn identity(&self, user: &str) -> Identity {
        Identity {
            partner: self.partner.partner.id.clone(),
            partner_user: PartnerUserId::parse(user).unwrap(),
        }
    }

    /// A page that a person understands, and a record of it for the partner's engineer.
    pub(crate) async fn refused(&self, world: &World, rest: &Rest, status: u16, code: &str) {
        let text = rest.text();
        assert_eq!(rest.answer.status, status, "{code}: {text} {:?}", rest.way);
        assert!(text.contains(&format!("<code>{code}</code>")), "{code}: {text}");
        assert!(rest.answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        let id = RefusalId::parse(&rest.reference()).unwrap();
        let read = world.db().read(move |tx| Box::pin(async move { refusals::by_id(tx, &id).await }));
        let record = read.await.map_err(|error: DbError| error).unwrap().expect("a record");
        assert_eq!((record.code.as_str(), record.status), (code, status));
        assert_eq!(record.environment, Environment::Sandbox);
        assert_eq!(record.organization.as_ref(), Some(&self.partner.organization), "{code}");
        assert!(!record.message.is_empty() && !record.message.contains("vst_"), "{}", record.message);
    }
}
