//! The pages of the second door: who is meant, for which account, what an app may know, and the way onwards.

use super::markup;
use super::shell::{Person, Shell};
use crate::texts::Words;

/// What one of these pages is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryView {
    /// For which account.
    Account(AccountChoice),
    /// Nobody is signed in, and nobody said where from: the partners last used in this browser.
    Partner {
        app: String,
        partners: Vec<String>,
    },
    Consent(ConsentView),
    /// "You are now A; continue as B?"
    Ask(AskView),
    /// On to another site, after a form.
    Onward {
        to: String,
        at_once: bool,
    },
    /// Whether to sign out.
    SignOut {
        person: Person,
        app: Option<String>,
        query: String,
    },
    SignedOut,
    /// What the person has allowed.
    Allowed {
        person: Option<Person>,
        list: Vec<AllowedView>,
    },
}

/// The accounts that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountChoice {
    /// Names the waiting request.
    pub pending: String,
    pub app: String,
    pub person: Person,
    /// Id and name.
    pub accounts: Vec<(String, String)>,
    /// How many there are in all.
    pub total: usize,
    pub search: String,
}

/// From how many accounts on a search is offered.
const SEARCH_FROM: usize = 9;

impl AccountChoice {
    pub fn has_search(&self) -> bool {
        self.total >= SEARCH_FROM
    }

    /// Whether some are not shown although they fit.
    pub fn has_more(&self) -> bool {
        self.search.is_empty() && self.accounts.len() < self.total
    }
}

/// What an app asks to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentView {
    pub pending: String,
    pub app: String,
    /// Whose app it is.
    pub vendor: String,
    pub person: Person,
    pub account: Option<String>,
    pub scopes: Vec<String>,
}

/// An entry that was not let in without a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskView {
    pub token: String,
    pub app: String,
    pub partner: String,
    /// Who is signed in now; `None` where only a request was waiting.
    pub now: Option<Person>,
    pub next: Person,
}

/// One consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedView {
    pub client: String,
    pub app: String,
    pub scopes: Vec<String>,
}

/// One of these pages.
#[derive(Debug, Clone)]
pub struct EntryPage {
    pub shell: Shell,
    pub view: EntryView,
}

#[derive(askama::Template)]
#[template(path = "entry.html")]
struct Whole<'a> {
    page: &'a EntryPage,
    shell: &'a Shell,
    words: Words,
}

impl EntryPage {
    pub const fn new(shell: Shell, view: EntryView) -> Self {
        Self { shell, view }
    }

    pub fn render(&self) -> String {
        markup(&Whole { page: self, shell: &self.shell, words: self.words() })
    }

    fn words(&self) -> Words {
        let words = Words::new(self.shell.locale);
        match &self.view {
            EntryView::Account(view) => words.with("app", &view.app).with("person", view.person.line()),
            EntryView::Partner { app, .. } => words.with("app", app),
            EntryView::Consent(view) => {
                words.with("app", &view.app).with("vendor", &view.vendor).with("person", view.person.line())
            }
            EntryView::Ask(view) => words
                .with("app", &view.app)
                .with("partner", &view.partner)
                .with("now", view.now.as_ref().map(Person::line).unwrap_or_default())
                .with("next", view.next.name.clone()),
            EntryView::SignOut { person, app, .. } => {
                words.with("person", person.line()).with("app", app.clone().unwrap_or_default())
            }
            EntryView::Onward { .. } | EntryView::SignedOut | EntryView::Allowed { .. } => words,
        }
    }

