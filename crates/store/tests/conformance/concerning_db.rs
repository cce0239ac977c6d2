//! Units of work: what is kept, what is not, and which errors callers see.

use crate::on_both;
use crate::world::{NOW, World, slug};
use proptest::prelude::*;
use std::task::{Context, Waker};
use store::db::{FromCell, IntoValue, json};
use store::{DbError, Tx, sql};

on_both!(
    an_error_undoes_the_unit_of_work,
    a_swallowed_error_keeps_nothing,
    a_panic_is_an_error_of_one_unit,
    a_unique_index_is_told_by_name,
    a_missing_reference_is_told,
    values_come_back_as_they_went,
    a_nul_is_refused_before_the_database,
    numbers_are_given_once,
    a_dropped_unit_keeps_nothing,
    as_many_values_as_placeholders,
    placeholders_may_repeat_and_come_in_any_order,
    nothing_works_after_closing,
    an_error_says_no_value,
);

async fn add(tx: &mut Tx, name: &str) -> Result<u64, DbError> {
    let insert = "INSERT INTO audit (id, at, actor, action, subject, detail) VALUES ($1, 1, '', '', '', '')";
    sql(insert).bind(name).execute(tx).await
}

async fn count(world: &World) -> i64 {
    world.read(|tx| Box::pin(async move { sql("SELECT COUNT(*) FROM audit").one(tx).await?.take() })).await
}

async fn an_error_undoes_the_unit_of_work(world: World) {
    let refused: Result<(), DbError> = world
        .db
        .write(|tx| {
            Box::pin(async move {
                add(tx, "a").await?;
                Err(DbError::Setup("a rule said no".to_owned()))
            })
        })
        .await;
    assert_eq!(refused, Err(DbError::Setup("a rule said no".to_owned())));
    assert_eq!(count(&world).await, 0);
}

async fn a_swallowed_error_keeps_nothing(world: World) {
    let result: Result<(), DbError> = world
        .db
        .write(|tx| {
            Box::pin(async move {
                add(tx, "a").await?;
                assert!(add(tx, "a").await.is_err());
                assert!(matches!(add(tx, "b").await, Err(DbError::Bug(_))));
                Ok(())
            })
        })
        .await;
    assert!(matches!(result, Err(DbError::Bug(_))), "{result:?}");
    assert_eq!(count(&world).await, 0);
    world.write(|tx| Box::pin(async move { add(tx, "a").await })).await;
    assert_eq!(count(&world).await, 1);
}

async fn a_panic_is_an_error_of_one_unit(world: World) {
    if world.db.engine() == "sqlite" {
        let boom: Result<(), DbError> =
            world.db.write(|tx| Box::pin(async move { add(tx, "a").await.map(|_| panic!("boom")) })).await;
        assert!(matches!(boom, Err(DbError::Bug(_))));
    } else {
        let db = world.db.clone();
        let boom = tokio::spawn(async move {
            let _: Result<(), DbError> =
                db.write(|tx| Box::pin(async move { add(tx, "a").await.map(|_| panic!("boom")) })).await;
        });
        assert!(boom.await.is_err());
    }
    assert_eq!(count(&world).await, 0);
    world.write(|tx| Box::pin(async move { add(tx, "b").await })).await;
    assert_eq!(count(&world).await, 1);
}

async fn a_unique_index_is_told_by_name(world: World) {
    let twice: Result<u64, DbError> = world
        .db
        .write(|tx| {
            Box::pin(async move {
                add(tx, "a").await?;
                add(tx, "a").await
            })
        })
        .await;
    assert!(twice.unwrap_err().is_unique("audit_pkey"));
    let (one, mut two) = (world.new_organization("acme"), world.new_organization("acme"));
    two.organization.slug = slug("acme");
    let plain =
        "INSERT INTO organizations (id, slug, name, brand, token_max_age_s, token_ahead_s, config_version,
        created_at, disabled) VALUES ($1, $2, '', '', 1, 1, 1, 1, FALSE)";
    let insert = |o: &store::organizations::OrganizationRecord| {
        sql(plain).bind(&o.organization.id).bind(&o.organization.slug)
    };
    world.db.execute(insert(&one)).await.unwrap();
    let error = world.db.execute(insert(&two)).await.unwrap_err();
    assert!(error.is_unique("organizations_slug"), "{error:?}");
}

