//! Connectors, users, a tenant's webhook addresses and signing keys by API: seen, changed, refused, and nobody else's.

use kernel::{Actor, Environment};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;
use testkit::world::{Answer, Company, Person, World};

const SCOPES: &[&str] = &[
    "connectors:read",
    "connectors:write",
    "users:read",
    "tenants:read",
    "tenants:write",
    "settings:read",
    "settings:write",
    "audit:read",
];

/// An own connector. `{at}` is where its credential goes.
fn definition(name: &str, at: &str) -> String {
    format!(
        "id = \"{name}\"\nname = \"Depot\"\n\n[auth]\nkind = \"api_key\"\n\n[[inputs]]\nkey = \"token\"\nlabel = \"Token\"\nsecret = true\n\n[api]\nbase_url = \"{at}\"\nheaders = {{ Authorization = \"Bearer {{token.access}}\" }}\n"
    )
}

/// A program with a key.
struct Program {
    person: Person,
    key: String,
}

impl Program {
    async fn of(world: &World, company: &Company, scopes: &[&str]) -> Self {
        Self { person: world.person(), key: company.api_key(scopes).await }
    }

    /// With a key of production.
    async fn in_production(world: &World, company: &Company) -> Self {
        let scopes: Vec<String> = SCOPES.iter().map(|it| (*it).to_owned()).collect();
        let service = world.service();
        let made =
            service.create_api_key(&Actor::Operator, &company.id, Environment::Production, "live", &scopes);
        Self { person: world.person_in_production(), key: made.await.unwrap().1.reveal().to_owned() }
    }

    async fn asks(&self, method: Method, path: &str, body: &Value) -> Answer {
        let ask = self.person.ask(method, path).header("x-api-key", &self.key);
        ask.body("application/json", body.to_string()).await
    }

    async fn gets(&self, path: &str) -> Answer {
        self.person.calls(&self.key, path).await
    }

    async fn stores(&self, text: &str) -> Answer {
        let ask = self.person.ask(Method::POST, "/v2/connectors").header("x-api-key", &self.key);
        ask.body("application/toml; charset=utf-8", text.to_owned()).await
    }
}

