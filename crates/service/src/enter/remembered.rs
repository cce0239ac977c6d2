//! What changes seldom and every request of the second door needs: clients, apps, partners.
//!
//! Decision: they are kept in memory with their revision, and used only where the statement that reads everything else
//! has just found this very revision. Every change of one moves it, in the change's own transaction, also from another
//! node or from the command line, so that what was switched off is refused by the very next request (lesson 14). Trade:
//! a few columns more in that statement, instead of the whole of three rows that are wide.
//!
//! Beside them stands what was found for one browser, one code, one token: at one revision of everything that is watched
//! ([`store::revision`]). Decision: by it a request is only ever granted, and only where the statement that writes the
//! outcome, or one short question, has found this very revision, and session and grant alive; whatever else comes of it
//! is decided anew from what the database has. Attack: whoever was switched off a moment ago, on another node or from
//! the command line, comes in by what is remembered here. Trade: one change makes all of it be read once more.

use super::grant::{Loaded, ServiceToken};
use super::partner_api::Subject;
use super::visit::Visited;
use crate::{Fault, Service};
use ::enter::app::App;
use ::enter::context::ServiceContext;
use ::enter::ids::{AppId, ClientId, GrantId, PartnerId};
use ::enter::oidc::{AuthorizationCode, Client};
use ::enter::partner::Partner;
use ::enter::session::SessionApp;
use kernel::{Environment, Hashed, Time};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use store::standings::Revision;
use store::{DbError, apps, clients, partners, revision};

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

    fn remove(&self, key: &K) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// The revision at which something in memory was last found to be the present one.
#[derive(Debug, Clone, Default)]
struct Found(Arc<AtomicI64>);

impl Found {
    fn at(revision: i64) -> Self {
        Self(Arc::new(AtomicI64::new(revision)))
    }

    fn again(&self, revision: i64) {
        self.0.store(revision, Ordering::Relaxed);
    }

    fn is_at(&self, revision: i64) -> bool {
        self.0.load(Ordering::Relaxed) == revision
    }
}

/// A client in memory.
#[derive(Debug, Clone)]
pub(super) struct KnownClient {
    pub(super) client: Arc<Client>,
    pub(super) version: i64,
    until: Option<Time>,
    found: Found,
}

impl KnownClient {
    pub(super) fn is(&self, seen: &Revision<ClientId>) -> bool {
        self.version == seen.version && self.client.disabled == seen.disabled && self.client.id == seen.id
    }

    /// Whether it was the present one at this revision.
    pub(super) fn is_of(&self, revision: i64) -> bool {
        self.found.is_at(revision)
    }
}

/// An app in memory.
#[derive(Debug, Clone)]
pub(super) struct KnownApp {
    pub(super) app: Arc<App>,
    pub(super) version: i64,
    found: Found,
}

impl KnownApp {
    /// As [`KnownClient::is_of`].
    pub(super) fn is_of(&self, revision: i64) -> bool {
        self.found.is_at(revision)
    }
}

/// What was found for one browser, one app and one context, where that was granted.
#[derive(Debug)]
pub(super) struct KnownVisit {
    pub(super) revision: i64,
    /// Without answers, and without a consent: what needs one is read.
    pub(super) visited: Visited,
    /// What the session's entry for the app said.
    pub(super) entry: Option<SessionApp>,
}

/// Which visit: the session by the hash of its cookie.
type Visiting = (Hashed, AppId, ServiceContext);

/// A code that was given out here, with all that it rests on.
#[derive(Debug)]
pub(super) struct KnownCode {
    pub(super) revision: i64,
    pub(super) code: AuthorizationCode,
    pub(super) loaded: Loaded,
}

/// All that the tokens of a grant rest on.
#[derive(Debug)]
pub(super) struct KnownGrant {
    pub(super) revision: i64,
    pub(super) loaded: Loaded,
}

/// A program's access token that was worth something.
#[derive(Debug)]
pub(super) struct KnownCaller {
    pub(super) revision: i64,
    pub(super) token: ServiceToken,
}

/// What an entry is about.
#[derive(Debug)]
pub(super) struct KnownSubject {
    pub(super) revision: i64,
    pub(super) subject: Subject,
}

