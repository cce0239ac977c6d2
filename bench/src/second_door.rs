//! What a partner, its person and an app hold at the second door of a gateway that is measured.

use crate::world::World;
use anyhow::{Context as _, Result};
use enter::account::{Account, Association, Identity, PartnerUserId, Person};
use enter::app::{App, EntryTemplate, RedirectUri, SignIn};
use enter::domain::Domain;
use enter::ids::{AccountId, AppId, ClientId, PartnerId, PersonId, ServiceKeyId, SessionId};
use enter::oidc::{Authentication, Client, ClientKind};
use enter::partner::{Partner, TransferUrl};
use enter::service_account::{Scope, ServiceAccount, ServiceKey};
use enter::session::{ACR, AMR, Session};
use kernel::jose::{Algorithm, SigningKey};
use kernel::{Environment, Plain, SystemChance, Time};
use serde_json::json;
use std::rc::Rc;
use store::clients::ClientRecord;
use store::service_accounts::{self, ServiceAccountRecord};
use store::{DbError, accounts, apps, associations, clients, partners, people, sessions};

const ENVIRONMENT: Environment = Environment::Sandbox;
pub const REDIRECT: &str = "http://127.0.0.1:1/cb";
const EMAIL: &str = "entry@acme.example";
/// RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Made once for each gateway.
#[derive(Debug)]
pub struct SecondDoor {
    pub app: AppId,
    pub account: AccountId,
    pub client: ClientId,
    pub secret: Plain,
    /// Of a session that is there already.
    pub cookie: Plain,
    key: SigningKey,
    key_id: ServiceKeyId,
    issuer: String,
}

impl SecondDoor {
    /// # Errors
    /// When the gateway's database does not take it.
    pub async fn open(world: &World) -> Result<Rc<Self>> {
        let service = &world.service;
        let now = service.clock.now();
        let partner = partner(world)?;
        let account = Account {
            id: AccountId::new(&SystemChance),
            partner: partner.id.clone(),
            name: "Bakery".to_owned(),
            customer_identifier: None,
            disabled: None,
        };
        let person = person(&partner)?;
        let app = app(world);
        let (secret, cookie) = (Plain::new(&SystemChance), Plain::new(&SystemChance));
        let client = client(&app, &secret);
        let session = session(&partner, &person, &cookie, now)?;
        let key = SigningKey::generate(Algorithm::Es256)?;
        let key_id = ServiceKeyId::new(&SystemChance);
        let jwk = key.public().to_jwk().to_string();
        let service_key = ServiceKey::new(key_id.clone(), EMAIL.to_owned(), Algorithm::Es256, jwk, true);
        let backend = backend(&partner, now);
        let door = Self {
            app: app.id.clone(),
            account: account.id.clone(),
            client: client.id.clone(),
            secret: secret.clone(),
            cookie,
            key,
            key_id,
            issuer: service.places.of(ENVIRONMENT).context("the sandbox")?.url().to_owned(),
        };
        let hash = secret.hashed();
        let write = service.db.write(move |tx| {
            Box::pin(async move {
                partners::insert(tx, &partner, now).await?;
                accounts::insert(tx, ENVIRONMENT, &account, now).await?;
                people::insert_if_new(tx, &person, now).await?;
                let roles = vec!["member".to_owned()];
                let association = Association { person: person.id, account: account.id, roles };
                associations::insert_if_new(tx, &association, now).await?;
                apps::insert(tx, &app, now).await?;
                let id = client.id.clone();
                clients::insert(tx, &ClientRecord { client, name: "web".to_owned(), created: now }).await?;
                clients::add_secret(tx, &id, &hash, now).await?;
                sessions::insert(tx, ENVIRONMENT, &session).await?;
                service_accounts::insert(tx, &backend).await?;
                service_accounts::insert_key(tx, &service_key, now).await?;
                Ok::<_, DbError>(())
            })
        });
        write.await?;
        Ok(Rc::new(door))
    }