async fn a_missing_reference_is_told(world: World) {
    let text = "INSERT INTO origins (organization_id, environment, origin) VALUES ('nobody', 'sandbox', 'x')";
    assert_eq!(world.db.execute(sql(text)).await, Err(DbError::Reference));
}

async fn a_nul_is_refused_before_the_database(world: World) {
    let result: Result<u64, DbError> =
        world.db.write(|tx| Box::pin(async move { add(tx, "a\0b").await })).await;
    assert!(matches!(result, Err(DbError::Bug(_))));
}

async fn an_error_says_no_value(world: World) {
    let cases = [
        sql("SELECT CAST($1 AS BIGINT) / 0, $2").bind(1_i64).bind("hunter2"),
        sql("INSERT INTO data_keys (id, organization_id, wrapped, created_at) VALUES ($1, $1, $1, 1)").bind("hunter2"),
        sql("INSERT INTO organizations (id, slug, name, brand, token_max_age_s, token_ahead_s, config_version,
            created_at, disabled) VALUES ($1, $1, $1, $1, 0, 0, 0, 0, FALSE)")
        .bind("hunter2"),
        sql("INSERT INTO audit (id) VALUES ($1)").bind("hunter2"),
    ];
    for case in cases {
        if let Err(error) = world.db.execute(case).await {
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
    let double = || sql("INSERT INTO sequences_of_no_table VALUES ($1)").bind("hunter2");
    assert!(!format!("{:?}", double()).contains("hunter2"));
    assert!(!world.db.execute(double()).await.unwrap_err().to_string().contains("hunter2"));
}

async fn numbers_are_given_once(world: World) {
    let mut given = Vec::new();
    for _ in 0..3 {
        given.push(world.write(|tx| Box::pin(store::next_id(tx, "tenants"))).await);
    }
    assert_eq!(given, [1, 2, 3]);
    let unknown: Result<i64, DbError> = world.db.write(|tx| Box::pin(store::next_id(tx, "nothing"))).await;
    assert!(matches!(unknown, Err(DbError::Bug(_))), "{unknown:?}");
}

async fn a_dropped_unit_keeps_nothing(world: World) {
    if world.db.engine() == "sqlite" {
        // A unit of work there cannot be left in the middle, only waited for in vain: that is a mistake.
        let waits: Result<(), DbError> = world
            .db
            .write(|tx| {
                Box::pin(async move {
                    add(tx, "a").await?;
                    std::future::pending().await
                })
            })
            .await;
        assert!(matches!(waits, Err(DbError::Bug(_))));
    } else {
        let (begun, wait) = tokio::sync::oneshot::channel();
        let db = world.db.clone();
        let caller = tokio::spawn(async move {
            db.write(|tx| {
                Box::pin(async move {
                    add(tx, "a").await?;
                    begun.send(()).unwrap();
                    std::future::pending::<Result<(), DbError>>().await
                })
            })
            .await
        });
        wait.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        // The same key waits for the first transaction to end and goes in only because that was rolled back.
        world.write(|tx| Box::pin(async move { add(tx, "a").await })).await;
        assert_eq!(count(&world).await, 1);
        return;
    }
    assert_eq!(count(&world).await, 0);
}

async fn as_many_values_as_placeholders(world: World) {
    let (few, many) = (sql("SELECT $1, $2").bind("a"), sql("SELECT $1").bind("a").bind("b"));
    let result: Result<(), DbError> =
        world.db.read(|tx| Box::pin(async move { few.one(tx).await.map(drop) })).await;
    assert!(matches!(result, Err(DbError::Bug(_))), "{result:?}");
    // A value too many is no mistake for PostgreSQL, whose types were declared; every statement also runs on SQLite.
    if world.db.engine() == "sqlite" {
        let result: Result<(), DbError> =
            world.db.read(|tx| Box::pin(async move { many.one(tx).await.map(drop) })).await;
        assert!(matches!(result, Err(DbError::Bug(_))), "{result:?}");
    }
}

async fn placeholders_may_repeat_and_come_in_any_order(world: World) {
    let seen = world
        .read(|tx| {
            Box::pin(async move {
                let query = sql("SELECT $3, $1, $2, $3, $1").bind("a").bind(2_i64).bind(true);
                let mut row = query.one(tx).await?;
                let (c, a, b): (bool, String, i64) = (row.take()?, row.take()?, row.take()?);
                Ok((c, a, b, row.take::<bool>()?, row.take::<String>()?))
            })
        })
        .await;
    assert_eq!(seen, (true, "a".to_owned(), 2, true, "a".to_owned()));
}

async fn nothing_works_after_closing(world: World) {
    world.write(|tx| Box::pin(async move { add(tx, "a").await })).await;
    world.db.close().await;
    let late: Result<u64, DbError> = world.db.write(|tx| Box::pin(async move { add(tx, "b").await })).await;
    assert!(late.unwrap_err().is_weather());
    world.db.close().await;
}

async fn round_trip<T>(world: &World, value: T) -> Result<T, DbError>
where
    T: IntoValue + FromCell + Send + 'static,
{
    let query = sql("SELECT $1").bind(value);
    world.db.read(|tx| Box::pin(async move { query.one(tx).await?.take() })).await
}

async fn values_come_back_as_they_went(world: World) {
    let handle = tokio::runtime::Handle::current();
    let check = move || {
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 200,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let values = (any::<Option<i64>>(), any::<Option<bool>>(), proptest::option::of("[^\0]{0,40}"));
        runner.run(&values, |(number, flag, text)| {
            handle.block_on(async {
                prop_assert_eq!(round_trip(&world, number).await.unwrap(), number);
                prop_assert_eq!(round_trip(&world, flag).await.unwrap(), flag);
                prop_assert_eq!(round_trip(&world, text.clone()).await.unwrap(), text.clone());
                let kept = json(&text).unwrap();
                prop_assert_eq!(round_trip(&world, kept.clone()).await.unwrap(), kept);
                Ok(())
            })
        })
    };
    tokio::task::spawn_blocking(check).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_read_cannot_write_on_sqlite() {
    let world = World::on_sqlite().await;
    let result: Result<u64, DbError> = world.db.read(|tx| Box::pin(async move { add(tx, "a").await })).await;
    assert!(matches!(result, Err(DbError::Bug(_))), "{result:?}");
    assert_eq!(count(&world).await, 0);
}

#[tokio::test]
async fn one_failure_in_a_shared_commit_does_not_touch_the_others() {
    let world = World::on_sqlite().await;
    let mut units = Vec::new();
    for number in 0..200 {
        let db = world.db.clone();
        units.push(tokio::spawn(async move {
            let fails = number % 7 == 0;
            db.write(move |tx| {
                Box::pin(async move {
                    add(tx, &format!("n{number}")).await?;
                    if fails { add(tx, &format!("n{number}")).await } else { Ok(1) }
                })
            })
            .await
        }));
    }
    let mut kept = 0;
    for (number, unit) in units.into_iter().enumerate() {
        let result: Result<u64, DbError> = unit.await.unwrap();
        assert_eq!(result.is_err(), number % 7 == 0, "{number}");
        kept += i64::from(result.is_ok());
    }
    assert_eq!(count(&world).await, kept);
}

#[tokio::test]
async fn a_full_queue_is_refused_quickly() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("a.db").display());
    let db = store::Db::open(&store::Config { write_queue: 1, ..store::Config::new(url) }).await.unwrap();
    store::migrate(&db, NOW).await.unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (entered, inside) = tokio::sync::oneshot::channel();
    let holder = db.clone();
    let first = tokio::spawn(async move {
        holder
            .write(|tx| {
                Box::pin(async move {
                    entered.send(()).unwrap();
                    held.recv().unwrap();
                    add(tx, "a").await
                })
            })
            .await
    });
    inside.await.unwrap();
    let waiting = db.clone();
    let mut second =
        std::pin::pin!(async move { waiting.write(|tx| Box::pin(async move { add(tx, "b").await })).await });
    let polled: std::task::Poll<Result<u64, DbError>> =
        second.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    let third: Result<u64, DbError> = db.write(|tx| Box::pin(async move { add(tx, "c").await })).await;
    assert!(third.unwrap_err().is_weather());
    release.send(()).unwrap();
    assert!(first.await.unwrap().is_ok() && second.await.is_ok());
}

/// SQLite rolls the whole transaction back when the disk is full, and with it units of work that had succeeded.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_disk_is_told_to_everybody_whose_work_is_lost() {
    let world = World::on_sqlite().await;
    let limit = sql("PRAGMA max_page_count = 120");
    world.write(move |tx| Box::pin(async move { limit.all(tx).await.map(drop) })).await;
    let mut units = Vec::new();
    for number in 0..60 {
        let db = world.db.clone();
        units.push(tokio::spawn(async move {
            db.write(move |tx| {
                Box::pin(async move {
                    add(tx, &format!("small-{number}")).await?;
                    if number % 5 == 4 {
                        add(tx, &format!("large-{number}{}", "x".repeat(300_000))).await
                    } else {
                        Ok(1)
                    }
                })
            })
            .await
        }));
    }
    let mut full = 0;
    for (number, unit) in units.into_iter().enumerate() {
        let result: Result<u64, DbError> = unit.await.unwrap();
        full += usize::from(result == Err(DbError::Full));
        let name = format!("small-{number}");
        let query = sql("SELECT COUNT(*) FROM audit WHERE id = $1").bind(name);
        let there: i64 = world.read(|tx| Box::pin(async move { query.one(tx).await?.take() })).await;
        assert_eq!(there == 1, result.is_ok(), "{number}: {result:?}");
    }
    assert!(full >= 6, "only {full} saw the full disk");
    world.write(|tx| Box::pin(async move { add(tx, "afterwards").await })).await;
}

