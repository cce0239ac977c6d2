//! The callback: what an outside system's redirect brings, and whether it belongs to an attempt.

use super::Attempt;
use crate::connector::flow::harmless;
use crate::dialog::Failure;
use kernel::{Hashed, Plain, SecretText, Time};

/// The longest query that is read, in bytes.
const QUERY_BYTES: usize = 16 * 1024;
/// The most parameters.
const PARAMETERS: usize = 64;
/// The longest value, in bytes; some outside systems issue codes of several thousand.
const VALUE_BYTES: usize = 8 * 1024;
/// The longest name and the longest `state`, in bytes; ours has 43.
const NAME_BYTES: usize = 128;

/// Why a callback is refused. Nothing is changed by one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackRefused {
    #[error("The answer has no `state`, so it belongs to no sign-in begun here.")]
    StateMissing,
    #[error("The answer belongs to no sign-in begun here.")]
    StateUnknown,
    #[error("This sign-in was answered already. Go back to the page you came from.")]
    StateUsed,
    #[error("This sign-in was begun in another browser. Begin again in this one.")]
    OtherBrowser,
    #[error("This sign-in took too long. Go back to the page you came from and begin again.")]
    Late,
    #[error("The answer has the parameter `{0}` twice.")]
    Duplicate(String),
    #[error("The answer carries both a code and an error.")]
    Both,
    #[error("The answer carries neither a code nor an error.")]
    Neither,
    #[error("The answer is too long, or has too many parameters.")]
    TooLong,
    #[error("The parameter `{0}` contains characters that it cannot have.")]
    Characters(&'static str),
}

impl CallbackRefused {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::StateMissing => "state_missing",
            Self::StateUnknown => "state_unknown",
            Self::StateUsed => "state_used",
            Self::OtherBrowser => "state_other_browser",
            Self::Late => "state_late",
            Self::Duplicate(_) => "callback_duplicate",
            Self::Both => "callback_both",
            Self::Neither => "callback_neither",
            Self::TooLong => "callback_too_long",
            Self::Characters(_) => "callback_characters",
        }
    }

    /// What the person is told.
    pub const fn failure(&self) -> Failure {
        match self {
            Self::Late => Failure::TimedOut,
            Self::StateMissing | Self::StateUnknown | Self::StateUsed | Self::OtherBrowser => {
                Failure::StateMismatch
            }
            _ => Failure::ServerError,
        }
    }
}

/// What an outside system says went wrong (RFC 6749, section 4.1.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderError {
    /// Its own code: at most 100 characters, printable.
    pub error: String,
    /// Its own words: at most 300 characters, without control characters. Shown as text only.
    pub description: Option<String>,
}

impl ProviderError {
    /// As the person is told.
    pub fn failure(&self) -> Failure {
        match self.error.as_str() {
            "access_denied"
            | "user_denied"
            | "user_cancelled"
            | "user_cancelled_login"
            | "user_cancelled_authorize"
            | "consent_required"
            | "interaction_required"
            | "login_required" => Failure::UserDenied,
            "invalid_scope" | "insufficient_scope" => Failure::MissingScopes,
            "temporarily_unavailable" | "server_error" => Failure::ProviderDown,
            "account_selection_required" => Failure::WrongAccount,
            _ => Failure::ServerError,
        }
    }

    /// For the folded technical detail: one line without anything that looks like a token.
    pub fn detail(&self) -> String {
        match &self.description {
            Some(description) => harmless(&format!("{}: {description}", self.error)),
            None => harmless(&self.error),
        }
    }
}

/// What the callback answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Code(SecretText),
    Error(ProviderError),
    /// Neither, at a connector whose callback carries other things (`capture.callback`).
    Captured,
}

/// The callback's query, taken apart: each parameter once.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackQuery(Vec<(String, String)>);

