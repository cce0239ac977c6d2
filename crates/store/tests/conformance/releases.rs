//! Releases, their parts, and what leads to them, on both databases.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World, sealed};
use connect::integration::{Channel, Integration};
use connect::manifest::{Manifest, NAME};
use connect::release::{Archive, Release, Standing, Unusable};
use kernel::Time;
use kernel::ids::{OrganizationId, ReleaseId};
use store::releases::{self, Files, Sort, retirement};
use store::retention::{
    FAILED_RELEASES_S, RELEASES_S, RETIRED_RELEASES_S, Swept, UNFINISHED_RELEASES_S, sweep,
};
use store::{Page, sql, tenants};

on_both!(
    releases_become_ready_or_fail,
    the_parts_of_source_and_result_lie_side_by_side,
    what_something_leads_to_is_not_deleted,
    channels_lead_to_what_is_ready,
    a_tenants_change_meets_what_was_read,
    what_nothing_leads_to_loses_its_files_and_then_its_row,
    what_was_not_built_goes,
);

macro_rules! write {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.write(move |$tx| Box::pin(async move { $body.await })).await
    };
}
macro_rules! read {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.read(move |$tx| Box::pin(async move { $body.await })).await
    };
}

async fn scene(world: &World) -> (OrganizationId, Integration) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "orders").await;
    (organization, integration)
}

async fn made(world: &World, integration: &Integration, tag: &str) -> Release {
    let id = write!(world, |tx| releases::next_id(tx));
    let manifest = Manifest::parse(NAME, "version: 1\nrunner: http\nurl: https://a.example/\n").unwrap();
    let new = Release {
        id,
        organization: integration.organization.clone(),
        integration: integration.id,
        name: format!("orders-{tag}"),
        tag: tag.to_owned(),
        branch: Some("main".to_owned()),
        revision: Some("0a1b".to_owned()),
        manifest,
        secret: Some(sealed("secret")),
        archive: Some(Archive { hash: "source".to_owned(), bytes: 3 }),
        standing: Standing::Building,
        created: NOW,
        modified: NOW,
    };
    let inserted = new.clone();
    assert!(write!(world, |tx| releases::insert(tx, &inserted)));
    new
}

async fn ready(world: &World, release: &Release) {
    let (owner, id) = (release.organization.clone(), release.id);
    assert!(write!(world, |tx| releases::set_ready(tx, &owner, id, None, NOW)));
}

async fn found(world: &World, release: &Release) -> Option<Release> {
    let (owner, id) = (release.organization.clone(), release.id);
    read!(world, |tx| releases::by_id(tx, &owner, id))
}

async fn releases_become_ready_or_fail(world: World) {
    let (owner, integration) = scene(&world).await;
    let release = made(&world, &integration, "1").await;
    assert_eq!(found(&world, &release).await, Some(release.clone()));
    let again = Release { id: write!(world, |tx| releases::next_id(tx)), ..release.clone() };
    assert!(!write!(world, |tx| releases::insert(tx, &again)), "the tag is taken");
    let (of, id) = (owner.clone(), release.id);
    let archive = Archive { hash: "built".to_owned(), bytes: 7 };
    let later = NOW.plus_seconds(5);
    let kept = archive.clone();
    assert!(write!(world, |tx| releases::set_ready(tx, &of, id, Some(&kept), later)));
    let now = found(&world, &release).await.unwrap();
    assert_eq!((now.standing, now.archive, now.modified), (Standing::Ready(later), Some(archive), later));
    // What is over is over.
    let of = owner.clone();
    assert!(!write!(world, |tx| releases::set_failed(tx, &of, id, "no", later)));
    let of = owner.clone();
    assert!(!write!(world, |tx| releases::set_ready(tx, &of, id, None, later)));
    let failing = made(&world, &integration, "2").await;
    let (of, id) = (owner.clone(), failing.id);
    write!(world, |tx| releases::put_part(tx, id, Files::Source, 0, b"abc"));
    assert!(write!(world, |tx| releases::set_failed(tx, &of, id, "no luck", later)));
    let failed = found(&world, &failing).await.unwrap();
    assert_eq!((failed.standing, failed.archive), (Standing::Failed("no luck".to_owned()), None));
    assert_eq!(read!(world, |tx| releases::part(tx, id, Files::Source, 0)), None);
    let (of, of_integration) = (owner.clone(), integration.id);
    let page = Page { sort: Sort::Tag, descending: true, limit: 10, skip: 0 };
    let listed = read!(world, |tx| releases::list(tx, &of, of_integration, page));
    assert_eq!((listed.rows.len(), listed.total), (1, 1), "only those that can be used");
    let of = owner.clone();
    let all = read!(world, |tx| releases::newest(tx, &of, of_integration, 10));
    assert_eq!(all.iter().map(|it| it.id).collect::<Vec<_>>(), [failing.id, release.id]);
    let (of, tag) = (owner, "1".to_owned());
    assert_eq!(read!(world, |tx| releases::by_tag(tx, &of, of_integration, &tag)).unwrap().id, release.id);
    // Another organization sees none of it.
    let other = world.organization("other").await;
    let (of, id) = (other.clone(), release.id);
    assert_eq!(read!(world, |tx| releases::by_id(tx, &of, id)), None);
    let of = other.clone();
    assert_eq!(read!(world, |tx| releases::latest(tx, &of, of_integration)), None);
    assert!(!write!(world, |tx| releases::delete(tx, &other, id)));
}

