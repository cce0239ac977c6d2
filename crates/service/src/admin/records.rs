//! What happened: refusals, the audit log, tenants as the operator sees them.

use super::AdminRefused;
use crate::Service;
use connect::connection::Connection;
use connect::refusal::RecordedRefusal;
use connect::tenant::Tenant;
use kernel::ids::{OrganizationId, TenantId, UserId};
use kernel::{Environment, Time};
use std::collections::HashMap;
use store::{Listed, Page, audit, connections, refusals, tenants, users};

pub use store::audit::{Entry, Sort as AuditSort};

impl Service {
    /// The newest refusals first; of one organization, or all of them.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn refusals(
        &self,
        organization: Option<&OrganizationId>,
        since: Time,
        limit: i64,
    ) -> Result<Vec<RecordedRefusal>, AdminRefused> {
        let owner = organization.cloned();
        let read = self
            .db
            .read(move |tx| Box::pin(async move { refusals::list(tx, owner.as_ref(), since, limit).await }));
        Ok(read.await?)
    }

    /// A page of the audit log since a time, and how many lines that are in all.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn audit(
        &self,
        organization: Option<&OrganizationId>,
        since: Time,
        page: Page<audit::Sort>,
    ) -> Result<Listed<audit::Entry>, AdminRefused> {
        let owner = organization.cloned();
        let read = self
            .db
            .read(move |tx| Box::pin(async move { audit::list(tx, owner.as_ref(), since, page).await }));
        Ok(read.await?)
    }

    /// The newest tenants first, with their connections, and how many there are in all.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn newest_tenants(
        &self,
        organization: &OrganizationId,
        environment: Environment,
        limit: i64,
    ) -> Result<(Vec<(Tenant, Vec<Connection>)>, i64), AdminRefused> {
        let owner = organization.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let filter = tenants::Filter {
                    organization: owner,
                    environment,
                    archived: None,
                    integration: None,
                    username: None,
                };
                let page = Page { sort: tenants::Sort::Id, descending: true, limit, skip: 0 };
                let found = tenants::list(tx, &filter, page).await?;
                let ids: Vec<TenantId> = found.rows.iter().map(|tenant| tenant.id).collect();
                let all = connections::of_tenants(tx, &filter.organization, &ids).await?;
                Ok::<_, AdminRefused>((found, all))
            })
        });
        let (found, all) = read.await?;
        let of = |id: TenantId| all.iter().filter(|connection| connection.tenant == id).cloned().collect();
        Ok((
            found
                .rows
                .into_iter()
                .map(|tenant| {
                    let own = of(tenant.id);
                    (tenant, own)
                })
                .collect(),
            found.total,
        ))
    }

    /// What these users are called at the organization.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn usernames(
        &self,
        organization: &OrganizationId,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, String>, AdminRefused> {
        let (owner, ids) = (organization.clone(), ids.to_vec());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let mut names = HashMap::new();
                for id in ids {
                    if let Some(user) = users::by_id(tx, &owner, id).await? {
                        names.insert(id, user.username);
                    }
                }
                Ok::<_, AdminRefused>(names)
            })
        });
        read.await
    }
}
