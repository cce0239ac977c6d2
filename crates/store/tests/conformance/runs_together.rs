//! Runs that begin with others and with their jobs, and end with them.

use crate::on_both;
use crate::runs::{self as runs_alone, trigger};
use crate::world::{NOW, SANDBOX, World, hashed, sealed};
use connect::run::{Class, Mode, Run, Source};
use connect::tenant::Tenant;
use futures_util::future::join_all;
use kernel::Time;
use kernel::ids::{DeliveryId, JobId, RunId, TenantId};
use store::deliveries::{Content, OwnDelivery};
use store::jobs::birth::Wished;
use store::jobs::{self, Hold, Job, Kind, State, Wish, birth};
use store::runs::begun::{self, Claim, New};
use store::runs::ended::{self, By, End};
use store::runs::standing::{self, Standing};
use store::*;

on_both!(
    a_tenant_is_seen_as_it_stands,
    runs_of_many_begin_together,
    deliveries_begin_runs_with_their_jobs,
    where_a_job_is_there_deliveries_wait_for_it,
    where_a_run_is_open_deliveries_wait_for_its_end,
    a_run_that_came_and_went_meanwhile_is_seen,
    a_job_that_is_new_and_nobodys_is_told_of,
    a_run_ends_with_its_job,
    a_job_that_has_more_to_do_goes_on,
    many_end_at_once,
    an_end_waits_for_nobody_who_asks,
);

macro_rules! write {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.write(move |$tx| Box::pin(async move { $body.await })).await
    };
}

async fn tenants_of(world: &World, names: &[&str]) -> Vec<Tenant> {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let mut all = Vec::new();
    for name in names {
        all.push(world.tenant(&integration, name).await);
    }
    all
}

fn run(tenant: &Tenant, id: RunId) -> Run {
    Run { mode: Mode::Webhook, configs: None, given_state: None, ..runs_alone::run(tenant, id) }
}

async fn open_run(world: &World, tenant: &Tenant) -> Run {
    let run = run(tenant, write!(world, |tx| runs::next_id(tx)));
    let (new, token) = (run.clone(), hashed(&run.id.to_string()));
    assert!(write!(world, |tx| runs::insert(tx, &new, Some(&token))));
    run
}

async fn open(world: &World, tenant: &Tenant) -> Option<Run> {
    let (owner, id) = (tenant.organization.clone(), tenant.id);
    write!(world, |tx| runs::open(tx, &owner, id))
}

async fn standing(world: &World, id: TenantId) -> Standing {
    let both = write!(world, |tx| standing::of_tenants(tx, &[id])).pop();
    let (many, _) = write!(world, |tx| standing::with_numbers(tx, &[id]));
    assert_eq!(both.as_ref(), many.first());
    both.unwrap()
}

async fn a_tenant_is_seen_as_it_stands(world: World) {
    let tenant = tenants_of(&world, &["anna"]).await.remove(0);
    let seen = standing(&world, tenant.id).await;
    assert_eq!((&seen.tenant, seen.has_open_run, seen.waiting, seen.last), (&tenant, false, None, None));
    let first = open_run(&world, &tenant).await;
    assert!(standing(&world, tenant.id).await.has_open_run);
    let first = Run { phase: first.phase.succeed(NOW).unwrap(), state: Some(sealed("one")), ..first };
    let saved = first.clone();
    assert!(write!(world, |tx| runs::save(tx, &saved)));
    let second = open_run(&world, &tenant).await;
    let second = Run { phase: second.phase.cancel(NOW).unwrap(), ..second };
    let saved = second.clone();
    assert!(write!(world, |tx| runs::save(tx, &saved)));
    let (owner, id) = (tenant.organization.clone(), tenant.id);
    write!(world, |tx| tenant_metadata::hold(tx, &owner, id, NOW));
    let owner = tenant.organization.clone();
    write!(world, |tx| tenant_metadata::save(tx, &owner, id, &serde_json::json!({ "a": 1 })));
    let seen = standing(&world, tenant.id).await;
    assert_eq!(seen.metadata, Some(serde_json::json!({ "a": 1 })));
    assert_eq!((seen.last, seen.last_successful), (Some(second.into()), Some(first.into())));
    // What goes first is named, and of a paused tenant only what somebody asked for.
    trigger(&world, &tenant, Source::Webhook, Mode::Webhook).await;
    assert_eq!(standing(&world, id).await.waiting, Some(Class::Others));
    trigger(&world, &tenant, Source::Cron, Mode::Normal).await;
    assert_eq!(standing(&world, id).await.waiting, Some(Class::Cron));
    let owner = tenant.organization.clone();
    write!(world, |tx| tenants::set_paused(tx, &owner, id, true, NOW));
    assert_eq!(standing(&world, id).await.waiting, None);
    trigger(&world, &tenant, Source::Manual, Mode::Normal).await;
    assert_eq!(standing(&world, id).await.waiting, Some(Class::Others));
    trigger(&world, &tenant, Source::Api, Mode::Init).await;
    assert_eq!(standing(&world, id).await.waiting, Some(Class::Init));
    let nobody = TenantId::new(999_999).unwrap();
    assert_eq!(write!(world, |tx| standing::of_tenants(tx, &[nobody])), []);
}

