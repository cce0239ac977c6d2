//! Records a refusal, so that the organization's developers can read what was wrong.

use crate::{Fault, OrganizationConfig, Service};
use ::connect::refusal::{RecordedRefusal, Refusal};
use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use kernel::Environment;
use kernel::ids::{OrganizationId, RefusalId};
use std::num::NonZeroU32;
use std::sync::Arc;
use store::refusals;

/// How many refusals are written down per organization (and together for those that name none): 20 a second,
/// 200 in a burst. Decision: what goes beyond is answered and counted, but not stored. Attack: anybody can be
/// refused as often as they like, and each record takes room. Trade: during a flood some records are missing.
pub(crate) struct Flood(
    RateLimiter<Option<OrganizationId>, HashMapStateStore<Option<OrganizationId>>, DefaultClock>,
);

impl Default for Flood {
    fn default() -> Self {
        let quota = Quota::per_second(NonZeroU32::MIN.saturating_add(19))
            .allow_burst(NonZeroU32::MIN.saturating_add(199));
        Self(RateLimiter::hashmap(quota))
    }
}

impl std::fmt::Debug for Flood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flood")
    }
}

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
        self.record_refusal(record).await;
        Refused { refusal, reference, config }
    }

    /// Keeps the record of either door's refusal, as far as the flood allows.
    pub(crate) async fn record_refusal(&self, record: RecordedRefusal) {
        if self.flood.0.check_key(&record.organization).is_err() {
            metrics::counter!("vestibule_refusals_not_recorded_total").increment(1);
        } else if let Err(error) = refusals::insert(&self.db, &record).await {
            let (code, reference) = (&record.code, &record.id);
            tracing::warn!(%error, code, reference = %reference, "a refusal could not be recorded");
        }
    }
}
