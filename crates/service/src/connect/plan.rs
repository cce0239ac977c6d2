//! What an installation writes, in one transaction: user, tenant, connections, webhooks, init trigger, audit and
//! the dialog's success (contract `connect.md`, section 5).

use super::install::Ready;
use crate::Fault;
use crate::work::events::{NewEvent, emit};
use crate::work::schedule::keep_in_step;
use crate::work::trigger::{Cause, trigger};
use ::connect::dialog::{Dialog, Event, Stage};
use ::connect::integration::Integration;
use ::connect::run;
use ::connect::schedule::with_offset;
use ::connect::tenant::{Source, Tenant};
use ::connect::tenant_json::tenant_name;
use ::connect::webhook::Webhook;
use kernel::ids::{AttemptId, ConnectionId, TenantId, UserId, WebhookId};
use kernel::{Slug, Time, User, audit};
use std::sync::Arc;
use store::connections::{Connected, NewConnection};
use store::tenants::Inserted;
use store::{DbError, Tx, attempts, audit as audit_log, connections, dialogs, tenants, users, webhooks};

/// How long an older webhook address lives on, in seconds (contract `connect.md`, section 7: 7 days).
const OLD_ADDRESS_S: i64 = 7 * 24 * 3600;

#[derive(Debug)]
pub(super) struct Hook {
    pub(super) id: WebhookId,
    pub(super) connector: Option<Slug>,
    pub(super) hash: kernel::Hashed,
    pub(super) sealed: kernel::Sealed,
}

/// What the transaction writes, prepared so that it awaits nothing but its statements.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) dialog: Dialog,
    /// Whose pending credential becomes the connection's.
    pub(super) attempt: Option<AttemptId>,
    pub(super) integration: Integration,
    pub(super) user: User,
    pub(super) connections: Vec<(ConnectionId, Ready, String)>,
    pub(super) hooks: Vec<Hook>,
    pub(super) created: audit::Event,
    pub(super) connected: audit::Event,
    pub(super) now: Time,
    pub(super) key: Arc<kernel::DataKey>,
    pub(super) chance: Arc<dyn kernel::Chance>,
}

/// Why a plan was not written. Either way the whole transaction is undone.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// The dialog is no longer as it was when the installation began.
    Overtaken,
    Fault(Fault),
}

