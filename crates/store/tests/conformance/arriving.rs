//! Deliveries that begin their run as they arrive, where the tenant stands as it is remembered.

use crate::on_both;
use crate::runs::{run, trigger};
use crate::world::{NOW, SANDBOX, World, hashed, sealed};
use connect::run::{Mode, Run, Source};
use connect::tenant::Tenant;
use futures_util::future::join_all;
use kernel::ids::{DeliveryId, IntegrationId, JobId, ReleaseId, RunId, TriggerId};
use std::collections::HashSet;
use store::deliveries::OwnDelivery;
use store::jobs::{self, Hold, Job, Kind, State, Wish};
use store::runs::arriving::{Arrived, Expected, arrive};
use store::runs::standing::{self, Standing};
use store::*;

on_both!(
    a_delivery_begins_its_run_as_it_arrives,
    what_has_changed_meanwhile_lets_the_delivery_wait,
    an_address_that_takes_none_keeps_nothing,
    a_repeated_delivery_begins_nothing,
    of_many_at_once_one_begins,
    many_tenants_begin_each_their_own,
    every_change_of_a_tenant_moves_its_revision,
);

macro_rules! write {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.write(move |$tx| Box::pin(async move { $body.await })).await
    };
}

/// A tenant with an address of its own, whose last run has ended.
struct Idle {
    tenant: Tenant,
    standing: Standing,
}

impl Idle {
    fn secret(&self) -> String {
        format!("secret of {}", self.tenant.id)
    }
}

async fn run_once(world: &World, tenant: &Tenant) -> Run {
    let new = run(tenant, write!(world, |tx| runs::next_id(tx)));
    let ended = Run { phase: new.phase.succeed(NOW).unwrap(), state: Some(sealed("one")), ..new.clone() };
    let token = hashed(&new.id.to_string());
    assert!(write!(world, |tx| runs::insert(tx, &new, Some(&token))));
    let saved = ended.clone();
    assert!(write!(world, |tx| runs::save(tx, &saved)));
    ended
}

async fn standing_of(world: &World, tenant: &Tenant) -> Standing {
    let id = tenant.id;
    write!(world, |tx| standing::of_tenants(tx, &[id])).remove(0)
}

async fn idle(world: &World, organization: &str, names: &[&str]) -> Vec<Idle> {
    let organization = world.organization(organization).await;
    let integration = world.integration(&organization, "sync").await;
    let mut all = Vec::new();
    for name in names {
        let tenant = world.tenant(&integration, name).await;
        run_once(world, &tenant).await;
        let standing = standing_of(world, &tenant).await;
        let idle = Idle { tenant, standing };
        let webhook = world.new_webhook(&idle.tenant, None, &idle.secret());
        assert!(write!(world, |tx| webhooks::insert(tx, &webhook)));
        all.push(idle);
    }
    all
}

fn release() -> ReleaseId {
    ReleaseId::new(7).unwrap()
}

fn integration() -> IntegrationId {
    IntegrationId::new(1).unwrap()
}

/// One delivery with all that was told of it.
#[derive(Clone)]
struct Sent {
    id: DeliveryId,
    job: JobId,
    body: String,
    dedupe: Option<String>,
}

fn sent(world: &World, body: &str) -> Sent {
    let (id, job) = (DeliveryId::new(NOW, &world.chance), JobId::new(NOW, &world.chance));
    Sent { id, job, body: body.to_owned(), dedupe: None }
}

async fn deliver(world: &World, idle: &Idle, sent: &Sent) -> Result<Arrived, DbError> {
    let (secret, token) = (hashed(&idle.secret()), hashed(sent.id.as_str()));
    let (header, hold) = (("x-event".to_owned(), "created".to_owned()), hold());
    let new = OwnDelivery {
        id: &sent.id,
        secret: &secret,
        environment: SANDBOX,
        dedupe: sent.dedupe.clone(),
        headers: &[&header],
        body: sent.body.as_bytes(),
        received: NOW,
    };
    let expected = Expected {
        standing: &idle.standing,
        integration: integration(),
        release: release(),
        job: &sent.job,
        hold: &hold,
        token: &token,
    };
    arrive(&world.db, &new, None, &expected).await
}

fn hold() -> Hold {
    Hold { holder: "one".to_owned(), until: NOW.plus_seconds(60) }
}

