//! Runs at an integration's own URL: a real server on loopback, which checks the signature, fetches credentials and
//! reports.

use super::scene::{PROGRAM, Scene, phase, until};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use connect::notice::EndpointSecret;
use connect::notice::signature::sign;
use kernel::ids::RunId;
use kernel::{Actor, Time};
use reqwest::Method;
use serde_json::{Value, json};
use service::work::run_control::Controlled;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use testkit::on_both;
use testkit::world::{Answer, Engine, World};
use tokio::net::TcpListener;

/// One message as it came.
#[derive(Debug, Clone)]
struct Came {
    headers: HeaderMap,
    body: Bytes,
}

impl Came {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
struct Memory {
    came: Vec<Came>,
    answers: VecDeque<(u16, String)>,
}

/// The integration's own server. It answers what it was told to, and with 202 after that.
#[derive(Debug)]
struct Function {
    address: String,
    memory: Arc<Mutex<Memory>>,
    server: tokio::task::JoinHandle<()>,
}

impl Function {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let memory = Arc::<Mutex<Memory>>::default();
        let router = Router::new().route("/run", post(run)).with_state(Arc::clone(&memory));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, memory, server }
    }

    fn answers(&self, status: u16, body: &Value) {
        self.memory.lock().unwrap().answers.push_back((status, body.to_string()));
    }

    async fn came(&self, number: usize) -> Came {
        until("a message", || async { self.memory.lock().unwrap().came.get(number - 1).cloned() }).await
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn run(State(memory): State<Arc<Mutex<Memory>>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut memory = memory.lock().unwrap();
    memory.came.push(Came { headers, body });
    let (status, body) = memory.answers.pop_front().unwrap_or((202, String::new()));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

/// The scene, whose release leads to this server.
async fn scene(engine: Engine, function: &Function) -> Scene {
    let world = World::build(engine).programs(PROGRAM).reaching(&function.address).start().await;
    let scene = Scene::of(world).await;
    let manifest = format!(
        "version: 1\nrunner: http\nurl: http://{}/run\nconnectors: [notion]\ntimeout_seconds: 60\nconfigs:\n  schema:\n    type: object\n    properties:\n      days: {{type: integer, default: 7}}\n",
        function.address
    );
    scene.release("1.0", &[("vestibule.yaml", &manifest)]).await;
    scene
}

async fn asks(scene: &Scene, message: &Came, path: &str, body: Option<&Value>) -> Answer {
    let person = scene.world.person();
    let token = message.header("run-token").to_owned();
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let ask = person.ask(method, path).json().header("authorization", &format!("Bearer {token}"));
    match body {
        Some(body) => ask.body("application/json", body.to_string()).await,
        None => ask.await,
    }
}

on_both! {
    async fn whoever_checks_signatures_need_not_know_of_releases(engine: Engine) {
        let function = Function::start().await;
        let scene = scene(engine, &function).await;
        let manifest = format!("version: 1\nrunner: http\nurl: http://{}/run\n", function.address);
        scene.release("1.1", &[("vestibule.yaml", &manifest)]).await;
        assert_eq!(scene.release_secret("1.0").await, scene.release_secret("1.1").await);
        assert_eq!(scene.world.count("audit WHERE action = 'release.secret_shown'").await, 2);
    }

    async fn a_signed_message_is_answered(engine: Engine) {
        let function = Function::start().await;
        let scene = scene(engine, &function).await;
        function.answers(200, &json!({ "phase": "Succeeded", "log": "hello", "state": { "cursor": 1 } }));
        scene.world.node.works();
        let init = scene.init_ended().await;
        assert_eq!(phase(&init), "Succeeded", "{init} {}", scene.log(&init).await);
        assert_eq!(scene.log(&init).await, "hello\n");
        let message = function.came(1).await;
        let secret = EndpointSecret::parse(&scene.release_secret("1.0").await).unwrap();
        let at = Time::from_seconds(message.header("webhook-timestamp").parse().unwrap());
        let signature = sign([&secret], message.header("webhook-id"), at, &message.body);
        assert_eq!(message.header("webhook-signature"), signature);
        assert_eq!(message.header("webhook-id"), format!("run_{}", init["id"]));
        let body = message.json();
        let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        for member in ["run_id", "mode", "tenant", "configs", "metadata", "triggers", "state", "callback_url"] {
            assert!(members.contains(&member), "{member}");
        }
        assert_eq!((&body["mode"], &body["configs"], &body["state"]), (&json!("init"), &json!({ "days": 7 }), &Value::Null));
        assert!(!body.to_string().contains(message.header("run-token")), "no credential stands in the body");
        // The next one is handed the state.
        function.answers(200, &json!({ "phase": "Failed", "log": "no" }));
        let run = scene.runs_once().await;
        assert_eq!(phase(&run), "Failed (Integration Issue)");
        assert_eq!(function.came(2).await.json()["state"], "{\"cursor\":1}");
        // A token ends with its run.
        let answer = asks(&scene, &message, &format!("/v1/runs/{}/credentials/notion", init["id"]), None).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
    }

    async fn a_delivery_to_a_tenant_at_rest_is_told_what_is_so_now(engine: Engine) {
        let function = Function::start().await;
        let scene = scene(engine, &function).await;
        let world = &scene.world;
        let to = world.service().webhook_url(&scene.acme.id, scene.tenant, None).await.unwrap().unwrap();
        let key = scene.acme.api_key(&["integrations:write", "tenants:write"]).await;
        let tenant = format!("/v2/tenants/{}", scene.tenant);
        for number in 0..20 {
            function.answers(200, &json!({ "phase": "Succeeded", "state": number.to_string() }));
        }
        let sends = |number: usize| {
            let (person, to) = (world.person(), to.clone());
            async move {
                let ask = person.ask(Method::POST, &to).header("x-number", &number.to_string()).json();
                let answer = ask.body("application/json", json!({ "n": number }).to_string()).await;
                assert_eq!(answer.status, 202, "{}", answer.text());
            }
        };
        let rests = || async {
            until("the tenant to rest", || async { (world.count("jobs WHERE kind = 'run'").await == 0).then_some(()) }).await;
        };
        let changes = |method: Method, path: String, body: Value| {
            let ask = world.person().ask(method, &path).header("x-api-key", &key);
            async move {
                let answer = ask.body("application/json", body.to_string()).await;
                assert!(answer.status < 300, "{path}: {}", answer.text());
            }
        };
        world.node.works();
        scene.init_ended().await;
        rests().await;
        // Each of these is handed the state of the one before it, and its own delivery.
        for number in 2..6 {
            sends(number).await;
            let message = function.came(number).await.json();
            assert_eq!(message["state"], json!((number - 2).to_string()));
            let trigger = &message["triggers"][0];
            assert_eq!(message["triggers"].as_array().unwrap().len(), 1);
            assert_eq!((&trigger["source"], &trigger["payload"]["body"]), (&json!("webhook"), &json!(format!("{{\"n\":{number}}}"))), "{trigger}");
            rests().await;
        }
        assert_eq!(world.count("deliveries WHERE taken_at IS NULL OR trigger_id IS NULL").await, 0);
        changes(Method::PATCH, tenant.clone(), json!({ "configs": { "days": 3 } })).await;
        sends(6).await;
        assert_eq!(function.came(6).await.json()["configs"], json!({ "days": 3 }));
        rests().await;
        let manifest = format!("version: 1\nrunner: http\nurl: http://{}/run\nconfigs:\n  schema:\n    type: object\n    properties:\n      weeks: {{type: integer, default: 2}}\nmetadata_schema:\n  schema:\n    type: object\n    properties: {{warehouse: {{type: string}}}}\n", function.address);
        let next = scene.release("2.0", &[("vestibule.yaml", &manifest)]).await;
        world.service().set_default_release(&Actor::Operator, &scene.holder(), scene.integration, next.id).await.unwrap();
        sends(7).await;
        assert_eq!(function.came(7).await.json()["configs"]["weeks"], json!(2));
        rests().await;
        changes(Method::PATCH, format!("{tenant}/metadata"), json!({ "warehouse": "north" })).await;
        sends(8).await;
        assert_eq!(function.came(8).await.json()["metadata"], json!({ "warehouse": "north" }));
        rests().await;
        changes(Method::PATCH, tenant.clone(), json!({ "paused": true })).await;
        sends(9).await;
        until("the delivery to become a trigger", || async {
            (world.count("triggers WHERE claimed_at IS NULL").await == 1).then_some(())
        }).await;
        rests().await;
        assert_eq!(world.count("runs").await, 8, "a paused tenant has none");
        changes(Method::PATCH, tenant, json!({ "paused": false })).await;
        assert_eq!(function.came(9).await.json()["triggers"][0]["payload"]["body"], "{\"n\":9}");
    }

    async fn a_report_ends_a_run_that_was_taken(engine: Engine) {
        let function = Function::start().await;
        let scene = scene(engine, &function).await;
        scene.world.node.works();
        let message = function.came(1).await;
        let id = message.json()["run_id"].as_i64().unwrap();
        let callback = format!("/v1/runs/{id}/report");
        assert_eq!(message.json()["callback_url"].as_str().unwrap(), format!("{}{callback}", scene.world.url(scene.acme.environment)));
        until("the run to wait", || async { (scene.world.count("runs WHERE waits_until IS NOT NULL").await == 1).then_some(()) }).await;
        let credentials = asks(&scene, &message, &format!("/v1/runs/{id}/credentials/notion"), None).await;
        assert_eq!(credentials.status, 200, "{}", credentials.text());
        assert_eq!(credentials.header("cache-control"), "no-store");
        let token = credentials.json()["credentials"]["ACCESS_TOKEN"].as_str().unwrap().to_owned();
        assert!(!token.is_empty());
        let none = asks(&scene, &message, &format!("/v1/runs/{id}/credentials/hubspot"), None).await;
        assert_eq!(none.status, 404);
        let log = json!({ "phase": "Running", "log": format!("with {token}") });
        assert_eq!(asks(&scene, &message, &callback, Some(&log)).await.status, 200);
        // Triggers that come meanwhile wait for it.
        let next = scene.sync().await;
        let bad = asks(&scene, &message, &callback, Some(&json!({ "phase": "Failed (Platform Issue)" }))).await;
        assert_eq!(bad.status, 422);
        let stranger = scene.world.person().post(&callback).json().header("authorization", "Bearer vst_run_guess");
        assert_eq!(stranger.body("application/json", "{\"phase\":\"Succeeded\"}").await.status, 401);
        let other = asks(&scene, &message, &format!("/v1/runs/{}/report", id + 1), Some(&json!({ "phase": "Succeeded" }))).await;
        assert_eq!(other.status, 401, "another run's");
        assert_eq!(scene.runs().await.len(), 1);
        let report = json!({ "phase": "Succeeded", "log": "done", "state": "last words" });
        assert_eq!(asks(&scene, &message, &callback, Some(&report)).await.status, 200);
        let init = scene.init_ended().await;
        assert_eq!((phase(&init), scene.log(&init).await.as_str()), ("Succeeded", "with ***\ndone\n"));
        assert_eq!(asks(&scene, &message, &callback, Some(&report)).await.status, 401, "once");
        let second = function.came(2).await;
        assert_eq!(second.json()["state"], "last words");
        assert_eq!(asks(&scene, &second, &format!("/v1/runs/{}/report", id + 1), Some(&report)).await.status, 200);
        assert_eq!(phase(&scene.ended(next).await), "Succeeded");
    }

    async fn weather_is_tried_again_and_silence_times_out(engine: Engine) {
        let function = Function::start().await;
        let scene = scene(engine, &function).await;
        function.answers(503, &json!({}));
        scene.world.node.works();
        let first = function.came(1).await;
        scene.newest_in("Pending").await;
        scene.world.pass_seconds(700);
        let second = function.came(2).await;
        assert_eq!(first.header("webhook-id"), second.header("webhook-id"), "it is the same run");
        assert_ne!(first.header("run-token"), second.header("run-token"));
        until("the run to wait", || async { (scene.world.count("runs WHERE waits_until IS NOT NULL").await == 1).then_some(()) }).await;
        scene.world.pass_seconds(61);
        let init = scene.init_ended().await;
        assert_eq!((phase(&init), &init["attempts"]), ("Failed (Timeout)", &json!(2)), "{init}");
    }

    async fn a_run_that_waits_is_cancelled(engine: Engine) {
        let function = Function::start().await;
        let scene = scene(engine, &function).await;
        scene.world.node.works();
        function.came(1).await;
        until("the run to wait", || async { (scene.world.count("runs WHERE waits_until IS NOT NULL").await == 1).then_some(()) }).await;
        let id = RunId::new(scene.newest_in("Running").await).unwrap();
        assert_eq!(scene.world.service().cancel_run(&scene.desk(), id).await.unwrap(), Controlled::Ending);
        assert_eq!(phase(&scene.init_ended().await), "Cancelled");
    }

    async fn addresses_of_the_inside_are_not_called(engine: Engine) {
        let function = Function::start().await;
        // The server is there, but nobody has allowed it.
        let world = World::build(engine).programs(PROGRAM).start().await;
        let scene = Scene::of(world).await;
        let manifest = format!("version: 1\nrunner: http\nurl: http://{}/run\n", function.address);
        scene.release("1.0", &[("vestibule.yaml", &manifest)]).await;
        scene.world.node.works();
        let id = scene.newest_in("Pending").await;
        let run = scene.in_full(id).await;
        assert!(run["reason"].as_str().unwrap().contains("is not called"), "{run}");
        assert!(function.memory.lock().unwrap().came.is_empty());
    }
}
