//! Tenants that have nothing to do, as they stood when their last run ended in this process. A delivery to one of them
//! begins its run as it arrives ([`store::runs::arriving`]), which compares what is remembered here with what there is.

use super::run_begin::Starting;
use kernel::ids::TenantId;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use store::runs::standing::Standing;

/// The largest that is remembered of one tenant, and all of it together, in bytes of what has no fixed size. Beyond that
/// all are forgotten.
const LARGEST: usize = 16 << 10;
const MOST: usize = 32 << 20;
/// What one takes beside that, about.
const FIXED: usize = 1 << 10;

#[derive(Debug, Default)]
struct Kept {
    by_tenant: HashMap<TenantId, (usize, Starting)>,
    bytes: usize,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Idle(Mutex<Kept>);

impl Idle {
    /// A tenant's run has ended, and nothing of it waits.
    pub(super) fn learn(&self, next: Starting) {
        let size = size_of(&next.standing);
        if size > LARGEST {
            return;
        }
        let bytes = size + FIXED;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
