//! After a master key was changed: everything that an older one sealed is sealed by the present one.

use super::AdminRefused;
use crate::enter::issuer::place_of;
use crate::{Fault, Service};
use kernel::{Actor, Environment, audit};
use serde_json::json;
use store::data_keys::{self, DataKeyRecord};
use store::issuer_keys::{self, KeptKey};
use store::{DbError, audit as log};

/// How many data keys are looked at in one unit of work.
const BATCH: i64 = 200;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Organizations' data keys that the present master key wraps now.
    pub data_keys: usize,
    /// The gateway's own signing keys that it seals now.
    pub issuer_keys: usize,
    /// What it had sealed before.
    pub already: usize,
    /// What no loaded master key opens, with the reason. It was left as it is.
    pub closed: Vec<(String, String)>,
}

impl Service {
    /// Has the present master key seal whatever an older one did: data keys, and the gateway's own signing keys. What
    /// data keys seal stays as it is. Any number of nodes may run meanwhile, as long as each knows the present key.
    ///
    /// # Errors
    /// [`AdminRefused`]; what was done until then stays done, and the next call goes on.
    pub async fn rewrap_keys(&self, actor: &Actor) -> Result<Rewrapped, AdminRefused> {
        let mut done = Rewrapped::default();
        let mut after = String::new();
        loop {
            let from = after.clone();
            let read =
                self.db.read(move |tx| Box::pin(async move { data_keys::after(tx, &from, BATCH).await }));
            let some: Vec<DataKeyRecord> = read.await?;
            let Some(last) = some.last() else { break };
            after.clone_from(&last.id);
            for key in some {
                self.rewrap(key, &mut done).await?;
            }
        }
        for environment in Environment::ALL {
            let read =
                self.db.read(move |tx| Box::pin(async move { issuer_keys::kept(tx, environment).await }));
            let kept: Vec<KeptKey> = read.await?;
            for key in kept {
                self.reseal(environment, key, &mut done).await?;
            }
        }
        let master = self.vault.masters().current().id().to_owned();
        let event = audit::Event::new(
            "master_key.rewrapped",
            master,
            None,
            actor.clone(),
            self.clock.now(),
            &*self.chance,
        );
        let counts = json!({ "data_keys": done.data_keys, "issuer_keys": done.issuer_keys,
            "already": done.already, "closed": done.closed.len() });
        let event = event.with(counts);
        let write = self.db.write(move |tx| Box::pin(async move { log::insert(tx, &event).await }));
        let written: Result<(), DbError> = write.await;
        written?;
        Ok(done)
    }

    async fn rewrap(&self, key: DataKeyRecord, done: &mut Rewrapped) -> Result<(), Fault> {
        let masters = self.vault.masters();
        let owner = key.organization.clone();
        match masters.rewrapped(&key.id, owner.as_str(), &key.wrapped, &*self.chance) {
            Ok(Some(wrapped)) => {
                let write = self.db.write(move |tx| {
                    Box::pin(async move { data_keys::rewrap(tx, &owner, &key.id, &wrapped).await })
                });
                done.data_keys += usize::from(write.await?);
            }
            Ok(None) => done.already += 1,
            Err(why) => done.closed.push((format!("data key {} of {owner}", key.id), why.to_string())),
        }
        Ok(())
    }

    async fn reseal(
        &self,
        environment: Environment,
        kept: KeptKey,
        done: &mut Rewrapped,
    ) -> Result<(), Fault> {
        let (id, masters) = (kept.key.id, self.vault.masters());
        match masters.resealed(&place_of(environment, &id), &kept.private_key, &*self.chance) {
            Ok(Some(sealed)) => {
                let write = self.db.write(move |tx| {
                    Box::pin(async move { issuer_keys::reseal(tx, environment, &id, &sealed).await })
                });
                done.issuer_keys += usize::from(write.await?);
            }
            Ok(None) => done.already += 1,
            Err(why) => {
                done.closed
                    .push((format!("signing key {id} of the gateway in {environment}"), why.to_string()));
            }
        }
        Ok(())
    }
}
