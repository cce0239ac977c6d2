//! `vestibule serve` with a certificate of its own, as a browser with HTTPS meets it.

use super::Shell;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::{Method, StatusCode, Version};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use testkit::on_both;
use testkit::process::{Launch, Stop, Supervised, free_port};
use testkit::standins::{CLIENT_ID, CLIENT_SECRET, ProviderKind, Standin};
use testkit::world::Engine;

const PATIENCE: Duration = Duration::from_secs(60);
const NAME: &str = "connect.vestibule.test";

/// A folder with settings, a connector that leads to the stand-in, and a certificate that an authority made.
struct Made {
    shell: Shell,
    authority: String,
    address: SocketAddr,
}

impl Made {
    async fn new(standin: &Standin, engine: Engine) -> Self {
        let shell = Shell::on(engine).await;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let authority = certify(&shell);
        // What the shell has written names the database, where it is not the one that is made by itself.
        let database = std::fs::read_to_string(shell.path("vestibule.toml")).unwrap_or_default();
        let settings = format!(
            "listen = \"{address}\"\n\
             [environments.production]\npublic_url = \"https://{NAME}:{}\"\n\
             [connectors]\nfolder = \"connectors\"\n\
             [outbound]\nallow = [\"{}\"]\n\
             [tls]\ncertificate = \"certificate.pem\"\nprivate_key = \"key.pem\"\n",
            address.port(),
            standin.address(),
        );
        shell.write("vestibule.toml", &format!("{settings}{database}"));
        std::fs::create_dir(shell.path("connectors")).unwrap();
        let mut hubspot = include_str!("../../../../../connectors/hubspot.toml").to_owned();
        for (origin, here) in standin.mapping() {
            hubspot = hubspot.replace(origin, &here);
        }
        shell.write("connectors/hubspot.toml", &hubspot);
        shell.write("connectors/gwt.toml", "id = \"gwt\"\nname = \"Greenway\"\n[auth]\nkind = \"none\"\n");
        Self { shell, authority, address }
    }

    /// Everything that a company sets up, and the key that signs.
    fn company(&self) -> String {
        let shell = &self.shell;
        shell.good(&["organization", "create", "acme"]);
        shell.good(&["origin", "add", "https://app.acme.example"]);
        shell.good(&["integration", "create", "orders", "--own-connector", "gwt", "--connector", "hubspot"]);
        let app = ["app", "set", "hubspot", "--client-id", CLIENT_ID, "--client-secret-file", "-"];
        assert!(shell.fed(&app, CLIENT_SECRET).status.success());
        shell.good(&["signing-key", "create"])
    }

    fn token(&self, secret: &str) -> String {
        let sign = ["token", "sign", "--user", "anna@example.com", "--integration", "orders"];
        let own = ["--own-connector", "gwt", "--own-token", "t"];
        let signed = self.shell.fed(&[&sign[..], &own[..]].concat(), secret);
        super::text(&signed.stdout).trim_end().to_owned()
    }

    fn serve(&self) -> Supervised {
        let launch = Launch::new(env!("CARGO_BIN_EXE_vestibule")).unwrap();
        let process = launch.working_folder(self.shell.folder()).argument("serve").start().unwrap();
        let ready = process.wait_for_line(|line| line.contains("ready listen="), PATIENCE);
        ready.unwrap_or_else(|error| panic!("{error}"));
        process
    }

    fn url(&self, path: &str) -> String {
        format!("https://{NAME}:{}{path}", self.address.port())
    }

    fn browser(&self) -> reqwest::ClientBuilder {
        let authority = reqwest::Certificate::from_pem(self.authority.as_bytes()).unwrap();
        untrusting(self.address).tls_certs_only([authority])
    }