async fn runs_of_many_begin_together(world: World) {
    let tenants = tenants_of(&world, &["anna", "ben", "cleo"]).await;
    for tenant in &tenants {
        trigger(&world, tenant, Source::Api, Mode::Normal).await;
        trigger(&world, tenant, Source::Manual, Mode::Normal).await;
    }
    trigger(&world, &tenants[2], Source::Cron, Mode::Normal).await;
    let numbers = write!(world, |tx| begun::numbers(tx, 3, Vec::new()));
    let classes = [Class::Others, Class::Others, Class::Cron];
    let claims: Vec<Claim> = tenants
        .iter()
        .zip(numbers)
        .zip(classes)
        .map(|((tenant, run), class)| Claim {
            organization: tenant.organization.clone(),
            tenant: tenant.id,
            run,
            class,
            paused: false,
        })
        .collect();
    let wanted = claims.clone();
    let claimed = write!(world, |tx| begun::claim(tx, &wanted, NOW));
    let counts: Vec<usize> = claims.iter().map(|claim| claimed[&claim.run].len()).collect();
    assert_eq!(counts, [2, 2, 1]);
    for claim in &claims {
        let own = &claimed[&claim.run];
        assert!(own.iter().all(|it| it.tenant == claim.tenant && it.run == Some(claim.run)));
        assert!(own.is_sorted_by_key(|it| it.id));
    }
    let new: Vec<Run> = tenants.iter().zip(&claims).map(|(tenant, claim)| run(tenant, claim.run)).collect();
    let all = new.clone();
    let begin = |all: Vec<Run>| {
        world.db.write(move |tx| {
            Box::pin(async move {
                let hashes: Vec<_> = all.iter().map(|run| hashed(&run.id.to_string())).collect();
                let new = all.iter().zip(&hashes);
                let new: Vec<_> =
                    new.map(|(run, token)| New { run, token, job: None, after: None }).collect();
                begun::begin_all(tx, &new, &[], NOW).await
            })
        })
    };
    assert_eq!(begin(all).await, Ok(std::collections::HashMap::new()));
    for (tenant, run) in tenants.iter().zip(&new) {
        assert_eq!(open(&world, tenant).await.as_ref(), Some(run));
    }
    // A second one of a tenant takes the others with it.
    let ended = Run { phase: new[0].phase.succeed(NOW).unwrap(), ..new[0].clone() };
    assert!(write!(world, |tx| runs::save(tx, &ended)));
    let numbers = write!(world, |tx| begun::numbers(tx, 2, Vec::new()));
    let again = vec![run(&tenants[0], numbers[0]), run(&tenants[1], numbers[1])];
    assert_eq!(begin(again).await, Err(DbError::Unique { index: "runs_open".to_owned() }));
    assert_eq!(open(&world, &tenants[0]).await, None);
}

