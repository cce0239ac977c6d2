//! Administration: what the operator and the organization's engineer set up, each change audited and each
//! moving the configuration's version in its own transaction.

pub mod api_keys;
pub mod connectors;
pub mod integrations;
pub mod organizations;
pub mod origins;
pub mod records;
pub mod signing_keys;
pub mod webhooks;

use crate::{Fault, Service};
use kernel::ids::OrganizationId;
use kernel::{Actor, Slug, audit};
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
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl AdminRefused {
    /// The stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Taken { .. } => "taken",
            Self::Invalid(_) => "invalid",
            Self::Fault(_) => "unavailable",
        }
    }

    pub(crate) fn not_found(what: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound { what, name: name.into(), hint: "" }
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
