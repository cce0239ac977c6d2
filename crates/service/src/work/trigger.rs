//! Asking for a run: a trigger, and the job that sees to it, in the transaction of whatever asks.

use ::connect::run::{Mode, Source, Trigger};
use kernel::ids::{DeliveryId, IntegrationId, JobId, OrganizationId, TenantId, TriggerId};
use kernel::{Chance, Time};
use store::jobs::{self, Kind, Wish};
use store::{DbError, Tx, triggers};

/// Why a run shall start.
#[derive(Debug, Clone)]
pub struct Cause<'a> {
    pub organization: &'a OrganizationId,
    pub tenant: TenantId,
    pub source: Source,
    pub mode: Mode,
    pub delivery: Option<&'a DeliveryId>,
    /// A JSON object that the caller gave; runs read it.
    pub payload: Option<serde_json::Value>,
}

/// Records why a run shall start and enqueues it. After the commit, [`crate::Service::ring_work`] makes it quick.
///
/// Triggers of one tenant are bundled into one run, also with those that came while one was running. Those of a tenant
/// without a release wait for its first; those of a paused tenant wait until it is not any more, unless somebody asked
/// (API, Manual).
///
/// # Errors
/// [`DbError`].
pub async fn trigger(
    tx: &mut Tx,
    cause: &Cause<'_>,
    now: Time,
    chance: &dyn Chance,
) -> Result<TriggerId, DbError> {
    let id = triggers::next_id(tx).await?;
    let new = Trigger {
        id,
        organization: cause.organization.clone(),
        tenant: cause.tenant,
        source: cause.source,
        mode: cause.mode,
        delivery: cause.delivery.cloned(),
        payload: cause.payload.clone(),
        created: now,
        run: None,
    };
    triggers::insert(tx, &new).await?;
    enqueue(tx, cause.organization, cause.tenant, now, chance).await?;
    Ok(id)
}

/// Enqueues a look at what a tenant's triggers wait for: after it was unpaused or unarchived, or got another release.
///
/// # Errors
/// [`DbError`].
pub async fn enqueue(
    tx: &mut Tx,
    organization: &OrganizationId,
    tenant: TenantId,
    now: Time,
    chance: &dyn Chance,
) -> Result<(), DbError> {
    let wish = Wish { kind: Kind::Run, organization, subject: tenant.to_string(), due: now };
    jobs::enqueue(tx, &wish, JobId::new(now, chance), now).await
}

/// Tenants of one page of [`wake_integration`].
const PAGE: i64 = 500;

/// The same for every tenant of an integration that has triggers waiting: after its first release became ready.
/// Returns how many there were.
///
/// # Errors
/// [`DbError`].
pub async fn wake_integration(
    tx: &mut Tx,
    organization: &OrganizationId,
    integration: IntegrationId,
    now: Time,
    chance: &dyn Chance,
) -> Result<usize, DbError> {
    let (mut after, mut woken) = (None, 0);
    loop {
        let page = triggers::waiting_tenants(tx, organization, integration, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(woken) };
        after = Some(*last);
        for tenant in &page {
            enqueue(tx, organization, *tenant, now, chance).await?;
        }
        woken += page.len();
    }
}
