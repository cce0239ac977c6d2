//! What is judged and written in one statement, and statements that share a commit.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World, dialog_id, hashed, slug};
use connect::connection::Status;
use connect::dialog::{Dialog, Stage};
use futures_util::future::join_all;
use kernel::Environment;
use kernel::ids::{ConnectionId, DeliveryId, OrganizationId, TenantId};
use std::time::Duration;
use store::connections::{Connected, NewConnection};
use store::deliveries::OwnDelivery;
use store::{DbError, connections, deliveries, dialogs, organizations, sql, tenants, webhooks};

on_both!(
    a_dialog_opens_only_under_the_configuration_that_judged_it,
    a_dialog_knows_who_is_connected,
    an_own_address_takes_deliveries_at_a_stroke,
    a_write_that_fails_takes_no_other_with_it,
    an_answer_in_many_parts_holds_nobody_up,
    a_single_read_sees_what_was_written,
);

async fn open(world: &World, dialog: &Dialog, version: i64) -> bool {
    dialogs::open(&world.db, dialog, version, |tenant| Stage::Connected { tenant }).await.unwrap().is_some()
}

async fn read(world: &World, bearer: &str) -> Option<Dialog> {
    let id = dialog_id(bearer);
    world.read(move |tx| Box::pin(async move { dialogs::by_id(tx, &id).await })).await
}

async fn change(world: &World, id: &OrganizationId, disabled: bool) -> i64 {
    let id = id.clone();
    let record = world.write(move |tx| {
        Box::pin(async move {
            let mut record = organizations::by_id(tx, &id).await?.unwrap();
            record.organization.disabled = disabled;
            organizations::update(tx, &record).await?;
            Ok(organizations::by_id(tx, &id).await?.unwrap())
        })
    });
    record.await.organization.config_version
}

async fn a_dialog_opens_only_under_the_configuration_that_judged_it(world: World) {
    let organization = world.organization("acme").await;
    let dialog = world.new_dialog(&organization, "bearer", "jti");
    for version in [-1, 1] {
        assert!(!open(&world, &dialog, version).await);
    }
    let version = change(&world, &organization, true).await;
    assert!(!open(&world, &dialog, version).await, "it is disabled");
    let version = change(&world, &organization, false).await;
    assert!(!open(&world, &dialog, version - 1).await, "it moved when it was enabled again");
    assert_eq!(read(&world, "bearer").await, None);
    assert!(open(&world, &dialog, version).await, "what was refused has used nothing up");
    assert_eq!(read(&world, "bearer").await, Some(dialog));
    let stranger = world.new_dialog(&OrganizationId::new(NOW, &world.chance), "other", "jti");
    assert!(!open(&world, &stranger, version).await);
}

async fn connect(world: &World, organization: &OrganizationId, tenant: TenantId, connector: &str) {
    let new = NewConnection {
        id: ConnectionId::new(NOW, &world.chance),
        organization: organization.clone(),
        tenant,
        connector: slug(connector),
        own: false,
    };
    let written = world.write(move |tx| {
        Box::pin(async move {
            connections::upsert_connected(tx, &new, NOW, |id| {
                let credential = kernel::Sealed::from_stored(format!("v1.k.{id}"));
                Ok::<_, DbError>(Connected { credential, account: None, expires: None })
            })
            .await
        })
    });
    assert_eq!(written.await.status, Status::Connected);
}

async fn a_dialog_knows_who_is_connected(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let (anna, bert) = (world.tenant(&integration, "anna").await, world.tenant(&integration, "bert").await);
    connect(&world, &organization, bert.id, "hubspot").await;
    connect(&world, &organization, anna.id, "notion").await;
    let (_, version) = organizations::config_version_by_id(&world.db, &organization).await.unwrap().unwrap();
    let dialog = |name: &str| {
        let mut dialog = world.new_dialog(&organization, name, name);
        dialog.integration = integration.id;
        dialog
    };
    assert!(open(&world, &dialog("first"), version).await);
    assert_eq!(
        read(&world, "first").await.unwrap().stage,
        Stage::Ready,
        "neither another's nor another connector"
    );
    connect(&world, &organization, anna.id, "hubspot").await;
    assert!(open(&world, &dialog("second"), version).await);
    assert_eq!(read(&world, "second").await.unwrap().stage, Stage::Connected { tenant: anna.id });
    let asked = dialogs::open(&world.db, &dialog("third"), version, |_| Stage::ConfirmIdentity).await;
    assert_eq!(asked.unwrap(), Some(Stage::ConfirmIdentity));
    assert_eq!(read(&world, "third").await.unwrap().stage, Stage::ConfirmIdentity);
    let (of, id) = (organization.clone(), anna.id);
    world.write(move |tx| Box::pin(async move { tenants::archive(tx, &of, id, NOW).await })).await;
    assert!(open(&world, &dialog("fourth"), version).await);
    assert_eq!(read(&world, "fourth").await.unwrap().stage, Stage::Ready, "an archived tenant is none");
}

