//! The page of a refused landing, and of everything else that cannot be shown.

use super::dialog::ParentMessage;
use super::shell::{Party, Shell};
use super::{markup, script_json};
use crate::texts::Words;
use connect::refusal::Code;

/// Why there is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// A code of contract `connect.md`, section 1.
    Landing(Code),
    /// The dialog's 15 minutes are over, or there never was such a dialog.
    DialogExpired,
    /// A start link that was used, is too old, or was never given.
    StartExpired,
    /// 421: the request named a host that is not ours.
    HostUnknown,
    NotFound,
    MethodNotAllowed,
    /// A POST whose `Origin` is not ours.
    OriginForbidden,
    /// A form whose body is larger than one is taken.
    BodyTooLarge,
    /// Our own fault, or a store that does not answer.
    Unavailable,
    /// A refusal of the second door, by its code, with its status: one of [`RefusalKind::ENTRY`].
    Entry(&'static str, u16),
}

impl RefusalKind {
    /// Those beside the landing's codes.
    pub const OTHERS: [Self; 8] = [
        Self::DialogExpired,
        Self::StartExpired,
        Self::HostUnknown,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::OriginForbidden,
        Self::BodyTooLarge,
        Self::Unavailable,
    ];

    /// Those of the second door.
    pub const ENTRY: [Self; 31] = [
        Self::Entry("entry_code_missing", 400),
        Self::Entry("entry_code_unknown", 404),
        Self::Entry("entry_code_used", 410),
        Self::Entry("entry_code_late", 410),
        Self::Entry("entry_code_other_app", 400),
        Self::Entry("app_disabled", 403),
        Self::Entry("app_unknown", 404),
        Self::Entry("app_not_active", 403),
        Self::Entry("app_needs_account", 400),
        Self::Entry("partner_disabled", 403),
        Self::Entry("user_disabled", 403),
        Self::Entry("user_unknown", 403),
        Self::Entry("user_not_associated", 403),
        Self::Entry("account_unknown", 404),
        Self::Entry("account_disabled", 403),
        Self::Entry("context_forbidden", 403),
        Self::Entry("context_type_unknown", 400),
        Self::Entry("context_malformed", 400),
        Self::Entry("link_malformed", 400),
        Self::Entry("redirect_loop", 508),
        Self::Entry("request_parameters", 400),
        Self::Entry("client_unknown", 400),
        Self::Entry("client_disabled", 400),
        Self::Entry("redirect_uri_unknown", 400),
        Self::Entry("request_uri_unknown", 400),
        Self::Entry("request_over", 410),
        Self::Entry("other_browser", 403),
        Self::Entry("logout_refused", 400),
        Self::Entry("session_url_status", 502),
        Self::Entry("session_url_answer", 502),
        Self::Entry("session_url_unreachable", 502),
    ];

    /// The stable code, also the key in the texts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Landing(code) => code.as_str(),
            Self::DialogExpired => "dialog_expired",
            Self::StartExpired => "start_expired",
            Self::HostUnknown => "host_unknown",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::OriginForbidden => "origin_forbidden",
            Self::BodyTooLarge => "body_too_large",
            Self::Unavailable => "unavailable",
            Self::Entry(code, _) => code,
        }
    }

    pub const fn status(self) -> u16 {
        match self {
            Self::Landing(code) => code.status(),
            Self::DialogExpired | Self::StartExpired => 410,
            Self::HostUnknown => 421,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::OriginForbidden => 403,
            Self::BodyTooLarge => 413,
            Self::Unavailable => 503,
            Self::Entry(_, status) => status,
        }
    }

    /// Who can mend it decides the heading.
    const fn heading(self) -> &'static str {
        match self {
            Self::Landing(
                Code::TokenExpired | Code::TokenStale | Code::TokenReplayed | Code::TokenNotYetValid,
            )
            | Self::DialogExpired
            | Self::StartExpired => "refused.heading.again",
            Self::Landing(Code::OrganizationUnknown | Code::ConnectorUnknown | Code::IntegrationUnknown)
            | Self::HostUnknown
            | Self::NotFound
            | Self::Entry(_, 404) => "refused.heading.unknown",
            Self::Entry(_, 410) => "refused.heading.again",
            Self::Unavailable => "refused.heading.broken",
            Self::Landing(_)
            | Self::MethodNotAllowed
            | Self::OriginForbidden
            | Self::BodyTooLarge
            | Self::Entry(..) => "refused.heading.mend",
        }
    }
}

/// The page. It holds no action and no user's data, so that it may be framed by anybody
/// (design `browser.md`, CSP): the facts that belong to developers name the claim, never what was seen.
#[derive(Debug, Clone)]
pub struct RefusalPage {
    pub shell: Shell,
    pub kind: RefusalKind,
    /// `None` where the organization is not known.
    pub organization: Option<Party>,
    /// Which claim, as a path.
    pub claim: Option<String>,
    pub reference: String,
    /// `{brand}-error` for the parent's registered origins; empty where there is none to tell.
    pub messages: Vec<ParentMessage>,
}

#[derive(askama::Template)]
#[template(path = "refusal.html")]
struct Whole<'a> {
    page: &'a RefusalPage,
    shell: &'a Shell,
    words: Words,
    text: String,
    data: String,
}

/// The stand-in for an unknown organization's name may begin the sentence.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

impl RefusalPage {
    pub fn render(&self) -> String {
        let (words, text) = (self.words(), self.text());
        let data = script_json(&self.messages);
        markup(&Whole { page: self, shell: &self.shell, words, text, data })
    }

    /// What the person is told, in a sentence.
    pub fn text(&self) -> String {
        capitalized(&self.words().say_in(self.key(), "text"))
    }

    fn words(&self) -> Words {
        let general = Words::new(self.shell.locale);
        let app = self
            .organization
            .as_ref()
            .map_or_else(|| general.say("refused.app").into_owned(), |party| party.name.clone());
        general.with("app", app)
    }

    /// The key of the heading.
    pub fn heading(&self) -> &'static str {
        self.kind.heading()
    }

    /// The code's table in the texts.
    pub fn key(&self) -> String {
        format!("refused.{}", self.kind.code())
    }

    pub fn sample(kind: RefusalKind) -> Self {
        let knows_organization = !matches!(
            kind,
            RefusalKind::Landing(Code::OrganizationUnknown)
                | RefusalKind::HostUnknown
                | RefusalKind::NotFound
                | RefusalKind::Entry(..)
        );
        let claim = match kind {
            RefusalKind::Landing(Code::ClaimMissing) => Some("ti.xti.connector_name"),
            RefusalKind::Landing(Code::ClaimInvalid | Code::TokenStale) => Some("iat"),
            _ => None,
        };
        Self {
            shell: Shell::sample(),
            kind,
            organization: knows_organization.then(|| Party::new("Acme", None)),
            claim: claim.map(str::to_owned),
            reference: "01K9Z3M7Q4".to_owned(),
            messages: Vec::new(),
        }
    }
}
