//! What a program is told: the environment of a process run (contract `runs.md`), and the files beside it.

use super::{Mode, Source};
use crate::connector::Definition;
use crate::credential::{App, Credential};
use crate::tenant_json::variable;
use kernel::ids::{IntegrationId, TenantId, TriggerId};
use kernel::{Environment, Time};
use serde_json::{Map, Value, json};

/// The longest value of a variable, in bytes: the kernel takes 128 KiB with the name.
const LONGEST: usize = 96 * 1024;
/// All variables together, in bytes: the kernel takes a quarter of the stack's limit, arguments included.
const ALL: usize = 1024 * 1024;

/// A trigger as a run is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldTrigger {
    pub id: TriggerId,
    pub source: Source,
    pub mode: Mode,
    pub payload: Payload,
}

/// What came with a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    Nothing,
    /// A JSON object that the caller of the API gave.
    Given(Value),
    /// A delivery: its body lies in this file. `source` is the connector at whose address it came, or `custom`.
    Delivery {
        source: String,
        file: String,
        headers: Vec<(String, String)>,
    },
}

/// A run that ended before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    pub phase: &'static str,
    pub started: Option<Time>,
    pub completed: Option<Time>,
    /// What it handed on; `None` where it said nothing.
    pub state: Option<String>,
}

/// A connector's credential as a run sees it: `[[env]]` of its definition.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    pub connector: String,
    /// Name and value.
    pub fields: Vec<(String, String)>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("connector", &self.connector).finish_non_exhaustive()
    }
}

impl Secrets {
    /// What a run sees of a credential: what the definition's `[[env]]` names, or, where it names nothing, the access
    /// token and what was typed.
    pub fn of(connector: &str, definition: &Definition, credential: &Credential, app: Option<&App>) -> Self {
        let variables = credential.variables(app, None);
        let mut fields: Vec<(String, String)> = definition
            .env
            .iter()
            .filter_map(|named| Some((named.name.clone(), variables.get(&named.field)?.to_owned())))
            .collect();
        if definition.env.is_empty() {
            let access = credential
                .access
                .as_ref()
                .map(|access| ("ACCESS_TOKEN".to_owned(), access.reveal().to_owned()));
            let typed = credential.inputs.iter().map(|(name, value)| (variable(name), value.to_owned()));
            fields = access.into_iter().chain(typed).collect();
        }
        Self { connector: connector.to_owned(), fields }
    }
}

/// Everything that a program is told.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    pub integration: (IntegrationId, &'a str),
    pub tenant: (TenantId, &'a str),
    pub mode: Mode,
    pub environment: Environment,
    pub configs: &'a Map<String, Value>,
    pub secrets: &'a [Secrets],
    pub triggers: &'a [ToldTrigger],
    /// The tenant's metadata: a JSON object.
    pub metadata: &'a Value,
    pub last: Option<&'a Past>,
    pub last_successful: Option<&'a Past>,
    /// Where the files lie: an absolute path.
    pub files: &'a str,
}

/// The variables, and the files that some of them name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    pub variables: Vec<(String, String)>,
    /// Name within the folder, and content.
    pub files: Vec<(String, String)>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.iter().map(|(name, _)| name)).finish()
    }
}

/// `2021-07-24 20:04:21 +0000 UTC`: how these variables have always written times.
pub fn shown_time(at: Time) -> String {
    let iso = at.iso_seconds();
    format!("{} +0000 UTC", iso.trim_end_matches('Z').replacen('T', " ", 1))
}

/// A configuration's value as text: a text as it is, anything else as JSON.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// `PAN_CTX_RUN_TRIGGERS`.
pub fn triggers_json(triggers: &[ToldTrigger]) -> Value {
    let one = |trigger: &ToldTrigger| {
        let payload = match &trigger.payload {
            Payload::Nothing => json!({}),
            Payload::Given(given) => given.clone(),
            Payload::Delivery { source, file, headers } => {
                json!({ "file": file, "headers": headers_json(headers), "source": source })
            }
        };
        json!({
            "id": trigger.id,
            "source": trigger.source.told(),
            "mode": trigger.mode.as_str(),
            "payload": payload,
        })
    };
    Value::Array(triggers.iter().map(one).collect())
}

