//! Which stage follows which (design `browser.md`).

use super::{Choice, Dialog, Failure, GRACE_S, Stage};
use crate::attempt::code_matches;
use kernel::Time;
use kernel::ids::{AttemptId, TenantId};

/// How long outgoing calls and the installation may take, in seconds.
pub const INSTALLING_S: i64 = 120;
/// How often the short code may be typed. Six characters of 30 give a guesser 5 chances in 729 million.
pub const CODE_TRIES: u8 = 5;

/// How a connector is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// At the outside system, in a popup or a tab.
    SignIn,
    /// With what is typed into the form, which may be nothing but the button.
    Fields,
}

/// What a dialog is opened, or opened again, with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    pub way: Way,
    /// Whether a sign-in needs inputs first that are not there yet.
    pub asks_inputs: bool,
    /// The tenant in which this user has the connection already.
    pub connected: Option<TenantId>,
}

impl Opening {
    /// The stage at which a person begins who has nothing connected.
    fn first(self) -> Stage {
        match self.way {
            Way::SignIn if !self.asks_inputs => Stage::Ready,
            Way::SignIn | Way::Fields => Stage::Form,
        }
    }

    fn stage(self) -> Stage {
        self.connected.map_or_else(|| self.first(), |tenant| Stage::Connected { tenant })
    }
}

/// What happens to a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// "Yes, that is me", after a landing that came as a link.
    IdentityConfirmed(Opening),
    /// The form was sent and each field is well formed; `Fields` goes on to the check at the outside system.
    InputsAccepted(Way),
    /// "Reconnect" where the connection exists and the form comes first.
    Reconnected(Opening),
    /// The connection was revoked and removed on request.
    Disconnected(Opening),
    /// A start ticket was used: the outside system is open.
    Started(AttemptId),
    /// The callback brought a credential; `code` where the start was not opened by our own page.
    CallbackArrived {
        attempt: AttemptId,
        code: Option<String>,
    },
    CallbackRefused {
        attempt: AttemptId,
        failure: Failure,
        detail: Option<String>,
    },
    /// Nothing came back from the outside system in time.
    TimedOut(AttemptId),
    /// The short code as typed.
    CodeTyped(String),
    /// The page confirmed: phase two begins.
    Confirmed,
    /// A step after connecting offers several.
    ChoiceOffered {
        attempt: Option<AttemptId>,
        step: usize,
        choices: Vec<Choice>,
    },
    /// The value of one of the choices.
    Chosen(String),
    /// The transaction that installs is about to commit.
    Installed(TenantId),
    /// `at_input` where one field is at fault.
    InstallFailed {
        failure: Failure,
        at_input: Option<String>,
        detail: Option<String>,
    },
    /// The person sees a failure, or gives up waiting, and begins again.
    Retried(Opening),
    Cancelled,
}

impl Event {
    /// Whether it finishes what was begun, and so may come in the grace after the dialog's end.
    fn finishes(&self) -> bool {
        use Event as E;
        match self {
            E::CallbackArrived { .. }
            | E::CallbackRefused { .. }
            | E::TimedOut(_)
            | E::CodeTyped(_)
            | E::Confirmed => true,
            E::ChoiceOffered { .. }
            | E::Chosen(_)
            | E::Installed(_)
            | E::InstallFailed { .. }
            | E::Cancelled => true,
            E::IdentityConfirmed(_) | E::InputsAccepted(_) | E::Reconnected(_) | E::Disconnected(_) => false,
            E::Started(_) | E::Retried(_) => false,
        }
    }
}

/// Why an event changes nothing. The dialog stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    #[error("This page has expired. Go back and open it again.")]
    Expired,
    #[error("The connection is being set up. Wait a moment.")]
    Busy,
    #[error("This is finished already.")]
    Over,
    #[error("This sign-in was replaced by a newer one. Go on in the newest window.")]
    OtherAttempt,
    #[error("This is not one of the choices offered.")]
    NoSuchChoice,
    #[error("That is not possible at this point.")]
    OutOfTurn,
}

impl NotNow {
    /// The stable code for JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Expired => "dialog_expired",
            Self::Busy => "dialog_busy",
            Self::Over => "dialog_over",
            Self::OtherAttempt => "attempt_replaced",
            Self::NoSuchChoice => "choice_unknown",
            Self::OutOfTurn => "dialog_out_of_turn",
        }
    }
}

impl Stage {
    /// The stage of a fresh dialog. A landing that came as a link first asks who is there: the link may be
    /// somebody else's (design `browser.md`, connection fixation).
    pub fn first(framed: bool, opening: Opening) -> Self {
        if framed { opening.stage() } else { Self::ConfirmIdentity }
    }

