//! What is asked for begins because whoever asked rang, not because of the look that comes twice a second: here that look
//! never comes.

use super::scene::{Scene, until};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use reqwest::Method;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use testkit::on_both;
use testkit::world::{Person, World};
use tokio::net::TcpListener;

/// So many that each moment of a run's end meets a delivery. What rings too seldom stands still at one of the first.
const ROUNDS: usize = 200;
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// An integration's own server. With the answer that ends a run the next delivery goes out.
#[derive(Debug, Default)]
struct Function {
    came: AtomicUsize,
    delivers: OnceLock<(Person, String)>,
}

async fn run(State(function): State<Arc<Function>>) -> Response {
    let number = function.came.fetch_add(1, Ordering::SeqCst);
    if number < ROUNDS {
        let function = Arc::clone(&function);
        tokio::spawn(async move {
            let (sender, to) = function.delivers.get().unwrap();
            let body = json!({ "n": number }).to_string();
            assert_eq!(sender.ask(Method::POST, to).json().body("application/json", body).await.status, 202);
        });
        // The end comes earlier or later beside the delivery.
        for _ in 0..number % 16 {
            tokio::task::yield_now().await;
        }
    }
    axum::Json(json!({ "phase": "Succeeded" })).into_response()
}

on_both! {
    async fn a_delivery_that_arrives_as_a_run_ends_begins_the_next_one(engine: Engine) {
        let function = Arc::<Function>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().route("/run", post(run)).with_state(Arc::clone(&function));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let scene = Scene::of(World::build(engine).reaching(&address).looking_every(NEVER).start().await).await;
        let world = &scene.world;
        let manifest = format!("version: 1\nrunner: http\nurl: http://{address}/run\n");
        scene.release("1.0", &[("vestibule.yaml", &manifest)]).await;
        let to = world.service().webhook_url(&scene.acme.id, scene.tenant, None).await.unwrap().unwrap();
        function.delivers.set((world.person(), to)).unwrap();
        world.node.works();
        // The first is the init run, which waits from the connecting on.
        for number in 1..=ROUNDS + 1 {
            let function = &function;
            until(&format!("run {number}"), || async move { (function.came.load(Ordering::SeqCst) >= number).then_some(()) }).await;
        }
        until("the last run to end", || async {
            (world.count("runs WHERE phase = 'Succeeded'").await == i64::try_from(ROUNDS + 1).unwrap()).then_some(())
        })
        .await;
        assert_eq!(world.count("jobs").await + world.count("triggers WHERE claimed_at IS NULL").await, 0);
        server.abort();
    }
}
