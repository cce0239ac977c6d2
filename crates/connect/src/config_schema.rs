//! The schema of a configuration: the subset of JSON Schema that the contract lists (`runs.md`), what a tenant's
//! configuration must be, and the values that it has where nobody chose one.

mod check;

pub use check::{check, check_any};

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value, json};

/// What does not fit, and where it stands: in a schema, or in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The names and indexes that lead there.
    pub path: Vec<String>,
    pub text: String,
}

/// The largest configuration or metadata of a tenant, in bytes of JSON.
pub const LARGEST: usize = 64 * 1024;
/// The most mistakes that are told of one value.
const MOST: usize = 20;

/// A value that fills a dynamic configuration: of one name, what may be chosen.
pub type Dynamic = Map<String, Value>;

/// Checks a tenant's configuration. `dynamic` has what the runs of mode `init` found for the names under
/// `definitions`; a name without any lets every value of its type pass, because nothing is known of it yet.
///
/// # Errors
/// At most 20 [`Mistake`]s. Their texts never repeat a value.
pub fn validate(schema: &Value, dynamic: &Dynamic, configs: &Value) -> Result<(), Vec<Mistake>> {
    if !configs.is_object() {
        return Err(vec![Mistake { path: Vec::new(), text: "expected an object".to_owned() }]);
    }
    validate_any(&filled(schema, dynamic), configs)
}

/// Checks a value against any schema.
///
/// # Errors
/// As [`validate`].
pub fn validate_any(schema: &Value, value: &Value) -> Result<(), Vec<Mistake>> {
    if value.to_string().len() > LARGEST {
        let text = format!("this has more than {LARGEST} bytes");
        return Err(vec![Mistake { path: Vec::new(), text }]);
    }
    let validator = compiled(schema).map_err(|text| vec![Mistake { path: Vec::new(), text }])?;
    let mistakes: Vec<Mistake> = validator
        .iter_errors(value)
        .take(MOST)
        .map(|error| Mistake {
            path: steps(error.instance_path().as_str()),
            text: error.masked().to_string(),
        })
        .collect();
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

/// A validator that reads no file and no URL, and whose patterns take a time that grows with the text only: whoever
/// writes a manifest cannot stop the gateway with one.
fn compiled(schema: &Value) -> Result<Validator, String> {
    let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
    let options = options.with_pattern_options(PatternOptions::regex());
    options.build(schema).map_err(|error| error.to_string())
}

/// A JSON pointer's steps.
fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// The configuration with the defaults of properties that it lacks, in the order of the schema.
pub fn with_defaults(schema: &Value, configs: &Value) -> Value {
    let mut chosen = configs.as_object().cloned().unwrap_or_default();
    let mut whole = Map::new();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let value = chosen.shift_remove(name).or_else(|| property.get("default").cloned());
        if let Some(value) = value {
            whole.insert(name.clone(), value);
        }
    }
    whole.extend(chosen);
    Value::Object(whole)
}

/// The schema with what the runs of mode `init` found: each name of `definitions` becomes a choice among its values,
/// which are texts, or objects with `const` and `title`.
pub fn filled(schema: &Value, dynamic: &Dynamic) -> Value {
    let mut schema = schema.clone();
    let definitions = schema.get_mut("definitions").and_then(Value::as_object_mut);
    for (name, definition) in definitions.into_iter().flatten() {
        match dynamic.get(name).and_then(Value::as_array) {
            Some(values) => *definition = choice(values),
            // A choice among nothing is a place that a run is still to fill.
            None if is_placeholder(definition) => {
                let kind = definition.get("type").cloned();
                *definition = kind.map_or_else(|| json!({}), |kind| json!({ "type": kind }));
            }
            None => {}
        }
    }
    schema
}

fn choice(values: &[Value]) -> Value {
    if !values.is_empty() && values.iter().all(|value| value.get("const").is_some()) {
        return json!({ "oneOf": values });
    }
    json!({ "enum": values })
}

fn is_placeholder(definition: &Value) -> bool {
    let empty = |name: &str| definition.get(name).and_then(Value::as_array).is_some_and(Vec::is_empty);
    empty("enum") || empty("oneOf")
}

/// What an `init` run's stdout says about the dynamic configurations of this schema: its members whose names stand
/// under `definitions` and whose values are lists of texts or of objects with `const` and `title`. The rest is
/// not about configurations.
pub fn dynamic_of(schema: &Value, printed: &Value) -> Dynamic {
    let definitions = schema.get("definitions").and_then(Value::as_object);
    let known = |name: &str| definitions.is_some_and(|all| all.contains_key(name));
    let is_option = |value: &Value| match value {
        Value::String(_) => true,
        Value::Object(option) => option.contains_key("const"),
        _ => false,
    };
    let fits = |value: &Value| value.as_array().is_some_and(|values| values.iter().all(is_option));
    let members = printed.as_object().into_iter().flatten();
    members.filter(|(name, value)| known(name) && fits(value)).map(|(n, v)| (n.clone(), v.clone())).collect()
}
