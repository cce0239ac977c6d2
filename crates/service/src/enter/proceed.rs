//! An authorize request goes on: it is answered, sent to the partner, or asks the person something.

use super::authorize::ROUTE;
use super::grant::NewCode;
use super::refuse::Denial;
use super::reply::{AskConsent, ChoosePartner, Named, Reply, Step};
use super::session::{Browser, LiveSession};
use super::visit::{Request, Visited};
use crate::{Fault, Place, Service};
use ::enter::context::ServiceContext;
use ::enter::entry::{Answers, EntryRefused, NextUrl, Nonce, Pending, Waiting};
use ::enter::oidc::authenticate::{Next, Visit, next};
use ::enter::oidc::authorize::{ErrorRedirect, Parameters, code_url, error_url};
use ::enter::oidc::claims::Requested;
use kernel::SafeUrl;
use serde_json::json;
use store::{DbError, organizations, partners, pending_requests};

impl Service {
    /// Decides and carries out the next step of a request that has passed its checks.
    pub(super) async fn proceed(&self, request: Request, browser: Browser) -> Result<Reply, Fault> {
        let visited = self.visit(&request, &browser).await?;
        self.proceed_with(request, visited, browser).await
    }

    /// The same with what was found already.
    pub(super) async fn proceed_with(
        &self,
        request: Request,
        visited: Visited,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        let requested = Requested::read(request.request.claims.as_ref());
        let to_consent = super::consent::missing(&request, &requested, &visited);
        let visit = Visit {
            live: visited.live.as_ref().map(|live| (&live.session, &live.person)),
            place: visited.place.as_ref().map(super::visit::FoundPlace::as_rule),
            chosen: visited.answers.context.is_some(),
            sent_to_partner: request.waiting.as_ref().and_then(|waiting| waiting.sent),
            hint: &request.hint,
            requested: &requested,
            to_consent: &to_consent,
            consented: visited.answers.consented,
            now: self.clock.now(),
        };
        match next(&request.request, &visit) {
            Next::Answer(context) => self.answer(request, visited, context, browser).await,
            Next::GoToPartner { context, .. } => {
                self.go_to_partner(request, visited, &context, browser).await
            }
            Next::ChooseAccount => self.choose_account(request, visited, "", browser).await,
            Next::ChoosePartner => self.choose_partner(&request, browser).await,
            Next::Consent(scopes) => self.ask_consent(request, visited, scopes, browser).await,
            Next::Error(answer) => self.error(request, &visited, &answer, browser).await,
        }
    }

    async fn answer(
        &self,
        request: Request,
        visited: Visited,
        context: ServiceContext,
        mut browser: Browser,
    ) -> Result<Reply, Fault> {
        let live = visited.live.ok_or_else(|| Fault::broken("a request was answered for nobody"))?;
        self.touch(&live.session).await?;
        let issued = self.issue_code(new_code(&request, &live, &context));
        let (nonce, now, code) = (nonce_of(&request), self.clock.now(), issued.code.clone());
        let first = match nonce {
            None => issued.insert_alone(&self.db).await.map(|()| true)?,
            Some(nonce) => {
                let write = self.db.write(move |tx| {
                    Box::pin(async move {
                        let first = pending_requests::finish(tx, &nonce, now).await?;
                        if first {
                            issued.insert(tx).await?;
                        }
                        Ok::<_, DbError>(first)
                    })
                });
                write.await?
            }
        };
        if !first {
            return self.over(&request.place, browser).await;
        }
        match &request.waiting {
            Some(waiting) => browser.forgets(&waiting.pending.nonce),
            // Answered without a trip: the app kept what it got before, so nothing goes round.
            None => browser.trips = std::mem::take(&mut browser.trips).arrived(&request.app.id),
        }
        let state = request.request.state.as_deref();
        let to = code_url(&request.request.redirect_uri, state, code.reveal(), request.place.url());
        Ok(Reply { step: Step::Go(to), browser })
    }

