//! A hundred at once: exactly one wins where one may.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World, sealed, slug};
use connect::dialog::Stage;
use kernel::ids::ConnectionId;
use std::future::Future;
use store::connections::{Connected, NewConnection};
use store::data_keys::DataKeyRecord;
use store::tenants::Inserted;
use store::{DbError, attempts, connections, data_keys, dialogs, tenants, users, webhooks};

on_both!(
    one_landing_per_token,
    one_start_per_ticket,
    one_callback_per_state,
    one_tenant_per_user,
    one_announcement,
    one_user_per_name,
    one_data_key,
    one_connection_per_connector,
    one_writer_per_version,
    one_current_webhook,
);

const MANY: u64 = 100;

async fn at_once<T, F>(make: impl Fn(u64) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, DbError>> + Send + 'static,
{
    let tasks: Vec<_> = (0..MANY).map(|number| tokio::spawn(make(number))).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap().unwrap());
    }
    results
}

fn wins(results: &[bool]) -> usize {
    results.iter().filter(|won| **won).count()
}

async fn one_landing_per_token(world: World) {
    let organization = world.organization("acme").await;
    let results = at_once(|number| {
        let dialog = world.new_dialog(&organization, &format!("bearer-{number}"), "the same token");
        let db = world.db.clone();
        async move {
            let opened = dialogs::open(&db, &dialog, 0, |tenant| Stage::Connected { tenant }).await;
            opened.map(|stage| stage.is_some())
        }
    });
    assert_eq!(wins(&results.await), 1);
    let other = world.organization("other").await;
    let elsewhere = world.new_dialog(&other, "elsewhere", "the same token");
    assert!(world.open(&elsewhere).await, "a jti belongs to its organization");
}

async fn one_start_per_ticket(world: World) {
    let organization = world.organization("acme").await;
    let dialog = world.new_dialog(&organization, "bearer", "jti");
    world.open(&dialog).await;
    let results = at_once(|number| {
        let attempt = world.new_attempt(&dialog, "the same ticket", &format!("state-{number}"));
        let db = world.db.clone();
        async move { db.write(move |tx| Box::pin(async move { attempts::insert(tx, &attempt).await })).await }
    });
    assert_eq!(wins(&results.await), 1);
}

async fn one_callback_per_state(world: World) {
    let organization = world.organization("acme").await;
    let dialog = world.new_dialog(&organization, "bearer", "jti");
    world.open(&dialog).await;
    let attempt = world.new_attempt(&dialog, "ticket", "state");
    let new = attempt.clone();
    world.write(move |tx| Box::pin(async move { attempts::insert(tx, &new).await })).await;
    let results = at_once(|_| {
        let (db, attempt) = (world.db.clone(), attempt.clone());
        async move {
            db.write(move |tx| {
                Box::pin(async move { attempts::claim(tx, &attempt.organization, &attempt.id, NOW).await })
            })
            .await
        }
    });
    assert_eq!(wins(&results.await), 1);
}

async fn one_announcement(world: World) {
    let organization = world.organization("acme").await;
    let dialog = world.new_dialog(&organization, "bearer", "jti");
    world.open(&dialog).await;
    // Each from a page of its own.
    let results = at_once(|number| {
        let (db, id) = (world.db.clone(), dialog.id.clone());
        let page = kernel::Plain::presented(format!("page-{number}")).hashed();
        async move {
            db.write(move |tx| Box::pin(async move { dialogs::mark_announced(tx, &id, &page).await })).await
        }
    });
    assert_eq!(wins(&results.await), 1);
}

