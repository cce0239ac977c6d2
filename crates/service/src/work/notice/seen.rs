//! What this process has seen of endpoints: as they stood, and their secrets, opened.
//!
//! Decision: an endpoint in memory is only a guess. Whoever writes by it compares its revision in the statement that
//! writes, so that what was changed, switched off or deleted, on whatever node, holds from the next event on. A secret is
//! used only for the very sealed text that it was opened from.

use crate::admin::Holder;
use connect::notice::{Endpoint, EndpointSecret};
use kernel::Sealed;
use kernel::ids::EndpointId;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Beyond so many all are forgotten, and read again.
const REMEMBERED: usize = 10_000;

type Opened = (Sealed, Arc<EndpointSecret>);

/// Endpoints and secrets in memory.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    endpoints: RwLock<HashMap<String, Arc<Endpoint>>>,
    secrets: RwLock<HashMap<EndpointId, Opened>>,
}

impl Seen {
    /// As it stood when it was read, if it is this holder's.
    pub(crate) fn get(&self, holder: &Holder, id: &str) -> Option<Arc<Endpoint>> {
        let known = self.endpoints.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()?;
        let is_own = known.organization == holder.organization && known.environment == holder.environment;
        is_own.then_some(known)
    }

    pub(crate) fn keep(&self, endpoint: &Arc<Endpoint>) {
        let mut endpoints = self.endpoints.write().unwrap_or_else(PoisonError::into_inner);
        if endpoints.len() >= REMEMBERED {
            endpoints.clear();
        }
        endpoints.insert(endpoint.id.to_string(), Arc::clone(endpoint));
    }

    /// The secret that was opened from this sealed text.
    pub(super) fn secret(&self, id: &EndpointId, sealed: &Sealed) -> Option<Arc<EndpointSecret>> {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.get(id).filter(|(known, _)| known == sealed).map(|(_, secret)| Arc::clone(secret))
    }

    pub(super) fn keep_secret(&self, id: &EndpointId, sealed: &Sealed, secret: &Arc<EndpointSecret>) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        if secrets.len() >= REMEMBERED {
            secrets.clear();
        }
        secrets.insert(id.clone(), (sealed.clone(), Arc::clone(secret)));
    }
}
