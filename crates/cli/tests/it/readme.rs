//! The README, followed to the letter: every block that is marked `walkthrough=` is written or run as it stands.
//! Only the two ports are changed to free ones, and the executable to the one under test.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use testkit::browser::{Browser, Options};
use testkit::process::{Launch, Stop, Supervised, free_port};
use thirtyfour::prelude::*;

const README: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));
/// Goes on where the first walkthrough ends.
const INTEGRATIONS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/integrations.md"));
/// What Anna types.
const KEY: &str = "ws-2026";

/// The README's blocks with their ports replaced.
#[derive(Clone, Copy)]
struct Walkthrough {
    gateway: u16,
    backend: u16,
    portal: u16,
    app: u16,
}

impl Walkthrough {
    fn on_free_ports() -> Self {
        let [gateway, backend, portal, app] = [(); 4].map(|()| free_port());
        Self { gateway, backend, portal, app }
    }

    /// The block marked `walkthrough={name}`.
    fn block(&self, name: &str) -> String {
        let mark = format!("walkthrough={name}\n");
        let found = README.split_once(&mark).or_else(|| INTEGRATIONS.split_once(&mark));
        let (_, after) = found.unwrap_or_else(|| panic!("there is no block {name}"));
        let (block, _) = after.split_once("\n```").unwrap();
        block
            .replace("localhost:8080", &format!("localhost:{}", self.gateway))
            .replace("localhost:3000", &format!("localhost:{}", self.backend))
            .replace("(\"localhost\", 3000)", &format!("(\"localhost\", {})", self.backend))
            .replace("localhost:3001", &format!("localhost:{}", self.portal))
            .replace("port=3001", &format!("port={}", self.portal))
            .replace("localhost:3002", &format!("localhost:{}", self.app))
            .replace("port=3002", &format!("port={}", self.app))
            + "\n"
    }

    /// Runs a block in a shell where `vestibule` is the executable under test.
    fn shell(&self, folder: &Path, block: &str) -> Output {
        let program = env!("CARGO_BIN_EXE_vestibule");
        let text = block.replace("alias vestibule=target/release/vestibule", "");
        let script = format!("set -e\nvestibule() {{ {program} \"$@\"; }}\n{text}");
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(script).current_dir(folder).envs(self.variables());
        shell.output().unwrap()
    }