    /// The path of an authorize request for the account.
    pub fn authorize(&self) -> String {
        format!(
            "/oauth2/auth?response_type=code&client_id={}&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb\
             &scope=openid%20profile%20email&state=af0ifjsldkj&nonce=n-0S6_WzA2Mj&code_challenge={CHALLENGE}\
             &code_challenge_method=S256&account_id={}",
            self.client, self.account
        )
    }

    /// The client's proof, as a form has it.
    pub fn proof(&self) -> String {
        format!("client_id={}&client_secret={}", self.client, self.secret.reveal())
    }

    /// A fresh assertion of the partner's backend, as a form.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn assertion(&self, now_s: i64) -> Result<String> {
        let jti = Plain::new(&SystemChance);
        let claims = json!({
            "iss": EMAIL, "sub": EMAIL, "aud": self.issuer, "iat": now_s, "exp": now_s + 300, "jti": jti.reveal(),
        });
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.key_id });
        let assertion = self.key.jws(&header, &claims.to_string())?;
        Ok(format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"))
    }
}

fn person(partner: &Partner) -> Result<Person> {
    Ok(Person {
        id: PersonId::new(&SystemChance),
        identity: Identity { partner: partner.id.clone(), partner_user: PartnerUserId::parse("anna")? },
        email: Some("anna@example.com".to_owned()),
        email_verified: true,
        given_name: Some("Anna".to_owned()),
        family_name: Some("Arendt".to_owned()),
        locale: None,
        picture: None,
        disabled: None,
    })
}

fn partner(world: &World) -> Result<Partner> {
    Ok(Partner {
        id: PartnerId::new(&SystemChance),
        organization: world.organization.clone(),
        environment: ENVIRONMENT,
        name: "Portal".to_owned(),
        transfer: TransferUrl::parse("https://portal.example/sso")?,
        more_domains: vec![],
        just_in_time: true,
        disabled: None,
    })
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).into()
}

fn app(world: &World) -> App {
    App {
        id: AppId::new(&SystemChance),
        organization: world.organization.clone(),
        environment: ENVIRONMENT,
        name: "Market".to_owned(),
        entry: EntryTemplate::from_stored("https://app.example/enter/<accountId>"),
        primary_domain: Domain::from_stored("app.example"),
        more_domains: vec![],
        logout_url: None,
        sign_in: SignIn::OpenIdConnect { initiate_login_uri: None },
        pre_approved_scopes: scopes(),
        open_to_all: true,
        disabled: None,
    }
}

fn client(app: &App, secret: &Plain) -> Client {
    Client {
        id: ClientId::new(&SystemChance),
        app: app.id.clone(),
        kind: ClientKind::Web,
        authentication: Authentication::Secret(vec![secret.hashed()]),
        redirect_uris: vec![RedirectUri::from_stored(REDIRECT)],
        post_logout_redirect_uris: vec![],
        scopes: scopes(),
        id_token_algorithm: Algorithm::Es256,
        forgiveness: true,
        backchannel_logout_uri: None,
        disabled: None,
    }
}

fn session(partner: &Partner, person: &Person, cookie: &Plain, now: Time) -> Result<Session> {
    let navbar = Plain::new(&SystemChance);
    Ok(Session {
        id: SessionId::new(now, &SystemChance),
        secret: cookie.hashed(),
        partner: partner.id.clone(),
        person: person.id.clone(),
        partner_session: "s-0".to_owned(),
        authenticated: now,
        detail: serde_json::from_value(json!({ "acr": ACR, "amr": [AMR], "navbar": navbar.reveal() }))?,
        created: now,
        touched: now,
        expires: now.plus_seconds(24 * 3600),
        ended: None,
    })
}

fn backend(partner: &Partner, now: Time) -> ServiceAccountRecord {
    let account = ServiceAccount {
        email: EMAIL.to_owned(),
        partner: partner.id.clone(),
        scopes: Scope::DEFAULT.map(|scope| scope.as_str().to_owned()).into(),
        disabled: None,
    };
    ServiceAccountRecord { account, name: "entry".to_owned(), created: now }
}
