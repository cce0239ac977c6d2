//! A partner with a person who is signed in, an app with clients, and what these ask over HTTP. Rows that belong to
//! the browser's side are written as an entry would leave them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use enter::account::{Account, Association, Identity, PartnerUserId, Person};
use enter::app::{App, EntryTemplate, RedirectUri, SignIn};
use enter::context::ServiceContext;
use enter::domain::Domain;
use enter::ids::{AccountId, AppId, ClientId, PartnerId, PersonId, SessionId};
use enter::oidc::{Authentication, Client, ClientKind};
use enter::partner::{Partner, TransferUrl};
use enter::session::{ACR, AMR, Session, SessionApp, SessionDetail};
use kernel::jose::Algorithm;
use kernel::{Actor, Environment, Plain, SystemChance, Time};
use serde_json::{Value, json};
use service::admin::organizations::OrganizationChange;
use service::enter::issued_code::NewCode;
use store::clients::ClientRecord;
use store::{
    DbError, Tx, accounts, activations, apps, associations, clients, partners, people, session_apps, sessions,
};
use testkit::world::{Answer, Ask, Person as Caller, World};

/// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const REDIRECT: &str = "https://app.example/cb";
pub(crate) const SPA: &str = "https://spa.example";
pub(crate) const SANDBOX: Environment = Environment::Sandbox;

/// A relying party with what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Rp {
    pub(crate) client: Client,
    pub(crate) secret: String,
}

impl Rp {
    pub(crate) fn id(&self) -> &str {
        self.client.id.as_str()
    }

    /// The fields that prove it, in a form.
    pub(crate) fn proof(&self) -> Vec<(String, String)> {
        let mut fields = vec![("client_id".to_owned(), self.id().to_owned())];
        if !self.secret.is_empty() {
            fields.push(("client_secret".to_owned(), self.secret.clone()));
        }
        fields
    }

    pub(crate) fn basic(&self) -> String {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(self.id()), encoded(&self.secret))))
    }
}

/// Everything that tokens rest on.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) partner: Partner,
    pub(crate) account: AccountId,
    pub(crate) person: Person,
    pub(crate) app: App,
    pub(crate) session: Session,
    pub(crate) caller: Caller,
}

fn domain(text: &str) -> Domain {
    Domain::from_stored(text)
}

/// Refresh tokens that nothing was given out for or in place of.
pub(crate) const LIVING: &str = "refresh_tokens AS t WHERE NOT EXISTS (SELECT 1 FROM refresh_tokens AS n
    WHERE n.grant_id = t.grant_id AND n.number > t.number AND n.given_for IN (t.number, t.given_for))";

fn session(partner: &PartnerId, person: &PersonId, now: Time) -> Session {
    let navbar = Plain::new(&SystemChance);
    let detail: SessionDetail = serde_json::from_value(json!({
        "acr": ACR, "amr": [AMR], "impersonator": "agent-7", "navbar": navbar.reveal(),
    }))
    .unwrap();
    Session {
        id: SessionId::new(now, &SystemChance),
        secret: Plain::new(&SystemChance).hashed(),
        partner: partner.clone(),
        person: person.clone(),
        partner_session: "their-session".to_owned(),
        authenticated: now,
        detail,
        created: now,
        touched: now,
        expires: now.plus_seconds(24 * 3600),
        ended: None,
    }
}

impl Scene {
    pub(crate) async fn of(world: &World) -> Self {
        Self::named(world, "acme").await
    }

