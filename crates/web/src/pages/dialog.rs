//! The dialog: the framed page in which a person connects an outside system.

use super::fields::FormView;
use super::outcome::{FailureView, failure_code};
use super::shell::{Party, Person, Shell};
use super::{markup, script_json};
use crate::texts::Words;
use connect::attempt::TICKET_LIFETIME_S;
use connect::dialog::Failure;
use kernel::{Brand, Time};
use serde::Serialize;

/// One of several things that the person may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choosable {
    pub value: String,
    pub label: String,
}

/// What the dialog shows now, with what only this stage needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogView {
    /// The landing was opened as a link, not in a frame.
    ConfirmIdentity,
    /// Connected already: reconnect or disconnect.
    Connected {
        account: Option<String>,
        since: Option<Time>,
    },
    Form(FormView),
    /// `start_url` is a fresh `/start/{ticket}`.
    Ready {
        start_url: String,
    },
    /// The outside system is open elsewhere. With `start_url` it can be opened again.
    Waiting {
        start_url: Option<String>,
    },
    /// The short code shown after the callback is to be typed here. `tries_left` is set after a wrong one.
    Code {
        tries_left: Option<u8>,
    },
    Checking,
    Choose {
        choices: Vec<Choosable>,
    },
    Installing,
    Success {
        account: Option<String>,
    },
    Cancelled,
    Failed(FailureView),
}

impl DialogView {
    /// The stable name of the stage, in the state JSON and on the `<main>` element.
    pub const fn stage(&self) -> &'static str {
        match self {
            Self::ConfirmIdentity => "confirm_identity",
            Self::Connected { .. } => "connected",
            Self::Form(_) => "form",
            Self::Ready { .. } => "ready",
            Self::Waiting { .. } => "waiting",
            Self::Code { .. } => "code",
            Self::Checking => "checking",
            Self::Choose { .. } => "choose",
            Self::Installing => "installing",
            Self::Success { .. } => "success",
            Self::Cancelled => "cancelled",
            Self::Failed(_) => "failed",
        }
    }

    /// The one-time start link of this stage.
    pub fn start_url(&self) -> Option<&str> {
        match self {
            Self::Ready { start_url } => Some(start_url),
            Self::Waiting { start_url } => start_url.as_deref(),
            Self::Failed(view) => view.start_url.as_deref(),
            _ => None,
        }
    }
}

/// The dialog's page. The same data gives the whole document and the inner part that the script swaps in.
#[derive(Debug, Clone)]
pub struct DialogPage {
    pub shell: Shell,
    pub organization: Party,
    pub system: Party,
    pub person: Person,
    /// `/dialogs/{secret}`, without a slash at the end.
    pub path: String,
    /// Shown with failures; support finds the dialog by it.
    pub reference: String,
    /// The dialog's version; the script ignores what is older than what it shows.
    pub version: i64,
    /// Seconds until the dialog ends.
    pub expires_in: i64,
    pub brand: Brand,
    /// The parent's origins, exactly as registered; `*` only in a sandbox that has none.
    pub target_origins: Vec<String>,
    /// Whether the page shall confirm by itself (the callback's credential is pending).
    pub auto_confirm: bool,
    /// Whether messages for the parent window wait at `{path}/announcement`.
    pub announce: bool,
    pub view: DialogView,
}

/// What `/state`, the `stage` events and every POST answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DialogState {
    pub stage: &'static str,
    pub version: i64,
    /// `<main>…</main>`; absent in the copy that stands inside the page itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    pub start_url: Option<String>,
    /// `confirm`: the script posts to `{path}/confirm` at once.
    pub auto: Option<&'static str>,
    pub announce: bool,
    pub expires_in: i64,
}

/// One message for the parent window, as `{path}/announcement` hands it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentMessage {
    pub target_origin: String,
    pub data: serde_json::Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScriptData<'a> {
    path: &'a str,
    brand: &'a str,
    target_origins: &'a [String],
    start_lifetime: i64,
    state: DialogState,
}

