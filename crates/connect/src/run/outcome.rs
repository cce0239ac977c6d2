//! What a run said: its state for the next one, the tenant's metadata, the dynamic configs, and whether a connection
//! still stands (contract `runs.md`).

use super::Mode;
use crate::tenant_json::variable;
use jsonschema::PatternOptions;
use serde_json::{Map, Value};

/// The longest metadata of a tenant, as JSON in bytes.
const LONGEST_METADATA: usize = 1024 * 1024;
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
    let spoken = whole.as_ref().or(last.as_ref()).and_then(Value::as_object);
    let mut outcome = Outcome { state, ..Outcome::default() };
    if let Some(spoken) = spoken {
        outcome.disconnected = disconnected(spoken);
        if said.mode == Mode::Init {
            let definitions = said.config_schema.and_then(|schema| schema.get("definitions"));
            fill(&mut outcome, spoken, definitions.and_then(Value::as_object));
        }
    }
    let (Some(schema), false) = (said.metadata_schema, said.text.trim().is_empty()) else {
        return Ok(outcome);
    };
    let Some(Value::Object(mut members)) = whole else {
        return Err(Unfit(
            "what it printed to stdout is not one JSON object, which its metadata schema asks for".into(),
        ));
    };
    // What was for the gateway, and what filled the dynamic configs, is not metadata.
    members.remove(OURS);
    members.retain(|name, _| !outcome.dynamic_configs.contains_key(name));
    fits(schema, &Value::Object(members.clone()))?;
    outcome.metadata = Some(members);
    Ok(outcome)
}

/// Whether a value is as its schema says; the first thing that is not, otherwise.
fn fits(schema: &Value, value: &Value) -> Result<(), Unfit> {
    // Patterns are matched in linear time: a schema and what a run prints are both somebody else's.
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    let validator = options
        .build(schema)
        .map_err(|error| Unfit(format!("its metadata schema cannot be used: {error}")))?;
    let Err(error) = validator.validate(value) else { return Ok(()) };
    let path = error.instance_path().to_string();
    let place = if path.is_empty() { "the whole".to_owned() } else { path };
    // The value itself is not repeated: it may be a customer's.
    Err(Unfit(format!("metadata: {place} does not fit: {}", error.masked())))
}

/// The metadata after a run: members replace those of the same name.
///
/// # Errors
/// [`Unfit`] where it would be longer than is kept.
pub fn merged(before: Option<&Value>, members: Map<String, Value>) -> Result<Value, Unfit> {
    let mut merged = before.and_then(Value::as_object).cloned().unwrap_or_default();
    merged.extend(members);
    let merged = Value::Object(merged);
    if merged.to_string().len() > LONGEST_METADATA {
        return Err(Unfit(format!("the tenant's metadata would be longer than {LONGEST_METADATA} bytes")));
    }
    Ok(merged)
}

/// `{"Pandium":{"Auth":{"X_AUTH_STATUS":"Disconnected"}}}`. That something is connected nobody can say but a sign-in.
fn disconnected(spoken: &Map<String, Value>) -> Vec<String> {
    let auth = spoken.get(OURS).and_then(|ours| ours.get("Auth")).and_then(Value::as_object);
    let named = auth.into_iter().flatten().filter(|(_, status)| status.as_str() == Some("Disconnected"));
    named.filter_map(|(name, _)| name.strip_suffix(AUTH_STATUS)).map(variable).collect()
}

/// Takes the dynamic configs: arrays of texts, or of objects with `const` and `title`.
fn fill(outcome: &mut Outcome, spoken: &Map<String, Value>, definitions: Option<&Map<String, Value>>) {
    for (name, value) in spoken {
        if !definitions.is_some_and(|definitions| definitions.contains_key(name)) {
            continue;
        }
        if is_list_of_choices(value) {
            outcome.dynamic_configs.insert(name.clone(), value.clone());
        } else {
            outcome.notes.push(format!(
                "the dynamic config `{name}` was not taken: it is an array of texts, or of objects with `const` and `title`"
            ));
        }
    }
}

fn is_list_of_choices(value: &Value) -> bool {
    let Some(items) = value.as_array() else { return false };
    let is_pair = |item: &Value| {
        let constant = item.get("const").is_some_and(|it| !it.is_object() && !it.is_array());
        constant && item.get("title").is_some_and(Value::is_string)
    };
    items.iter().all(Value::is_string) || items.iter().all(is_pair)
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