async fn the_parts_of_source_and_result_lie_side_by_side(world: World) {
    let (owner, integration) = scene(&world).await;
    let release = made(&world, &integration, "1").await;
    let id = release.id;
    for (files, part, body) in [
        (Files::Source, 0, b"s0"),
        (Files::Source, 1, b"s1"),
        (Files::Built, 0, b"b0"),
        (Files::Built, 1, b"b1"),
    ] {
        write!(world, |tx| releases::put_part(tx, id, files, part, body));
    }
    write!(world, |tx| releases::put_part(tx, id, Files::Built, 1, b"b2"));
    let part = |files, number| {
        let world = &world;
        async move { read!(world, |tx| releases::part(tx, id, files, number)) }
    };
    assert_eq!(part(Files::Source, 1).await.as_deref(), Some(b"s1".as_slice()));
    assert_eq!(part(Files::Built, 1).await.as_deref(), Some(b"b2".as_slice()), "written once more");
    assert_eq!(part(Files::Built, 2).await, None);
    assert!(write!(world, |tx| releases::set_ready(tx, &owner, id, None, NOW)));
    assert_eq!(part(Files::Source, 0).await, None, "what it was built from is gone");
    assert_eq!(part(Files::Built, 0).await.as_deref(), Some(b"b0".as_slice()));
    let of = release.organization.clone();
    assert!(write!(world, |tx| releases::delete(tx, &of, id)));
    assert_eq!(part(Files::Built, 0).await, None);
}

async fn what_something_leads_to_is_not_deleted(world: World) {
    let (owner, integration) = scene(&world).await;
    let (first, second) = (made(&world, &integration, "1").await, made(&world, &integration, "2").await);
    let of_integration = integration.id;
    let (of, id) = (owner.clone(), first.id);
    assert!(!write!(world, |tx| releases::set_default(tx, &of, of_integration, id, NOW)), "it is not ready");
    ready(&world, &first).await;
    ready(&world, &second).await;
    let of = owner.clone();
    assert!(write!(world, |tx| releases::set_first_default(tx, &of, of_integration, id, NOW)));
    let (of, other) = (owner.clone(), second.id);
    assert!(!write!(world, |tx| releases::set_first_default(tx, &of, of_integration, other, NOW)));
    let of = owner.clone();
    assert!(!write!(world, |tx| releases::delete(tx, &of, id)), "it is the default");
    let of = owner.clone();
    assert!(write!(world, |tx| releases::set_default(tx, &of, of_integration, other, NOW)));
    let user = world.user(&owner, "anna").await;
    let tenant = write!(world, |tx| tenants::next_id(tx));
    let mut new = world.new_tenant(tenant, &integration, user, "anna");
    new.release = Some(id);
    write!(world, |tx| tenants::insert(tx, &new));
    let of = owner.clone();
    assert!(!write!(world, |tx| releases::delete(tx, &of, id)), "it is a tenant's");
    let of = owner.clone();
    assert!(write!(world, |tx| tenants::archive(tx, &of, tenant, NOW)));
    assert!(write!(world, |tx| releases::delete(tx, &owner, id)));
    assert_eq!(found(&world, &first).await, None);
}

async fn channels_lead_to_what_is_ready(world: World) {
    let (owner, integration) = scene(&world).await;
    let (first, second) = (made(&world, &integration, "1").await, made(&world, &integration, "2").await);
    let of = owner.clone();
    let lead = |of: OrganizationId| {
        let world = &world;
        async move {
            let channels = read!(world, |tx| releases::channels(tx, &of));
            (channels.len(), channels[0].default, channels[0].latest)
        }
    };
    assert_eq!(lead(of.clone()).await, (1, None, None));
    ready(&world, &second).await;
    ready(&world, &first).await;
    let (of_integration, id): (_, ReleaseId) = (integration.id, first.id);
    assert!(write!(world, |tx| releases::set_default(tx, &owner, of_integration, id, NOW)));
    assert_eq!(lead(of.clone()).await, (1, Some(first.id), Some(second.id)));
    assert_eq!(read!(world, |tx| releases::latest(tx, &of, of_integration)).unwrap().id, second.id);
}

