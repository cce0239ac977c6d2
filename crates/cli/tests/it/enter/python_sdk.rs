//! The SDK for Python against the gateway: with key files as they are shown, each method, what it raises, and its
//! session-transfer endpoint between two addresses of the gateway.

use super::oidc::scene::{SANDBOX, Scene};
use enter::service_account::Switches;
use kernel::Actor;
use kernel::jose::Algorithm;
use serde_json::{Value, json};
use service::admin::Holder;
use service::admin::service_accounts::ServiceAccountChange;
use service::admin::service_keys::{NewKeyMaterial, NewServiceKey};
use testkit::on_both;

/// A service account of the scene's partner with one key: the file as it is shown, and the key's id.
async fn key_file(scene: &Scene, algorithm: Algorithm) -> (Holder, Value) {
    let holder = Holder { organization: scene.partner.organization.clone(), environment: SANDBOX };
    let service = scene.world.service();
    let change = ServiceAccountChange {
        name: Some(format!("Portal {}", algorithm.as_str())),
        scopes: Some(vec!["entry".to_owned(), "logout".to_owned()]),
        disabled: None,
    };
    let made =
        service.create_service_account(&Actor::Operator, &holder, &scene.partner.id, None, change).await;
    let email = made.unwrap().account.email;
    let material = NewKeyMaterial::Generate(Switches::default());
    let new = NewServiceKey { id: None, algorithm, life_s: None, material };
    let (_, file) = service.add_service_key(&Actor::Operator, &holder, &email, new).await.unwrap();
    (holder, serde_json::from_str(file.unwrap().reveal()).unwrap())
}

/// What the partner's backend is answered, call by call.
async fn by_sdk(scene: &Scene, file: &Value, calls: &[Value]) -> Vec<Value> {
    let order = json!({ "key_file": file, "partner_id": scene.partner.id, "calls": calls }).to_string();
    let run = move || testkit::python::run("sdk_partner.py", [""; 0], &order);
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn call(method: &str, arguments: impl Into<Value>) -> Value {
    let arguments: Value = arguments.into();
    json!({ "method": method, "arguments": arguments })
}

on_both! {
    async fn each_method_answers_with_either_key(world: World) {
        let scene = Scene::of(&world).await;
        let app = &scene.app.id;
        let context = json!({ "account_id": scene.account });
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let (_, file) = key_file(&scene, algorithm).await;
            let answers = by_sdk(&scene, &file, &[
                call("get_entry_url", json!({ "service_provider_id": app, "context": context, "path": "/x" })),
                call("get_entry_url_with_code", json!({ "service_provider_id": app, "context": context, "user_id": "berta-2", "session_id": "s-1" })),
                call("get_multi_entry_url", json!({ "service_provider_ids": [app, app], "context": context })),
                call("get_session_transfer_url", json!({ "service_provider_id": app, "context": context })),
                call("get_logout_url", json!({ "service_provider_id": app })),
                call("logout", json!({ "user_id": "berta-2" })),
            ]).await;
            let text = |at: usize| answers[at]["result"].as_str().unwrap_or_else(|| panic!("{}", answers[at])).to_owned();
            assert!(text(0).contains("/service-gateway?") || text(0).starts_with("https://app.example/x"), "{}", text(0));
            assert!(text(1).starts_with(&format!("{}/enter?code=vst_ec_", world.url(SANDBOX))), "{}", text(1));
            assert_eq!(answers[2]["result"].as_array().map(Vec::len), Some(2), "{}", answers[2]);
            assert!(text(3).starts_with("https://portal.example/sso?serviceProviderId="), "{}", text(3));
            assert!(text(4).starts_with(world.url(SANDBOX)), "{}", text(4));
            assert_eq!(answers[5], json!({ "result": null }));
        }
        assert_eq!(world.count("entry_codes").await, 2);
    }

    async fn what_is_refused_is_raised_by_its_name(world: World) {
        let scene = Scene::of(&world).await;
        let app = &scene.app.id;
        let (holder, file) = key_file(&scene, Algorithm::Es256).await;
        let entry = |context: Value, app: &str| {
            call("get_entry_url_with_code", json!({ "service_provider_id": app, "context": context, "user_id": "berta-2" }))
        };
        let own = json!({ "account_id": scene.account });
        let answers = by_sdk(&scene, &file, &[
            entry(own.clone(), "MP-X"),
            entry(json!({ "account_id": "AG-X" }), app.as_str()),
            entry(json!({ "partner_id": "PT-X" }), app.as_str()),
            call("get_logout_url", json!({ "service_provider_id": app, "next_url": "https://evil.example/" })),
        ]).await;
        let raised = |answer: &Value| {
            let message = answer["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
            let field = message.split(':').next().unwrap_or_default().to_owned();
            (answer["error"].as_str().unwrap_or_default().to_owned(), field)
        };
        let named = |name: &str, field: &str| (name.to_owned(), field.to_owned());
        assert_eq!(answers.iter().map(raised).collect::<Vec<_>>(), [
            named("NotFound", "service_provider_id"),
            named("NotFound", "context.account.account_id"),
            named("PermissionDenied", "context.partner.partner_id"),
            named("InvalidArgument", "next_url"),
        ]);
        let id = serde_json::from_value(file["private_key_id"].clone()).unwrap();
        world.service().disable_service_key(&Actor::Operator, &holder, &id, true).await.unwrap();
        let answers = by_sdk(&scene, &file, &[entry(own, app.as_str())]).await;
        assert_eq!(answers[0]["error"], "TokenRefused", "{}", answers[0]);
        assert_eq!(world.count("entry_codes").await, 0);
    }

    async fn its_session_transfer_endpoint_stands_between_two_addresses_of_the_gateway(world: World) {
        let scene = Scene::of(&world).await;
        let (_, file) = key_file(&scene, Algorithm::Es256).await;
        let context = json!({ "account_id": scene.account });
        let asked = call("get_session_transfer_url", json!({ "service_provider_id": scene.app.id, "context": context }));
        let url = by_sdk(&scene, &file, &[asked]).await[0]["result"].as_str().unwrap().to_owned();
        let query = url.split_once('?').unwrap().1;
        let berta = json!({ "id": "berta-2", "session_id": "s-7", "email": "berta@example.com" });
        let come = |user: &Value, accounts: Value| json!({ "transfer": query, "user": user, "accounts": accounts });
        let answers = by_sdk(&scene, &file, &[
            come(&Value::Null, json!([scene.account])),
            come(&berta, json!([])),
            come(&berta, json!([scene.account])),
        ]).await;
        let at = |at: usize| (answers[at]["status"].as_u64().unwrap(), answers[at]["location"].as_str().unwrap_or_default());
        assert_eq!(at(0).0, 303);
        assert!(at(0).1.starts_with("/login?next=%2Fsession-transfer%3FserviceProviderId%3D"), "{}", at(0).1);
        assert_eq!(at(1), (403, ""), "{}", answers[1]);
        let (status, entry) = at(2);
        assert_eq!(status, 303, "{}", answers[2]);
        assert_eq!(world.count("entry_codes").await, 1, "a code only for the one who may");
        let before = world.count("people").await;
        let entered = world.person().get(entry).await;
        assert_eq!(entered.status, 303, "{}", entered.text());
        assert!(entered.location().starts_with("https://app.example/"), "{}", entered.location());
        assert_eq!(world.count("people").await, before + 1, "Berta was made just in time");
    }
}