    /// The table of this page in the texts.
    pub const fn key(&self) -> &'static str {
        match &self.view {
            EntryView::Account(_) => "enter.account",
            EntryView::Partner { .. } => "enter.partner",
            EntryView::Consent(_) => "enter.consent",
            EntryView::Ask(AskView { now: Some(_), .. }) => "enter.other_user",
            EntryView::Ask(_) => "enter.other_request",
            EntryView::Onward { .. } => "enter.onward",
            EntryView::SignOut { .. } => "enter.sign_out",
            EntryView::SignedOut => "enter.signed_out",
            EntryView::Allowed { .. } => "enter.allowed",
        }
    }

    /// What a scope lets an app know, in words; one that is an app's own stays as it is.
    pub fn scope(&self, scope: &str) -> String {
        let key = format!("enter.scope.{scope}");
        let said = Words::new(self.shell.locale).say(&key);
        if said == key { scope.to_owned() } else { said.into_owned() }
    }

    /// Where the browser goes without a click.
    ///
    /// Decision: a form's answer that leads to another site is this page and not a redirect, so that
    /// `form-action 'self'` can stand: Chromium holds it against every redirect that follows a form, also against
    /// those of the app itself. Trade: one more page, which nobody sees for long.
    pub fn refresh(&self) -> Option<&str> {
        match &self.view {
            EntryView::Onward { to, at_once: true } => Some(to),
            _ => None,
        }
    }
}

/// Each of them, by the name that the gallery gives it.
pub fn samples() -> Vec<(&'static str, EntryPage)> {
    let anna = Person::sample;
    let accounts = |count: usize| {
        let names = ["Bakery Krume", "Blumen Vogt", "Fahrrad Ahrens", "Gasthof Zur Linde", "Praxis Dr. Öz"];
        let one =
            |at: usize| (format!("AG-{at}"), names.get(at % names.len()).copied().unwrap_or("").to_owned());
        (0..count).map(one).collect::<Vec<_>>()
    };
    let choice = |accounts: Vec<(String, String)>, total, search: &str| {
        EntryView::Account(AccountChoice {
            pending: "sample".to_owned(),
            app: "Beacon".to_owned(),
            person: anna(),
            accounts,
            total,
            search: search.to_owned(),
        })
    };
    let ask = |now| {
        EntryView::Ask(AskView {
            token: "sample".to_owned(),
            app: "Beacon".to_owned(),
            partner: "Meridian".to_owned(),
            now,
            next: Person::new("Ben Okafor", Some("ben@meridian.example".to_owned())),
        })
    };
    let recent = vec!["Meridian".to_owned(), "Harbour Bank".to_owned()];
    let sign_out =
        EntryView::SignOut { person: anna(), app: Some("Beacon".to_owned()), query: String::new() };
    let onward = EntryView::Onward { to: "https://beacon.example/".to_owned(), at_once: false };
    [
        ("entry-account", choice(accounts(3), 3, "")),
        ("entry-account-many", choice(accounts(12), 40, "")),
        ("entry-account-none", choice(Vec::new(), 40, "Zoo")),
        ("entry-account-empty", choice(Vec::new(), 0, "")),
        ("entry-partner", EntryView::Partner { app: "Beacon".to_owned(), partners: recent }),
        ("entry-partner-unknown", EntryView::Partner { app: "Beacon".to_owned(), partners: Vec::new() }),
        ("entry-consent", sample_consent()),
        ("entry-other_user", ask(Some(anna()))),
        ("entry-other_request", ask(None)),
        ("entry-onward", onward),
        ("entry-sign_out", sign_out),
        ("entry-signed_out", EntryView::SignedOut),
        ("entry-allowed", EntryView::Allowed { person: Some(anna()), list: vec![sample_allowed()] }),
        ("entry-allowed-nothing", EntryView::Allowed { person: Some(anna()), list: Vec::new() }),
        ("entry-allowed-nobody", EntryView::Allowed { person: None, list: Vec::new() }),
    ]
    .map(|(slug, view)| (slug, EntryPage::new(Shell::sample(), view)))
    .into()
}

fn scopes(list: &[&str]) -> Vec<String> {
    list.iter().map(|scope| (*scope).to_owned()).collect()
}

fn sample_consent() -> EntryView {
    EntryView::Consent(ConsentView {
        pending: "sample".to_owned(),
        app: "Beacon".to_owned(),
        vendor: "Beacon Labs".to_owned(),
        person: Person::sample(),
        account: Some("Bakery Krume".to_owned()),
        scopes: scopes(&["profile", "email", "offline_access", "reports:read"]),
    })
}

fn sample_allowed() -> AllowedView {
    let (client, app) = ("client-sample".to_owned(), "Beacon".to_owned());
    AllowedView { client, app, scopes: scopes(&["profile", "email"]) }
}