    /// Back to the app with an error. What concerns access is written down for the partner's engineer as well.
    pub(super) async fn error(
        &self,
        request: Request,
        visited: &Visited,
        answer: &ErrorRedirect,
        mut browser: Browser,
    ) -> Result<Reply, Fault> {
        if answer.error == "access_denied" {
            let place = visited.place.as_ref();
            let partner = place.and_then(|place| place.partner.as_ref());
            let owner = partner.map_or(&request.app.organization, |partner| &partner.organization);
            let context = place.map(|place| place.context.json());
            let user = visited.live.as_ref().map(|live| live.person.id.as_str());
            let seen = json!({ "app": request.app.id.as_str(), "context": context, "user": user });
            let denial = Denial::new("access_denied", 303, answer.description).of(owner).seen(seen);
            self.deny(denial, request.place.environment, ROUTE).await;
        }
        if let Some(nonce) = nonce_of(&request) {
            let (now, done) = (self.clock.now(), nonce.clone());
            let write = self
                .db
                .write(move |tx| Box::pin(async move { pending_requests::finish(tx, &done, now).await }));
            write.await?;
            browser.forgets(&nonce);
        }
        let state = request.request.state.as_deref();
        let to = error_url(&request.request.redirect_uri, state, answer, request.place.url());
        Ok(Reply { step: Step::Go(to), browser })
    }

    async fn go_to_partner(
        &self,
        request: Request,
        visited: Visited,
        context: &ServiceContext,
        mut browser: Browser,
    ) -> Result<Reply, Fault> {
        let partner = visited.place.and_then(|place| place.partner);
        let partner = partner.ok_or_else(|| Fault::broken("a trip to no partner"))?;
        let now = self.clock.now();
        let trips = std::mem::take(&mut browser.trips);
        match trips.another(&request.app.id, now) {
            Ok(trips) => browser.trips = trips,
            Err(refused) => {
                let denial = loop_denial(refused, &partner.organization, request.app.id.as_str());
                return self.denied(&request.place, ROUTE, denial, browser).await;
            }
        }
        let nonce = self.wait(&request, Some(now), &mut browser).await?;
        let Some(nonce) = nonce else { return self.over(&request.place, browser).await };
        let ours = NextUrl::for_pending(&issuer(&request.place)?, &nonce);
        let to = partner.transfer.for_entry(&request.app.id, context, Some(&ours));
        Ok(Reply { step: Step::Go(to), browser })
    }

