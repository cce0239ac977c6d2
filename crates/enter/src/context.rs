//! The service context: for which account or partner an app is entered (contract `enter.md`, section 2).

use crate::ids::{AccountId, NotAnId, PartnerId};
use crate::percent;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use kernel::jose::{JsonRefused, shortened, strict_json};
use serde_json::Value;

/// The longest encoded context, in bytes: a context names one id of at most 64 bytes.
const LONGEST: usize = 1024;

/// What an entry is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServiceContext {
    Account(AccountId),
    /// Something of the partner's that belongs to no account, as a profile page.
    Partner(PartnerId),
    /// Read, so that it can be refused by name: nobody enters with it.
    SuperAdmin,
}

/// Why a text is no service context.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextRefused {
    #[error("it is empty")]
    Empty,
    #[error("it has {0} bytes; at most {LONGEST} are taken")]
    TooLong(usize),
    #[error("it is not base64 (standard or URL-safe alphabet, with or without padding)")]
    NotBase64,
    #[error("the JSON inside is refused: {0}")]
    NotJson(JsonRefused),
    #[error("the JSON inside must be an object with `_type`")]
    NotAnObject,
    #[error("its `_type` is `{0}`; known are `account`, `partner` and `superadmin`")]
    UnknownType(String),
    #[error("it must hold `{0}` and nothing else besides `_type`")]
    Members(&'static str),
    #[error("{0}")]
    Id(#[from] NotAnId),
}

impl ContextRefused {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownType(_) => "context_type_unknown",
            _ => "context_malformed",
        }
    }
}

impl ServiceContext {
    /// Reads an encoded context: base64 in either alphabet, with padding or without.
    ///
    /// Decision: a context with members beyond its type's is refused. One that names an account and a partner
    /// would be read as one by us and as the other by somebody's access check.
    ///
    /// # Errors
    /// [`ContextRefused`]; never with the whole text.
    pub fn parse(text: &str) -> Result<Self, ContextRefused> {
        if text.is_empty() {
            return Err(ContextRefused::Empty);
        }
        if text.len() > LONGEST {
            return Err(ContextRefused::TooLong(text.len()));
        }
        let bytes = decoded(text).ok_or(ContextRefused::NotBase64)?;
        Self::from_json(&strict_json(&bytes).map_err(ContextRefused::NotJson)?)
    }

    fn from_json(value: &Value) -> Result<Self, ContextRefused> {
        let object = value.as_object().ok_or(ContextRefused::NotAnObject)?;
        let kind = object.get("_type").and_then(Value::as_str).ok_or(ContextRefused::NotAnObject)?;
        let only = |name: &'static str| match object.get(name).and_then(Value::as_str) {
            Some(id) if object.len() == 2 => Ok(id),
            _ => Err(ContextRefused::Members(name)),
        };
        match kind {
            "account" => Ok(Self::Account(AccountId::parse(only("account_id")?)?)),
            "partner" => Ok(Self::Partner(PartnerId::parse(only("partner_id")?)?)),
            "superadmin" if object.len() == 1 => Ok(Self::SuperAdmin),
            "superadmin" => Err(ContextRefused::Members("_type")),
            other => Err(ContextRefused::UnknownType(shortened(other))),
        }
    }

    /// The account that it names.
    pub const fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Account(id) => Some(id),
            Self::Partner(_) | Self::SuperAdmin => None,
        }
    }

    /// The partner that it names itself.
    pub const fn partner(&self) -> Option<&PartnerId> {
        match self {
            Self::Partner(id) => Some(id),
            Self::Account(_) | Self::SuperAdmin => None,
        }
    }

    /// Compact JSON with `_type` first. Ids need no escaping.
    pub fn json(&self) -> String {
        match self {
            Self::Account(id) => format!(r#"{{"_type":"account","account_id":"{id}"}}"#),
            Self::Partner(id) => format!(r#"{{"_type":"partner","partner_id":"{id}"}}"#),
            Self::SuperAdmin => r#"{"_type":"superadmin"}"#.to_owned(),
        }
    }

    /// Standard base64 with padding of [`Self::json`].
    pub fn encoded(&self) -> String {
        STANDARD.encode(self.json())
    }

    /// [`Self::encoded`] as it stands in a query.
    pub fn query_value(&self) -> String {
        percent::encoded(&self.encoded())
    }
}

/// One alphabet at a time, and padding whole or not at all: a text has four spellings and no fifth.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    let padding = text.len() - bare.len();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return None;
    }
    STANDARD_NO_PAD.decode(bare).or_else(|_| URL_SAFE_NO_PAD.decode(bare)).ok()
}
