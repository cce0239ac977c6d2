//! What a run said: its state for the next one, the tenant's metadata, the dynamic configs, and whether a connection
//! still stands (contract `runs.md`).

use super::Mode;
use crate::config_schema::{self, LARGEST};
use crate::tenant_json::variable;
use serde_json::{Map, Value};

/// The member by which a run speaks to the gateway, and not to its successor.
const OURS: &str = "Pandium";
/// How a report names a connection's status.
const AUTH_STATUS: &str = "_AUTH_STATUS";

/// What a program printed to stdout, or the state that an integration reported.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub text: &'a str,
    pub mode: Mode,
    /// The release's `metadata_schema.schema`.
    pub metadata_schema: Option<&'a Value>,
    /// The release's `configs.schema`, whose `definitions` an init run fills.
    pub config_schema: Option<&'a Value>,
}

/// What follows from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its last line, to the byte; `None` where it said nothing.
    pub state: Option<String>,
    /// To be merged into the tenant's metadata, member by member.
    pub metadata: Option<Map<String, Value>>,
    /// By name under `definitions`.
    pub dynamic_configs: Map<String, Value>,
    /// Connectors, as in `X` of `X_AUTH_STATUS`, that refused their credential.
    pub disconnected: Vec<String>,
    /// For the log: what was said and could not be used.
    pub notes: Vec<String>,
}

/// Why the whole does not fit the metadata schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub String);

/// The last line that is not empty.
fn last_line(text: &str) -> Option<&str> {
    text.lines().rev().find(|line| !line.trim().is_empty())
}

/// What a run said that ended well.
///
/// # Errors
/// [`Unfit`]: nothing of it may be kept.
pub fn read(said: Said<'_>) -> Result<Outcome, Unfit> {
    let state = last_line(said.text).map(str::to_owned);
    let whole: Option<Value> = serde_json::from_str(said.text).ok();
    let last: Option<Value> = state.as_deref().and_then(|line| serde_json::from_str(line).ok());
    let spoken = whole.as_ref().or(last.as_ref());
    let mut outcome = Outcome { state, ..Outcome::default() };
    if let Some(spoken) = spoken {
        outcome.disconnected = disconnected(spoken);
        if let (Mode::Init, Some(schema)) = (said.mode, said.config_schema) {
            fill(&mut outcome, spoken, schema);
        }
    }
    let (Some(schema), false) = (said.metadata_schema, said.text.trim().is_empty()) else {
        return Ok(outcome);
    };
    // Programs that print other lines too say what counts in their last one.
    let object = [whole, last].into_iter().flatten().find(Value::is_object);
    let Some(Value::Object(mut members)) = object else {
        return Err(Unfit(
            "neither what it printed to stdout nor the last line of it is a JSON object, which its metadata schema asks for"
                .into(),
        ));
    };
    // What was for the gateway, and what filled the dynamic configs, is not metadata.
    members.remove(OURS);
    members.retain(|name, _| !outcome.dynamic_configs.contains_key(name));
    fits(schema, &Value::Object(members.clone()))?;
    outcome.metadata = Some(members);
    Ok(outcome)
}

/// Whether a value is as its schema says; the first thing that is not, otherwise. No value is repeated: it may be a
/// customer's.
fn fits(schema: &Value, value: &Value) -> Result<(), Unfit> {
    let Err(mistakes) = config_schema::validate_any(schema, value) else { return Ok(()) };
    let first = mistakes.first().map(|mistake| {
        let place = if mistake.path.is_empty() { "the whole".to_owned() } else { mistake.path.join("/") };
        format!("{place}: {}", mistake.text)
    });
    Err(Unfit(format!("metadata: {}", first.unwrap_or_default())))
}

/// The metadata after a run: members replace those of the same name.
///
/// # Errors
/// [`Unfit`] where it would be longer than is kept.
pub fn merged(before: Option<&Value>, members: Map<String, Value>) -> Result<Value, Unfit> {
    let mut merged = before.and_then(Value::as_object).cloned().unwrap_or_default();
    merged.extend(members);
    let merged = Value::Object(merged);
    if merged.to_string().len() > LARGEST {
        return Err(Unfit(format!("the tenant's metadata would be longer than {LARGEST} bytes")));
    }
    Ok(merged)
}

/// `{"Pandium":{"Auth":{"X_AUTH_STATUS":"Disconnected"}}}`. That something is connected nobody can say but a sign-in.
fn disconnected(spoken: &Value) -> Vec<String> {
    let auth = spoken.get(OURS).and_then(|ours| ours.get("Auth")).and_then(Value::as_object);
    let named = auth.into_iter().flatten().filter(|(_, status)| status.as_str() == Some("Disconnected"));
    named.filter_map(|(name, _)| name.strip_suffix(AUTH_STATUS)).map(variable).collect()
}

/// Takes what the schema has names for, and says which of it could not be taken.
fn fill(outcome: &mut Outcome, spoken: &Value, schema: &Value) {
    outcome.dynamic_configs = config_schema::dynamic_of(schema, spoken);
    let named = schema.get("definitions").and_then(Value::as_object).into_iter().flatten();
    for (name, _) in named {
        if spoken.get(name).is_some() && !outcome.dynamic_configs.contains_key(name) {
            outcome.notes.push(format!(
                "the dynamic config `{name}` was not taken: it is an array of texts, or of objects with `const` and `title`"
            ));
        }
    }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
