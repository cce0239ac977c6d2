//! An OAuth 2.0 and OpenID Connect server that this project did not write (npm `oidc-provider`), as the outside
//! system in tests: discovery, login and consent pages, PKCE, refresh tokens, revocation, introspection.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::node;
use crate::process::{NotReady, Supervised};

/// Node starts in well under a second, but not while two cores compile.
const START: Duration = Duration::from_secs(60);

/// A client that the provider knows from the start (RFC 7591's names).
#[derive(Clone, Debug, Serialize)]
pub struct Client {
    pub client_id: String,
    pub client_secret: String,
    pub redirect_uris: Vec<String>,
    /// `client_secret_basic` or `client_secret_post`.
    pub token_endpoint_auth_method: String,
}

/// How the provider behaves.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// A name below `localhost`, so that the provider is a site of its own for the browser.
    pub host: String,
    /// 0 takes a free one.
    pub port: u16,
    pub clients: Vec<Client>,
    /// Known besides `openid` and `offline_access`.
    pub scopes: Vec<String>,
    pub access_token_seconds: u32,
    pub rotate_refresh_tokens: bool,
    pub require_pkce: bool,
}

impl Settings {
    /// `provider.localhost` on a free port: tokens live an hour, refresh tokens rotate, PKCE is required.
    #[must_use]
    pub fn with_client(client_id: &str, client_secret: &str, redirect_uri: &str) -> Self {
        Self {
            host: "provider.localhost".to_owned(),
            port: 0,
            clients: vec![Client {
                client_id: client_id.to_owned(),
                client_secret: client_secret.to_owned(),
                redirect_uris: vec![redirect_uri.to_owned()],
                token_endpoint_auth_method: "client_secret_basic".to_owned(),
            }],
            scopes: vec!["profile".to_owned(), "email".to_owned()],
            access_token_seconds: 3600,
            rotate_refresh_tokens: true,
            require_pkce: true,
        }
    }
}

/// Something that happened to a token or a grant at the provider, by `oidc-provider`'s own name for it, such as
/// `refresh_token.consumed`, `grant.revoked` or `grant.error`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub client_id: Option<String>,
    pub error: Option<String>,
}

/// The running provider; it ends with this value.
#[derive(Debug)]
pub struct OutsideProvider {
    issuer: Url,
    process: Supervised,
}

impl OutsideProvider {
    /// # Panics
    /// When it does not start.
    pub async fn start(settings: Settings) -> Self {
        tokio::task::spawn_blocking(move || Self::start_now(&settings)).await.expect("the provider starts")
    }

    fn start_now(settings: &Settings) -> Self {
        let process = node::spawn("provider.mjs", [json!(settings).to_string()]).expect("node starts");
        let ready = process
            .wait_for_line(|line| line.starts_with("ready "), START)
            .unwrap_or_else(|error| panic!("the outside provider {error}"));
        let issuer = ready.trim_start_matches("ready ").parse().expect("the issuer is a URL");
        Self { issuer, process }
    }

    /// `http://provider.localhost:PORT/`.
    #[must_use]
    pub fn issuer(&self) -> &Url {
        &self.issuer
    }

    /// An endpoint below the issuer: `auth`, `token`, `token/revocation`, `token/introspection`, `me`, `jwks`,
    /// `.well-known/openid-configuration`.
    ///
    /// # Panics
    /// When `path` is no path.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Url {
        self.issuer.join(path).expect("a path below the issuer")
    }

    /// The `ip:port` that the issuer's host stands for.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.issuer.port_or_known_default().unwrap_or_default())
    }

    /// All that happened so far, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.process.output().lines().filter_map(event).collect()
    }

    /// Waits for the first event of that name. Blocks the thread.
    ///
    /// # Errors
    /// When it does not come in time.
    pub fn wait_for_event(&self, name: &str, within: Duration) -> Result<Event, NotReady> {
        let line =
            self.process.wait_for_line(|line| event(line).is_some_and(|event| event.name == name), within)?;
        event(&line).ok_or(NotReady::Silent { output: line })
    }
}

fn event(line: &str) -> Option<Event> {
    serde_json::from_str(line.strip_prefix("event ")?).ok()
}
