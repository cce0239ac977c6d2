//! The connector files that ship, against stand-ins that check them as the real systems do.

use super::*;
use crate::{Allow, Limits};
use connect::attempt::pkce_challenge;
use connect::connector::{Method, Pkce, shipped};
use kernel::{SecretText, Slug};
use std::collections::BTreeMap;
use testkit::standins::{
    ACCESS_TOKEN, Behaviour, CLIENT_ID, CLIENT_SECRET, ProviderKind, REFRESH_TOKEN, STRIPE_KEY, Standin,
};

const REDIRECT: &str = "https://gateway.example/oauth2/callback";
const HOOK: &str = "https://gateway.example/v1/webhooks/abc";
const NOW: Time = Time::from_seconds(1_700_000_000);

struct Bench {
    standin: Standin,
    definition: Definition,
    providers: Providers,
    app: App,
}

async fn bench(kind: ProviderKind) -> Bench {
    let standin = Standin::start(kind).await;
    let mapping = standin.mapping();
    let mapping: Vec<(&str, &str)> = mapping.iter().map(|(from, to)| (*from, to.as_str())).collect();
    let definition = shipped().find(&Slug::parse(kind.connector()).unwrap()).unwrap().with_base(&mapping);
    let allow = Allow::parse(&[standin.address()]).unwrap();
    let client = Client::new(Limits::default(), allow).unwrap();
    let app = App {
        client_id: CLIENT_ID.to_owned(),
        client_secret: Some(SecretText::new(CLIENT_SECRET)),
        ..App::default()
    };
    Bench { standin, definition, providers: Providers::new(client), app }
}

impl Bench {
    fn inputs(&self) -> Values {
        self.definition.check_inputs(&BTreeMap::new()).unwrap()
    }

    /// Signs in at the stand-in's page and gives the callback's code and the verifier.
    async fn code(&self) -> (SecretText, Option<SecretText>) {
        let pkce = self.definition.authorize.as_ref().unwrap().pkce;
        let verifier = (pkce != Pkce::Off).then(|| SecretText::new("v".repeat(43)));
        let challenge = verifier.as_ref().map(pkce_challenge);
        let url = flow::authorize_url(
            &self.definition,
            &self.app,
            &self.inputs(),
            "state-1",
            challenge.as_deref(),
            REDIRECT,
        );
        let answer = self.providers.client.send(Request::get(url.unwrap())).await.unwrap();
        let back = url::Url::parse(answer.header("location").expect("a redirect")).unwrap();
        let query: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
        assert_eq!(query["state"], "state-1");
        (SecretText::new(query["code"].clone()), verifier)
    }

    async fn exchange(&self) -> Result<Credential, ProviderFailure> {
        let (code, verifier) = self.code().await;
        self.redeem(&code, verifier.as_ref()).await
    }

    async fn redeem(
        &self,
        code: &SecretText,
        verifier: Option<&SecretText>,
    ) -> Result<Credential, ProviderFailure> {
        let exchange = Exchange { code, verifier, redirect_uri: REDIRECT };
        self.providers
            .exchange_code(&self.definition, &self.app, self.inputs(), Values::new(), exchange, NOW)
            .await
    }

    async fn connect(&self) -> Credential {
        let credential = self.exchange().await.unwrap();
        let app = Some(&self.app);
        let credential = self.providers.run_verify(&self.definition, app, credential, NOW).await.unwrap();
        let outcome =
            self.providers.run_after(&self.definition, app, credential, HOOK, (0, None), NOW).await.unwrap();
        let AfterOutcome::Done(credential) = outcome else { panic!("nothing to choose: {outcome:?}") };
        credential
    }
}

fn captured(credential: &Credential, name: &str) -> String {
    credential.captures.get(name).unwrap_or("(nothing)").to_owned()
}

