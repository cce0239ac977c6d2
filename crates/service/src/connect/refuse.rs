//! Records a refusal, so that the organization's developers can read what was wrong.

use crate::{Fault, OrganizationConfig, Service};
use ::connect::refusal::{RecordedRefusal, Refusal};
use kernel::Environment;
use kernel::ids::RefusalId;
use std::sync::Arc;
use store::refusals;

/// A refusal on its way to the person and to the developers.
#[derive(Debug)]
pub struct Refused {
    pub refusal: Refusal,
    /// Shown to the person; the developers find the record by it.
    pub reference: RefusalId,
    /// Whose page it is, where that is known.
    pub config: Option<Arc<OrganizationConfig>>,
}

/// How a use case ends that did not do what was asked.
#[derive(Debug)]
pub enum Denied {
    Refused(Refusal),
    Fault(Fault),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Denied {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<store::DbError> for Denied {
    fn from(error: store::DbError) -> Self {
        Self::Fault(error.into())
    }
}

impl Service {
    /// Writes the refusal down and gives the reference by which it is found.
    ///
    /// A refusal stands whether or not it could be recorded: where the store fails, the log has it instead.
    pub async fn refuse(
        &self,
        refusal: Refusal,
        environment: Environment,
        config: Option<Arc<OrganizationConfig>>,
        route: &str,
    ) -> Refused {
        let now = self.clock.now();
        let reference = RefusalId::new(now, &*self.chance);
        let record = RecordedRefusal {
            id: reference.clone(),
            at: now,
            environment,
            organization: config.as_ref().map(|config| config.organization.id.clone()),
            code: refusal.code.as_str().to_owned(),
            status: refusal.code.status(),
            claim: refusal.claim.clone(),
            message: refusal.message.clone(),
            seen: refusal.seen.clone(),
            route: route.to_owned(),
        };
        metrics::counter!("vestibule_refusals_total", "code" => refusal.code.as_str()).increment(1);
        if let Err(error) = refusals::insert(&self.db, &record).await {
            tracing::warn!(%error, code = record.code, reference = %reference, "a refusal could not be recorded");
        }
        Refused { refusal, reference, config }
    }
}
