//! Notices out: events become signed messages, each delivered at least once, in order where asked, and replayable
//! (contract `runs.md`, section "Notices out").

mod administering;
mod born;
mod documented;
mod failing;
mod many;
mod sink;
mod telling;

use connect::notice::EndpointSecret;
use kernel::Time;
use kernel::ids::EndpointId;
use reqwest::Method;
use serde_json::{Value, json};
use service::work::events::{NewEvent, emit};
use sink::{Received, Sink};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use testkit::world::{Answer, Company, Engine, World, WorldBuilder};

/// How long a real gateway is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that works, a company, a receiver of its own, and a key for its endpoints.
struct Scene {
    sink: Sink,
    world: World,
    acme: Company,
    key: String,
}

/// An endpoint as its owner knows it.
struct Endpoint {
    id: String,
    secret: EndpointSecret,
}

impl Scene {
    async fn on(engine: Engine) -> Self {
        let scene = Self::resting(engine, &[]).await;
        scene.world.node.works();
        scene
    }

    /// One whose gateway delivers nothing yet; `others` may be called as well.
    async fn resting(engine: Engine, others: &[&str]) -> Self {
        let world = others.iter().fold(World::build(engine), |world, other| world.reaching(other));
        Self::of(world).await
    }

    /// One with the machine's clock, for messages that wait a moment for their turn.
    async fn in_time(engine: Engine) -> Self {
        Self::of(World::build(engine).system_clock()).await
    }

    async fn of(world: WorldBuilder) -> Self {
        let sink = Sink::start().await;
        let builder = world.reaching(sink.address());
        let (world, acme) = builder.with("acme").await;
        let key = acme.api_key(&["webhooks:read", "webhooks:write"]).await;
        Self { sink, world, acme, key }
    }

    async fn asks(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let ask = self.world.person().ask(method, path).header("x-api-key", &self.key).json();
        match body {
            Some(body) => ask.body("application/json", body.to_string()).await,
            None => ask.await,
        }
    }

    async fn posts(&self, path: &str, body: Value) -> Answer {
        self.asks(Method::POST, path, Some(body)).await
    }

    async fn reads(&self, path: &str) -> Value {
        let answer = self.asks(Method::GET, path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// An endpoint at this path of the receiver; `more` goes over what is said here.
    async fn endpoint(&self, path: &str, more: &Value) -> Endpoint {
        let mut wanted = json!({ "url": self.sink.url(path) });
        for (name, value) in more.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        let made = self.posts("/v2/webhooks", wanted).await;
        assert_eq!(made.status, 201, "{}", made.text());
        Endpoint::shown(&made.json())
    }

    /// Something has happened: a tenant of this number was archived, if one believes it.
    fn event(&self, tenant: i64, n: usize) -> NewEvent {
        NewEvent {
            organization: self.acme.id.clone(),
            environment: self.acme.environment,
            event: connect::notice::EventType::TenantArchived,
            tenant: kernel::ids::TenantId::new(tenant).ok(),
            body: json!({ "environment": "sandbox", "tenant": { "id": tenant }, "n": n }),
        }
    }

    /// Writes events as a use case does: each in the transaction of what it tells of, and then a ring.
    async fn happen(&self, events: Vec<NewEvent>) {
        let service = Arc::clone(self.world.service());
        let now = service.clock.now();
        for event in events {
            let chance = Arc::clone(&service.chance);
            let write =
                service.db.write(move |tx| Box::pin(async move { emit(tx, &event, now, &*chance).await }));
            write.await.map_err(|error: store::DbError| error).unwrap();
        }
        service.ring_work();
    }

    /// An endpoint's messages of this state.
    async fn in_state(&self, endpoint: &Endpoint, state: &str) -> Vec<Value> {
        let path = format!("/v2/webhooks/{}/messages?state={state}&limit=250", endpoint.id);
        self.reads(&path).await.as_array().unwrap().clone()
    }

    /// Nothing is being done, and what was done is kept.
    async fn rests(&self) {
        until("the queue rests", || async {
            self.world.count("jobs WHERE kind = 'notice' AND state IN ('held', 'ready')").await == 0
        })
        .await;
    }

    /// Waits for a message's try of this number to be kept.
    async fn tried(&self, endpoint: &Endpoint, times: usize) -> Vec<Value> {
        let path = format!("/v2/webhooks/{}/attempts?limit=250", endpoint.id);
        until(&format!("{times} tries"), || async {
            self.reads(&path).await.as_array().unwrap().len() >= times
        })
        .await;
        self.rests().await;
        self.reads(&path).await.as_array().unwrap().clone()
    }
}

impl Endpoint {
    fn shown(json: &Value) -> Self {
        let id = json["id"].as_str().unwrap().to_owned();
        assert!(EndpointId::parse(&id).is_ok(), "{id}");
        let secret = EndpointSecret::parse(json["secret"].as_str().unwrap()).unwrap();
        Self { id, secret }
    }

    /// Whether this endpoint's secret signed what arrived, in one of its signatures.
    fn signed(&self, received: &Received) -> bool {
        let at = received.header("webhook-timestamp").parse().unwrap();
        let id = received.header("webhook-id");
        let right = connect::notice::sign([&self.secret], id, Time::from_seconds(at), &received.body);
        received.header("webhook-signature").split(' ').any(|one| one == right)
    }
}

async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