#[tokio::test]
async fn hubspot_tells_its_portal_by_a_request_after_connecting() {
    let bench = bench(ProviderKind::HubSpot).await;
    let credential = bench.connect().await;
    assert_eq!(captured(&credential, "portal_id"), "62515");
    assert_eq!(credential.account.as_deref(), Some("anna@example.com (demo.example.com)"));
    assert_eq!(credential.expires, Some(NOW.plus_seconds(1800)));
    assert_eq!(bench.standin.last("/account-info/v3/details").bearer(), Some(ACCESS_TOKEN));
    let facts = bench.standin.last(&format!("/oauth/v1/access-tokens/{ACCESS_TOKEN}"));
    assert_eq!(facts.bearer(), None, "the token stands in the path there, not in a header too");

    let renewed = bench
        .providers
        .refresh(&bench.definition, &bench.app, &credential, NOW.plus_seconds(1500))
        .await
        .unwrap();
    assert_eq!(renewed.expires, Some(NOW.plus_seconds(3300)));
    assert_eq!(captured(&renewed, "portal_id"), "62515");

    let revoked = bench.providers.revoke(&bench.definition, Some(&bench.app), &credential).await;
    assert_eq!(revoked, Ok(Revocation::Revoked));
    assert!(bench.standin.is_revoked());
}

#[tokio::test]
async fn slack_refuses_under_status_200_and_keeps_the_persons_token_apart() {
    let bench = bench(ProviderKind::Slack).await;
    let credential = bench.connect().await;
    let page = bench.standin.last("/oauth/v2/authorize");
    assert_eq!(page.query["scope"], "chat:write,channels:read,users:read");
    assert!(!page.query.contains_key("code_challenge"));
    assert_eq!(captured(&credential, "team_id"), "T1");
    assert_eq!(captured(&credential, "user_token"), "standin-user-token-1");
    assert_eq!(credential.account.as_deref(), Some("Acme"));
    assert_eq!(credential.expires, None);

    let used = bench.redeem(&SecretText::new("standin-code-1"), None).await.unwrap_err();
    assert_eq!((used.failure, used.code.as_deref()), (Failure::ServerError, Some("invalid_code")));

    bench.standin.behave(Behaviour::Forgets);
    let dead =
        bench.providers.run_verify(&bench.definition, Some(&bench.app), credential, NOW).await.unwrap_err();
    assert_eq!((dead.failure, dead.reconnect), (Failure::InvalidCredentials, true));
    assert_eq!(dead.text.as_deref(), Some("Slack does not know this connection any more. Connect again."));
}

#[tokio::test]
async fn salesforce_says_where_its_api_is() {
    let bench = bench(ProviderKind::Salesforce).await;
    let credential = bench.connect().await;
    assert_eq!(captured(&credential, "base"), bench.standin.origin());
    assert_eq!(credential.expires, None);
    assert_eq!(credential.account.as_deref(), Some("anna@acme.example"));
    let token = bench.standin.last("/services/oauth2/token").form();
    assert_eq!(token["code_verifier"], "v".repeat(43));

    let renewed = bench.providers.refresh(&bench.definition, &bench.app, &credential, NOW).await.unwrap();
    assert_eq!(renewed.refresh, Some(SecretText::new(REFRESH_TOKEN)), "an answer without one keeps the old");

    assert_eq!(
        bench.providers.revoke(&bench.definition, Some(&bench.app), &credential).await,
        Ok(Revocation::Revoked)
    );
    let dead = bench.providers.refresh(&bench.definition, &bench.app, &credential, NOW).await.unwrap_err();
    assert_eq!((dead.failure, dead.reconnect, dead.is_weather()), (Failure::InvalidCredentials, true, false));
}

#[tokio::test]
async fn salesforce_needs_the_verifier_of_the_same_attempt() {
    let bench = bench(ProviderKind::Salesforce).await;
    let (code, _) = bench.code().await;
    let other = SecretText::new("w".repeat(43));
    let failure = bench.redeem(&code, Some(&other)).await.unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("invalid_grant"));
}