    fn variables(&self) -> [(&'static str, String); 2] {
        [
            ("VESTIBULE_LISTEN", format!("127.0.0.1:{}", self.gateway)),
            ("VESTIBULE_ENVIRONMENTS__SANDBOX__PUBLIC_URL", format!("http://localhost:{}", self.gateway)),
        ]
    }

    fn serve(&self, folder: &Path) -> Supervised {
        assert_eq!(self.block("serve"), "cargo run --release -- serve\n");
        let mut launch = Launch::new(env!("CARGO_BIN_EXE_vestibule")).unwrap().argument("serve");
        for (name, value) in self.variables() {
            launch = launch.environment(name, value);
        }
        launch.working_folder(folder).stop_with(Stop::Terminate).start().unwrap()
    }

    fn backend(&self, folder: &Path) -> Supervised {
        assert_eq!(self.block("backend"), "python server.py\n");
        python(folder, "server.py")
    }

    /// The partner's portal, then the app.
    fn partner_and_app(&self, folder: &Path) -> [Supervised; 2] {
        let run = "VESTIBULE_CREDENTIALS=key.json python portal.py &\npython app.py\n";
        assert_eq!(self.block("enter-run"), run);
        ["portal.py", "app.py"].map(|file| python(folder, file))
    }
}

fn python(folder: &Path, file: &str) -> Supervised {
    let launch = Launch::new(testkit::python::interpreter()).unwrap().argument("-u").argument(file);
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/python/src");
    let launch = launch.environment("VESTIBULE_CREDENTIALS", "key.json").environment("PYTHONPATH", sdk);
    launch.working_folder(folder).start().unwrap()
}

async fn until_it_listens(port: u16) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while tokio::net::TcpStream::connect(("localhost", port)).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "nothing listens on port {port}");
        tokio::task::yield_now().await;
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The first walkthrough until Anna has pressed the button: the gateway, the backend, the browser.
async fn anna_connects(walkthrough: Walkthrough, folder: &Path) -> (Supervised, Supervised, Browser) {
    for name in ["acme.toml", "weather.toml", "embed.html", "server.py"] {
        fs::write(folder.join(name), walkthrough.block(name)).unwrap();
    }
    let gateway = walkthrough.serve(folder);
    until_it_listens(walkthrough.gateway).await;
    let setup = walkthrough.shell(folder, &walkthrough.block("setup"));
    assert!(setup.status.success(), "{}{}", said(&setup), gateway.output());
    let secret = fs::read_to_string(folder.join("secret.txt")).unwrap();
    assert_eq!(secret.trim().len(), 43, "the secret alone is in the file: {}", said(&setup));
    let backend = walkthrough.backend(folder);
    until_it_listens(walkthrough.backend).await;

    let browser = Browser::start(&Options::default()).await;
    browser.goto(format!("http://localhost:{}/", walkthrough.backend)).await.unwrap();
    let frame = browser.query(By::Css("#connect iframe")).first().await.unwrap();
    frame.enter_frame().await.unwrap();
    let key = browser.query(By::Css("input[name=api_key]")).first().await.unwrap();
    key.send_keys(KEY).await.unwrap();
    browser.find(By::Css("form button.primary")).await.unwrap().click().await.unwrap();
    browser.enter_default_frame().await.unwrap();
    (gateway, backend, browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_embeds_the_page_by_copying_what_stands_there() {
    let folder = tempfile::tempdir().unwrap();
    let walkthrough = Walkthrough::on_free_ports();
    let (gateway, backend, browser) = anna_connects(walkthrough, folder.path()).await;
    let secret = fs::read_to_string(folder.path().join("secret.txt")).unwrap();
    let connected = |element: WebElement| async move {
        Ok(element.text().await?.starts_with("Connected: anna-example-com-acme2weather"))
    };
    let result = browser.query(By::Css("#result")).with_filter(connected).first().await;
    let result = result.unwrap_or_else(|error| panic!("{error}\n{}\n{}", gateway.output(), backend.output()));
    let told = result.text().await.unwrap();
    let hook = format!("http://localhost:{}/v1/webhooks/", walkthrough.gateway);
    assert!(told.contains(&hook), "{told}");

    let look = walkthrough.shell(folder.path(), &walkthrough.block("look"));
    assert!(said(&look).contains("anna-example-com-acme2weather"), "{}", said(&look));
    browser.refresh().await.unwrap();
    browser.query(By::Css("#connect iframe")).first().await.unwrap().enter_frame().await.unwrap();
    browser.query(By::Css("main[data-stage=connected]")).first().await.unwrap();

    let other = if secret.starts_with('x') { 'y' } else { 'x' };
    fs::write(folder.path().join("secret.txt"), format!("{other}{}", &secret.trim()[1..])).unwrap();
    drop(backend);
    let backend = walkthrough.backend(folder.path());
    until_it_listens(walkthrough.backend).await;
    browser.goto(format!("http://localhost:{}/", walkthrough.backend)).await.unwrap();
    browser.query(By::Css("#connect iframe")).first().await.unwrap();
    let refused = |output: &Output| said(output).contains("token_signature");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let look = "vestibule refusals --organization acme";
    while !refused(&walkthrough.shell(folder.path(), look)) {
        assert!(tokio::time::Instant::now() < deadline, "{}{}", gateway.output(), backend.output());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_writes_an_integration_by_copying_what_stands_there() {
    let folder = tempfile::tempdir().unwrap();
    let walkthrough = Walkthrough::on_free_ports();
    let (gateway, _backend, browser) = anna_connects(walkthrough, folder.path()).await;
    let connected = |element: WebElement| async move { Ok(element.text().await?.starts_with("Connected: ")) };
    browser.query(By::Css("#result")).with_filter(connected).first().await.unwrap();

    fs::create_dir(folder.path().join("weather-sync")).unwrap();
    for name in ["weather-sync/vestibule.yaml", "weather-sync/sync.py"] {
        fs::write(folder.path().join(name), walkthrough.block(name)).unwrap();
    }
    let does = |block: &str| {
        let output = walkthrough.shell(folder.path(), &walkthrough.block(block));
        assert!(output.status.success(), "{block}: {}\n{}", said(&output), gateway.output());
        said(&output)
    };
    does("release");
    let watched = does("watch");
    assert!(watched.contains("in celsius with the key ***"), "{watched}");
    assert!(watched.contains("Succeeded") && watched.contains("init"), "{watched}");
    does("webhook");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let log = does("log");
        assert!(!log.contains(KEY), "{log}");
        if log.contains("webhook run for") && log.contains("The station reports clear") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{log}\n{}", gateway.output());
    }
    let scheduled = does("schedule");
    assert!(scheduled.contains("/15 * * * *"), "{scheduled}");
    assert!(!gateway.output().contains(KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_lets_users_into_an_app_by_copying_what_stands_there() {
    let folder = tempfile::tempdir().unwrap();
    let walkthrough = Walkthrough::on_free_ports();
    for name in ["portal.py", "app.py"] {
        fs::write(folder.path().join(name), walkthrough.block(name)).unwrap();
    }
    let gateway = walkthrough.serve(folder.path());
    until_it_listens(walkthrough.gateway).await;
    let setup = walkthrough.shell(folder.path(), &walkthrough.block("enter-setup"));
    assert!(setup.status.success(), "{}{}", said(&setup), gateway.output());
    let secret = fs::read_to_string(folder.path().join("client-secret.txt")).unwrap();
    assert!(secret.trim().starts_with("vst_cs_"), "the secret alone is in the file: {}", said(&setup));
    let [portal, app] = walkthrough.partner_and_app(folder.path());
    for port in [walkthrough.portal, walkthrough.app] {
        until_it_listens(port).await;
    }

    let browser = Browser::start(&Options::default()).await;
    let at = |account: &str| format!("http://localhost:{}/accounts/{account}", walkthrough.app);
    browser.goto(at("AG-1")).await.unwrap();
    let seen = browser.source().await.unwrap();
    let logs = || format!("{}\n{}\n{}", gateway.output(), portal.output(), app.output());
    assert!(seen.contains("AG-1") && seen.contains("PT-1") && seen.contains("U-"), "{seen}\n{}", logs());
    let users = walkthrough.shell(folder.path(), "vestibule user list --organization meridian");
    assert!(said(&users).contains("rosa"), "{}", said(&users));

    browser.goto(at("AG-2")).await.unwrap();
    let seen = browser.source().await.unwrap();
    assert!(seen.contains("access_denied"), "{seen}\n{}", logs());
    let refused = walkthrough.shell(folder.path(), "vestibule refusals --organization meridian");
    assert!(said(&refused).contains("access_denied"), "{}", said(&refused));
}
