//! `docs/notices.md`: its receivers run as they stand, with the libraries of Standard Webhooks from npm and PyPI, and its
//! samples are those that are sent.

use super::Endpoint;
use connect::notice::EventType;
use kernel::Actor;
use serde_json::Value;
use service::admin::Holder;
use service::work::endpoints::NewEndpoint;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;
use testkit::process::{Launch, Supervised, free_port};
use testkit::world::{Engine, World};
use testkit::{node, on_both, python};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/notices.md"));
const WAIT: Duration = Duration::from_secs(60);

/// The block of the page that is marked so.
fn block(mark: &str) -> &'static str {
    let (_, after) = PAGE.split_once(&format!("receiver={mark}\n")).unwrap();
    after.split_once("\n```").unwrap().0
}

fn start(folder: &Path, mark: &str, secret: &str, port: u16) -> Supervised {
    let launch = if mark == "node" {
        symlink(node::folder().join("node_modules"), folder.join("node_modules")).unwrap();
        fs::write(folder.join("receiver.mjs"), block(mark)).unwrap();
        Launch::new(node::program()).unwrap().argument(folder.join("receiver.mjs"))
    } else {
        fs::write(folder.join("receiver.py"), block(mark)).unwrap();
        Launch::new(python::interpreter()).unwrap().argument("-u").argument(folder.join("receiver.py"))
    };
    let launch = launch.environment("WEBHOOK_SECRET", secret).environment("PORT", port.to_string());
    let program = launch.start().unwrap();
    program.wait_for_line(|line| line == "ready", WAIT).unwrap();
    program
}

/// Real notices, verified by a library of somebody else's, before and after a rotation; what is forged is refused.
async fn receives(engine: Engine, mark: &str) {
    let port = free_port();
    let builder = World::build(engine).reaching(&format!("127.0.0.1:{port}")).system_clock();
    let (world, acme) = builder.with("acme").await;
    let holder = Holder { organization: acme.id.clone(), environment: acme.environment };
    let new = NewEndpoint { url: format!("http://127.0.0.1:{port}/hooks"), ..NewEndpoint::default() };
    let made = world.service().create_endpoint(&Actor::Operator, &holder, new).await;
    let (endpoint, secret) = made.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), mark, secret.reveal(), port);
    world.node.works();

    let token = acme.token("hubspot").sign();
    let tenant = world.person().connects(&acme, "hubspot", &token).await;
    let told = |kind: &'static str| {
        program
            .wait_for_line(|line| line.starts_with(kind), WAIT)
            .unwrap_or_else(|_| panic!("{}", program.output()))
    };
    let line = told("tenant.connected ");
    let data: Value = serde_json::from_str(line.split_once(' ').unwrap().1).unwrap();
    assert_eq!((&data["tenant"]["id"], &data["connector"]), (&tenant["id"], &Value::from("hubspot")));

    // The receiver still has the old secret, which is good for a day.
    let rotated =
        world.service().rotate_endpoint_secret(&Actor::Operator, &holder, endpoint.id.as_str(), None).await;
    assert_ne!(rotated.unwrap().1.reveal(), secret.reveal());
    for event in EventType::ALL {
        let sent = world.service().test_endpoint(
            &Actor::Operator,
            &holder,
            endpoint.id.as_str(),
            Some(event.as_str()),
        );
        sent.await.unwrap();
        let line =
            program.wait_for_line(|line| line.starts_with(event.as_str()) && line.contains("\"test\""), WAIT);
        line.unwrap_or_else(|_| panic!("{event}: {}", program.output()));
    }

    // Somebody else's message, and one that was changed on its way.
    let url = format!("http://127.0.0.1:{port}/hooks");
    let forged = forge(&url, Endpoint { id: endpoint.id.to_string(), secret: other_secret() }, &world).await;
    assert_eq!(forged, 400);
}

fn other_secret() -> connect::notice::EndpointSecret {
    connect::notice::EndpointSecret::new(&kernel::SystemChance)
}

#[expect(clippy::disallowed_methods, reason = "somebody else calls the receiver")]
async fn forge(url: &str, with: Endpoint, world: &World) -> u16 {
    let (now, body) = (world.now(), br#"{"type":"run.failed","timestamp":"x","data":{}}"#);
    let signature = connect::notice::sign([&with.secret], "msg_1", now, body);
    let request = reqwest::Client::builder().no_proxy().build().unwrap().post(url).body(body.to_vec());
    let request =
        request.header("webhook-id", "msg_1").header("webhook-timestamp", now.seconds().to_string());
    request.header("webhook-signature", signature).send().await.unwrap().status().as_u16()
}

on_both! {
    async fn node_receives_as_the_page_says(engine: Engine) {
        receives(engine, "node").await;
    }

    async fn python_receives_as_the_page_says(engine: Engine) {
        receives(engine, "python").await;
    }
}

#[test]
fn the_samples_are_those_of_the_program() {
    let (_, events) = PAGE.split_once("\n## Events\n").unwrap();
    let mut sections = events.split("\n### ").skip(1);
    for event in EventType::ALL {
        let section = sections.next().unwrap();
        let (name, rest) = section.split_once('\n').unwrap();
        assert_eq!(name, event.as_str());
        let sample = rest.split_once("```json\n").unwrap().1.split_once("\n```").unwrap().0;
        assert_eq!(serde_json::from_str::<Value>(sample).unwrap(), event.sample(), "{event}");
    }
    assert_eq!(sections.next(), None);
}