#[tokio::test]
async fn notion_takes_basic_and_a_json_body_with_its_version() {
    let bench = bench(ProviderKind::Notion).await;
    let credential = bench.connect().await;
    assert_eq!(bench.standin.last("/v1/oauth/authorize").query["owner"], "user");
    let token = bench.standin.last("/v1/oauth/token");
    assert_eq!(token.json()["grant_type"], "authorization_code");
    assert_eq!(token.headers["content-type"], "application/json");
    assert_eq!(captured(&credential, "workspace_id"), "w-1");
    assert_eq!(credential.account.as_deref(), Some("Acme"));
    assert_eq!(
        bench.providers.revoke(&bench.definition, Some(&bench.app), &credential).await,
        Ok(Revocation::Revoked)
    );
    assert!(bench.standin.is_revoked());
}

#[tokio::test]
async fn stripe_takes_a_key_and_says_whose_it_is() {
    let bench = bench(ProviderKind::Stripe).await;
    let typed = |key: &str| BTreeMap::from([("api_key".to_owned(), key.to_owned())]);
    let wrong = bench.definition.check_inputs(&typed("sk_test_wrong0key1")).unwrap();
    let wrong = bench.definition.form_credential(wrong, NOW);
    let refused = bench.providers.run_verify(&bench.definition, None, wrong, NOW).await.unwrap_err();
    assert_eq!(refused.failure, Failure::InvalidCredentials);
    assert!(
        !refused.detail.contains("wrong0key1"),
        "the answer repeats the key, the detail does not: {}",
        refused.detail
    );
    assert!(refused.text.unwrap().contains("did not accept"));

    let right = bench.definition.check_inputs(&typed(&format!("  {STRIPE_KEY}\n"))).unwrap();
    let right = bench.definition.form_credential(right, NOW);
    let right = bench.providers.run_verify(&bench.definition, None, right, NOW).await.unwrap();
    assert_eq!(right.account.as_deref(), Some("Acme Shop (acct_1)"));
    assert_eq!(bench.standin.last("/v1/account").bearer(), Some(STRIPE_KEY));

    let url = url::Url::parse(&format!("{}/v1/balance", bench.standin.origin())).unwrap();
    let request = OutgoingRequest { method: Method::Get, url, headers: Vec::new(), body: None };
    let request = flow::with_credential(&bench.definition, right.variables(None, None), request).unwrap();
    let answer = bench.providers.open(request, Duration::from_secs(10), 1024).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(bench.standin.last("/v1/balance").basic(), Some((STRIPE_KEY.to_owned(), String::new())));
    assert_eq!(bench.providers.revoke(&bench.definition, None, &right).await, Ok(Revocation::NotOffered));
}