/// An address of a tenant's own with as many deliveries.
async fn deliver(world: &World, tenant: &Tenant, bodies: &[&[u8]]) -> Vec<DeliveryId> {
    let name = format!("secret of {}", tenant.id);
    let (webhook, secret) = (world.new_webhook(tenant, None, &name), hashed(&name));
    write!(world, |tx| webhooks::insert(tx, &webhook));
    let header = ("x-event".to_owned(), "created".to_owned());
    let mut ids = Vec::new();
    for (second, body) in (0..).zip(bodies) {
        // Ids of one moment have no order.
        let id = DeliveryId::new(NOW.plus_seconds(second), &world.chance);
        let headers = &[&header];
        let new = OwnDelivery {
            id: &id,
            secret: &secret,
            environment: SANDBOX,
            dedupe: None,
            headers,
            body,
            received: NOW,
        };
        assert!(deliveries::receive_own(&world.db, &new).await.unwrap());
        ids.push(id);
    }
    ids
}

/// What was born of everything that is fresh, of each tenant one job and one run.
async fn take(world: &World, hold: bool) -> (Vec<Job>, Vec<RunId>) {
    let mut ids: Vec<JobId> = (0..8).map(|_| JobId::new(NOW, &world.chance)).collect();
    let write = world.write(move |tx| {
        Box::pin(async move {
            let (fresh, standings) = deliveries::fresh(tx, 100).await?;
            let mut made = deliveries::numbered(tx, &fresh).await?;
            assert!(made.is_sorted_by_key(|made| made.trigger));
            let hold = hold.then(|| Hold { holder: "one".to_owned(), until: NOW.plus_seconds(60) });
            let (mut wished, mut all) = (Vec::new(), Vec::new());
            let mut tenants: Vec<_> = standings.into_values().map(|standing| standing.tenant).collect();
            tenants.sort_by_key(|tenant| tenant.id.to_string());
            for tenant in &tenants {
                let (id, organization) = (ids.pop().unwrap(), tenant.organization.clone());
                let first = fresh.iter().find(|it| it.tenant == tenant.id).unwrap();
                let run = run(tenant, deliveries::run_number(tx, first).await?);
                made.iter_mut()
                    .filter(|made| made.delivery.tenant == tenant.id)
                    .for_each(|made| made.run = Some(run.id));
                wished.push(Wished {
                    id: id.clone(),
                    organization,
                    subject: tenant.id.to_string(),
                    hold: hold.clone(),
                });
                let token = hashed(&run.id.to_string());
                all.push((id, run, token));
            }
            let new: Vec<_> =
                all.iter().map(|(job, run, token)| New { run, token, job: Some(job), after: None }).collect();
            let born = begun::born(tx, &wished, &new, &mut made, NOW).await?;
            Ok((born.jobs, born.runs.into_iter().collect()))
        })
    });
    write.await
}

async fn job(world: &World, tenant: &Tenant) -> Option<Job> {
    let subject = tenant.id.to_string();
    world.read(move |tx| Box::pin(async move { jobs::of_subject(tx, Kind::Run, &subject).await })).await
}

async fn deliveries_begin_runs_with_their_jobs(world: World) {
    let tenants = tenants_of(&world, &["anna", "ben"]).await;
    let large = vec![b'x'; 20_000];
    let anna = deliver(&world, &tenants[0], &[b"{}", b"\xff\0", &large]).await;
    let ben = deliver(&world, &tenants[1], &[b"2"]).await;
    let (fresh, standings) = write!(world, |tx| deliveries::fresh(tx, 100));
    assert_eq!((fresh.len(), standings.len()), (4, 2));
    let headers = vec![("x-event".to_owned(), "created".to_owned())];
    let of = |id: &DeliveryId| fresh.iter().find(|it| it.id == *id).unwrap();
    assert_eq!(
        of(&anna[1]).content,
        Some(Content { source: "custom".to_owned(), headers, body: b"\xff\0".to_vec() })
    );
    assert_eq!(of(&anna[2]).content, None, "a large one is read when its run begins");
    assert!(of(&anna[2]).size.body >= 20_000);
    let (born, begun) = take(&world, true).await;
    assert_eq!((born.len(), begun.len()), (2, 2));
    assert_eq!(write!(world, |tx| deliveries::fresh(tx, 100)).0, []);
    for (tenant, ids) in tenants.iter().zip([anna, ben]) {
        let run = open(&world, tenant).await.unwrap();
        assert!(begun.contains(&run.id));
        let (owner, id) = (tenant.organization.clone(), run.id);
        let triggers = write!(world, |tx| triggers::of_run(tx, &owner, id));
        let of_run: Vec<_> = triggers.iter().filter_map(|trigger| trigger.delivery.clone()).collect();
        assert_eq!(of_run, ids);
        assert!(triggers.iter().all(|it| (it.source, it.mode) == (Source::Webhook, Mode::Webhook)));
        let job = job(&world, tenant).await.unwrap();
        assert_eq!((job.state, job.holder.as_deref()), (State::Held, Some("one")));
        assert!(born.contains(&job));
    }
    let now = NOW.plus_seconds(1);
    assert_eq!(write!(world, |tx| deliveries::delete_taken(tx, now, 10)), 4, "their runs have taken them");
}

