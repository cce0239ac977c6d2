//! What the callback brings besides the code.

use super::ProviderFailure;
use crate::connector::definition::{Definition, SaveTo};
use crate::credential::{App, Credential, Values};
use crate::dialog::Failure;
use aws_lc_rs::hmac;
use kernel::{SecretText, Time};

/// The longest value that a callback may bring, in bytes.
const LONGEST: usize = 2048;

/// Values that were captured, and parts of the token that a step replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    pub values: Values,
    pub access: Option<SecretText>,
    pub refresh: Option<SecretText>,
    pub expires: Option<Time>,
}

impl Captured {
    /// Adds them to a credential.
    pub fn put_into(self, credential: &mut Credential) {
        credential.captures.extend(self.values);
        if self.access.is_some() {
            credential.access = self.access;
            credential.expires = self.expires.or(credential.expires);
        }
        credential.refresh = self.refresh.or(credential.refresh.take());
    }
}

/// The definition's captures among the callback's parameters (`realmId`, `location`).
///
/// # Errors
/// `server_error` where one is missing that is not optional.
pub fn captures_from_callback(
    definition: &Definition,
    parameters: &[(String, String)],
) -> Result<Values, ProviderFailure> {
    let mut values = Values::new();
    for rule in &definition.capture.callback {
        let SaveTo::Capture(name) = &rule.to else { continue };
        let value = parameters.iter().find(|(own, _)| *own == rule.from).map(|(_, value)| value);
        match value.filter(|value| {
            !value.is_empty() && value.len() <= LONGEST && !value.chars().any(char::is_control)
        }) {
            Some(value) => values.set(name, value),
            None if rule.optional => {}
            None => {
                let detail = format!("the callback came without `{}`", rule.from);
                return Err(ProviderFailure::new(Failure::ServerError, detail));
            }
        }
    }
    Ok(values)
}

/// Checks the callback's issuer (RFC 9207) and its signature, where the definition declares them.
///
/// # Errors
/// `state_mismatch`.
pub fn check_callback(
    definition: &Definition,
    app: &App,
    parameters: &[(String, String)],
) -> Result<(), ProviderFailure> {
    let Some(authorize) = &definition.authorize else { return Ok(()) };
    let refused = |detail: &str| Err(ProviderFailure::new(Failure::StateMismatch, detail));
    let issuer = parameters.iter().find(|(name, _)| name == "iss").map(|(_, value)| value);
    if let (Some(expected), Some(seen)) = (&authorize.issuer, issuer)
        && expected != seen
    {
        return refused("the callback names another issuer");
    }
    let Some(signature) = &authorize.signature else { return Ok(()) };
    let mut signed: Vec<String> = parameters
        .iter()
        .filter(|(name, _)| *name != signature.param)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    signed.sort();
    let seen = parameters.iter().find(|(name, _)| *name == signature.param).map(|(_, value)| value.as_str());
    let Some(mac) = seen.and_then(crate::webhook_verify::from_hex) else {
        return refused("the callback is not signed");
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, app.secret().as_bytes());
    match hmac::verify(&key, signed.join("&").as_bytes(), &mac) {
        Ok(()) if !app.secret().is_empty() => Ok(()),
        _ => refused("the callback's signature is wrong"),
    }
}
