//! What changes seldom and every request of the second door needs: clients, apps, partners.
//!
//! Decision: they are kept in memory with their revision, and used only where the statement that reads everything else
//! has just found this very revision. Every change of one moves it, in the change's own transaction, also from another
//! node or from the command line, so that what was switched off is refused by the very next request (lesson 14). Trade:
//! a few columns more in that statement, instead of the whole of three rows that are wide.

use crate::{Fault, Service};
use ::enter::app::App;
use ::enter::ids::{AppId, ClientId, PartnerId};
use ::enter::oidc::Client;
use ::enter::partner::Partner;
use kernel::{Environment, Time};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::{PoisonError, RwLock};
use store::standings::Revision;
use store::{apps, clients, partners};

/// How many of each kind are kept; when there are more, all are read anew.
const MOST: usize = 4096;

#[derive(Debug)]
struct Shelf<K, V>(RwLock<HashMap<K, V>>);

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Eq + Hash, V: Clone> Shelf<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: K, value: V) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(key, value);
    }
}

/// A client in memory.
#[derive(Debug, Clone)]
pub(super) struct KnownClient {
    pub(super) client: Arc<Client>,
    pub(super) version: i64,
    until: Option<Time>,
}

impl KnownClient {
    pub(super) fn is(&self, seen: &Revision<ClientId>) -> bool {
        self.version == seen.version && self.client.disabled == seen.disabled && self.client.id == seen.id
    }
}

/// All of them. Ids are unique in the gateway; clients do not say of which environment they are, so that the key does.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    clients: Shelf<(Environment, ClientId), KnownClient>,
    apps: Shelf<AppId, (i64, Arc<App>)>,
    partners: Shelf<PartnerId, (i64, Arc<Partner>)>,
}

impl Service {
    /// What is in memory, of whatever revision: to be compared before anything is decided for good.
    pub(super) fn client_in_memory(&self, environment: Environment, id: &ClientId) -> Option<KnownClient> {
        let known = self.remembered.clients.get(&(environment, id.clone()));
        known.filter(|known| known.until.is_none_or(|until| self.clock.now() < until))
    }

    /// As the database has it now.
    pub(super) async fn client_read(
        &self,
        environment: Environment,
        id: &ClientId,
    ) -> Result<Option<KnownClient>, Fault> {
        let (now, wanted) = (self.clock.now(), id.clone());
        let read = self
            .db
            .read(move |tx| Box::pin(async move { clients::known(tx, environment, &wanted, now).await }));
        let found: Option<clients::Known> = read.await?;
        let known = found.map(|clients::Known { client, version, until }| KnownClient {
            client: Arc::new(client),
            version,
            until,
        });
        if let Some(known) = &known {
            self.remembered.clients.put((environment, id.clone()), known.clone());
        }
        Ok(known)
    }

    /// The client of this revision; `None` where it is gone by now.
    pub(super) async fn client_at(
        &self,
        environment: Environment,
        seen: &Revision<ClientId>,
    ) -> Result<Option<Arc<Client>>, Fault> {
        let known = self.client_in_memory(environment, &seen.id).filter(|it| it.is(seen));
        if let Some(known) = known {
            return Ok(Some(known.client));
        }
        Ok(self.client_read(environment, &seen.id).await?.map(|known| known.client))
    }

    /// As [`Self::client_in_memory`].
    pub(super) fn app_in_memory(&self, id: &AppId) -> Option<(i64, Arc<App>)> {
        self.remembered.apps.get(id)
    }

    /// The app of this revision; `None` where it is gone by now.
    pub(super) async fn app_at(
        &self,
        environment: Environment,
        seen: &Revision<AppId>,
    ) -> Result<Option<Arc<App>>, Fault> {
        if let Some((version, app)) = self.remembered.apps.get(&seen.id)
            && (version, app.disabled) == (seen.version, seen.disabled)
        {
            return Ok(Some(app));
        }
        let id = seen.id.clone();
        let read = self.db.read(move |tx| Box::pin(async move { apps::find(tx, environment, &id).await }));
        let found: Option<App> = read.await?;
        let found = found.map(Arc::new);
        if let Some(app) = &found {
            // What was changed in between is newer than its revision says, and is read once more.
            self.remembered.apps.put(seen.id.clone(), (seen.version, Arc::clone(app)));
        }
        Ok(found)
    }

    /// The partner as the database has it now.
    pub(super) async fn partner_of(
        &self,
        environment: Environment,
        id: &PartnerId,
    ) -> Result<Option<Arc<Partner>>, Fault> {
        let id = id.clone();
        let read =
            self.db.read(move |tx| Box::pin(async move { partners::find(tx, environment, &id).await }));
        let found: Option<Partner> = read.await?;
        Ok(found.map(Arc::new))
    }

    /// The partner of this revision; `None` where it is gone by now.
    pub(super) async fn partner_at(
        &self,
        environment: Environment,
        seen: &Revision<PartnerId>,
    ) -> Result<Option<Arc<Partner>>, Fault> {
        if let Some((version, partner)) = self.remembered.partners.get(&seen.id)
            && (version, partner.disabled) == (seen.version, seen.disabled)
        {
            return Ok(Some(partner));
        }
        let found = self.partner_of(environment, &seen.id).await?;
        if let Some(partner) = &found {
            self.remembered.partners.put(seen.id.clone(), (seen.version, Arc::clone(partner)));
        }
        Ok(found)
    }
}
