//! The end of sessions: by the partner, with every app told (contract `enter.md`, sections 5 and 6; OpenID Connect
//! Back-Channel Logout).

use super::oidc::scene::{Rp, SANDBOX, Scene};
use super::robot::Robot;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use enter::ids::SessionId;
use enter::notice::LogoutNotice;
use enter::older::session_hash;
use enter::session::Session;
use futures_util::future::join_all;
use kernel::jose::Algorithm;
use kernel::{Actor, Plain, SafeUrl, SystemChance, Time};
use serde_json::{Value, json};
use service::admin::Holder;
use service::admin::accounts::AccountChange;
use service::admin::people::PersonChange;
use std::sync::{Arc, Mutex};
use store::{apps, logout_notices, sessions};
use testkit::on_both;
use testkit::world::{Engine, World};
use tokio::net::TcpListener;

const LOGOUT: &str = "IdentityProvider/Logout";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What an app was told: path, content type, body.
type Heard = Arc<Mutex<Vec<(String, String, String)>>>;

/// An app that listens, and answers with a status that a test chooses.
struct App {
    address: String,
    heard: Heard,
    status: Arc<Mutex<u16>>,
    server: tokio::task::JoinHandle<()>,
}

impl App {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (heard, status) = (Heard::default(), Arc::new(Mutex::new(200)));
        let state = (Arc::clone(&heard), Arc::clone(&status));
        let router = Router::new().fallback(
            async |State((heard, status)): State<(Heard, Arc<Mutex<u16>>)>,
                   uri: Uri,
                   headers: HeaderMap,
                   body: Bytes| {
                let kind = headers["content-type"].to_str().unwrap().to_owned();
                let body = String::from_utf8(body.to_vec()).unwrap();
                heard.lock().unwrap().push((uri.path().to_owned(), kind, body));
                StatusCode::from_u16(*status.lock().unwrap()).unwrap()
            },
        );
        let router = router.with_state(state);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, heard, status, server }
    }

    fn url(&self, path: &str) -> SafeUrl {
        SafeUrl::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    fn heard(&self) -> Vec<(String, String, String)> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A world in which the app may be called, with a client that wants to hear of logouts.
async fn stage(engine: Engine) -> (World, Scene, Robot, App) {
    let app = App::start().await;
    let world = World::build(engine).reaching(&app.address).start().await;
    let scene = Scene::of(&world).await;
    let robot = Robot::of(&scene).await;
    (world, scene, robot, app)
}

async fn client_at(scene: &Scene, uri: SafeUrl, algorithm: Algorithm) -> Rp {
    let change = |client: &mut enter::oidc::Client| {
        client.backchannel_logout_uri = Some(uri);
        client.id_token_algorithm = algorithm;
    };
    scene.client(change).await
}

async fn notices(world: &World, session: &SessionId) -> Vec<LogoutNotice> {
    let session = session.clone();
    let read =
        world.db().read(move |tx| Box::pin(async move { logout_notices::of_session(tx, &session).await }));
    read.await.unwrap()
}

/// One more session of the scene's person.
async fn another_session(scene: &Scene, name: &str) -> Session {
    let session = Session {
        id: SessionId::new(scene.session.created, &SystemChance),
        secret: Plain::new(&SystemChance).hashed(),
        partner_session: name.to_owned(),
        ..scene.session.clone()
    };
    let row = session.clone();
    scene.write(move |tx| Box::pin(async move { sessions::insert(tx, SANDBOX, &row).await })).await;
    session
}

async fn key_set(scene: &Scene) -> Value {
    scene.caller.get("/oauth2/v1/certs").await.json()
}

/// The logout token of what an app heard.
fn token_of((_, kind, body): &(String, String, String)) -> String {
    assert_eq!(kind, "application/x-www-form-urlencoded");
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let [(name, token)] = fields.as_slice() else { panic!("one field: {body}") };
    assert_eq!(name, "logout_token");
    token.clone()
}

on_both! {
    async fn a_partner_ends_a_session_and_every_app_of_it_is_told(engine: Engine) {
        let (world, scene, robot, app) = stage(engine).await;
        let (first, second) = (
            client_at(&scene, app.url("/first"), Algorithm::Rs256).await,
            client_at(&scene, app.url("/second"), Algorithm::EdDsa).await,
        );
        let (bystander, deaf) = (client_at(&scene, app.url("/bystander"), Algorithm::Es256).await, scene.web().await);
        let tokens = scene.tokens(&first).await;
        scene.tokens(&first).await;
        scene.tokens(&second).await;
        scene.tokens(&deaf).await;
        let other = another_session(&scene, "another").await;
        assert_eq!(scene.user_info(tokens["access_token"].as_str().unwrap()).await.status, 200);

        let ending = json!({ "session_id": scene.session.partner_session });
        assert_eq!(robot.calls(LOGOUT, &ending).await, json!({}));
        assert_eq!(scene.user_info(tokens["access_token"].as_str().unwrap()).await.status, 401, "at once");
        assert_eq!(scene.refreshing(&first, tokens["refresh_token"].as_str().unwrap()).await.status, 400);
        assert_eq!(world.count("grants WHERE revoked_at IS NULL").await, 0);
        assert_eq!(world.count(&format!("sessions WHERE ended_at IS NULL AND id = '{}'", other.id)).await, 1);
        assert_eq!(app.heard().len(), 0, "nobody waits for the apps");

        let round = world.service().tell_apps().await.unwrap();
        assert_eq!((round.told, round.failed), (2, 0));
        let mut heard = app.heard();
        heard.sort();
        assert_eq!(heard.iter().map(|(path, ..)| path.as_str()).collect::<Vec<_>>(), ["/first", "/second"]);
        let keys = key_set(&scene).await;
        let orders: Vec<Value> = heard.iter().zip([&first, &second]).map(|(told, rp)| json!({
            "token": token_of(told), "keys": keys, "issuer": scene.url(), "audience": rp.id(), "typ": "logout+jwt",
            "now": world.now().seconds(),
        })).collect();
        let text = json!(orders).to_string();
        let by_jose: Vec<Value> = serde_json::from_str(&testkit::node::run("verify_token.mjs", [""; 0], &text)).unwrap();
        let by_pyjwt: Vec<Value> = serde_json::from_str(&testkit::python::run("verify_token.py", [""; 0], &text)).unwrap();
        assert_eq!(by_jose, by_pyjwt);
        for (verified, algorithm) in by_jose.iter().zip(["RS256", "EdDSA"]) {
            let claims = &verified["claims"];
            assert_eq!(verified["header"]["alg"], algorithm);
            assert_eq!((&claims["sub"], &claims["sid"]), (&json!(scene.person.id), &json!(scene.session.id)));
            assert_eq!(claims["events"], json!({ EVENT: {} }));
            assert!(claims.get("nonce").is_none(), "a logout token has none, so that it is no ID token");
            assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 120);
        }
        assert_ne!(by_jose[0]["claims"]["jti"], by_jose[1]["claims"]["jti"]);
        assert!(world.service().tell_apps().await.unwrap().is_empty(), "once each");
        robot.calls(LOGOUT, &ending).await;
        assert!(world.service().tell_apps().await.unwrap().is_empty(), "a session ends once");
        assert!(notices(&world, &scene.session.id).await.iter().all(|notice| notice.told.is_some()));
        assert!(!app.heard().iter().any(|(path, ..)| path == "/bystander"), "{} took no part", bystander.id());
    }

    async fn a_partner_ends_all_sessions_of_a_user(engine: Engine) {
        let (world, scene, robot, app) = stage(engine).await;
        let rp = client_at(&scene, app.url("/bye"), Algorithm::Es256).await;
        scene.tokens(&rp).await;
        another_session(&scene, "another").await;
        assert_eq!(robot.calls(LOGOUT, &json!({ "userId": "nobody-9" })).await, json!({}));
        assert_eq!(world.count("sessions WHERE ended_at IS NULL").await, 2);
        robot.calls(LOGOUT, &json!({ "userId": "anna-1" })).await;
        assert_eq!(world.count("sessions WHERE ended_at IS NULL").await, 0);
        assert_eq!(world.service().tell_apps().await.unwrap().told, 1);
    }

    async fn one_logout_at_the_same_time_as_many_writes_one_notice_and_many_workers_tell_it_once(engine: Engine) {
        let (world, scene, robot, app) = stage(engine).await;
        let rp = client_at(&scene, app.url("/bye"), Algorithm::Es256).await;
        scene.tokens(&rp).await;
        let token = robot.token().await;
        let ending = json!({ "sessionId": scene.session.partner_session });
        let answers = join_all((0..20).map(|_| async { robot.asks(&token, LOGOUT, &ending).await.status })).await;
        assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
        assert_eq!(notices(&world, &scene.session.id).await.len(), 1);
        let node = world.another_node().await;
        let services = [world.service(), node.service(), world.service(), node.service()];
        let rounds = join_all(services.map(|service| service.tell_apps())).await;
        assert_eq!(rounds.into_iter().map(|round| round.unwrap().told).sum::<usize>(), 1);
        assert_eq!(app.heard().len(), 1);
    }

    async fn a_user_who_is_switched_off_leaves_every_app(engine: Engine) {
        let (world, scene, robot, app) = stage(engine).await;
        let rp = client_at(&scene, app.url("/bye"), Algorithm::Es256).await;
        scene.tokens(&rp).await;
        let off = |disabled: bool| {
            let change = PersonChange { disabled: Some(disabled), ..PersonChange::default() };
            world.service().change_person(&Actor::Operator, &robot.holder, &scene.person.id, change)
        };
        off(true).await.unwrap();
        assert_eq!(world.service().tell_apps().await.unwrap().told, 1);
        let told = kernel::jose::Compact::parse(&token_of(&app.heard()[0]), 8192).unwrap();
        let claims: Value = serde_json::from_slice(&told.payload).unwrap();
        assert_eq!(claims["sid"], scene.session.id.as_str());
        // Switched on again, the session stays ended, and switched off again there is nothing more to tell.
        off(false).await.unwrap();
        off(true).await.unwrap();
        assert_eq!(notices(&world, &scene.session.id).await.len(), 1);
    }

    async fn what_is_withdrawn_from_people_is_told_to_the_apps_that_hold_it(engine: Engine) {
        let (world, scene, robot, app) = stage(engine).await;
        let rp = client_at(&scene, app.url("/bye"), Algorithm::Es256).await;
        scene.tokens(&rp).await;
        let (service, operator) = (world.service(), Actor::Operator);
        let vendor = Holder { organization: scene.app.organization.clone(), environment: SANDBOX };
        let told = async || service.tell_apps().await.unwrap().told;
        // The account is switched off, and the app closed to it: the session goes on, for the person's other accounts.
        let account = async |disabled: bool| {
            let change = AccountChange { disabled: Some(disabled), ..AccountChange::default() };
            service.change_account(&operator, &robot.holder, &scene.account, change).await.unwrap();
        };
        account(true).await;
        assert_eq!(told().await, 1);
        account(true).await;
        account(false).await;
        assert_eq!(told().await, 0, "it was off before, and is on again");
        let open = async |active: bool| {
            service.activate_app(&operator, &vendor, &scene.app.id, &scene.account, active).await.unwrap()
        };
        assert!(open(false).await);
        assert_eq!(told().await, 1);
        assert!(open(true).await);
        assert_eq!((told().await, world.count("sessions WHERE ended_at IS NOT NULL").await), (0, 0));
        // The user is deleted, and the session with it: what is told of it stands in the notice.
        service.delete_person(&operator, &robot.holder, &scene.person.id).await.unwrap();
        assert_eq!((told().await, world.count("sessions").await), (1, 0));
        let heard = app.heard();
        assert_eq!(heard.len(), 3);
        for one in &heard {
            let told = kernel::jose::Compact::parse(&token_of(one), 8192).unwrap();
            let claims: Value = serde_json::from_slice(&told.payload).unwrap();
            assert_eq!((&claims["sub"], &claims["sid"]), (&json!(scene.person.id), &json!(scene.session.id)));
        }
    }

    async fn an_app_that_is_down_is_told_later_and_its_engineer_reads_of_it(engine: Engine) {
        let (world, scene, robot, app) = stage(engine).await;
        let rp = client_at(&scene, app.url("/bye"), Algorithm::Es256).await;
        scene.tokens(&rp).await;
        app.answers(503);
        robot.calls(LOGOUT, &json!({ "userId": "anna-1" })).await;
        assert_eq!(world.service().tell_apps().await.unwrap().failed, 1);
        assert!(world.service().tell_apps().await.unwrap().is_empty(), "not at once again");
        let notice = notices(&world, &scene.session.id).await.remove(0);
        assert_eq!(notice.attempts, 1);
        assert!(notice.failure.as_deref().unwrap().contains("503"), "{notice:?}");
        let pause = notice.next.unwrap().seconds_since(world.now());
        assert!((5..=7).contains(&pause), "{pause}");
        world.pass_seconds(10);
        app.answers(204);
        assert_eq!(world.service().tell_apps().await.unwrap().told, 1);
        let heard = app.heard();
        assert_eq!(heard.len(), 2);
        assert_ne!(token_of(&heard[0]), token_of(&heard[1]), "each try has a token of its own");
        let records = world.service().refusals(Some(&robot.holder.organization), Time::from_seconds(0), 10).await.unwrap();
        assert_eq!(records.iter().map(|record| record.code.as_str()).collect::<Vec<_>>(), ["logout_not_told_yet"]);
        assert_eq!(records[0].claim.as_deref(), Some(rp.id()));
        assert!(!format!("{records:?}").contains(&token_of(&heard[0])), "no record holds a token");
    }

    async fn an_app_that_never_answers_well_is_given_up_in_the_end(engine: Engine) {
        let (world, scene, robot, app) = stage(engine).await;
        let rp = client_at(&scene, app.url("/bye"), Algorithm::Es256).await;
        scene.tokens(&rp).await;
        app.answers(400);
        robot.calls(LOGOUT, &json!({ "userId": "anna-1" })).await;
        let mut tries = 0;
        while let Some(next) = notices(&world, &scene.session.id).await[0].next {
            world.pass_seconds(next.seconds_since(world.now()).max(0) + 1);
            tries += world.service().tell_apps().await.unwrap().failed;
            assert!(tries <= 11);
        }
        assert_eq!((tries, app.heard().len()), (11, 11));
        let notice = notices(&world, &scene.session.id).await.remove(0);
        assert!(notice.told.is_none() && notice.failure.is_some());
        let records = world.service().refusals(Some(&robot.holder.organization), Time::from_seconds(0), 10).await.unwrap();
        let codes: Vec<&str> = records.iter().map(|record| record.code.as_str()).collect();
        assert_eq!(codes, ["logout_not_told", "logout_not_told_yet"], "the first and the last");
    }

    async fn a_worker_that_dies_loses_its_lease(engine: Engine) {
        let (world, scene, robot, app) = stage(engine).await;
        let rp = client_at(&scene, app.url("/bye"), Algorithm::Es256).await;
        scene.tokens(&rp).await;
        robot.calls(LOGOUT, &json!({ "userId": "anna-1" })).await;
        let now = world.now();
        let lease = now.plus_seconds(enter::notice::LEASE_S);
        assert_eq!(claimed(&world, now, lease).await, 1, "it claims, and is never heard of again");
        assert_eq!(claimed(&world, now, lease).await, 0);
        assert_eq!(app.heard().len(), 0);
        scene.world.pass_seconds(enter::notice::LEASE_S + 1);
        assert_eq!(scene.world.service().tell_apps().await.unwrap().told, 1);
    }

    async fn an_app_that_is_slow_or_down_holds_up_nobody_else(engine: Engine) {
        let (world, scene, robot, app) = stage(engine).await;
        let (dead, alive) = (
            client_at(&scene, SafeUrl::parse("http://127.0.0.1:9/dead").unwrap(), Algorithm::Es256).await,
            client_at(&scene, app.url("/alive"), Algorithm::Es256).await,
        );
        for at in 0..40 {
            let session = another_session(&scene, &format!("s-{at}")).await;
            let mut granted = scene.granted(&dead);
            granted.session = session.id;
            scene.issue(granted).await;
        }
        scene.tokens(&alive).await;
        robot.calls(LOGOUT, &json!({ "userId": "anna-1" })).await;
        let round = world.service().tell_apps().await.unwrap();
        assert_eq!((round.told, round.failed), (1, 8), "a few of each address in a round");
        assert_eq!(app.heard().len(), 1);
    }

    async fn apps_of_the_older_kind_get_their_webhook(engine: Engine) {
        let (world, scene, robot, app) = stage(engine).await;
        let (session_url, logout_url) = (app.url("/session"), app.url("/webhook"));
        let mut older = scene.app.clone();
        older.sign_in = enter::app::SignIn::SessionUrl(session_url);
        older.logout_url = Some(logout_url);
        let row = older.clone();
        let modified = world.now();
        scene.write(move |tx| Box::pin(async move {
            assert!(apps::update(tx, &row, modified, modified).await?.is_some());
            Ok(())
        })).await;
        robot.calls(LOGOUT, &json!({ "sessionId": scene.session.partner_session })).await;
        assert_eq!(world.service().tell_apps().await.unwrap().told, 1);
        let [(path, kind, body)] = app.heard().try_into().unwrap();
        assert_eq!((path.as_str(), kind.as_str()), ("/webhook", "application/json"));
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, json!({
            "session_id": session_hash(&scene.session.id, &older.id),
            "user_id": scene.person.id,
            "partner_id": scene.partner.id,
        }));
    }

    async fn lesson_23_a_logout_address_inside_is_never_called(engine: Engine) {
        // The app listens, but nobody allowed its address.
        let app = App::start().await;
        let world = World::build(engine).start().await;
        let scene = Scene::of(&world).await;
        let robot = Robot::of(&scene).await;
        let port = app.address.rsplit(':').next().unwrap();
        let inside = [
            app.url("/a").as_str().to_owned(),
            format!("https://[::ffff:127.0.0.1]:{port}/b"),
            "https://169.254.169.254/latest".to_owned(),
            format!("https://0x7f.1:{port}/c"),
        ];
        for uri in &inside {
            let rp = client_at(&scene, SafeUrl::parse(uri).unwrap(), Algorithm::Es256).await;
            scene.tokens(&rp).await;
        }
        robot.calls(LOGOUT, &json!({ "userId": "anna-1" })).await;
        let round = world.service().tell_apps().await.unwrap();
        assert_eq!((round.told, round.failed), (0, inside.len()));
        assert_eq!(app.heard().len(), 0, "no connection");
        for notice in notices(&world, &scene.session.id).await {
            assert!(notice.failure.as_deref().unwrap().contains("is not called"), "{notice:?}");
        }
    }
}

/// How many notices a worker claims that then says nothing more.
async fn claimed(world: &World, now: Time, lease: Time) -> usize {
    let write =
        world.db().write(move |tx| Box::pin(async move { logout_notices::claim(tx, now, lease, 64).await }));
    write.await.unwrap().len()
}
