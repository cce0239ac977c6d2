//! The apps' OpenID Connect clients: registered, changed, their secrets made (shown once) and ended.

use super::{AdminRefused, Holder, apps, difference};
use crate::Service;
use enter::ids::{AppId, ClientId};
use enter::oidc::{Authentication, Client};
use enter::sso::json::Field as _;
use enter::sso::{ClientConfiguration, check_revision};
use kernel::{Actor, Hashed, Plain, Time};
use serde_json::json;
use store::clients::{self, ClientRecord};
use store::{Kept, Tx, audit};

const CLIENT: &str = "client";
const LIST: &str = "; `vestibule client list` shows them";
/// What a client's secret begins with, which scanners for leaked secrets can look for.
const SECRET_PREFIX: &str = "vst_cs_";
/// The longest overlap of two secrets, in seconds: 90 days.
const OVERLAP_MOST_S: i64 = 90 * 24 * 3600;

/// What becomes of the secrets that are in force when a further one is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldSecrets {
    /// The latest stays in force without an end, older ones end at once: two are in force from then on.
    KeepLatest,
    /// All end after these seconds, 0 to 90 days.
    EndAfter(i64),
}

/// A client of an app of the holder's own.
async fn owned(
    tx: &mut Tx,
    holder: &Holder,
    id: &ClientId,
    now: Time,
) -> Result<Kept<ClientRecord>, AdminRefused> {
    let found = clients::owned(tx, &holder.organization, holder.environment, id, now).await?;
    found.ok_or_else(|| AdminRefused::NotFound { what: CLIENT, name: id.to_string(), hint: LIST })
}

fn written(kept: &Kept<ClientRecord>) -> Option<serde_json::Value> {
    ClientConfiguration::of(&kept.noun.client, &kept.noun.name, kept.revision).write()
}

/// The hashes of the secrets in force, oldest first; `None` for a client that has no secrets.
pub fn secrets(client: &Client) -> Option<&[Hashed]> {
    match &client.authentication {
        Authentication::Secret(hashes) => Some(hashes),
        Authentication::None | Authentication::PrivateKeyJwt { .. } => None,
    }
}

