//! Runs, their triggers and logs, on both databases.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World, hashed, sealed};
use connect::run::{Class, Failure, Mode, Phase, Run, Source, Trigger};
use connect::tenant::Tenant;
use kernel::Time;
use kernel::ids::RunId;
use serde_json::json;
use store::reruns::Rerun;
use store::runs::begun::{self, Claim};
use store::runs::over::{self, Stretch};
use store::runs::{Begin, Sort};
use store::*;

on_both!(
    one_run_of_a_tenant_is_open,
    an_attempt_that_was_overtaken_changes_nothing,
    triggers_are_claimed_by_class,
    a_run_takes_five_hundred_triggers_at_most,
    what_does_not_fit_waits,
    of_many_claims_at_once_each_trigger_is_in_one,
    a_log_grows_in_order,
    what_the_next_run_is_handed_stays,
    metadata_is_held_while_it_changes,
    statuses_of_a_page_are_read_together,
);

macro_rules! write {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.write(move |$tx| Box::pin(async move { $body.await })).await
    };
}

async fn tenant(world: &World) -> Tenant {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    world.tenant(&integration, "anna").await
}

/// A run that began now.
pub fn run(tenant: &Tenant, id: RunId) -> Run {
    Run {
        id,
        organization: tenant.organization.clone(),
        environment: SANDBOX,
        tenant: tenant.id,
        integration: tenant.integration,
        release: None,
        mode: Mode::Normal,
        phase: Phase::Running { started: NOW },
        reason: None,
        attempts: 1,
        rerun_of: None,
        configs: Some(json!({ "days": 3 })),
        given_state: Some(sealed("given")),
        state: None,
        exit_code: None,
        log_bytes: 0,
        cancel: None,
        waits: None,
        created: NOW,
    }
}

async fn next(world: &World) -> RunId {
    write!(world, |tx| runs::next_id(tx))
}

async fn insert(world: &World, run: &Run, token: &str) -> bool {
    let (run, token) = (run.clone(), hashed(token));
    write!(world, |tx| runs::insert(tx, &run, Some(&token)))
}

async fn save(world: &World, run: &Run) -> bool {
    let run = run.clone();
    write!(world, |tx| runs::save(tx, &run))
}

/// A run that began and ended at these times.
async fn ended(world: &World, tenant: &Tenant, at: Time, phase: Phase) -> Run {
    let id = next(world).await;
    let run = Run { phase: Phase::Running { started: at }, created: at, ..run(tenant, id) };
    assert!(insert(world, &run, &format!("{id}")).await);
    let run = Run { phase, state: Some(sealed("state")), ..run };
    assert!(save(world, &run).await);
    run
}

pub async fn trigger(world: &World, tenant: &Tenant, source: Source, mode: Mode) -> Trigger {
    let new = Trigger {
        id: write!(world, |tx| triggers::next_id(tx)),
        organization: tenant.organization.clone(),
        tenant: tenant.id,
        source,
        mode,
        delivery: None,
        payload: None,
        created: NOW,
        run: None,
    };
    let inserted = new.clone();
    write!(world, |tx| triggers::insert(tx, &inserted));
    new
}

async fn one_run_of_a_tenant_is_open(world: World) {
    let tenant = tenant(&world).await;
    let first = run(&tenant, next(&world).await);
    let second = run(&tenant, next(&world).await);
    assert!(insert(&world, &first, "a").await);
    assert!(!insert(&world, &second, "b").await, "the index over open runs refuses it");
    let (owner, id) = (tenant.organization.clone(), tenant.id);
    assert_eq!(write!(world, |tx| runs::open(tx, &owner, id)), Some(first.clone()));
    let token = hashed("a");
    assert_eq!(write!(world, |tx| runs::by_token(tx, first.id, &token)), Some(first.clone()));
    let done = Run {
        phase: first.phase.succeed(NOW).unwrap(),
        state: Some(sealed("state")),
        exit_code: Some(0),
        ..first.clone()
    };
    assert!(save(&world, &done).await);
    assert!(!save(&world, &first).await, "an end is an end");
    let token = hashed("a");
    assert_eq!(write!(world, |tx| runs::by_token(tx, first.id, &token)), None, "its token ended with it");
    let (owner, id) = (tenant.organization.clone(), first.id);
    assert_eq!(write!(world, |tx| runs::by_id(tx, &owner, SANDBOX, id)), Some(done));
    assert!(insert(&world, &second, "b").await);
}