async fn open(world: &World, tenant: &Tenant) -> Option<Run> {
    let (owner, id) = (tenant.organization.clone(), tenant.id);
    write!(world, |tx| runs::open(tx, &owner, id))
}

async fn job(world: &World, tenant: &Tenant) -> Option<Job> {
    let subject = tenant.id.to_string();
    world.read(move |tx| Box::pin(async move { jobs::of_subject(tx, Kind::Run, &subject).await })).await
}

async fn body_of(world: &World, tenant: &Tenant, id: &DeliveryId) -> Option<Vec<u8>> {
    let (owner, id) = (tenant.organization.clone(), id.clone());
    write!(world, |tx| deliveries::by_id(tx, &owner, &id)).map(|kept| kept.body)
}

async fn a_delivery_begins_its_run_as_it_arrives(world: World) {
    let idle = idle(&world, "acme", &["anna"]).await.remove(0);
    let tenant = &idle.tenant;
    let sent = sent(&world, "{\"a\":1}");
    let arrived = deliver(&world, &idle, &sent).await.unwrap();
    let (trigger, id) = arrived.begun.unwrap();
    assert!(arrived.is_kept && arrived.is_born);
    let open = open(&world, tenant).await.unwrap();
    let expected = Run {
        integration: integration(),
        release: Some(release()),
        mode: Mode::Webhook,
        configs: None,
        given_state: None,
        ..run(tenant, id)
    };
    assert_eq!(open, expected);
    let last = idle.standing.last.as_ref().map(|last| last.id);
    assert!(Some(id) > last, "runs are counted upwards");
    let token = hashed(sent.id.as_str());
    let by_token = write!(world, |tx| runs::by_token(tx, id, &token));
    assert_eq!(by_token.map(|run| run.id), Some(id));
    let owner = tenant.organization.clone();
    let triggers = write!(world, |tx| triggers::of_run(tx, &owner, id));
    let seen: Vec<_> = triggers.iter().map(|it| (it.id, it.source, it.mode, it.delivery.as_ref())).collect();
    assert_eq!(seen, [(trigger, Source::Webhook, Mode::Webhook, Some(&sent.id))]);
    assert_eq!(body_of(&world, tenant, &sent.id).await.as_deref(), Some(&b"{\"a\":1}"[..]));
    assert!(!deliveries::is_fresh(&world.db).await.unwrap(), "nobody has to make a trigger of it");
    let job = job(&world, tenant).await.unwrap();
    assert_eq!((job.id, job.state, job.holder.as_deref()), (sent.job, State::Held, Some("one")));
    assert_eq!((job.attempts, job.held_until), (1, Some(NOW.plus_seconds(60))));
    // A run has taken it: it is cleaned up like any other.
    let after = NOW.plus_seconds(1);
    assert_eq!(write!(world, |tx| deliveries::delete_taken(tx, after, 10)), 1);
    assert_eq!(write!(world, |tx| triggers::delete_claimed(tx, after, 10)), 1);
}

/// What may happen to a tenant between its last run and a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    Tenant,
    Metadata,
    Configuration,
    AnotherRun,
    OpenRun,
    Trigger,
    Delivery,
    Job,
    Release,
}

const CHANGES: [Change; 10] = [
    Change::Nothing,
    Change::Tenant,
    Change::Metadata,
    Change::Configuration,
    Change::AnotherRun,
    Change::OpenRun,
    Change::Trigger,
    Change::Delivery,
    Change::Job,
    Change::Release,
];