async fn a_tenants_change_meets_what_was_read(world: World) {
    let (owner, integration) = scene(&world).await;
    let user = world.user(&owner, "anna").await;
    let id = write!(world, |tx| tenants::next_id(tx));
    let tenant = world.new_tenant(id, &integration, user, "anna");
    let new = tenant.clone();
    write!(world, |tx| tenants::insert(tx, &new));
    let mut changed = tenant.clone();
    changed.name = "berta".to_owned();
    changed.paused = true;
    changed.time_zone = "America/New_York".to_owned();
    changed.channel = Channel::Latest;
    changed.configs = serde_json::json!({"a": 1});
    changed.modified = NOW.plus_seconds(1);
    let (first, seen) = (changed.clone(), tenant.modified);
    assert!(write!(world, |tx| tenants::change(tx, &first, seen)));
    let of = owner.clone();
    assert_eq!(read!(world, |tx| tenants::by_id(tx, &of, SANDBOX, id)), Some(changed.clone()));
    let late = changed.clone();
    assert!(!write!(world, |tx| tenants::change(tx, &late, seen)), "it was changed in between");
    let (own, other) = (changed.clone(), changed.clone());
    assert!(!read!(world, |tx| tenants::is_name_taken(tx, &own, "berta")), "its own name is free to it");
    assert!(!read!(world, |tx| tenants::is_name_taken(tx, &other, "carla")));
    let another = world.user(&owner, "carla").await;
    let number = write!(world, |tx| tenants::next_id(tx));
    let second = world.new_tenant(number, &integration, another, "carla");
    write!(world, |tx| tenants::insert(tx, &second));
    let asks = changed.clone();
    assert!(read!(world, |tx| tenants::is_name_taken(tx, &asks, "carla")));
    let of = owner.clone();
    assert!(write!(world, |tx| tenants::archive(tx, &of, id, NOW)));
    let gone = changed.clone();
    let seen: Time = NOW;
    assert!(!write!(world, |tx| tenants::change(tx, &gone, seen)), "an archived one is not changed");
}

/// How many releases and parts of their files went.
async fn swept(world: &World, after_s: i64) -> (u64, u64) {
    let Swept { work, .. } = sweep(&world.db, NOW.plus_seconds(after_s)).await.unwrap();
    (work.releases, work.release_parts)
}

async fn part(world: &World, release: &Release) -> Option<Vec<u8>> {
    let id = release.id;
    read!(world, |tx| releases::part(tx, id, Files::Built, 0))
}

