//! Authorize requests that wait in a browser while its user is at the partner's.

use crate::app::App;
use crate::context::ServiceContext;
use crate::domain::{PageUrl, ReturnRefused};
use crate::ids::{AppId, ClientId, PersonId};
use crate::percent;
use kernel::{Chance, Plain, SafeUrl, Time};
use serde::{Deserialize, Serialize};

/// How many requests of one browser may wait at once.
pub const PENDING_MOST: usize = 8;
/// How long a request waits, in seconds: time enough to sign in at the partner's.
pub const PENDING_LIFETIME_S: i64 = 15 * 60;
/// The gateway's own path to which the partner sends the browser's `nextUrl`.
const CONTINUE: &str = "/enter/continue";

/// What ties an entry code to the request that asked for it: 256 random bits in base64url.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(String);

impl std::fmt::Debug for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonce(..)")
    }
}

impl Nonce {
    pub fn new(chance: &dyn Chance) -> Self {
        Self(Plain::new(chance).reveal().to_owned())
    }

    /// `None` for a text that [`Self::new`] cannot have made.
    pub fn parse(text: &str) -> Option<Self> {
        let fits =
            text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        fits.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an entry is to end: what the partner passed as `next_url`, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextUrl {
    None,
    /// Ours, which we gave to the partner: the waiting request.
    Pending(Nonce),
    /// A page of the app's own.
    Page(PageUrl),
}

impl NextUrl {
    /// The address that the partner gets as `nextUrl` for a waiting request.
    pub fn for_pending(issuer: &SafeUrl, nonce: &Nonce) -> String {
        format!("{}{CONTINUE}?pending={}", issuer.origin(), percent::encoded(nonce.as_str()))
    }

    /// Reads what came back. Empty counts as none, as partners' forms send it.
    ///
    /// # Errors
    /// [`ReturnRefused`] for every address that is neither ours, as [`Self::for_pending`] writes it, nor at one of
    /// the app's domains.
    pub fn read(text: Option<&str>, issuer: &SafeUrl, app: &App) -> Result<Self, ReturnRefused> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Self::None) };
        let ours = format!("{}{CONTINUE}?pending=", issuer.origin());
        if let Some(nonce) = text.strip_prefix(&ours).and_then(Nonce::parse) {
            return Ok(Self::Pending(nonce));
        }
        app.own_page(text).map(Self::Page)
    }

    /// The page, where it is one.
    pub fn page(&self) -> Option<&PageUrl> {
        match self {
            Self::Page(page) => Some(page),
            Self::None | Self::Pending(_) => None,
        }
    }
}

/// One waiting request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub nonce: Nonce,
    pub app: AppId,
    pub client: ClientId,
    /// The authorize request's query as it came; it is checked again when it goes on.
    pub query: String,
    pub since: Time,
}

/// A waiting request with what has happened to it so far, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub pending: Pending,
    /// When it last sent the browser to the partner.
    pub sent: Option<Time>,
    pub answers: Answers,
    /// Answered with a code or an error: it goes on once.
    pub done: Option<Time>,
}

/// What a person answered on our pages for one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    /// Who answered. Decision: an answer counts for this person alone, because another one may have signed in
    /// between the page and the code.
    pub person: Option<PersonId>,
    pub context: Option<ServiceContext>,
    pub consented: bool,
}

impl Answers {
    /// What counts for `person`: nothing where another one answered.
    #[must_use]
    pub fn of(&self, person: Option<&PersonId>) -> Self {
        if self.person.is_some() && self.person.as_ref() == person { self.clone() } else { Self::default() }
    }
}

impl Waiting {
    /// Whether it may still go on.
    pub fn is_open(&self, now: Time) -> bool {
        self.done.is_none() && now < self.pending.since.plus_seconds(PENDING_LIFETIME_S)
    }
}

/// The waiting requests of one browser, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PendingRequests(Vec<Pending>);

impl FromIterator<Pending> for PendingRequests {
    fn from_iter<I: IntoIterator<Item = Pending>>(list: I) -> Self {
        let mut list: Vec<Pending> = list.into_iter().collect();
        list.sort_by_key(|pending| pending.since);
        Self(list)
    }
}

impl PendingRequests {
    fn live(self, now: Time) -> impl Iterator<Item = Pending> {
        self.0.into_iter().filter(move |pending| now < pending.since.plus_seconds(PENDING_LIFETIME_S))
    }

    /// Adds one. Those that have waited too long go, and the oldest beyond [`PENDING_MOST`].
    #[must_use]
    pub fn with(self, pending: Pending, now: Time) -> Self {
        let mut list: Vec<Pending> = self.live(now).collect();
        list.push(pending);
        let surplus = list.len().saturating_sub(PENDING_MOST);
        list.drain(..surplus);
        Self(list)
    }

    /// Those that still wait.
    #[must_use]
    pub fn at(self, now: Time) -> Self {
        Self(self.live(now).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The request with this nonce, if it is `app`'s.
    pub fn find(&self, nonce: &Nonce, app: &AppId) -> Option<&Pending> {
        self.0.iter().find(|pending| pending.nonce == *nonce && pending.app == *app)
    }

    /// The youngest of an app's.
    pub fn youngest(&self, app: &AppId) -> Option<&Pending> {
        self.0.iter().rfind(|pending| pending.app == *app)
    }

    /// Without this one: a request goes on once.
    #[must_use]
    pub fn without(mut self, nonce: &Nonce) -> Self {
        self.0.retain(|pending| pending.nonce != *nonce);
        self
    }
}
