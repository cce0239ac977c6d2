//! The lease to renew a connection's credential: one at a time, bound to the version that was read, and paused after a
//! failure.

use crate::world::{NOW, World, sealed, slug};
use connect::connection::Connection;
use kernel::Environment;
use kernel::ids::ConnectionId;
use store::DbError;
use store::connections::{self, Connected, Home, NewConnection, Refreshing};

crate::on_both!(
    one_of_many_holds_the_lease,
    a_lease_ends_and_a_failure_pauses,
    the_version_decides,
    a_home_is_told
);

macro_rules! write {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.write(move |$tx| Box::pin(async move { $body.await })).await
    };
}

async fn connected(world: &World) -> Connection {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let tenant = world.tenant(&integration, "anna").await;
    let id = ConnectionId::new(NOW, &world.chance);
    let new = NewConnection { id, organization, tenant: tenant.id, connector: slug("hubspot"), own: false };
    connect(world, &new).await
}

async fn connect(world: &World, new: &NewConnection) -> Connection {
    let new = new.clone();
    let connect = world.write(move |tx| {
        Box::pin(async move {
            connections::upsert_connected(tx, &new, NOW, |id| {
                Ok::<_, DbError>(Connected { credential: sealed(id.as_str()), account: None, expires: None })
            })
            .await
        })
    });
    connect.await
}

async fn refreshing(world: &World, of: &Connection) -> Refreshing {
    let (organization, id) = (of.organization.clone(), of.id.clone());
    let read =
        world.read(move |tx| Box::pin(async move { connections::refreshing(tx, &organization, &id).await }));
    read.await.unwrap()
}

async fn now(world: &World, of: &Connection) -> Connection {
    let (organization, id) = (of.organization.clone(), of.id.clone());
    let read =
        world.read(move |tx| Box::pin(async move { connections::by_id(tx, &organization, &id).await }));
    read.await.unwrap()
}

const IDLE: Refreshing = Refreshing { holder: None, until: None, failures: 0 };

async fn one_of_many_holds_the_lease(world: World) {
    let read = connected(&world).await;
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let (db, read) = (world.db.clone(), read.clone());
            tokio::spawn(async move {
                let holder = format!("node {number}");
                db.write(move |tx| {
                    Box::pin(async move {
                        connections::hold_refresh(tx, &read, &holder, NOW, NOW.plus_seconds(60)).await
                    })
                })
                .await
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap().unwrap_or_else(|error: DbError| panic!("{error}")));
    }
    assert_eq!(won, 1);
    let held = refreshing(&world, &read).await;
    assert!(held.holder.is_some());
    assert_eq!((held.until, held.failures), (Some(NOW.plus_seconds(60)), 0));
}

async fn a_lease_ends_and_a_failure_pauses(world: World) {
    let read = connected(&world).await;
    let hold = async |holder: &'static str, at: i64| {
        let (read, at) = (read.clone(), NOW.plus_seconds(at));
        write!(world, |tx| connections::hold_refresh(tx, &read, holder, at, at.plus_seconds(60)))
    };
    assert!(hold("a", 0).await);
    assert!(!hold("b", 59).await);
    assert!(hold("b", 60).await, "the lease is over");
    // Who lost the lease says nothing any more.
    let failed = async |holder: &'static str, until: i64| {
        let (read, until) = (read.clone(), NOW.plus_seconds(until));
        write!(world, |tx| connections::refresh_failed(tx, &read, holder, until))
    };
    assert!(!failed("a", 70).await);
    assert!(failed("b", 70).await);
    let paused = Refreshing { holder: None, until: Some(NOW.plus_seconds(70)), failures: 1 };
    assert_eq!(refreshing(&world, &read).await, paused);
    assert!(!hold("c", 69).await, "the pause is not over");
    assert!(hold("c", 70).await);
    assert!(failed("c", 90).await);
    assert_eq!(refreshing(&world, &read).await.failures, 2);
    // A renewal ends all of it.
    assert!(hold("d", 90).await);
    let renewed = read.clone();
    assert!(write!(world, |tx| connections::renew(tx, &renewed, &sealed("new"), Some(NOW))));
    assert_eq!(refreshing(&world, &read).await, IDLE);
    let after = now(&world, &read).await;
    assert_eq!(
        (after.version, after.expires, after.last_change),
        (read.version + 1, Some(NOW), read.last_change)
    );
}

async fn the_version_decides(world: World) {
    let read = connected(&world).await;
    let newer = read.clone();
    assert!(write!(world, |tx| connections::renew(tx, &newer, &sealed("new"), None)));
    let stale = read.clone();
    let hold = |of: Connection| async {
        write!(world, |tx| connections::hold_refresh(tx, &of, "a", NOW, NOW.plus_seconds(60)))
    };
    assert!(!hold(stale).await, "who read an older one does not renew");
    let current = now(&world, &read).await;
    assert!(hold(current.clone()).await);
    let (of, late) = (current.clone(), read.clone());
    assert!(!write!(world, |tx| connections::refresh_failed(tx, &late, "a", NOW)));
    // Connecting again, and disconnecting, end the lease.
    let new = NewConnection {
        id: ConnectionId::new(NOW, &world.chance),
        organization: of.organization.clone(),
        tenant: of.tenant,
        connector: of.connector.clone(),
        own: false,
    };
    let again = connect(&world, &new).await;
    assert_eq!((again.id.clone(), again.version), (of.id.clone(), of.version + 1));
    assert_eq!(refreshing(&world, &again).await, IDLE);
    assert!(
        !write!(world, |tx| connections::renew(tx, &of, &sealed("late"), None)),
        "the late answer is nothing"
    );
    assert!(hold(again.clone()).await);
    let gone = again.clone();
    assert!(write!(world, |tx| connections::set_disconnected(tx, &gone, NOW)));
    assert_eq!(refreshing(&world, &again).await, IDLE);
    let gone = now(&world, &again).await;
    assert!(!hold(gone).await, "what is disconnected is not renewed");
}

async fn a_home_is_told(world: World) {
    let read = connected(&world).await;
    let other = world.organization("other").await;
    let home = async |organization: kernel::ids::OrganizationId| {
        let id = read.id.clone();
        world.read(move |tx| Box::pin(async move { connections::home(tx, &organization, &id).await })).await
    };
    let here = home(read.organization.clone()).await.unwrap();
    assert_eq!(here, Home { environment: here.environment, is_archived: false });
    assert!(Environment::ALL.contains(&here.environment));
    assert_eq!(home(other.clone()).await, None);
    let (organization, tenant) = (read.organization.clone(), read.tenant);
    assert!(write!(world, |tx| store::tenants::archive(tx, &organization, tenant, NOW)));
    assert!(home(read.organization.clone()).await.unwrap().is_archived);
    let id = read.id.clone();
    let found =
        world.read(move |tx| Box::pin(async move { connections::by_id(tx, &other, &id).await })).await;
    assert_eq!(found, None);
}
