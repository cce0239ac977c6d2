//! Partners' users, and which of them may act for which account.

use super::{AdminRefused, Holder, accounts, partners, switched};
use crate::Service;
use crate::enter::end_sessions::end_sessions;
use enter::account::{Association, Identity, PartnerUserId, Person};
use enter::ids::{AccountId, PartnerId, PersonId};
use kernel::{Actor, SafeUrl, Time};
use serde_json::json;
use std::sync::Arc;
use store::logout_notices::Ending;
use store::{Kept, Tx, associations, audit, people};

const USER: &str = "user";
const LIST: &str = "; `vestibule user list` shows them";
/// The most roles at one account, and the longest.
const ROLES_MOST: usize = 20;

/// What can be told of a user; `None` leaves it as it is, an empty text takes it away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonChange {
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    /// A language tag, as `de` or `pt-BR`.
    pub locale: Option<String>,
    /// An https URL.
    pub picture: Option<String>,
    pub disabled: Option<bool>,
}

fn text(
    field: &mut Option<String>,
    new: Option<String>,
    name: &str,
    most: usize,
) -> Result<(), AdminRefused> {
    let Some(new) = new else { return Ok(()) };
    if new.chars().count() > most || new.chars().any(char::is_control) {
        let what = format!("{name} has at most {most} characters, none of them a control character");
        return Err(AdminRefused::Invalid(what));
    }
    *field = Some(new).filter(|new| !new.is_empty());
    Ok(())
}

impl PersonChange {
    fn apply(self, person: &mut Person, now: Time) -> Result<(), AdminRefused> {
        if let Some(email) = self.email.as_deref().filter(|email| !email.is_empty())
            && !email.contains('@')
        {
            return Err(AdminRefused::Invalid(format!(
                "`{}` is no e-mail address",
                kernel::jose::shortened(email)
            )));
        }
        if let Some(picture) = self.picture.as_deref().filter(|picture| !picture.is_empty()) {
            SafeUrl::parse(picture).map_err(|why| AdminRefused::Invalid(format!("the picture: {why}")))?;
        }
        text(&mut person.email, self.email, "an e-mail address", 254)?;
        text(&mut person.given_name, self.given_name, "a given name", 200)?;
        text(&mut person.family_name, self.family_name, "a family name", 200)?;
        text(&mut person.locale, self.locale, "a locale", 35)?;
        text(&mut person.picture, self.picture, "a picture's address", 2000)?;
        person.email_verified =
            self.email_verified.unwrap_or(person.email_verified) && person.email.is_some();
        person.disabled = switched(self.disabled, person.disabled, now);
        Ok(())
    }
}

/// A user of a partner of the holder's own.
pub(super) async fn owned(tx: &mut Tx, holder: &Holder, id: &PersonId) -> Result<Kept<Person>, AdminRefused> {
    let found = people::owned(tx, &holder.organization, holder.environment, id).await?;
    found.ok_or_else(|| AdminRefused::NotFound { what: USER, name: id.to_string(), hint: LIST })
}

