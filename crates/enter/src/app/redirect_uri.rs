//! Redirect URIs: what may be registered, and what matches (RFC 9700, section 2.1; RFC 8252, section 7.3).

use kernel::SafeUrl;
use kernel::safe_url::UrlRefused;
use serde::{Deserialize, Serialize};

/// The loopback hosts at which a native app listens on a port of the moment's.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];
/// Names of the answer's own parameters (lesson 5: a registered `?code=x` would stand in front of ours).
const ANSWER: [&str; 8] =
    ["code", "state", "iss", "error", "error_description", "error_uri", "session_state", "response"];

/// A registered redirect URI, byte for byte as it was registered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

/// Why a redirect URI cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectRefused {
    #[error("{0}")]
    Url(#[from] UrlRefused),
    #[error("a redirect URI is matched byte for byte: it can have no wildcard")]
    Wildcard,
    #[error("write it as browsers do: `{0}`")]
    Spelling(String),
    #[error("its path must not hold `..`, `;`, `%2e`, `%2f`, `%5c` or `%25`, which servers read differently")]
    Path,
    #[error("its query has `{0}`, which the answer itself carries")]
    Reserved(&'static str),
    #[error("it has more than 2000 characters")]
    TooLong,
}

impl RedirectUri {
    /// Checks a redirect URI for registration: https, or http on this machine, without user name, fragment,
    /// wildcard or anything that two parsers may read as two addresses (lessons 1 to 5).
    ///
    /// # Errors
    /// [`RedirectRefused`].
    pub fn register(text: &str) -> Result<Self, RedirectRefused> {
        if text.len() > 2000 {
            return Err(RedirectRefused::TooLong);
        }
        if text.contains('*') {
            return Err(RedirectRefused::Wildcard);
        }
        let url = SafeUrl::parse(text)?;
        // An absent path is the one difference in spelling that everybody reads alike.
        if url.as_str() != text && url.as_str() != format!("{text}/") {
            return Err(RedirectRefused::Spelling(url.as_str().to_owned()));
        }
        let path = url.as_url().path().to_ascii_lowercase();
        if ["..", ";", "%2e", "%2f", "%5c", "%25"].iter().any(|bad| path.contains(bad)) {
            return Err(RedirectRefused::Path);
        }
        for (name, _) in url.as_url().query_pairs() {
            if let Some(taken) = ANSWER.iter().find(|taken| **taken == name) {
                return Err(RedirectRefused::Reserved(taken));
            }
        }
        Ok(Self(text.to_owned()))
    }

    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is this URI: byte for byte. For `native` public clients the port of a loopback
    /// address is free, nothing else.
    pub fn matches(&self, presented: &str, native: bool) -> bool {
        self.0 == presented || (native && self.matches_on_another_port(presented))
    }

    fn matches_on_another_port(&self, presented: &str) -> bool {
        LOOPBACK.iter().any(|host| match (self.0.strip_prefix(host), presented.strip_prefix(host)) {
            (Some(registered), Some(presented)) => match (after_port(registered), after_port(presented)) {
                (Some(registered), Some(presented)) => registered == presented,
                _ => false,
            },
            _ => false,
        })
    }
}

/// What follows the host and its port: nothing, a path or a query. `None` where something else follows the
/// host, as in `http://127.0.0.1.evil.example`.
fn after_port(rest: &str) -> Option<&str> {
    let rest = match rest.strip_prefix(':') {
        None => rest,
        Some(port) => {
            let digits = port.len() - port.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = port.split_at_checked(digits)?;
            let plain = !number.starts_with('0') && number.parse::<u16>().is_ok();
            plain.then_some(rest)?
        }
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
}
