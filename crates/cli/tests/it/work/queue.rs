//! Schedules and deliveries become triggers once, whatever happens; dead letters are read and replayed.

use kernel::ids::{JobId, OrganizationId, TenantId};
use kernel::{Actor, Environment};
use serde_json::{Value, json};
use std::future::Future;
use std::time::Duration;
use store::jobs::{self, Claim, Ended, Kind, Outcome, Wish};
use testkit::on_both;
use testkit::world::{Company, World};

/// A tenant of the integration `notion-sync`, which fires twice an hour.
async fn tenant(world: &World, company: &Company, name: &str) -> TenantId {
    let token = company.token("notion").sub(name).without("ti.uem").sign();
    let connected = world.person().connects(company, "notion", &token).await;
    TenantId::parse(&connected["id"].to_string()).unwrap()
}

/// A release that can run, as far as a schedule looks.
async fn something_to_run(world: &World, company: &Company) {
    let now = world.now();
    let insert = "INSERT INTO releases (id, organization_id, integration_id, name, tag, manifest, archive_bytes, ready_at,
        created_at, modified_at) SELECT i.id, i.organization_id, i.id, 'first', 'v1', '{}', 0, CAST($2 AS BIGINT),
        CAST($2 AS BIGINT), CAST($2 AS BIGINT) FROM integrations AS i WHERE i.organization_id = $1";
    assert!(world.db().execute(store::sql(insert).bind(&company.id).bind(now)).await.unwrap() > 0);
}

async fn fire_all(world: &World) {
    while world.service().fire_due().await.unwrap() {}
}

async fn cron_triggers(world: &World) -> i64 {
    world.count("triggers WHERE source = 'Cron'").await
}

async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A run of no tenant that was given up.
async fn dead(world: &World, organization: &OrganizationId, tenant: TenantId) -> JobId {
    let (now, chance) = (world.now(), kernel::SystemChance);
    let (id, owner, wished) = (JobId::new(now, &chance), organization.clone(), JobId::new(now, &chance));
    let write = world.db().write(move |tx| {
        Box::pin(async move {
            jobs::remove(tx, Kind::Run, &tenant.to_string()).await?;
            let wish = Wish { kind: Kind::Run, organization: &owner, subject: tenant.to_string(), due: now };
            jobs::enqueue(tx, &wish, wished, now).await?;
            let mut claim = Claim {
                kind: Kind::Run,
                holder: "a test".to_owned(),
                until: now,
                free: 100,
                slots: 100,
                under_way: std::collections::BTreeMap::new(),
                after: String::new(),
                is_left: false,
            };
            let claimed = jobs::claim::claim(tx, &mut claim).await?;
            let outcome = |job: &jobs::Job| match job.id == id || job.subject == tenant.to_string() {
                true => Outcome::Dead { failure: "nobody could".to_owned() },
                false => Outcome::HandBack,
            };
            let ended: Vec<_> =
                claimed.iter().map(|job| Ended { id: job.id.clone(), outcome: outcome(job) }).collect();
            jobs::outcome::keep(tx, "a test", &ended, now).await?;
            let job = jobs::of_subject(tx, Kind::Run, &tenant.to_string()).await?;
            Ok::<_, store::DbError>(job.map(|job| job.id))
        })
    });
    write.await.unwrap().unwrap()
}

