//! Administration: what the operator and the organization's engineer set up, each change audited and each
//! moving the configuration's version in its own transaction.

pub mod accounts;
pub mod api_keys;
pub mod apps;
pub mod clients;
pub mod connectors;
pub mod consents;
pub mod integrations;
pub mod jobs;
pub mod master_keys;
pub mod metadata;
pub mod organizations;
pub mod origins;
pub mod partners;
pub mod people;
pub mod records;
pub mod releases;
pub mod service_accounts;
pub mod service_keys;
pub mod signing_keys;
mod tenant_choices;
pub mod tenants;
pub mod webhooks;

use crate::{Fault, Service};
use connect::connector::Problem;
use connect::release::Unusable;
use enter::sso::{Code, Refused};
use kernel::ids::OrganizationId;
use kernel::{Actor, Environment, Slug, Time, audit};
use serde_json::{Map, Value};
use store::organizations::OrganizationRecord;
use store::{DbError, organizations as table};

/// Why a change is not made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AdminRefused {
    #[error("there is no {what} `{name}`{hint}")]
    NotFound { what: &'static str, name: String, hint: &'static str },
    #[error("{what} `{name}` exists already")]
    Taken { what: &'static str, name: String },
    #[error("{0}")]
    Invalid(String),
    /// A connector's definition has these problems.
    #[error("{}", lines(.0))]
    Connector(Vec<Problem>),
    /// Something stands in the way that may go away: somebody else's change in between, or what still depends on it.
    #[error("{0}")]
    Conflict(String),
    /// Nothing may lead to this release.
    #[error(transparent)]
    Release(#[from] Unusable),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl AdminRefused {
    /// The stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Taken { .. } => "taken",
            Self::Invalid(_) | Self::Connector(_) => "invalid",
            Self::Conflict(_) => "conflict",
            Self::Release(unusable) => unusable.code(),
            Self::Fault(_) => "unavailable",
        }
    }

    pub(crate) fn not_found(what: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound { what, name: name.into(), hint: "" }
    }

    pub(crate) fn taken(what: &'static str, name: impl Into<String>) -> Self {
        Self::Taken { what, name: name.into() }
    }

    /// Somebody else's change came in between.
    pub(crate) fn changed(what: &'static str, name: impl std::fmt::Display) -> Self {
        Self::Conflict(format!("{what} `{name}` was changed in between; read it again"))
    }

    pub(crate) fn invalid(problem: impl std::fmt::Display) -> Self {
        Self::Invalid(problem.to_string())
    }
}

impl From<DbError> for AdminRefused {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Refused> for AdminRefused {
    fn from(refused: Refused) -> Self {
        match refused.code {
            Code::FailedPrecondition => Self::Conflict(refused.message),
            _ => Self::Invalid(refused.message),
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Whose records are looked at or administered, and in which environment: nothing beyond is seen or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub organization: OrganizationId,
    pub environment: Environment,
}

/// The most rows of one answer.
pub const LIST_MOST: i64 = 500;

/// A name for people.
fn checked_name(text: &str) -> Result<String, AdminRefused> {
    let name = text.trim();
    if !(1..=200).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(AdminRefused::invalid(
            "a name has 1 to 200 characters, none of them a control character",
        ));
    }
    Ok(name.to_owned())
}

/// When something was switched off: the moment stays where it was off before.
fn switched(disabled: Option<bool>, before: Option<Time>, now: Time) -> Option<Time> {
    match disabled {
        None => before,
        Some(disabled) => disabled.then(|| before.unwrap_or(now)),
    }
}

/// For the audit log: which members differ, each with the old value and the new one. The revision always does.
pub(crate) fn difference(before: Option<Value>, after: Option<Value>) -> Value {
    let members = |value: Option<Value>| match value {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let (mut before, after) = (members(before), members(after));
    let changed = after.into_iter().filter_map(|(name, new)| {
        let old = before.remove(&name).unwrap_or_default();
        (old != new && name != "revision").then(|| (name, Value::Array(vec![old, new])))
    });
    Value::Object(changed.collect())
}

impl Service {
    /// The organization of this name, also a disabled one.
    ///
    /// # Errors
    /// [`AdminRefused::NotFound`].
    pub async fn organization(&self, slug: &str) -> Result<OrganizationRecord, AdminRefused> {
        let not_found = || AdminRefused::NotFound {
            what: "organization",
            name: slug.to_owned(),
            hint: "; `vestibule organization list` shows them",
        };
        let wanted = Slug::parse(slug).map_err(|_| not_found())?;
        let found = self.db.read(move |tx| Box::pin(async move { table::by_slug(tx, &wanted).await }));
        let found: Option<OrganizationRecord> = found.await.map_err(Fault::from)?;
        found.ok_or_else(not_found)
    }

    /// One line of the audit log.
    pub(crate) fn event(
        &self,
        actor: &Actor,
        action: &'static str,
        subject: impl Into<String>,
        organization: &OrganizationId,
    ) -> audit::Event {
        let owner = Some(organization.clone());
        audit::Event::new(action, subject, owner, actor.clone(), self.clock.now(), &*self.chance)
    }
}