fn checked_roles(roles: &[String]) -> Result<(), AdminRefused> {
    let fits = |role: &String| {
        (1..=64).contains(&role.chars().count()) && !role.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    if (1..=ROLES_MOST).contains(&roles.len()) && roles.iter().all(fits) {
        return Ok(());
    }
    let what = format!("there are 1 to {ROLES_MOST} roles of 1 to 64 characters without blanks");
    Err(AdminRefused::Invalid(what))
}

impl Service {
    /// Makes a user of a partner, known by the partner's own id; `id`, our own, is made here where none is given.
    ///
    /// # Errors
    /// [`AdminRefused`], also where the partner has this user.
    pub async fn create_person(
        &self,
        actor: &Actor,
        holder: &Holder,
        identity: Identity,
        id: Option<PersonId>,
        change: PersonChange,
    ) -> Result<Person, AdminRefused> {
        let now = self.clock.now();
        let mut person = Person {
            id: id.unwrap_or_else(|| PersonId::new(&*self.chance)),
            identity,
            email: None,
            email_verified: false,
            given_name: None,
            family_name: None,
            locale: None,
            picture: None,
            disabled: None,
        };
        change.apply(&mut person, now)?;
        let event = self.event(actor, "user.created", person.id.as_str(), &holder.organization);
        let event = event.with(json!({ "partner": person.identity.partner }));
        let holder = holder.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                partners::owned(tx, &holder, &person.identity.partner).await?;
                if !people::insert_if_new(tx, &person, now).await? {
                    return Err(AdminRefused::taken(USER, person.identity.partner_user.as_str()));
                }
                audit::insert(tx, &event).await?;
                Ok(person)
            })
        });
        write.await
    }

    /// The user and the accounts for which it may act.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn person(
        &self,
        holder: &Holder,
        id: &PersonId,
    ) -> Result<(Person, Vec<Association>), AdminRefused> {
        let (holder, id) = (holder.clone(), id.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let person = owned(tx, &holder, &id).await?.noun;
                Ok((person, associations::of_person(tx, &id).await?))
            })
        });
        read.await
    }

    /// At most `most` of a partner's, by the partner's own id, those after `after`.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn people(
        &self,
        holder: &Holder,
        partner: &PartnerId,
        after: Option<&PartnerUserId>,
        most: i64,
    ) -> Result<Vec<Person>, AdminRefused> {
        let (holder, partner, after) = (holder.clone(), partner.clone(), after.cloned());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                partners::owned(tx, &holder, &partner).await?;
                Ok(people::of_partner(tx, &partner, after.as_ref(), most).await?)
            })
        });
        read.await
    }

    /// The audit log says which user was changed and whether it is switched off, and nothing personal. Switching a user
    /// off ends its sessions, and every app that was entered in them is told.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn change_person(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &PersonId,
        change: PersonChange,
    ) -> Result<Person, AdminRefused> {
        let now = self.clock.now();
        let event = self.event(actor, "user.changed", id.as_str(), &holder.organization);
        let (holder, id, chance) = (holder.clone(), id.clone(), Arc::clone(&self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let before = owned(tx, &holder, &id).await?;
                let mut person = before.noun.clone();
                change.apply(&mut person, now)?;
                if person == before.noun {
                    return Ok(person);
                }
                let wrote = people::update(tx, &person, before.revision, now).await?;
                wrote.ok_or_else(|| AdminRefused::changed(USER, &person.id))?;
                let detail = json!({ "disabled": person.disabled.is_some() });
                audit::insert(tx, &event.with(detail)).await?;
                if person.disabled.is_some() && before.noun.disabled.is_none() {
                    let Identity { partner, .. } = person.identity.clone();
                    let all = Ending::Person { partner, person: person.id.clone() };
                    end_sessions(tx, holder.environment, &all, now, &*chance).await?;
                }
                Ok(person)
            })
        });
        let changed: Result<Person, AdminRefused> = write.await;
        self.tell_soon();
        changed
    }

    /// With its associations, sessions and what was granted in its name. The apps of its sessions are told.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn delete_person(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &PersonId,
    ) -> Result<(), AdminRefused> {
        let event = self.event(actor, "user.deleted", id.as_str(), &holder.organization);
        let (holder, id, chance, now) =
            (holder.clone(), id.clone(), Arc::clone(&self.chance), self.clock.now());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let person = owned(tx, &holder, &id).await?.noun;
                let partner = person.identity.partner.clone();
                let all = Ending::Person { partner, person: person.id.clone() };
                end_sessions(tx, holder.environment, &all, now, &*chance).await?;
                people::delete(tx, &person.identity.partner, &person.id).await?;
                Ok(audit::insert(tx, &event).await?)
            })
        });
        let deleted: Result<(), AdminRefused> = write.await;
        self.tell_soon();
        deleted
    }

    /// Lets a user act for an account with exactly these roles, from now on.
    ///
    /// # Errors
    /// [`AdminRefused`], also for an account of another partner.
    pub async fn associate(
        &self,
        actor: &Actor,
        holder: &Holder,
        person: &PersonId,
        account: &AccountId,
        roles: &[String],
    ) -> Result<Association, AdminRefused> {
        checked_roles(roles)?;
        let now = self.clock.now();
        let event = self.event(actor, "user.associated", person.as_str(), &holder.organization);
        let event = event.with(json!({ "account": account, "roles": roles }));
        let (person, account, roles) = (person.clone(), account.clone(), roles.to_vec());
        let (holder, association) = (holder.clone(), Association { person, account, roles });
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let person = owned(tx, &holder, &association.person).await?.noun;
                let account = accounts::owned(tx, &holder, &association.account).await?.noun;
                if account.partner != person.identity.partner {
                    let what = "the user and the account belong to different partners";
                    return Err(AdminRefused::invalid(what));
                }
                if associations::find(tx, &person.id, &account.id).await?.as_ref() == Some(&association) {
                    return Ok(association);
                }
                if !associations::insert_if_new(tx, &association, now).await? {
                    associations::set_roles(tx, &association).await?;
                }
                audit::insert(tx, &event).await?;
                Ok(association)
            })
        });
        write.await
    }

    /// Ends what [`Self::associate`] began; `false` where there was nothing.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn dissociate(
        &self,
        actor: &Actor,
        holder: &Holder,
        person: &PersonId,
        account: &AccountId,
    ) -> Result<bool, AdminRefused> {
        let event = self.event(actor, "user.dissociated", person.as_str(), &holder.organization);
        let event = event.with(json!({ "account": account }));
        let (holder, person, account) = (holder.clone(), person.clone(), account.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                owned(tx, &holder, &person).await?;
                let ended = associations::delete(tx, &person, &account).await?;
                if ended {
                    audit::insert(tx, &event).await?;
                }
                Ok(ended)
            })
        });
        write.await
    }
}