async fn where_a_job_is_there_deliveries_wait_for_it(world: World) {
    let tenant = tenants_of(&world, &["anna"]).await.remove(0);
    let (organization, subject) = (tenant.organization.clone(), tenant.id.to_string());
    let id = JobId::new(NOW, &world.chance);
    write!(world, |tx| async {
        let wish = Wish { kind: Kind::Run, organization: &organization, subject, due: NOW };
        jobs::enqueue(tx, &wish, id, NOW).await
    });
    deliver(&world, &tenant, &[b"{}"]).await;
    let (born, begun) = take(&world, true).await;
    assert_eq!((born, begun), (vec![], vec![]));
    assert_eq!(open(&world, &tenant).await, None);
    assert_eq!(standing(&world, tenant.id).await.waiting, Some(Class::Others));
    assert_eq!(job(&world, &tenant).await.unwrap().state, State::Ready);
    let now = NOW.plus_seconds(1);
    assert_eq!(write!(world, |tx| deliveries::delete_taken(tx, now, 10)), 0, "no run has taken it");
}

async fn where_a_run_is_open_deliveries_wait_for_its_end(world: World) {
    let tenant = tenants_of(&world, &["anna"]).await.remove(0);
    let before = open_run(&world, &tenant).await;
    deliver(&world, &tenant, &[b"{}"]).await;
    let (born, begun) = take(&world, true).await;
    assert_eq!((born.len(), begun.len()), (1, 0), "its job finds the open run");
    assert_eq!(open(&world, &tenant).await, Some(before));
    assert_eq!(standing(&world, tenant.id).await.waiting, Some(Class::Others));
}

/// On PostgreSQL another node may have done a run between the look at a delivery and the beginning of its own: that has to
/// look again what is handed on to it. SQLite has one writer, beside whom nothing happens.
async fn a_run_that_came_and_went_meanwhile_is_seen(world: World) {
    let tenant = tenants_of(&world, &["anna"]).await.remove(0);
    let went = open_run(&world, &tenant).await;
    let went = Run { phase: went.phase.succeed(NOW).unwrap(), ..went };
    assert!(write!(world, |tx| runs::save(tx, &went)));
    deliver(&world, &tenant, &[b"{}"]).await;
    // Nobody had run when this was looked at.
    let (born, begun) = take(&world, true).await;
    let is_postgres = world.db.engine() == "postgres";
    assert_eq!((born.len(), begun.is_empty()), (1, is_postgres));
    assert_eq!(standing(&world, tenant.id).await.waiting.is_some(), is_postgres);
}

/// A run was open when a delivery was looked at, and had ended with its job when that was asked for: nobody else knows of
/// the job that is there now.
async fn a_job_that_is_new_and_nobodys_is_told_of(world: World) {
    let tenant = tenants_of(&world, &["anna"]).await.remove(0);
    deliver(&world, &tenant, &[b"{}"]).await;
    let left = |hold: bool| {
        let (tenant, id) = (tenant.clone(), JobId::new(NOW, &world.chance));
        let hold = hold.then(|| Hold { holder: "one".to_owned(), until: NOW.plus_seconds(60) });
        world.write(move |tx| {
            Box::pin(async move {
                let (fresh, _) = deliveries::fresh(tx, 100).await?;
                let mut made = deliveries::numbered(tx, &fresh).await?;
                let (organization, subject) = (tenant.organization.clone(), tenant.id.to_string());
                let wished = [Wished { id, organization, subject, hold }];
                Ok(begun::born(tx, &wished, &[], &mut made, NOW).await?.is_left)
            })
        })
    };
    assert!(left(false).await, "it is new, and a worker has to claim it");
    assert_eq!(job(&world, &tenant).await.unwrap().state, State::Ready);
    assert!(!left(false).await, "it was there before");
    write!(world, |tx| jobs::remove(tx, Kind::Run, &tenant.id.to_string()));
    assert!(!left(true).await, "whoever asked holds it");
}