/// All of them. Ids are unique in the gateway; clients do not say of which environment they are, so that the key does.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    clients: Shelf<(Environment, ClientId), KnownClient>,
    apps: Shelf<AppId, KnownApp>,
    partners: Shelf<PartnerId, (i64, Arc<Partner>)>,
    visits: Shelf<Visiting, Arc<KnownVisit>>,
    codes: Shelf<(Environment, GrantId), Arc<KnownCode>>,
    grants: Shelf<(Environment, GrantId), Arc<KnownGrant>>,
    /// By the token's `jti`.
    callers: Shelf<(Environment, String), Arc<KnownCaller>>,
    subjects: Shelf<(Environment, AppId, ServiceContext), Arc<KnownSubject>>,
}

impl Remembered {
    pub(super) fn visit(&self, of: &Visiting) -> Option<Arc<KnownVisit>> {
        self.visits.get(of)
    }

    pub(super) fn keep_visit(&self, of: Visiting, visit: KnownVisit) {
        self.visits.put(of, Arc::new(visit));
    }

    pub(super) fn forget_visit(&self, of: &Visiting) {
        self.visits.remove(of);
    }

    pub(super) fn code(&self, of: &(Environment, GrantId)) -> Option<Arc<KnownCode>> {
        self.codes.get(of)
    }

    pub(super) fn keep_code(&self, of: (Environment, GrantId), code: KnownCode) {
        self.codes.put(of, Arc::new(code));
    }

    pub(super) fn forget_code(&self, of: &(Environment, GrantId)) {
        self.codes.remove(of);
    }

    pub(super) fn grant(&self, of: &(Environment, GrantId)) -> Option<Arc<KnownGrant>> {
        self.grants.get(of)
    }

    pub(super) fn keep_grant(&self, of: (Environment, GrantId), grant: KnownGrant) {
        self.grants.put(of, Arc::new(grant));
    }

    pub(super) fn caller(&self, of: &(Environment, String)) -> Option<Arc<KnownCaller>> {
        self.callers.get(of)
    }

    pub(super) fn keep_caller(&self, of: (Environment, String), caller: KnownCaller) {
        self.callers.put(of, Arc::new(caller));
    }

    pub(super) fn subject(&self, of: &(Environment, AppId, ServiceContext)) -> Option<Arc<KnownSubject>> {
        self.subjects.get(of)
    }

    pub(super) fn keep_subject(&self, of: (Environment, AppId, ServiceContext), subject: KnownSubject) {
        self.subjects.put(of, Arc::new(subject));
    }
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
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                // The revision first: a change in between makes the client look old, never new.
                let at = revision::read(tx).await?;
                Ok::<_, DbError>(
                    clients::known(tx, environment, &wanted, now).await?.map(|known| (at, known)),
                )
            })
        });
        let known = read.await?.map(|(at, clients::Known { client, version, until })| KnownClient {
            client: Arc::new(client),
            version,
            until,
            found: Found::at(at),
        });
        if let Some(known) = &known {
            self.remembered.clients.put((environment, id.clone()), known.clone());
        }
        Ok(known)
    }

    /// The client of this revision, which was read with the one of everything, `at`; `None` where it is gone by now.
    pub(super) async fn client_at(
        &self,
        environment: Environment,
        seen: &Revision<ClientId>,
        at: i64,
    ) -> Result<Option<Arc<Client>>, Fault> {
        let known = self.client_in_memory(environment, &seen.id).filter(|it| it.is(seen));
        if let Some(known) = known {
            known.found.again(at);
            return Ok(Some(known.client));
        }
        Ok(self.client_read(environment, &seen.id).await?.map(|known| known.client))
    }

    /// As [`Self::client_in_memory`].
    pub(super) fn app_in_memory(&self, id: &AppId) -> Option<KnownApp> {
        self.remembered.apps.get(id)
    }

    /// The app of this revision, as [`Self::client_at`]; `None` where it is gone by now.
    pub(super) async fn app_at(
        &self,
        environment: Environment,
        seen: &Revision<AppId>,
        at: i64,
    ) -> Result<Option<Arc<App>>, Fault> {
        if let Some(known) = self.remembered.apps.get(&seen.id)
            && (known.version, known.app.disabled) == (seen.version, seen.disabled)
        {
            known.found.again(at);
            return Ok(Some(known.app));
        }
        let id = seen.id.clone();
        let read = self.db.read(move |tx| Box::pin(async move { apps::find(tx, environment, &id).await }));
        let found: Option<App> = read.await?;
        let found = found.map(Arc::new);
        if let Some(app) = &found {
            // What was changed in between is newer than its revision says, and is read once more.
            let known = KnownApp { app: Arc::clone(app), version: seen.version, found: Found::at(at) };
            self.remembered.apps.put(seen.id.clone(), known);
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
