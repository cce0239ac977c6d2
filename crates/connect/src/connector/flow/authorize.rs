//! The address at which the person signs in.

use super::ProviderFailure;
use crate::connector::definition::{Authorize, Definition, Pkce};
use crate::connector::template::{Escape, Variables};
use crate::credential::{App, Values};
use crate::dialog::Failure;
use url::Url;

/// Builds the authorize URL (RFC 6749, section 4.1.1; RFC 7636). `challenge` is what the definition's `pkce`
/// says: the S256 challenge, or the verifier itself for `plain`; it is left out for `off`.
///
/// # Errors
/// `server_error` where a variable is missing or the address is not safe.
pub fn authorize_url(
    definition: &Definition,
    app: &App,
    inputs: &Values,
    state: &str,
    challenge: Option<&str>,
    redirect_uri: &str,
) -> Result<Url, ProviderFailure> {
    let authorize = definition
        .authorize
        .as_ref()
        .ok_or_else(|| ProviderFailure::new(Failure::ServerError, "this connector has no sign-in address"))?;
    let variables = Variables { app: Some(app), inputs: Some(inputs), ..Variables::default() };
    let mut url = authorize.url.render(&variables, definition.hosts(), definition.loopback)?;
    let mut parameters = standard(authorize, app, challenge);
    parameters.push(("redirect_uri".to_owned(), redirect_uri.to_owned()));
    rename(&mut parameters, &authorize.rename, &authorize.drop);
    for (name, template) in &authorize.params {
        set(&mut parameters, name, template.render(&variables, Escape::Plain)?);
    }
    // Last, so that no `params` of a file can put a fixed state in its place.
    set(&mut parameters, &authorize.state_param, state.to_owned());
    url.query_pairs_mut().extend_pairs(&parameters);
    Ok(url)
}

fn standard(authorize: &Authorize, app: &App, challenge: Option<&str>) -> Vec<(String, String)> {
    let scope = &authorize.scope;
    let mut parameters = vec![
        ("response_type".to_owned(), "code".to_owned()),
        ("client_id".to_owned(), app.client_id.clone()),
    ];
    let asked = app.scopes.as_ref().unwrap_or(&scope.default);
    if !asked.is_empty() {
        parameters.push(("scope".to_owned(), asked.join(&scope.separator)));
    }
    if let Some(name) = &scope.user_param {
        let asked = app.user_scopes.as_ref().unwrap_or(&scope.user_default);
        if !asked.is_empty() {
            parameters.push((name.clone(), asked.join(&scope.separator)));
        }
    }
    let method = match authorize.pkce {
        Pkce::S256 => Some("S256"),
        Pkce::Plain => Some("plain"),
        Pkce::Off => None,
    };
    if let (Some(method), Some(challenge)) = (method, challenge) {
        parameters.push(("code_challenge".to_owned(), challenge.to_owned()));
        parameters.push(("code_challenge_method".to_owned(), method.to_owned()));
    }
    parameters
}

/// Applies `rename` and `drop`; both name the standard parameters.
pub(super) fn rename(parameters: &mut Vec<(String, String)>, names: &[(String, String)], dropped: &[String]) {
    parameters.retain(|(name, _)| !dropped.contains(name));
    for (name, _) in parameters.iter_mut() {
        if let Some((_, new)) = names.iter().find(|(old, _)| old == name) {
            name.clone_from(new);
        }
    }
}

/// Sets a parameter in its place, or at the end.
pub(super) fn set(parameters: &mut Vec<(String, String)>, name: &str, value: String) {
    match parameters.iter_mut().find(|(own, _)| own == name) {
        Some((_, own)) => *own = value,
        None => parameters.push((name.to_owned(), value)),
    }
}
