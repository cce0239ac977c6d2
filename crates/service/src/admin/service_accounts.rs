//! Service accounts: how partners' backends prove themselves.

use super::{AdminRefused, Holder, checked_name, partners, switched};
use crate::Service;
use enter::ids::PartnerId;
use enter::service_account::{Scope, ServiceAccount};
use kernel::{Actor, Time};
use serde_json::json;
use store::service_accounts::{self, ServiceAccountRecord};
use store::{Kept, Tx, audit};

const SERVICE_ACCOUNT: &str = "service account";
const LIST: &str = "; `vestibule service-account list` shows them";

/// What can be chosen for a service account; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceAccountChange {
    pub name: Option<String>,
    /// As [`Scope`] spells them; all of them.
    pub scopes: Option<Vec<String>>,
    pub disabled: Option<bool>,
}

impl ServiceAccountChange {
    fn apply(self, record: &mut ServiceAccountRecord, now: Time) -> Result<(), AdminRefused> {
        if let Some(name) = self.name {
            record.name = checked_name(&name)?;
        }
        if let Some(scopes) = self.scopes {
            if let Some(unknown) = scopes.iter().find(|scope| Scope::parse(scope).is_none()) {
                let known = Scope::ALL.map(Scope::as_str).join(", ");
                let what =
                    format!("there is no scope `{}`; there are {known}", kernel::jose::shortened(unknown));
                return Err(AdminRefused::Invalid(what));
            }
            // In one order, each once.
            let wanted =
                Scope::ALL.map(Scope::as_str).into_iter().filter(|one| scopes.iter().any(|s| s == one));
            record.account.scopes = wanted.map(str::to_owned).collect();
        }
        record.account.disabled = switched(self.disabled, record.account.disabled, now);
        Ok(())
    }
}

/// A service account of a partner of the holder's own.
pub(super) async fn owned(
    tx: &mut Tx,
    holder: &Holder,
    email: &str,
) -> Result<Kept<ServiceAccountRecord>, AdminRefused> {
    let found = service_accounts::owned(tx, &holder.organization, holder.environment, email).await?;
    found.ok_or_else(|| AdminRefused::NotFound {
        what: SERVICE_ACCOUNT,
        name: kernel::jose::shortened(email),
        hint: LIST,
    })
}

/// Decision: only characters that need no escaping anywhere, because the address stands in claims that some clients
/// read as plain base64, and in log lines. It is a name; nothing is ever sent to it.
fn checked_email(text: &str) -> Result<String, AdminRefused> {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+'))
    };
    match text.split_once('@') {
        Some((name, host)) if part(name) && part(host) && text.len() <= 254 => Ok(text.to_owned()),
        _ => Err(AdminRefused::invalid(
            "a service account's address is written as an e-mail address, of letters, digits, `-`, `_`, `.` and `+`",
        )),
    }
}

impl Service {
    /// Makes a service account. Its address (`client_email`) is made of its name, its partner and this gateway's host
    /// where none is given. Its scopes are the least that a session-transfer endpoint needs, unless others are given.
    ///
    /// # Errors
    /// [`AdminRefused`], also for an address that is taken.
    pub async fn create_service_account(
        &self,
        actor: &Actor,
        holder: &Holder,
        partner: &PartnerId,
        email: Option<&str>,
        change: ServiceAccountChange,
    ) -> Result<ServiceAccountRecord, AdminRefused> {
        let now = self.clock.now();
        let email = match email {
            Some(email) => checked_email(email)?,
            None => self.made_email(holder, partner, change.name.as_deref().unwrap_or("main"))?,
        };
        let scopes = Scope::DEFAULT.map(|scope| scope.as_str().to_owned()).to_vec();
        let name = email.split('@').next().unwrap_or_default().to_owned();
        let account = ServiceAccount { email, partner: partner.clone(), scopes, disabled: None };
        let mut record = ServiceAccountRecord { account, name, created: now };
        change.apply(&mut record, now)?;
        let account = &record.account;
        let event = self.event(actor, "service_account.created", &account.email, &holder.organization);
        let event = event.with(json!({ "partner": account.partner, "scopes": account.scopes }));
        let holder = holder.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                partners::owned(tx, &holder, &record.account.partner).await?;
                if !service_accounts::insert(tx, &record).await? {
                    return Err(AdminRefused::taken(SERVICE_ACCOUNT, &record.account.email));
                }
                audit::insert(tx, &event).await?;
                Ok(record)
            })
        });
        write.await
    }

    fn made_email(&self, holder: &Holder, partner: &PartnerId, name: &str) -> Result<String, AdminRefused> {
        let place = self.places.of(holder.environment);
        let host = place.and_then(|place| {
            let url = kernel::SafeUrl::parse(place.url()).ok()?;
            url.as_url().host_str().map(|host| host.trim_matches(['[', ']']).replace(':', "."))
        });
        let name: String = name
            .trim()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        checked_email(&format!("{name}@{partner}.{}", host.unwrap_or_default()))
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn service_account(
        &self,
        holder: &Holder,
        email: &str,
    ) -> Result<ServiceAccountRecord, AdminRefused> {
        let (holder, email) = (holder.clone(), email.to_owned());
        let read = self.db.read(move |tx| Box::pin(async move { owned(tx, &holder, &email).await }));
        Ok(read.await?.noun)
    }

    /// Those of a partner, by address, also disabled ones.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn service_accounts(
        &self,
        holder: &Holder,
        partner: &PartnerId,
    ) -> Result<Vec<ServiceAccountRecord>, AdminRefused> {
        let (holder, partner) = (holder.clone(), partner.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                partners::owned(tx, &holder, &partner).await?;
                let all = service_accounts::of_partner(tx, &partner).await?;
                Ok(all.into_iter().map(|kept| kept.noun).collect())
            })
        });
        read.await
    }

    /// One that is disabled is refused at once at every endpoint, also with tokens that it holds.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn change_service_account(
        &self,
        actor: &Actor,
        holder: &Holder,
        email: &str,
        change: ServiceAccountChange,
    ) -> Result<ServiceAccountRecord, AdminRefused> {
        let now = self.clock.now();
        let event = self.event(actor, "service_account.changed", email, &holder.organization);
        let (holder, email) = (holder.clone(), email.to_owned());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let before = owned(tx, &holder, &email).await?;
                let mut record = before.noun.clone();
                change.apply(&mut record, now)?;
                if record == before.noun {
                    return Ok(record);
                }
                let wrote = service_accounts::update(tx, &record, before.revision, now).await?;
                wrote.ok_or_else(|| AdminRefused::changed(SERVICE_ACCOUNT, &email))?;
                let account = &record.account;
                let detail = json!({
                    "name": record.name,
                    "scopes": [before.noun.account.scopes, account.scopes],
                    "disabled": account.disabled.is_some(),
                });
                audit::insert(tx, &event.with(detail)).await?;
                Ok(record)
            })
        });
        write.await
    }

    /// With its keys.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn delete_service_account(
        &self,
        actor: &Actor,
        holder: &Holder,
        email: &str,
    ) -> Result<(), AdminRefused> {
        let event = self.event(actor, "service_account.deleted", email, &holder.organization);
        let (holder, email) = (holder.clone(), email.to_owned());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let account = owned(tx, &holder, &email).await?.noun.account;
                service_accounts::delete(tx, &account.partner, &email).await?;
                Ok(audit::insert(tx, &event).await?)
            })
        });
        write.await
    }
}
