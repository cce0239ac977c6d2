//! Lesson 11: what was used up stays used up, also when the process is killed the moment after.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends at the first thing that is not as it must be"
)]

use kernel::Environment;
use std::net::SocketAddr;
use std::time::Duration;
use testkit::process::{Launch, Stop, Supervised, free_port};
use testkit::world::{Ask, Company, Engine, Person, World};

const START: Duration = Duration::from_secs(60);

/// The program itself, on the world's database and with its keys, as another process would be.
pub(crate) struct Serving {
    process: Supervised,
    pub(crate) address: SocketAddr,
}

impl Serving {
    pub(crate) fn start(world: &World) -> Self {
        let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
        let settings = [
            format!("listen={address}"),
            format!("environments.sandbox.public_url={}", world.url(Environment::Sandbox)),
            format!("environments.production.public_url={}", world.url(Environment::Production)),
            format!("database.url={}", world.database_url()),
        ];
        let process = settings
            .iter()
            .fold(Launch::new(env!("CARGO_BIN_EXE_vestibule")).unwrap(), |launch, setting| {
                launch.argument("--set").argument(setting)
            })
            .environment("VESTIBULE_KEYS__MASTER_KEY", world.master_key())
            .argument("serve")
            .start()
            .unwrap();
        let ready = process.wait_for_line(|line| line.contains(&address.to_string()), START);
        ready.unwrap_or_else(|error| panic!("{error}\n{}", process.output()));
        Self { process, address }
    }

    /// Not asked to stop: killed.
    fn kill(self) {
        self.process.signal(Stop::Kill).unwrap();
        assert_eq!(self.process.wait_for_end(START).as_deref(), Some("137"), "{}", self.process.output());
    }
}

/// Sends, waits until the database has what `from` counts, and kills the program without reading the answer.
pub(crate) async fn killed_after(world: &World, serving: Serving, ask: Ask, from: &str) {
    let before = world.count(from).await;
    let sent = tokio::spawn(ask.try_send());
    let deadline = tokio::time::Instant::now() + START;
    while world.count(from).await == before {
        assert!(tokio::time::Instant::now() < deadline, "{from}: {}", serving.process.output());
        tokio::task::yield_now().await;
    }
    serving.kill();
    let _ = sent.await;
}

fn landing(person: &Person, company: &Company, token: &str) -> Ask {
    person.ask(reqwest::Method::POST, &company.page("hubspot")).framed().json().form(&[("tenant", token)])
}

async fn lesson_11(engine: Engine) {
    let world = World::build(engine).system_clock().start().await;
    let acme = world.organization("acme").await;
    let anna = world.person();

    // The token's jti.
    let serving = Serving::start(&world);
    let token = acme.token("hubspot").sign();
    let at = anna.moved_to(serving.address);
    killed_after(&world, serving, landing(&at, &acme, &token), "dialogs").await;
    let serving = Serving::start(&world);
    let at = anna.moved_to(serving.address);
    let again = landing(&at, &acme, &token).await;
    assert_eq!(
        (again.status, again.json()["code"].as_str()),
        (401, Some("token_replayed")),
        "{}",
        again.text()
    );

    // The start ticket.
    let dialog = at.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
    let link = dialog.start_link().await;
    killed_after(&world, serving, at.get(&link).same_origin(), "attempts").await;
    let serving = Serving::start(&world);
    let at = anna.moved_to(serving.address);
    assert_eq!(at.get(&link).same_origin().await.status, 410);

    // The state.
    let dialog = dialog.seen_by(&at);
    assert_eq!(dialog.stage().await, "waiting");
    let authorize: url::Url = dialog.starts().await.parse().unwrap();
    let state = authorize.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let callback = format!("/oauth2/callback?error=access_denied&state={state}");
    let cookie = at.cookie_line("/oauth2/callback");
    let ask = at.get(&callback).header("cookie", &cookie);
    killed_after(&world, serving, ask, "attempts WHERE used_at IS NOT NULL").await;
    let serving = Serving::start(&world);
    let at = anna.moved_to(serving.address);
    let again =
        at.get(&format!("/oauth2/callback?code=stolen&state={state}")).header("cookie", &cookie).await;
    assert_eq!(again.status, 400, "{}", again.text());
    assert_eq!(world.count("attempts WHERE pending IS NOT NULL").await, 0);

    drop(serving);

    // A delivery: whoever got no answer sends again, and it is kept once.
    let tenant = anna.connects(&acme, "hubspot", &acme.token("hubspot").sign()).await;
    let id = kernel::ids::TenantId::parse(&tenant["id"].to_string()).unwrap();
    let webhook = world.service().webhook_url(&acme.id, id, None).await.unwrap().unwrap();
    let serving = Serving::start(&world);
    let delivery =
        |at: &Person| at.post(&webhook).header("webhook-id", "msg_1").body("text/plain", "delivered");
    let at = anna.moved_to(serving.address);
    killed_after(&world, serving, delivery(&at), "deliveries").await;
    let serving = Serving::start(&world);
    let again = delivery(&anna.moved_to(serving.address)).await;
    assert_eq!((again.status, again.json()["message"].as_str()), (202, Some("accepted before")));
    assert_eq!(world.count("deliveries").await, 1);
}

mod lesson_11_what_was_used_is_used_after_a_kill {
    use super::{Engine, lesson_11};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        lesson_11(Engine::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        lesson_11(Engine::Postgres).await;
    }
}
