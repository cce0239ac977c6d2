//! The installation: checks at the outside system, steps after connecting, and one transaction that makes or
//! renews the tenant (contract `connect.md`, section 5).

use super::plan::{Hook, Plan, Unwritten};
use super::view::DialogContext;
use crate::work::refresh::Next;
use crate::{Fault, Service};
use ::connect::connector::Definition;
use ::connect::connector::flow::ProviderFailure;
use ::connect::credential::Credential;
use ::connect::dialog::{Choice, Dialog, Failure};
use ::connect::tenant::Tenant;
use ::connect::tenant_json::user_attributes;
use kernel::ids::{AttemptId, ConnectionId, TenantId, UserId, WebhookId};
use kernel::{Actor, Plain, SecretText, Slug, Time, User, audit};
use outbound::AfterOutcome;
use std::sync::Arc;
use store::{tenants, users};

/// Where an installation begins, or goes on after a choice.
#[derive(Debug)]
pub(crate) struct Installation {
    pub credential: Credential,
    /// The step after connecting that is next.
    pub step: usize,
    /// What the person chose at that step.
    pub chosen: Option<String>,
    pub attempt: Option<AttemptId>,
}

/// Why an installation did not come to its end.
#[derive(Debug)]
pub(crate) enum Stopped {
    Failed {
        failure: Failure,
        at_input: Option<String>,
        detail: Option<String>,
    },
    Choose {
        attempt: Option<AttemptId>,
        step: usize,
        choices: Vec<Choice>,
        credential: Box<Credential>,
    },
    /// The dialog was moved meanwhile, or its time for installing is over: nothing was written.
    Overtaken,
    Fault(Fault),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A connection on its way into the transaction.
#[derive(Debug)]
pub(super) struct Ready {
    pub connector: Slug,
    pub own: bool,
    pub credential: Credential,
    /// When it is renewed.
    pub next: Next,
}

/// The webhook address of the connector: the one there is, or one reserved for the tenant to come.
#[derive(Debug)]
struct Address {
    url: String,
    /// Set where it is new and must be stored with the tenant.
    reserved: Option<(WebhookId, Plain)>,
}

impl Service {
    /// Installs what the dialog connects. When this returns `Ok` the dialog is at `Success`, in the same
    /// transaction as the tenant.
    pub(crate) async fn install(&self, context: &DialogContext, from: Installation) -> Result<(), Stopped> {
        let Installation { mut credential, step, chosen, attempt } = from;
        let now = self.clock.now();
        let DialogContext { dialog, config, definition, .. } = context;
        let app = config.apps.get(&dialog.connector);
        let fresh = step == 0 && chosen.is_none();
        if fresh {
            let verified = self.providers.run_verify(definition, app, credential, now).await;
            credential = verified.map_err(|failure| refused_credential(definition, failure))?;
        }
        let address = self.webhook_address(dialog).await?;
        let from = (step, chosen.as_deref());
        let ran = self.providers.run_after(definition, app, credential, &address.url, from, now).await;
        let credential = match ran.map_err(failed)? {
            AfterOutcome::Done(credential) => credential,
            AfterOutcome::Choose { step, choices, credential } => {
                let credential = Box::new(credential);
                return Err(Stopped::Choose { attempt, step, choices, credential });
            }
        };
        let own = self.own_connection(context).await?;
        let next = self.next_renewal(definition, &credential);
        let outside = Ready { connector: dialog.connector.clone(), own: false, credential, next };
        self.save(context, outside, own, address, attempt).await
    }

    /// The organization's own connector, connected in the background with `xti.token` and verified where the
    /// connector says how (contract `connect.md`, section 2).
    async fn own_connection(&self, context: &DialogContext) -> Result<Option<Ready>, Stopped> {
        let DialogContext { dialog, config, .. } = context;
        let (Some(connector), Some(sealed)) = (&dialog.own_connector, &dialog.own_token) else {
            return Ok(None);
        };
        let definition = self.definition(config, connector);
        let definition =
            definition.ok_or_else(|| Fault::broken(format!("connector {connector} is not loaded")))?;
        let place = format!("dialog-token:{}", dialog.id.as_str());
        let opened = self.vault.open(&self.db, &dialog.organization, &place, sealed).await?;
        let now = self.clock.now();
        let token = SecretText::new(String::from_utf8_lossy(&opened));
        let credential = definition.own_credential(&token, now);
        let app = config.apps.get(connector);
        match self.providers.run_verify(&definition, app, credential, now).await {
            Ok(credential) => {
                let next = self.next_renewal(&definition, &credential);
                Ok(Some(Ready { connector: connector.clone(), own: true, credential, next }))
            }
            Err(failure) => {
                let detail = format!("{} did not accept its own token: {}", definition.name, failure.detail);
                Err(Stopped::Failed { failure: Failure::ServerError, at_input: None, detail: Some(detail) })
            }
        }
    }

    async fn webhook_address(&self, dialog: &Dialog) -> Result<Address, Fault> {
        let existing = self.existing_tenant(dialog).await?;
        if let Some(tenant) = existing
            && let Some(url) = self.webhook_url(&dialog.organization, tenant, Some(&dialog.connector)).await?
        {
            return Ok(Address { url, reserved: None });
        }
        let secret = Plain::new(&*self.chance);
        let url = self.webhook_link(dialog.environment, secret.reveal());
        let id = WebhookId::new(self.clock.now(), &*self.chance);
        Ok(Address { url, reserved: Some((id, secret)) })
    }

