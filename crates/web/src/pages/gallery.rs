//! Every page in every state, rendered from its sample: for people who look, and for the tests.

use super::callback::{CallbackOutcome, CallbackPage};
use super::dialog::{Choosable, DialogPage, DialogView};
use super::entry::{self, EntryPage};
use super::fields::FormView;
use super::home::HomePage;
use super::markup;
use super::outcome::{FAILURES, FailureView, failure_code};
use super::refusal::{RefusalKind, RefusalPage};
use super::shell::{Party, Scheme, Shell, Theme};
use super::start::StartPage;
use crate::texts::{Locale, Words};
use connect::dialog::{Choice, Failure};
use connect::refusal::Code;
use kernel::{Color, Time};

/// One page in one state.
#[derive(Debug, Clone)]
pub struct Specimen {
    /// The last part of `/gallery/{slug}`.
    pub slug: String,
    page: Page,
}

#[derive(Debug, Clone)]
enum Page {
    Dialog(Box<DialogPage>),
    Refusal(RefusalPage),
    Start(StartPage),
    Callback(CallbackPage),
    Home(HomePage),
    Entry(Box<EntryPage>),
}

impl Specimen {
    fn new(slug: impl Into<String>, page: Page) -> Self {
        Self { slug: slug.into(), page }
    }

    fn dialog(slug: impl Into<String>, view: DialogView) -> Self {
        Self::new(slug, Page::Dialog(Box::new(DialogPage::sample(view))))
    }

    /// The page in a language and a scheme.
    pub fn render(&self, locale: Locale, scheme: Scheme, nonce: &str) -> String {
        let dress = |shell: &Shell| Shell { locale, scheme, nonce: nonce.to_owned(), ..shell.clone() };
        match &self.page {
            Page::Dialog(page) => DialogPage { shell: dress(&page.shell), ..(**page).clone() }.render(),
            Page::Refusal(page) => RefusalPage { shell: dress(&page.shell), ..page.clone() }.render(),
            Page::Start(page) => StartPage { shell: dress(&page.shell), ..page.clone() }.render(),
            Page::Callback(page) => CallbackPage { shell: dress(&page.shell), ..page.clone() }.render(),
            Page::Home(page) => HomePage { shell: dress(&page.shell), ..page.clone() }.render(),
            Page::Entry(page) => EntryPage { shell: dress(&page.shell), ..(**page).clone() }.render(),
        }
    }
}

/// The gallery's own page: frames that show each specimen in light, dark, 360 px and right-to-left.
#[derive(Debug, Clone)]
pub struct Gallery {
    pub shell: Shell,
    /// Shows only this part (`dialog`, `refusal`, ..), from the query.
    pub part: Option<String>,
}

#[derive(askama::Template)]
#[template(path = "gallery.html")]
struct Whole<'a> {
    gallery: &'a Gallery,
    shell: &'a Shell,
    words: Words,
    specimens: Vec<Specimen>,
}

/// The parts of the gallery: what stands before the first `-` of a slug.
pub const PARTS: [&str; 6] = ["dialog", "refusal", "start", "callback", "entry", "home"];

impl Gallery {
    pub fn render(&self) -> String {
        let wanted = |specimen: &Specimen| self.shows(specimen);
        let specimens = specimens().into_iter().filter(wanted).collect();
        markup(&Whole { gallery: self, shell: &self.shell, words: Words::new(self.shell.locale), specimens })
    }

    fn shows(&self, specimen: &Specimen) -> bool {
        self.part.as_ref().is_none_or(|part| specimen.slug.split('-').next() == Some(part))
    }

    pub fn parts(&self) -> &'static [&'static str] {
        &PARTS
    }

    pub fn is_part(&self, part: &str) -> bool {
        self.part.as_deref() == Some(part)
    }

    /// One specimen's page; `None` where there is none of that name.
    pub fn specimen(slug: &str) -> Option<Specimen> {
        specimens().into_iter().find(|specimen| specimen.slug == slug)
    }

    pub fn sample() -> Self {
        Self { shell: Shell::sample(), part: None }
    }
}

/// All of them, in the order in which a person meets them.
pub fn specimens() -> Vec<Specimen> {
    let mut all = dialogs();
    all.extend(FAILURES.into_iter().map(failed));
    all.extend(branded());
    let landing = Code::ALL.iter().map(|code| RefusalKind::Landing(*code));
    all.extend(landing.chain(RefusalKind::OTHERS).chain(RefusalKind::ENTRY).map(|kind| {
        Specimen::new(format!("refusal-{}", kind.code()), Page::Refusal(RefusalPage::sample(kind)))
    }));
    all.push(Specimen::new("start", Page::Start(StartPage::sample())));
    all.extend(callbacks());
    let entries = entry::samples().into_iter();
    all.extend(entries.map(|(slug, page)| Specimen::new(slug, Page::Entry(Box::new(page)))));
    all.push(Specimen::new("home", Page::Home(HomePage::sample())));
    all
}