    pub(crate) async fn named(world: &World, slug: &str) -> Self {
        let change = OrganizationChange { name: Some(slug.to_owned()), ..OrganizationChange::default() };
        let made = world.service().create_organization(&Actor::Operator, slug, change).await.unwrap();
        let organization = made.organization.id;
        let now = world.now();
        let partner = Partner {
            id: PartnerId::new(&SystemChance),
            organization: organization.clone(),
            environment: SANDBOX,
            name: format!("{slug} portal"),
            transfer: TransferUrl::parse("https://portal.example/sso").unwrap(),
            more_domains: vec![],
            just_in_time: true,
            disabled: None,
        };
        let account = Account {
            id: AccountId::new(&SystemChance),
            partner: partner.id.clone(),
            name: "Bakery".to_owned(),
            customer_identifier: None,
            disabled: None,
        };
        let person = Person {
            id: PersonId::new(&SystemChance),
            identity: Identity {
                partner: partner.id.clone(),
                partner_user: PartnerUserId::parse("anna-1").unwrap(),
            },
            email: Some("anna@example.com".to_owned()),
            email_verified: true,
            given_name: Some("Anna".to_owned()),
            family_name: Some("Ärendt>?~".to_owned()),
            locale: Some("de-CH".to_owned()),
            picture: None,
            disabled: None,
        };
        let app = App {
            id: AppId::new(&SystemChance),
            organization,
            environment: SANDBOX,
            name: "Market".to_owned(),
            entry: EntryTemplate::from_stored("https://app.example/enter/<accountId>"),
            primary_domain: domain("app.example"),
            more_domains: vec![],
            logout_url: None,
            sign_in: SignIn::OpenIdConnect { initiate_login_uri: None },
            pre_approved_scopes: vec!["openid".to_owned(), "profile".to_owned(), "email".to_owned()],
            open_to_all: false,
            disabled: None,
        };
        let session = session(&partner.id, &person.id, now);
        let scene = Self {
            caller: world.person(),
            world: world.clone(),
            account: account.id.clone(),
            partner,
            person,
            app,
            session,
        };
        scene.keep(account).await;
        scene
    }

    async fn keep(&self, account: Account) {
        let Self { partner, person, app, session, .. } = self.clone();
        let now = self.world.now();
        let entry = SessionApp {
            session: session.id.clone(),
            app: app.id.clone(),
            context: ServiceContext::Account(account.id.clone()),
            back_url: Some("https://portal.example/back".to_owned()),
            back_url_text: Some("Back to the portal".to_owned()),
            entered: now,
        };
        let association = Association {
            person: person.id.clone(),
            account: account.id.clone(),
            roles: vec!["member".to_owned()],
        };
        self.write(move |tx| {
            Box::pin(async move {
                assert!(partners::insert(tx, &partner, now).await?);
                assert!(accounts::insert(tx, SANDBOX, &account, now).await?);
                assert!(people::insert_if_new(tx, &person, now).await?);
                assert!(associations::insert_if_new(tx, &association, now).await?);
                assert!(apps::insert(tx, &app, now).await?);
                assert!(activations::insert(tx, &app.id, &account.id, now).await?);
                sessions::insert(tx, SANDBOX, &session).await?;
                session_apps::upsert(tx, &entry).await
            })
        })
        .await;
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(
            &'t mut Tx,
        )
            -> std::pin::Pin<Box<dyn Future<Output = Result<T, DbError>> + Send + 't>>
        + Send
        + 'static,
    ) -> T {
        self.world.db().write(body).await.unwrap()
    }

    /// A client that is set up in another way than [`Self::web`].
    pub(crate) async fn client(&self, change: impl FnOnce(&mut Client)) -> Rp {
        let secret = Plain::with_prefix("vst_cs_", &SystemChance);
        let mut client = Client {
            id: ClientId::new(&SystemChance),
            app: self.app.id.clone(),
            kind: ClientKind::Web,
            authentication: Authentication::Secret(vec![secret.hashed()]),
            redirect_uris: vec![RedirectUri::from_stored(REDIRECT)],
            post_logout_redirect_uris: vec![],
            scopes: vec!["openid".to_owned(), "profile".to_owned(), "email".to_owned()],
            id_token_algorithm: Algorithm::Es256,
            forgiveness: true,
            backchannel_logout_uri: None,
            disabled: None,
        };
        change(&mut client);
        let with_secret = matches!(client.authentication, Authentication::Secret(_));
        let (now, row) = (self.world.now(), client.clone());
        let hash = secret.hashed();
        self.write(move |tx| {
            Box::pin(async move {
                let id = row.id.clone();
                let record = ClientRecord { client: row, name: "web".to_owned(), created: now };
                assert!(clients::insert(tx, &record).await?);
                if with_secret {
                    clients::add_secret(tx, &id, &hash, now).await?;
                }
                Ok(())
            })
        })
        .await;
        Rp { client, secret: if with_secret { secret.reveal().to_owned() } else { String::new() } }
    }

