//! Credentials are renewed ahead of need and on demand, by one at a time, whatever the token endpoint does.

use super::tide::{CONNECTOR, Day, LIFE_S, Scene, access_of, until};
use kernel::Slug;
use service::work::credential::{NoCredential, Why};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::connections;
use testkit::on_both;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

impl Scene {
    async fn token(&self) -> Result<String, NoCredential> {
        let service = self.world.service();
        let found = service.credential_of(&self.acme.id, self.tenant, &self.connector(), Why::Run).await;
        found.map(|(_, credential)| access_of(&credential).to_owned())
    }

    async fn is_connected(&self) -> bool {
        self.world.count("connections WHERE connector = 'tide' AND status = 'Connected'").await == 1
    }

    async fn jobs(&self) -> i64 {
        let of = "jobs WHERE kind = 'refresh' AND subject IN (SELECT id FROM connections WHERE connector = 'tide')";
        self.world.count(of).await
    }

    /// When the job is due, in seconds from now.
    async fn due_in(&self) -> i64 {
        let mut rows = self.world.rows("SELECT due_at FROM jobs WHERE kind = 'refresh'").await;
        assert_eq!(rows.len(), 1);
        let due: i64 = rows.remove(0).take().unwrap();
        (due - self.world.now().micros()) / 1_000_000
    }
}

