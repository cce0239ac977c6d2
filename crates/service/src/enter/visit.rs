//! Everything that is known when an authorize request is decided: read by one statement, or in one unit of work where the
//! request has waited or its app is new to this process. What can be granted from memory does not come here (see [`super::remembered`]).

use super::session::{Browser, LiveSession, live};
use crate::{Fault, Place, Service};
use ::enter::account::Account;
use ::enter::app::App;
use ::enter::context::ServiceContext;
use ::enter::entry::{Answers, Waiting};
use ::enter::oidc::Client;
use ::enter::oidc::authorize::AuthorizeRequest;
use ::enter::oidc::consent::Consent;
use ::enter::partner::Partner;
use ::enter::session::SessionApp;
use ::enter::{ids::PersonId, oidc::authenticate};
use kernel::{Environment, Plain};
use std::sync::Arc;
use store::visits::{self, Wanted};
use store::{DbError, Tx, accounts, activations, associations, consents, partners};

/// An authorize request that has passed its checks, on its way.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) place: Place,
    pub(super) app: Arc<App>,
    pub(super) client: Arc<Client>,
    pub(super) request: AuthorizeRequest,
    /// Its parameters as they came, or as they were pushed.
    pub(super) query: String,
    /// `id_token_hint`, judged.
    pub(super) hint: authenticate::Hint,
    /// Set where it waited in this browser.
    pub(super) waiting: Option<Waiting>,
}

/// The account or partner that a context names, as it was found.
#[derive(Debug, Clone)]
pub(super) struct FoundPlace {
    pub(super) context: ServiceContext,
    pub(super) partner: Option<Arc<Partner>>,
    pub(super) account: Option<Account>,
    pub(super) roles: Option<Vec<String>>,
    pub(super) active: bool,
}

impl FoundPlace {
    pub(super) fn as_rule(&self) -> authenticate::Place<'_> {
        authenticate::Place {
            context: &self.context,
            partner: self.partner.as_deref(),
            account: self.account.as_ref(),
            roles: self.roles.as_deref(),
            active: self.active,
        }
    }
}

/// What was found for a request in one browser.
#[derive(Debug, Clone)]
pub(super) struct Visited {
    pub(super) live: Option<LiveSession>,
    pub(super) place: Option<FoundPlace>,
    /// What the live person answered on our pages for this request.
    pub(super) answers: Answers,
    /// What the live person consented to before.
    pub(super) remembered: Option<Consent>,
}

/// What was read in the same statement and is remembered with it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// See [`store::revision`].
    pub(super) revision: i64,
    /// What the session's entry for the app said.
    pub(super) entry: Option<SessionApp>,
}

/// Looks a context up, for `person` where somebody is signed in.
pub(super) async fn find_place(
    tx: &mut Tx,
    environment: Environment,
    app: &App,
    context: ServiceContext,
    person: Option<&PersonId>,
) -> Result<FoundPlace, DbError> {
    let mut found =
        FoundPlace { context, partner: None, account: None, roles: None, active: app.open_to_all };
    match &found.context {
        ServiceContext::SuperAdmin => {}
        ServiceContext::Partner(id) => {
            found.partner = partners::find(tx, environment, id).await?.map(Arc::new);
        }
        ServiceContext::Account(id) => {
            let account = accounts::find(tx, environment, id).await?;
            let Some(account) = account else { return Ok(found) };
            found.partner = partners::find(tx, environment, &account.partner).await?.map(Arc::new);
            if !found.active {
                found.active = activations::is_active(tx, &app.id, id).await?;
            }
            if let Some(person) = person {
                found.roles = associations::find(tx, person, id).await?.map(|association| association.roles);
            }
            found.account = Some(account);
        }
    }
    Ok(found)
}

impl Service {
    /// The same by one statement, for a request that has not waited; `None` where the client or the app that it was
    /// checked against is not the present one any more, or is switched off.
    pub(super) async fn visit_at_once(
        &self,
        request: &Request,
        (client, app): (i64, i64),
        browser: &Browser,
    ) -> Result<Option<(Visited, Seen)>, Fault> {
        let secret = browser.session.as_ref().map(Plain::hashed);
        let environment = request.place.environment;
        let context = &request.request.context;
        let wanted = Wanted {
            client: &request.client.id,
            session: secret.as_ref(),
            account: context.as_ref().and_then(ServiceContext::account),
            partner: context.as_ref().and_then(ServiceContext::partner),
        };
        let Some(found) = visits::find(&self.db, environment, wanted).await? else { return Ok(None) };
        let off = found.client.disabled.or(found.app.disabled).is_some();
        if off || (found.client.version, found.app.version) != (client, app) {
            return Ok(None);
        }
        let at = found.revision;
        // That they are the present ones was just read.
        self.client_at(environment, &found.client, at).await?;
        self.app_at(environment, &found.app, at).await?;
        let live = self.live_of(environment, found.session, found.person, found.partner).await?;
        let somebody = live.is_some();
        let place = match context.clone() {
            None => None,
            Some(context) => Some(FoundPlace {
                context,
                partner: match &found.place {
                    Some(partner) => self.partner_at(environment, partner).await?,
                    None => None,
                },
                roles: found.roles.filter(|_| somebody),
                active: request.app.open_to_all || found.activated,
                account: found.account,
            }),
        };
        let remembered = found.consent.filter(|_| somebody);
        let seen = Seen { revision: at, entry: found.entry.filter(|_| somebody) };
        Ok(Some((Visited { live, place, answers: Answers::default(), remembered }, seen)))
    }

    pub(super) async fn visit(&self, request: &Request, browser: &Browser) -> Result<Visited, Fault> {
        let secret = browser.session.as_ref().map(Plain::hashed);
        let (environment, limits, now) = (request.place.environment, self.enter.session, self.clock.now());
        let (app, client) = (request.app.clone(), request.client.id.clone());
        let (waiting, wanted) = (request.waiting.clone(), request.request.context.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let live = match &secret {
                    Some(secret) => live(tx, environment, secret, limits, now).await?,
                    None => None,
                };
                let person = live.as_ref().map(|live| &live.person.id);
                let answers = waiting.map(|waiting| waiting.answers.of(person)).unwrap_or_default();
                let context = answers.context.clone().or(wanted);
                let place = match context {
                    Some(context) => Some(find_place(tx, environment, &app, context, person).await?),
                    None => None,
                };
                let remembered = match person {
                    Some(person) => consents::find(tx, person, &client).await?,
                    None => None,
                };
                Ok::<_, DbError>(Visited { live, place, answers, remembered })
            })
        });
        Ok(read.await?)
    }
}