    /// What comes back when these bytes are sent without TLS.
    fn says_in_clear(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Knows the name, and no authority that made the certificate.
#[expect(clippy::disallowed_methods, reason = "a browser calls the gateway, not the gateway others")]
fn untrusting(address: SocketAddr) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().no_proxy().https_only(true).timeout(PATIENCE);
    builder.redirect(reqwest::redirect::Policy::none()).resolve(NAME, address)
}

/// Writes `certificate.pem` and `key.pem`, and gives the authority's own certificate.
fn certify(shell: &Shell) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    shell.write("certificate.pem", &made.pem());
    shell.write("key.pem", &key.serialize_pem());
    authority.pem()
}

/// One browser with its cookies.
struct Anna<'m> {
    made: &'m Made,
    client: reqwest::Client,
    /// Name and value.
    cookies: HashMap<String, String>,
}

impl Anna<'_> {
    async fn asks(&mut self, method: Method, to: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let own = self.made.url("");
        let to = to.strip_prefix(&own).unwrap_or(to);
        let mut request = self.client.request(method.clone(), self.made.url(to));
        request = request.header("accept", "application/json").header("sec-fetch-site", "same-origin");
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !pairs.is_empty() {
            request = request.header("cookie", pairs.join("; "));
        }
        if method == Method::POST {
            request = request.header("origin", &own).header("sec-fetch-dest", "iframe").form(fields);
        }
        let answer = request.send().await.unwrap();
        for line in answer.headers().get_all("set-cookie") {
            let line = line.to_str().unwrap();
            // Without these a browser throws the cookie away.
            assert!(line.starts_with("__Host-"), "{line}");
            assert!(
                line.contains("; Secure") && line.contains("Path=/;") && !line.contains("Domain"),
                "{line}"
            );
            assert!(line.contains("; HttpOnly") && line.contains("SameSite=Lax"), "{line}");
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    async fn gets(&mut self, to: &str) -> reqwest::Response {
        self.asks(Method::GET, to, &[]).await
    }

    async fn posts(&mut self, to: &str, fields: &[(&str, &str)]) -> Value {
        let answer = self.asks(Method::POST, to, fields).await;
        assert_eq!(answer.status(), StatusCode::OK, "{to}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

fn location(answer: &reqwest::Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// From the landing to the callback's page: the dialog's path.
async fn goes_and_comes_back(anna: &mut Anna<'_>, secret: &str, keeps_cookies: bool) -> (String, StatusCode) {
    let token = anna.made.token(secret);
    let landed = anna.asks(Method::POST, "/acme/hubspot/auth", &[("tenant", &token)]).await;
    assert_eq!(landed.status(), StatusCode::SEE_OTHER, "{}", landed.text().await.unwrap());
    let dialog = location(&landed);
    let page = anna.gets(&dialog).await;
    assert_eq!((page.status(), page.version()), (StatusCode::OK, Version::HTTP_2));
    let link = anna.posts(&format!("{dialog}/start"), &[]).await["start_url"].as_str().unwrap().to_owned();
    let onward = anna.gets(&link).await;
    assert_eq!((onward.status(), anna.cookies.len()), (StatusCode::SEE_OTHER, 1));
    if !keeps_cookies {
        anna.cookies.clear();
    }
    let provider = anna.made.plain().get(location(&onward)).send().await.unwrap();
    let back = anna.gets(&location(&provider)).await;
    (dialog, back.status())
}

impl Made {
    #[expect(clippy::disallowed_methods, reason = "a browser calls the outside system")]
    fn plain(&self) -> reqwest::Client {
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
    }
}

on_both! {
    async fn a_dialog_goes_over_tls_from_landing_to_message(engine: Engine) {
        let standin = Standin::start(ProviderKind::HubSpot).await;
        let made = Made::new(&standin, engine).await;
        let secret = made.company();
        let process = made.serve();
        let mut anna = Anna { made: &made, client: made.browser().build().unwrap(), cookies: HashMap::new() };

        let (dialog, status) = goes_and_comes_back(&mut anna, &secret, false).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "without the cookie it is another browser");
        let state: Value =
            serde_json::from_str(&anna.gets(&format!("{dialog}/state")).await.text().await.unwrap()).unwrap();
        assert_eq!(state["stage"], "waiting");

        let (dialog, status) = goes_and_comes_back(&mut anna, &secret, true).await;
        assert_eq!(status, StatusCode::OK);
        assert!(anna.cookies.is_empty(), "{:?}", anna.cookies);
        assert_eq!(anna.posts(&format!("{dialog}/confirm"), &[]).await["stage"], "success");
        let events = anna.gets(&format!("{dialog}/events")).await;
        assert_eq!((events.version(), events.status()), (Version::HTTP_2, StatusCode::OK));
        assert!(events.text().await.unwrap().contains("\"success\""), "the stream tells the end, and ends");
        let told = anna.posts(&format!("{dialog}/announcement"), &[]).await;
        assert_eq!(told["messages"][0]["targetOrigin"], "https://app.acme.example");
        let webhook = told["messages"][0]["data"]["webhook_url"].as_str().unwrap().to_owned();
        assert!(webhook.starts_with(&made.url("/v1/webhooks/")), "{webhook}");
        assert_eq!(anna.asks(Method::POST, &webhook, &[]).await.status(), StatusCode::ACCEPTED);

        process.signal(Stop::Terminate).unwrap();
        assert_eq!(process.wait_for_end(PATIENCE).as_deref(), Some("0"), "{}", process.output());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_with_tls_says_what_it_is() {
    let standin = Standin::start(ProviderKind::HubSpot).await;
    let made = Made::new(&standin, Engine::Sqlite).await;
    let process = made.serve();

    // By https alone from now on: said at every answer of a place of ours, also where it says no.
    for path in ["/", "/health/live", "/embed/v1.js", "/nowhere/at/all/here", "/dialogs/gone/state"] {
        let answer = made.browser().build().unwrap().get(made.url(path)).send().await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000", "{path}");
    }
    // Older clients get the older protocol.
    let older = made.browser().http1_only().build().unwrap();
    assert_eq!(older.get(made.url("/")).send().await.unwrap().version(), Version::HTTP_11);
    let elsewhere = older.get(made.url("/")).header("host", "elsewhere.example").send().await.unwrap();
    assert_eq!(elsewhere.status().as_u16(), 421);
    assert!(!elsewhere.headers().contains_key("strict-transport-security"), "of other hosts nothing is said");
    // Nobody is served who does not know the authority.
    assert!(untrusting(made.address).build().unwrap().get(made.url("/")).send().await.is_err());

    let told = made.says_in_clear(format!("GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n").as_bytes());
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("This port speaks HTTPS"), "{told}");
    assert!(!made.says_in_clear(b"\x16\x03\x01\x00\x05nonsense").contains("HTTP"));
    assert!(made.browser().build().unwrap().get(made.url("/")).send().await.is_ok());
    drop(process);
}

#[tokio::test]
async fn a_key_of_another_certificate_is_told_before_anything_is_made() {
    let standin = Standin::start(ProviderKind::HubSpot).await;
    let made = Made::new(&standin, Engine::Sqlite).await;
    let files = || std::fs::read_dir(made.shell.folder()).unwrap().count();
    let before = files();
    made.shell.write("key.pem", &KeyPair::generate().unwrap().serialize_pem());
    let said = made.shell.refused(&["serve"]);
    assert!(
        said.contains("the key in key.pem does not belong to the certificate in certificate.pem"),
        "{said}"
    );
    made.shell.write("key.pem", "hello");
    let said = made.shell.refused(&["serve"]);
    assert!(said.contains("key.pem cannot be read as a private key in PEM"), "{said}");
    std::fs::remove_file(made.shell.path("key.pem")).unwrap();
    assert!(made.shell.refused(&["serve"]).contains("key.pem cannot be read"));
    std::fs::write(made.shell.path("certificate.pem"), "").unwrap();
    assert!(made.shell.refused(&["serve"]).contains("certificate.pem holds no certificate"));
    assert_eq!(files(), before - 1);
    let half = made.shell.run(&["serve", "--set", "tls.private_key="], &[]);
    assert_eq!(half.status.code(), Some(2));
    assert!(super::text(&half.stderr).contains("must be set where tls.certificate is"));
}