async fn an_own_address_takes_deliveries_at_a_stroke(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let tenant = world.tenant(&integration, "anna").await;
    let mut over = world.new_webhook(&tenant, None, "over");
    over.ends = Some(NOW);
    let addresses = [
        world.new_webhook(&tenant, None, "own"),
        world.new_webhook(&tenant, Some("hubspot"), "theirs"),
        over,
    ];
    let own = addresses[0].id.clone();
    for new in addresses {
        world.write(move |tx| Box::pin(async move { webhooks::insert(tx, &new).await })).await;
    }
    let header = ("x-one".to_owned(), "1".to_owned());
    let receive = async |secret: &str, environment, dedupe: Option<&str>, body: &[u8]| {
        let id = DeliveryId::new(NOW, &world.chance);
        let (secret, dedupe) = (&hashed(secret), dedupe.map(str::to_owned));
        let headers = &[&header];
        let new = OwnDelivery { id: &id, secret, environment, dedupe, headers, body, received: NOW };
        deliveries::receive_own(&world.db, &new).await.unwrap().then_some(id)
    };
    for body in [b"{}".as_slice(), b"\xff\0"] {
        let id = receive("own", SANDBOX, None, body).await.unwrap();
        let of = organization.clone();
        let kept = world.read(move |tx| Box::pin(async move { deliveries::by_id(tx, &of, &id).await })).await;
        let kept = kept.unwrap();
        assert_eq!((kept.tenant, &kept.webhook, kept.received), (tenant.id, &own, NOW));
        assert_eq!((kept.body.as_slice(), kept.headers, kept.dedupe), (body, vec![header.clone()], None));
    }
    assert!(receive("own", SANDBOX, Some("a"), b"").await.is_some());
    assert!(receive("own", SANDBOX, Some("a"), b"").await.is_none(), "the same delivery again");
    assert!(receive("own", Environment::Production, None, b"").await.is_none());
    assert!(receive("theirs", SANDBOX, None, b"").await.is_none(), "a connector's rules are not known here");
    assert!(receive("over", SANDBOX, None, b"").await.is_none());
    assert!(receive("nobody's", SANDBOX, None, b"").await.is_none());
    change(&world, &organization, true).await;
    assert!(receive("own", SANDBOX, None, b"").await.is_none(), "the organization is disabled");
    change(&world, &organization, false).await;
    assert!(receive("own", SANDBOX, None, b"").await.is_some());
    world
        .write(move |tx| Box::pin(async move { tenants::archive(tx, &organization, tenant.id, NOW).await }))
        .await;
    assert!(receive("own", SANDBOX, None, b"").await.is_none(), "the tenant is archived");
}

async fn a_write_that_fails_takes_no_other_with_it(world: World) {
    world.db.execute(sql("CREATE TABLE kept (id BIGINT NOT NULL PRIMARY KEY)")).await.unwrap();
    for round in 0..10_i64 {
        let writes = (0..100_i64).map(|number| {
            let id = round * 100 + number;
            // Every tenth has the key of the one before.
            let id = if number % 10 == 9 { id - 1 } else { id };
            world.db.execute(sql("INSERT INTO kept (id) VALUES ($1)").bind(id))
        });
        let results = join_all(writes).await;
        let kept = results.iter().filter(|result| **result == Ok(1)).count();
        assert_eq!(kept, 90, "{results:?}");
        assert!(results.iter().filter_map(|result| result.as_ref().err()).all(|e| e.is_unique("kept_pkey")));
    }
    let mut count = world.db.maybe(sql("SELECT COUNT(*) FROM kept")).await.unwrap().unwrap();
    assert_eq!(count.take::<i64>(), Ok(900), "what was told is what was kept");
}

async fn an_answer_in_many_parts_holds_nobody_up(world: World) {
    world.db.execute(sql("CREATE TABLE kept (id BIGINT NOT NULL PRIMARY KEY, text TEXT)")).await.unwrap();
    let text = "x".repeat(100_000);
    let write = |number: i64| {
        let insert = sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
            INSERT INTO kept (id, text) SELECT CAST($1 AS BIGINT) + i, $2 FROM n RETURNING text");
        world.db.write_one(insert.bind(number * 100).bind(&text))
    };
    // Together they share a commit, which is asked for before the first answer is read.
    // Whoever waited for the commit first would let none of the answers before it come.
    let written = tokio::time::timeout(Duration::from_secs(60), join_all((0..20).map(write))).await.unwrap();
    for row in written {
        assert_eq!(row.unwrap().unwrap().take::<String>().unwrap().len(), text.len());
    }
}

async fn a_single_read_sees_what_was_written(world: World) {
    world.db.execute(sql("CREATE TABLE kept (id BIGINT NOT NULL PRIMARY KEY)")).await.unwrap();
    let find = |id: i64| world.db.maybe(sql("SELECT id FROM kept WHERE id = $1").bind(id));
    for id in 0..100_i64 {
        assert!(find(id).await.unwrap().is_none());
        world.db.execute(sql("INSERT INTO kept (id) VALUES ($1)").bind(id)).await.unwrap();
        assert_eq!(find(id).await.unwrap().unwrap().take::<i64>(), Ok(id));
    }
    let wrong = world.db.maybe(sql("SELECT id FROM kept WHERE id = $1")).await;
    assert!(matches!(wrong, Err(DbError::Bug(_))), "{wrong:?}");
    assert!(find(1).await.unwrap().is_some(), "an error spoils nothing for those after it");
}
