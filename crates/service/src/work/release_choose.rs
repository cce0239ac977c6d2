//! Which release a tenant's runs use.

use crate::Service;
use ::connect::integration::Integration;
use ::connect::release::{Release, Wanted, wanted};
use ::connect::tenant::Tenant;
use store::{DbError, Tx, releases};

impl Service {
    /// The release that the tenant's channel, or what was chosen for it, leads to now; `None` where there is none that
    /// is ready.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn release_of(
        tx: &mut Tx,
        tenant: &Tenant,
        integration: &Integration,
    ) -> Result<Option<Release>, DbError> {
        let found = match wanted(tenant, integration) {
            Wanted::Exactly(id) => releases::by_id(tx, &tenant.organization, id).await?,
            Wanted::Newest => releases::latest(tx, &tenant.organization, tenant.integration).await?,
            Wanted::Nothing => None,
        };
        Ok(found.filter(|release| release.is_ready() && release.integration == tenant.integration))
    }
}
