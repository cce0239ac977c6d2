//! A run: one time that an integration's program does its work for a tenant (contract `runs.md`).
//!
//! Decisions only. What a run is told stands in [`environment`] (a program on this machine) and [`message`] (an
//! integration at a URL of its own), what it says in [`outcome`].

mod bundle;
pub mod environment;
pub mod message;
pub mod outcome;
mod phase;
mod retry;
pub mod show;

pub use bundle::{Class, LARGEST, Size, fit, mode_of};
pub use phase::{Failure, Phase, WrongPhase};
pub use retry::{Attempt, again};

use kernel::ids::{DeliveryId, IntegrationId, OrganizationId, ReleaseId, RunId, TenantId, TriggerId};
use kernel::{Environment, Sealed, Time};

/// Who or what asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Api,
    Webhook,
    Cron,
    Manual,
}

impl Source {
    pub const ALL: [Self; 4] = [Self::Api, Self::Webhook, Self::Cron, Self::Manual];

    /// The published word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Webhook => "Webhook",
            Self::Cron => "Cron",
            Self::Manual => "Manual",
        }
    }

    /// The word that a run is told: programs in the field compare with `webhook`.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Webhook => "webhook",
            Self::Cron => "cron",
            Self::Manual => "manual",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }

    /// Whether a tenant that is paused runs for it all the same: somebody asks, knowing that it is paused.
    pub const fn runs_while_paused(self) -> bool {
        matches!(self, Self::Api | Self::Manual)
    }
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Right after connecting: fills the dynamic configs.
    Init,
    Normal,
    /// Started by deliveries alone.
    Webhook,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Init, Self::Normal, Self::Webhook];

    /// The published word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Normal => "normal",
            Self::Webhook => "webhook",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }

    /// What a caller may ask for: the mode `webhook` belongs to deliveries.
    pub fn asked(text: &str) -> Option<Self> {
        Self::parse(text).filter(|mode| *mode != Self::Webhook)
    }
}

/// Why a run shall start, kept until one has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    pub id: TriggerId,
    pub organization: OrganizationId,
    pub tenant: TenantId,
    pub source: Source,
    pub mode: Mode,
    /// The delivery that caused it, where one did.
    pub delivery: Option<DeliveryId>,
    /// A JSON object that the caller gave.
    pub payload: Option<serde_json::Value>,
    pub created: Time,
    /// The run that took it.
    pub run: Option<RunId>,
}

impl Trigger {
    pub fn class(&self) -> Class {
        Class::of(self.source, self.mode)
    }
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    pub organization: OrganizationId,
    pub environment: Environment,
    pub tenant: TenantId,
    pub integration: IntegrationId,
    pub release: Option<ReleaseId>,
    pub mode: Mode,
    pub phase: Phase,
    /// For people: why it ended as it did, or why it is tried again.
    pub reason: Option<String>,
    /// How often it was begun. Whoever writes of a run states the attempt that he is: one that lost its lease changes
    /// nothing of what the next one does.
    pub attempts: i64,
    /// The run that is done once more; its triggers are this one's.
    pub rerun_of: Option<RunId>,
    /// In place of the tenant's.
    pub configs: Option<serde_json::Value>,
    /// In place of the last run's, sealed for the place `rerun:{trigger}` of its trigger.
    pub given_state: Option<Sealed>,
    /// What is handed to the next run, sealed for the place `run:{id}`.
    pub state: Option<Sealed>,
    pub exit_code: Option<i64>,
    pub log_bytes: i64,
    /// When somebody asked that it end.
    pub cancel: Option<Time>,
    /// Until when a report of the integration's own is awaited (`http` runs that answered 202).
    pub waits: Option<Time>,
    pub created: Time,
}

/// A run that ended, as far as the next one is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRun {
    pub id: RunId,
    pub phase: Phase,
    /// Sealed for the place `run:{id}`.
    pub state: Option<Sealed>,
}

impl From<Run> for PastRun {
    fn from(run: Run) -> Self {
        Self { id: run.id, phase: run.phase, state: run.state }
    }
}

impl PastRun {
    /// Whether the next run is handed what this one said. One that was timed out, cancelled or lost did not come to
    /// its last word: then what the last successful one said counts.
    pub const fn had_its_say(&self) -> bool {
        self.state.is_some()
            || matches!(
                self.phase,
                Phase::Succeeded { .. } | Phase::Failed { why: Failure::Integration | Failure::Metadata, .. }
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_only_deliveries_are_webhooks() {
        for source in Source::ALL {
            assert_eq!(Source::parse(source.as_str()), Some(source));
            assert_eq!(source.told(), source.as_str().to_ascii_lowercase());
        }
        for mode in Mode::ALL {
            assert_eq!(Mode::parse(mode.as_str()), Some(mode));
        }
        assert_eq!(Mode::asked("webhook"), None);
        assert_eq!(Mode::asked("init"), Some(Mode::Init));
        assert_eq!(Source::parse("api"), None);
    }
}