async fn held(world: &World, tenant: &Tenant) -> Job {
    let (organization, subject) = (tenant.organization.clone(), tenant.id.to_string());
    let id = JobId::new(NOW, &world.chance);
    let hold = Hold { holder: "one".to_owned(), until: NOW.plus_seconds(60) };
    let born = write!(world, |tx| async {
        let wish = Wish { kind: Kind::Run, organization: &organization, subject, due: NOW };
        birth::enqueue_held(tx, wish, id, &hold).await
    });
    born.unwrap()
}

async fn end(world: &World, run: &Run, job: &JobId, (holder, stays): (&str, bool)) -> End {
    let done = Run { phase: run.phase.succeed(NOW).unwrap(), state: Some(sealed("said")), ..run.clone() };
    ended::end(&world.db, &done, By { job, holder, is_paused: false, stays }).await.unwrap()
}

async fn a_run_ends_with_its_job(world: World) {
    let tenant = tenants_of(&world, &["anna"]).await.remove(0);
    let (first, of) = (open_run(&world, &tenant).await, held(&world, &tenant).await);
    let overtaken = Run { attempts: 2, ..first.clone() };
    assert_eq!(end(&world, &overtaken, &of.id, ("one", false)).await, End::Overtaken);
    assert_eq!(open(&world, &tenant).await.as_ref(), Some(&first));
    assert_eq!(end(&world, &first, &of.id, ("one", false)).await, End::Done);
    assert_eq!(job(&world, &tenant).await, None);
    let last = standing(&world, tenant.id).await.last.unwrap();
    assert_eq!((last.id, last.state), (first.id, Some(sealed("said"))));
    let token = hashed(&first.id.to_string());
    assert_eq!(write!(world, |tx| runs::by_token(tx, first.id, &token)), None, "its token ended with it");
    assert_eq!(end(&world, &first, &of.id, ("one", false)).await, End::Overtaken, "an end is an end");
    // Another holds it by now: the run is this attempt's still, the job is not.
    let (second, of) = (open_run(&world, &tenant).await, held(&world, &tenant).await);
    assert_eq!(end(&world, &second, &of.id, ("two", false)).await, End::Kept);
    assert_eq!(job(&world, &tenant).await.as_ref(), Some(&of));
}

async fn ask(world: &World, tenant: &Tenant, due: Time) {
    let (organization, subject) = (tenant.organization.clone(), tenant.id.to_string());
    let id = JobId::new(NOW, &world.chance);
    write!(world, |tx| async {
        let wish = Wish { kind: Kind::Run, organization: &organization, subject, due };
        jobs::enqueue(tx, &wish, id, NOW).await
    });
}

