//! What an authorize request that has passed its checks still needs before it is answered: a person, a place, access,
//! consent (OpenID Connect Core, sections 3.1.2.3 to 3.1.2.6).

use super::authorize::{AuthorizeRequest, ErrorRedirect};
use super::claims::Requested;
use crate::account::{Account, Person};
use crate::context::ServiceContext;
use crate::ids::{PartnerId, PersonId};
use crate::partner::Partner;
use crate::session::Session;
use kernel::Time;

/// Whom `id_token_hint` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    None,
    /// One of our ID tokens for this client, expired or not.
    Person(PersonId),
    /// It is no ID token of ours for this client.
    Unproven,
}

/// The place that the request is for, as it was found.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub context: &'a ServiceContext,
    /// The account's partner, or the one that the context names; `None` where there is none.
    pub partner: Option<&'a Partner>,
    /// The context's account; `None` for a partner's own context, or where there is none.
    pub account: Option<&'a Account>,
    /// The session's person's roles at that account; `None` without an association.
    pub roles: Option<&'a [String]>,
    /// Whether the app is open to everybody or active for the account.
    pub active: bool,
}

/// What is known when a request is decided.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// The browser's session with its person; only a live one, of a person who is switched on.
    pub live: Option<(&'a Session, &'a Person)>,
    /// The request's context, or what the person chose on our page for this request; `None` without either.
    pub place: Option<Place<'a>>,
    /// Whether the person chose the account on our page for this very request.
    pub chosen: bool,
    /// When this request sent the browser to the partner; `None` where it has not yet.
    pub sent_to_partner: Option<Time>,
    pub hint: &'a Hint,
    pub requested: &'a Requested,
    /// The scopes to which the person must still consent; empty where none is.
    pub to_consent: &'a [String],
    /// Whether the person consented on our page for this very request.
    pub consented: bool,
    pub now: Time,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Everything is there: a code for this context.
    Answer(ServiceContext),
    /// The partner is to vouch for its user first. The request waits.
    GoToPartner { partner: PartnerId, context: ServiceContext },
    /// A page on which the person chooses one of the accounts that this app may open.
    ChooseAccount,
    /// A page that names the partners last used in this browser and says to start there.
    ChoosePartner,
    /// A page that asks for these scopes.
    Consent(Vec<String>),
    /// Back to the app. With `prompt=none` nothing but this and [`Self::Answer`] happens.
    Error(ErrorRedirect),
}

const fn error(error: &'static str, description: &'static str) -> Next {
    Next::Error(ErrorRedirect { error, description })
}

const LOGIN_REQUIRED: Next = error("login_required", "nobody is signed in as the request demands");
const OTHER_PERSON: Next = error("login_required", "another person is signed in than the request demands");
const CHOOSE: Next =
    error("account_selection_required", "name an account_id, or let the person choose without prompt=none");
const CONSENT_REQUIRED: Next = error("consent_required", "the person has not consented to these scopes yet");
const INTERACTION: Next =
    error("interaction_required", "the partner has to be asked about this account first");
const UNMET: Next =
    error("unmet_authentication_requirements", "the acr that the request insists on is not available");
const UNKNOWN_PLACE: Next = error("access_denied", "the account or partner is unknown or switched off");
const NOT_ACTIVE: Next = error("access_denied", "this app is not active for the account");
const NO_ACCESS: Next = error("access_denied", "the person has no access to this account");

/// Decides the next step: place, person, access, consent, in this order.
pub fn next(request: &AuthorizeRequest, visit: &Visit<'_>) -> Next {
    let place = match check_place(request, visit) {
        Ok(place) => place,
        Err(next) => return next,
    };
    let checks = [check_person, check_choice, check_access, check_consent];
    let first = checks.into_iter().find_map(|check| check(request, visit, &place));
    first.unwrap_or_else(|| Next::Answer(place.context.clone()))
}

/// A place with its partner.
#[derive(Clone, Copy)]
struct Found<'a> {
    context: &'a ServiceContext,
    partner: &'a Partner,
    place: Place<'a>,
}