async fn happens(world: &World, change: Change, idle: &mut Idle) {
    let tenant = idle.tenant.clone();
    let (owner, id) = (tenant.organization.clone(), tenant.id);
    match change {
        Change::Nothing => {}
        Change::Tenant => assert!(write!(world, |tx| tenants::set_paused(tx, &owner, id, false, NOW))),
        Change::Metadata => {
            let of = owner.clone();
            write!(world, |tx| tenant_metadata::hold(tx, &of, id, NOW));
            write!(world, |tx| tenant_metadata::save(tx, &owner, id, &serde_json::json!({ "a": 1 })));
        }
        Change::Configuration => write!(world, |tx| organizations::bump_config_version(tx, &owner)),
        Change::AnotherRun => drop(run_once(world, &tenant).await),
        Change::OpenRun => {
            let new = run(&tenant, write!(world, |tx| runs::next_id(tx)));
            let token = hashed("open");
            assert!(write!(world, |tx| runs::insert(tx, &new, Some(&token))));
        }
        Change::Trigger => drop(trigger(world, &tenant, Source::Api, Mode::Normal).await),
        Change::Delivery => {
            let (secret, first) = (hashed(&idle.secret()), sent(world, "first").id);
            let new = OwnDelivery {
                id: &first,
                secret: &secret,
                environment: SANDBOX,
                dedupe: None,
                headers: &[],
                body: b"first",
                received: NOW,
            };
            assert!(deliveries::receive_own(&world.db, &new).await.unwrap());
        }
        Change::Job => {
            let job = JobId::new(NOW, &world.chance);
            write!(world, |tx| async {
                let wish = Wish { kind: Kind::Run, organization: &owner, subject: id.to_string(), due: NOW };
                jobs::enqueue(tx, &wish, job, NOW).await
            });
        }
        // The caller took it for the newest.
        Change::Release => idle.standing.newest = Some(release()),
    }
}

async fn what_has_changed_meanwhile_lets_the_delivery_wait(world: World) {
    for (at, change) in CHANGES.into_iter().enumerate() {
        let mut idle = idle(&world, &format!("acme-{at}"), &["anna"]).await.remove(0);
        happens(&world, change, &mut idle).await;
        let before = open(&world, &idle.tenant).await;
        let sent = sent(&world, "body");
        let arrived = deliver(&world, &idle, &sent).await.unwrap();
        assert!(arrived.is_kept, "{change:?}: nothing is lost");
        assert_eq!(arrived.begun.is_some(), change == Change::Nothing, "{change:?}");
        if change == Change::Nothing {
            continue;
        }
        assert_eq!(open(&world, &idle.tenant).await, before, "{change:?}");
        assert_eq!(
            body_of(&world, &idle.tenant, &sent.id).await.as_deref(),
            Some(&b"body"[..]),
            "{change:?}"
        );
        let fresh = write!(world, |tx| deliveries::fresh(tx, 100)).0;
        assert!(fresh.iter().any(|fresh| fresh.id == sent.id), "{change:?}: it becomes a trigger later");
        // Whoever has the job looks what there is; where nobody has, whoever makes the trigger asks for it.
        let held = job(&world, &idle.tenant).await.filter(|job| job.id == sent.job);
        assert_eq!(held.is_some(), arrived.is_born, "{change:?}");
        assert!(change != Change::Job || !arrived.is_born);
    }
}

async fn an_address_that_takes_none_keeps_nothing(world: World) {
    let kept = |arrived: Result<Arrived, DbError>| arrived.map(|it| (it.is_kept, it.begun));
    let nothing = Ok((false, None));
    let mut all = idle(&world, "acme", &["anna", "ben", "cleo"]).await;
    let (anna, ben, cleo) = (all.remove(0), all.remove(0), all.remove(0));
    // What is known of another tenant begins nothing here.
    let mixed = Idle { tenant: ben.tenant.clone(), standing: cleo.standing };
    assert_eq!(kept(deliver(&world, &mixed, &sent(&world, "c")).await), Ok((true, None)));
    let fresh = write!(world, |tx| deliveries::fresh(tx, 10)).0;
    assert_eq!(fresh.iter().map(|fresh| fresh.tenant).collect::<Vec<_>>(), [ben.tenant.id]);
    let (owner, id) = (anna.tenant.organization.clone(), anna.tenant.id);
    assert!(write!(world, |tx| tenants::archive(tx, &owner, id, NOW)));
    assert_eq!(kept(deliver(&world, &anna, &sent(&world, "a")).await), nothing, "archived");
    let (owner, id) = (ben.tenant.organization.clone(), ben.tenant.id);
    let current = write!(world, |tx| webhooks::current(tx, &owner, id, None)).unwrap();
    let owner = ben.tenant.organization.clone();
    write!(world, |tx| webhooks::end(tx, &owner, &current.id, NOW));
    assert_eq!(kept(deliver(&world, &ben, &sent(&world, "b")).await), nothing, "the address has ended");
    let dora = idle(&world, "globex", &["dora"]).await.remove(0);
    let id = dora.tenant.organization.clone();
    let mut organization = write!(world, |tx| organizations::by_id(tx, &id)).unwrap();
    organization.organization.disabled = true;
    assert!(write!(world, |tx| organizations::update(tx, &organization)));
    assert_eq!(
        kept(deliver(&world, &dora, &sent(&world, "d")).await),
        nothing,
        "the organization is disabled"
    );
    assert_eq!(write!(world, |tx| deliveries::fresh(tx, 10)).0.len(), 1, "nothing came to the first one");
}

