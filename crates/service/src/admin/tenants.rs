//! Tenants are made, changed, archived and taken back, and their metadata kept (contract `connect.md`, sections 5
//! and 6).

use super::Holder;
use super::tenant_choices::{check_name, choose, name_taken};
use crate::work::events::{NewEvent, emit, tell_archived};
use crate::work::refresh::follow_tenant;
use crate::work::{schedule, trigger};
use crate::{Fault, Service};
use connect::config_schema::Mistake;
use connect::dialog::Visitor;
use connect::integration::Channel;
use connect::release::Unusable;
use connect::schedule as cron;
use connect::tenant::{Source, Tenant};
use connect::tenant_json::user_attributes;
use connect::webhook::Webhook;
use kernel::ids::{IntegrationId, ReleaseId, TenantId, UserId, WebhookId};
use kernel::{Actor, Chance, Plain, Time, User, audit};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use store::releases::retirement;
use store::tenants::Inserted;
use store::{DbError, Tx, audit as audit_log, integrations, organizations, tenants, users, webhooks};

/// Why a tenant is not made or changed. Nothing was changed.
#[derive(Debug)]
pub enum TenantRefused {
    NotFound(&'static str),
    Conflict(String),
    /// Each mistake with the members of the request that lead to it.
    Invalid(Vec<Mistake>),
    /// Nothing may lead to the release that was chosen.
    Release(Unusable),
    Fault(Fault),
}

impl fmt::Display for TenantRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(what) => write!(f, "there is no such {what}"),
            Self::Conflict(text) => f.write_str(text),
            Self::Invalid(mistakes) => {
                let shown = |mistake: &Mistake| format!("{}: {}", mistake.path.join("."), mistake.text);
                f.write_str(&mistakes.iter().map(shown).collect::<Vec<_>>().join("\n"))
            }
            Self::Release(unusable) => unusable.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for TenantRefused {}

impl From<DbError> for TenantRefused {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unique { .. } => Self::Conflict("another tenant was quicker; try again".to_owned()),
            error => Self::Fault(error.into()),
        }
    }
}

impl From<Fault> for TenantRefused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

pub(super) fn invalid(field: &str, text: impl fmt::Display) -> TenantRefused {
    TenantRefused::Invalid(vec![Mistake { path: vec![field.to_owned()], text: text.to_string() }])
}

/// A new tenant. It is paused and nothing is connected yet; its user sets it going by connecting.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTenant {
    pub name: String,
    pub integration: IntegrationId,
    /// Whose it is: `sub` in a token. Not given: a user who is called as the tenant is.
    pub username: Option<String>,
    /// What is given of the rest.
    pub change: TenantChange,
}

/// What of a tenant is changed; `None` leaves it as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TenantChange {
    pub name: Option<String>,
    pub paused: Option<bool>,
    /// `Some(None)` takes the schedule away.
    pub user_schedule: Option<Option<String>>,
    pub time_zone: Option<String>,
    /// In place of the whole configuration; a JSON object.
    pub configs: Option<Value>,
    /// Follows this channel; a release of its own is given up.
    pub channel: Option<Channel>,
    /// A release of its own; `Some(None)` gives it up.
    pub release: Option<Option<ReleaseId>>,
    pub archived: Option<bool>,
}

impl TenantChange {
    /// The names of what is changed, for the audit log: configurations may hold what is nobody else's business.
    fn names(&self) -> Vec<&'static str> {
        let named = [
            (self.name.is_some(), "name"),
            (self.paused.is_some(), "paused"),
            (self.user_schedule.is_some(), "user_schedule"),
            (self.time_zone.is_some(), "time_zone"),
            (self.configs.is_some(), "configs"),
            (self.channel.is_some(), "integration_release_channel"),
            (self.release.is_some(), "integration_release_id"),
        ];
        named.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect()
    }
}

/// What a unit of work needs beside its rows.
struct Around {
    holder: Holder,
    now: Time,
    chance: Arc<dyn Chance>,
}

impl Service {
    /// A tenant for somebody who will connect it later, or whose credentials come otherwise.
    ///
    /// # Errors
    /// [`TenantRefused`].
    pub async fn create_tenant(
        &self,
        actor: &Actor,
        holder: &Holder,
        new: NewTenant,
    ) -> Result<Tenant, TenantRefused> {
        let source = if *actor == Actor::Operator { Source::Admin } else { Source::Api };
        let around = self.around(holder);
        let webhook = self.own_webhook(holder).await?;
        let event = self.event(actor, "tenant.created", "", &holder.organization);
        let issuer = self.places.of(holder.environment).map_or("", crate::Place::url).to_owned();
        let made = self.db.write(move |tx| {
            Box::pin(async move { create(tx, &around, new, source, webhook, (event, issuer)).await })
        });
        let tenant = made.await?;
        self.ring_work();
        Ok(tenant)
    }