    /// Keeps the request in the browser; `sent` where it goes to the partner. `None` where it is over.
    pub(super) async fn wait(
        &self,
        request: &Request,
        sent: Option<kernel::Time>,
        browser: &mut Browser,
    ) -> Result<Option<Nonce>, Fault> {
        let now = self.clock.now();
        let known = nonce_of(request);
        let nonce = known.clone().unwrap_or_else(|| Nonce::new(&*self.chance));
        browser.waits_for(&nonce);
        let (kept, environment) = (nonce.clone(), request.place.environment);
        let fresh = Waiting {
            pending: Pending {
                nonce: nonce.clone(),
                app: request.app.id.clone(),
                client: request.client.id.clone(),
                query: request.query.clone(),
                since: now,
            },
            sent,
            answers: Answers::default(),
            done: None,
        };
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                match (known.is_some(), sent) {
                    (false, _) => pending_requests::insert(tx, environment, &fresh).await.map(|()| true),
                    (true, Some(at)) => pending_requests::send(tx, &kept, at).await,
                    (true, None) => Ok::<_, DbError>(true),
                }
            })
        });
        Ok(write.await?.then_some(nonce))
    }

    async fn choose_partner(&self, request: &Request, browser: Browser) -> Result<Reply, Fault> {
        let (environment, ids) = (request.place.environment, browser.recent.ids().to_vec());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let mut names = Vec::new();
                for id in &ids {
                    let partner = partners::find(tx, environment, id).await?;
                    names.extend(partner.filter(|it| it.disabled.is_none()).map(|partner| partner.name));
                }
                Ok::<_, DbError>(names)
            })
        });
        let step =
            Step::ChoosePartner(ChoosePartner { app: request.app.name.clone(), partners: read.await? });
        Ok(Reply { step, browser })
    }

    async fn ask_consent(
        &self,
        request: Request,
        visited: Visited,
        scopes: Vec<String>,
        mut browser: Browser,
    ) -> Result<Reply, Fault> {
        let live = visited.live.ok_or_else(|| Fault::broken("nobody is asked for consent"))?;
        let Some(nonce) = self.wait(&request, None, &mut browser).await? else {
            return self.over(&request.place, browser).await;
        };
        let vendor = request.app.organization.clone();
        let read = self.db.read(move |tx| Box::pin(async move { organizations::by_id(tx, &vendor).await }));
        let vendor: Option<organizations::OrganizationRecord> = read.await.map_err(Fault::from)?;
        let ask = AskConsent {
            nonce,
            app: request.app.name.clone(),
            vendor: vendor.map(|record| record.organization.name).unwrap_or_default(),
            person: Named::of(&live.person),
            account: visited.place.and_then(|place| place.account).map(|account| account.name),
            scopes,
        };
        Ok(Reply { step: Step::Consent(ask), browser })
    }

    /// A waiting request of this browser goes on.
    ///
    /// Decision (lesson 20): the nonce must be in the browser's own cookie. Attack: a continuation address that was
    /// sent to somebody finishes the sender's request with the receiver's session.
    pub(super) async fn go_on(&self, place: &Place, nonce: &Nonce, browser: Browser) -> Result<Reply, Fault> {
        if !browser.waiting.contains(nonce) {
            let text = "the request was begun in another browser, or too long ago";
            return self.denied(place, ROUTE, Denial::new("other_browser", 403, text), browser).await;
        }
        let (environment, wanted) = (place.environment, nonce.clone());
        let read = self
            .db
            .read(move |tx| Box::pin(async move { pending_requests::find(tx, environment, &wanted).await }));
        let found: Option<Waiting> = read.await.map_err(Fault::from)?;
        let Some(waiting) = found.filter(|waiting| waiting.is_open(self.clock.now())) else {
            return self.over(place, browser).await;
        };
        let Ok(parameters) = Parameters::parse(&waiting.pending.query) else {
            return Err(Fault::broken("a waiting request cannot be read"));
        };
        self.check_and_proceed(place, &parameters, Some(waiting), browser).await
    }

    pub(super) async fn over(&self, place: &Place, browser: Browser) -> Result<Reply, Fault> {
        let text = "the request went on already, or has waited for more than 15 minutes";
        self.denied(place, ROUTE, Denial::new("request_over", 410, text), browser).await
    }
}

fn nonce_of(request: &Request) -> Option<Nonce> {
    request.waiting.as_ref().map(|waiting| waiting.pending.nonce.clone())
}

/// The place's URL as the rules take it.
pub(super) fn issuer(place: &Place) -> Result<SafeUrl, Fault> {
    SafeUrl::parse(place.url()).map_err(|why| Fault::broken(format!("the public URL: {why}")))
}

pub(super) fn loop_denial(
    refused: EntryRefused,
    organization: &kernel::ids::OrganizationId,
    app: &str,
) -> Denial {
    let text = "the session-transfer endpoint, or the app, keeps sending this browser back without a session; it was \
                stopped after 5 trips within 60 seconds";
    Denial::new(refused.code(), refused.status(), text).of(organization).seen(json!({ "app": app }))
}

fn new_code(request: &Request, live: &LiveSession, context: &ServiceContext) -> NewCode {
    let account = match context {
        ServiceContext::Account(account) => Some(account.clone()),
        ServiceContext::Partner(_) | ServiceContext::SuperAdmin => None,
    };
    NewCode {
        client: request.client.id.clone(),
        person: live.person.id.clone(),
        session: live.session.id.clone(),
        session_expires: live.session.expires,
        account,
        scopes: request.request.scopes.clone(),
        claims: request.request.claims.clone(),
        redirect_uri: request.request.redirect_uri.clone(),
        challenge: request.request.challenge.clone(),
        nonce: request.request.nonce.clone(),
    }
}
