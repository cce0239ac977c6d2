//! JSON without repeated members.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};
use std::fmt;

/// Why a text is not taken as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonRefused(String);

/// Reads JSON and refuses an object in which a name stands twice, at any depth.
///
/// Decision: refused, not "the last one wins". Two parsers that choose differently would read two tokens out
/// of one signed text (RFC 8725, section 2.4); no honest signer writes a name twice.
/// Nesting ends at 128 levels, which bounds the stack.
///
/// # Errors
/// [`JsonRefused`], with what was wrong and where, never with the text itself.
pub fn strict_json(bytes: &[u8]) -> Result<Value, JsonRefused> {
    let strict: Strict = serde_json::from_slice(bytes).map_err(|error| {
        // serde_json quotes unexpected values in messages of its data category; ours are the only ones there.
        JsonRefused(match error.classify() {
            serde_json::error::Category::Data => error.to_string(),
            serde_json::error::Category::Eof => "the JSON ends too early".to_owned(),
            _ => format!("no JSON at line {}, column {}", error.line(), error.column()),
        })
    })?;
    Ok(strict.0)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        StrictValue.deserialize(deserializer).map(Self)
    }
}

struct StrictValue;

impl<'de> DeserializeSeed<'de> for StrictValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(StrictValue)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            match map.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(members.next_value_seed(StrictValue)?);
                }
                Entry::Occupied(found) => {
                    let name = super::shortened(found.key());
                    return Err(A::Error::custom(format!("the member `{name}` stands twice in one object")));
                }
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_that_stands_twice_is_refused_at_any_depth() {
        for bad in [r#"{"a":1,"a":1}"#, r#"{"x":{"a":1,"a":2}}"#, r#"[{"a":1,"\u0061":2}]"#] {
            assert!(
                strict_json(bad.as_bytes()).unwrap_err().to_string().contains("`a` stands twice"),
                "{bad}"
            );
        }
        assert!(strict_json(br#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn what_is_no_json_is_refused_without_repeating_it() {
        let deep = "[".repeat(100_000);
        for bad in
            ["", "{", "{'a':1}", "{\"a\":1} x", "\u{feff}{}", "{\"a\":1e999}", "\"\\ud800\"", "nul", &deep]
        {
            let told = strict_json(bad.as_bytes()).unwrap_err().to_string();
            assert!(!told.is_empty() && told.len() < 120, "{told}");
        }
        assert!(strict_json(b"\"\xff\"").is_err());
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(text in "[ -~\\PC]{0,40}", number: i64, fraction in -1e9f64..1e9, flag: bool) {
            let value = serde_json::json!({"t": text, "n": [number, fraction, null], "o": {"f": flag}});
            prop_assert_eq!(strict_json(value.to_string().as_bytes()).unwrap(), value);
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = strict_json(&bytes);
        }
    }
}
