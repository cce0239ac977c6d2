//! Apps of libraries that this project did not write, from the app's login through the partner's endpoint and back:
//! npm's openid-client with every check, Python's Authlib.

use axum::Router;
use enter::app::RedirectUri;
use enter::ids::ClientId;
use enter::oidc::{Authentication, Client, ClientKeys, ClientKind};
use kernel::jose::Algorithm;
use kernel::{Environment, Plain, SystemChance};
use serde_json::{Value, json};
use store::clients::ClientRecord;
use store::{DbError, clients};
use testkit::enter_app::{EnterApp, Registration};
use testkit::enter_partner::EnterPartner;
use testkit::process::free_port;
use testkit::relying_party::{RelyingParty, Settings};
use testkit::signers::key_pairs;
use testkit::surfer::{Rest, Surfer};
use testkit::world::World;
use testkit::{node, on_both};
use tokio::net::TcpListener;

/// A partner whose users may enter an app, for which clients are registered.
struct Market {
    world: World,
    partner: EnterPartner,
    app: EnterApp,
}

impl Market {
    async fn of(world: &World) -> Self {
        let partner = EnterPartner::start(world, "acme", true, &["AG-1"]).await;
        let app = EnterApp::of(world, &partner, "MP-1", Registration::default()).await;
        Self { world: world.clone(), partner, app }
    }

    /// A client of the app at this address; its secret where it has one.
    async fn register(
        &self,
        redirect_uri: &str,
        algorithm: Algorithm,
        authentication: Authentication,
    ) -> (ClientId, String) {
        let secret = Plain::with_prefix("vst_cs_", &SystemChance);
        let with_secret = matches!(authentication, Authentication::Secret(_));
        let public = matches!(authentication, Authentication::None);
        let client = Client {
            id: ClientId::new(&SystemChance),
            app: self.app.id.clone(),
            kind: if public { ClientKind::Browser } else { ClientKind::Web },
            authentication,
            redirect_uris: vec![RedirectUri::register(redirect_uri).unwrap()],
            post_logout_redirect_uris: vec![],
            scopes: ["openid", "profile", "email"].map(str::to_owned).into(),
            id_token_algorithm: algorithm,
            forgiveness: !public,
            backchannel_logout_uri: None,
            disabled: None,
        };
        let (now, id, hash) = (self.world.now(), client.id.clone(), secret.hashed());
        let write = self.world.db().write(move |tx| {
            Box::pin(async move {
                let id = client.id.clone();
                assert!(
                    clients::insert(tx, &ClientRecord { client, name: "library".to_owned(), created: now })
                        .await?
                );
                if with_secret {
                    clients::add_secret(tx, &id, &hash, now).await?;
                }
                Ok::<_, DbError>(())
            })
        });
        write.await.unwrap();
        (id, secret.reveal().to_owned())
    }

    fn issuer(&self) -> &str {
        self.world.url(Environment::Sandbox)
    }

    /// Opens an address, signs in at the portal where that asks, and goes where it leads.
    async fn goes(&self, surfer: &Surfer, url: &str) -> Rest {
        let rest = surfer.opens(url).await;
        if rest.url.as_str().starts_with(&format!("{}/login", self.partner.origin)) {
            return surfer.sends(rest.url.as_str(), &[("user", "anna")]).await;
        }
        rest
    }
}

/// A site whose every page is empty: where an app's callback would be.
async fn empty_site() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(|| async { "here" });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    origin
}

async fn openid_client(asked: Value) -> Value {
    let run = move || node::run("openid_client.mjs", [""; 0], &asked.to_string());
    let answer = tokio::task::spawn_blocking(run).await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer.get("error"), None, "{answer}");
    answer
}

async fn with(asked: &Value, more: Value) -> Value {
    let mut asked = asked.clone();
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    openid_client(asked).await
}

