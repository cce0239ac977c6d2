//! Tenants that have nothing to do, as they stood when their last run ended in this process. A delivery to one of them
//! begins its run as it arrives ([`store::runs::arriving`]), which compares what is remembered here with what there is.

use super::run_begin::Starting;
use kernel::ids::TenantId;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::runs::standing::Standing;
use tokio::sync::watch;

/// The largest that is remembered of one tenant, and all of it together, in bytes of what has no fixed size. Beyond that
/// all are forgotten.
const LARGEST: usize = 16 << 10;
const MOST: usize = 32 << 20;
/// What one takes beside that, about.
const FIXED: usize = 1 << 10;
/// How long a delivery waits for the end of the run before it: longer than that takes, and nothing that a sender notices.
const SOON: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
struct Kept {
    by_tenant: HashMap<TenantId, (usize, Starting)>,
    bytes: usize,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    kept: Mutex<Kept>,
    /// Tenants whose run is just ending. Its end is seen when the sender is gone.
    ending: Mutex<HashMap<TenantId, watch::Receiver<()>>>,
}

/// A run that is just ending, as long as this is there.
#[derive(Debug)]
pub(super) struct Ending {
    idle: Arc<Idle>,
    tenant: TenantId,
    _end: watch::Sender<()>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.idle.ending.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tenant);
    }
}

impl Idle {
    /// The end of a tenant's run is about to be written.
    pub(super) fn ends(self: &Arc<Self>, tenant: TenantId) -> Ending {
        let (_end, seen) = watch::channel(());
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, seen);
        Ending { idle: Arc::clone(self), tenant, _end }
    }

    /// [`Idle::take`], after the end of a run that is just being written.
    pub(super) async fn take_soon(&self, tenant: TenantId) -> Option<Starting> {
        if let Some(known) = self.take(tenant) {
            return Some(known);
        }
        let seen = self.ending.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned();
        let mut seen = seen?;
        // It never changes: it ends with its sender.
        drop(tokio::time::timeout(SOON, seen.changed()).await);
        self.take(tenant)
    }

    /// A tenant's run has ended, and nothing of it waits.
    pub(super) fn learn(&self, next: Starting) {
        let size = size_of(&next.standing);
        if size > LARGEST {
            return;
        }
        let bytes = size + FIXED;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + bytes > MOST {
            *kept = Kept::default();
        }
        kept.bytes += bytes;
        if let Some((before, _)) = kept.by_tenant.insert(next.standing.tenant.id, (bytes, next)) {
            kept.bytes = kept.bytes.saturating_sub(before);
        }
    }

    /// Takes out what is remembered of a tenant, so that of several deliveries at once one begins a run.
    pub(super) fn take(&self, tenant: TenantId) -> Option<Starting> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes, next) = kept.by_tenant.remove(&tenant)?;
        kept.bytes = kept.bytes.saturating_sub(bytes);
        Some(next)
    }
}

fn size_of(standing: &Standing) -> usize {
    let states = [&standing.last, &standing.last_successful].into_iter().flatten();
    let states = states.filter_map(|run| run.state.as_ref()).map(|state| state.as_str().len());
    let metadata = standing.metadata.as_ref().map_or(0, bytes_of);
    states.sum::<usize>() + metadata + bytes_of(&standing.tenant.configs)
}

fn bytes_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(all) => all.iter().map(|value| bytes_of(value) + size_of_val(value)).sum(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + bytes_of(value) + size_of_val(value)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: i64) -> TenantId {
        TenantId::new(number).unwrap()
    }

    #[tokio::test]
    async fn whoever_waits_for_an_end_sees_it() {
        let idle = Arc::<Idle>::default();
        let ending = idle.ends(tenant(1));
        let waiting = tokio::spawn({
            let idle = Arc::clone(&idle);
            async move { idle.take_soon(tenant(1)).await.is_none() }
        });
        assert!(idle.take_soon(tenant(2)).await.is_none(), "nobody waits for another tenant's end");
        drop(ending);
        assert!(waiting.await.unwrap());
        assert!(idle.ending.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_end_that_takes_long_is_not_waited_for() {
        let idle = Arc::<Idle>::default();
        let ending = idle.ends(tenant(1));
        assert!(idle.take_soon(tenant(1)).await.is_none());
        assert!(idle.ending.lock().unwrap().contains_key(&ending.tenant), "it goes on");
    }

    #[test]
    fn what_is_remembered_is_weighed() {
        let value = serde_json::json!({ "name": "x".repeat(100), "all": [1, "four"], "none": null });
        let bytes = bytes_of(&value);
        assert!((100..500).contains(&bytes), "{bytes}");
        assert_eq!(bytes_of(&Value::Null), 0);
    }
}
