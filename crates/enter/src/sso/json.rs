//! Messages in JSON: read tolerantly, as clients in the field send them, and written in one way.
//!
//! Names come in snake_case or camelCase; null means unset; `[]` is an empty message, as PHP writes it; unknown
//! names are ignored, wrong types are not. What is written is camelCase.

use super::Refused;
use kernel::jose::strict_json;
use serde_json::{Map, Value};

/// Where in a message something stands: `context.account.account_id`. Written out only for a refusal.
#[derive(Debug, Clone, Copy)]
pub struct Name<'a> {
    above: Option<&'a Name<'a>>,
    own: &'a str,
}

impl<'a> Name<'a> {
    pub const fn top(own: &'a str) -> Self {
        Self { above: None, own }
    }

    pub const fn within(&'a self, own: &'a str) -> Self {
        Self { above: Some(self), own }
    }

    /// The refusal of what stands there.
    pub fn refused(&self, what: impl std::fmt::Display) -> Refused {
        Refused::field(&self.to_string(), what)
    }
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(above) = self.above.filter(|above| !above.own.is_empty()) {
            write!(f, "{above}.")?;
        }
        f.write_str(self.own)
    }
}

/// Something that stands in a message.
pub trait Field: Sized + Default {
    /// Reads what is there; null and absence are the default and do not come here.
    ///
    /// # Errors
    /// [`Refused`] for a wrong type.
    fn read(value: &Value, name: &Name<'_>) -> Result<Self, Refused>;

    /// `None` leaves it out.
    fn write(&self) -> Option<Value>;
}

impl Field for String {
    fn read(value: &Value, name: &Name<'_>) -> Result<Self, Refused> {
        value.as_str().map(str::to_owned).ok_or_else(|| name.refused("must be a string"))
    }

    fn write(&self) -> Option<Value> {
        Some(Value::String(self.clone()))
    }
}

impl Field for bool {
    fn read(value: &Value, name: &Name<'_>) -> Result<Self, Refused> {
        value.as_bool().ok_or_else(|| name.refused("must be true or false"))
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Bool(*self))
    }
}

impl Field for i32 {
    /// Also as a string of digits, as the JSON form of protocol buffers allows.
    fn read(value: &Value, name: &Name<'_>) -> Result<Self, Refused> {
        let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        let number = number.and_then(|number| Self::try_from(number).ok());
        number.ok_or_else(|| name.refused("must be a whole number"))
    }

    fn write(&self) -> Option<Value> {
        Some(Value::from(*self))
    }
}

impl<T: Field> Field for Option<T> {
    fn read(value: &Value, name: &Name<'_>) -> Result<Self, Refused> {
        T::read(value, name).map(Some)
    }

    fn write(&self) -> Option<Value> {
        self.as_ref().and_then(Field::write)
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(value: &Value, name: &Name<'_>) -> Result<Self, Refused> {
        let items = value.as_array().ok_or_else(|| name.refused("must be a list"))?;
        items.iter().map(|item| T::read(item, name)).collect()
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(Field::write).collect()))
    }
}

/// The members of a message.
#[derive(Debug, Clone, Copy)]
pub struct Members<'a>(Option<&'a Map<String, Value>>);

impl<'a> Members<'a> {
    /// # Errors
    /// [`Refused`] for what is neither an object nor `[]`.
    pub fn of(value: &'a Value, name: &Name<'_>) -> Result<Self, Refused> {
        match value {
            Value::Object(members) => Ok(Self(Some(members))),
            Value::Array(list) if list.is_empty() => Ok(Self(None)),
            _ => Err(name.refused("must be an object")),
        }
    }

    /// What stands under one of `spellings` (each also in camelCase) and is not null.
    ///
    /// # Errors
    /// [`Refused`] where it stands there twice: which one counts would be the parser's choice.
    pub fn get(&self, spellings: &[&str], name: &Name<'_>) -> Result<Option<&'a Value>, Refused> {
        let there = |key: &str| spellings.iter().any(|snake| is_spelling_of(snake, key));
        let members = self.0.into_iter().flatten();
        let mut found = members.filter(|(key, value)| !value.is_null() && there(key)).map(|(_, value)| value);
        match (found.next(), found.next()) {
            (found, None) => Ok(found),
            (_, Some(_)) => Err(name.refused("stands there twice, in two spellings; send it once")),
        }
    }

    /// Reads one field of a message.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn field<T: Field>(&self, own: &str, above: &Name<'_>) -> Result<T, Refused> {
        let name = above.within(own);
        self.get(&[own], &name)?.map_or_else(|| Ok(T::default()), |value| T::read(value, &name))
    }
}

/// Whether `key` is `snake` as it is, or in camelCase.
fn is_spelling_of(snake: &str, key: &str) -> bool {
    key == snake || key.chars().eq(camel_chars(snake))
}

fn camel_chars(snake: &str) -> impl Iterator<Item = char> {
    let mut raise = false;
    snake.chars().filter_map(move |c| {
        if c == '_' {
            raise = true;
            return None;
        }
        let shown = if raise { c.to_ascii_uppercase() } else { c };
        raise = false;
        Some(shown)
    })
}

/// `snake_case` as JSON has it: `snakeCase`.
pub fn camel(snake: &str) -> String {
    camel_chars(snake).collect()
}

/// A whole message.
pub trait Message: Field {
    /// Its fields as the .proto file names them, in the order in which they are written.
    const FIELDS: &'static [&'static str];
}

/// Reads a request's body. An empty one is an empty message.
///
/// # Errors
/// [`Refused`] with code 3.
pub fn read<T: Message>(body: &[u8]) -> Result<T, Refused> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    let value = strict_json(body).map_err(|why| Refused::field("body", why))?;
    match value {
        Value::Null => Ok(T::default()),
        Value::Object(_) | Value::Array(_) => T::read(&value, &Name::top("")),
        _ => Err(Refused::field("body", "must be a JSON object")),
    }
}

/// An answer's body.
pub fn write<T: Message>(message: &T) -> Value {
    message.write().unwrap_or_else(|| Value::Object(Map::new()))
}

/// A message whose fields are named as the .proto file names them.
macro_rules! message {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)*
        }

        impl $crate::sso::json::Field for $name {
            fn read(
                value: &serde_json::Value,
                name: &$crate::sso::json::Name<'_>,
            ) -> Result<Self, $crate::sso::Refused> {
                let _members = $crate::sso::json::Members::of(value, name)?;
                Ok(Self { $($field: _members.field(stringify!($field), name)?,)* })
            }

            fn write(&self) -> Option<serde_json::Value> {
                let mut _members = serde_json::Map::new();
                $(if let Some(value) = $crate::sso::json::Field::write(&self.$field) {
                    _members.insert($crate::sso::json::camel(stringify!($field)), value);
                })*
                Some(serde_json::Value::Object(_members))
            }
        }

        impl $crate::sso::json::Message for $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field),)*];
        }
    };
}
pub(super) use message;
