//! A PostgreSQL server of the tests' own: one for each test process, and a database for each test.

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_postgres::NoTls;
use url::Url;

use crate::process::{Account, Launch, Stop, Supervised, free_port, is_root, poll};

const START: Duration = Duration::from_secs(60);

/// Ports are free when they are looked up and may be taken a moment later.
const TRIES: u32 = 5;

static SHARED: OnceCell<Postgres> = OnceCell::const_new();

/// A server, ours or one named from outside.
#[derive(Debug)]
pub struct Postgres {
    administration: Url,
    templates: Mutex<HashMap<&'static str, Arc<OnceCell<String>>>>,
    /// Databases that no test uses any more; dropped before the next one is made.
    done: Arc<Mutex<Vec<String>>>,
    counter: AtomicU32,
    server: Option<Supervised>,
}

/// A database of one test. It is removed some time after the drop.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: Url,
    done: Arc<Mutex<Vec<String>>>,
}

impl Postgres {
    /// The server of this test process: started at the first call, without waiting for the disk, ended with the
    /// process. `VESTIBULE_TEST_POSTGRES_URL` names a running server to use in its place.
    ///
    /// # Panics
    /// When there is no server to start or to reach.
    #[expect(
        clippy::disallowed_methods,
        reason = "where tests find their server is no setting of the product"
    )]
    pub async fn shared() -> &'static Self {
        SHARED
            .get_or_init(|| async {
                match std::env::var("VESTIBULE_TEST_POSTGRES_URL") {
                    Ok(url) => Self::at(url.parse().expect("VESTIBULE_TEST_POSTGRES_URL is a URL")),
                    Err(_) => Self::start(&FORGETFUL).await,
                }
            })
            .await
    }

    /// A server that is as careful with the disk as one in production, for benchmarks. It ends with this value.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn durable() -> Self {
        Self::start(&[]).await
    }

    /// A server that [`Postgres::take_down`] stops and [`Postgres::bring_back`] starts again.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn breakable() -> Self {
        Self::start(&[]).await
    }

    /// Stops a server of ours at once: connections break, what is not committed is lost, the port refuses.
    ///
    /// # Panics
    /// When it does not stop within a minute.
    pub async fn take_down(&self) {
        let folder = self.folder();
        fs::write(folder.join("down"), "").expect("the server's folder");
        let lock = folder.join("data/postmaster.pid");
        let id = fs::read_to_string(&lock).expect("the server runs");
        let id = id.lines().next().expect("its process id").to_owned();
        let status = Command::new("/bin/sh").args(["-c", "kill -QUIT \"$1\"", "kill", &id]).status();
        assert!(status.expect("a shell").success(), "the server runs");
        let gone = move || (!Path::new("/proc").join(&id).exists()).then_some(());
        wait_for("the server to stop", gone).await;
    }

    /// Starts it again on the same port and data, and waits until it answers.
    ///
    /// # Panics
    /// When it does not start within a minute.
    pub async fn bring_back(&self) {
        fs::remove_file(self.folder().join("down")).expect("the server was taken down");
        let start = tokio::time::Instant::now();
        while try_connect(&self.administration).await.is_err() {
            assert!(start.elapsed() < START, "the server does not come back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn folder(&self) -> &Path {
        self.server.as_ref().expect("a server of ours").folder()
    }

    /// A server that runs already. `url` leads to a database of somebody who may create databases; what tests leave
    /// there when they are killed stays until somebody drops it (`vestibule_test_..`).
    #[must_use]
    pub fn at(url: Url) -> Self {
        Self::around(url, None)
    }

    /// Leads to the database `postgres`, as somebody who may create databases.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.administration
    }

    async fn start(options: &'static [&'static str]) -> Self {
        let started =
            tokio::task::spawn_blocking(move || start_server(options)).await.expect("the start ends");
        let (server, url) = started.unwrap_or_else(|error| panic!("PostgreSQL: {error}"));
        Self::around(url, Some(server))
    }

    fn around(administration: Url, server: Option<Supervised>) -> Self {
        Self {
            administration,
            templates: Mutex::default(),
            done: Arc::default(),
            counter: AtomicU32::new(0),
            server,
        }
    }

    /// A fresh database with nothing in it.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn empty_database(&self) -> Database {
        self.copy_of("template0").await
    }

    /// A fresh copy of a database that `prepare` filled: it is called once for each `template` name in a test
    /// process, with the URL of an empty database, and must leave no work behind on its connections.
    ///
    /// # Panics
    /// When `prepare` fails or the server refuses.
    pub async fn database<F, E>(&self, template: &'static str, prepare: impl FnOnce(String) -> F) -> Database
    where
        F: Future<Output = Result<(), E>>,
        E: Debug,
    {
        let cell = {
            let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(templates.entry(template).or_default())
        };
        let source = cell.get_or_init(|| self.prepared(template, prepare)).await;
        self.copy_of(source).await
    }

    async fn prepared<F, E>(&self, template: &str, prepare: impl FnOnce(String) -> F) -> String
    where
        F: Future<Output = Result<(), E>>,
        E: Debug,
    {
        let name = self.name(template);
        self.administer(&[format!("CREATE DATABASE {name} TEMPLATE template0")]).await;
        if let Err(error) = prepare(self.url_of(&name).to_string()).await {
            panic!("the template {template} was not prepared: {error:?}");
        }
        // A database with somebody in it cannot be copied, and a pool closes its connections when it likes.
        self.administer(&[
            format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false"),
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        ])
        .await;
        name
    }

    async fn copy_of(&self, source: &str) -> Database {
        let done = std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner));
        let mut statements: Vec<_> =
            done.iter().map(|name| format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).collect();
        let name = self.name("test");
        statements.push(format!("CREATE DATABASE {name} TEMPLATE {source}"));
        self.administer(&statements).await;
        Database { url: self.url_of(&name), name, done: Arc::clone(&self.done) }
    }

    /// Unique on this server also beside another test process.
    fn name(&self, purpose: &str) -> String {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let purpose = purpose.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_ascii_lowercase();
        format!("vestibule_{purpose}_{}_{number}", std::process::id())
    }

    fn url_of(&self, database: &str) -> Url {
        let mut url = self.administration.clone();
        url.set_path(database);
        url
    }

    async fn administer(&self, statements: &[String]) {
        let client = connect(&self.administration).await;
        for statement in statements {
            if let Err(error) = client.batch_execute(statement).await {
                panic!("{statement}: {error:?}");
            }
        }
    }
}

