//! An endpoint: where an organization hears of events.

use super::event::EventType;
use kernel::ids::{EndpointId, OrganizationId};
use kernel::{Environment, Sealed, Time};
use std::fmt;
use url::Url;

/// How long the previous secret signs as well after a rotation, in seconds: a day, so that a receiver can be changed
/// without a message that it cannot verify.
pub const OVERLAP_S: i64 = 24 * 3600;
/// Endpoints of one organization in one environment: each event is written once for each of them.
pub const MOST: usize = 50;
const LONGEST_URL: usize = 2_000;
const LONGEST_DESCRIPTION: usize = 500;

/// Why an endpoint's URL is refused. Whether its address may be called is asked of the guard of outgoing calls.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    #[error("the URL must be an absolute https URL of at most 2000 characters")]
    Form,
    #[error("the URL must not carry a user name, a password or a fragment")]
    Parts,
}

/// Where messages are posted. Plain http is for addresses that the operator's `outbound.allow` names.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(Url);

impl EndpointUrl {
    /// # Errors
    /// [`UrlRefused`].
    pub fn parse(text: &str) -> Result<Self, UrlRefused> {
        // The WHATWG parser drops tabs and reads a backslash as a slash; a URL that needs that was made to be misread.
        let odd = |c: char| c.is_control() || c == '\\' || c == ' ';
        if text.len() > LONGEST_URL || text.chars().any(odd) {
            return Err(UrlRefused::Form);
        }
        let url = Url::parse(text).map_err(|_| UrlRefused::Form)?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err(UrlRefused::Form);
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(UrlRefused::Parts);
        }
        Ok(Self(url))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for EndpointUrl {
    // A receiver's URL may carry a secret of its own in its path or query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointUrl({})", self.0.host_str().unwrap_or_default())
    }
}

/// Why an endpoint gets no messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disabled {
    /// Somebody switched it off.
    Asked,
    /// It answered 410.
    Gone,
}

impl Disabled {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Gone => "gone",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Asked, Self::Gone].into_iter().find(|disabled| disabled.as_str() == text)
    }
}

/// How an endpoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Active,
    /// Its last try failed, and it has taken nothing since.
    Failing,
    Disabled,
}

impl Standing {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Failing => "failing",
            Self::Disabled => "disabled",
        }
    }
}

/// An endpoint as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub id: EndpointId,
    pub organization: OrganizationId,
    pub environment: Environment,
    pub url: EndpointUrl,
    pub description: String,
    /// Those that it hears of, in their own order.
    pub events: Vec<EventType>,
    /// In order per tenant.
    pub ordered: bool,
    pub disabled: Option<Disabled>,
    /// Since when no try has succeeded, where the last one failed.
    pub failing: Option<Time>,
    /// It asked to be left alone until then.
    pub resume: Option<Time>,
    /// Sealed for the place `notice-endpoint:{id}`.
    pub secret: Sealed,
    /// The one before the last rotation, and until when it signs as well.
    pub previous: Option<(Sealed, Time)>,
    pub created: Time,
    pub modified: Time,
}

impl Endpoint {
    /// Where its secrets are sealed for.
    pub fn place(id: &EndpointId) -> String {
        format!("notice-endpoint:{id}")
    }

    pub const fn standing(&self) -> Standing {
        match (self.disabled, self.failing) {
            (Some(_), _) => Standing::Disabled,
            (None, Some(_)) => Standing::Failing,
            (None, None) => Standing::Active,
        }
    }

    /// The secrets that sign at `now`, the current one first.
    pub fn signing(&self, now: Time) -> impl Iterator<Item = &Sealed> {
        let previous = self.previous.iter().filter(move |(_, until)| *until > now);
        std::iter::once(&self.secret).chain(previous.map(|(secret, _)| secret))
    }
}

/// Why a choice of events or a description is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointRefused {
    #[error("`{seen}` is not an event; there are {known}")]
    Event { seen: String, known: String },
    #[error("an endpoint hears of at least one event")]
    NoEvent,
    #[error("a description has at most 500 characters, none of them a control character")]
    Description,
}

/// Reads a choice of events; the order and repetitions mean nothing.
///
/// # Errors
/// [`EndpointRefused`].
pub fn chosen<T: AsRef<str>>(names: &[T]) -> Result<Vec<EventType>, EndpointRefused> {
    let mut events = Vec::with_capacity(names.len());
    for name in names {
        let known = || EventType::ALL.map(EventType::as_str).join(", ");
        let event = EventType::parse(name.as_ref());
        let seen = || name.as_ref().chars().take(60).collect();
        events.push(event.ok_or_else(|| EndpointRefused::Event { seen: seen(), known: known() })?);
    }
    events.sort_unstable();
    events.dedup();
    if events.is_empty() { Err(EndpointRefused::NoEvent) } else { Ok(events) }
}

/// # Errors
/// [`EndpointRefused::Description`].
pub fn description(text: &str) -> Result<String, EndpointRefused> {
    let text = text.trim();
    let fits = text.chars().count() <= LONGEST_DESCRIPTION && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(EndpointRefused::Description) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for good in ["https://example.com/hook?x=1", "http://10.1.2.3:8080/", "https://[2606:4700::1]/"] {
            assert_eq!(EndpointUrl::parse(good).unwrap().as_str(), good);
        }
        let long = format!("https://example.com/{}", "a".repeat(2_000));
        for bad in
            ["", "example.com", "ftp://example.com", "https:///", "https://a b/", "https://a\\b/", &long]
        {
            assert!(EndpointUrl::parse(bad).is_err(), "{bad}");
        }
        for bad in ["https://u:p@example.com/", "https://u@example.com/", "https://example.com/#x"] {
            assert_eq!(EndpointUrl::parse(bad), Err(UrlRefused::Parts), "{bad}");
        }
        assert_eq!(
            format!("{:?}", EndpointUrl::parse("https://a.example/s3cret").unwrap()),
            "EndpointUrl(a.example)"
        );
    }

    #[test]
    fn a_choice_is_a_set_of_known_events() {
        let events = chosen(&["run.failed", "tenant.created", "run.failed"]).unwrap();
        assert_eq!(events, [EventType::TenantCreated, EventType::RunFailed]);
        assert_eq!(chosen::<&str>(&[]), Err(EndpointRefused::NoEvent));
        assert!(chosen(&["tenant.*"]).unwrap_err().to_string().contains("tenant.archived"));
    }
}