    /// The name in the state JSON, as the page knows it. `Arrived` is `code` while the short code is missing and
    /// `checking` after it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ConfirmIdentity => "confirm_identity",
            Self::Connected { .. } => "connected",
            Self::Form => "form",
            Self::Ready => "ready",
            Self::Waiting { .. } => "waiting",
            Self::Arrived { code: Some(_), .. } => "code",
            Self::Arrived { code: None, .. } => "checking",
            Self::Choose { .. } => "choose",
            Self::Installing { .. } => "installing",
            Self::Success { .. } => "success",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing can happen any more.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Success { .. } | Self::Cancelled)
    }

    /// The stage that counts at `now`: an installation past its `until` has failed, because the process that did
    /// it is gone.
    #[must_use]
    pub fn effective(&self, now: Time) -> Self {
        match self {
            Self::Installing { until } if now >= *until => failed(Failure::ServerError),
            other => other.clone(),
        }
    }

    /// The stage after `event` at `now`.
    ///
    /// Decision: only the stages listed for an event take it, and an event of a sign-in only where the dialog
    /// waits for that very attempt. So nothing late (a callback after the person cancelled or began anew) brings
    /// a dialog back; the trade is that such a sign-in is lost and must be repeated.
    ///
    /// # Errors
    /// [`NotNow`], which never means that something changed.
    pub fn after(&self, event: Event, now: Time) -> Result<Self, NotNow> {
        use Event as E;
        let stage = self.effective(now);
        match (stage, event) {
            (Self::ConfirmIdentity, E::IdentityConfirmed(opening)) => Ok(opening.stage()),
            (Self::Connected { .. }, E::Reconnected(opening) | E::Disconnected(opening)) => {
                Ok(opening.first())
            }
            (Self::Form | Self::Failed { .. }, E::InputsAccepted(Way::SignIn)) => Ok(Self::Ready),
            (Self::Form | Self::Failed { .. }, E::InputsAccepted(Way::Fields)) => Ok(installing(now)),
            (
                Self::Ready | Self::Waiting { .. } | Self::Failed { .. } | Self::Connected { .. },
                E::Started(attempt),
            ) => Ok(Self::Waiting { attempt }),
            (
                Self::Waiting { attempt: ours },
                E::CallbackArrived { ref attempt, .. }
                | E::CallbackRefused { ref attempt, .. }
                | E::TimedOut(ref attempt),
            ) if ours != *attempt => Err(NotNow::OtherAttempt),
            (Self::Waiting { .. }, E::CallbackArrived { attempt, code }) => {
                Ok(Self::Arrived { attempt, code, tries: 0 })
            }
            (Self::Waiting { .. }, E::CallbackRefused { failure, detail, .. }) => {
                Ok(Self::Failed { failure, at_input: None, detail })
            }
            (Self::Waiting { .. }, E::TimedOut(_)) => Ok(failed(Failure::TimedOut)),
            (Self::Arrived { attempt, code: Some(code), tries }, E::CodeTyped(typed)) => {
                Ok(code_typed(attempt, code, tries, &typed))
            }
            (Self::Arrived { code: None, .. }, E::Confirmed) => Ok(installing(now)),
            (Self::Installing { .. }, E::ChoiceOffered { attempt, step, choices }) => {
                Ok(Self::Choose { attempt, step, choices })
            }
            (Self::Choose { choices, .. }, E::Chosen(value)) => {
                if choices.iter().any(|choice| choice.value == value) {
                    Ok(installing(now))
                } else {
                    Err(NotNow::NoSuchChoice)
                }
            }
            (Self::Installing { .. }, E::Installed(tenant)) => Ok(Self::Success { tenant }),
            (Self::Installing { .. }, E::InstallFailed { failure, at_input, detail }) => {
                Ok(Self::Failed { failure, at_input, detail })
            }
            (
                Self::Failed { .. } | Self::Waiting { .. } | Self::Arrived { .. } | Self::Choose { .. },
                E::Retried(opening),
            ) => Ok(opening.first()),
            (stage, E::Cancelled) if !stage.is_over() && !matches!(stage, Self::Installing { .. }) => {
                Ok(Self::Cancelled)
            }
            (stage, _) if stage.is_over() => Err(NotNow::Over),
            (Self::Installing { .. }, _) => Err(NotNow::Busy),
            _ => Err(NotNow::OutOfTurn),
        }
    }
}

fn installing(now: Time) -> Stage {
    Stage::Installing { until: now.plus_seconds(INSTALLING_S) }
}

fn failed(failure: Failure) -> Stage {
    Stage::Failed { failure, at_input: None, detail: None }
}

/// A wrong code counts; with the last try the attempt is given up, and its pending credential is never used.
fn code_typed(attempt: AttemptId, code: String, tries: u8, typed: &str) -> Stage {
    if code_matches(&code, typed) {
        return Stage::Arrived { attempt, code: None, tries };
    }
    let tries = tries.saturating_add(1);
    if tries >= CODE_TRIES {
        failed(Failure::StateMismatch)
    } else {
        Stage::Arrived { attempt, code: Some(code), tries }
    }
}

impl Dialog {
    /// The stage that counts at `now`, while the page may be shown.
    ///
    /// Decision: a dialog that is past its end is shown for [`GRACE_S`] more where something is under way or was
    /// reached, so that a person who came back from a slow sign-in learns how it ended; everything else ends on
    /// time, because the address is a bearer.
    ///
    /// # Errors
    /// [`NotNow::Expired`].
    pub fn stage_at(&self, now: Time) -> Result<Stage, NotNow> {
        let stage = self.stage.effective(now);
        let lingers = match stage {
            Stage::Waiting { .. }
            | Stage::Arrived { .. }
            | Stage::Choose { .. }
            | Stage::Installing { .. } => true,
            Stage::Success { .. } | Stage::Failed { .. } | Stage::Cancelled => true,
            Stage::ConfirmIdentity | Stage::Connected { .. } | Stage::Form | Stage::Ready => false,
        };
        let end = if lingers { self.expires.plus_seconds(GRACE_S) } else { self.expires };
        if now < end { Ok(stage) } else { Err(NotNow::Expired) }
    }

    /// The stage after `event` at `now`. What begins something needs a dialog that has not ended; what finishes
    /// something begun may come up to [`GRACE_S`] later.
    ///
    /// # Errors
    /// [`NotNow`].
    pub fn after(&self, event: Event, now: Time) -> Result<Stage, NotNow> {
        if now >= self.expires && !event.finishes() {
            return Err(NotNow::Expired);
        }
        self.stage_at(now)?.after(event, now)
    }
}