async fn one_tenant_per_user(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let user = world.user(&organization, "anna").await;
    let results = at_once(|_| {
        let (db, integration) = (world.db.clone(), integration.clone());
        let template = world.new_tenant(kernel::ids::TenantId::new(1).unwrap(), &integration, user, "anna");
        async move {
            db.write(move |tx| {
                Box::pin(async move {
                    let (organization, id) = (&integration.organization, integration.id);
                    if let Some(found) = tenants::find(tx, organization, SANDBOX, id, user).await? {
                        return Ok((found.id, false));
                    }
                    let new = connect::tenant::Tenant { id: tenants::next_id(tx).await?, ..template };
                    match tenants::insert(tx, &new).await? {
                        Inserted::New => Ok((new.id, true)),
                        Inserted::Existing(found) => Ok((found.id, false)),
                        Inserted::NameTaken => panic!("nobody else has the name"),
                    }
                })
            })
            .await
        }
    })
    .await;
    assert_eq!(results.iter().filter(|(_, new)| *new).count(), 1);
    let mut ids: Vec<_> = results.iter().map(|(id, _)| *id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "everybody got the same tenant");
}

async fn one_user_per_name(world: World) {
    let organization = world.organization("acme").await;
    let mut ids = at_once(|_| {
        let (db, user) = (world.db.clone(), world.new_user(&organization, "anna"));
        async move { db.write(move |tx| Box::pin(async move { users::upsert(tx, &user).await })).await }
    })
    .await;
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

async fn one_data_key(world: World) {
    let organization = world.organization("acme").await;
    let mut ids = at_once(|number| {
        let (db, organization) = (world.db.clone(), organization.clone());
        let (id, wrapped) = (format!("key{number}"), sealed("wrapped"));
        let new = DataKeyRecord { id, organization, wrapped, created: NOW, retired: None };
        async move {
            db.write(move |tx| Box::pin(async move { data_keys::insert_if_absent(tx, &new).await })).await
        }
    })
    .await;
    ids.dedup_by_key(|key| key.id.clone());
    assert_eq!(ids.len(), 1);
}

async fn one_connection_per_connector(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let tenant = world.tenant(&integration, "anna").await;
    let mut seen = at_once(|number| {
        let id = ConnectionId::new(NOW, &world.chance);
        let new = NewConnection {
            id,
            organization: organization.clone(),
            tenant: tenant.id,
            connector: slug("hubspot"),
            own: false,
        };
        let db = world.db.clone();
        async move {
            db.write(move |tx| {
                Box::pin(async move {
                    connections::upsert_connected(tx, &new, NOW, |id| {
                        let credential = sealed(&format!("{number} for {id}"));
                        Ok::<_, DbError>(Connected { credential, account: None, expires: None })
                    })
                    .await
                })
            })
            .await
        }
    })
    .await;
    for connection in &seen {
        let credential = connection.credential.clone().unwrap();
        assert!(credential.as_str().ends_with(connection.id.as_str()), "sealed for the row that is there");
    }
    seen.sort_by_key(|connection| connection.version);
    let versions: Vec<_> = seen.iter().map(|connection| connection.version).collect();
    assert_eq!(versions, (1..=100).collect::<Vec<_>>());
    let kept = world
        .read(move |tx| Box::pin(async move { connections::of_tenant(tx, &organization, tenant.id).await }));
    assert_eq!(kept.await.len(), 1);
}

async fn one_writer_per_version(world: World) {
    let organization = world.organization("acme").await;
    let dialog = world.new_dialog(&organization, "bearer", "jti");
    world.open(&dialog).await;
    let results = at_once(|_| {
        let (db, id) = (world.db.clone(), dialog.id.clone());
        let stage = connect::dialog::Stage::Cancelled;
        async move {
            db.write(move |tx| Box::pin(async move { dialogs::save_stage(tx, &id, 1, &stage).await })).await
        }
    });
    assert_eq!(wins(&results.await), 1);
}

async fn one_current_webhook(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let tenant = world.tenant(&integration, "anna").await;
    let results = at_once(|number| {
        let new = world.new_webhook(&tenant, None, &format!("secret-{number}"));
        let db = world.db.clone();
        async move { db.write(move |tx| Box::pin(async move { webhooks::insert(tx, &new).await })).await }
    });
    assert_eq!(wins(&results.await), 1);
}
