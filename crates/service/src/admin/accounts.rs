//! Accounts: the businesses of partners.

use super::{AdminRefused, Holder, checked_name, partners, switched};
use crate::Service;
use crate::enter::end_sessions::tell_withdrawn;
use enter::account::{Account, Association};
use enter::ids::{AccountId, AppId, PartnerId, PersonId};
use kernel::{Actor, Time};
use serde_json::json;
use std::sync::Arc;
use store::logout_notices::Withdrawn;
use store::{Kept, Tx, accounts, activations, associations, audit};

const ACCOUNT: &str = "account";
const LIST: &str = "; `vestibule account list` shows them";

/// What can be chosen for an account; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    pub name: Option<String>,
    /// Empty takes it away.
    pub customer_identifier: Option<String>,
    pub disabled: Option<bool>,
}

impl AccountChange {
    fn apply(self, account: &mut Account, now: Time) -> Result<(), AdminRefused> {
        if let Some(name) = self.name {
            account.name = checked_name(&name)?;
        }
        if let Some(text) = self.customer_identifier {
            if text.chars().count() > 200 || text.chars().any(char::is_control) {
                let what =
                    "a customer identifier has at most 200 characters, none of them a control character";
                return Err(AdminRefused::invalid(what));
            }
            account.customer_identifier = Some(text).filter(|text| !text.is_empty());
        }
        account.disabled = switched(self.disabled, account.disabled, now);
        Ok(())
    }
}

/// An account of a partner of the holder's own.
pub(super) async fn owned(
    tx: &mut Tx,
    holder: &Holder,
    id: &AccountId,
) -> Result<Kept<Account>, AdminRefused> {
    let found = accounts::owned(tx, &holder.organization, holder.environment, id).await?;
    found.ok_or_else(|| AdminRefused::NotFound { what: ACCOUNT, name: id.to_string(), hint: LIST })
}

impl Service {
    /// Makes an account of a partner; `id` is made here where none is given, and its name is the id where none is.
    ///
    /// # Errors
    /// [`AdminRefused`], also for an id that is taken.
    pub async fn create_account(
        &self,
        actor: &Actor,
        holder: &Holder,
        partner: &PartnerId,
        id: Option<AccountId>,
        change: AccountChange,
    ) -> Result<Account, AdminRefused> {
        let now = self.clock.now();
        let id = id.unwrap_or_else(|| AccountId::new(&*self.chance));
        let (name, partner) = (id.to_string(), partner.clone());
        let mut account = Account { id, partner, name, customer_identifier: None, disabled: None };
        change.apply(&mut account, now)?;
        let event = self.event(actor, "account.created", account.id.as_str(), &holder.organization);
        let event = event.with(json!({ "partner": account.partner, "name": account.name }));
        let holder = holder.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                partners::owned(tx, &holder, &account.partner).await?;
                if !accounts::insert(tx, holder.environment, &account, now).await? {
                    return Err(AdminRefused::taken(ACCOUNT, account.id.as_str()));
                }
                audit::insert(tx, &event).await?;
                Ok(account)
            })
        });
        write.await
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn account(&self, holder: &Holder, id: &AccountId) -> Result<Account, AdminRefused> {
        let (holder, id) = (holder.clone(), id.clone());
        let read = self.db.read(move |tx| Box::pin(async move { owned(tx, &holder, &id).await }));
        Ok(read.await?.noun)
    }

    /// The apps that were activated for the account and since when, by app.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn account_apps(
        &self,
        holder: &Holder,
        id: &AccountId,
    ) -> Result<Vec<(AppId, Time)>, AdminRefused> {
        let (holder, id) = (holder.clone(), id.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                owned(tx, &holder, &id).await?;
                Ok(activations::of_account(tx, &id).await?)
            })
        });
        read.await
    }

    /// At most `most` of those who may act for the account, by user, those after `after`.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn account_users(
        &self,
        holder: &Holder,
        id: &AccountId,
        after: Option<&PersonId>,
        most: i64,
    ) -> Result<Vec<Association>, AdminRefused> {
        let (holder, id, after) = (holder.clone(), id.clone(), after.cloned());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                owned(tx, &holder, &id).await?;
                Ok(associations::of_account(tx, &id, after.as_ref(), most).await?)
            })
        });
        read.await
    }

    /// At most `most` of a partner's, by id, those after `after`.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn accounts(
        &self,
        holder: &Holder,
        partner: &PartnerId,
        after: Option<&AccountId>,
        most: i64,
    ) -> Result<Vec<Account>, AdminRefused> {
        let (holder, partner, after) = (holder.clone(), partner.clone(), after.cloned());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                partners::owned(tx, &holder, &partner).await?;
                Ok(accounts::of_partner(tx, &partner, after.as_ref(), most).await?)
            })
        });
        read.await
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn change_account(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &AccountId,
        change: AccountChange,
    ) -> Result<Account, AdminRefused> {
        let now = self.clock.now();
        let event = self.event(actor, "account.changed", id.as_str(), &holder.organization);
        let (holder, id, chance) = (holder.clone(), id.clone(), Arc::clone(&self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let before = owned(tx, &holder, &id).await?;
                let mut account = before.noun.clone();
                change.apply(&mut account, now)?;
                if account == before.noun {
                    return Ok(account);
                }
                let wrote = accounts::update(tx, &account, before.revision, now).await?;
                wrote.ok_or_else(|| AdminRefused::changed(ACCOUNT, &account.id))?;
                let detail = json!({
                    "name": account.name,
                    "customer_identifier": account.customer_identifier,
                    "disabled": account.disabled.is_some(),
                });
                audit::insert(tx, &event.with(detail)).await?;
                if account.disabled.is_some() && before.noun.disabled.is_none() {
                    let which = Withdrawn::Account(account.id.clone());
                    tell_withdrawn(tx, holder.environment, &which, now, &*chance).await?;
                }
                Ok(account)
            })
        });
        let changed: Result<Account, AdminRefused> = write.await;
        self.tell_soon();
        changed
    }

    /// With its associations and activations, and what was granted for it.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn delete_account(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &AccountId,
    ) -> Result<(), AdminRefused> {
        let event = self.event(actor, "account.deleted", id.as_str(), &holder.organization);
        let (holder, id, chance, now) =
            (holder.clone(), id.clone(), Arc::clone(&self.chance), self.clock.now());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let account = owned(tx, &holder, &id).await?.noun;
                let which = Withdrawn::Account(account.id.clone());
                tell_withdrawn(tx, holder.environment, &which, now, &*chance).await?;
                accounts::delete(tx, &account.partner, &account.id).await?;
                Ok(audit::insert(tx, &event).await?)
            })
        });
        let deleted: Result<(), AdminRefused> = write.await;
        self.tell_soon();
        deleted
    }
}
