//! Tenants and their metadata by API: made, changed, archived, and what is refused.

use connect::manifest::Manifest;
use kernel::{Actor, Environment};
use reqwest::Method;
use serde_json::{Value, json};
use service::work::release_build::{Order, Source};
use testkit::on_both;
use testkit::world::{Answer, Company, Engine, World};

const MANIFEST: &str = "version: 1
run: ./run
configs:
  schema:
    type: object
    required: [limit]
    properties:
      limit: {type: integer, minimum: 1, default: 50}
      color: {type: string, enum: [red, green]}
metadata_schema:
  schema:
    type: object
    required: [warehouse]
    properties: {warehouse: {type: string}, count: {type: integer}}
";

struct Scene {
    world: World,
    acme: Company,
    key: String,
    integration: i64,
}

impl Scene {
    async fn on(engine: Engine) -> Self {
        let world = World::build(engine).programs(env!("CARGO_BIN_EXE_vestibule")).start().await;
        let acme = world.organization("acme").await;
        let key =
            acme.api_key(&["integrations:read", "integrations:write", "tenants:read", "tenants:write"]).await;
        let list = world.person().calls(&key, "/v2/integrations").await.json();
        // The one that connects Notion, as the users of these tests do.
        let integrations = list.as_array().unwrap();
        let found = integrations.iter().find(|it| it["connectors"].to_string().contains("\"notion\""));
        let integration = found.unwrap()["id"].as_i64().unwrap();
        Self { world, acme, key, integration }
    }

    async fn asks(&self, method: Method, path: &str, body: &Value) -> Answer {
        let ask = self.world.person().ask(method, path).header("x-api-key", &self.key);
        ask.body("application/json", body.to_string()).await
    }