    /// A server's client with a secret.
    pub(crate) async fn web(&self) -> Rp {
        self.client(|_| {}).await
    }

    /// A client without a secret, whose pages are at [`SPA`].
    pub(crate) async fn browser(&self) -> Rp {
        self.client(|client| {
            client.kind = ClientKind::Browser;
            client.authentication = Authentication::None;
            client.redirect_uris = vec![RedirectUri::from_stored(format!("{SPA}/cb"))];
            client.forgiveness = false;
        })
        .await
    }

    /// What an authorize request of this client is granted.
    pub(crate) fn granted(&self, rp: &Rp) -> NewCode {
        NewCode {
            client: rp.client.id.clone(),
            person: self.person.id.clone(),
            session: self.session.id.clone(),
            session_expires: self.session.expires,
            account: Some(self.account.clone()),
            scopes: vec!["openid".to_owned(), "profile".to_owned(), "email".to_owned()],
            claims: None,
            redirect_uri: rp.client.redirect_uris[0].as_str().to_owned(),
            challenge: Some(CHALLENGE.to_owned()),
            nonce: Some("n-0S6_WzA2Mj".to_owned()),
        }
    }

    /// A code, as authorize gives it out.
    pub(crate) async fn issue(&self, new: NewCode) -> String {
        let issued = self.world.service().issue_code(new);
        let code = issued.code.reveal().to_owned();
        self.write(move |tx| Box::pin(async move { issued.insert(tx).await })).await;
        code
    }

    pub(crate) async fn code(&self, rp: &Rp) -> String {
        self.issue(self.granted(rp)).await
    }

    /// A program's POST: no cookie, no `Origin`.
    pub(crate) fn posts(&self, path: &str, fields: &[(String, String)]) -> Ask {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.caller.ask(reqwest::Method::POST, path).form(&fields)
    }

    pub(crate) fn asks_token(&self, rp: &Rp, fields: &[(&str, &str)]) -> Ask {
        self.posts("/oauth2/token", &with(rp, fields))
    }

    pub(crate) fn redeeming(&self, rp: &Rp, code: &str) -> Ask {
        let redirect = rp.client.redirect_uris[0].as_str();
        self.asks_token(
            rp,
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", redirect),
                ("code_verifier", VERIFIER),
            ],
        )
    }

    pub(crate) fn refreshing(&self, rp: &Rp, token: &str) -> Ask {
        self.asks_token(rp, &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// The tokens of a fresh sign-in.
    pub(crate) async fn tokens(&self, rp: &Rp) -> Value {
        let code = self.code(rp).await;
        let answer = self.redeeming(rp, &code).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    pub(crate) async fn user_info(&self, access_token: &str) -> Answer {
        let bearer = format!("Bearer {access_token}");
        self.caller.ask(reqwest::Method::GET, "/oauth2/user-info").header("authorization", &bearer).await
    }

    pub(crate) fn url(&self) -> &str {
        self.world.url(SANDBOX)
    }
}

/// The client's proof and these fields.
pub(crate) fn with(rp: &Rp, fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    own.chain(rp.proof()).collect()
}

pub(crate) fn text<'j>(json: &'j Value, name: &str) -> &'j str {
    json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}"))
}

/// A JWT's header and payload, unproven.
pub(crate) fn opened(token: &str) -> (Value, Value) {
    let part = |at: usize| {
        let part = token.split('.').nth(at).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    (part(0), part(1))
}

/// Status and `error` of an answer.
pub(crate) fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

pub(crate) fn refused(status: u16, error: &str) -> (u16, String) {
    (status, error.to_owned())
}
