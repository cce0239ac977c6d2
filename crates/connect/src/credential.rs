//! Credentials: what a connection holds, and the app that an organization registered at the outside system.

use crate::connector::Variables;
use kernel::{SecretText, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// Named values that may be secret: a form's fields, or what was captured. As JSON it is in clear, because it
/// is sealed as a whole; `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, SecretText>);

impl Values {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(SecretText::reveal)
    }

    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), SecretText::new(value));
    }

    /// Takes over every value of `other`, which wins.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.reveal()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Values {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let mut values = Self::new();
        for (name, value) in pairs {
            values.set(name, value);
        }
        values
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, String>::deserialize(deserializer).map(|map| map.into_iter().collect())
    }
}

mod in_clear {
    //! A secret inside a document that is sealed as a whole.
    use super::{Deserialize, Deserializer, SecretText, Serializer};

    #[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
    pub(super) fn serialize<S: Serializer>(
        secret: &Option<SecretText>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => serializer.serialize_some(secret.reveal()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SecretText>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(SecretText::new))
    }
}

/// What a connection holds. Its JSON is in clear and is stored only sealed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    #[serde(default, with = "in_clear", skip_serializing_if = "Option::is_none")]
    pub access: Option<SecretText>,
    #[serde(default, with = "in_clear", skip_serializing_if = "Option::is_none")]
    pub refresh: Option<SecretText>,
    /// When the access token ends; `None` where the provider does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// When it was given: the age that `[refresh] max_age_s` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obtained: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// What was granted, where the provider says so; else what was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The form's fields, secret ones among them.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub inputs: Values,
    /// `{capture.*}`.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub captures: Values,
    /// Who it is at the outside system, for people: `anna@example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl Credential {
    /// The JSON to seal.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads [`Self::to_json`].
    ///
    /// # Errors
    /// Where the text is not a credential's JSON.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// What its templates are filled from.
    pub fn variables<'a>(&'a self, app: Option<&'a App>, webhook_url: Option<&'a str>) -> Variables<'a> {
        Variables {
            app,
            inputs: Some(&self.inputs),
            captures: Some(&self.captures),
            access: self.access.as_ref(),
            refresh: self.refresh.as_ref(),
            webhook_url,
        }
    }

    /// Every value that must be masked where text of others is shown or logged.
    pub fn secret_values(&self) -> Vec<&str> {
        let tokens = [&self.access, &self.refresh];
        let tokens = tokens.into_iter().flatten().map(SecretText::reveal);
        let values = self.inputs.iter().chain(self.captures.iter()).map(|(_, value)| value);
        tokens.chain(values).filter(|value| value.len() >= 4).collect()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access", &self.access)
            .field("refresh", &self.refresh)
            .field("expires", &self.expires)
            .field("scopes", &self.scopes)
            .field("inputs", &self.inputs)
            .field("captures", &self.captures)
            .finish_non_exhaustive()
    }
}

/// The app that an organization registered at the outside system, per environment. As JSON it is in clear
/// and is stored only sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    pub client_id: String,
    #[serde(default, with = "in_clear", skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretText>,
    /// Scopes to ask for instead of the definition's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The same for `[authorize] scope.user_param` (Slack).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_scopes: Option<Vec<String>>,
    /// What `[auth] app` asks for beyond the client: `{app.application_id}`.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub fields: Values,
}

impl App {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        match name {
            "client_id" => Some(&self.client_id),
            "client_secret" => self.client_secret.as_ref().map(SecretText::reveal),
            _ => self.fields.get(name),
        }
    }

    /// The client's secret, empty where there is none (a public client).
    pub(crate) fn secret(&self) -> &str {
        self.client_secret.as_ref().map_or("", SecretText::reveal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_hides_itself_and_reads_back() {
        let credential = Credential {
            access: Some(SecretText::new("at-hunter2")),
            refresh: Some(SecretText::new("rt-hunter2")),
            inputs: [("key", "in-hunter2")].into_iter().collect(),
            captures: [("user_token", "ca-hunter2")].into_iter().collect(),
            account: Some("anna@example.com".to_owned()),
            ..Credential::default()
        };
        assert!(!format!("{credential:?}").contains("hunter2"));
        assert_eq!(Credential::from_json(&credential.to_json()).unwrap(), credential);
        assert_eq!(credential.secret_values(), ["at-hunter2", "rt-hunter2", "in-hunter2", "ca-hunter2"]);
        assert_eq!(Credential::from_json("{}").unwrap(), Credential::default());

        let app = App {
            client_id: "id".to_owned(),
            client_secret: Some(SecretText::new("hunter2")),
            ..App::default()
        };
        assert!(!format!("{app:?}").contains("hunter2"));
        assert_eq!(serde_json::from_str::<App>(&serde_json::to_string(&app).unwrap()).unwrap(), app);
    }
}