    async fn reads(&self, path: &str) -> Value {
        let answer = self.world.person().calls(&self.key, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    async fn makes(&self, name: &str) -> i64 {
        let body = json!({ "name": name, "integration_id": self.integration });
        let made = self.asks(Method::POST, "/v2/tenants", &body).await;
        assert_eq!(made.status, 200, "{}", made.text());
        made.json()["id"].as_i64().unwrap()
    }

    async fn patches(&self, id: i64, body: Value) -> Answer {
        self.asks(Method::PATCH, &format!("/v2/tenants/{id}"), &body).await
    }

    async fn releases(&self, tag: &str, manifest: &str) -> i64 {
        assert!(Manifest::parse("vestibule.yaml", manifest).is_ok());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("vestibule.yaml"), manifest).unwrap();
        let order = Order {
            organization: self.acme.id.clone(),
            environment: Environment::Sandbox,
            integration: kernel::ids::IntegrationId::new(self.integration).unwrap(),
            tag: tag.to_owned(),
        };
        let source = Source::Folder(folder.path().to_owned());
        let built = self.world.service().build_release(&Actor::Operator, &order, &source, &mut |_| {}).await;
        built.unwrap().id.number()
    }
}

fn wrong(answer: &Answer) -> Value {
    assert_eq!(answer.status, 422, "{}", answer.text());
    answer.json()["detail"][0]["loc"].clone()
}

on_both! {
    async fn a_tenant_is_made_before_its_user_comes(engine: Engine) {
        let scene = Scene::on(engine).await;
        let body = json!({ "name": "anna-orders", "integration_id": scene.integration, "user_name": "anna",
            "user_schedule": "*/30 * * * *", "time_zone": "Europe/Berlin", "configs": {"any": 1}, "unknown": true });
        let made = scene.asks(Method::POST, "/v2/tenants", &body).await;
        assert_eq!(made.status, 200, "{}", made.text());
        let tenant = made.json();
        for (field, value) in [("name", json!("anna-orders")), ("paused", json!(true)), ("source", json!("api")), ("archived", json!(false)),
            ("user_schedule", json!("*/30 * * * *")), ("time_zone", json!("Europe/Berlin")), ("configs", json!({"any": 1})), ("integration_release_id", Value::Null),
            ("integration_release_channel", json!("Default")), ("integration_id", json!(scene.integration))] {
            assert_eq!(tenant[field], value, "{field}");
        }
        assert_eq!(tenant["status"]["auth"], json!({"connected": false, "connectors": []}));
        // The user who comes finds it: no twin.
        let token = scene.acme.token("notion").sub("anna").without("ti.uem");
        let connected = scene.world.person().connects(&scene.acme, "notion", &token.sign()).await;
        assert_eq!((connected["id"].clone(), connected["source"].clone()), (tenant["id"].clone(), json!("api")));
        assert_eq!(scene.world.count("tenants").await, 1);
        // It is set going, as one is that begins in the dialog: once.
        let going = scene.reads(&format!("/v2/tenants/{}", tenant["id"])).await;
        assert_eq!((&going["paused"], &going["status"]["auth"]["connected"]), (&json!(false), &json!(true)));
        assert_eq!(scene.world.count("schedules").await, 1);
        assert_eq!(scene.world.count("triggers WHERE mode = 'init' AND source = 'Manual'").await, 1);
        assert_eq!(scene.world.count("jobs WHERE kind = 'run'").await, 1);
        // Whoever paused it since has paused it.
        let id = tenant["id"].as_i64().unwrap();
        assert_eq!(scene.patches(id, json!({"paused": true})).await.status, 200);
        let again = scene.acme.token("notion").sub("anna").without("ti.uem");
        scene.world.person().connects(&scene.acme, "notion", &again.sign()).await;
        assert_eq!(scene.reads(&format!("/v2/tenants/{id}")).await["paused"], json!(true));
        assert_eq!(scene.world.count("triggers").await, 1);
        // Its own webhook address is there.
        assert_eq!(scene.world.count("webhooks WHERE connector = ''").await, 1);
    }

    async fn what_a_new_tenant_cannot_be_is_said(engine: Engine) {
        let scene = Scene::on(engine).await;
        scene.makes("first").await;
        let id = scene.integration;
        let post = async |body: Value| scene.asks(Method::POST, "/v2/tenants", &body).await;
        for name in ["", "Anna", "-a", "a-", "a_b", "ä", &"a".repeat(64)] {
            assert_eq!(wrong(&post(json!({"name": name, "integration_id": id})).await), json!(["body", "name"]), "{name}");
        }
        assert_eq!(wrong(&post(json!({"name": "a", "integration_id": 4711})).await), json!(["body", "integration_id"]));
        assert_eq!(wrong(&post(json!({"name": "a", "integration_id": id, "user_schedule": "often"})).await), json!(["body", "user_schedule"]));
        assert_eq!(wrong(&post(json!({"name": "a", "integration_id": id, "time_zone": "Mars/Base"})).await), json!(["body", "time_zone"]));
        assert_eq!(wrong(&post(json!({"name": "a", "integration_id": id, "integration_release_channel": "Stable"})).await), json!(["body", "integration_release_channel"]));
        assert_eq!(wrong(&post(json!({"name": "a", "integration_id": id, "integration_release_id": 4711})).await), json!(["body", "integration_release_id"]));
        assert_eq!(wrong(&post(json!({"name": "a", "integration_id": id, "configs": []})).await), json!(["body", "configs"]));
        assert_eq!(wrong(&post(json!({"name": "a"})).await), json!(["body"]));
        assert_eq!(post(json!({"name": "first", "integration_id": id, "user_name": "other"})).await.status, 409, "the name is taken");
        assert_eq!(post(json!({"name": "second", "integration_id": id, "user_name": "first"})).await.status, 409, "the user has it");
        assert_eq!(scene.world.count("tenants").await, 1);
        let reading = scene.acme.api_key(&["tenants:read"]).await;
        let ask = scene.world.person().post("/v2/tenants").header("x-api-key", &reading);
        let answer = ask.body("application/json", json!({"name": "a", "integration_id": id}).to_string()).await;
        assert_eq!((answer.status, answer.json()), (403, json!({"detail": "Not authorized"})));
    }

    async fn a_tenant_follows_a_channel_or_has_its_own_release(engine: Engine) {
        let scene = Scene::on(engine).await;
        let id = scene.makes("anna").await;
        let first = scene.releases("1", MANIFEST).await;
        let second = scene.releases("2", MANIFEST).await;
        let shown = async || {
            let (v2, v1) = (scene.reads(&format!("/v2/tenants/{id}")).await, scene.reads(&format!("/v1/tenants/{id}")).await);
            let listed = scene.reads("/v2/tenants?user_name=anna").await;
            assert_eq!(listed[0]["integration_release_id"], v2["integration_release_id"], "the list says the same");
            assert_eq!(v1["integration_release"]["id"], v2["integration_release_id"]);
            (v2["integration_release_id"].as_i64().unwrap(), v2["integration_release_channel"].clone(), v1["integration_release"]["name"].clone())
        };
        let (release, channel, shown_name) = shown().await;
        assert_eq!((release, channel), (first, json!("Default")));
        assert!(shown_name.as_str().unwrap().ends_with("-1"), "{shown_name}");
        assert_eq!(scene.patches(id, json!({"integration_release_channel": "Latest"})).await.status, 200);
        let (release, channel, _) = shown().await;
        assert_eq!((release, channel), (second, json!("Latest")));
        assert_eq!(scene.patches(id, json!({"integration_release_id": first})).await.status, 200);
        let (release, channel, _) = shown().await;
        assert_eq!((release, channel), (first, Value::Null));
        assert_eq!(wrong(&scene.patches(id, json!({"integration_release_id": first, "integration_release_channel": "Latest"})).await), json!(["body", "integration_release_id"]));
        assert_eq!(scene.patches(id, json!({"integration_release_id": null})).await.status, 200);
        assert_eq!(shown().await.0, second);
        // Another default, by the integration.
        let path = format!("/v2/integrations/{}", scene.integration);
        let changed = scene.asks(Method::PATCH, &path, &json!({"default_release_id": second})).await;
        assert_eq!((changed.status, changed.json()["default_release_id"].clone()), (200, json!(second)));
        assert_eq!(scene.asks(Method::PATCH, &path, &json!({"default_release_id": 4711})).await.status, 422);
    }

    async fn a_tenant_is_changed_as_its_release_allows(engine: Engine) {
        let scene = Scene::on(engine).await;
        scene.releases("1", MANIFEST).await;
        let id = scene.makes("anna").await;
        let configs = |value: Value| scene.patches(id, json!({"configs": value}));
        assert_eq!(wrong(&configs(json!({"limit": 0})).await), json!(["body", "configs", "limit"]));
        let answer = configs(json!({"limit": "a-secret"})).await;
        assert_eq!(wrong(&answer), json!(["body", "configs", "limit"]));
        assert!(!answer.text().contains("a-secret"));
        assert_eq!(wrong(&configs(json!({"color": "blue"})).await), json!(["body", "configs", "color"]));
        // A default need not be sent, and is not written down as if it had been chosen.
        let changed = configs(json!({"color": "red"})).await;
        assert_eq!((changed.status, changed.json()["configs"].clone()), (200, json!({"color": "red"})));
        let changed = scene.patches(id, json!({"name": "berta", "paused": false, "user_schedule": "5 4 * * *", "time_zone": "Europe/Berlin"})).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        let tenant = changed.json();
        assert_eq!((&tenant["name"], &tenant["paused"], &tenant["schedule"]), (&json!("berta"), &json!(false), &json!("5 4 * * *")));
        assert_eq!(scene.world.count("schedules WHERE zone = 'Europe/Berlin'").await, 1);
        assert_eq!(scene.patches(id, json!({"paused": true})).await.status, 200);
        assert_eq!(scene.world.count("schedules").await, 0, "a paused tenant fires nothing");
        assert_eq!(scene.patches(id, json!({"paused": false, "user_schedule": null})).await.json()["schedule"], Value::Null);
        assert_eq!(scene.world.count("schedules").await, 0);
        assert_eq!(scene.patches(id, json!({})).await.status, 200, "nothing is a change of nothing");
        assert_eq!(scene.patches(4711, json!({"paused": true})).await.json(), json!({"message": "no tenant with this id"}));
        assert_eq!(wrong(&scene.asks(Method::PATCH, "/v2/tenants/x", &json!({})).await), json!(["path", "tenant_id"]));
        let stranger = scene.world.organization("other").await.api_key(&["tenants:write"]).await;
        let ask = scene.world.person().ask(Method::PATCH, &format!("/v2/tenants/{id}")).header("x-api-key", &stranger);
        assert_eq!(ask.body("application/json", json!({"paused": true}).to_string()).await.status, 404);
    }

    async fn an_archived_tenant_is_taken_back(engine: Engine) {
        let scene = Scene::on(engine).await;
        let id = scene.makes("anna").await;
        let path = format!("/v2/tenants/{id}");
        let archived = scene.asks(Method::DELETE, &path, &json!({})).await;
        assert_eq!((archived.status, archived.json()["archived"].clone()), (200, json!(true)));
        assert_eq!(scene.asks(Method::DELETE, &path, &json!({})).await.status, 200, "once more changes nothing");
        assert_eq!(scene.patches(id, json!({"paused": false})).await.status, 409);
        assert_eq!(scene.reads("/v2/tenants?archived=false").await, json!([]));
        assert_eq!(scene.reads("/v2/tenants?archived=true").await[0]["id"], json!(id));
        // Somebody else has the name meanwhile.
        let body = json!({ "name": "anna", "integration_id": scene.integration, "user_name": "another" });
        let other = scene.asks(Method::POST, "/v2/tenants", &body).await.json()["id"].as_i64().unwrap();
        assert_eq!(scene.patches(id, json!({"archived": false})).await.status, 409);
        assert_eq!(scene.patches(other, json!({"archived": true})).await.status, 200);
        let back = scene.patches(id, json!({"archived": false, "name": "anna-2"})).await;
        assert_eq!((back.status, back.json()["archived"].clone(), back.json()["name"].clone()), (200, json!(false), json!("anna-2")));
        assert_eq!(scene.world.count("audit WHERE action IN ('tenant.archived', 'tenant.unarchived')").await, 3);
    }

    async fn metadata_is_merged_and_checked(engine: Engine) {
        let scene = Scene::on(engine).await;
        let id = scene.makes("anna").await;
        let path = format!("/v2/tenants/{id}/metadata");
        let patch = async |body: Value| scene.asks(Method::PATCH, &path, &body).await;
        assert_eq!(patch(json!({"warehouse": "a"})).await.status, 409, "there is no release");
        scene.releases("1", MANIFEST).await;
        let none = scene.world.person().calls(&scene.key, &path).await;
        assert_eq!((none.status, none.json()), (404, json!({"message": "this tenant has no metadata"})));
        assert_eq!(wrong(&patch(json!({"count": 1})).await), json!(["body"]), "the whole lacks what must be there");
        let kept = patch(json!({"warehouse": "a"})).await;
        assert_eq!(kept.status, 200, "{}", kept.text());
        let names: Vec<_> = kept.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["tenant_id", "data", "created_date", "modified_date"]);
        assert_eq!(patch(json!({"count": 3})).await.json()["data"], json!({"warehouse": "a", "count": 3}));
        assert_eq!(wrong(&patch(json!({"count": "many"})).await), json!(["body", "count"]));
        assert_eq!(patch(json!([1])).await.status, 422);
        assert_eq!(scene.reads(&path).await["data"], json!({"warehouse": "a", "count": 3}), "what is refused changes nothing");
        assert_eq!(scene.asks(Method::PATCH, "/v2/tenants/4711/metadata", &json!({"count": 3})).await.status, 404);
        let reading = scene.acme.api_key(&["tenants:read"]).await;
        let ask = scene.world.person().ask(Method::PATCH, &path).header("x-api-key", &reading);
        assert_eq!(ask.body("application/json", "{}").await.status, 403);
    }