#[derive(askama::Template)]
#[template(path = "dialog.html")]
struct Whole<'a> {
    page: &'a DialogPage,
    shell: &'a Shell,
    words: Words,
    data: String,
}

#[derive(askama::Template)]
#[template(path = "dialog/main.html")]
struct Main<'a> {
    page: &'a DialogPage,
    words: Words,
}

impl DialogPage {
    /// The same page, which asks first: without a link that begins anything, and telling nobody anything.
    #[must_use]
    pub fn asking_who_is_there(self) -> Self {
        Self { view: DialogView::ConfirmIdentity, auto_confirm: false, announce: false, ..self }
    }

    /// The whole document.
    pub fn render(&self) -> String {
        let data = script_json(&ScriptData {
            path: &self.path,
            brand: self.brand.as_str(),
            target_origins: &self.target_origins,
            start_lifetime: TICKET_LIFETIME_S,
            state: self.state_without_markup(),
        });
        markup(&Whole { page: self, shell: &self.shell, words: self.words(), data })
    }

    /// `<main>…</main>` of the current stage.
    pub fn main(&self) -> String {
        markup(&Main { page: self, words: self.words() })
    }

    /// What `/state`, an event or a POST answers for this page.
    pub fn state(&self) -> DialogState {
        DialogState { html: Some(self.main()), ..self.state_without_markup() }
    }

    fn state_without_markup(&self) -> DialogState {
        DialogState {
            stage: self.view.stage(),
            version: self.version,
            html: None,
            start_url: self.view.start_url().map(str::to_owned),
            auto: self.auto_confirm.then_some("confirm"),
            announce: self.announce,
            expires_in: self.expires_in,
        }
    }

    fn words(&self) -> Words {
        Words::new(self.shell.locale)
            .with("app", &self.organization.name)
            .with("system", &self.system.name)
            .with("person", self.person.line())
            .with("account", self.account().unwrap_or_default())
            .with("tries", self.tries_left().map(|tries| tries.to_string()).unwrap_or_default())
    }

    /// The account at the outside system, where this stage knows it.
    pub fn account(&self) -> Option<&str> {
        match &self.view {
            DialogView::Connected { account, .. } | DialogView::Success { account } => account.as_deref(),
            _ => None,
        }
    }

    fn tries_left(&self) -> Option<u8> {
        match self.view {
            DialogView::Code { tries_left } => tries_left,
            _ => None,
        }
    }

    /// The start link that stays in this tab: the callback's page then goes on by itself.
    pub fn tab_url(&self) -> String {
        self.view.start_url().map(|start_url| format!("{start_url}?tab=1")).unwrap_or_default()
    }

    /// Whether the failure's one action is to open the outside system in this tab.
    pub fn acts_in_tab(&self) -> bool {
        matches!(&self.view, DialogView::Failed(view) if view.failure == Failure::PopupBlocked && view.start_url.is_some())
    }

    /// The day of a moment, `2026-11-21`; the script writes it in the person's own way.
    pub(crate) fn day(moment: &Time) -> String {
        moment.iso_seconds().chars().take(10).collect()
    }

    /// The failure's table in the texts.
    pub fn failure_key(&self) -> String {
        match &self.view {
            DialogView::Failed(view) => format!("failed.{}", failure_code(view.failure)),
            _ => String::new(),
        }
    }

    /// As the gallery shows it, in the stage given.
    pub fn sample(view: DialogView) -> Self {
        Self {
            shell: Shell::sample(),
            organization: Party::new("Acme", None),
            system: Party::new("HubSpot", None),
            person: Person::sample(),
            path: "/dialogs/sample".to_owned(),
            reference: "01K9Z3M7Q4".to_owned(),
            version: 3,
            expires_in: 840,
            brand: Brand::default(),
            target_origins: vec!["https://app.acme.example".to_owned()],
            auto_confirm: matches!(view, DialogView::Checking),
            announce: false,
            view,
        }
    }
}