async fn an_attempt_that_was_overtaken_changes_nothing(world: World) {
    let tenant = tenant(&world).await;
    let first = run(&tenant, next(&world).await);
    assert!(insert(&world, &first, "a").await);
    for goes_on in [true, false] {
        let (read, token) = (first.clone(), hashed("b"));
        let begun = write!(world, |tx| runs::begin(tx, &read, Begin { release: None, token: &token }, NOW));
        assert_eq!(begun, goes_on, "of two that saw the first attempt one begins the second");
    }
    assert!(!save(&world, &Run { phase: first.phase.succeed(NOW).unwrap(), ..first.clone() }).await);
    let old = first.clone();
    assert!(!write!(world, |tx| run_logs::append(tx, &old, "late")));
    let (owner, id) = (first.organization.clone(), first.id);
    assert!(!runs::is_to_end(&world.db, &owner, id).await.unwrap());
    for asked in [true, false] {
        let owner = owner.clone();
        assert_eq!(write!(world, |tx| runs::ask_to_cancel(tx, &owner, id, NOW)), asked);
    }
    assert!(runs::is_to_end(&world.db, &owner, id).await.unwrap());
}

async fn triggers_are_claimed_by_class(world: World) {
    let tenant = tenant(&world).await;
    let mut made = Vec::new();
    for (source, mode) in [
        (Source::Webhook, Mode::Webhook),
        (Source::Api, Mode::Normal),
        (Source::Cron, Mode::Normal),
        (Source::Manual, Mode::Init),
        (Source::Cron, Mode::Normal),
        (Source::Manual, Mode::Normal),
        (Source::Api, Mode::Init),
    ] {
        made.push(trigger(&world, &tenant, source, mode).await);
    }
    // One of them asks for a run to be done once more.
    let rerun = made.pop().unwrap();
    let chosen = Rerun {
        trigger: rerun.id,
        tenant: tenant.id,
        run: next(&world).await,
        configs: Some(json!({})),
        state: None,
    };
    let new = chosen.clone();
    write!(world, |tx| reruns::insert(tx, &new));
    let (id, of) = (rerun.id, tenant.id);
    assert_eq!(write!(world, |tx| reruns::by_trigger(tx, of, id)), Some(chosen));
    let claim = |class: Class, paused: bool| {
        let (world, owner, id) = (&world, tenant.organization.clone(), tenant.id);
        async move {
            let run = next(world).await;
            let claimed = write!(world, |tx| triggers::claim(tx, &owner, id, run, class, paused, NOW));
            assert!(claimed.iter().all(|trigger| trigger.run == Some(run)));
            claimed.into_iter().map(|trigger| trigger.id).collect::<Vec<_>>()
        }
    };
    assert!(claim(Class::Cron, true).await.is_empty(), "a paused tenant's schedule waits");
    let ids = |class: Class| made.iter().filter(|it| it.class() == class).map(|it| it.id).collect::<Vec<_>>();
    // What the rules call a class is what the statement takes.
    for class in [Class::Init, Class::Cron, Class::Others] {
        assert_eq!(claim(class, false).await, ids(class), "{class:?}");
        assert!(claim(class, false).await.is_empty());
    }
    assert_eq!(claim(Class::Rerun, false).await, [rerun.id]);
    let (owner, id) = (tenant.organization.clone(), tenant.id);
    assert!(!write!(world, |tx| triggers::is_waiting(tx, &owner, id, false)));
    let (owner, id) = (tenant.organization.clone(), made[0].id);
    assert_eq!(write!(world, |tx| triggers::by_id(tx, &owner, SANDBOX, id)).unwrap().id, id);
}

async fn a_run_takes_five_hundred_triggers_at_most(world: World) {
    let tenant = tenant(&world).await;
    let first = trigger(&world, &tenant, Source::Api, Mode::Normal).await;
    let more = first.clone();
    let write = world.db.write(move |tx| {
        Box::pin(async move {
            for _ in 0..501 {
                let id = triggers::next_id(tx).await?;
                triggers::insert(tx, &Trigger { id, ..more.clone() }).await?;
            }
            Ok::<_, DbError>(())
        })
    });
    write.await.unwrap();
    for expected in [500, 2, 0] {
        let run = next(&world).await;
        let claim = Claim {
            organization: tenant.organization.clone(),
            tenant: tenant.id,
            run,
            class: Class::Others,
            paused: false,
        };
        let claimed = write!(world, |tx| begun::claim(tx, &[claim], NOW));
        assert_eq!(claimed.get(&run).map_or(0, Vec::len), expected);
    }
}