    async fn existing_tenant(&self, dialog: &Dialog) -> Result<Option<TenantId>, Fault> {
        let (organization, environment) = (dialog.organization.clone(), dialog.environment);
        let (integration, username) = (dialog.integration, dialog.visitor.username.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let user = users::by_username(tx, &organization, environment, &username).await?;
                let Some(user) = user else { return Ok(None) };
                tenants::find(tx, &organization, environment, integration, user.id).await
            })
        });
        Ok(read.await?.map(|tenant: Tenant| tenant.id))
    }

    /// Everything in one transaction: user, tenant, connections, webhooks, init trigger, audit, and the dialog's
    /// success. A second connect of the same user finds the tenant and renews its connections.
    async fn save(
        &self,
        context: &DialogContext,
        outside: Ready,
        own: Option<Ready>,
        address: Address,
        attempt: Option<AttemptId>,
    ) -> Result<(), Stopped> {
        let plan = Plan { attempt, ..self.plan(context, outside, own, address).await? };
        let written = self.db.write(move |tx| Box::pin(async move { plan.write(tx).await })).await;
        self.bells.ring(&context.dialog.id);
        written.map_err(|unwritten| match unwritten {
            Unwritten::Overtaken => Stopped::Overtaken,
            Unwritten::Fault(fault) => Stopped::Fault(fault),
        })?;
        self.ring_work();
        metrics::counter!("vestibule_tenants_connected_total").increment(1);
        Ok(())
    }

    async fn plan(
        &self,
        context: &DialogContext,
        outside: Ready,
        own: Option<Ready>,
        address: Address,
    ) -> Result<Plan, Fault> {
        let DialogContext { dialog, config, .. } = context;
        let owner = &dialog.organization;
        let now = self.clock.now();
        let integration = config.integrations.iter().find(|integration| integration.id == dialog.integration);
        let integration =
            integration.ok_or_else(|| Fault::broken("the dialog's integration is gone"))?.clone();
        let issuer = self.places.of(dialog.environment).map_or("", crate::Place::url);
        let namespace = config.organization.namespace(dialog.environment);
        let user = user(dialog, &namespace, issuer, now, UserId::new(&*self.chance));
        let mut connections = Vec::new();
        for ready in own.into_iter().chain([outside]) {
            let id = ConnectionId::new(now, &*self.chance);
            let content = ready.credential.to_json();
            connections.push((id, ready, content));
        }
        let mut hooks = vec![(WebhookId::new(now, &*self.chance), None, Plain::new(&*self.chance))];
        if let Some((id, secret)) = address.reserved {
            hooks.push((id, Some(dialog.connector.clone()), secret));
        }
        let mut sealed_hooks = Vec::new();
        for (id, connector, secret) in hooks {
            let place = format!("webhook:{id}");
            let sealed = self.vault.seal(&self.db, owner, &place, secret.reveal().as_bytes()).await?;
            sealed_hooks.push(Hook { id, connector, hash: secret.hashed(), sealed });
        }
        let actor = Actor::EndUser {
            organization: owner.clone(),
            username: dialog.visitor.username.clone(),
            acting: dialog.visitor.acting_name.clone().or_else(|| dialog.visitor.acting_id.clone()),
        };
        let event =
            |action| audit::Event::new(action, "", Some(owner.clone()), actor.clone(), now, &*self.chance);
        let (created, connected) = (event("tenant.created"), event("tenant.connected"));
        let key = self.vault.current_key(&self.db, owner).await?;
        let chance = Arc::clone(&self.chance);
        Ok(Plan {
            dialog: dialog.clone(),
            attempt: None,
            integration,
            user,
            connections,
            hooks: sealed_hooks,
            created,
            connected,
            now,
            key,
            chance,
        })
    }
}

fn user(dialog: &Dialog, namespace: &str, issuer: &str, now: Time, id: UserId) -> User {
    User {
        id,
        organization: dialog.organization.clone(),
        environment: dialog.environment,
        username: dialog.visitor.username.clone(),
        email: dialog.visitor.email.clone(),
        external_id: dialog.visitor.external_id.clone(),
        meta: dialog.visitor.meta.clone(),
        attributes: user_attributes(&dialog.visitor, namespace, issuer),
        created: now,
        modified: now,
    }
}

/// A credential that the outside system refused belongs to the form's field, where there is only one secret that
/// must be given.
fn refused_credential(definition: &Definition, failure: ProviderFailure) -> Stopped {
    if failure.failure != Failure::InvalidCredentials {
        return failed(failure);
    }
    let mut secrets = definition.secret_inputs().filter(|input| !input.optional);
    let at_input = match (secrets.next(), secrets.next()) {
        (Some(only), None) => Some(only.key.clone()),
        _ => None,
    };
    Stopped::Failed { failure: failure.failure, at_input, detail: Some(failure.detail) }
}

fn failed(failure: ProviderFailure) -> Stopped {
    Stopped::Failed { failure: failure.failure, at_input: None, detail: Some(failure.detail) }
}
