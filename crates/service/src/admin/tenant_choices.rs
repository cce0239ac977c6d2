//! What of a tenant may be chosen as it was asked for.

use super::tenants::{TenantChange, TenantRefused, invalid};
use crate::Service;
use connect::config_schema::{self, Dynamic};
use connect::integration::Integration;
use connect::schedule as cron;
use connect::tenant::Tenant;
use connect::tenant_json::is_tenant_name;
use serde_json::{Map, Value, json};
use store::{Tx, dynamic_configs, releases, tenants};

/// Another tenant has the name.
pub(super) fn name_taken(name: &str) -> TenantRefused {
    TenantRefused::Conflict(format!("another tenant is called `{name}`"))
}

/// A name that a tenant may have.
pub(super) fn check_name(name: &str) -> Result<(), TenantRefused> {
    if is_tenant_name(name) {
        return Ok(());
    }
    Err(invalid("name", "1 to 63 lower-case letters and digits, with `-` inside"))
}

/// Makes of a tenant what was asked for, as far as it may be so.
pub(super) async fn choose(
    tx: &mut Tx,
    tenant: &mut Tenant,
    integration: &Integration,
    change: TenantChange,
) -> Result<(), TenantRefused> {
    if let Some(name) = change.name {
        check_name(&name)?;
        if tenants::is_name_taken(tx, tenant, &name).await? {
            return Err(name_taken(&name));
        }
        tenant.name = name;
    }
    tenant.paused = change.paused.unwrap_or(tenant.paused);
    if let Some(chosen) = change.user_schedule {
        let chosen = chosen.map(|text| cron::check(&text)).transpose();
        let chosen = chosen.map_err(|refused| invalid("user_schedule", refused))?;
        let shifted = chosen.as_deref().map(|text| cron::with_offset(text, tenant.id, integration.shift_all));
        (tenant.user_schedule, tenant.schedule) = (chosen, shifted);
    }
    if let Some(zone) = change.time_zone {
        tenant.time_zone = cron::check_zone(&zone).map_err(|refused| invalid("time_zone", refused))?;
    }
    if let (Some(_), Some(Some(_))) = (change.channel, change.release) {
        return Err(invalid("integration_release_id", "a release or a channel, not both"));
    }
    if let Some(channel) = change.channel {
        (tenant.channel, tenant.release) = (channel, None);
    }
    match change.release {
        Some(Some(id)) => {
            let found = releases::by_id(tx, &tenant.organization, id).await?;
            let found = found.filter(|it| it.integration == integration.id);
            let no_such = || invalid("integration_release_id", "the integration has no such release");
            found.ok_or_else(no_such)?.usable().map_err(TenantRefused::Release)?;
            tenant.release = Some(id);
        }
        Some(None) => tenant.release = None,
        None => {}
    }
    if let Some(configs) = change.configs {
        configure(tx, tenant, integration, configs).await?;
    }
    Ok(())
}

/// The configuration is what the tenant's release asks for; before there is a release, any object.
async fn configure(
    tx: &mut Tx,
    tenant: &mut Tenant,
    integration: &Integration,
    configs: Value,
) -> Result<(), TenantRefused> {
    let release = Service::release_of(tx, tenant, integration).await?;
    let dynamic = dynamic_configs::by_tenant(tx, &tenant.organization, tenant.id).await?;
    let dynamic: Dynamic = match dynamic {
        Some(Value::Object(found)) => found,
        _ => Map::new(),
    };
    let anything = json!({ "type": "object" });
    let schema =
        release.as_ref().and_then(|it| it.manifest.configs.as_ref()).map_or(&anything, |it| &it.schema);
    // Judged with its defaults: what they fill in need not be sent.
    let whole =
        if configs.is_object() { config_schema::with_defaults(schema, &configs) } else { configs.clone() };
    config_schema::validate(schema, &dynamic, &whole).map_err(|mut mistakes| {
        mistakes.iter_mut().for_each(|mistake| mistake.path.insert(0, "configs".to_owned()));
        TenantRefused::Invalid(mistakes)
    })?;
    tenant.configs = configs;
    Ok(())
}