impl Service {
    /// Registers a client; its secret, where it has one, is in the answer and nowhere else. `id` is made here where none
    /// is given.
    ///
    /// # Errors
    /// [`AdminRefused`], also for an id that is taken.
    pub async fn create_client(
        &self,
        actor: &Actor,
        holder: &Holder,
        app: &AppId,
        id: Option<ClientId>,
        configuration: &ClientConfiguration,
    ) -> Result<(Kept<ClientRecord>, Option<Plain>), AdminRefused> {
        let now = self.clock.now();
        let id = id.unwrap_or_else(|| ClientId::new(&*self.chance));
        let (registered, name) = configuration.check()?;
        let name = if name.is_empty() { id.to_string() } else { name };
        let disabled = configuration.disabled_at(None, now);
        let mut client = registered.into_client(id, app.clone(), Vec::new(), disabled);
        let mut secret = None;
        if let Authentication::Secret(hashes) = &mut client.authentication {
            let plain = Plain::with_prefix(SECRET_PREFIX, &*self.chance);
            hashes.push(plain.hashed());
            secret = Some(plain);
        }
        let kept = Kept { noun: ClientRecord { client, name, created: now }, revision: now };
        let event = self.event(actor, "client.created", kept.noun.client.id.as_str(), &holder.organization);
        let event = event.with(difference(None, written(&kept)));
        let (holder, new) = (holder.clone(), kept.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let client = &new.noun.client;
                apps::owned(tx, &holder, &client.app).await?;
                if !clients::insert(tx, &new.noun).await? {
                    return Err(AdminRefused::taken(CLIENT, client.id.as_str()));
                }
                for hash in secrets(client).unwrap_or_default() {
                    clients::add_secret(tx, &client.id, hash, now).await?;
                }
                Ok(audit::insert(tx, &event).await?)
            })
        });
        write.await?;
        Ok((kept, secret))
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn client(&self, holder: &Holder, id: &ClientId) -> Result<Kept<ClientRecord>, AdminRefused> {
        let (holder, id, now) = (holder.clone(), id.clone(), self.clock.now());
        self.db.read(move |tx| Box::pin(async move { owned(tx, &holder, &id, now).await })).await
    }

    /// All of an app, by id, also disabled ones.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn clients(
        &self,
        holder: &Holder,
        app: &AppId,
    ) -> Result<Vec<Kept<ClientRecord>>, AdminRefused> {
        let (holder, app, now) = (holder.clone(), app.clone(), self.clock.now());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                apps::owned(tx, &holder, &app).await?;
                Ok(clients::of_app(tx, &app, now).await?)
            })
        });
        read.await
    }

    /// Replaces all metadata, which carry the revision that was read. A client that proves itself in another way from now
    /// on loses its secrets at once; one that shall have a secret from now on needs [`Self::create_client_secret`].
    ///
    /// # Errors
    /// [`AdminRefused`]; [`AdminRefused::Conflict`] where somebody changed it in between.
    pub async fn change_client(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &ClientId,
        configuration: ClientConfiguration,
    ) -> Result<Kept<ClientRecord>, AdminRefused> {
        let now = self.clock.now();
        let event = self.event(actor, "client.changed", id.as_str(), &holder.organization);
        let (holder, id) = (holder.clone(), id.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let before = owned(tx, &holder, &id, now).await?;
                check_revision("client.revision", &configuration.revision, before.revision)?;
                let (registered, name) = configuration.check()?;
                let old = &before.noun.client;
                let disabled = configuration.disabled_at(old.disabled, now);
                let hashes = secrets(old).unwrap_or_default().to_vec();
                let client = registered.into_client(id, old.app.clone(), hashes, disabled);
                let name = if name.is_empty() { before.noun.name.clone() } else { name };
                let record = ClientRecord { client, name, created: before.noun.created };
                if record == before.noun {
                    return Ok(before);
                }
                let wrote = clients::update(tx, &record, before.revision, now).await?;
                let revision = wrote.ok_or_else(|| AdminRefused::changed(CLIENT, &record.client.id))?;
                if secrets(&record.client).is_none() {
                    clients::end_secrets(tx, &record.client.id, None, now, now).await?;
                }
                let after = Kept { noun: record, revision };
                let event = event.with(difference(written(&before), written(&after)));
                audit::insert(tx, &event).await?;
                Ok(after)
            })
        });
        write.await
    }

    /// A further secret, in the answer and nowhere else.
    ///
    /// # Errors
    /// [`AdminRefused`]; [`AdminRefused::Conflict`] for a client that proves itself in another way.
    pub async fn create_client_secret(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &ClientId,
        old: OldSecrets,
    ) -> Result<Plain, AdminRefused> {
        if matches!(old, OldSecrets::EndAfter(seconds) if !(0..=OVERLAP_MOST_S).contains(&seconds)) {
            return Err(AdminRefused::invalid("the overlap is 0 seconds to 90 days"));
        }
        let (now, secret) = (self.clock.now(), Plain::with_prefix(SECRET_PREFIX, &*self.chance));
        let (hash, subject) = (secret.hashed(), id.as_str());
        let event = self.event(actor, "client.secret_created", subject, &holder.organization);
        let (holder, id) = (holder.clone(), id.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let client = owned(tx, &holder, &id, now).await?.noun.client;
                let Some(known) = secrets(&client) else {
                    let what =
                        format!("client `{id}` proves itself without a secret; change its method first");
                    return Err(AdminRefused::Conflict(what));
                };
                let (keep, at) = match old {
                    OldSecrets::KeepLatest => (known.last(), now),
                    OldSecrets::EndAfter(seconds) => (None, now.plus_seconds(seconds)),
                };
                clients::end_secrets(tx, &id, keep, at, now).await?;
                clients::add_secret(tx, &id, &hash, now).await?;
                let event = event.with(json!({ "old_end": keep.is_none().then(|| at.iso_seconds()) }));
                Ok(audit::insert(tx, &event).await?)
            })
        });
        write.await?;
        Ok(secret)
    }

    /// Ends all secrets but the latest at once; how many.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn end_old_client_secrets(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &ClientId,
    ) -> Result<u64, AdminRefused> {
        let now = self.clock.now();
        let event = self.event(actor, "client.secrets_ended", id.as_str(), &holder.organization);
        let (holder, id) = (holder.clone(), id.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let client = owned(tx, &holder, &id, now).await?.noun.client;
                let latest = secrets(&client).and_then(<[Hashed]>::last);
                let ended = clients::end_secrets(tx, &id, latest, now, now).await?;
                if ended > 0 {
                    audit::insert(tx, &event.with(json!({ "ended": ended }))).await?;
                }
                Ok(ended)
            })
        });
        write.await
    }

    /// With what was granted to it: its tokens end at once.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn delete_client(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &ClientId,
    ) -> Result<(), AdminRefused> {
        let now = self.clock.now();
        let event = self.event(actor, "client.deleted", id.as_str(), &holder.organization);
        let (holder, id) = (holder.clone(), id.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let client = owned(tx, &holder, &id, now).await?.noun.client;
                clients::delete(tx, &client.app, &client.id).await?;
                Ok(audit::insert(tx, &event).await?)
            })
        });
        write.await
    }
}
