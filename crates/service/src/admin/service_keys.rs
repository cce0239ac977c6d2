//! Keys of service accounts: generated here (the key file is shown once) or brought, several at a time, ended at once.

use super::{AdminRefused, Holder, service_accounts as owners, switched};
use crate::Service;
use enter::ids::ServiceKeyId;
use enter::service_account::{KeyFile, KeyPair, ServiceKey, Switches};
use kernel::jose::{Algorithm, check_jwk};
use kernel::{Actor, SecretText, Time};
use serde_json::{Value, json};
use store::{Tx, audit, service_accounts};

const KEY: &str = "service key";
const LIST: &str = "; `vestibule service-key list` shows them";
/// The longest life of a key that ends by itself, in seconds: ten years.
const LIFE_MOST_S: i64 = 3653 * 24 * 3600;

/// A key to be made or registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewServiceKey {
    /// Made here where none is given.
    pub id: Option<ServiceKeyId>,
    pub algorithm: Algorithm,
    /// Seconds after which it ends by itself; `None`: never.
    pub life_s: Option<i64>,
    pub material: NewKeyMaterial,
}

/// Where the private key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewKeyMaterial {
    /// From here; only such keys may have leniencies.
    Generate(Switches),
    /// The partner has it; this is the public key, as PEM or JWK.
    Public(String),
}

/// Names of the switches that are on.
pub fn switch_names(switches: Switches) -> Vec<&'static str> {
    let Switches { without_jti, audience_in_header, legacy_audience } = switches;
    let all = [
        (without_jti, "without-jti"),
        (audience_in_header, "audience-in-header"),
        (legacy_audience, "legacy-audience"),
    ];
    all.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect()
}

fn described(key: &ServiceKey) -> Value {
    json!({
        "service_account": key.account,
        "algorithm": key.algorithm.as_str(),
        "generated_here": key.generated_here,
        "switches": switch_names(key.switches()),
        "expires": key.expires.map(Time::iso_seconds),
    })
}

async fn owned(tx: &mut Tx, holder: &Holder, id: &ServiceKeyId) -> Result<ServiceKey, AdminRefused> {
    let found = service_accounts::owned_key(tx, &holder.organization, holder.environment, id).await?;
    found.ok_or_else(|| AdminRefused::NotFound { what: KEY, name: id.to_string(), hint: LIST })
}

