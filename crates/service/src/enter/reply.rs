//! What the browser side answers: one step, and what the browser is to keep.

use super::refuse::Denied;
use super::session::Browser;
use ::enter::account::Person;
use ::enter::entry::{Nonce, Question};
use ::enter::ids::AccountId;
use kernel::Plain;

/// An answer to a browser.
#[derive(Debug)]
pub struct Reply {
    pub step: Step,
    /// As the browser is after it.
    pub browser: Browser,
}

/// The next step.
#[derive(Debug)]
pub enum Step {
    /// To this address: an app's, a partner's, or one of our own.
    Go(String),
    ChooseAccount(ChooseAccount),
    ChoosePartner(ChoosePartner),
    Consent(AskConsent),
    AskEntry(AskEntry),
    Denied(Box<Denied>),
}

/// Who is signed in, as pages name people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name, else the address, else the partner's own id.
    pub name: String,
    pub email: Option<String>,
}

impl Named {
    pub fn of(person: &Person) -> Self {
        let name = person.name().or_else(|| person.email.clone());
        let name = name.unwrap_or_else(|| person.identity.partner_user.as_str().to_owned());
        Self { name, email: person.email.clone() }
    }
}

/// The person chooses for which account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChooseAccount {
    pub nonce: Nonce,
    pub app: String,
    pub person: Named,
    /// Those that fit the search, at most [`ACCOUNTS_SHOWN`].
    pub accounts: Vec<(AccountId, String)>,
    /// How many the person has in all for this app.
    pub total: usize,
    pub search: String,
}

/// How many accounts a page shows; whoever has more searches.
pub const ACCOUNTS_SHOWN: usize = 50;

/// The person starts at a partner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoosePartner {
    pub app: String,
    /// The names of those last used in this browser.
    pub partners: Vec<String>,
}

/// The person allows an app of another company something, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskConsent {
    pub nonce: Nonce,
    pub app: String,
    /// Whose app it is.
    pub vendor: String,
    pub person: Named,
    pub account: Option<String>,
    pub scopes: Vec<String>,
}

/// The person says whether to go on as somebody else.
#[derive(Debug, Clone)]
pub struct AskEntry {
    /// For the page's form; good once.
    pub token: Plain,
    pub question: Question,
    pub app: String,
    pub partner: String,
    /// Who is signed in now.
    pub now: Option<Named>,
    /// As whom it would go on.
    pub next: Named,
}
