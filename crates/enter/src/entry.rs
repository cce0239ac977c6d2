//! An entry: from the partner's request for a code to the app's door (contract `enter.md`, section 2).

mod admission;
mod code;
mod onward;
mod pending;
mod recent;
mod trips;

pub use admission::{Admission, Known, Who, WhoRefused, admit};
pub use code::{CODE_LIFETIME_S, Codes, EntryCode, Minted, Order, State};
pub use onward::{Arrival, Live, Onward, Question, onward};
pub use pending::{
    Answers, NextUrl, Nonce, PENDING_LIFETIME_S, PENDING_MOST, Pending, PendingRequests, Waiting,
};
pub use recent::{RECENT_LIFETIME_S, RECENT_MOST, RecentPartners};
pub use trips::{TRIPS_MOST, TRIPS_WINDOW_S, Trips};

/// Why an entry is refused: for the page that the person sees, and with a code for the partner's engineer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryRefused {
    #[error("This link is not known here. Go back and open the app again.")]
    CodeUnknown,
    #[error("This link was used already. Go back and open the app again.")]
    CodeUsed,
    #[error("This link has expired. Go back and open the app again.")]
    CodeLate,
    #[error("This link was made for another app. Go back and open the app again.")]
    CodeOtherApp,
    #[error("This app is switched off at the moment.")]
    AppDisabled,
    #[error("Entry from this company is switched off at the moment.")]
    PartnerDisabled,
    #[error("Your user is switched off. Ask the company that you came from.")]
    UserDisabled,
    #[error("This account is not known, or not one of the company that you came from.")]
    AccountUnknown,
    #[error("This account is switched off at the moment.")]
    AccountDisabled,
    #[error("Your user is not known here yet. Ask the company that you came from to add you.")]
    UserUnknown,
    #[error("You have no access to this account. Ask the company that you came from to give you access.")]
    NotAssociated,
    #[error("This app is not switched on for this account. Ask the company that you came from.")]
    AppNotActive,
    #[error("This kind of entry is not open to anybody.")]
    ContextForbidden,
    #[error(
        "Your sign-in goes round in circles between this page and the company that you came from. It was stopped."
    )]
    RedirectLoop,
}

impl EntryRefused {
    pub const ALL: [Self; 14] = [
        Self::CodeUnknown,
        Self::CodeUsed,
        Self::CodeLate,
        Self::CodeOtherApp,
        Self::AppDisabled,
        Self::PartnerDisabled,
        Self::UserDisabled,
        Self::AccountUnknown,
        Self::AccountDisabled,
        Self::UserUnknown,
        Self::NotAssociated,
        Self::AppNotActive,
        Self::ContextForbidden,
        Self::RedirectLoop,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CodeUnknown => "entry_code_unknown",
            Self::CodeUsed => "entry_code_used",
            Self::CodeLate => "entry_code_late",
            Self::CodeOtherApp => "entry_code_other_app",
            Self::AppDisabled => "app_disabled",
            Self::PartnerDisabled => "partner_disabled",
            Self::UserDisabled => "user_disabled",
            Self::AccountUnknown => "account_unknown",
            Self::AccountDisabled => "account_disabled",
            Self::UserUnknown => "user_unknown",
            Self::NotAssociated => "user_not_associated",
            Self::AppNotActive => "app_not_active",
            Self::ContextForbidden => "context_forbidden",
            Self::RedirectLoop => "redirect_loop",
        }
    }

    /// The HTTP status of the page that says so.
    pub const fn status(self) -> u16 {
        match self {
            Self::CodeUnknown | Self::AccountUnknown => 404,
            Self::CodeUsed | Self::CodeLate => 410,
            Self::CodeOtherApp => 400,
            Self::RedirectLoop => 508,
            _ => 403,
        }
    }
}