    /// # Errors
    /// [`TenantRefused`].
    pub async fn change_tenant(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: TenantId,
        change: TenantChange,
    ) -> Result<Tenant, TenantRefused> {
        let around = self.around(holder);
        let event = |action| self.event(actor, action, id.to_string(), &holder.organization);
        let events = [event("tenant.changed"), event("tenant.archived"), event("tenant.unarchived")];
        let changed =
            self.db.write(move |tx| Box::pin(async move { apply(tx, &around, id, change, events).await }));
        let tenant = changed.await?;
        self.ring_work();
        Ok(tenant)
    }

    /// # Errors
    /// [`TenantRefused::NotFound`].
    pub async fn tenant_record(&self, holder: &Holder, id: TenantId) -> Result<Tenant, TenantRefused> {
        let Holder { organization, environment } = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move { tenants::by_id(tx, &organization, environment, id).await })
        });
        read.await?.ok_or(TenantRefused::NotFound("tenant"))
    }

    fn around(&self, holder: &Holder) -> Around {
        Around { holder: holder.clone(), now: self.clock.now(), chance: Arc::clone(&self.chance) }
    }

    /// The tenant's own address for deliveries; whose it is comes later.
    async fn own_webhook(&self, holder: &Holder) -> Result<(WebhookId, Plain, kernel::Sealed), Fault> {
        let (id, secret) = (WebhookId::new(self.clock.now(), &*self.chance), Plain::new(&*self.chance));
        let place = format!("webhook:{id}");
        let sealed = self.vault.seal(&self.db, &holder.organization, &place, secret.reveal().as_bytes());
        let sealed = sealed.await?;
        Ok((id, secret, sealed))
    }
}

async fn create(
    tx: &mut Tx,
    around: &Around,
    new: NewTenant,
    source: Source,
    (hook, secret, sealed): (WebhookId, Plain, kernel::Sealed),
    (event, issuer): (audit::Event, String),
) -> Result<Tenant, TenantRefused> {
    let Holder { organization, environment } = &around.holder;
    let integration = integrations::by_id(tx, organization, *environment, new.integration).await?;
    let integration =
        integration.ok_or_else(|| invalid("integration_id", "there is no integration with this id"))?;
    // Before it becomes the name of a user too.
    check_name(&new.name)?;
    let user = user_of(tx, around, new.username.unwrap_or_else(|| new.name.clone()), &issuer).await?;
    let id = tenants::next_id(tx).await?;
    let schedule = integration.schedule.clone();
    let mut tenant = Tenant {
        id,
        organization: organization.clone(),
        environment: *environment,
        integration: integration.id,
        user: user.id,
        name: new.name.clone(),
        source,
        paused: true,
        archived: None,
        schedule: schedule.as_deref().map(|text| cron::with_offset(text, id, integration.shift_all)),
        user_schedule: schedule,
        time_zone: "UTC".to_owned(),
        channel: integration.channel,
        release: None,
        configs: json!({}),
        created: around.now,
        modified: around.now,
    };
    let change = TenantChange { name: Some(new.name), ..new.change };
    choose(tx, &mut tenant, &integration, change).await?;
    match tenants::insert(tx, &tenant).await? {
        Inserted::New => {}
        Inserted::Existing(there) => {
            let text = format!("`{}` has this integration already: tenant {}", user.username, there.id);
            return Err(TenantRefused::Conflict(text));
        }
        Inserted::NameTaken => return Err(name_taken(&tenant.name)),
    }
    let webhook = Webhook {
        id: hook,
        organization: organization.clone(),
        environment: *environment,
        tenant: id,
        connector: None,
        secret_hash: secret.hashed(),
        secret: sealed,
        created: around.now,
        ends: None,
    };
    webhooks::insert(tx, &webhook).await?;
    schedule::keep_in_step(tx, &tenant, around.now).await?;
    audit_log::insert(tx, &audit::Event { subject: id.to_string(), ..event }).await?;
    emit(tx, &NewEvent::tenant_created(&tenant, &user.username), around.now, &*around.chance).await?;
    Ok(tenant)
}