async fn what_does_not_fit_waits(world: World) {
    let tenant = tenant(&world).await;
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(trigger(&world, &tenant, Source::Api, Mode::Normal).await.id);
    }
    let (run, owner, id) = (next(&world).await, tenant.organization.clone(), tenant.id);
    let claimed = write!(world, |tx| triggers::claim(tx, &owner, id, run, Class::Others, false, NOW));
    assert_eq!(claimed.len(), 4);
    let owner = tenant.organization.clone();
    let sizes = write!(world, |tx| triggers::sizes(tx, &owner, run));
    assert_eq!(sizes.iter().map(|(id, _)| *id).collect::<Vec<_>>(), made);
    let (owner, last) = (tenant.organization.clone(), made[1]);
    assert_eq!(write!(world, |tx| triggers::give_back(tx, &owner, run, last)), 2);
    let owner = tenant.organization.clone();
    assert_eq!(write!(world, |tx| triggers::of_run(tx, &owner, run)).len(), 2);
    let (owner, integration) = (tenant.organization.clone(), tenant.integration);
    let waiting = write!(world, |tx| triggers::waiting_tenants(tx, &owner, integration, None, 10));
    assert_eq!(waiting, [tenant.id]);
    let (owner, id) = (tenant.organization.clone(), tenant.id);
    assert_eq!(write!(world, |tx| triggers::drop_waiting(tx, &owner, id, NOW)), 2);
    let (owner, integration) = (tenant.organization.clone(), tenant.integration);
    assert!(write!(world, |tx| triggers::waiting_tenants(tx, &owner, integration, None, 10)).is_empty());
}

async fn of_many_claims_at_once_each_trigger_is_in_one(world: World) {
    let tenant = tenant(&world).await;
    for _ in 0..20 {
        trigger(&world, &tenant, Source::Api, Mode::Normal).await;
    }
    let claims = (0..8).map(|_| {
        let (db, owner, id) = (world.db.clone(), tenant.organization.clone(), tenant.id);
        tokio::spawn(async move {
            let claim = db.write(move |tx| {
                Box::pin(async move {
                    let run = runs::next_id(tx).await?;
                    triggers::claim(tx, &owner, id, run, Class::Others, false, NOW).await
                })
            });
            let claimed: Result<_, DbError> = claim.await;
            claimed.unwrap().len()
        })
    });
    let mut all = 0;
    for claim in claims.collect::<Vec<_>>() {
        all += claim.await.unwrap();
    }
    assert_eq!(all, 20);
}

async fn a_log_grows_in_order(world: World) {
    let tenant = tenant(&world).await;
    let first = run(&tenant, next(&world).await);
    assert!(insert(&world, &first, "a").await);
    for text in ["one\n", "zwei ä\n", "three\n"] {
        let run = first.clone();
        assert!(write!(world, |tx| run_logs::append(tx, &run, text)));
    }
    let id = first.id;
    let parts = write!(world, |tx| run_logs::parts(tx, id, 0, 2));
    assert_eq!(parts.iter().map(|part| part.body.as_str()).collect::<Vec<_>>(), ["one\n", "zwei ä\n"]);
    let after = parts[1].number;
    assert_eq!(write!(world, |tx| run_logs::parts(tx, id, after, 2))[0].body, "three\n");
    let owner = tenant.organization.clone();
    let bytes = write!(world, |tx| runs::by_id(tx, &owner, SANDBOX, id)).unwrap().log_bytes;
    assert_eq!(bytes, 4 + 8 + 6);
}