    async fn an_integration_is_made_and_changed(engine: Engine) {
        let scene = Scene::on(engine).await;
        let post = async |body: Value| scene.asks(Method::POST, "/v2/integrations", &body).await;
        let made = post(json!({"name": "stock", "long_name": "Stock", "type": "External", "connectors": ["hubspot"]})).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let integration = made.json();
        assert_eq!((&integration["type"], &integration["repository_url"], &integration["default_release_channel"]), (&json!("External"), &Value::Null, &json!("Default")));
        let path = format!("/v2/integrations/{}", integration["id"]);
        let change = async |body: Value| scene.asks(Method::PATCH, &path, &body).await;
        let changed = change(json!({"repository_url": "https://git.example.com/stock.git", "repository_path": "apps/stock", "repository_tracking_branch": "main",
            "long_name": "Stocks", "type": "Internal", "default_release_channel": "Latest", "schedule": "0 * * * *"})).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        let shown = scene.reads(&path).await;
        assert_eq!(shown, changed.json());
        for (field, value) in [("repository_url", "https://git.example.com/stock.git"), ("repository_path", "apps/stock"),
            ("repository_tracking_branch", "main"), ("long_name", "Stocks"), ("type", "Internal"), ("default_release_channel", "Latest")] {
            assert_eq!(shown[field], value, "{field}");
        }
        let bare = change(json!({"repository_url": null})).await.json();
        assert_eq!((&bare["repository_url"], &bare["repository_path"]), (&Value::Null, &Value::Null));
        for bad in [json!({"repository_path": "a"}), json!({"repository_url": "https://a.example/x", "repository_path": "../x"}),
            json!({"schedule": "often"}), json!({"default_release_channel": "Stable"}), json!({"type": "Other"}), json!({"long_name": ""})] {
            assert_eq!(change(bad.clone()).await.status, 422, "{bad}");
        }
        assert_eq!(post(json!({"name": "stock", "connectors": ["hubspot"]})).await.status, 409);
        assert_eq!(post(json!({"name": "other", "connectors": []})).await.status, 422);
        assert_eq!(post(json!({"name": "other", "connectors": ["nobody-has-it"]})).await.status, 404);
        assert_eq!(scene.asks(Method::PATCH, "/v2/integrations/4711", &json!({"long_name": "x"})).await.status, 404);
    }
}

