//! A partner's backend: a service account with a key, what it signs, and what it calls.

use super::oidc::scene::{SANDBOX, Scene};
use enter::ids::ServiceKeyId;
use enter::service_account::{KeyFile, KeyPair, Switches};
use kernel::jose::Algorithm;
use kernel::{Actor, Plain, SystemChance};
use serde_json::{Value, json};
use service::admin::Holder;
use service::admin::service_accounts::ServiceAccountChange;
use service::admin::service_keys::{NewKeyMaterial, NewServiceKey};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::world::{Answer, Ask, World};

pub(crate) const TOKEN: &str = "/oauth2/token";
pub(crate) const SESSION_TOKEN: &str = "/iam.v1.UserIAM/GetSessionToken";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// So that each has a name of its own, from which its address is made.
static MADE: AtomicUsize = AtomicUsize::new(1);

/// One service account with one key, and the file in which that key was shown.
#[derive(Debug, Clone)]
pub(crate) struct Robot {
    pub(crate) world: World,
    pub(crate) scene: Scene,
    pub(crate) holder: Holder,
    pub(crate) email: String,
    pub(crate) key_id: ServiceKeyId,
    key: Arc<KeyPair>,
}

/// How a robot differs from the usual one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Make<'a> {
    pub(crate) scopes: &'a [&'a str],
    pub(crate) algorithm: Algorithm,
    pub(crate) switches: Switches,
}

impl Default for Make<'_> {
    fn default() -> Self {
        let switches = Switches::default();
        Self { scopes: &["entry", "logout"], algorithm: Algorithm::Es256, switches }
    }
}

impl Robot {
    pub(crate) async fn of(scene: &Scene) -> Self {
        Self::made(scene, Make::default()).await
    }

    pub(crate) async fn made(scene: &Scene, make: Make<'_>) -> Self {
        let organization = scene.partner.organization.clone();
        let holder = Holder { organization, environment: SANDBOX };
        let service = scene.world.service();
        let scopes = Some(make.scopes.iter().map(|scope| (*scope).to_owned()).collect());
        let name = format!("Portal {}", MADE.fetch_add(1, Ordering::SeqCst));
        let change = ServiceAccountChange { name: Some(name), scopes, disabled: None };
        let account = service
            .create_service_account(&Actor::Operator, &holder, &scene.partner.id, None, change)
            .await
            .unwrap();
        let email = account.account.email;
        let new = NewServiceKey {
            id: None,
            algorithm: make.algorithm,
            life_s: None,
            material: NewKeyMaterial::Generate(make.switches),
        };
        let (_, file) = service.add_service_key(&Actor::Operator, &holder, &email, new).await.unwrap();
        let file = KeyFile::read(file.unwrap().reveal()).unwrap();
        assert_eq!(file.client_email, email);
        let (key_id, key) = (file.key_id, Arc::new(file.key));
        Self { world: scene.world.clone(), scene: scene.clone(), holder, email, key_id, key }
    }

    /// The claims of a good assertion for the standard exchange, under a `jti` of its own.
    pub(crate) fn claims(&self) -> Value {
        let now = self.world.now().seconds();
        json!({
            "iss": self.email,
            "sub": self.email,
            "aud": self.world.url(SANDBOX),
            "iat": now,
            "exp": now + 300,
            "jti": Plain::new(&SystemChance).reveal(),
        })
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.key.algorithm().as_str(), "typ": "JWT", "kid": self.key_id })
    }

    /// Signed with this robot's key, whatever it says.
    pub(crate) fn signed(&self, header: &Value, claims: &Value) -> String {
        self.key.sign(header, &claims.to_string()).unwrap()
    }

    pub(crate) fn assertion(&self) -> String {
        self.signed(&self.header(), &self.claims())
    }

    /// A good assertion with changes to its claims; null takes one away.
    pub(crate) fn assertion_with(&self, changes: &Value) -> String {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        self.signed(&self.header(), &claims)
    }

    /// The standard exchange of an assertion.
    pub(crate) fn exchanges(&self, assertion: &str, more: &[(&str, &str)]) -> Ask {
        let fields = [&[("grant_type", BEARER), ("assertion", assertion)], more].concat();
        self.scene.caller.ask(reqwest::Method::POST, TOKEN).form(&fields)
    }

    /// The older exchange.
    pub(crate) fn exchanges_older(&self, assertion: &str) -> Ask {
        let body = json!({ "token": assertion }).to_string();
        self.scene.caller.ask(reqwest::Method::POST, SESSION_TOKEN).body("application/json", body)
    }

    /// `error` of a refused exchange, with its description.
    pub(crate) async fn refusal(&self, assertion: &str) -> (u16, String) {
        let answer = self.exchanges(assertion, &[]).await;
        let body = answer.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (answer.status, format!("{}: {}", text("error"), text("error_description")))
    }

    /// A fresh access token.
    pub(crate) async fn token(&self) -> String {
        let answer = self.exchanges(&self.assertion(), &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Calls a method of `sso.v1`, as `IdentityProvider/Logout`, with this token.
    pub(crate) fn asks(&self, token: &str, method: &str, body: &Value) -> Ask {
        let ask = self.scene.caller.ask(reqwest::Method::POST, &format!("/sso.v1.{method}"));
        let ask = ask.header("authorization", &format!("Bearer {token}"));
        ask.body("application/json", body.to_string())
    }

    /// The same with a token of its own, which must be answered.
    pub(crate) async fn calls(&self, method: &str, body: &Value) -> Value {
        let answer = self.asks(&self.token().await, method, body).await;
        assert_eq!(answer.status, 200, "{method}: {}", answer.text());
        answer.json()
    }

    /// Code, status and message of a call that must be refused.
    pub(crate) async fn refused(&self, method: &str, body: &Value) -> (u64, u16, String) {
        refused(&self.asks(&self.token().await, method, body).await)
    }

    /// The context of the scene's account.
    pub(crate) fn context(&self) -> Value {
        json!({ "account": { "accountId": self.scene.account } })
    }

    /// A good request for an entry URL with a code.
    pub(crate) fn entry(&self) -> Value {
        json!({
            "serviceProviderId": self.scene.app.id,
            "sessionId": "their-session-7",
            "userId": "berta-2",
            "email": "berta@example.com",
            "context": self.context(),
        })
    }
}

/// Code, status and message of an error in the published shape.
pub(crate) fn refused(answer: &Answer) -> (u64, u16, String) {
    let body = answer.json();
    let names: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["code", "message", "details"], "{body}");
    assert_eq!(body["details"], json!([]));
    (body["code"].as_u64().unwrap(), answer.status, body["message"].as_str().unwrap().to_owned())
}