async fn a_job_that_has_more_to_do_goes_on(world: World) {
    let [tenant, other] = tenants_of(&world, &["anna", "bert"]).await.try_into().unwrap();
    let of = held(&world, &tenant).await;
    // Something waits that nobody asked the job for.
    let first = open_run(&world, &tenant).await;
    trigger(&world, &tenant, Source::Webhook, Mode::Webhook).await;
    assert_eq!(end(&world, &first, &of.id, ("one", true)).await, End::Again);
    let now = job(&world, &tenant).await.unwrap();
    assert_eq!((now.state, now.holder, now.held_until), (State::Held, of.holder.clone(), of.held_until));
    // Of a paused tenant that does not count.
    let second = open_run(&world, &tenant).await;
    let done = Run { phase: second.phase.succeed(NOW).unwrap(), ..second };
    let by = By { job: &of.id, holder: "one", is_paused: true, stays: true };
    assert_eq!(ended::end(&world.db, &done, by).await, Ok(End::Done));
    // Asked for meanwhile, and given on to anybody; by whoever asks it may be a moment later already.
    let of = held(&world, &tenant).await;
    let third = open_run(&world, &tenant).await;
    ask(&world, &tenant, Time::from_micros(NOW.micros() + 500_000)).await;
    assert_eq!(end(&world, &third, &of.id, ("one", false)).await, End::Again);
    let now = job(&world, &tenant).await.unwrap();
    assert_eq!((now.state, now.attempts, now.again, now.holder), (State::Ready, 0, None, None));
    // Asked for at a time that is still to come, and nothing waits.
    let (of, run) = (held(&world, &other).await, open_run(&world, &other).await);
    ask(&world, &other, NOW.plus_seconds(9)).await;
    assert_eq!(end(&world, &run, &of.id, ("one", false)).await, End::Kept);
    assert_eq!(job(&world, &other).await.unwrap().again, Some(NOW.plus_seconds(9)));
}

async fn many_end_at_once(world: World) {
    let names: Vec<String> = (0..40).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let tenants = tenants_of(&world, &names).await;
    let mut under_way: Vec<(Run, Job)> = Vec::new();
    for tenant in &tenants {
        under_way.push((open_run(&world, tenant).await, held(&world, tenant).await));
    }
    trigger(&world, &tenants[7], Source::Api, Mode::Normal).await;
    let ends = join_all(under_way.iter().map(|(run, job)| end(&world, run, &job.id, ("one", false)))).await;
    for (number, (end, tenant)) in ends.into_iter().zip(&tenants).enumerate() {
        assert_eq!(end, if number == 7 { End::Again } else { End::Done });
        assert_eq!(job(&world, tenant).await.is_some(), number == 7);
        assert_eq!(open(&world, tenant).await, None);
    }
}

/// On SQLite nobody writes beside the one who asks.
async fn an_end_waits_for_nobody_who_asks(world: World) {
    if world.db.engine() == "sqlite" {
        return;
    }
    let [anna, bert] = tenants_of(&world, &["anna", "bert"]).await.try_into().unwrap();
    let (of_anna, of_bert) = (held(&world, &anna).await, held(&world, &bert).await);
    let (first, second) = (open_run(&world, &anna).await, open_run(&world, &bert).await);
    let (has_asked, asked) = tokio::sync::oneshot::channel();
    let (go_on, goes_on) = tokio::sync::oneshot::channel::<()>();
    let asks = {
        let (db, organization, id) =
            (world.db.clone(), anna.organization.clone(), JobId::new(NOW, &world.chance));
        let subject = anna.id.to_string();
        tokio::spawn(async move {
            let asks = db.write(|tx| {
                Box::pin(async move {
                    let wish = Wish { kind: Kind::Run, organization: &organization, subject, due: NOW };
                    jobs::enqueue(tx, &wish, id, NOW).await?;
                    has_asked.send(()).unwrap();
                    goes_on.await.unwrap();
                    Ok::<(), DbError>(())
                })
            });
            asks.await.unwrap();
        })
    };
    asked.await.unwrap();
    let (done, anna_s) = (Run { phase: first.phase.succeed(NOW).unwrap(), ..first }, of_anna.id.clone());
    let db = world.db.clone();
    let first = tokio::spawn(async move {
        ended::end(&db, &done, By { job: &anna_s, holder: "one", is_paused: false, stays: false }).await
    });
    // The other one's ends behind it, while the first one's job is still being asked for.
    while open(&world, &anna).await.is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(end(&world, &second, &of_bert.id, ("one", false)).await, End::Done);
    go_on.send(()).unwrap();
    asks.await.unwrap();
    let (first, left) = (first.await.unwrap().unwrap(), job(&world, &anna).await.unwrap());
    let said = (first, left.state, left.again);
    // It may look at the job once more before the other one's commit, or after it.
    let expected = [(End::Kept, State::Held, Some(NOW)), (End::Again, State::Ready, None)];
    assert!(expected.contains(&said), "what was asked for meanwhile is not forgotten: {said:?}");
}
