//! What is known of a tenant beside its configuration (contracts `connect.md`, section 6, and `runs.md`).

use super::Holder;
use super::tenants::TenantRefused;
use crate::Service;
use connect::config_schema;
use connect::tenant::Tenant;
use kernel::ids::TenantId;
use kernel::{Actor, Time};
use serde_json::{Map, Value, json};
use store::tenant_metadata::{self, TenantMetadata};
use store::{DbError, Tx, audit, integrations, tenants};

fn shown(tenant: TenantId, metadata: &TenantMetadata) -> Value {
    json!({
        "tenant_id": tenant,
        "data": metadata.data,
        "created_date": metadata.created.iso_micros(),
        "modified_date": metadata.modified.iso_micros(),
    })
}

impl Service {
    /// In the published shape.
    ///
    /// # Errors
    /// [`TenantRefused::NotFound`] also where nothing is kept of this tenant.
    pub async fn metadata(&self, holder: &Holder, id: TenantId) -> Result<Value, TenantRefused> {
        let holder = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let tenant = tenant_of(tx, &holder, id).await?;
                let found = tenant_metadata::by_tenant(tx, &holder.organization, tenant.id).await?;
                found.ok_or(TenantRefused::NotFound("metadata"))
            })
        });
        Ok(shown(id, &read.await?))
    }

    /// Merges the members of `patch` into what is kept. The whole must then be what the release's metadata schema asks
    /// for.
    ///
    /// # Errors
    /// [`TenantRefused`]; a tenant whose release has no metadata schema keeps none.
    pub async fn merge_metadata(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: TenantId,
        patch: Map<String, Value>,
    ) -> Result<Value, TenantRefused> {
        let (wanted, now) = (holder.clone(), self.clock.now());
        let names: Vec<String> = patch.keys().cloned().collect();
        let event = self.event(actor, "tenant.metadata_changed", id.to_string(), &holder.organization);
        let event = event.with(json!({ "changed": names }));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let kept = merge(tx, &wanted, id, patch, now).await?;
                audit::insert(tx, &event).await?;
                Ok(kept)
            })
        });
        let kept: Result<TenantMetadata, TenantRefused> = write.await;
        Ok(shown(id, &kept?))
    }
}

async fn tenant_of(tx: &mut Tx, holder: &Holder, id: TenantId) -> Result<Tenant, TenantRefused> {
    let found = tenants::by_id(tx, &holder.organization, holder.environment, id).await?;
    found.ok_or(TenantRefused::NotFound("tenant"))
}

async fn merge(
    tx: &mut Tx,
    holder: &Holder,
    id: TenantId,
    patch: Map<String, Value>,
    now: Time,
) -> Result<TenantMetadata, TenantRefused> {
    let tenant = tenant_of(tx, holder, id).await?;
    if tenant.archived.is_some() {
        return Err(TenantRefused::Conflict("the tenant is archived".to_owned()));
    }
    let integration =
        integrations::by_id(tx, &holder.organization, holder.environment, tenant.integration).await?;
    let integration = integration.ok_or(TenantRefused::NotFound("integration"))?;
    let release = Service::release_of(tx, &tenant, &integration).await?;
    let Some(schema) = release.and_then(|release| release.manifest.metadata_schema) else {
        let text = "the tenant's release has no metadata schema, so no metadata is kept";
        return Err(TenantRefused::Conflict(text.to_owned()));
    };
    let held = tenant_metadata::hold(tx, &holder.organization, id, now).await?;
    let mut data = held.data.as_object().cloned().unwrap_or_default();
    data.extend(patch);
    let data = Value::Object(data);
    config_schema::validate_any(&schema.schema, &data).map_err(TenantRefused::Invalid)?;
    tenant_metadata::save(tx, &holder.organization, id, &data).await?;
    let kept = tenant_metadata::by_tenant(tx, &holder.organization, id).await?;
    kept.ok_or_else(|| DbError::Bug("metadata that was kept is gone".to_owned()).into())
}
