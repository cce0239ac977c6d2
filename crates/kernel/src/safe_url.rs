//! URLs that somebody gave us, parsed by the WHATWG rules that browsers use.

use std::fmt;
use url::{Host, Url};

/// Why a URL or an origin is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    #[error("`{0}` is not an absolute URL")]
    NotAbsolute(String),
    #[error("`{0}` must use https (http is accepted only for localhost, *.localhost and loopback addresses)")]
    Scheme(String),
    #[error("`{0}` must not carry a user name or password")]
    UserInfo(String),
    #[error("`{0}` must not have a fragment")]
    Fragment(String),
    #[error("`{0}` is not an origin; write scheme, host and port only, as in https://app.example.com")]
    NotAnOrigin(String),
    #[error("`{0}` contains a control character, a blank or a backslash")]
    Characters(String),
}

fn shown(text: &str) -> String {
    text.chars().take(200).filter(|c| !c.is_control()).collect()
}

/// An absolute https URL (or http to this machine) without user name, password and fragment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SafeUrl(Url);

impl SafeUrl {
    /// # Errors
    /// [`UrlRefused`], with the rule that was broken.
    pub fn parse(text: &str) -> Result<Self, UrlRefused> {
        // The WHATWG parser silently drops tabs and line breaks and reads a backslash as a slash; a URL that
        // needs that was made to be misread (lesson 25).
        if text.chars().any(|c| c.is_control() || c == '\\' || c == ' ') {
            return Err(UrlRefused::Characters(shown(text)));
        }
        let url = Url::parse(text).map_err(|_| UrlRefused::NotAbsolute(shown(text)))?;
        match url.scheme() {
            "https" if url.has_host() => {}
            "http" if is_local(&url) => {}
            "http" | "https" => return Err(UrlRefused::Scheme(shown(text))),
            _ if url.has_host() => return Err(UrlRefused::Scheme(shown(text))),
            _ => return Err(UrlRefused::NotAbsolute(shown(text))),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlRefused::UserInfo(shown(text)));
        }
        if url.fragment().is_some() {
            return Err(UrlRefused::Fragment(shown(text)));
        }
        Ok(Self(url))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn as_url(&self) -> &Url {
        &self.0
    }

    pub fn origin(&self) -> Origin {
        Origin(self.0.origin().ascii_serialization())
    }
}

/// Whether the URL's host is this machine by name or address (RFC 6761 for `localhost`).
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.as_str())
    }
}

/// Scheme, host and port, as a browser writes them in `Origin` (RFC 6454).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// Accepts `https://app.example.com`, also with one trailing slash; the result is as a browser writes it.
    ///
    /// # Errors
    /// [`UrlRefused`]; wildcards, paths and `null` are not origins.
    pub fn parse(text: &str) -> Result<Self, UrlRefused> {
        let url = SafeUrl::parse(text)?;
        let bare = url.0.path() == "/" && url.0.query().is_none() && !text.contains('*');
        if bare { Ok(url.origin()) } else { Err(UrlRefused::NotAnOrigin(shown(text))) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine() {
        for good in [
            "https://a.example/x?y=1",
            "http://localhost:8080/",
            "http://host.localhost:1/",
            "http://127.0.0.1/",
            "http://[::1]:9/",
        ] {
            assert!(SafeUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/x",
            "//evil.example",
            "a.example",
            "http://a.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://user@a.example",
            "https://a:b@a.example",
            "https://a.example/#x",
            "https:\\\\a.example",
            "https://a.example/\t",
            "ftp://a.example",
            "http://localhost.evil.example",
            "http://localhost:80@evil.example",
            " https://a.example",
            "file:///etc/passwd",
        ] {
            assert!(SafeUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_read_as_browsers_write_them() {
        assert_eq!(
            Origin::parse("https://App.Example.com:443/").unwrap().as_str(),
            "https://app.example.com"
        );
        assert_eq!(
            Origin::parse("http://host.localhost:3000").unwrap().as_str(),
            "http://host.localhost:3000"
        );
        for bad in [
            "null",
            "*",
            "https://*.example.com",
            "https://a.example/x",
            "https://a.example?x",
            "http://a.example",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
