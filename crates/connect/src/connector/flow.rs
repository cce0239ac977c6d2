//! Talking to an outside system, the pure half: requests are built here and answers are judged here; who
//! sends them is `outbound`.

mod answer;
mod authorize;
mod call;
mod callback;
mod rate;
mod steps;
mod token;
mod xml;

pub use answer::{read_refresh_answer, read_token_answer};
pub use authorize::authorize_url;
pub use call::{Access, CallBody, CallRefused, Wanted, access, call_request, redirected};
pub use callback::{Captured, captures_from_callback, check_callback};
pub use rate::{Inside, Rate, rest_s, said_inside};
pub use steps::{
    StepOutcome, account_of, read_revoke_answer, read_step_answer, read_verify_answer, revoke_request,
    step_request, verify_request, with_credential,
};
pub use token::{Exchange, refresh_request, token_request};
pub use xml::{Fault as SoapFault, XmlRefused, fault_in, read_xml};

use super::template::TemplateFailed;
use crate::dialog::Failure;

/// Why a provider's answer is no success. `detail` is technical, folded away on the page, and never holds a
/// secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFailure {
    pub failure: Failure,
    pub detail: String,
    /// The provider's own code, where it is one: `invalid_grant`.
    pub code: Option<String>,
    /// For the person, from `[verify] fail_text`.
    pub text: Option<String>,
    /// The credential is dead for good: only connecting again helps. Not set for 5xx, time-outs and limits,
    /// after which the old token stays in use.
    pub reconnect: bool,
    /// How long it asks to be left alone, in seconds.
    pub rest_s: Option<i64>,
}

impl ProviderFailure {
    pub fn new(failure: Failure, detail: impl Into<String>) -> Self {
        Self { failure, detail: detail.into(), code: None, text: None, reconnect: false, rest_s: None }
    }

    fn with_code(mut self, code: Option<String>) -> Self {
        self.code = code;
        self
    }

    /// Without these values, wherever the outside system repeated them. The rule for details finds what
    /// looks like a token; a password may look like a word, so that who knows the secrets takes them out.
    #[must_use]
    pub fn without(mut self, secrets: &[&str]) -> Self {
        for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
            self.detail = self.detail.replace(secret, "[hidden]");
            self.code = self.code.filter(|code| !code.contains(secret));
        }
        self
    }

    /// Whether waiting may help: the outside system is down or limits us.
    pub fn is_weather(&self) -> bool {
        matches!(self.failure, Failure::ProviderDown | Failure::TimedOut | Failure::Capped)
    }
}

impl From<TemplateFailed> for ProviderFailure {
    fn from(failed: TemplateFailed) -> Self {
        Self::new(Failure::ServerError, format!("a request could not be built: {failed}"))
    }
}

/// A provider's words, fit for a page: one line, at most 200 characters, and nothing that looks like a token.
///
/// Decision: words of 16 or more characters with a digit among them are hidden. Attack: error texts repeat
/// the code or the secret they refused, and the detail reaches pages and logs. Trade: a long id is lost too.
pub(crate) fn harmless(text: &str) -> String {
    let line: String = text.chars().take(2000).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = line.split_whitespace().map(|word| if looks_secret(word) { "[hidden]" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

fn looks_secret(word: &str) -> bool {
    word.len() >= 16 && word.chars().any(|c| c.is_ascii_digit())
}

/// An error code as the provider writes it, where it is a code and no prose.
fn code_of(text: &str) -> Option<String> {
    let fits = (1..=64).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
        && !looks_secret(text);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
#[path = "flow_tests/mod.rs"]
mod tests;
