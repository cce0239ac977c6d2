//! Partners: organizations that vouch for their users.

use super::{AdminRefused, Holder, difference};
use crate::Service;
use crate::enter::end_sessions::end_sessions;
use enter::ids::PartnerId;
use enter::partner::Partner;
use enter::sso::json::Field as _;
use enter::sso::{IdentityProviderConfiguration, check_revision};
use kernel::{Actor, Time};
use std::sync::Arc;
use store::logout_notices::Ending;
use store::{Kept, Tx, audit, partners};

const PARTNER: &str = "partner";
const LIST: &str = "; `vestibule partner list` shows them";

/// One of the holder's own.
pub(super) async fn owned(
    tx: &mut Tx,
    holder: &Holder,
    id: &PartnerId,
) -> Result<Kept<Partner>, AdminRefused> {
    let found = partners::owned(tx, &holder.organization, holder.environment, id).await?;
    found.ok_or_else(|| AdminRefused::NotFound { what: PARTNER, name: id.to_string(), hint: LIST })
}

fn written(partner: &Partner, revision: Time) -> Option<serde_json::Value> {
    IdentityProviderConfiguration::of(partner, revision).write()
}

impl Service {
    /// Makes a partner; its id is the configuration's where that has one.
    ///
    /// # Errors
    /// [`AdminRefused`], also for an id that is taken.
    pub async fn create_partner(
        &self,
        actor: &Actor,
        holder: &Holder,
        configuration: &IdentityProviderConfiguration,
    ) -> Result<Kept<Partner>, AdminRefused> {
        let now = self.clock.now();
        let id = configuration.wanted_id()?.unwrap_or_else(|| PartnerId::new(&*self.chance));
        let Holder { organization, environment } = holder;
        let partner = configuration.check(id, organization.clone(), *environment, None, now)?;
        let event = self.event(actor, "partner.created", partner.id.as_str(), organization);
        let event = event.with(difference(None, written(&partner, now)));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if !partners::insert(tx, &partner, now).await? {
                    return Err(AdminRefused::taken(PARTNER, partner.id.as_str()));
                }
                audit::insert(tx, &event).await?;
                Ok(Kept { noun: partner, revision: now })
            })
        });
        write.await
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn partner(&self, holder: &Holder, id: &PartnerId) -> Result<Kept<Partner>, AdminRefused> {
        let (holder, id) = (holder.clone(), id.clone());
        self.db.read(move |tx| Box::pin(async move { owned(tx, &holder, &id).await })).await
    }

    /// At most `most`, by id, those after `after`.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn partners(
        &self,
        holder: &Holder,
        after: Option<&PartnerId>,
        most: i64,
    ) -> Result<Vec<Kept<Partner>>, AdminRefused> {
        let (Holder { organization, environment }, after) = (holder.clone(), after.cloned());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                partners::of_organization(tx, &organization, environment, after.as_ref(), most).await
            })
        });
        Ok(read.await?)
    }

    /// Replaces the whole configuration, which carries the revision that was read. One that changes nothing is no
    /// change: the revision stays and the audit log says nothing. Switching a partner off ends its users' sessions, and
    /// every app that was entered in them is told.
    ///
    /// # Errors
    /// [`AdminRefused`]; [`AdminRefused::Conflict`] where somebody changed it in between.
    pub async fn change_partner(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &PartnerId,
        configuration: IdentityProviderConfiguration,
    ) -> Result<Kept<Partner>, AdminRefused> {
        let now = self.clock.now();
        let event = self.event(actor, "partner.changed", id.as_str(), &holder.organization);
        let (holder, id, chance) = (holder.clone(), id.clone(), Arc::clone(&self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let before = owned(tx, &holder, &id).await?;
                check_revision("identity_provider.revision", &configuration.revision, before.revision)?;
                let Holder { organization, environment } = holder;
                let seen = Some(&before.noun);
                let partner = configuration.check(id, organization, environment, seen, now)?;
                if partner == before.noun {
                    return Ok(before);
                }
                let wrote = partners::update(tx, &partner, before.revision, now).await?;
                let revision = wrote.ok_or_else(|| AdminRefused::changed(PARTNER, &partner.id))?;
                let old = written(&before.noun, before.revision);
                let event = event.with(difference(old, written(&partner, revision)));
                audit::insert(tx, &event).await?;
                if partner.disabled.is_some() && before.noun.disabled.is_none() {
                    let all = Ending::Partner(partner.id.clone());
                    end_sessions(tx, environment, &all, now, &*chance).await?;
                }
                Ok(Kept { noun: partner, revision })
            })
        });
        let changed: Result<Kept<Partner>, AdminRefused> = write.await;
        self.tell_soon();
        changed
    }

    /// With its users, their sessions, and its service accounts.
    ///
    /// # Errors
    /// [`AdminRefused`]; [`AdminRefused::Conflict`] while it has accounts.
    pub async fn delete_partner(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &PartnerId,
    ) -> Result<(), AdminRefused> {
        let event = self.event(actor, "partner.deleted", id.as_str(), &holder.organization);
        let (holder, id, chance, now) =
            (holder.clone(), id.clone(), Arc::clone(&self.chance), self.clock.now());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                owned(tx, &holder, &id).await?;
                let all = Ending::Partner(id.clone());
                end_sessions(tx, holder.environment, &all, now, &*chance).await?;
                if !partners::delete(tx, &holder.organization, holder.environment, &id).await? {
                    let what = format!("partner `{id}` still has accounts; delete them first");
                    return Err(AdminRefused::Conflict(what));
                }
                Ok(audit::insert(tx, &event).await?)
            })
        });
        let deleted: Result<(), AdminRefused> = write.await;
        self.tell_soon();
        deleted
    }
}