async fn what_the_next_run_is_handed_stays(world: World) {
    let tenant = tenant(&world).await;
    let day = 24 * 3600;
    let mut made = Vec::new();
    for number in 0..4 {
        let at = NOW.plus_seconds(number * day);
        let started = Phase::Running { started: at };
        let phase = if number == 1 {
            started.succeed(at).unwrap()
        } else {
            started.fail(Failure::Timeout, at).unwrap()
        };
        made.push(ended(&world, &tenant, at, phase).await);
    }
    let (owner, id) = (tenant.organization.clone(), tenant.id);
    let (last, successful) = write!(world, |tx| runs::last(tx, &owner, id));
    assert_eq!((last.unwrap().id, successful.unwrap().id), (made[3].id, made[1].id));
    let before = NOW.plus_seconds(100 * day);
    let beginning = Time::from_micros(0);
    let stretch = write!(world, |tx| over::ended(tx, beginning, before, 100)).unwrap();
    assert_eq!(stretch, Stretch { until: NOW.plus_seconds(3 * day), any: true });
    let until = stretch.until;
    assert_eq!(write!(world, |tx| over::delete(tx, beginning, until)), 2);
    let left = write!(world, |tx| over::ended(tx, beginning, before, 100)).unwrap();
    assert!(!left.any, "what stays is not tried again");
    assert_eq!(write!(world, |tx| over::ended(tx, until, before, 100)), None);
    let (owner, id) = (tenant.organization.clone(), tenant.id);
    let page = Page { sort: Sort::Id, descending: true, limit: 10, skip: 0 };
    let left = write!(world, |tx| runs::list(tx, &owner, SANDBOX, Some(id), page));
    assert_eq!(left.rows.iter().map(|run| run.id).collect::<Vec<_>>(), [made[3].id, made[1].id]);
    assert_eq!(left.total, 2);
    let owner = tenant.organization.clone();
    assert_eq!(write!(world, |tx| runs::list(tx, &owner, SANDBOX, None, page)).total, 2);
}

async fn metadata_is_held_while_it_changes(world: World) {
    let tenant = tenant(&world).await;
    let changes = (0..8).map(|number| {
        let (db, owner, id) = (world.db.clone(), tenant.organization.clone(), tenant.id);
        tokio::spawn(async move {
            let change = db.write(move |tx| {
                Box::pin(async move {
                    let mut data = tenant_metadata::hold(tx, &owner, id, NOW).await?.data;
                    data[format!("m{number}")] = json!(number);
                    tenant_metadata::save(tx, &owner, id, &data).await
                })
            });
            let changed: Result<(), DbError> = change.await;
            changed.unwrap();
        })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap();
    }
    let (owner, id) = (tenant.organization.clone(), tenant.id);
    let kept = write!(world, |tx| tenant_metadata::by_tenant(tx, &owner, id)).unwrap();
    assert_eq!(kept.data.as_object().unwrap().len(), 8, "no change is lost between two");
    let other = world.organization("other").await;
    assert_eq!(write!(world, |tx| tenant_metadata::by_tenant(tx, &other, id)), None);
}

async fn statuses_of_a_page_are_read_together(world: World) {
    let anna = tenant(&world).await;
    let succeeded = Phase::Running { started: NOW }.succeed(NOW).unwrap();
    let failed = Phase::Running { started: NOW }.fail(Failure::Integration, NOW).unwrap();
    let good = ended(&world, &anna, NOW, succeeded).await;
    let bad = ended(&world, &anna, NOW, failed).await;
    let open = run(&anna, next(&world).await);
    assert!(insert(&world, &open, "open").await);
    let (owner, id) = (anna.organization.clone(), anna.id);
    write!(world, |tx| dynamic_configs::put(tx, &owner, id, &json!({ "lists": ["a"] }), NOW));
    let (owner, ids) = (anna.organization.clone(), vec![anna.id]);
    let found = write!(world, |tx| runs::of_tenants(tx, &owner, &ids));
    let [(of, runs)] = found.as_slice() else { panic!("{found:?}") };
    let ids = |run: &Option<Run>| run.as_ref().map(|run| run.id);
    assert_eq!(*of, anna.id);
    assert_eq!(
        (ids(&runs.last), ids(&runs.last_successful), ids(&runs.current)),
        (Some(bad.id), Some(good.id), Some(open.id))
    );
    assert_eq!(runs.dynamic_configs, Some(json!({ "lists": ["a"] })));
    let (other, ids) = (world.organization("other").await, vec![anna.id]);
    assert!(write!(world, |tx| runs::of_tenants(tx, &other, &ids)).is_empty());
}
