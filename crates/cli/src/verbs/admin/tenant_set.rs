//! `vestibule tenant set|create|archive|unarchive ..`

use super::{ACTOR, Desk};
use connect::integration::Channel;
use connect::tenant::Tenant;
use kernel::ids::TenantId;
use serde_json::{Value, json};
use service::admin::tenants::{NewTenant, TenantChange};

#[derive(Debug, clap::Args)]
pub struct New {
    /// Lower-case letters and digits, with `-` inside
    name: String,
    /// The integration's name or id
    #[arg(long, value_name = "INTEGRATION")]
    integration: String,
    /// Whose it is, `sub` in a token; not given: a user who is called as the tenant is
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Choices {
    /// Lower-case letters and digits, with `-` inside
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A release of its own, by tag or id; an empty text gives it up
    #[arg(long, value_name = "RELEASE", conflicts_with = "channel")]
    release: Option<String>,
    /// Follows `Default` or `Latest`
    #[arg(long, value_name = "CHANNEL", value_parser = channel)]
    channel: Option<Channel>,
    /// The whole configuration, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    configs: Option<Value>,
    /// Five fields of cron; an empty text takes it away
    #[arg(long, value_name = "CRON")]
    schedule: Option<String>,
    /// The time zone of the schedule, as in Europe/Berlin
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Starts no runs by schedule or delivery any more (`true`), or again (`false`)
    #[arg(long, value_name = "BOOLEAN")]
    pause: Option<bool>,
}

/// `Default` or `Latest`, however it is written.
pub(super) fn channel(text: &str) -> Result<Channel, String> {
    let known = [Channel::Default, Channel::Latest];
    let found = known.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| "expected `Default` or `Latest`".to_owned())
}

fn json_object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("expected a JSON object".to_owned()) }
}

/// What was typed; an empty text stands for nothing.
fn or_nothing(text: Option<String>) -> Option<Option<String>> {
    text.map(|text| Some(text).filter(|text| !text.is_empty()))
}

fn record(tenant: &Tenant) -> Value {
    json!({
        "id": tenant.id,
        "tenant": tenant.name,
        "integration": tenant.integration,
        "release": tenant.release,
        "channel": tenant.channel.as_str(),
        "configs": tenant.configs,
        "user_schedule": tenant.user_schedule,
        "schedule": tenant.schedule,
        "time_zone": tenant.time_zone,
        "paused": tenant.paused,
        "archived": tenant.archived.is_some(),
    })
}

pub(super) async fn create(new: New, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let integration = desk.service.integration_named(&holder, &new.integration).await?;
    let change = TenantChange::default();
    let new = NewTenant { name: new.name, integration: integration.id, username: new.user, change };
    let tenant = desk.service.create_tenant(&ACTOR, &holder, new).await?;
    let said = format!("{} is there (id {}): paused, and not connected yet", tenant.name, tenant.id);
    Ok(desk.out.done(&record(&tenant), &said)?)
}

pub(super) async fn set(id: TenantId, choices: Choices, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let release = match or_nothing(choices.release) {
        None => None,
        Some(None) => Some(None),
        Some(Some(text)) => {
            let tenant = desk.service.tenant_record(&holder, id).await?;
            let release = desk.service.release_named(&holder, tenant.integration, &text).await?;
            Some(Some(release.id))
        }
    };
    let change = TenantChange {
        name: choices.name,
        paused: choices.pause,
        user_schedule: or_nothing(choices.schedule),
        time_zone: choices.zone,
        configs: choices.configs,
        channel: choices.channel,
        release,
        archived: None,
    };
    let tenant = desk.service.change_tenant(&ACTOR, &holder, id, change).await?;
    Ok(desk.out.one(&record(&tenant))?)
}

pub(super) async fn archive(id: TenantId, archived: bool, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let change = TenantChange { archived: Some(archived), ..TenantChange::default() };
    let tenant = desk.service.change_tenant(&ACTOR, &holder, id, change).await?;
    let word = if archived { "archived" } else { "in use again" };
    Ok(desk.out.done(&record(&tenant), &format!("{} is {word}", tenant.name))?)
}
