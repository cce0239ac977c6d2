use std::sync::atomic::{AtomicU32, Ordering};

use testkit::postgres::Postgres;

async fn setting(database: &testkit::postgres::Database, name: &str) -> String {
    database.client().await.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own_copied_from_one_template() {
    static PREPARED: AtomicU32 = AtomicU32::new(0);
    let fill = |url: String| async move {
        PREPARED.fetch_add(1, Ordering::SeqCst);
        let (client, connection) = connect(&url).await;
        tokio::spawn(connection);
        client.batch_execute("CREATE TABLE doors (name TEXT); INSERT INTO doors VALUES ('front')").await
    };
    let server = Postgres::shared().await;
    let (one, two) = tokio::join!(server.database("doors", fill), server.database("doors", fill));
    assert_eq!(PREPARED.load(Ordering::SeqCst), 1);
    assert_ne!(one.url(), two.url());

    let (in_one, in_two) = (one.client().await, two.client().await);
    in_one.execute("INSERT INTO doors VALUES ('back')", &[]).await.unwrap();
    let count = "SELECT COUNT(*) FROM doors";
    assert_eq!(in_one.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 2);
    assert_eq!(in_two.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test]
async fn a_database_that_no_test_uses_any_more_is_removed() {
    let server = Postgres::shared().await;
    let old = server.empty_database().await;
    let name = old.url().rsplit('/').next().unwrap().to_owned();
    let still_connected = old.client().await;
    drop(old);

    let next = server.empty_database().await;
    let rows = next.client().await.query("SELECT datname FROM pg_database", &[]).await.unwrap();
    assert!(!rows.iter().any(|row| row.get::<_, String>(0) == name), "{name} is still there");
    drop(still_connected);
}

#[tokio::test]
async fn only_a_benchmark_waits_for_the_disk() {
    let durable = Postgres::durable().await;
    let careful = durable.empty_database().await;
    assert_eq!(setting(&careful, "fsync").await, "on");
    assert_eq!(setting(&careful, "synchronous_commit").await, "on");

    let quick = Postgres::shared().await.empty_database().await;
    assert_eq!(setting(&quick, "server_encoding").await, "UTF8");
    if std::env::var_os("VESTIBULE_TEST_POSTGRES_URL").is_none() {
        assert_eq!(setting(&quick, "fsync").await, "off");
    }
}

#[tokio::test]
async fn a_server_that_runs_already_can_be_used() {
    let running = Postgres::durable().await;
    let guest = Postgres::at(running.url().clone());
    let database = guest.empty_database().await;
    assert_eq!(database.url().parse::<url::Url>().unwrap().port(), running.url().port());
    assert_eq!(setting(&database, "fsync").await, "on");

    // The server is the owner's: it stays when the guest leaves.
    drop(guest);
    assert_eq!(setting(&database, "fsync").await, "on");
}

#[tokio::test]
async fn nobody_enters_without_the_password() {
    let server = Postgres::durable().await;
    let database = server.empty_database().await;
    let mut url: url::Url = database.url().parse().unwrap();
    url.set_password(Some("wrong")).unwrap();

    let refused = try_connect(url.as_str()).await.err().expect("a wrong password is refused");
    assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("28P01"));
}

type Connection = tokio_postgres::Connection<tokio_postgres::Socket, tokio_postgres::tls::NoTlsStream>;

#[expect(clippy::disallowed_methods, reason = "the kit is tried without the product's own code")]
async fn try_connect(url: &str) -> Result<(tokio_postgres::Client, Connection), tokio_postgres::Error> {
    tokio_postgres::connect(url, tokio_postgres::NoTls).await
}

async fn connect(url: &str) -> (tokio_postgres::Client, Connection) {
    try_connect(url).await.unwrap()
}