/// The user of this name: the one there is, or a new one who has not come yet.
async fn user_of(
    tx: &mut Tx,
    around: &Around,
    username: String,
    issuer: &str,
) -> Result<User, TenantRefused> {
    let Holder { organization, environment } = &around.holder;
    if !(1..=250).contains(&username.chars().count()) || username.chars().any(char::is_control) {
        return Err(invalid(
            "user_name",
            "a user's name has 1 to 250 characters, none of them a control character",
        ));
    }
    if let Some(known) = users::by_username(tx, organization, *environment, &username).await? {
        return Ok(known);
    }
    let Some(record) = organizations::by_id(tx, organization).await? else {
        return Err(TenantRefused::NotFound("organization"));
    };
    let email = username.contains('@').then(|| username.clone());
    let visitor = Visitor {
        username: username.clone(),
        email: email.clone(),
        display_name: None,
        full_name: None,
        external_id: None,
        meta: Value::Null,
        external_integrations: Vec::new(),
        acting_id: None,
        acting_name: None,
        extra: Value::Null,
    };
    let mut user = User {
        id: UserId::new(&*around.chance),
        organization: organization.clone(),
        environment: *environment,
        username,
        email,
        external_id: None,
        meta: Value::Null,
        attributes: user_attributes(&visitor, &record.organization.namespace(*environment), issuer),
        created: around.now,
        modified: around.now,
    };
    user.id = users::upsert(tx, &user).await?;
    Ok(user)
}

async fn apply(
    tx: &mut Tx,
    around: &Around,
    id: TenantId,
    change: TenantChange,
    [changed, archived, unarchived]: [audit::Event; 3],
) -> Result<Tenant, TenantRefused> {
    let Holder { organization, environment } = &around.holder;
    let read = tenants::by_id(tx, organization, *environment, id).await?;
    let mut tenant = read.ok_or(TenantRefused::NotFound("tenant"))?;
    if change.archived == Some(false) && tenant.archived.is_some() {
        if !tenants::unarchive(tx, organization, id, around.now).await? {
            let text =
                "its user has another tenant of this integration by now, or another tenant has its name";
            return Err(TenantRefused::Conflict(text.to_owned()));
        }
        (tenant.archived, tenant.modified) = (None, around.now);
        audit_log::insert(tx, &unarchived).await?;
        follow_tenant(tx, (organization, id), false, around.now, &*around.chance).await?;
    }
    let names = change.names();
    if !names.is_empty() {
        if tenant.archived.is_some() {
            return Err(TenantRefused::Conflict(
                "the tenant is archived; send `archived` false first".to_owned(),
            ));
        }
        let integration = integrations::by_id(tx, organization, *environment, tenant.integration).await?;
        let integration = integration.ok_or(TenantRefused::NotFound("integration"))?;
        let (seen, archive, own) = (tenant.modified, change.archived, tenant.release);
        choose(tx, &mut tenant, &integration, TenantChange { archived: None, ..change }).await?;
        // Later than what was read, also where the clock stands still.
        tenant.modified = around.now.max(Time::from_micros(seen.micros().saturating_add(1)));
        if !tenants::change(tx, &tenant, seen).await? {
            return Err(TenantRefused::Conflict(
                "the tenant was changed in between; read it again".to_owned(),
            ));
        }
        if let Some(own) = own.filter(|own| tenant.release != Some(*own)) {
            retirement::let_go(tx, organization, own, around.now).await?;
        }
        audit_log::insert(tx, &changed.with(json!({ "changed": names }))).await?;
        archive_or_go_on(tx, around, &mut tenant, archive, archived).await?;
    } else {
        archive_or_go_on(tx, around, &mut tenant, change.archived, archived).await?;
    }
    Ok(tenant)
}

/// What hangs from a tenant follows it.
async fn archive_or_go_on(
    tx: &mut Tx,
    around: &Around,
    tenant: &mut Tenant,
    archive: Option<bool>,
    archived: audit::Event,
) -> Result<(), TenantRefused> {
    let Holder { organization, environment } = &around.holder;
    let is_new = archive == Some(true) && tenants::archive(tx, organization, tenant.id, around.now).await?;
    if is_new {
        (tenant.archived, tenant.modified) = (Some(around.now), around.now);
        audit_log::insert(tx, &archived).await?;
        follow_tenant(tx, (organization, tenant.id), true, around.now, &*around.chance).await?;
    }
    schedule::keep_in_step(tx, tenant, around.now).await?;
    if is_new {
        tell_archived(tx, (organization, *environment), tenant.id, around.now, &*around.chance).await?;
    } else if tenant.archived.is_none() && !tenant.paused {
        // Triggers that waited for it to go on, or for another release.
        trigger::enqueue(tx, organization, tenant.id, around.now, &*around.chance).await?;
    }
    Ok(())
}