impl Database {
    /// `postgres://user:password@127.0.0.1:port/name`
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// A connection past the product's own code, to look at rows as they are. It closes with the client.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn client(&self) -> tokio_postgres::Client {
        connect(&self.url).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.name));
    }
}

async fn connect(url: &Url) -> tokio_postgres::Client {
    let client = try_connect(url).await;
    client.unwrap_or_else(|error| panic!("the PostgreSQL server of the tests: {error:?}"))
}

#[expect(clippy::disallowed_methods, reason = "the tests look at the database past the product's own code")]
async fn try_connect(url: &Url) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn wait_for(what: &str, done: impl FnMut() -> Option<()> + Send + 'static) {
    let waited = tokio::task::spawn_blocking(move || poll(START, done)).await.expect("the wait ends");
    waited.unwrap_or_else(|| panic!("waited in vain for {what}"));
}

/// Settings of a server whose data nobody will miss.
const FORGETFUL: [&str; 6] =
    ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"];

fn start_server(options: &[&str]) -> io::Result<(Supervised, Url)> {
    let programs = programs()?;
    let account = account()?;
    let mut last = io::Error::other("no port was free");
    for _ in 0..TRIES {
        match start_on(&programs, account, free_port(), options) {
            Ok(started) => return Ok(started),
            Err(error) if error.to_string().contains("Address already in use") => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn start_on(
    programs: &Path,
    account: Option<Account>,
    port: u16,
    options: &[&str],
) -> io::Result<(Supervised, Url)> {
    let launch = Launch::new("/bin/sh")?.account(account).stop_with(Stop::Quit);
    let folder = launch.folder().to_path_buf();
    let password = password()?;
    // The server runs statements and programs as its account, so nobody else on the machine gets in without it.
    let password_file = folder.join("password");
    fs::write(&password_file, &password)?;
    fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600))?;
    // md5, because the slow derivation of the newer method costs an unoptimised build much of a test's time.
    // It goes on as long as the server was only taken down for a while.
    let script = "initdb=$1 postgres=$2; shift 2; \
        \"$initdb\" --pgdata=data --username=vestibule --auth=md5 --pwfile=password --encoding=UTF8 \
        --locale=C.UTF-8 --no-sync --no-instructions || exit; \
        trap 'kill -QUIT \"$server\"; exit' QUIT; \
        while :; do \"$postgres\" -D data \"$@\" & server=$!; wait \"$server\"; status=$?; \
        [ -e down ] || exit \"$status\"; while [ -e down ]; do sleep 0.05; done; done";
    let server = launch
        .arguments(["-c", script, "server"])
        .argument(programs.join("initdb"))
        .argument(programs.join("postgres"))
        .arguments(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
        .arguments(["-c", "unix_socket_directories=", "-c", "max_connections=400"])
        .arguments(["-c", "shared_buffers=128MB", "-c", "timezone=UTC", "-c", "log_timezone=UTC"])
        .arguments(options)
        .environment("LC_ALL", "C.UTF-8")
        .start()?;
    server
        .wait_for_line(|line| line.contains("database system is ready to accept connections"), START)
        .map_err(io::Error::other)?;
    let url = format!("postgres://vestibule:{password}@127.0.0.1:{port}/postgres");
    Ok((server, url.parse().map_err(io::Error::other)?))
}

/// 128 random bits from the operating system, as hexadecimal digits.
fn password() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// The account that the server runs as: PostgreSQL refuses root.
fn account() -> io::Result<Option<Account>> {
    if !is_root()? {
        return Ok(None);
    }
    let account = Account::named("postgres")?;
    account.map(Some).ok_or_else(|| {
        io::Error::other("root cannot run it and there is no user `postgres`; run `cargo xtask setup`")
    })
}

/// The folder of the newest server installed: Debian keeps each major version in its own, outside the path.
fn programs() -> io::Result<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let folder = entry.path().join("bin");
        folder.join("initdb").exists().then_some((version, folder))
    });
    if let Some((_, folder)) = debian.max() {
        return Ok(folder);
    }
    let asked = Command::new("pg_config").arg("--bindir").output();
    asked
        .ok()
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
        .filter(|folder| folder.join("initdb").exists())
        .ok_or_else(|| io::Error::other("no server is installed; run `cargo xtask setup`"))
}