fn dialogs() -> Vec<Specimen> {
    let start_url = || "/start/sample".to_owned();
    let account = || Some("anna@hubspot.example".to_owned());
    let choices = [("1", "Acme Europe"), ("2", "Acme United States"), ("3", "Acme test account")]
        .map(|(value, label)| Choosable { value: value.to_owned(), label: label.to_owned() });
    vec![
        Specimen::dialog("dialog-confirm_identity", DialogView::ConfirmIdentity),
        Specimen::dialog(
            "dialog-connected",
            DialogView::Connected { account: account(), since: Some(SAMPLE_TIME) },
        ),
        with_system("dialog-form", "Stripe", DialogView::Form(FormView::sample())),
        with_system("dialog-form-refused", "Stripe", DialogView::Form(FormView::sample_refused())),
        with_system("dialog-form-long", "Zendesk", DialogView::Form(FormView::sample_long())),
        Specimen::dialog("dialog-ready", DialogView::Ready { start_url: start_url() }),
        Specimen::dialog("dialog-waiting", DialogView::Waiting { start_url: Some(start_url()) }),
        Specimen::dialog("dialog-code", DialogView::Code { tries_left: None }),
        Specimen::dialog("dialog-code-wrong", DialogView::Code { tries_left: Some(3) }),
        Specimen::dialog("dialog-checking", DialogView::Checking),
        Specimen::dialog("dialog-choose", DialogView::Choose { choices: choices.to_vec() }),
        Specimen::dialog("dialog-installing", DialogView::Installing),
        Specimen::dialog("dialog-success", DialogView::Success { account: account() }),
        Specimen::dialog("dialog-cancelled", DialogView::Cancelled),
    ]
}

const SAMPLE_TIME: Time = Time::from_micros(1_794_000_000_000_000);

fn with_system(slug: &str, system: &str, view: DialogView) -> Specimen {
    let page = DialogPage { system: Party::new(system, None), ..DialogPage::sample(view) };
    Specimen::new(slug, Page::Dialog(Box::new(page)))
}

fn failed(failure: Failure) -> Specimen {
    let mut view = FailureView::new(failure);
    view.start_url = (failure != Failure::InvalidCredentials).then(|| "/start/sample".to_owned());
    match failure {
        Failure::MissingScopes => {
            view.advice = Some("The account needs the Super Admin permission.".to_owned());
        }
        Failure::ProviderDown => view.detail = Some("POST token endpoint: 503 after 2 tries".to_owned()),
        _ => {}
    }
    Specimen::dialog(format!("dialog-failed-{}", failure_code(failure)), DialogView::Failed(view))
}

/// The same page in colours that are hard: a yellow, a nearly black one, and one of our own middle.
fn branded() -> Vec<Specimen> {
    let colors = [("yellow", "#ffdd00"), ("night", "#101418"), ("violet", "#7a5cff")];
    let page = |color: &str| {
        let mut page = DialogPage::sample(DialogView::Ready { start_url: "/start/sample".to_owned() });
        page.organization = Party::new("Åsgård Logistics", None);
        page.shell.theme = Color::parse(color).ok().map(Theme::of);
        Page::Dialog(Box::new(page))
    };
    colors.iter().map(|(name, color)| Specimen::new(format!("dialog-brand-{name}"), page(color))).collect()
}

fn callbacks() -> Vec<Specimen> {
    let sample = |slug: &str, outcome| Specimen::new(slug, Page::Callback(CallbackPage::sample(outcome)));
    let failed =
        |failure| CallbackOutcome::Failed { failure, detail: Some("state: unknown or used".to_owned()) };
    let mut stranger = CallbackPage::sample(failed(Failure::StateMismatch));
    (stranger.organization, stranger.system) = (None, None);
    let mut tab = CallbackPage::sample(CallbackOutcome::Installed);
    tab.continue_url = Some("https://app.acme.example/".to_owned());
    vec![
        sample("callback-arrived", CallbackOutcome::Arrived),
        Specimen::new("callback-tab", Page::Callback(tab)),
        sample(
            "callback-choose",
            CallbackOutcome::Choose {
                state: "0123456789abcdef".to_owned(),
                choices: ["North", "South"]
                    .map(|label| Choice { value: label.to_lowercase(), label: label.to_owned() })
                    .into(),
            },
        ),
        sample("callback-code", CallbackOutcome::Code("K7F2QM".to_owned())),
        sample("callback-user_denied", failed(Failure::UserDenied)),
        Specimen::new("callback-state_mismatch", Page::Callback(stranger)),
    ]
}