impl From<DbError> for Unwritten {
    fn from(error: DbError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Fault> for Unwritten {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Plan {
    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), Unwritten> {
        let user = users::upsert(tx, &self.user).await?;
        let (mut tenant, is_new) = self.tenant(tx, user).await?;
        // One that the organization made for its user stood still until now.
        let is_first =
            is_new || connections::of_tenant(tx, &tenant.organization, tenant.id).await?.is_empty();
        let next = self.dialog.after(Event::Installed(tenant.id), self.now);
        let Ok(next @ Stage::Success { .. }) = next else {
            return Err(Unwritten::Overtaken);
        };
        // The version is the one thing that keeps an installation from ending a dialog that went on without it.
        if !dialogs::save_stage(tx, &self.dialog.id, self.dialog.version, &next).await? {
            return Err(Unwritten::Overtaken);
        }
        dialogs::forget_secrets(tx, &self.dialog.id).await?;
        if let Some(attempt) = &self.attempt {
            attempts::forget_pending(tx, &self.dialog.organization, attempt).await?;
        }
        for (id, ready, content) in &self.connections {
            self.connection(tx, &tenant, id, ready, content).await?;
        }
        for hook in &self.hooks {
            self.webhook(tx, &tenant, hook, is_new).await?;
        }
        if is_new {
            self.log(tx, &self.created, tenant.id).await?;
        } else {
            tenants::was_connected(tx, &tenant.organization, tenant.id, is_first, self.now).await?;
        }
        if is_first {
            tenant.paused = false;
            self.set_going(tx, &tenant).await?;
        }
        self.log(tx, &self.connected, tenant.id).await?;
        self.tell(tx, &tenant, is_new).await
    }

    /// Its schedule, and the run that finds out what the others work with.
    async fn set_going(&self, tx: &mut Tx, tenant: &Tenant) -> Result<(), Fault> {
        let cause = Cause {
            organization: &tenant.organization,
            tenant: tenant.id,
            source: run::Source::Manual,
            mode: run::Mode::Init,
            delivery: None,
            payload: None,
        };
        keep_in_step(tx, tenant, self.now).await?;
        trigger(tx, &cause, self.now, &*self.chance).await?;
        Ok(())
    }

    async fn tell(&self, tx: &mut Tx, tenant: &Tenant, is_new: bool) -> Result<(), Unwritten> {
        let username = &self.user.username;
        if is_new {
            emit(tx, &NewEvent::tenant_created(tenant, username), self.now, &*self.chance).await?;
        }
        let connected = NewEvent::tenant_connected(tenant, username, &self.dialog.connector);
        emit(tx, &connected, self.now, &*self.chance).await?;
        Ok(())
    }

    async fn log(&self, tx: &mut Tx, event: &audit::Event, tenant: TenantId) -> Result<(), Fault> {
        let connector = self.dialog.connector.as_str();
        let event = audit::Event { subject: tenant.to_string(), ..event.clone() };
        Ok(audit_log::insert(tx, &event.with(serde_json::json!({ "connector": connector }))).await?)
    }

    /// The user's tenant: the one there is, or a new one. Of many at once exactly one is new.
    async fn tenant(&self, tx: &mut Tx, user: UserId) -> Result<(Tenant, bool), Fault> {
        let Dialog { organization, environment, integration, .. } = &self.dialog;
        if let Some(tenant) = tenants::find(tx, organization, *environment, *integration, user).await? {
            return Ok((tenant, false));
        }
        let id = tenants::next_id(tx).await?;
        // The plain name first; where another user's tenant has it, the number makes it unique.
        for taken in [None, Some(id)] {
            let tenant = self.new_tenant(id, user, taken);
            match tenants::insert(tx, &tenant).await? {
                Inserted::New => return Ok((tenant, true)),
                Inserted::Existing(tenant) => return Ok((*tenant, false)),
                Inserted::NameTaken => {}
            }
        }
        Err(Fault::broken(format!("tenant {id} found no free name")))
    }

    fn new_tenant(&self, id: TenantId, user: UserId, taken: Option<TenantId>) -> Tenant {
        let user_schedule = self.integration.schedule.clone();
        let effective =
            user_schedule.as_deref().map(|cron| with_offset(cron, id, self.integration.shift_all));
        Tenant {
            id,
            organization: self.dialog.organization.clone(),
            environment: self.dialog.environment,
            integration: self.integration.id,
            user,
            name: tenant_name(&self.user.username, &self.integration.name, taken),
            source: Source::Connect,
            paused: false,
            archived: None,
            user_schedule,
            schedule: effective,
            time_zone: "UTC".to_owned(),
            channel: self.integration.channel,
            release: None,
            configs: serde_json::json!({}),
            created: self.now,
            modified: self.now,
        }
    }

    async fn connection(
        &self,
        tx: &mut Tx,
        tenant: &Tenant,
        fresh: &ConnectionId,
        ready: &Ready,
        content: &str,
    ) -> Result<(), Fault> {
        let new = NewConnection {
            id: fresh.clone(),
            organization: tenant.organization.clone(),
            tenant: tenant.id,
            connector: ready.connector.clone(),
            own: ready.own,
        };
        let sealed = |id: &ConnectionId| {
            Ok::<_, Fault>(Connected {
                credential: self.key.seal(&format!("connection:{id}"), content.as_bytes(), &*self.chance),
                account: ready.credential.account.clone(),
                expires: ready.credential.expires,
            })
        };
        let connection = connections::upsert_connected(tx, &new, self.now, sealed).await?;
        Ok(ready.next.put(tx, &tenant.organization, &connection.id, self.now).await?)
    }

    /// The tenant's own address is made once. A connector's is added whenever one was reserved, because the
    /// outside system has been told it: where another connect was quicker, this one lives on as an old one does.
    async fn webhook(&self, tx: &mut Tx, tenant: &Tenant, hook: &Hook, is_new: bool) -> Result<(), Fault> {
        if hook.connector.is_none() && !is_new {
            return Ok(());
        }
        let mut webhook = Webhook {
            id: hook.id.clone(),
            organization: tenant.organization.clone(),
            environment: tenant.environment,
            tenant: tenant.id,
            connector: hook.connector.clone(),
            secret_hash: hook.hash.clone(),
            secret: hook.sealed.clone(),
            created: self.now,
            ends: None,
        };
        if !webhooks::insert(tx, &webhook).await? {
            webhook.ends = Some(self.now.plus_seconds(OLD_ADDRESS_S));
            webhooks::insert(tx, &webhook).await?;
        }
        Ok(())
    }
}
