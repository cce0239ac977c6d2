//! Events: written with the change that they tell of, so that none is lost and none told that did not happen
//! (contract `runs.md`, section "Notices out").

use connect::notice::Subject;
use kernel::ids::{EventId, JobId, MessageId, OrganizationId, TenantId};
use kernel::{Chance, Environment, Slug, Time};
use store::notice_endpoints::{self, Listener};
use store::notices::tell::{Addressed, tell_all};
use store::{DbError, Tx, tenants, users};

pub use connect::notice::new_event::{Disconnection, FailedRun};
pub use connect::notice::{EventType, NewEvent};

/// Writes an event in the caller's unit of work: a message for each endpoint that chose it, and their jobs. Best done
/// last in it, because jobs of lanes are rows that many meet in. Where it says `true`, [`crate::Service::ring_work`]
/// after the commit saves the messages a wait. An event that nobody chose leaves nothing.
///
/// # Errors
/// [`DbError`].
pub async fn emit(tx: &mut Tx, new: &NewEvent, now: Time, chance: &dyn Chance) -> Result<bool, DbError> {
    let listeners = notice_endpoints::listeners(tx, &new.organization, new.environment, new.event).await?;
    if listeners.is_empty() {
        return Ok(false);
    }
    let addressed = |listener: Listener| {
        let message = MessageId::new(now, chance);
        let subject = if listener.ordered {
            Subject::lane(&listener.endpoint, &new.order())
        } else {
            Subject::Message(message.clone())
        };
        Addressed { message, endpoint: listener.endpoint, subject, job: JobId::new(now, chance) }
    };
    let addressed: Vec<_> = listeners.into_iter().map(addressed).collect();
    tell_all(tx, &EventId::new(now, chance), new, &addressed, now).await?;
    Ok(true)
}

/// [`emit`] for a connector of a tenant that is no longer connected.
///
/// # Errors
/// [`DbError`].
pub async fn tell_disconnected(
    tx: &mut Tx,
    (organization, environment): (&OrganizationId, Environment),
    tenant: TenantId,
    (connector, reason): (&Slug, Disconnection),
    now: Time,
    chance: &dyn Chance,
) -> Result<bool, DbError> {
    let Some(tenant) = tenants::by_id(tx, organization, environment, tenant).await? else { return Ok(false) };
    let Some(user) = users::by_id(tx, organization, tenant.user).await? else { return Ok(false) };
    let new = NewEvent::tenant_disconnected(&tenant, &user.username, connector, reason);
    emit(tx, &new, now, chance).await
}

/// [`emit`] for a tenant that was archived.
///
/// # Errors
/// [`DbError`].
pub async fn tell_archived(
    tx: &mut Tx,
    (organization, environment): (&OrganizationId, Environment),
    tenant: TenantId,
    now: Time,
    chance: &dyn Chance,
) -> Result<bool, DbError> {
    let Some(tenant) = tenants::by_id(tx, organization, environment, tenant).await? else { return Ok(false) };
    let Some(user) = users::by_id(tx, organization, tenant.user).await? else { return Ok(false) };
    emit(tx, &NewEvent::tenant_archived(&tenant, &user.username), now, chance).await
}
