//! The page at the end of the popup: "go back".

use super::markup;
use super::outcome::failure_code;
use super::shell::{Party, Shell};
use crate::texts::Words;
use connect::dialog::{Choice, Failure};

/// How the callback went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// The credential is pending; the dialog confirms it by itself.
    Arrived,
    /// The sign-in ran in the tab of the embedding page, and everything is done.
    Installed,
    /// In that tab too, and one of several is to be chosen; the form carries the state of the sign-in.
    Choose { state: String, choices: Vec<Choice> },
    /// As [`Arrived`](Self::Arrived), but the short code must be typed into the waiting dialog.
    Code(String),
    /// Nothing is pending. `detail` is technical and folded.
    Failed { failure: Failure, detail: Option<String> },
}

/// The page. It closes its window where the browser lets it, unless there is something to read.
#[derive(Debug, Clone)]
pub struct CallbackPage {
    pub shell: Shell,
    /// `None` where the state is not known, so that nobody can be named.
    pub organization: Option<Party>,
    pub system: Option<Party>,
    pub outcome: CallbackOutcome,
    /// Set when the sign-in ran in the tab of the embedding page: a link onwards instead of a closed window.
    pub continue_url: Option<String>,
    pub reference: String,
}

#[derive(askama::Template)]
#[template(path = "callback.html")]
struct Whole<'a> {
    page: &'a CallbackPage,
    shell: &'a Shell,
    words: Words,
}

impl CallbackPage {
    pub fn render(&self) -> String {
        let general = Words::new(self.shell.locale);
        let name = |party: &Option<Party>, otherwise: &str| {
            party.as_ref().map_or_else(|| general.say(otherwise).into_owned(), |party| party.name.clone())
        };
        let (app, system) = (name(&self.organization, "callback.app"), name(&self.system, "callback.system"));
        let words = general.with("app", app).with("system", system);
        markup(&Whole { page: self, shell: &self.shell, words })
    }

    /// Whether the window may close by itself: not while a code or an error is to be read.
    pub fn closes(&self) -> bool {
        self.outcome == CallbackOutcome::Arrived && self.continue_url.is_none()
    }

    /// Whether the person has to answer before it goes on.
    pub fn asks(&self) -> bool {
        matches!(self.outcome, CallbackOutcome::Choose { .. })
    }

    /// Whether a button to close the window makes sense: not while the code must be read.
    pub fn may_close(&self) -> bool {
        !matches!(self.outcome, CallbackOutcome::Code(_) | CallbackOutcome::Choose { .. })
    }

    /// Decides the sign between the two logos.
    pub const fn stage(&self) -> &'static str {
        match self.outcome {
            CallbackOutcome::Failed { .. } => "failed",
            CallbackOutcome::Arrived
            | CallbackOutcome::Installed
            | CallbackOutcome::Choose { .. }
            | CallbackOutcome::Code(_) => "arrived",
        }
    }

    /// The failure's table in the texts.
    pub fn failure_key(&self) -> String {
        match self.outcome {
            CallbackOutcome::Failed { failure, .. } => format!("failed.{}", failure_code(failure)),
            _ => String::new(),
        }
    }

    /// The code in two groups, so that it is easily read across.
    pub fn code_groups(&self) -> Vec<String> {
        let CallbackOutcome::Code(code) = &self.outcome else { return Vec::new() };
        let letters: Vec<char> = code.chars().filter(|c| c.is_alphanumeric()).collect();
        let half = letters.len().div_ceil(2).max(1);
        letters.chunks(half).map(|group| group.iter().collect()).collect()
    }

    pub fn sample(outcome: CallbackOutcome) -> Self {
        Self {
            shell: Shell::sample(),
            organization: Some(Party::new("Acme", None)),
            system: Some(Party::new("HubSpot", None)),
            outcome,
            continue_url: None,
            reference: "01K9Z3M7Q4".to_owned(),
        }
    }
}
