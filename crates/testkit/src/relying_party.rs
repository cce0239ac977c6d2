//! An app of a relying party that this project did not write (Python's Authlib, by its integration for Starlette):
//! discovery, PKCE, state and nonce, the ID token's checks, userinfo, refresh, logout from both ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::process::{NotReady, Supervised};
use crate::python;

/// Python brings a framework up in a second or two, but not while two cores compile.
const START: Duration = Duration::from_secs(60);

/// How the app is registered, and how it proves itself: with a secret, with a key, or (neither) as a public client.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// A name below `localhost`, so that the app is a site of its own for the browser.
    pub host: String,
    /// The redirect URI has it, so it is chosen before the app is registered: see [`crate::process::free_port`].
    pub port: u16,
    pub issuer: String,
    pub client_id: String,
    pub scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// `client_secret_basic` (where not said) or `client_secret_post`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<String>,
    /// PEM, for `private_key_jwt`, with `key_id` and `alg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
}

impl Settings {
    /// A client with a secret, by basic authentication, at `http://app.localhost:PORT`.
    #[must_use]
    pub fn with_secret(port: u16, issuer: &str, client_id: &str, client_secret: &str) -> Self {
        Self {
            host: "app.localhost".to_owned(),
            port,
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            scope: "openid profile email".to_owned(),
            client_secret: Some(client_secret.to_owned()),
            auth_method: None,
            private_key: None,
            key_id: None,
            alg: None,
        }
    }

    /// `http://app.localhost:PORT`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }

    /// What is registered as redirect URI.
    #[must_use]
    pub fn redirect_uri(&self) -> String {
        format!("{}/callback", self.origin())
    }
}

/// Something that happened in the app: `signed_in`, `refreshed`, `signed_out` (by its own wish), `logged_out` (told by
/// the back channel), `logout_refused`, `refused`; `details` is the whole of what it printed.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Event {
    pub name: String,
    #[serde(flatten)]
    pub details: serde_json::Map<String, Value>,
}

/// The running app; it ends with this value.
#[derive(Debug)]
pub struct RelyingParty {
    settings: Settings,
    process: Supervised,
}

/// An answer of the app to somebody who is no browser.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Empty where it leads nowhere.
    pub location: String,
    /// Null where it is no JSON.
    pub json: Value,
}

/// One browser's visit to the app, as far as HTTP sees it: the cookie is kept, redirects are not followed.
#[derive(Debug)]
pub struct Visit {
    client: reqwest::Client,
    settings: Settings,
    cookie: Option<String>,
}

impl RelyingParty {
    /// # Panics
    /// When it does not start.
    pub async fn start(settings: Settings) -> Self {
        tokio::task::spawn_blocking(move || Self::start_now(settings)).await.expect("the app starts")
    }

    fn start_now(settings: Settings) -> Self {
        let process = python::spawn("authlib_app.py", [json!(settings).to_string()]).expect("python starts");
        process
            .wait_for_line(|line| line.starts_with("ready "), START)
            .unwrap_or_else(|error| panic!("the app {error}"));
        Self { settings, process }
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
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
        let named = |line: &str| event(line).is_some_and(|event| event.name == name);
        let line = self.process.wait_for_line(named, within)?;
        event(&line).ok_or(NotReady::Silent { output: line })
    }

    /// Somebody comes with a browser that has no cookies.
    ///
    /// # Panics
    /// When no client can be built.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a browser calls the app, not the gateway others")]
    pub fn visit(&self) -> Visit {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .expect("a client");
        Visit { client, settings: self.settings.clone(), cookie: None }
    }
}

impl Visit {
    /// Opens a path (with its query) or a whole URL of the app, as `/login?account_id=AG-1`, whose answer leads to the
    /// authorize endpoint, and then where the gateway leads back to.
    ///
    /// # Panics
    /// When `to` is another site's, or the app does not answer.
    pub async fn open(&mut self, to: &str) -> Answer {
        let origin = self.settings.origin();
        let path = to.strip_prefix(&origin).unwrap_or(to);
        assert!(path.starts_with('/'), "{to} is not at {origin}");
        // The name is one for browsers; here its address is dialled.
        let mut ask = self.client.get(format!("http://127.0.0.1:{}{path}", self.settings.port));
        ask = ask.header("host", origin.trim_start_matches("http://"));
        if let Some(cookie) = &self.cookie {
            ask = ask.header("cookie", cookie);
        }
        let answer = ask.send().await.expect("the app answers");
        let header =
            |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if let Some(set) = header("set-cookie") {
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        let (status, location) = (answer.status().as_u16(), header("location").unwrap_or_default());
        let text = answer.text().await.expect("the app's answer is text");
        Answer { status, location, json: serde_json::from_str(&text).unwrap_or_default() }
    }
}

fn event(line: &str) -> Option<Event> {
    serde_json::from_str(line.strip_prefix("event ")?).ok()
}
