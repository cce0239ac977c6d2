//! What went wrong, told to a person: one sentence, one action, a reference, and the detail folded away.

use connect::dialog::Failure;

/// A failure as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureView {
    pub failure: Failure,
    /// The connector's own advice, such as "The account needs the Super Admin permission."
    pub advice: Option<String>,
    /// Technical, folded; never a secret, never a token.
    pub detail: Option<String>,
    /// Where a new sign-in can begin at once; without it the action is a plain "try again" to the server.
    pub start_url: Option<String>,
}

impl FailureView {
    pub const fn new(failure: Failure) -> Self {
        Self { failure, advice: None, detail: None, start_url: None }
    }
}

/// All failures, in the order of design `browser.md`.
pub const FAILURES: [Failure; 10] = [
    Failure::PopupBlocked,
    Failure::UserDenied,
    Failure::WrongAccount,
    Failure::MissingScopes,
    Failure::ProviderDown,
    Failure::InvalidCredentials,
    Failure::StateMismatch,
    Failure::TimedOut,
    Failure::Capped,
    Failure::ServerError,
];

/// The stable name of a failure: its table in the texts, and `code` of the message to the parent window.
pub const fn failure_code(failure: Failure) -> &'static str {
    match failure {
        Failure::PopupBlocked => "popup_blocked",
        Failure::UserDenied => "user_denied",
        Failure::WrongAccount => "wrong_account",
        Failure::MissingScopes => "missing_scopes",
        Failure::ProviderDown => "provider_down",
        Failure::InvalidCredentials => "invalid_credentials",
        Failure::StateMismatch => "state_mismatch",
        Failure::TimedOut => "timed_out",
        Failure::Capped => "capped",
        Failure::ServerError => "server_error",
    }
}