on_both! {
    async fn an_organization_sees_and_changes_its_own_settings(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.acme.api_key(&["settings:read", "settings:write", "audit:read"]).await;
        let program = scene.world.person();
        let asks = async |method: Method, path: &str, body: Value| {
            let ask = program.ask(method, path).header("x-api-key", &key);
            ask.body("application/json", body.to_string()).await
        };
        let own = program.calls(&key, "/v2/organizations").await.json();
        assert_eq!((own.as_array().unwrap().len(), &own[0]["slug"]), (1, &json!("acme")));
        // Origins.
        let added = asks(Method::POST, "/v2/origins", json!({"origin": "https://new.example.com"})).await;
        assert_eq!(added.status, 201, "{}", added.text());
        assert_eq!(asks(Method::POST, "/v2/origins", json!({"origin": "https://new.example.com"})).await.status, 200);
        assert_eq!(asks(Method::POST, "/v2/origins", json!({"origin": "*"})).await.status, 422);
        assert!(program.calls(&key, "/v2/origins").await.text().contains("https://new.example.com"));
        let gone = "/v2/origins?origin=https://new.example.com";
        assert_eq!(asks(Method::DELETE, gone, Value::Null).await.status, 204);
        assert_eq!(asks(Method::DELETE, gone, Value::Null).await.status, 404);
        // Signing keys: the secret is shown once.
        let made = asks(Method::POST, "/v2/signing-keys", json!({"name": "second"})).await;
        assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.text());
        let (id, secret) = (made.json()["id"].as_str().unwrap().to_owned(), made.json()["secret"].as_str().unwrap().to_owned());
        let listed = program.calls(&key, "/v2/signing-keys").await;
        assert!(listed.text().contains(&id) && !listed.text().contains(&secret));
        assert_eq!(asks(Method::DELETE, &format!("/v2/signing-keys/{id}"), Value::Null).await.status, 204);
        assert_eq!(asks(Method::DELETE, "/v2/signing-keys/key_x", Value::Null).await.status, 404);
        // API keys: none gives more than it has.
        let beyond = asks(Method::POST, "/v2/api-keys", json!({"name": "x", "scopes": ["credentials:read"]})).await;
        assert_eq!(beyond.status, 422);
        let made = asks(Method::POST, "/v2/api-keys", json!({"name": "reader", "scopes": ["audit:read"]})).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let reader = made.json()["key"].as_str().unwrap().to_owned();
        assert_eq!(program.calls(&reader, "/v2/audit").await.status, 200);
        assert_eq!(program.calls(&reader, "/v2/api-keys").await.status, 403);
        let listed = program.calls(&key, "/v2/api-keys").await.text();
        assert!(listed.contains("reader") && !listed.contains(&reader));
        let id = made.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(asks(Method::DELETE, &format!("/v2/api-keys/{id}"), Value::Null).await.status, 204);
        assert_eq!(program.calls(&reader, "/v2/audit").await.status, 403);
        // Another company sees none of it.
        let stranger = scene.world.organization("other").await.api_key(&["settings:read", "settings:write", "audit:read"]).await;
        assert!(!program.calls(&stranger, "/v2/audit?limit=500").await.text().contains("reader"));
        let ask = program.ask(Method::DELETE, &format!("/v2/api-keys/{id}")).header("x-api-key", &stranger);
        assert_eq!(ask.await.status, 404);
        let audit = program.calls(&key, "/v2/audit?limit=500").await.text();
        for action in ["origin.added", "origin.removed", "signing_key.revoked", "api_key.created", "api_key.revoked"] {
            assert!(audit.contains(action), "{action}");
        }
        assert_eq!(program.calls(&key, "/v2/audit?limit=501").await.status, 422);
    }
}
