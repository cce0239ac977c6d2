//! The `claims` parameter (OpenID Connect Core, section 5.5), and which scope opens which claim.

use crate::ids::PersonId;
use serde_json::{Map, Value};

/// A claim that an app may ask for by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    Email,
    EmailVerified,
    Name,
    GivenName,
    FamilyName,
    Locale,
    Picture,
    AuthTime,
    Acr,
    Amr,
}

impl Claim {
    pub const ALL: [Self; 10] = [
        Self::Email,
        Self::EmailVerified,
        Self::Name,
        Self::GivenName,
        Self::FamilyName,
        Self::Locale,
        Self::Picture,
        Self::AuthTime,
        Self::Acr,
        Self::Amr,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::EmailVerified => "email_verified",
            Self::Name => "name",
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::Locale => "locale",
            Self::Picture => "picture",
            Self::AuthTime => "auth_time",
            Self::Acr => "acr",
            Self::Amr => "amr",
        }
    }

    /// The scope that covers it (OpenID Connect Core, section 5.4).
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Email | Self::EmailVerified => "email",
            Self::Name | Self::GivenName | Self::FamilyName | Self::Locale | Self::Picture => "profile",
            Self::AuthTime | Self::Acr | Self::Amr => "openid",
        }
    }
}

/// What a `claims` parameter asks for, as far as it is known here; the rest is ignored, as the specification has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requested {
    pub id_token: Vec<Claim>,
    pub userinfo: Vec<Claim>,
    /// The person that the request insists on; empty where it insists on none.
    subjects: Vec<String>,
    /// Whether a subject was demanded, also one of a wrong type, which nobody is.
    demands_subject: bool,
    /// The `acr` values of which one is essential; `None` where none is.
    essential_acr: Option<Vec<String>>,
}

impl Requested {
    pub fn read(claims: Option<&Map<String, Value>>) -> Self {
        let Some(claims) = claims else { return Self::default() };
        let list = |place: &str| {
            let asked = claims.get(place).and_then(Value::as_object);
            Claim::ALL
                .into_iter()
                .filter(|claim| asked.is_some_and(|asked| asked.contains_key(claim.as_str())))
                .collect()
        };
        let mut requested =
            Self { id_token: list("id_token"), userinfo: list("userinfo"), ..Self::default() };
        for place in ["id_token", "userinfo"] {
            let sub = claims.get(place).and_then(|asked| asked.get("sub")).and_then(Value::as_object);
            let one = sub.and_then(|sub| sub.get("value"));
            let many = sub.and_then(|sub| sub.get("values"));
            requested.demands_subject |= one.is_some() || many.is_some();
            let texts = one.into_iter().chain(many.and_then(Value::as_array).into_iter().flatten());
            requested.subjects.extend(texts.filter_map(Value::as_str).map(str::to_owned));
            let acr = claims.get(place).and_then(|asked| asked.get("acr")).and_then(Value::as_object);
            let essential = |acr: &&Map<String, Value>| acr.get("essential") == Some(&Value::Bool(true));
            if let Some(acr) =
                acr.filter(essential).filter(|acr| acr.contains_key("value") || acr.contains_key("values"))
            {
                let many = acr.get("values").and_then(Value::as_array).into_iter().flatten();
                let texts = acr.get("value").into_iter().chain(many).filter_map(Value::as_str);
                requested.essential_acr = Some(texts.map(str::to_owned).collect());
            }
        }
        requested
    }

    /// Whether the request may be answered for `person`: a demand for another one must fail (section 5.5.1).
    pub fn allows_subject(&self, person: &PersonId) -> bool {
        !self.demands_subject || self.subjects.iter().any(|one| one == person.as_str())
    }

    /// Whether an essential `acr` is met: otherwise the sign-in counts as failed (section 5.5.1.1).
    pub fn allows_acr(&self, acr: &str) -> bool {
        self.essential_acr.as_ref().is_none_or(|values| values.iter().any(|one| one == acr))
    }

    /// The scopes that cover what is asked for, beside those that were asked for by name.
    ///
    /// Decision: a claim counts as its scope, for what the client may have and for what the person consents to.
    /// Otherwise `claims` would be a way around both.
    pub fn scopes(&self) -> Vec<&'static str> {
        let mut scopes: Vec<&'static str> = Vec::new();
        for scope in self.id_token.iter().chain(&self.userinfo).map(|claim| claim.scope()) {
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        scopes
    }
}