impl std::fmt::Debug for CallbackQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl CallbackQuery {
    /// Reads the raw query, without the `?`.
    ///
    /// Decision: no parameter may stand twice, whatever its name (RFC 6749, section 3.1): a second `code` or
    /// `state` is how one is smuggled past whoever reads the other (lesson 5). The connector is not known yet,
    /// and may have renamed `code`, so no name can be exempt.
    ///
    /// # Errors
    /// [`CallbackRefused::TooLong`], [`CallbackRefused::Duplicate`].
    pub fn parse(raw_query: &str) -> Result<Self, CallbackRefused> {
        if raw_query.len() > QUERY_BYTES {
            return Err(CallbackRefused::TooLong);
        }
        let mut found: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(raw_query.as_bytes()) {
            if found.len() >= PARAMETERS || name.len() > NAME_BYTES || value.len() > VALUE_BYTES {
                return Err(CallbackRefused::TooLong);
            }
            if found.iter().any(|(known, _)| *known == name) {
                return Err(CallbackRefused::Duplicate(clean(&name, 60)));
            }
            found.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(found))
    }

    /// A parameter, for captures. An empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// All parameters in the order received.
    pub fn all(&self) -> &[(String, String)] {
        &self.0
    }

    /// The hashed `state`, with which the attempt is found. `parameter` is `state` unless the connector renames it.
    ///
    /// # Errors
    /// [`CallbackRefused::StateMissing`], [`CallbackRefused::TooLong`], [`CallbackRefused::Characters`].
    pub fn state(&self, parameter: &str) -> Result<Hashed, CallbackRefused> {
        let state = self.get(parameter).ok_or(CallbackRefused::StateMissing)?;
        if state.len() > NAME_BYTES {
            return Err(CallbackRefused::TooLong);
        }
        visible(state, "state")?;
        Ok(Plain::presented(state).hashed())
    }

    /// `iss` (RFC 9207), to be compared with the connector's issuer where one is known.
    pub fn iss(&self) -> Option<&str> {
        self.get("iss")
    }

    /// Code or error: exactly one. `code_parameter` is the connector's name for `code`; `captures` says that the
    /// connector's callback may carry neither.
    ///
    /// # Errors
    /// [`CallbackRefused::Both`], [`CallbackRefused::Neither`], [`CallbackRefused::Characters`].
    pub fn answer(&self, code_parameter: &str, captures: bool) -> Result<Answer, CallbackRefused> {
        match (self.get(code_parameter), self.get("error")) {
            (Some(_), Some(_)) => Err(CallbackRefused::Both),
            (None, None) if captures => Ok(Answer::Captured),
            (None, None) => Err(CallbackRefused::Neither),
            (Some(code), None) => {
                visible(code, "code")?;
                Ok(Answer::Code(SecretText::new(code)))
            }
            (None, Some(error)) => Ok(Answer::Error(ProviderError {
                error: clean(error, 100),
                description: self
                    .get("error_description")
                    .map(|text| clean(text, 300))
                    .filter(|text| !text.is_empty()),
            })),
        }
    }
}

/// RFC 6749, appendix A: `code` and `state` are printable ASCII.
fn visible(value: &str, name: &'static str) -> Result<(), CallbackRefused> {
    if value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        Ok(())
    } else {
        Err(CallbackRefused::Characters(name))
    }
}

fn clean(text: &str, longest: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(longest).collect()
}

impl Attempt {
    /// Whether a callback with this `state` and this binding cookie may answer the attempt at `now`.
    ///
    /// Decision: the browser that comes back must be the one that set out, shown by the cookie; otherwise
    /// somebody could finish in their own browser a connection that another began, or the other way round
    /// (lessons 20 and 21). A callback from another browser does not use the attempt up, so that nobody can end
    /// someone else's sign-in with a guess. What makes the state single-use is the store's guarded update; this
    /// check only says it earlier and in words.
    ///
    /// # Errors
    /// [`CallbackRefused`].
    pub fn check_callback(
        &self,
        state: &Hashed,
        cookie: Option<&Hashed>,
        now: Time,
    ) -> Result<(), CallbackRefused> {
        if *state != self.state {
            return Err(CallbackRefused::StateUnknown);
        }
        // The cookie ends with the attempt: a browser without one may be the right one that is too late.
        if cookie.is_none() && now >= self.expires {
            return Err(CallbackRefused::Late);
        }
        if cookie.is_none_or(|cookie| *cookie != self.cookie) {
            return Err(CallbackRefused::OtherBrowser);
        }
        if self.used.is_some() {
            return Err(CallbackRefused::StateUsed);
        }
        if now >= self.expires {
            return Err(CallbackRefused::Late);
        }
        Ok(())
    }
}