fn check_place<'a>(request: &AuthorizeRequest, visit: &Visit<'a>) -> Result<Found<'a>, Next> {
    let Some(place) = visit.place else {
        return Err(match (visit.live, request.prompt.none) {
            (Some(_), false) => Next::ChooseAccount,
            (Some(_), true) => CHOOSE,
            (None, false) => Next::ChoosePartner,
            (None, true) => LOGIN_REQUIRED,
        });
    };
    let partner = place.partner.filter(|partner| partner.disabled.is_none()).ok_or(UNKNOWN_PLACE)?;
    let fits = match place.context {
        ServiceContext::SuperAdmin => false,
        ServiceContext::Partner(id) => *id == partner.id,
        ServiceContext::Account(id) => place
            .account
            .is_some_and(|one| one.id == *id && one.partner == partner.id && one.disabled.is_none()),
    };
    if !fits {
        return Err(UNKNOWN_PLACE);
    }
    if matches!(place.context, ServiceContext::Account(_)) && !place.active {
        return Err(NOT_ACTIVE);
    }
    Ok(Found { context: place.context, partner, place })
}

/// Whether the partner has vouched for somebody because of this very request. Only the first trip is forced; a
/// person who comes back as somebody else is not sent round again.
fn has_been_there(visit: &Visit<'_>) -> bool {
    match (visit.live, visit.sent_to_partner) {
        (Some((session, _)), Some(sent)) => session.authenticated >= sent,
        _ => false,
    }
}

fn go(place: &Found<'_>) -> Next {
    Next::GoToPartner { partner: place.partner.id.clone(), context: place.context.clone() }
}

/// A live session of this partner's, young enough, of the person that the request means.
fn check_person(request: &AuthorizeRequest, visit: &Visit<'_>, place: &Found<'_>) -> Option<Next> {
    let none = request.prompt.none;
    let own = visit.live.filter(|(session, person)| {
        session.partner == place.partner.id && person.identity.partner == place.partner.id
    });
    let Some((session, person)) = own else {
        return Some(if none { LOGIN_REQUIRED } else { go(place) });
    };
    if !visit.requested.allows_acr(&session.detail.acr) {
        return Some(UNMET);
    }
    let been = has_been_there(visit);
    // `max_age=0` is another word for `prompt=login`.
    let young = request.max_age_s.is_none_or(|most| most > 0 && session.authenticated_for(visit.now) <= most);
    if !been && (request.prompt.login || !young) {
        return Some(if none { LOGIN_REQUIRED } else { go(place) });
    }
    let meant = is_meant(request, visit, &person.id);
    match (meant, none || been) {
        (true, _) => None,
        (false, true) => Some(OTHER_PERSON),
        (false, false) => Some(go(place)),
    }
}

/// `id_token_hint`, the `sub` of the `claims` parameter, and a `login_hint` that is an id of ours. A `login_hint` of
/// any other form only helps a partner's page to fill in a name, and demands nobody.
fn is_meant(request: &AuthorizeRequest, visit: &Visit<'_>, person: &PersonId) -> bool {
    let hinted = match visit.hint {
        Hint::None => true,
        Hint::Person(named) => named == person,
        Hint::Unproven => false,
    };
    let login_hint = request.login_hint.as_deref().filter(|hint| hint.starts_with("U-"));
    hinted && login_hint.is_none_or(|hint| hint == person.as_str()) && visit.requested.allows_subject(person)
}

fn check_choice(request: &AuthorizeRequest, visit: &Visit<'_>, _: &Found<'_>) -> Option<Next> {
    (request.prompt.select_account && !visit.chosen).then_some(Next::ChooseAccount)
}

/// Without an association a partner with just-in-time users is asked, once: its access check decides.
fn check_access(request: &AuthorizeRequest, visit: &Visit<'_>, place: &Found<'_>) -> Option<Next> {
    let open = matches!(place.context, ServiceContext::Partner(_)) || place.place.roles.is_some();
    if open {
        return None;
    }
    let ask = place.partner.just_in_time && !has_been_there(visit);
    Some(match (ask, request.prompt.none) {
        (true, false) => go(place),
        (true, true) => INTERACTION,
        (false, _) => NO_ACCESS,
    })
}

fn check_consent(request: &AuthorizeRequest, visit: &Visit<'_>, _: &Found<'_>) -> Option<Next> {
    let asked_for = request.prompt.consent || !visit.to_consent.is_empty();
    if !asked_for || visit.consented {
        return None;
    }
    if request.prompt.none {
        return Some(CONSENT_REQUIRED);
    }
    // Asked again although nothing is new: the person sees everything that the app gets.
    let shown = if visit.to_consent.is_empty() { &request.scopes } else { visit.to_consent };
    Some(Next::Consent(shown.to_vec()))
}
