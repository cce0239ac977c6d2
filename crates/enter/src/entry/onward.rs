//! Where the browser goes after `/enter`.

use super::{NextUrl, Pending, PendingRequests};
use crate::app::{App, SignIn, TemplateRefused};
use crate::context::ServiceContext;
use crate::ids::PersonId;
use crate::percent;
use kernel::SafeUrl;

/// Who has come, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    pub person: &'a PersonId,
    pub app: &'a App,
    pub context: &'a ServiceContext,
    /// The one stored with the code: the one in the query is decoration.
    pub next_url: &'a NextUrl,
    pub issuer: &'a SafeUrl,
    /// Whether the person has answered [`Onward::Ask`] with yes.
    pub confirmed: bool,
}

/// What the browser held before the entry.
#[derive(Debug, Clone, Copy)]
pub struct Live<'a> {
    /// The user of its living session.
    pub person: Option<&'a PersonId>,
    /// Only those that still wait.
    pub pending: &'a PendingRequests,
}

/// Why a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// "You are now A; continue as B?"
    OtherUser,
    /// An authorize request waits in this browser, and this entry is not the answer to it: "Continue as B?"
    OtherRequest,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Onward {
    /// The waiting authorize request goes on; it is to be taken off the list.
    Continue(Pending),
    /// The app begins a login by itself (OpenID Connect Core, section 4).
    InitiateLogin(String),
    EntryUrl(String),
    /// An app of the older kind: its Session URL is called first, with where to go afterwards.
    OlderKind {
        session_url: SafeUrl,
        entry_url: SafeUrl,
        next_url: Option<String>,
    },
    /// Nothing has happened yet; the same decision follows with `confirmed`.
    Ask(Question),
}

/// Decides where an entry leads.
///
/// Decision: whoever can mint codes for their own user could send anybody an entry URL and have them work in the
/// wrong user's name (login CSRF, lesson 21). So an entry that would replace another living user, or that
/// answers a waiting request without its nonce, asks first. The trade is one more page for old SDKs that drop
/// `nextUrl`.
///
/// # Errors
/// [`TemplateRefused`] where the app cannot be entered without an account.
pub fn onward(arrival: &Arrival<'_>, live: Live<'_>) -> Result<Onward, TemplateRefused> {
    if !arrival.confirmed && live.person.is_some_and(|person| person != arrival.person) {
        return Ok(Onward::Ask(Question::OtherUser));
    }
    if let NextUrl::Pending(nonce) = arrival.next_url
        && let Some(pending) = live.pending.find(nonce, &arrival.app.id)
    {
        return Ok(Onward::Continue(pending.clone()));
    }
    if !live.pending.is_empty() {
        if !arrival.confirmed {
            return Ok(Onward::Ask(Question::OtherRequest));
        }
        if let Some(pending) = live.pending.youngest(&arrival.app.id) {
            return Ok(Onward::Continue(pending.clone()));
        }
    }
    to_the_app(arrival)
}

fn to_the_app(arrival: &Arrival<'_>) -> Result<Onward, TemplateRefused> {
    let account = match arrival.context {
        ServiceContext::Account(account) => Some(account),
        ServiceContext::Partner(_) | ServiceContext::SuperAdmin => None,
    };
    let page = arrival.next_url.page().map(|page| page.as_str().to_owned());
    match &arrival.app.sign_in {
        SignIn::OpenIdConnect { initiate_login_uri: Some(uri) } => {
            let target = match page {
                Some(page) => page,
                None => arrival.app.entry.filled(account)?.as_str().to_owned(),
            };
            Ok(Onward::InitiateLogin(initiate(uri, arrival, &target)))
        }
        SignIn::OpenIdConnect { initiate_login_uri: None } => match page {
            // The entry URL leads to the app's own door, where its login begins and this session answers.
            Some(page) => {
                let url = arrival.app.entry.filled(account)?;
                let joint = if url.as_url().query().is_some() { '&' } else { '?' };
                Ok(Onward::EntryUrl(format!("{url}{joint}nextUrl={}", percent::encoded(&page))))
            }
            None => Ok(Onward::EntryUrl(arrival.app.entry.filled(account)?.as_str().to_owned())),
        },
        SignIn::SessionUrl(session_url) => Ok(Onward::OlderKind {
            session_url: session_url.clone(),
            entry_url: arrival.app.entry.filled(account)?,
            next_url: page,
        }),
    }
}

/// `login_hint` is our id of the person, which is the `sub` that the app will get.
fn initiate(uri: &SafeUrl, arrival: &Arrival<'_>, target: &str) -> String {
    let joint = if uri.as_url().query().is_some() { '&' } else { '?' };
    format!(
        "{uri}{joint}iss={}&login_hint={}&target_link_uri={}",
        percent::encoded(arrival.issuer.as_str().trim_end_matches('/')),
        percent::encoded(arrival.person.as_str()),
        percent::encoded(target)
    )
}