/// Headers as an object; those that came more than once are joined by a comma (RFC 9110, section 5.3).
pub fn headers_json(headers: &[(String, String)]) -> Value {
    let mut object = Map::new();
    for (name, value) in headers {
        match object.get_mut(name) {
            Some(Value::String(before)) => {
                before.push_str(", ");
                before.push_str(value);
            }
            _ => {
                object.insert(name.clone(), Value::String(value.clone()));
            }
        }
    }
    Value::Object(object)
}

impl Told<'_> {
    /// The variables and files. A value that is longer than the kernel takes lies in a file: then `{NAME}_FILE` says
    /// where, and there is no `{NAME}`, because half of a state is worse than none. What earlier runs handed on is
    /// always in a file too.
    pub fn surroundings(&self) -> Surroundings {
        let mut made = Surroundings::default();
        self.context(&mut made);
        for (name, value) in self.configs {
            if let Some(value) = plain(value) {
                made.put(format!("PAN_CFG_{}", variable(name)), &value);
            }
        }
        for secrets in self.secrets {
            for (field, value) in &secrets.fields {
                let field = variable(field);
                made.put(format!("PAN_SEC_{}_{field}", variable(&secrets.connector)), value);
                if secrets.connector.contains('-') {
                    let spelled = secrets.connector.to_ascii_uppercase();
                    made.put(format!("PAN_SEC_{spelled}_{field}"), value);
                }
            }
        }
        made.lay_long_ones_aside(self.files);
        made
    }

    fn context(&self, made: &mut Surroundings) {
        let mut put = |name: &str, value: String| made.put(format!("PAN_CTX_{name}"), &value);
        put("INTEGRATION_ID", self.integration.0.to_string());
        put("INTEGRATION_NAME", self.integration.1.to_owned());
        put("TENANT_ID", self.tenant.0.to_string());
        put("TENANT_NAME", self.tenant.1.to_owned());
        put("RUN_MODE", self.mode.as_str().to_owned());
        put("ENV", self.environment.as_str().to_owned());
        put("RUN_TRIGGERS", triggers_json(self.triggers).to_string());
        put("TENANT_METADATA_FILE", format!("{}/tenant-metadata.json", self.files));
        made.files.push(("tenant-metadata.json".to_owned(), self.metadata.to_string()));
        // The second of these spellings is in the wild, and integrations that read it shall run unchanged.
        let pasts = [
            ("LAST_RUN", self.last),
            ("LAST_SUCCESSFUL_RUN", self.last_successful),
            ("LAST_SUCESSFUL_RUN", self.last_successful),
        ];
        for (prefix, past) in pasts {
            if let Some(past) = past {
                self.past(made, prefix, past);
            }
        }
    }

    fn past(&self, made: &mut Surroundings, prefix: &str, past: &Past) {
        let mut put = |name: &str, value: String| made.put(format!("PAN_CTX_{prefix}_{name}"), &value);
        put("PHASE", past.phase.to_owned());
        if let Some(started) = past.started {
            put("START_TIME", shown_time(started));
        }
        if let Some(completed) = past.completed {
            put("COMPLETION_TIME", shown_time(completed));
        }
        let Some(state) = &past.state else { return };
        let file = format!("{}.state", prefix.to_ascii_lowercase().replace('_', "-"));
        for name in ["STD_OUT", "STDOUT"] {
            put(&format!("{name}_FILE"), format!("{}/{file}", self.files));
            if state.len() <= LONGEST {
                put(name, state.clone());
            }
        }
        made.files.push((file, state.clone()));
    }
}

impl Surroundings {
    /// The first of a name stays: two names of configurations may become the same variable. No variable can hold NUL.
    fn put(&mut self, name: String, value: &str) {
        if !self.variables.iter().any(|(known, _)| *known == name) {
            self.variables.push((name, value.replace('\0', "")));
        }
    }

    fn lay_long_ones_aside(&mut self, folder: &str) {
        loop {
            let all: usize = self.variables.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
            let longest = self.variables.iter().enumerate().max_by_key(|(_, (_, value))| value.len());
            let Some((at, (_, value))) = longest else { return };
            if value.len() <= LONGEST && all <= ALL {
                return;
            }
            let (name, value) = self.variables.remove(at);
            let there = self.variables.iter().any(|(known, _)| *known == format!("{name}_FILE"));
            if !there {
                let file = format!("{name}.value");
                self.variables.push((format!("{name}_FILE"), format!("{folder}/{file}")));
                self.files.push((file, value));
            }
        }
    }
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;