async fn what_nothing_leads_to_loses_its_files_and_then_its_row(world: World) {
    let (owner, integration) = scene(&world).await;
    let mut all = Vec::new();
    for number in 0..6 + retirement::NEWEST {
        let release = made(&world, &integration, &number.to_string()).await;
        let id = release.id;
        write!(world, |tx| releases::put_part(tx, id, Files::Built, 0, b"packed"));
        ready(&world, &release).await;
        all.push(release);
    }
    let [default, pinned, running, left, forgotten, another] = &all[..6] else { unreachable!() };
    let (of, id, of_integration) = (owner.clone(), default.id, integration.id);
    assert!(write!(world, |tx| releases::set_default(tx, &of, of_integration, id, NOW)));
    let user = world.user(&owner, "anna").await;
    let tenant = write!(world, |tx| tenants::next_id(tx));
    let mut new = world.new_tenant(tenant, &integration, user, "anna");
    new.release = Some(pinned.id);
    write!(world, |tx| tenants::insert(tx, &new));
    // It may be taken back.
    let of = owner.clone();
    assert!(write!(world, |tx| tenants::archive(tx, &of, tenant, NOW)));
    let run = sql("INSERT INTO runs (id, organization_id, environment, tenant_id, integration_id, release_id, mode, phase,
        attempts, log_bytes, created_at) VALUES (1, $1, $2, $3, $4, $5, 'normal', 'Running', 1, 0, $6)");
    let run = run.bind(&owner).bind(SANDBOX).bind(tenant).bind(of_integration).bind(running.id).bind(NOW);
    assert!(world.write(move |tx| Box::pin(run.wrote(tx))).await);
    let day = 24 * 3600;
    let (of, id, later) = (owner.clone(), left.id, NOW.plus_seconds(20 * day));
    write!(world, |tx| retirement::let_go(tx, &of, id, later));

    assert_eq!(swept(&world, RELEASES_S).await, (0, 0), "nothing at the very moment");
    assert_eq!(swept(&world, RELEASES_S + 1).await, (0, 2));
    for release in [forgotten, another] {
        let now = found(&world, release).await.unwrap();
        assert_eq!(now.standing, Standing::Retired(NOW.plus_seconds(RELEASES_S + 1)));
        assert_eq!((now.archive.clone(), part(&world, release).await), (None, None));
        assert_eq!((now.tag.as_str(), now.revision.as_deref()), (release.tag.as_str(), Some("0a1b")));
        assert_eq!(now.usable().unwrap_err(), Unusable::Retired(now.name.clone()));
        let (of, id) = (owner.clone(), release.id);
        assert!(!write!(world, |tx| releases::set_default(tx, &of, of_integration, id, NOW)));
        let of = owner.clone();
        assert!(!write!(world, |tx| releases::set_ready(tx, &of, id, None, NOW)), "it stays as it is");
    }
    let page = Page { sort: Sort::Id, descending: false, limit: 100, skip: 0 };
    let of = owner.clone();
    let listed = read!(world, |tx| releases::list(tx, &of, of_integration, page));
    let ids = |some: &[&Release]| some.iter().map(|it| it.id).collect::<Vec<_>>();
    let stay: Vec<&Release> = [default, pinned, running, left].into_iter().chain(&all[6..]).collect();
    assert_eq!(listed.rows.iter().map(|it| it.id).collect::<Vec<_>>(), ids(&stay));
    for release in stay {
        assert_eq!(part(&world, release).await.as_deref(), Some(b"packed".as_slice()), "{}", release.tag);
    }
    // Its time begins when it is let go of.
    assert_eq!(swept(&world, RELEASES_S + 20 * day).await, (0, 0));
    assert_eq!(swept(&world, RELEASES_S + 20 * day + 1).await, (0, 1));
    assert!(matches!(found(&world, left).await.unwrap().standing, Standing::Retired(_)));
    let gone = RELEASES_S + 1 + RETIRED_RELEASES_S;
    assert_eq!(swept(&world, gone).await, (0, 0));
    assert_eq!(swept(&world, gone + 1).await, (2, 0));
    assert_eq!((found(&world, forgotten).await, found(&world, another).await), (None, None));
    let newest = all.last().unwrap();
    for release in [default, pinned, running, newest] {
        assert!(found(&world, release).await.unwrap().is_ready(), "{}", release.tag);
    }
}

async fn what_was_not_built_goes(world: World) {
    let (owner, integration) = scene(&world).await;
    let (failed, lost, waits) = (
        made(&world, &integration, "1").await,
        made(&world, &integration, "2").await,
        made(&world, &integration, "3").await,
    );
    for release in [&lost, &waits] {
        let id = release.id;
        write!(world, |tx| releases::put_part(tx, id, Files::Source, 0, b"packed"));
    }
    let (of, id) = (owner.clone(), failed.id);
    assert!(write!(world, |tx| releases::set_failed(tx, &of, id, "no luck", NOW)));
    let job =
        sql("INSERT INTO jobs (id, kind, organization_id, subject, state, attempts, due_at, created_at)
        VALUES ('job_1', 'build', $1, $2, 'waiting', 1, $3, $3)");
    let job = job.bind(&owner).bind(waits.id.to_string()).bind(Time::from_seconds(9_000_000_000));
    assert!(world.write(move |tx| Box::pin(job.wrote(tx))).await);

    assert_eq!(swept(&world, UNFINISHED_RELEASES_S).await, (0, 0), "nothing at the very moment");
    assert_eq!(swept(&world, UNFINISHED_RELEASES_S + 1).await, (0, 1));
    let Standing::Failed(why) = found(&world, &lost).await.unwrap().standing else { panic!("it stands") };
    assert_eq!(why, "its build was never finished");
    assert_eq!(swept(&world, FAILED_RELEASES_S).await, (0, 0));
    assert_eq!(swept(&world, FAILED_RELEASES_S + 1).await, (1, 0));
    assert_eq!(found(&world, &failed).await, None);
    assert_eq!(swept(&world, FAILED_RELEASES_S + UNFINISHED_RELEASES_S + 2).await, (1, 0));
    assert_eq!(found(&world, &lost).await, None);
    assert_eq!(found(&world, &waits).await.unwrap().standing, Standing::Building, "a worker will build it");
}
