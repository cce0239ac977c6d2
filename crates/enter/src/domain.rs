//! Whose address it is: the hosts of partners and apps, and the addresses that may only lead there.

use kernel::SafeUrl;
use kernel::jose::shortened;
use kernel::safe_url::UrlRefused;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A host of a partner or an app, with its port where that is not the scheme's own: `app.example.com`,
/// `localhost:3000`. Compared exactly; there are no wildcards and no suffixes (lessons 1 and 2).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// A text that is no domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a domain; write a host name, with a port if it has one, as in app.example.com")]
pub struct DomainRefused(String);

impl Domain {
    /// # Errors
    /// [`DomainRefused`] for addresses, wildcards, bare words and names that end with a point.
    pub fn parse(text: &str) -> Result<Self, DomainRefused> {
        let refused = || DomainRefused(shortened(text));
        if text.is_empty()
            || text
                .chars()
                .any(|c| matches!(c, '/' | '\\' | '@' | '?' | '#' | '*' | '%') || c.is_whitespace())
        {
            return Err(refused());
        }
        let url = SafeUrl::parse(&format!("https://{text}/")).map_err(|_| refused())?;
        let host = url.as_url().host_str().unwrap_or_default();
        let named = host.contains('.') || host.starts_with('[') || host == "localhost";
        if !named || host.ends_with('.') || url.as_url().path() != "/" {
            Err(refused())
        } else {
            Ok(Self::of(&url))
        }
    }

    /// What a column holds; it came from [`Self::parse`].
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The domain at which an address stands.
    pub fn of(url: &SafeUrl) -> Self {
        let host = url.as_url().host_str().unwrap_or_default();
        Self(url.as_url().port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainRefused;
    fn try_from(text: String) -> Result<Self, DomainRefused> {
        Self::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> String {
        domain.0
    }
}

/// Why a browser is not sent to an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReturnRefused {
    #[error("{0}")]
    Url(#[from] UrlRefused),
    #[error("`{0}` must begin with `https://` (`http://` only on this machine)")]
    Form(String),
    #[error("its host `{0}` is not among the registered domains")]
    Stranger(String),
    #[error("what follows `#` may hold letters, digits, `%` with two digits and what a path and a query may")]
    Fragment,
    #[error("a path begins with exactly one `/` and holds no backslash, blank or control character")]
    Path,
}

impl ReturnRefused {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Stranger(_) => "return_url_stranger",
            _ => "return_url_malformed",
        }
    }
}

/// An address to which a browser may be sent, because it stands at one of a list of domains (lesson 25).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnUrl(SafeUrl);

impl ReturnUrl {
    /// Takes `text` if it is absolute and stands at one of `domains`, as browsers read it.
    ///
    /// Decision: an address that needs the parser's forgiveness (`https:host`, `https:///host`) is refused
    /// although it would be read as ours, because another parser on the way may read it otherwise.
    ///
    /// # Errors
    /// [`ReturnRefused`].
    pub fn parse(text: &str, domains: &[Domain]) -> Result<Self, ReturnRefused> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if !rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')) {
            SafeUrl::parse(text)?;
            return Err(ReturnRefused::Form(shortened(text)));
        }
        let url = SafeUrl::parse(text)?;
        let domain = Domain::of(&url);
        if domains.contains(&domain) {
            Ok(Self(url))
        } else {
            Err(ReturnRefused::Stranger(shortened(domain.as_str())))
        }
    }

    /// What a column holds; it came from [`Self::parse`] or [`Self::at`].
    pub const fn from_stored(url: SafeUrl) -> Self {
        Self(url)
    }

    /// The address of `path` (path and query) at `base`'s host.
    ///
    /// # Errors
    /// [`ReturnRefused::Path`] for anything that might leave the host, and [`ReturnRefused::Stranger`] where it
    /// did so all the same.
    pub fn at(base: &SafeUrl, path: &str) -> Result<Self, ReturnRefused> {
        let one_slash = path.starts_with('/') && !path.starts_with("//");
        if !one_slash || path.chars().any(|c| c.is_control() || matches!(c, '\\' | ' ' | '#')) {
            return Err(ReturnRefused::Path);
        }
        let url = SafeUrl::parse(&format!("{}{path}", base.origin()))?;
        if url.origin() == base.origin() {
            Ok(Self(url))
        } else {
            Err(ReturnRefused::Stranger(url.origin().to_string()))
        }
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn url(&self) -> &SafeUrl {
        &self.0
    }
}

impl fmt::Display for ReturnUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A page of an app's own: a [`ReturnUrl`], and what may follow `#`, by which apps find their way that have all of their
/// pages at one address.
///
/// Decision: what follows `#` takes no part in the comparison, because no server ever sees it, and is written as it
/// came. It holds only what an address may hold there (RFC 3986, section 3.5), so that no parser on the way can take
/// it for anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageUrl(String);

impl PageUrl {
    /// # Errors
    /// [`ReturnRefused`].
    pub fn parse(text: &str, domains: &[Domain]) -> Result<Self, ReturnRefused> {
        let Some((address, fragment)) = text.split_once('#') else {
            return Ok(Self(ReturnUrl::parse(text, domains)?.as_str().to_owned()));
        };
        let address = ReturnUrl::parse(address, domains)?;
        if is_fragment(fragment) {
            Ok(Self(format!("{address}#{fragment}")))
        } else {
            Err(ReturnRefused::Fragment)
        }
    }

    /// What a column holds; it came from [`Self::parse`].
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_fragment(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?".contains(c);
    let mut parts = text.split('%');
    let first = parts.next().is_some_and(|part| part.chars().all(plain));
    first
        && parts.all(|part| {
            let (digits, rest) = part.split_at_checked(2).unwrap_or(("", part));
            digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit()) && rest.chars().all(plain)
        })
}