#[tokio::test]
async fn a_caller_that_went_away_while_waiting_changes_nothing() {
    let world = World::on_sqlite().await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (entered, inside) = tokio::sync::oneshot::channel();
    let holder = world.db.clone();
    let first = tokio::spawn(async move {
        let hold = holder.write(|tx| {
            Box::pin(async move {
                entered.send(()).unwrap();
                held.recv().unwrap();
                add(tx, "first").await
            })
        });
        hold.await as Result<u64, DbError>
    });
    inside.await.unwrap();
    let gone = world.db.clone();
    let second = async move {
        gone.write(|tx| Box::pin(async move { add(tx, "gone").await })).await as Result<u64, DbError>
    };
    let mut second = Box::pin(second);
    assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(second);
    release.send(()).unwrap();
    first.await.unwrap().unwrap();
    world.write(|tx| Box::pin(async move { add(tx, "last").await })).await;
    assert_eq!(count(&world).await, 2);
}

#[tokio::test]
async fn urls_that_are_no_database_are_refused() {
    for url in [
        "",
        "vestibule.db",
        "mysql://a/b",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:a.db?mode=ro",
        "postgres://[",
    ] {
        let error = store::Db::open(&store::Config::new(url)).await.unwrap_err();
        assert!(matches!(error, DbError::Setup(_)), "{url}: {error:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not.db");
    std::fs::write(&path, vec![7; 8192]).unwrap();
    let error = store::Db::open(&store::Config::new(format!("sqlite:{}", path.display()))).await.unwrap_err();
    assert!(matches!(error, DbError::Corrupt(_)), "{error:?}");
    let nobody = store::Db::open(&store::Config::new("postgres://a@127.0.0.1:1/b")).await.unwrap_err();
    assert!(nobody.is_weather(), "{nobody:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let db = store::Db::open(&store::Config::new(format!("sqlite:{}", path.display()))).await.unwrap();
    store::migrate(&db, NOW).await.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
}

/// A second process, as the command line beside `serve`.
#[tokio::test]
async fn two_processes_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("a.db").display());
    let one = store::Db::open(&store::Config::new(&url)).await.unwrap();
    store::migrate(&one, NOW).await.unwrap();
    let two = store::Db::open(&store::Config::new(&url)).await.unwrap();
    let mut units = Vec::new();
    for number in 0..100 {
        let db = if number % 2 == 0 { one.clone() } else { two.clone() };
        units.push(tokio::spawn(async move {
            db.write(move |tx| Box::pin(async move { add(tx, &format!("{number}")).await })).await
        }));
    }
    for unit in units {
        let result: Result<u64, DbError> = unit.await.unwrap();
        assert_eq!(result, Ok(1));
    }
}