on_both! {
    async fn a_schedule_fires_at_its_time_and_once_after_a_day_of_nothing(world: World) {
        let acme = world.organization("acme").await;
        let id = tenant(&world, &acme, "anna").await;
        something_to_run(&world, &acme).await;
        fire_all(&world).await;
        assert_eq!(cron_triggers(&world).await, 0, "its time has not come");
        world.pass_seconds(30 * 60);
        fire_all(&world).await;
        fire_all(&world).await;
        assert_eq!(cron_triggers(&world).await, 1);
        // It waits for a run, and stands for all that would follow.
        world.pass_seconds(30 * 60);
        fire_all(&world).await;
        assert_eq!(cron_triggers(&world).await, 1);
        world.db().execute(store::sql("UPDATE triggers SET claimed_at = 1")).await.unwrap();
        // The gateway is down for a day: one firing, and the next one at its usual time.
        world.pass_seconds(24 * 3600);
        fire_all(&world).await;
        assert_eq!(cron_triggers(&world).await, 2);
        let owner = acme.id.clone();
        let read = world.db().read(move |tx| Box::pin(async move { store::schedules::of_tenant(tx, &owner, id).await }));
        let (cron, zone, next) = read.await.map_err(|error: store::DbError| error).unwrap().unwrap();
        assert!(next > world.now() && next.seconds_since(world.now()) <= 30 * 60, "{cron} {zone} {next}");
        assert_eq!(world.count("jobs WHERE kind = 'run'").await, 1, "one job, however many reasons");
    }

    async fn without_anything_to_run_nothing_is_triggered(world: World) {
        let acme = world.organization("acme").await;
        tenant(&world, &acme, "anna").await;
        world.pass_seconds(3600);
        fire_all(&world).await;
        assert_eq!(cron_triggers(&world).await, 0);
        let waiting = format!("schedules WHERE next_at > {}", world.now().micros());
        assert_eq!(world.count(&waiting).await, 1, "it has moved on all the same");
    }

    async fn many_nodes_fire_each_schedule_once(world: World) {
        let acme = world.organization("acme").await;
        for name in ["anna", "berta", "carla", "dora", "emil"] {
            tenant(&world, &acme, name).await;
        }
        something_to_run(&world, &acme).await;
        world.pass_seconds(3600);
        let mut firing = Vec::new();
        for _ in 0..3 {
            let service = std::sync::Arc::clone(world.another_node().await.service());
            for _ in 0..8 {
                let service = std::sync::Arc::clone(&service);
                firing.push(tokio::spawn(async move { service.fire_due().await.unwrap() }));
            }
        }
        for fired in firing {
            fired.await.unwrap();
        }
        assert_eq!(cron_triggers(&world).await, 5);
    }

    async fn what_is_delivered_becomes_one_trigger_each_and_one_job(world: World) {
        let acme = world.organization("acme").await;
        let id = tenant(&world, &acme, "anna").await;
        let to = world.service().webhook_url(&acme.id, id, None).await.unwrap().unwrap();
        for number in 0..40 {
            let sender = world.person();
            let ask = sender.ask(reqwest::Method::POST, &to).json().body("application/json", format!("{{\"n\":{number}}}"));
            assert_eq!(ask.await.status, 202);
        }
        // Many at once, on several nodes.
        let other = world.another_node().await;
        let mut taking = Vec::new();
        for service in [world.service(), other.service()] {
            for _ in 0..10 {
                let service = std::sync::Arc::clone(service);
                taking.push(tokio::spawn(async move { while service.take_deliveries(false).await.unwrap().more {} }));
            }
        }
        for taken in taking {
            taken.await.unwrap();
        }
        while world.service().take_deliveries(true).await.unwrap().more {}
        assert_eq!(world.count("triggers WHERE source = 'Webhook' AND mode = 'webhook'").await, 40);
        let own = "triggers AS t JOIN deliveries AS d ON d.id = t.delivery_id AND d.trigger_id = t.id WHERE t.tenant_id = d.tenant_id";
        assert_eq!(world.count(own).await, 40, "each its own");
        assert_eq!(world.count("deliveries WHERE taken_at IS NOT NULL").await, 0, "a run takes them");
        let run = format!("jobs WHERE kind = 'run' AND subject = '{id}'");
        assert_eq!(world.count(&run).await, 1);
    }

    async fn a_node_that_works_takes_what_arrives_by_itself(world: World) {
        let acme = world.organization("acme").await;
        let id = tenant(&world, &acme, "anna").await;
        world.node.works();
        let to = world.service().webhook_url(&acme.id, id, None).await.unwrap().unwrap();
        // One arrives at this node, one at a node that does not work.
        let other = world.another_node().await;
        for sender in [world.person(), world.person_at(&other)] {
            assert_eq!(sender.ask(reqwest::Method::POST, &to).json().body("application/json", "{}").await.status, 202);
        }
        until("both deliveries have a trigger", || async { world.count("triggers WHERE source = 'Webhook'").await == 2 }).await;
        world.service().stopping.begin();
    }

    async fn dead_letters_are_read_replayed_and_deleted_by_who_may(world: World) {
        let acme = world.organization("acme").await;
        let id = tenant(&world, &acme, "anna").await;
        let job = dead(&world, &acme.id, id).await;
        let (read, write) = (acme.api_key(&["jobs:read"]).await, acme.api_key(&["jobs:write"]).await);
        let other = world.organization("other").await.api_key(&["jobs:read", "jobs:write"]).await;
        let program = world.person();
        let listed = program.calls(&read, "/v2/jobs?state=dead&kind=run").await;
        assert_eq!((listed.status, listed.header("x-total-count")), (200, "1"), "{}", listed.text());
        let shown = &listed.json()[0];
        assert_eq!((&shown["id"], &shown["kind"], &shown["state"]), (&json!(job), &json!("run"), &json!("dead")));
        assert_eq!((&shown["subject"], &shown["failure"]), (&json!(id.to_string()), &json!("nobody could")));
        assert_eq!(program.calls(&read, "/v2/jobs?kind=refresh").await.json(), json!([]));
        assert_eq!(program.calls(&read, "/v2/jobs?kind=nothing").await.status, 422);
        assert_eq!(program.calls(&read, "/v2/jobs?state=ready").await.status, 422);
        assert_eq!(program.calls(&other, "/v2/jobs").await.json(), json!([]));
        // A key of production sees nothing of the sandbox.
        let service = world.service();
        let scopes = ["jobs:read".to_owned(), "jobs:write".to_owned()];
        let made = service.create_api_key(&Actor::Operator, &acme.id, Environment::Production, "p", &scopes).await;
        let production = made.unwrap().1.reveal().to_owned();
        let elsewhere = world.person_in_production();
        assert_eq!(elsewhere.calls(&production, "/v2/jobs").await.json(), json!([]));
        let replay = format!("/v2/jobs/{job}/replay");
        let ask = |person: &testkit::world::Person, key: &str, method: reqwest::Method, path: &str| {
            person.ask(method, path).header("x-api-key", key).json()
        };
        for (person, key, status) in [(&program, &read, 403), (&program, &other, 404), (&elsewhere, &production, 404)] {
            assert_eq!(ask(person, key, reqwest::Method::POST, &replay).await.status, status);
            let delete = format!("/v2/jobs/{job}");
            assert_eq!(ask(person, key, reqwest::Method::DELETE, &delete).await.status, status);
        }
        let replayed = ask(&program, &write, reqwest::Method::POST, &replay).await;
        let told: Value = replayed.json();
        assert_eq!((replayed.status, &told["state"], &told["attempts"]), (202, &json!("ready"), &json!(0)), "{told}");
        assert_eq!(ask(&program, &write, reqwest::Method::POST, &replay).await.status, 409, "it lives");
        let again = dead(&world, &acme.id, id).await;
        let delete = format!("/v2/jobs/{again}");
        assert_eq!(ask(&program, &write, reqwest::Method::DELETE, &delete).await.status, 204);
        assert_eq!(ask(&program, &write, reqwest::Method::DELETE, &delete).await.status, 404);
        assert_eq!(world.count("jobs WHERE state = 'dead'").await, 0);
        assert_eq!(world.count("audit WHERE action = 'job.replayed' OR action = 'job.deleted'").await, 2);
    }
}