impl Service {
    /// Makes or registers a key. The key file of one that was made is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn add_service_key(
        &self,
        actor: &Actor,
        holder: &Holder,
        email: &str,
        new: NewServiceKey,
    ) -> Result<(ServiceKey, Option<SecretText>), AdminRefused> {
        let now = self.clock.now();
        let (key, file) = self.made_key(holder, email, new, now)?;
        let event = self.event(actor, "service_key.created", key.id.as_str(), &holder.organization);
        let event = event.with(described(&key));
        let (holder, row) = (holder.clone(), key.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                owners::owned(tx, &holder, &row.account).await?;
                if !service_accounts::insert_key(tx, &row, now).await? {
                    return Err(AdminRefused::taken(KEY, row.id.as_str()));
                }
                Ok(audit::insert(tx, &event).await?)
            })
        });
        write.await?;
        Ok((key, file))
    }

    fn made_key(
        &self,
        holder: &Holder,
        email: &str,
        new: NewServiceKey,
        now: Time,
    ) -> Result<(ServiceKey, Option<SecretText>), AdminRefused> {
        let id = new.id.unwrap_or_else(|| ServiceKeyId::new(&*self.chance));
        if new.life_s.is_some_and(|life| !(1..=LIFE_MOST_S).contains(&life)) {
            return Err(AdminRefused::invalid("a key that ends by itself lives one second to ten years"));
        }
        let (mut key, file) = match new.material {
            NewKeyMaterial::Public(text) => {
                let jwk = check_jwk(new.algorithm, &text).map_err(AdminRefused::invalid)?;
                (ServiceKey::new(id, email.to_owned(), new.algorithm, jwk, false), None)
            }
            NewKeyMaterial::Generate(switches) => {
                let pair = KeyPair::generate(new.algorithm).map_err(AdminRefused::invalid)?;
                let key = ServiceKey::new(id, email.to_owned(), new.algorithm, pair.public_jwk(), true);
                let key = key.with_switches(switches).map_err(AdminRefused::invalid)?;
                let file = self.key_file(holder, &key, pair)?;
                (key, Some(file))
            }
        };
        key.expires = new.life_s.map(|life| now.plus_seconds(life));
        Ok((key, file))
    }

    /// What SDKs in the field read decides what is written: they post ES256 assertions to `token_uri` in their own way,
    /// and everything else goes to the token endpoint. Their audience is written where the key may use it.
    fn key_file(&self, holder: &Holder, key: &ServiceKey, pair: KeyPair) -> Result<SecretText, AdminRefused> {
        let place = self.places.of(holder.environment);
        let place = place
            .ok_or_else(|| AdminRefused::Invalid(format!("{} has no public URL", holder.environment)))?;
        let legacy = self.enter.legacy_audiences.first().filter(|_| key.switches().legacy_audience);
        let file = KeyFile {
            key_id: key.id.clone(),
            token_uri: place.link(match pair.algorithm() {
                Algorithm::Es256 => "/iam.v1.UserIAM/GetSessionToken",
                _ => "/oauth2/token",
            }),
            key: pair,
            client_email: key.account.clone(),
            audience: legacy.cloned().unwrap_or_else(|| place.url().to_owned()),
        };
        file.write().map_err(AdminRefused::invalid)
    }

    /// Those of a service account, oldest first, also those that are over.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn service_keys(&self, holder: &Holder, email: &str) -> Result<Vec<ServiceKey>, AdminRefused> {
        let (holder, email) = (holder.clone(), email.to_owned());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                owners::owned(tx, &holder, &email).await?;
                Ok(service_accounts::keys_of(tx, &email).await?)
            })
        });
        read.await
    }

    /// Turns leniencies on or off; all that are not named are off from then on.
    ///
    /// # Errors
    /// [`AdminRefused`], also for a key that was brought.
    pub async fn set_service_key_switches(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &ServiceKeyId,
        switches: Switches,
    ) -> Result<ServiceKey, AdminRefused> {
        let event = self.event(actor, "service_key.switches_set", id.as_str(), &holder.organization);
        let (holder, id) = (holder.clone(), id.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let before = owned(tx, &holder, &id).await?;
                let old = before.switches();
                let key = before.with_switches(switches).map_err(AdminRefused::invalid)?;
                if old == switches {
                    return Ok(key);
                }
                service_accounts::set_switches(tx, &key.account, &id, switches).await?;
                let detail = json!({ "switches": [switch_names(old), switch_names(switches)] });
                audit::insert(tx, &event.with(detail)).await?;
                Ok(key)
            })
        });
        write.await
    }

    /// Switches a key off or on again. What was signed with a key that is off is refused at once, also tokens that were
    /// given for it.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn disable_service_key(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &ServiceKeyId,
        disabled: bool,
    ) -> Result<ServiceKey, AdminRefused> {
        let now = self.clock.now();
        let action = if disabled { "service_key.disabled" } else { "service_key.enabled" };
        let event = self.event(actor, action, id.as_str(), &holder.organization);
        let (holder, id) = (holder.clone(), id.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let mut key = owned(tx, &holder, &id).await?;
                let new = switched(Some(disabled), key.disabled, now);
                if new != key.disabled {
                    service_accounts::set_key_disabled(tx, &key.account, &id, new).await?;
                    audit::insert(tx, &event).await?;
                    key.disabled = new;
                }
                Ok(key)
            })
        });
        write.await
    }

    /// Sets when a key ends by itself, in seconds from now: the overlap of a rotation.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn end_service_key(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &ServiceKeyId,
        in_s: i64,
    ) -> Result<ServiceKey, AdminRefused> {
        if !(0..=LIFE_MOST_S).contains(&in_s) {
            return Err(AdminRefused::invalid("a key's end lies at most ten years ahead"));
        }
        let expires = self.clock.now().plus_seconds(in_s);
        let event = self.event(actor, "service_key.ends", id.as_str(), &holder.organization);
        let event = event.with(json!({ "expires": expires.iso_seconds() }));
        let (holder, id) = (holder.clone(), id.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let mut key = owned(tx, &holder, &id).await?;
                service_accounts::set_key_expires(tx, &key.account, &id, Some(expires)).await?;
                audit::insert(tx, &event).await?;
                key.expires = Some(expires);
                Ok(key)
            })
        });
        write.await
    }
}