async fn a_repeated_delivery_begins_nothing(world: World) {
    let mut idle = idle(&world, "acme", &["anna"]).await.remove(0);
    let first = Sent { dedupe: Some("id:1".to_owned()), ..sent(&world, "first") };
    let begun = deliver(&world, &idle, &first).await.unwrap().begun.unwrap();
    end(&world, &idle.tenant).await;
    idle.standing = standing_of(&world, &idle.tenant).await;
    let again = Sent { dedupe: first.dedupe.clone(), ..sent(&world, "again") };
    let arrived = deliver(&world, &idle, &again).await.unwrap();
    assert_eq!((arrived.is_kept, arrived.begun), (false, None));
    assert_eq!(open(&world, &idle.tenant).await, None);
    assert_eq!(standing_of(&world, &idle.tenant).await.last.map(|last| last.id), Some(begun.1));
    let text_with_nul = Sent { dedupe: Some("a\0b".to_owned()), ..sent(&world, "nul") };
    assert!(matches!(deliver(&world, &idle, &text_with_nul).await, Err(DbError::Bug(_))));
}

/// The open run succeeds, and its job is gone.
async fn end(world: &World, tenant: &Tenant) {
    let open = open(world, tenant).await.unwrap();
    let ended = Run { phase: open.phase.succeed(NOW).unwrap(), ..open };
    assert!(write!(world, |tx| runs::save(tx, &ended)));
    let subject = tenant.id.to_string();
    write!(world, |tx| jobs::remove(tx, Kind::Run, &subject));
}

async fn of_many_at_once_one_begins(world: World) {
    let idle = idle(&world, "acme", &["anna"]).await.remove(0);
    let all: Vec<Sent> = (0..100).map(|at| sent(&world, &at.to_string())).collect();
    let arrived = join_all(all.iter().map(|sent| deliver(&world, &idle, sent))).await;
    let arrived: Vec<Arrived> = arrived.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(arrived.iter().all(|arrived| arrived.is_kept));
    assert_eq!(arrived.iter().filter(|arrived| arrived.begun.is_some()).count(), 1);
    assert_eq!(arrived.iter().filter(|arrived| arrived.is_born).count(), 1);
    assert_eq!(write!(world, |tx| deliveries::fresh(tx, 200)).0.len(), 99, "the others wait");
}

async fn many_tenants_begin_each_their_own(world: World) {
    let names: Vec<String> = (0..100).map(|at| format!("user-{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut all = idle(&world, "acme", &names).await;
    // Their jobs are asked for in another order than they come in.
    all.reverse();
    let sent: Vec<Sent> = names.iter().map(|name| sent(&world, name)).collect();
    let arrived = join_all(all.iter().zip(&sent).map(|(idle, sent)| deliver(&world, idle, sent))).await;
    let mut begun: HashSet<(TriggerId, RunId)> = HashSet::new();
    for ((idle, sent), arrived) in all.iter().zip(&sent).zip(arrived) {
        let (trigger, id) = arrived.unwrap().begun.unwrap();
        assert!(begun.insert((trigger, id)));
        assert_eq!(open(&world, &idle.tenant).await.map(|run| run.id), Some(id));
        let owner = idle.tenant.organization.clone();
        let own = write!(world, |tx| triggers::of_run(tx, &owner, id));
        let own: Vec<_> = own.iter().map(|it| (it.id, it.tenant, it.delivery.as_ref())).collect();
        assert_eq!(own, [(trigger, idle.tenant.id, Some(&sent.id))]);
    }
}

async fn every_change_of_a_tenant_moves_its_revision(world: World) {
    let all = store::statements_of(&world.db);
    let changes: Vec<_> = all.iter().filter(|(_, text)| text.starts_with("UPDATE tenants SET")).collect();
    assert!(changes.len() >= 7, "{changes:#?}");
    let silent: Vec<_> =
        changes.iter().filter(|(_, text)| !text.contains("revision = revision + 1")).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}
