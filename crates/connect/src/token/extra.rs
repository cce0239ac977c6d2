//! `xti`: what an organization adds to a token.

use super::reader::Reader;
use crate::refusal::Refusal;
use kernel::{SecretText, Slug};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What stands where a secret was.
pub const MASKED: &str = "********";

/// `allowed_installs`: the contract leaves the type open, and both readings are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AllowedInstalls {
    /// At most so many installations.
    AtMost(u32),
    /// Only these integrations, by name.
    Only(Vec<String>),
}

/// Rules for the in-app marketplace, as the token states them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Marketplace {
    pub hidden_integrations: Option<Vec<String>>,
    pub allowed_installs: Option<AllowedInstalls>,
    pub user_group: Option<String>,
}

/// `xti`, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extra {
    /// Where it stood: `ti.xti` or `xti`.
    pub path: &'static str,
    pub connector_name: Option<Slug>,
    pub integration_name: Option<Slug>,
    pub token: Option<SecretText>,
    pub marketplace: Marketplace,
}

impl Extra {
    /// Reads the object that was found at `path`.
    pub(super) fn read(path: &'static str, object: &Map<String, Value>) -> Result<Self, Refusal> {
        let reader = Reader::new(path, object);
        let connector_name = reader.text("connector_name", 255)?;
        let integration_name = reader.text("integration_name", 255)?;
        let slug = |name: &str, text: Option<&str>, parse: fn(&str) -> Result<Slug, _>| {
            text.map(|text| {
                parse(text)
                    .map_err(|why: kernel::organization::NameRefused| reader.invalid(name, &why.to_string()))
            })
            .transpose()
        };
        Ok(Self {
            path,
            connector_name: slug("connector_name", connector_name, Slug::for_connector)?,
            integration_name: slug("integration_name", integration_name, Slug::parse)?,
            token: reader.secret("token")?.map(SecretText::new),
            marketplace: Marketplace {
                hidden_integrations: reader.texts("hidden_integrations")?,
                allowed_installs: read_allowed(&reader)?,
                user_group: reader.text("user_group", 255)?.map(str::to_owned),
            },
        })
    }
}

fn read_allowed(reader: &Reader<'_>) -> Result<Option<AllowedInstalls>, Refusal> {
    const NAME: &str = "allowed_installs";
    match reader.present(NAME) {
        None => Ok(None),
        Some(Value::Array(_)) => Ok(reader.texts(NAME)?.map(AllowedInstalls::Only)),
        Some(Value::Number(number)) => match number.as_u64().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Ok(Some(AllowedInstalls::AtMost(number))),
            None => {
                Err(reader.invalid(NAME, "it must be a whole number from 0 or a list of integration names"))
            }
        },
        Some(_) => {
            Err(reader.invalid(NAME, "it must be a whole number from 0 or a list of integration names"))
        }
    }
}

/// The object with `token` masked, whatever type it has; its order is kept.
pub(super) fn masked(mut object: Value) -> Value {
    if let Some(token) = object.get_mut("token") {
        *token = Value::from(MASKED);
    }
    object
}
