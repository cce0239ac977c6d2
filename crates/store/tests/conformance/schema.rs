//! The schema files are what the migrations make, and both databases accept every statement.

use crate::on_both;
use crate::world::{NOW, World};
use store::sql;

on_both!(every_statement_is_accepted, migrations_are_applied_once, the_schema_file_is_current);

async fn every_statement_is_accepted(world: World) {
    let count = store::check_statements(&world.db).await.unwrap();
    assert!(count > 100, "only {count} statements are registered");
}

async fn migrations_are_applied_once(world: World) {
    assert!(store::pending(&world.db).await.unwrap().is_empty());
    assert!(store::migrate(&world.db, NOW).await.unwrap().is_empty());
}

/// `VESTIBULE_WRITE_SCHEMA=1` writes the files anew.
#[expect(clippy::disallowed_methods, reason = "the switch of a generator is no setting of the product")]
async fn the_schema_file_is_current(world: World) {
    let seen = store::schema::dump(&world.db).await.unwrap();
    let name = format!("schema.{}.sql", world.db.engine());
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
    if std::env::var("VESTIBULE_WRITE_SCHEMA").is_ok() {
        std::fs::write(&path, &seen).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(file == seen, "{name} is not what the migrations make; write it with VESTIBULE_WRITE_SCHEMA=1");
    for table in ["organizations", "tenants", "dialogs", "migrations"] {
        assert!(seen.contains(&format!("CREATE TABLE {table} (")), "{table} is missing");
    }
    assert!(seen.contains("dialogs_jti"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_migrate_once() {
    let database = testkit::postgres::Postgres::shared().await.empty_database().await;
    let mut nodes = Vec::new();
    for _ in 0..6 {
        let db = store::Db::open(&store::Config::new(database.url())).await.unwrap();
        nodes.push(tokio::spawn(async move { store::migrate(&db, NOW).await.unwrap().len() }));
    }
    let mut applied = 0;
    for node in nodes {
        applied += node.await.unwrap();
    }
    assert_eq!(applied, store::migrate::MIGRATIONS.len());
}

/// What keeps look-ups flat as tables grow: nothing reads a whole table, save what is named here.
#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    // The last two read an index of the few rows that matter, and what has just been found.
    const WHOLE: [&str; 5] = [
        "organizations::LIST",
        "migrate::APPLIED",
        "triggers::UNCLAIMED",
        "service_accounts::LENIENT",
        "logout_notices::DUE",
    ];
    // Step from organization to organization, read the first of an index of those in one state, or count so many of it.
    const FIRST_OF_AN_INDEX: [&str; 9] = [
        "deliveries::IS_FRESH",
        "schedules::NEXT",
        "jobs/claim::IN_TURN",
        "jobs/claim::LOOK",
        "jobs/letters::COUNT_READY",
        "jobs/letters::COUNT_WAITING",
        "jobs/letters::COUNT_HELD",
        "jobs/letters::COUNT_ALL_DEAD",
        "jobs/letters::OLDEST_READY",
    ];
    // Put together from parts that each stop at the limit; and what the operator's check reads now and then.
    const PARTS_OF_A_LIST: [&str; 2] = ["notices/log (composed)", "notice_endpoints::FAILING"];
    // What an operator set up is deleted rarely. An index for each column that leads to it would cost every entry.
    // Of runs it is only the open ones, which are also those that the clean-up of releases reads, once.
    const DELETED_BY_HAND: [&str; 7] = [
        "accounts::DELETE",
        "apps::DELETE",
        "clients::DELETE",
        "partners::DELETE",
        "people::DELETE",
        "releases::DELETE",
        "releases/retirement::RETIRE",
    ];
    let world = World::on_sqlite().await;
    let mut scans = Vec::new();
    for (place, text) in store::all_statements() {
        let values = (1..=200).rev().find(|number| text.contains(&format!("${number}"))).unwrap_or(0);
        let explain = sql(format!("EXPLAIN QUERY PLAN {text}"));
        let query = (0..values).fold(explain, |query, _| query.bind(None::<i64>));
        let plan = world.read(|tx| Box::pin(async move { query.all(tx).await })).await;
        for mut row in plan {
            let _numbers: (i64, i64, i64) = (row.take().unwrap(), row.take().unwrap(), row.take().unwrap());
            let step: String = row.take().unwrap();
            let known = [&WHOLE[..], &FIRST_OF_AN_INDEX, &PARTS_OF_A_LIST, &DELETED_BY_HAND];
            let known = known.iter().any(|places| places.contains(&place.as_str()));
            // The rows that callers give.
            let given = ["SCAN CONSTANT ROW", "SCAN new", "SCAN fresh", "SCAN wished", "SCAN moved"];
            let is_given = given.contains(&step.as_str()) || step.ends_with(" CONSTANT ROWS");
            if step.starts_with("SCAN") && !known && !is_given {
                scans.push(format!("{place}: {step}"));
            }
        }
    }
    assert!(scans.is_empty(), "{scans:#?}");
}