fn named(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

on_both! {
    async fn connectors_are_listed_and_shown(world: World) {
        let acme = world.organization("acme").await;
        let program = Program::of(&world, &acme, SCOPES).await;
        let all = program.gets("/v2/connectors?limit=500").await;
        assert_eq!(all.status, 200, "{}", all.text());
        let names = named(&all.json());
        assert!(names.is_sorted() && names.len() > 3, "{names:?}");
        assert_eq!(all.header("x-total-count"), names.len().to_string());
        let of = |name: &str| all.json().as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
        assert_eq!((&of("gwt")["isGlobal"], &of("hubspot")["isGlobal"]), (&json!(false), &json!(true)));
        assert_eq!((&of("hubspot")["connects_by"], &of("hubspot")["needs_app"]), (&json!("sign_in"), &json!(true)));
        assert!(of("hubspot")["app"]["client_id"].is_string() && of("gwt")["app"].is_null());
        // Pages.
        let first = program.gets("/v2/connectors?limit=2&sort_by=name__DESC").await;
        let last_two: Vec<_> = names.iter().rev().take(2).cloned().collect();
        assert_eq!(named(&first.json()), last_two);
        let next = first.header("link").split(['<', '>']).nth(1).unwrap().to_owned();
        assert_eq!(named(&program.gets(&next).await.json()), names.iter().rev().skip(2).take(2).cloned().collect::<Vec<_>>());
        assert_eq!(program.gets("/v2/connectors?sort_by=isGlobal__ASC").await.status, 422);
        assert_eq!(program.gets("/v2/connectors?archived=true").await.json(), json!([]));
        // One, with its definition; nothing of the app is secret there.
        let own = program.gets("/v2/connectors/gwt").await.json();
        assert!(own["definition"].as_str().unwrap().contains("id = \"gwt\""), "{own}");
        assert_eq!(own["inputs"], json!([{"name": "token", "label": "Token", "secret": true, "optional": false}]));
        let hubspot = program.gets("/v2/connectors/hubspot").await;
        assert_eq!(hubspot.json()["modified_date"], Value::Null);
        assert!(!hubspot.text().contains(testkit::standins::CLIENT_SECRET));
        assert_eq!(program.gets("/v2/connectors/nobody-has-it").await.status, 404);
    }

    async fn an_own_connector_is_stored_by_program(world: World) {
        let acme = world.organization("acme").await;
        let program = Program::of(&world, &acme, SCOPES).await;
        let text = definition("depot", "https://api.depot.example");
        let made = program.stores(&text).await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!((&made.json()["name"], &made.json()["definition"], &made.json()["isGlobal"]), (&json!("depot"), &json!(text), &json!(false)));
        let newer = definition("depot", "https://api2.depot.example");
        let replaced = program.asks(Method::POST, "/v2/connectors", &json!({"definition": newer})).await;
        assert_eq!((replaced.status, &replaced.json()["definition"]), (200, &json!(newer)), "{}", replaced.text());
        assert_eq!(world.count("audit WHERE action = 'connector.stored' AND subject = 'depot' AND actor LIKE '%key_%'").await, 2);
        // Each problem with its field and line.
        let wrong = program.stores(&text.replace("kind = \"api_key\"", "kind = \"api_kee\"").replace("secret = true", "secret = 3")).await;
        assert_eq!(wrong.status, 422);
        let detail = wrong.json()["detail"].clone();
        let told: Vec<_> = detail.as_array().unwrap().iter().map(|it| (it["loc"][2].as_str().unwrap_or_default().to_owned(), it["ctx"]["line"].as_i64().unwrap())).collect();
        assert!(told.iter().any(|(field, line)| field.contains("kind") && *line == 5), "{detail}");
        let no_toml = program.stores("id = ").await.json();
        assert_eq!((&no_toml["detail"][0]["loc"], &no_toml["detail"][0]["ctx"]["line"]), (&json!(["body", "definition"]), &json!(1)), "{no_toml}");
        for body in [json!({}), json!({"definition": 3}), json!([])] {
            assert_eq!(program.asks(Method::POST, "/v2/connectors", &body).await.status, 422, "{body}");
        }
        assert_eq!(program.gets("/v2/connectors/depot").await.json()["definition"], json!(newer), "what is refused changes nothing");
        // Carried out once.
        let once = async || {
            let ask = program.person.post("/v2/connectors").header("x-api-key", &program.key).header("idempotency-key", "c-1");
            ask.body("application/toml", definition("once", "https://once.example")).await
        };
        assert_eq!((once().await.status, once().await.status), (201, 201));
        assert_eq!(world.count("audit WHERE subject = 'once'").await, 1);
        // Another company neither sees it nor replaces it.
        let other = world.organization("other").await;
        let stranger = Program::of(&world, &other, SCOPES).await;
        assert_eq!(stranger.gets("/v2/connectors/depot").await.status, 404);
        assert!(!named(&stranger.gets("/v2/connectors").await.json()).contains(&"depot".to_owned()));
        assert_eq!(stranger.stores(&definition("depot", "https://evil.example")).await.status, 201);
        assert_eq!(program.gets("/v2/connectors/depot").await.json()["definition"], json!(newer));
    }

    async fn a_key_of_the_sandbox_changes_nothing_that_production_connects(world: World) {
        let acme = world.organization("acme").await;
        acme.add_connector(&definition("depot", "https://api.depot.example")).await;
        let new = service::admin::integrations::NewIntegration {
            name: "depot-sync".to_owned(), long_name: None, external: false, own_connector: None,
            connectors: vec!["depot".to_owned()], schedule: None, shift_all: false,
        };
        let service = world.service();
        service.create_integration(&Actor::Operator, &acme.id, Environment::Production, new).await.unwrap();
        let program = Program::of(&world, &acme, SCOPES).await;
        let evil = definition("depot", "https://evil.example");
        let refused = program.stores(&evil).await;
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert!(refused.text().contains("key of production"), "{}", refused.text());
        assert!(program.gets("/v2/connectors/depot").await.text().contains("api.depot.example"));
        assert_eq!(world.count("audit WHERE subject = 'depot' AND actor LIKE '%key_%'").await, 0);
        // A key of production may.
        let live = Program::in_production(&world, &acme).await;
        assert_eq!(live.stores(&definition("depot", "https://api3.depot.example")).await.status, 200);
    }

    async fn a_key_of_the_sandbox_plants_nothing_that_production_will_connect(world: World) {
        let acme = world.organization("acme").await;
        let (program, live) = (Program::of(&world, &acme, SCOPES).await, Program::in_production(&world, &acme).await);
        let connects = async |connector: &str| {
            let new = service::admin::integrations::NewIntegration {
                name: format!("{connector}-live"), long_name: None, external: false, own_connector: None,
                connectors: vec![connector.to_owned()], schedule: None, shift_all: false,
            };
            world.service().create_integration(&Actor::Operator, &acme.id, Environment::Production, new).await
        };
        // One of the gateway's, before anything in production connects it.
        let shipped = program.stores(&definition("hubspot", "https://evil.example")).await;
        assert_eq!(shipped.status, 409, "{}", shipped.text());
        connects("hubspot").await.unwrap();
        let seen = live.gets("/v2/connectors/hubspot").await;
        assert!(seen.json()["isGlobal"] == true && !seen.text().contains("evil"), "{}", seen.text());
        // One of a new name is of the sandbox: production neither sees nor connects it.
        assert_eq!(program.stores(&definition("depot", "https://evil.example")).await.status, 201);
        assert_eq!(program.gets("/v2/connectors/depot").await.status, 200);
        assert_eq!(live.gets("/v2/connectors/depot").await.status, 404);
        assert!(!named(&live.gets("/v2/connectors?limit=500").await.json()).contains(&"depot".to_owned()));
        let app = json!({"client_id": "x"});
        assert_eq!(live.asks(Method::PUT, "/v2/connectors/depot/app", &app).await.status, 404);
        assert_eq!(connects("depot").await.unwrap_err().code(), "not_found");
        let config = world.service().config_of(&acme.id, Environment::Production).await.unwrap().unwrap();
        assert!(!config.definitions.keys().any(|name| name.as_str() == "depot"));
        // Stored for production it is for both, and the sandbox's is gone.
        assert_eq!(live.stores(&definition("depot", "https://api.depot.example")).await.status, 201);
        connects("depot").await.unwrap();
        assert_eq!(program.stores(&definition("depot", "https://evil.example")).await.status, 409);
        for program in [&program, &live] {
            let seen = program.gets("/v2/connectors/depot").await.text();
            assert!(seen.contains("api.depot.example") && !seen.contains("evil"), "{seen}");
        }
    }

    async fn an_app_is_stored_and_its_secret_never_shown(world: World) {
        let acme = world.organization("acme").await;
        let program = Program::of(&world, &acme, SCOPES).await;
        let body = json!({"client_id": "new-client", "client_secret": "canary-of-the-app", "scopes": ["contacts"], "fields": {"application_id": "canary-of-a-field"}});
        let stored = program.asks(Method::PUT, "/v2/connectors/hubspot/app", &body).await;
        assert_eq!(stored.status, 200, "{}", stored.text());
        let shown = stored.json();
        assert_eq!((&shown["client_id"], &shown["has_secret"], &shown["fields"]), (&json!("new-client"), &json!(true), &json!(["application_id"])));
        assert!(shown["callback_url"].as_str().unwrap().ends_with("/oauth2/callback"));
        let read = program.gets("/v2/connectors/hubspot").await;
        assert_eq!((&read.json()["app"]["client_id"], &read.json()["app"]["scopes"]), (&json!("new-client"), &json!(["contacts"])));
        for text in [stored.text(), read.text(), program.gets("/v2/connectors").await.text(), program.gets("/v2/audit").await.text()] {
            assert!(!text.contains("canary"), "{text}");
        }
        assert_eq!(world.count("connector_apps WHERE client_id = 'new-client' AND secrets NOT LIKE '%canary%'").await, 1);
        assert!(program.gets("/v2/audit").await.text().contains("connector_app.stored"));
        // It is of this environment only.
        assert_eq!(world.count("connector_apps WHERE environment = 'production'").await, 0);
        assert_eq!(program.asks(Method::PUT, "/v2/connectors/nobody/app", &body).await.status, 404);
        assert_eq!(program.asks(Method::PUT, "/v2/connectors/gwt/app", &body).await.status, 422, "it needs none");
        assert_eq!(program.asks(Method::PUT, "/v2/connectors/hubspot/app", &json!({"client_id": " "})).await.status, 422);
        let reader = Program::of(&world, &acme, &["connectors:read"]).await;
        for (method, path) in [(Method::PUT, "/v2/connectors/hubspot/app"), (Method::POST, "/v2/connectors")] {
            assert_eq!(reader.asks(method, path, &body).await.status, 403, "{path}");
        }
        let nothing = Program::of(&world, &acme, &["tenants:read"]).await;
        for path in ["/v2/connectors", "/v2/connectors/gwt", "/v2/users"] {
            assert_eq!(nothing.gets(path).await.status, 403, "{path}");
        }
    }

    async fn users_are_those_of_the_organization(world: World) {
        let acme = world.organization("acme").await;
        for name in ["berta", "anna", "cleo"] {
            let token = acme.token("notion").sub(name).without("ti.uem");
            world.person().connects(&acme, "notion", &token.sign()).await;
        }
        let program = Program::of(&world, &acme, SCOPES).await;
        let list = program.gets("/v2/users?limit=2").await;
        assert_eq!((list.status, list.header("x-total-count")), (200, "3"), "{}", list.text());
        let names = |answer: &Answer| answer.json().as_array().unwrap().iter().map(|it| it["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&list), ["anna", "berta"]);
        let next = list.header("link").split(['<', '>']).nth(1).unwrap().to_owned();
        let rest = program.gets(&next).await;
        assert_eq!((names(&rest), rest.header("link")), (vec!["cleo".to_owned()], ""));
        assert_eq!(names(&program.gets("/v2/users?sort_by=created_timestamp__DESC&limit=1").await).len(), 1);
        assert_eq!(names(&program.gets("/v2/users?sort_by=username__DESC").await), ["cleo", "berta", "anna"]);
        for bad in ["sort_by=meta__ASC", "limit=501", "skip=-1"] {
            assert_eq!(program.gets(&format!("/v2/users?{bad}")).await.status, 422, "{bad}");
        }
        // As the tenant shows whose it is.
        let anna = list.json()[0].clone();
        let one = program.gets(&format!("/v2/users/{}", anna["id"].as_str().unwrap())).await;
        assert_eq!((one.status, one.json()), (200, anna.clone()));
        let tenants = program.gets("/v2/tenants?user_name=anna").await.json();
        let v1 = program.gets(&format!("/v1/tenants/{}", tenants[0]["id"])).await.json();
        assert_eq!(v1["connected_users"]["vestibule"], anna);
        assert!(!one.text().contains(testkit::world::OWN_TOKEN), "the token of xti is masked");
        for id in ["x", "00000000-0000-4000-8000-000000000000"] {
            assert_eq!(program.gets(&format!("/v2/users/{id}")).await.status, 404, "{id}");
        }
        // Nobody else's, and nothing of the other environment.
        let other = world.organization("other").await;
        let stranger = Program::of(&world, &other, SCOPES).await;
        let path = format!("/v2/users/{}", anna["id"].as_str().unwrap());
        assert_eq!((stranger.gets("/v2/users").await.json(), stranger.gets(&path).await.status), (json!([]), 404));
        let live = world.service().create_api_key(&Actor::Operator, &acme.id, Environment::Production, "live", &["users:read".to_owned()]).await.unwrap();
        let live = Program { person: world.person_in_production(), key: live.1.reveal().to_owned() };
        assert_eq!((live.gets("/v2/users").await.json(), live.gets(&path).await.status), (json!([]), 404));
    }

    async fn webhook_addresses_are_shown_and_rotated(world: World) {
        let acme = world.organization("acme").await;
        let connected = world.person().connects(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let (path, program) = (format!("/v2/tenants/{}/webhooks", connected["id"]), Program::of(&world, &acme, SCOPES).await);
        let rotate = format!("{path}/rotate");
        let listed = program.gets(&path).await;
        assert_eq!((listed.status, listed.header("cache-control")), (200, "no-store"), "{}", listed.text());
        let sources: Vec<_> = listed.json().as_array().unwrap().iter().map(|it| it["source"].as_str().unwrap().to_owned()).collect();
        assert!(sources.len() >= 2 && sources[0] == "custom" && sources.contains(&"hubspot".to_owned()), "{sources:?}");
        let own = listed.json()[0]["url"].as_str().unwrap().to_owned();
        let delivers = async |url: &str| world.person().ask(Method::POST, url).json().body("application/json", "{}").await.status;
        assert_eq!(delivers(&own).await, 202);
        // Who may only read tenants does not learn where to deliver.
        let reader = Program::of(&world, &acme, &["tenants:read"]).await;
        let seen = reader.gets(&path).await;
        assert_eq!((seen.status, &seen.json()[0]["source"], &seen.json()[0]["url"]), (200, &json!("custom"), &Value::Null));
        assert!(!seen.text().contains("/v1/webhooks/"));
        assert_eq!(reader.asks(Method::POST, &rotate, &json!({})).await.status, 403);
        // The old one lives on, and is shown as long as it does.
        let made = program.asks(Method::POST, &rotate, &json!({})).await;
        assert_eq!((made.status, &made.json()["source"], made.header("cache-control")), (200, &json!("custom"), "no-store"), "{}", made.text());
        let new = made.json()["url"].as_str().unwrap().to_owned();
        assert_ne!(new, own);
        assert_eq!((delivers(&own).await, delivers(&new).await), (202, 202));
        let ends = |list: &Value| list.as_array().unwrap().iter().filter(|it| it["source"] == "custom").map(|it| it["ends_date"].is_string()).collect::<Vec<_>>();
        assert_eq!(ends(&program.gets(&path).await.json()), [false, true]);
        // At once.
        let newest = program.asks(Method::POST, &rotate, &json!({"at_once": true})).await.json()["url"].as_str().unwrap().to_owned();
        assert_eq!((delivers(&new).await, delivers(&newest).await), (404, 202));
        world.pass_seconds(7 * 24 * 3600);
        assert_eq!(ends(&program.gets(&path).await.json()), [false]);
        // One connector's, carried out once.
        let once = async || {
            let ask = program.person.post(&rotate).header("x-api-key", &program.key).header("idempotency-key", "r-1");
            ask.body("application/json", "{\"connector\": \"hubspot\"}").await
        };
        let (first, again) = (once().await, once().await);
        assert_eq!((first.status, &first.json()["connector"]), (200, &json!("hubspot")), "{}", first.text());
        assert_eq!(first.json(), again.json());
        assert_eq!(world.count("audit WHERE action = 'webhook.rotated'").await, 3);
        for (body, status) in [(json!({"connector": "nobody"}), 404), (json!({"connector": "No Name"}), 422), (json!({"at_once": "yes"}), 422)] {
            assert_eq!(program.asks(Method::POST, &rotate, &body).await.status, status, "{body}");
        }
        assert_eq!(program.asks(Method::POST, "/v2/tenants/4711/webhooks/rotate", &json!({})).await.status, 404);
        assert_eq!((program.gets("/v2/tenants/4711/webhooks").await.status, program.gets("/v2/tenants/x/webhooks").await.status), (404, 422));
        // Nobody else's, and not with a key of the other environment.
        let other = world.organization("other").await;
        let stranger = Program::of(&world, &other, SCOPES).await;
        let scopes: Vec<String> = SCOPES.iter().map(|it| (*it).to_owned()).collect();
        let live = world.service().create_api_key(&Actor::Operator, &acme.id, Environment::Production, "live", &scopes).await.unwrap();
        let live = Program { person: world.person_in_production(), key: live.1.reveal().to_owned() };
        for program in [&stranger, &live] {
            assert_eq!(program.gets(&path).await.status, 404);
            assert_eq!(program.asks(Method::POST, &rotate, &json!({"at_once": true})).await.status, 404);
        }
        assert_eq!(delivers(&newest).await, 202);
    }

    async fn a_signing_key_is_rotated_by_program(world: World) {
        let acme = world.organization("acme").await;
        let program = Program::of(&world, &acme, SCOPES).await;
        let made = program.asks(Method::POST, "/v2/signing-keys", &json!({"name": "second"})).await.json();
        let path = format!("/v2/signing-keys/{}/rotate", made["id"].as_str().unwrap());
        let rotated = program.asks(Method::POST, &path, &json!({"overlap_s": 60})).await;
        assert_eq!((rotated.status, rotated.header("cache-control")), (201, "no-store"), "{}", rotated.text());
        let new = rotated.json();
        assert!(new["id"] != made["id"] && new["secret"].is_string() && new["secret"] != made["secret"] && new["state"] == "live");
        let states = async |id: &Value| {
            let listed = program.gets("/v2/signing-keys").await;
            assert!(!listed.text().contains("\"secret\""));
            listed.json().as_array().unwrap().iter().find(|it| it["id"] == *id).unwrap()["state"].clone()
        };
        assert_eq!(states(&made["id"]).await, json!("retiring"));
        world.pass_seconds(61);
        assert_eq!(states(&made["id"]).await, json!("retired"));
        assert_eq!(program.asks(Method::POST, &path, &json!({})).await.status, 422, "it is over");
        let newer = format!("/v2/signing-keys/{}/rotate", new["id"].as_str().unwrap());
        assert_eq!(program.asks(Method::POST, &newer, &json!({"overlap_s": -1})).await.status, 422);
        let stranger = Program::of(&world, &world.organization("other").await, SCOPES).await;
        assert_eq!(stranger.asks(Method::POST, &newer, &json!({})).await.status, 404);
        let reader = Program::of(&world, &acme, &["settings:read"]).await;
        assert_eq!(reader.asks(Method::POST, &newer, &json!({})).await.status, 403);
        assert_eq!(states(&new["id"]).await, json!("live"));
        assert!(program.gets("/v2/audit").await.text().contains("signing_key.rotated"));
    }
}
