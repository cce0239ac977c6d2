//! The published shapes of runs and triggers (contract `connect.md`, section 6), with their fields in the published
//! order.

use super::{Run, Trigger};
use kernel::ids::TenantId;
use serde_json::{Value, json};

/// A run with its triggers.
pub fn run(run: &Run, triggers: &[Trigger]) -> Value {
    let triggers: Vec<Value> = triggers.iter().map(trigger).collect();
    json!({
        "id": run.id,
        "mode": run.mode.as_str(),
        "status": status(run),
        "triggers": triggers,
        "started_date": run.phase.started().map(kernel::Time::iso_micros),
        "completed_date": run.phase.completed().map(kernel::Time::iso_micros),
        "tenant_id": run.tenant,
        "integration_id": run.integration,
    })
}

/// What a trigger became. As published, its id is a text here and `status` the phase alone; the rest is ours.
pub fn trigger_status(trigger: &Trigger, run: &Run) -> Value {
    json!({
        "status": run.phase.as_str(),
        "trigger_id": trigger.id.to_string(),
        "run_id": run.id,
        "tenant_id": run.tenant,
        "started_date": run.phase.started().map(kernel::Time::iso_micros),
        "completed_date": run.phase.completed().map(kernel::Time::iso_micros),
    })
}

fn status(run: &Run) -> Value {
    json!({
        "phase": run.phase.as_str(),
        "startTime": run.phase.started().map(kernel::Time::iso_micros),
        "completionTime": run.phase.completed().map(kernel::Time::iso_micros),
    })
}

fn trigger(trigger: &Trigger) -> Value {
    json!({
        "id": trigger.id,
        "created_date": trigger.created.iso_micros(),
        "mode": trigger.mode.as_str(),
        "source": trigger.source.as_str(),
        "payload": trigger.payload,
    })
}

/// A tenant's runs as its `status` shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    /// The newest that has ended.
    pub last: Option<Run>,
    /// The one that has not.
    pub current: Option<Run>,
    pub last_successful: Option<Run>,
    /// A JSON object.
    pub dynamic_configs: Option<Value>,
}

impl Runs {
    /// The members of `status` before `auth`; empty objects for what there is none of.
    pub fn status(&self, tenant: TenantId) -> serde_json::Map<String, Value> {
        let shown = |run: &Option<Run>| run.as_ref().map_or_else(|| json!({}), brief);
        let members = [
            ("tenant_id", json!(tenant)),
            ("last_run", shown(&self.last)),
            ("current_run", shown(&self.current)),
            ("last_successful_run", shown(&self.last_successful)),
            ("dynamic_configs", self.dynamic_configs.clone().unwrap_or_else(|| json!({}))),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A run without its triggers, of which there may be hundreds.
fn brief(of: &Run) -> Value {
    let mut shown = run(of, &[]);
    if let Some(members) = shown.as_object_mut() {
        members.shift_remove("triggers");
    }
    shown
}
