//! Records what the second door refused, so that the partner's engineer can read what was wrong.

use crate::Service;
use connect::refusal::RecordedRefusal;
use kernel::Environment;
use kernel::ids::{OrganizationId, RefusalId};
use serde_json::Value;

/// A refusal of the second door as a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The stable code; also the key of the page's texts.
    pub code: &'static str,
    /// The HTTP status of the page.
    pub status: u16,
    /// For the engineer: what was wrong and what to do. Never a secret, never a token.
    pub message: String,
    /// Which parameter.
    pub parameter: Option<String>,
    /// What was seen, for the record; boxed, because denials travel as errors.
    pub seen: Box<Value>,
    /// Whose engineer reads it: the partner's organization, else the app's; `None` where neither is known.
    pub organization: Option<OrganizationId>,
}

impl Denial {
    pub fn new(code: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self {
            code,
            status,
            message: message.into(),
            parameter: None,
            seen: Box::default(),
            organization: None,
        }
    }

    #[must_use]
    pub fn of(mut self, organization: &OrganizationId) -> Self {
        self.organization = Some(organization.clone());
        self
    }

    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>) -> Self {
        self.parameter = Some(name.into());
        self
    }

    #[must_use]
    pub fn seen(mut self, seen: Value) -> Self {
        self.seen = Box::new(seen);
        self
    }
}

/// A denial on its way to the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    pub denial: Denial,
    /// Shown to the person; the engineer finds the record by it.
    pub reference: RefusalId,
}

impl Service {
    /// Writes the denial down and gives the reference by which it is found. `route` is the pattern, never its query.
    ///
    /// A denial stands whether or not it could be recorded: where the store fails, the log has it instead.
    pub async fn deny(&self, denial: Denial, environment: Environment, route: &str) -> Denied {
        let now = self.clock.now();
        let reference = RefusalId::new(now, &*self.chance);
        let record = RecordedRefusal {
            id: reference.clone(),
            at: now,
            environment,
            organization: denial.organization.clone(),
            code: denial.code.to_owned(),
            status: denial.status,
            claim: denial.parameter.clone(),
            message: denial.message.clone(),
            seen: Value::clone(&denial.seen),
            route: route.to_owned(),
        };
        metrics::counter!("vestibule_refusals_total", "code" => denial.code).increment(1);
        self.record_refusal(record).await;
        Denied { denial, reference }
    }
}