#[tokio::test]
async fn a_credential_goes_only_to_declared_hosts() {
    let bench = bench(ProviderKind::HubSpot).await;
    let other = Standin::start(ProviderKind::Slack).await;
    let credential = bench.connect().await;
    for elsewhere in
        [other.origin(), "https://api.hubapi.com.evil.example".to_owned(), "https://evil.example".to_owned()]
    {
        let url = url::Url::parse(&elsewhere).unwrap();
        let request = OutgoingRequest { method: Method::Get, url, headers: Vec::new(), body: None };
        let refused = flow::with_credential(&bench.definition, credential.variables(None, None), request);
        assert_eq!(refused.unwrap_err().failure, Failure::ServerError, "{elsewhere}");
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn bad_token_endpoints_become_values() {
    for kind in [ProviderKind::HubSpot, ProviderKind::Slack, ProviderKind::Salesforce, ProviderKind::Notion] {
        let mut bench = bench(kind).await;
        bench.providers = bench.providers.clone().within(Duration::from_millis(1500));
        let cases = [
            (Behaviour::Html, Failure::ProviderDown),
            (Behaviour::ErrorInside, Failure::ProviderDown),
            (Behaviour::Empty, Failure::ProviderDown),
            (Behaviour::Huge, Failure::ProviderDown),
            (Behaviour::Down, Failure::ProviderDown),
            (Behaviour::Capped, Failure::Capped),
            (Behaviour::Breaks, Failure::ProviderDown),
        ];
        for (behaviour, expected) in cases {
            bench.standin.behave(behaviour);
            let failure = bench.exchange().await.unwrap_err();
            assert_eq!(failure.failure, expected, "{kind:?} {behaviour:?}: {}", failure.detail);
            assert!(!failure.reconnect, "{behaviour:?}");
            assert!(!failure.detail.contains("standin"), "{}", failure.detail);
        }
    }
}

#[tokio::test]
async fn a_token_endpoint_that_never_answers_times_out() {
    let mut bench = bench(ProviderKind::HubSpot).await;
    bench.providers = bench.providers.clone().within(Duration::from_millis(200));
    bench.standin.behave(Behaviour::Never);
    let failure = bench.exchange().await.unwrap_err();
    assert_eq!((failure.failure, failure.is_weather()), (Failure::TimedOut, true));
}

#[tokio::test]
async fn a_wrong_client_secret_is_the_operators_matter() {
    for kind in [ProviderKind::HubSpot, ProviderKind::Slack, ProviderKind::Salesforce, ProviderKind::Notion] {
        let mut bench = bench(kind).await;
        bench.app.client_secret = Some(SecretText::new("wrong"));
        let failure = bench.exchange().await.unwrap_err();
        assert_eq!((failure.failure, failure.reconnect), (Failure::ServerError, false), "{kind:?}");
        assert!(failure.code.is_some(), "{kind:?}");
    }
}

/// A system whose first step registers the tenant's webhook and whose second one offers two sites.
async fn system_with_sites() -> (Definition, Providers, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    use axum::routing::{get, post};
    let hooks = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&hooks);
    let register = move |body: String| {
        seen.lock().unwrap().push(body);
        async { (axum::http::StatusCode::CREATED, r#"{"secret":"hook-secret-1"}"#) }
    };
    let sites = || async { r#"{"sites":[{"id":1,"name":"One"},{"id":2,"name":"Two"}]}"# };
    let router = axum::Router::new().route("/hooks", post(register)).route("/sites", get(sites));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let text = format!(
        r#"
        id = "acme"
        name = "Acme"
        [auth]
        kind = "api_key"
        account = "{{capture.site_name}}"
        [[inputs]]
        key = "key"
        label = "Key"
        secret = true
        [[after]]
        request = {{ method = "POST", url = "http://{address}/hooks", body = {{ url = "{{webhook.url}}" }} }}
        save = {{ "/secret" = "webhook_secret" }}
        [[after]]
        request = {{ url = "http://{address}/sites" }}
        save = {{ "/sites/0/id" = "site", "/sites/0/name" = "site_name" }}
        choose = {{ items = "/sites", value = "/id", label = "/name" }}
        [api]
        base_url = "http://{address}"
        "#
    );
    let policy = connect::connector::Policy { loopback: connect::connector::Loopback::Allowed };
    let definition = Definition::parse("acme.toml", &text, policy).unwrap();
    let client = Client::new(Limits::default(), Allow::parse(&[address]).unwrap()).unwrap();
    (definition, Providers::new(client), hooks)
}

#[tokio::test]
async fn a_choice_stops_the_steps_and_goes_on_where_it_stopped() {
    let (definition, providers, hooks) = system_with_sites().await;
    let start = definition.form_credential([("key", "k-1")].into_iter().collect(), NOW);
    let outcome = providers.run_after(&definition, None, start, HOOK, (0, None), NOW).await.unwrap();
    let AfterOutcome::Choose { step, choices, credential } = outcome else { panic!("{outcome:?}") };
    assert_eq!((step, choices.len(), choices[1].label.as_str()), (1, 2, "Two"));
    assert_eq!(
        captured(&credential, "webhook_secret"),
        "hook-secret-1",
        "what the first step brought is kept"
    );

    let forged =
        providers.run_after(&definition, None, credential.clone(), HOOK, (step, Some("3")), NOW).await;
    assert_eq!(forged.unwrap_err().failure, Failure::StateMismatch);
    let outcome =
        providers.run_after(&definition, None, credential, HOOK, (step, Some("2")), NOW).await.unwrap();
    let AfterOutcome::Done(credential) = outcome else { panic!("{outcome:?}") };
    assert_eq!((captured(&credential, "site").as_str(), credential.account.as_deref()), ("2", Some("Two")));
    assert_eq!(
        *hooks.lock().unwrap(),
        [format!("{{\"url\":\"{HOOK}\"}}")],
        "the first step is not run again"
    );
}
