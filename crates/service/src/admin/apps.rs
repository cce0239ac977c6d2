//! Apps, which partners' users enter, and for which accounts they are active.

use super::{AdminRefused, Holder, difference};
use crate::Service;
use crate::enter::end_sessions::tell_withdrawn;
use enter::app::App;
use enter::ids::{AccountId, AppId};
use enter::sso::json::Field as _;
use enter::sso::{ServiceProviderConfiguration, check_revision};
use kernel::{Actor, Time};
use std::sync::Arc;
use store::logout_notices::Withdrawn;
use store::{Kept, Tx, accounts, activations, apps, audit};

const APP: &str = "app";
const LIST: &str = "; `vestibule service-provider list` shows them";

/// One of the holder's own.
pub(super) async fn owned(tx: &mut Tx, holder: &Holder, id: &AppId) -> Result<Kept<App>, AdminRefused> {
    let found = apps::owned(tx, &holder.organization, holder.environment, id).await?;
    found.ok_or_else(|| AdminRefused::NotFound { what: APP, name: id.to_string(), hint: LIST })
}

fn written(app: &App, revision: Time) -> Option<serde_json::Value> {
    ServiceProviderConfiguration::of(app, revision).write()
}

impl Service {
    /// Makes an app; its id is the configuration's where that has one.
    ///
    /// # Errors
    /// [`AdminRefused`], also for an id that is taken.
    pub async fn create_app(
        &self,
        actor: &Actor,
        holder: &Holder,
        configuration: &ServiceProviderConfiguration,
    ) -> Result<Kept<App>, AdminRefused> {
        let now = self.clock.now();
        let id = configuration.wanted_id()?.unwrap_or_else(|| AppId::new(&*self.chance));
        let Holder { organization, environment } = holder;
        let app = configuration.check(id, organization.clone(), *environment, None, now)?;
        let event = self.event(actor, "app.created", app.id.as_str(), organization);
        let event = event.with(difference(None, written(&app, now)));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if !apps::insert(tx, &app, now).await? {
                    return Err(AdminRefused::taken(APP, app.id.as_str()));
                }
                audit::insert(tx, &event).await?;
                Ok(Kept { noun: app, revision: now })
            })
        });
        write.await
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn app(&self, holder: &Holder, id: &AppId) -> Result<Kept<App>, AdminRefused> {
        let (holder, id) = (holder.clone(), id.clone());
        self.db.read(move |tx| Box::pin(async move { owned(tx, &holder, &id).await })).await
    }

    /// At most `most`, by id, those after `after`.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn all_apps(
        &self,
        holder: &Holder,
        after: Option<&AppId>,
        most: i64,
    ) -> Result<Vec<Kept<App>>, AdminRefused> {
        let (Holder { organization, environment }, after) = (holder.clone(), after.cloned());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                apps::of_organization(tx, &organization, environment, after.as_ref(), most).await
            })
        });
        Ok(read.await?)
    }

    /// Replaces the whole configuration, which carries the revision that was read. One that changes nothing is no
    /// change: the revision stays and the audit log says nothing.
    ///
    /// # Errors
    /// [`AdminRefused`]; [`AdminRefused::Conflict`] where somebody changed it in between.
    pub async fn change_app(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &AppId,
        configuration: ServiceProviderConfiguration,
    ) -> Result<Kept<App>, AdminRefused> {
        let now = self.clock.now();
        let event = self.event(actor, "app.changed", id.as_str(), &holder.organization);
        let (holder, id, chance) = (holder.clone(), id.clone(), Arc::clone(&self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let before = owned(tx, &holder, &id).await?;
                check_revision("service_provider.revision", &configuration.revision, before.revision)?;
                let Holder { organization, environment } = holder;
                let seen = Some(&before.noun);
                let app = configuration.check(id, organization, environment, seen, now)?;
                if app == before.noun {
                    return Ok(before);
                }
                let wrote = apps::update(tx, &app, before.revision, now).await?;
                let revision = wrote.ok_or_else(|| AdminRefused::changed(APP, &app.id))?;
                let old = written(&before.noun, before.revision);
                let event = event.with(difference(old, written(&app, revision)));
                audit::insert(tx, &event).await?;
                if app.disabled.is_some() && before.noun.disabled.is_none() {
                    let which = Withdrawn::App(app.id.clone());
                    tell_withdrawn(tx, environment, &which, now, &*chance).await?;
                }
                Ok(Kept { noun: app, revision })
            })
        });
        let changed: Result<Kept<App>, AdminRefused> = write.await;
        self.tell_soon();
        changed
    }

    /// With its clients, and what was granted to them.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn delete_app(&self, actor: &Actor, holder: &Holder, id: &AppId) -> Result<(), AdminRefused> {
        let event = self.event(actor, "app.deleted", id.as_str(), &holder.organization);
        let (holder, id) = (holder.clone(), id.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                owned(tx, &holder, &id).await?;
                apps::delete(tx, &holder.organization, holder.environment, &id).await?;
                Ok(audit::insert(tx, &event).await?)
            })
        });
        write.await
    }

    /// Opens the holder's app to an account, whichever partner's it is, or closes it again. What is so already stays so,
    /// and the answer is `false`.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn activate_app(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &AppId,
        account: &AccountId,
        active: bool,
    ) -> Result<bool, AdminRefused> {
        let now = self.clock.now();
        let action = if active { "app.activated" } else { "app.deactivated" };
        let event = self.event(actor, action, id.as_str(), &holder.organization);
        let event = event.with(serde_json::json!({ "account": account }));
        let (holder, id, account) = (holder.clone(), id.clone(), account.clone());
        let chance = Arc::clone(&self.chance);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let app = owned(tx, &holder, &id).await?;
                if accounts::find(tx, holder.environment, &account).await?.is_none() {
                    return Err(AdminRefused::not_found("account", account.as_str()));
                }
                let changed = if active {
                    activations::insert(tx, &id, &account, now).await?
                } else {
                    activations::delete(tx, &id, &account).await?
                };
                if changed {
                    audit::insert(tx, &event).await?;
                }
                // An app that is open to everybody stays open to this account.
                if changed && !active && !app.noun.open_to_all {
                    let which = Withdrawn::Activation(id, account);
                    tell_withdrawn(tx, holder.environment, &which, now, &*chance).await?;
                }
                Ok(changed)
            })
        });
        let changed: Result<bool, AdminRefused> = write.await;
        self.tell_soon();
        changed
    }

    /// At most `most` accounts for which the app is active, and since when; by account, those after `after`.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn activations(
        &self,
        holder: &Holder,
        id: &AppId,
        after: Option<&AccountId>,
        most: i64,
    ) -> Result<Vec<(AccountId, Time)>, AdminRefused> {
        let (holder, id, after) = (holder.clone(), id.clone(), after.cloned());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                owned(tx, &holder, &id).await?;
                Ok(activations::of_app(tx, &id, after.as_ref(), most).await?)
            })
        });
        read.await
    }
}
