//! Members of a JSON object as typed values, with refusals that name the path of the claim.

use super::{MASKED, shortened};
use crate::refusal::{Code, Refusal};
use serde_json::{Map, Value, json};

/// As many members as the objects of usual tokens have at most.
const SMALL: usize = 24;
/// The longest list of texts that a claim may be.
const LIST: usize = 100;

/// An object inside the payload. `null` and the empty text count as absent (contract `connect.md`, section 1).
pub(super) struct Reader<'a> {
    /// `ti.xti`; empty at the top.
    path: &'a str,
    object: &'a Map<String, Value>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a str, object: &'a Map<String, Value>) -> Self {
        Self { path, object }
    }

    pub(super) fn claim(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn present(&self, name: &str) -> Option<&'a Value> {
        self.member(name).filter(|value| !value.is_null() && *value != "")
    }

    /// To look at each name of a small object is quicker than to compute where one would stand.
    fn member(&self, name: &str) -> Option<&'a Value> {
        if self.object.len() > SMALL {
            return self.object.get(name);
        }
        self.object.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// `claim_invalid` with what was seen, except of a secret.
    pub(super) fn invalid(&self, name: &str, why: &str) -> Refusal {
        let claim = self.claim(name);
        let seen = if name == "token" { Value::from(MASKED) } else { shown(self.object.get(name)) };
        Refusal::new(Code::ClaimInvalid, format!("The claim `{claim}` is refused: {why}."))
            .of_claim(claim)
            .seen(json!({ "value": seen }))
    }

    pub(super) fn missing(&self, name: &str, meaning: &str) -> Refusal {
        let claim = self.claim(name);
        Refusal::new(Code::ClaimMissing, format!("The claim `{claim}` is missing or empty. {meaning}"))
            .of_claim(claim)
            .seen(json!({ "present": self.object.keys().take(50).map(|name| shortened(name)).collect::<Vec<_>>() }))
    }

    /// A text of at most `longest` characters without control characters, which no name needs and which a
    /// database or a terminal may stumble over.
    pub(super) fn text(&self, name: &str, longest: usize) -> Result<Option<&'a str>, Refusal> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::String(text)) => match refused_text(text, longest) {
                None => Ok(Some(text)),
                Some(why) => Err(self.invalid(name, &why)),
            },
            Some(_) => Err(self.invalid(name, "it must be a text")),
        }
    }

    /// A text that is a secret: any characters, and never shown.
    pub(super) fn secret(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.invalid(name, "it must be a text")),
        }
    }

    /// A whole number of seconds. `1.5`, `1e3` and `"5"` are none.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::Number(number)) if number.is_f64() || number.as_i64().is_none() => Err(self.invalid(
                name,
                "it must be a whole number of seconds since 1970, written without point and exponent",
            )),
            Some(Value::Number(number)) => Ok(number.as_i64()),
            Some(_) => Err(self.invalid(
                name,
                "it must be a whole number of seconds since 1970, not a text or another type",
            )),
        }
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, Refusal> {
        match self.present(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(self.invalid(name, "it must be an object")),
        }
    }

    /// At most [`LIST`] texts; empty ones are dropped.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let list = match self.present(name) {
            None => return Ok(None),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.invalid(name, "it must be a list of texts")),
        };
        if list.len() > LIST {
            return Err(self.invalid(name, &format!("it has {} items; at most {LIST} are taken", list.len())));
        }
        let mut texts = Vec::with_capacity(list.len());
        for item in list {
            match item {
                Value::String(text) => match refused_text(text, 255) {
                    None if text.is_empty() => {}
                    None => texts.push(text.clone()),
                    Some(why) => return Err(self.invalid(name, &format!("one of its items: {why}"))),
                },
                _ => return Err(self.invalid(name, "each of its items must be a text")),
            }
        }
        Ok(Some(texts))
    }
}

fn refused_text(text: &str, longest: usize) -> Option<String> {
    let length = text.chars().count();
    if length > longest {
        return Some(format!("it has {length} characters; at most {longest} are taken"));
    }
    text.chars().any(char::is_control).then(|| "it contains a control character".to_owned())
}

/// A value for a refusal's record: scalars shortened, of everything else only the type and size, so that
/// nothing secret inside is kept.
fn shown(value: Option<&Value>) -> Value {
    match value {
        Some(Value::String(text)) => Value::from(shortened(text)),
        Some(Value::Array(list)) => json!({ "list": list.len() }),
        Some(Value::Object(object)) => json!({ "object": object.len() }),
        Some(other) => other.clone(),
        None => Value::Null,
    }
}