on_both! {
    async fn sixty_four_readers_on_two_nodes_at_expiry_give_one_renewal_also_one_that_takes_15_s(engine: Engine) {
        let scene = Scene::on(engine).await;
        let other = scene.world.another_node().await;
        let before = scene.tide.access_token();
        assert_eq!(scene.token().await.unwrap(), before);
        scene.world.pass_seconds(LIFE_S);
        let hold = scene.tide.holds();
        let readers: Vec<_> = (0..64)
            .map(|number| {
                let service = if number % 2 == 0 { Arc::clone(scene.world.service()) } else { Arc::clone(other.service()) };
                let (organization, tenant, connector) = (scene.acme.id.clone(), scene.tenant, scene.connector());
                tokio::spawn(async move {
                    service.credential_of(&organization, tenant, &connector, Why::Run).await
                        .map(|(connection, credential)| (connection.version, access_of(&credential).to_owned()))
                })
            })
            .collect();
        hold.arrived().await;
        scene.world.pass_seconds(15);
        hold.let_go();
        let mut seen = BTreeSet::new();
        for reader in readers {
            seen.insert(reader.await.unwrap().unwrap());
        }
        assert_eq!(scene.tide.renewals(), 1);
        assert_eq!(seen.len(), 1, "{seen:?}");
        let after = scene.tide.access_token();
        assert!(seen.iter().all(|(_, token)| *token == after && *token != before));
        // And again, with nobody waiting.
        scene.world.pass_seconds(LIFE_S);
        assert_eq!(scene.token().await.unwrap(), scene.tide.access_token());
        assert_eq!((scene.tide.renewals(), scene.tide.most_at_once()), (2, 1));
    }

    async fn the_worker_renews_ahead_of_need_and_each_token_once(engine: Engine) {
        let scene = Scene::on(engine).await;
        let lead = LIFE_S - scene.due_in().await;
        assert!((240..=300).contains(&lead), "{lead}");
        let other = scene.world.another_node().await;
        let workers = [scene.world.service(), other.service()].map(|service| tokio::spawn(Arc::clone(service).work_on()));
        for round in 1..=5 {
            let seen = scene.tide.access_token();
            scene.world.pass_seconds(scene.due_in().await + 1);
            until("it is renewed", || async { scene.tide.renewals() == round }).await;
            let (world, seen) = (&scene.world, &seen);
            until("the job waits for the next time", || async {
                world.count("jobs WHERE kind = 'refresh' AND state = 'waiting'").await == 1 && scene.tide.access_token() != *seen
            }).await;
            assert_eq!(scene.token().await.unwrap(), scene.tide.access_token());
            assert!((LIFE_S - 301..=LIFE_S).contains(&scene.due_in().await));
        }
        assert_eq!((scene.tide.renewals(), scene.tide.most_at_once()), (5, 1));
        for service in [scene.world.service(), other.service()] {
            service.stopping.begin();
        }
        for worker in workers {
            worker.await.unwrap();
        }
    }

    async fn while_another_one_renews_it_the_old_token_is_used_to_its_end(engine: Engine) {
        let scene = Scene::on(engine).await;
        let old = scene.tide.access_token();
        scene.world.pass_seconds(LIFE_S - 200);
        let hold = scene.tide.holds();
        let service = Arc::clone(scene.world.service());
        let (organization, tenant, connector) = (scene.acme.id.clone(), scene.tenant, scene.connector());
        let first = tokio::spawn(async move {
            service.credential_of(&organization, tenant, &connector, Why::Call).await.map(|(_, credential)| access_of(&credential).to_owned())
        });
        hold.arrived().await;
        // Here, and at another node.
        assert_eq!(scene.token().await.unwrap(), old);
        let other = scene.world.another_node().await;
        let there = other.service().credential_of(&scene.acme.id, scene.tenant, &scene.connector(), Why::Run).await.unwrap();
        assert_eq!(access_of(&there.1), old);
        hold.let_go();
        assert_eq!(first.await.unwrap().unwrap(), scene.tide.access_token());
        assert_eq!(scene.tide.renewals(), 1);
    }

    async fn an_endpoint_that_is_down_for_a_day_costs_no_connection(engine: Engine) {
        let scene = Scene::on(engine).await;
        scene.tide.has(Day::Status(500));
        let old = scene.tide.access_token();
        let worker = tokio::spawn(Arc::clone(scene.world.service()).work_on());
        for minute in (10..24 * 60).step_by(10) {
            scene.world.pass_seconds(600);
            let token = scene.token().await;
            if i64::from(minute) * 60 < LIFE_S {
                assert_eq!(token.unwrap(), old, "minute {minute}");
            } else {
                assert!(matches!(token, Err(NoCredential::NotNow { .. })), "minute {minute}: {token:?}");
            }
        }
        let tried = scene.tide.renewals();
        assert!((10..=200).contains(&tried), "{tried}");
        assert!(scene.is_connected().await);
        assert_eq!(scene.jobs().await, 1);
        // During a pause nobody asks, however many want it.
        for _ in 0..50 {
            assert!(scene.token().await.is_err());
        }
        assert!(scene.tide.renewals() <= tried + 2);
        scene.tide.has(Day::Well);
        scene.world.pass_seconds(901);
        until("it is well again", || async { scene.token().await.ok().as_deref() == Some(&scene.tide.access_token()) }).await;
        assert_eq!(scene.tide.most_at_once(), 1);
        let failures = scene.world.count("connections WHERE connector = 'tide' AND refresh_failures = 0 AND refresh_until IS NULL").await;
        assert_eq!(failures, 1);
        scene.world.service().stopping.begin();
        worker.await.unwrap();
    }

    async fn bad_answers_keep_the_old_token(engine: Engine) {
        let scene = Scene::on(engine).await;
        let old = scene.tide.access_token();
        scene.world.pass_seconds(LIFE_S - 250);
        let days = [Day::Html, Day::ErrorInside, Day::Huge, Day::Status(429), Day::Status(503), Day::InvalidClient];
        for (tried, day) in (1..).zip(days) {
            scene.tide.has(day);
            assert_eq!(scene.token().await.unwrap(), old, "{day:?}");
            assert_eq!(scene.tide.renewals(), tried, "{day:?}");
            assert!(scene.is_connected().await, "{day:?}");
            // The pause has not grown beyond that yet.
            scene.world.pass_seconds(if tried < 4 { 21 } else { 0 });
            if tried >= 4 {
                scene.world.change("UPDATE connections SET refresh_until = NULL").await;
            }
        }
        scene.tide.has(Day::Well);
        assert_eq!(scene.token().await.unwrap(), scene.tide.access_token());
    }

    async fn a_token_endpoint_that_wants_rest_is_left_alone(engine: Engine) {
        let scene = Scene::on(engine).await;
        let old = scene.tide.access_token();
        let again = "connections WHERE connector = 'tide' AND refresh_until";
        for (tried, status, asked, pause) in [(1, 429, "100", 100), (2, 503, "600", 600), (3, 429, "86400", 3600), (4, 500, "600", 40)] {
            scene.world.change("UPDATE connections SET refresh_until = NULL").await;
            scene.world.pass_seconds(if tried == 1 { LIFE_S - 250 } else { 0 });
            scene.tide.has(Day::Busy(status, asked));
            assert_eq!(scene.token().await.unwrap(), old, "{status}");
            assert_eq!(scene.tide.renewals(), tried);
            // Jitter takes something off the pauses of our own, and nothing off those that were asked for.
            let now = scene.world.now();
            let (least, most) = (now.plus_seconds(if status == 500 { pause * 3 / 4 } else { pause }), now.plus_seconds(pause));
            let within = format!("{again} BETWEEN {} AND {}", least.micros(), most.micros());
            assert_eq!(scene.world.count(&within).await, 1, "{status} {asked}");
            // Nobody asks meanwhile.
            assert_eq!(scene.token().await.unwrap(), old);
            assert_eq!(scene.tide.renewals(), tried);
        }
        scene.tide.has(Day::Well);
        scene.world.pass_seconds(41);
        assert_eq!(scene.token().await.unwrap(), scene.tide.access_token());
    }

    async fn a_dead_grant_disconnects_once_and_tells(engine: Engine) {
        let scene = Scene::on(engine).await;
        scene.tide.has(Day::InvalidGrant);
        scene.world.pass_seconds(LIFE_S);
        assert!(matches!(scene.token().await, Err(NoCredential::Disconnected)));
        assert!(matches!(scene.token().await, Err(NoCredential::Disconnected)));
        assert_eq!((scene.tide.renewals(), scene.jobs().await), (1, 0));
        assert_eq!(scene.world.count("connections WHERE connector = 'tide' AND credential IS NULL").await, 1);
        let told = "audit WHERE action = 'tenant.disconnected' AND actor LIKE '%gateway%' AND detail LIKE '%invalid_grant%'";
        assert_eq!(scene.world.count(told).await, 1);
        let key = scene.acme.api_key(&["tenants:read"]).await;
        let tenant = scene.world.person().calls(&key, &format!("/v2/tenants/{}", scene.tenant)).await.json();
        let connectors = tenant["status"]["auth"]["connectors"].as_array().unwrap();
        let one = connectors.iter().find(|it| it["name"] == CONNECTOR).unwrap();
        assert_eq!(one["status"], "Disconnected");
        // The user connects again, and all is as before.
        scene.tide.has(Day::Well);
        scene.world.person().connects(&scene.acme, CONNECTOR, &scene.acme.token(CONNECTOR).sign()).await;
        assert_eq!(scene.token().await.unwrap(), scene.tide.access_token());
        assert_eq!(scene.jobs().await, 1);
    }

    async fn an_answer_that_is_lost_is_asked_for_again(engine: Engine) {
        let scene = Scene::on(engine).await;
        let old = scene.tide.access_token();
        scene.tide.keeps_refresh_tokens();
        scene.tide.has(Day::Lost);
        scene.world.pass_seconds(LIFE_S - 250);
        assert_eq!(scene.token().await.unwrap(), old);
        scene.tide.has(Day::Well);
        scene.world.pass_seconds(10);
        assert_eq!(scene.token().await.unwrap(), scene.tide.access_token());
    }

    async fn where_a_lost_answer_ended_the_grant_the_user_is_asked(engine: Engine) {
        let scene = Scene::on(engine).await;
        let old = scene.tide.access_token();
        scene.tide.has(Day::Lost);
        scene.world.pass_seconds(LIFE_S - 250);
        assert_eq!(scene.token().await.unwrap(), old);
        scene.tide.has(Day::Well);
        scene.world.pass_seconds(10);
        assert!(matches!(scene.token().await, Err(NoCredential::Disconnected)));
        assert!(!scene.is_connected().await);
    }

    async fn a_renewal_goes_on_when_whoever_wanted_it_has_gone(engine: Engine) {
        let scene = Scene::on(engine).await;
        scene.world.pass_seconds(LIFE_S);
        let hold = scene.tide.holds();
        let service = Arc::clone(scene.world.service());
        let (organization, tenant, connector) = (scene.acme.id.clone(), scene.tenant, scene.connector());
        let gone = tokio::spawn(async move {
            service.credential_of(&organization, tenant, &connector, Why::Read).await.map(drop)
        });
        hold.arrived().await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        hold.let_go();
        scene.world.service().stopping.idle().await;
        assert_eq!(scene.token().await.unwrap(), scene.tide.access_token());
        assert_eq!(scene.tide.renewals(), 1);
    }

    async fn a_node_that_died_with_the_lease_is_waited_for_and_then_replaced(engine: Engine) {
        let scene = Scene::on(engine).await;
        scene.world.pass_seconds(LIFE_S);
        let (owner, tenant, connector) = (scene.acme.id.clone(), scene.tenant, scene.connector());
        let now = scene.world.now();
        let lease = now.plus_seconds(::connect::refresh::LEASE_S);
        let held = scene.world.db().write(move |tx| Box::pin(async move {
            let read = connections::by_connector(tx, &owner, tenant, &connector).await?.unwrap();
            connections::hold_refresh(tx, &read, "a node that died", now, lease).await
        }));
        assert!(held.await.unwrap());
        let service = Arc::clone(scene.world.service());
        let (owner, tenant, connector) = (scene.acme.id.clone(), scene.tenant, scene.connector());
        let waits = tokio::spawn(async move { service.credential_of(&owner, tenant, &connector, Why::Run).await.map(drop) });
        // It looks at the row again and again, and asks nobody.
        tokio::time::timeout(std::time::Duration::from_millis(400), async { while !waits.is_finished() { tokio::task::yield_now().await } }).await.unwrap_err();
        assert_eq!(scene.tide.renewals(), 0);
        scene.world.pass_seconds(::connect::refresh::LEASE_S);
        waits.await.unwrap().unwrap();
        assert_eq!(scene.tide.renewals(), 1);
    }

    async fn disconnecting_while_it_is_renewed_takes_the_new_token_away_too(engine: Engine) {
        let scene = Scene::on(engine).await;
        scene.world.pass_seconds(LIFE_S);
        let hold = scene.tide.holds();
        let service = Arc::clone(scene.world.service());
        let (owner, tenant, connector) = (scene.acme.id.clone(), scene.tenant, scene.connector());
        let reader = tokio::spawn(async move { service.credential_of(&owner, tenant, &connector, Why::Run).await.map(drop) });
        hold.arrived().await;
        let key = scene.acme.api_key(&["tenants:write"]).await;
        let answer = scene.world.person().ask(reqwest::Method::PATCH, &scene.path("disconnect")).header("x-api-key", &key).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        hold.let_go();
        assert!(matches!(reader.await.unwrap(), Err(NoCredential::Disconnected)));
        assert_eq!((scene.is_connected().await, scene.jobs().await), (false, 0));
    }

    async fn an_endpoint_that_answers_twice_does_not_confuse_the_next_renewal(engine: Engine) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let twice = tokio::spawn(async move {
            for number in 0.. {
                let (mut connection, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut request = vec![0; 8192];
                    // The second request on this connection, if there were one, would find an answer that waits for it.
                    while connection.read(&mut request).await.is_ok_and(|count| count > 0) {
                        for half in ["first", "second"] {
                            let body = format!(
                                r#"{{"access_token":"{half}-token-{number}","refresh_token":"r-{half}-{number}","expires_in":3600}}"#
                            );
                            let answer = format!(
                                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()
                            );
                            if connection.write_all(answer.as_bytes()).await.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        let refresh = format!("url = \"http://{address}/token\"");
        let scene = Scene::with(engine, &refresh, &[&address]).await;
        for _ in 0..4 {
            scene.world.pass_seconds(LIFE_S);
            let token = scene.token().await.unwrap();
            assert!(token.starts_with("first-token-"), "{token}");
        }
        twice.abort();
    }

    async fn what_dies_unused_is_kept_alive(engine: Engine) {
        let scene = Scene::with(engine, "keepalive_h = 1\nlead_s = 0", &[]).await;
        let due = scene.due_in().await;
        assert!((3240..=3600).contains(&due), "{due}");
    }

    async fn an_archived_tenant_is_not_renewed_and_one_taken_back_is(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.acme.api_key(&["tenants:write"]).await;
        let path = format!("/v2/tenants/{}", scene.tenant);
        let program = scene.world.person();
        let archived = program.ask(reqwest::Method::DELETE, &path).json().header("x-api-key", &key).await;
        assert!(archived.status < 300, "{}", archived.text());
        assert_eq!(scene.jobs().await, 0);
        assert!(matches!(scene.token().await, Err(NoCredential::NotFound)));
        let back = program.ask(reqwest::Method::PATCH, &path).json().header("x-api-key", &key);
        let back = back.body("application/json", r#"{"archived": false}"#).await;
        assert_eq!(back.status, 200, "{}", back.text());
        assert_eq!(scene.jobs().await, 1);
        assert_eq!(scene.token().await.unwrap(), scene.tide.access_token());
    }

    async fn there_is_no_credential_for_what_is_not_there(engine: Engine) {
        let scene = Scene::on(engine).await;
        let service = scene.world.service();
        let other = scene.world.organization("other").await;
        let slug = |text: &str| Slug::parse(text).unwrap();
        let asked = [(&scene.acme.id, "slack"), (&other.id, CONNECTOR)];
        for (organization, connector) in asked {
            let found = service.credential_of(organization, scene.tenant, &slug(connector), Why::Run).await;
            assert!(matches!(found, Err(NoCredential::NotFound)), "{connector}");
        }
        scene.world.change("UPDATE tenants SET archived_at = 1").await;
        assert!(matches!(scene.token().await, Err(NoCredential::NotFound)));
    }
}