async fn strict_library(engine: testkit::world::Engine) {
    let world = World::build(engine).system_clock().start().await;
    let market = Market::of(&world).await;
    let redirect = format!("{}/callback", empty_site().await);
    let key = tokio::task::spawn_blocking(|| key_pairs(&["ES256"]).remove(0)).await.unwrap();
    let keys = ClientKeys::Registered(vec![key.public_jwk.to_string()]);
    let keyed = Authentication::PrivateKeyJwt { algorithm: Algorithm::Es256, keys };
    let proofs = [
        (Authentication::Secret(vec![]), Algorithm::Rs256, json!({}), false),
        (Authentication::Secret(vec![]), Algorithm::EdDsa, json!({ "post": true }), true),
        (
            keyed,
            Algorithm::Es256,
            json!({ "private_key": key.private_pem, "kid": "1", "alg": "ES256" }),
            true,
        ),
        (Authentication::None, Algorithm::Es256, json!({}), false),
    ];
    for (authentication, algorithm, mut proof, par) in proofs {
        let confidential = !matches!(authentication, Authentication::None);
        let with_secret = matches!(authentication, Authentication::Secret(_));
        let (id, secret) = market.register(&redirect, algorithm, authentication).await;
        if with_secret {
            proof["secret"] = json!(secret);
        }
        let asked = json!({
            "issuer": market.issuer(), "client_id": id, "proof": proof, "redirect_uri": redirect, "par": par,
            "scope": "openid profile email", "alg": algorithm.as_str(), "more": { "account_id": "AG-1" },
        });
        let begun = openid_client(asked.clone()).await;
        let surfer = Surfer::new(&world);
        let rest = market.goes(&surfer, begun["url"].as_str().unwrap()).await;
        assert!(rest.url.as_str().starts_with(&redirect), "{}: {}", rest.url, rest.text());
        let callback = json!({
            "callback": rest.url.as_str(), "verifier": begun["verifier"], "state": begun["state"], "nonce": begun["nonce"],
        });
        let told = with(&asked, callback.clone()).await;
        assert_eq!(told["claims"]["account_id"], "AG-1", "{told}");
        assert_eq!(told["claims"]["sub"], told["info"]["sub"], "{told}");
        assert_eq!(told["info"], told["again"], "the same after a refresh");
        assert_eq!(told["claims"]["partner_id"], json!(market.partner.partner.id), "{told}");
        assert_eq!(told["revoked"], "invalid_grant", "{told}");
        if confidential {
            assert_eq!(
                (&told["live"]["active"], &told["dead"]["active"]),
                (&json!(true), &json!(false)),
                "{told}"
            );
        }

        // Already signed in: no trip to the partner, and `max_age` is answered.
        let trips = market.partner.trips().len();
        let again =
            with(&asked, json!({ "more": { "account_id": "AG-1", "prompt": "none", "max_age": "3600" } }))
                .await;
        let rest = surfer.opens(again["url"].as_str().unwrap()).await;
        assert_eq!(market.partner.trips().len(), trips);
        let callback = json!({
            "callback": rest.url.as_str(), "verifier": again["verifier"], "state": again["state"], "nonce": again["nonce"],
            "max_age": 3600,
        });
        assert_eq!(with(&asked, callback).await["claims"]["sub"], told["claims"]["sub"]);
    }
}

async fn authlib(engine: testkit::world::Engine) {
    let world = World::build(engine).system_clock().start().await;
    let market = Market::of(&world).await;
    for proof in ["client_secret_basic", "client_secret_post"] {
        let port = free_port();
        let mut settings = Settings::with_secret(port, market.issuer(), "", "");
        settings.host = "127.0.0.1".to_owned();
        let registered = Authentication::Secret(vec![]);
        let (id, secret) = market.register(&settings.redirect_uri(), Algorithm::Rs256, registered).await;
        settings.client_id = id.to_string();
        settings.client_secret = Some(secret);
        settings.auth_method = Some(proof.to_owned());
        let app = RelyingParty::start(settings.clone()).await;
        let surfer = Surfer::new(&world);
        let rest = market.goes(&surfer, &format!("{}/login?account_id=AG-1", settings.origin())).await;
        assert!(rest.url.as_str().starts_with(&settings.redirect_uri()), "{}: {}", rest.url, rest.text());
        let claims = rest.answer.json()["claims"].clone();
        assert_eq!(
            (&claims["account_id"], &claims["iss"]),
            (&json!("AG-1"), &json!(market.issuer())),
            "{}",
            rest.text()
        );
        let info = surfer.opens(&format!("{}/userinfo", settings.origin())).await;
        assert_eq!(
            (info.answer.status, &info.answer.json()["sub"]),
            (200, &claims["sub"]),
            "{}",
            info.text()
        );
        let refreshed = surfer.opens(&format!("{}/refresh", settings.origin())).await;
        assert_eq!(refreshed.answer.status, 200, "{}", refreshed.text());
        let names: Vec<String> = app.events().into_iter().map(|event| event.name).collect();
        assert!(
            names.contains(&"signed_in".to_owned()) && names.contains(&"refreshed".to_owned()),
            "{names:?}"
        );
    }
}

on_both! {
    async fn openid_client_enters_with_every_check_switched_on(engine: Engine) {
        strict_library(engine).await;
    }

    async fn authlib_enters_and_stays(engine: Engine) {
        authlib(engine).await;
    }
}
