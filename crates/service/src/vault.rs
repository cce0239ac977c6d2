//! The vault: seals and opens an organization's secrets with its data key, which it keeps unwrapped in memory.

use crate::Fault;
use kernel::ids::OrganizationId;
use kernel::{Chance, Clock, DataKey, MasterKeys, Sealed};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use store::data_keys::DataKeyRecord;
use store::{Db, data_keys};
use zeroize::Zeroizing;

type Keys = HashMap<(OrganizationId, String), Arc<DataKey>>;

/// Data keys never change and are never deleted, so what is in memory stays true.
pub struct Vault {
    masters: MasterKeys,
    unwrapped: RwLock<Keys>,
    current: RwLock<HashMap<OrganizationId, Arc<DataKey>>>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("masters", &self.masters).finish_non_exhaustive()
    }
}

impl Vault {
    pub fn new(masters: MasterKeys, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Self { masters, unwrapped: RwLock::default(), current: RwLock::default(), clock, chance }
    }

    pub fn masters(&self) -> &MasterKeys {
        &self.masters
    }

    /// Seals `content` for `place`; the organization's first secret makes its data key.
    ///
    /// # Errors
    /// [`Fault::Store`], [`Fault::Seal`].
    pub async fn seal(
        &self,
        db: &Db,
        owner: &OrganizationId,
        place: &str,
        content: &[u8],
    ) -> Result<Sealed, Fault> {
        let key = match self.remembered_key(owner) {
            Some(key) => key,
            None => Box::pin(self.current_key(db, owner)).await?,
        };
        Ok(key.seal(place, content, &*self.chance))
    }

    /// Opens what was sealed for the same place.
    ///
    /// # Errors
    /// [`Fault::Store`], [`Fault::Seal`] where a master key is not loaded or the value was moved or changed.
    pub async fn open(
        &self,
        db: &Db,
        owner: &OrganizationId,
        place: &str,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let id = sealed.key_id()?.to_owned();
        let known = self.unwrapped(owner, &id);
        let key = match known {
            Some(key) => key,
            None => self.load(db, owner, id).await?,
        };
        Ok(key.open(place, sealed)?)
    }

    fn unwrapped(&self, owner: &OrganizationId, id: &str) -> Option<Arc<DataKey>> {
        let keys = self.unwrapped.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&(owner.clone(), id.to_owned())).cloned()
    }

    async fn load(&self, db: &Db, owner: &OrganizationId, id: String) -> Result<Arc<DataKey>, Fault> {
        let (organization, wanted) = (owner.clone(), id.clone());
        let wrapped = db
            .read(move |tx| Box::pin(async move { data_keys::by_id(tx, &organization, &wanted).await }))
            .await?
            .ok_or_else(|| Fault::broken(format!("data key {id} of {owner} is not in the database")))?;
        let key = Arc::new(self.masters.unwrap_data_key(&id, owner.as_str(), &wrapped.wrapped)?);
        self.unwrapped
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((owner.clone(), id), Arc::clone(&key));
        Ok(key)
    }

    fn remembered_key(&self, owner: &OrganizationId) -> Option<Arc<DataKey>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).get(owner).cloned()
    }

    /// The key that seals for this organization now; its first use makes it.
    ///
    /// # Errors
    /// [`Fault::Store`], [`Fault::Seal`].
    pub async fn current_key(&self, db: &Db, owner: &OrganizationId) -> Result<Arc<DataKey>, Fault> {
        if let Some(key) = self.remembered_key(owner) {
            return Ok(key);
        }
        let organization = owner.clone();
        let stored =
            db.read(move |tx| Box::pin(async move { data_keys::current(tx, &organization).await })).await?;
        let id = match stored {
            Some(stored) => stored.id,
            None => self.make(db, owner).await?,
        };
        let key = self.load(db, owner, id).await?;
        self.current.write().unwrap_or_else(PoisonError::into_inner).insert(owner.clone(), Arc::clone(&key));
        Ok(key)
    }

    /// Two nodes may make the first key at once: the database keeps one and both go on with that one.
    async fn make(&self, db: &Db, owner: &OrganizationId) -> Result<String, Fault> {
        let now = self.clock.now();
        let id = kernel::ids::AuditId::new(now, &*self.chance).to_string().replace("aud_", "dk_");
        let (_, wrapped) = self.masters.new_data_key(&id, owner.as_str(), &*self.chance)?;
        let row = DataKeyRecord { id, organization: owner.clone(), wrapped, created: now, retired: None };
        let kept =
            db.write(move |tx| Box::pin(async move { data_keys::insert_if_absent(tx, &row).await })).await?;
        Ok(kept.id)
    }
}
