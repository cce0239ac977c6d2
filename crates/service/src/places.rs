//! The environments this gateway serves, each with its own configured public URL.

use kernel::{Environment, Origin};
use std::sync::Arc;

/// Where one environment is reached. The URL is its issuer; no link is ever built from a request's `Host`
/// (contract `connect.md`, section 2; lesson 22).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub environment: Environment,
    /// Shared, because every request has its place.
    address: Arc<Address>,
}

#[derive(Debug, PartialEq, Eq)]
struct Address {
    origin: Origin,
    /// `host` or `host:port`, as a browser sends it in `Host`.
    authority: String,
    is_https: bool,
}

impl Place {
    /// `public_url` is an origin: scheme, host and port.
    ///
    /// # Errors
    /// [`kernel::safe_url::UrlRefused`] for anything with a path, a query or another scheme.
    pub fn new(environment: Environment, public_url: &str) -> Result<Self, kernel::safe_url::UrlRefused> {
        let origin = Origin::parse(public_url)?;
        let authority = origin.as_str().split_once("://").map_or("", |(_, rest)| rest).to_owned();
        let is_https = origin.as_str().starts_with("https://");
        Ok(Self { environment, address: Arc::new(Address { origin, authority, is_https }) })
    }

    pub fn origin(&self) -> &Origin {
        &self.address.origin
    }

    /// The issuer and the start of every link: no slash at the end.
    pub fn url(&self) -> &str {
        self.address.origin.as_str()
    }

    /// An absolute link to `path`, which starts with `/`.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }

    /// Whether cookies of this place may carry `Secure`.
    pub fn is_https(&self) -> bool {
        self.address.is_https
    }

    /// Where every provider sends the browser back to (contract `connect.md`, section 3).
    pub fn callback(&self) -> String {
        self.link("/oauth2/callback")
    }
}

/// The configured places; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places(Vec<Place>);

/// Why a set of places cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacesRefused {
    #[error("no environment has a public URL; set `environments.sandbox.public_url`")]
    None,
    #[error("two environments have the public URL {0}; each needs its own")]
    Twice(String),
}

impl Places {
    /// # Errors
    /// [`PlacesRefused`].
    pub fn new(places: Vec<Place>) -> Result<Self, PlacesRefused> {
        let twice = places.iter().enumerate().find(|(at, place)| {
            places.iter().skip(at + 1).any(|other| other.address.authority == place.address.authority)
        });
        match (places.is_empty(), twice) {
            (true, _) => Err(PlacesRefused::None),
            (false, Some((_, place))) => Err(PlacesRefused::Twice(place.url().to_owned())),
            (false, None) => Ok(Self(places)),
        }
    }

    pub fn all(&self) -> &[Place] {
        &self.0
    }

    /// The place that a request's `Host` names exactly; default ports may stand or be left out.
    pub fn by_host(&self, host: &str) -> Option<&Place> {
        self.0.iter().find(|place| {
            let default_port = if place.is_https() { ":443" } else { ":80" };
            let named = |host: &str| host.eq_ignore_ascii_case(&place.address.authority);
            named(host) || host.strip_suffix(default_port).is_some_and(named)
        })
    }

    pub fn of(&self, environment: Environment) -> Option<&Place> {
        self.0.iter().find(|place| place.environment == environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places::new(vec![
            Place::new(Environment::Production, "https://connect.example.com").unwrap(),
            Place::new(Environment::Sandbox, "http://sandbox.localhost:8080").unwrap(),
        ])
        .unwrap()
    }

    #[test]
    fn lesson_22_only_the_exact_host_is_ours() {
        let places = places();
        let found = |host: &str| places.by_host(host).map(|place| place.environment);
        assert_eq!(found("connect.example.com"), Some(Environment::Production));
        assert_eq!(found("CONNECT.example.com:443"), Some(Environment::Production));
        assert_eq!(found("sandbox.localhost:8080"), Some(Environment::Sandbox));
        for forged in [
            "",
            "evil.example",
            "connect.example.com.evil.example",
            "connect.example.com:80",
            "sandbox.localhost",
            "connect.example.com.",
        ] {
            assert_eq!(found(forged), None, "{forged}");
        }
    }

    #[test]
    fn each_environment_has_its_own_url() {
        let place = |environment| Place::new(environment, "https://a.example").unwrap();
        let twice = Places::new(vec![place(Environment::Production), place(Environment::Sandbox)]);
        assert_eq!(twice, Err(PlacesRefused::Twice("https://a.example".into())));
        assert_eq!(Places::new(vec![]), Err(PlacesRefused::None));
        assert!(Place::new(Environment::Sandbox, "https://a.example/path").is_err());
    }
}
