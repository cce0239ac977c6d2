//! Consent: what a person has allowed an app to know (contract `enter.md`, section 5).

use super::Client;
use super::authorize::AuthorizeRequest;
use super::claims::Requested;
use crate::app::App;
use crate::ids::{ClientId, PersonId};
use crate::session::Session;
use kernel::Time;

/// Scopes that need no consent by themselves: entering an app is what the person is about to do, and these tell no
/// more than who enters and for which account, which the partner has decided.
const FREE: [&str; 2] = ["openid", "offline_access"];

/// A consent as it is stored; one for each person and client. Revoking it is deleting it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    pub person: PersonId,
    pub client: ClientId,
    pub scopes: Vec<String>,
    pub given: Time,
}

/// The scopes to which the person must still consent: those asked for, also by the `claims` parameter, that are
/// neither pre-approved for the app nor remembered.
pub fn missing(
    request: &AuthorizeRequest,
    requested: &Requested,
    app: &App,
    client: &Client,
    remembered: Option<&Consent>,
) -> Vec<String> {
    let by_name = requested.scopes().into_iter().filter(|scope| client.scopes.iter().any(|own| own == scope));
    let wanted = request.scopes.iter().map(String::as_str).chain(by_name);
    let mut missing: Vec<String> = Vec::new();
    for scope in wanted {
        let approved = app.pre_approved_scopes.iter().any(|one| one == scope);
        let known = remembered.is_some_and(|consent| consent.scopes.iter().any(|one| one == scope));
        let seen = missing.iter().any(|one| one == scope);
        if !(FREE.contains(&scope) || approved || known || seen) {
            missing.push(scope.to_owned());
        }
    }
    missing
}

/// What to remember after a person said yes to `scopes`, beside what was remembered.
///
/// Decision: nothing while somebody acts in the person's name. The sign-in goes on with it, but what the person
/// will be asked stays the person's own to answer.
pub fn remember(
    session: &Session,
    client: &Client,
    scopes: &[String],
    before: Option<Consent>,
    now: Time,
) -> Option<Consent> {
    if session.detail.impersonator.is_some() {
        return None;
    }
    let before = before.filter(|before| before.person == session.person && before.client == client.id);
    let mut all = before.map(|before| before.scopes).unwrap_or_default();
    for scope in scopes {
        if !all.contains(scope) {
            all.push(scope.clone());
        }
    }
    Some(Consent { person: session.person.clone(), client: client.id.clone(), scopes: all, given: now })
}
