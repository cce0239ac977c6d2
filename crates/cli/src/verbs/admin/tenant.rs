//! `vestibule tenant ..`

use super::tenant_call;
use super::tenant_set;
use super::{ACTOR, Desk};
use anyhow::Context as _;
use kernel::Slug;
use kernel::ids::TenantId;
use serde_json::{Value, json};
use service::connect::look_up::Shape;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// The newest tenants
    List {
        /// At most so many
        #[arg(long, default_value = "50", value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
    },
    /// One tenant as its organization sees it, and its webhook address
    Show { tenant: String },
    /// Makes a tenant that somebody connects later: it is paused
    Create(tenant_set::New),
    /// Chooses for a tenant: release or channel, configuration, schedule, pause
    Set {
        tenant: String,
        #[command(flatten)]
        choices: Box<tenant_set::Choices>,
    },
    /// Archives a tenant: it keeps its history and does nothing any more
    Archive { tenant: String },
    /// Takes an archived tenant back
    Unarchive { tenant: String },
    /// Calls an outside system's API with a tenant's credential, which stays here
    Call(tenant_call::Call),
    /// A tenant's webhook addresses
    Webhook {
        #[command(subcommand)]
        action: WebhookAction,
    },
}

#[derive(Debug, clap::Subcommand)]
pub enum WebhookAction {
    /// Makes a new address and shows it; the old one lives 7 more days
    Rotate {
        tenant: String,
        /// The address that an outside system calls, instead of the tenant's own
        #[arg(long)]
        connector: Option<String>,
        /// Ends the old address now
        #[arg(long)]
        at_once: bool,
    },
}

fn tenant_id(text: &str) -> anyhow::Result<TenantId> {
    super::id(TenantId::parse, text, "tenant list")
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    match action {
        Action::List { limit } => list(desk, limit).await,
        Action::Show { tenant } => show(desk, tenant_id(&tenant)?).await,
        Action::Create(new) => tenant_set::create(new, desk).await,
        Action::Set { tenant, choices } => tenant_set::set(tenant_id(&tenant)?, *choices, desk).await,
        Action::Archive { tenant } => tenant_set::archive(tenant_id(&tenant)?, true, desk).await,
        Action::Unarchive { tenant } => tenant_set::archive(tenant_id(&tenant)?, false, desk).await,
        Action::Call(call) => tenant_call::run(tenant_id(call.tenant())?, call, desk).await,
        Action::Webhook { action: WebhookAction::Rotate { tenant, connector, at_once } } => {
            let organization = desk.organization().await?;
            let connector = connector.as_deref().map(Slug::parse).transpose()?;
            let tenant = tenant_id(&tenant)?;
            let url = desk
                .service
                .rotate_webhook(&ACTOR, &organization.id, tenant, connector.as_ref(), at_once)
                .await?;
            let ends = if at_once { "now" } else { "in 7 days" };
            crate::verbs::output::note(&format!("the old address ends {ends}"));
            desk.out.done(&json!({ "tenant": tenant, "webhook_url": url, "old_ends": ends }), &url)?;
            Ok(())
        }
    }
}

async fn list(desk: &mut Desk<'_>, limit: i64) -> anyhow::Result<()> {
    let (organization, environment) = (desk.organization().await?, desk.environment()?);
    let service = &desk.service;
    let (tenants, total) = service.newest_tenants(&organization.id, environment, limit).await?;
    let integrations = service.all_integrations(&organization.id, environment).await?;
    let ids: Vec<_> = tenants.iter().map(|(tenant, _)| tenant.user).collect();
    let names = service.usernames(&organization.id, &ids).await?;
    let records: Vec<Value> = tenants
        .iter()
        .map(|(tenant, connections)| {
            let integration = integrations.iter().find(|it| it.id == tenant.integration);
            let connections: Vec<_> = connections
                .iter()
                .map(|connection| format!("{} {}", connection.connector, connection.status.as_str()))
                .collect();
            json!({
                "id": tenant.id,
                "tenant": tenant.name,
                "user": names.get(&tenant.user),
                "integration": integration.map(|it| it.name.as_str()),
                "connections": connections,
                "schedule": tenant.schedule,
                "archived": tenant.archived.is_some(),
                "created": tenant.created.iso_seconds(),
            })
        })
        .collect();
    desk.out
        .list(&records, &["id", "tenant", "user", "integration", "connections", "archived", "created"])?;
    let shown = i64::try_from(records.len()).unwrap_or(i64::MAX);
    if total > shown {
        crate::verbs::output::note(&format!("the newest {shown} of {total}; --limit shows more"));
    }
    Ok(())
}

async fn show(desk: &mut Desk<'_>, id: TenantId) -> anyhow::Result<()> {
    let (organization, environment) = (desk.organization().await?, desk.environment()?);
    let config = desk.service.config_of(&organization.id, environment).await?;
    let config = config.with_context(|| {
        let name = &organization.slug;
        format!("{name} is disabled; `vestibule organization set {name} --enable` takes that back")
    })?;
    let found = desk.service.tenant_of(&config, id, Shape::V1).await?;
    let tenant = found.with_context(|| {
        format!("there is no tenant {id} in {environment}; `vestibule tenant list` shows them")
    })?;
    let webhook_url = desk.service.webhook_url(&organization.id, id, None).await?;
    if desk.out.is_json() {
        desk.out.one(&json!({ "tenant": tenant, "webhook_url": webhook_url }))?;
        return Ok(());
    }
    let at = |pointer: &str| tenant.pointer(pointer).cloned().unwrap_or(Value::Null);
    let user = format!("/connected_users/{}", organization.brand.as_str());
    desk.out.one(&json!({
        "id": at("/id"),
        "tenant": at("/name"),
        "integration": at("/integration/name"),
        "user": at(&format!("{user}/username")),
        "email": at(&format!("{user}/email")),
        "connections": at("/status/auth"),
        "schedule": at("/schedule"),
        "source": at("/source"),
        "paused": at("/paused"),
        "archived": at("/archived"),
        "created": at("/created_date"),
        "modified": at("/modified_date"),
        "webhook_url": webhook_url,
    }))?;
    Ok(())
}
