//! An authorize request goes on: it is answered, sent to the partner, or asks the person something.

use super::authorize::ROUTE;
use super::issued_code::{IssuedCode, NewCode};
use super::refuse::Denial;
use super::remembered::{KnownApp, KnownClient, KnownCode, KnownVisit};
use super::reply::{AskConsent, ChoosePartner, Named, Reply, Step};
use super::session::{Browser, LiveSession};
use super::visit::{Request, Seen, Visited};
use crate::{Fault, Place, Service};
use ::enter::context::ServiceContext;
use ::enter::entry::{Answers, EntryRefused, NextUrl, Nonce, Pending, Waiting};
use ::enter::oidc::authenticate::{Next, Visit, next};
use ::enter::oidc::authorize::{ErrorRedirect, Parameters, code_url, error_url};
use ::enter::oidc::claims::Requested;
use ::enter::session::SessionApp;
use kernel::{Plain, SafeUrl};
use serde_json::json;
use store::{DbError, organizations, partners, pending_requests};

impl Service {
    /// Decides and carries out the next step of a request that has passed its checks.
    pub(super) async fn proceed(&self, request: Request, browser: Browser) -> Result<Reply, Fault> {
        let visited = self.visit(&request, &browser).await?;
        self.proceed_seen(request, visited, None, browser).await
    }

    /// The same with what was found already, and `seen` beside it where that was one statement.
    pub(super) async fn proceed_seen(
        &self,
        request: Request,
        visited: Visited,
        seen: Option<Seen>,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        match self.next_step(&request, &visited) {
            Next::Answer(context) => self.answer(request, visited, seen, context, browser).await,
            Next::GoToPartner { context, .. } => {
                self.go_to_partner(request, visited, &context, browser).await
            }
            Next::ChooseAccount => self.choose_account(request, visited, "", browser).await,
            Next::ChoosePartner => self.choose_partner(&request, browser).await,
            Next::Consent(scopes) => self.ask_consent(request, visited, scopes, browser).await,
            Next::Error(answer) => self.error(request, &visited, &answer, browser).await,
        }
    }

    fn next_step(&self, request: &Request, visited: &Visited) -> Next {
        let requested = Requested::read(request.request.claims.as_ref());
        let to_consent = super::consent::missing(request, &requested, visited);
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
        next(&request.request, &visit)
    }

    /// Grants a request by what is in memory, where all of it is of one revision, and the statement that keeps the code
    /// finds that revision, and the session as its cookie opens it. In every other case nothing has happened, and
    /// everything is read (see [`super::remembered`]).
    pub(super) async fn answer_from_memory(
        &self,
        request: &Request,
        (client, app): (&KnownClient, &KnownApp),
        mut browser: Browser,
    ) -> Result<Result<Reply, Browser>, Fault> {
        let visiting = browser.session.as_ref().zip(request.request.context.clone());
        let Some((cookie, context)) = visiting else { return Ok(Err(browser)) };
        let of = (cookie.hashed(), request.app.id.clone(), context);
        let Some(known) = self.remembered.visit(&of) else { return Ok(Err(browser)) };
        let (revision, now) = (known.revision, self.clock.now());
        let live = known.visited.live.as_ref();
        let live = live.filter(|live| live.session.is_live(now, self.enter.session));
        let is_quiet = live.is_some_and(|live| live.session.touch(now).is_none());
        if let Some(live) = live
            && is_quiet
            && client.is_of(revision)
            && app.is_of(revision)
            && (client.client.disabled, app.app.disabled) == (None, None)
            && let Next::Answer(context) = self.next_step(request, &known.visited)
        {
            let issued = self.issue_code(new_code(request, live, &context));
            if issued.insert_confirmed(&self.db, &of.0, revision).await? {
                let to = answered(request, &issued.code, &mut browser);
                self.remember_code(request, &known.visited, known.entry.clone(), revision, issued);
                return Ok(Ok(Reply { step: Step::Go(to), browser }));
            }
        }
        self.remembered.forget_visit(&of);
        Ok(Err(browser))
    }

    /// Remembers what was granted and by what, for the next request of this browser and for the code.
    fn remember_answer(
        &self,
        request: &Request,
        visited: Visited,
        seen: Seen,
        issued: IssuedCode,
        is_quiet: bool,
    ) {
        let Seen { revision, entry } = seen;
        self.remember_code(request, &visited, entry.clone(), revision, issued);
        let cookie = visited.live.as_ref().map(|live| live.session.secret.clone());
        // A session that was just seen is older in memory than it is.
        if let Some((cookie, context)) = cookie.zip(request.request.context.clone()).filter(|_| is_quiet) {
            let visited = Visited { remembered: None, ..visited };
            let of = (cookie, request.app.id.clone(), context);
            self.remembered.keep_visit(of, KnownVisit { revision, visited, entry });
        }
    }

    fn remember_code(
        &self,
        request: &Request,
        visited: &Visited,
        entry: Option<SessionApp>,
        revision: i64,
        issued: IssuedCode,
    ) {
        let of = (request.place.environment, issued.grant().clone());
        if let Some((code, loaded)) = issued.rests_on(request, visited, entry) {
            self.remembered.keep_code(of, KnownCode { revision, code, loaded });
        }
    }

    async fn answer(
        &self,
        request: Request,
        visited: Visited,
        seen: Option<Seen>,
        context: ServiceContext,
        mut browser: Browser,
    ) -> Result<Reply, Fault> {
        let live = visited.live.as_ref().ok_or_else(|| Fault::broken("a request was answered for nobody"))?;
        let is_quiet = !self.touch(&live.session).await?;
        let issued = self.issue_code(new_code(&request, live, &context));
        if let Some(seen) = seen {
            if !issued.insert_confirmed(&self.db, &live.session.secret, seen.revision).await? {
                // Something has changed since it was read: everything is read and decided once more.
                return Box::pin(self.proceed(request, browser)).await;
            }
            let to = answered(&request, &issued.code, &mut browser);
            self.remember_answer(&request, visited, seen, issued, is_quiet);
            return Ok(Reply { step: Step::Go(to), browser });
        }
        let (nonce, now) = (nonce_of(&request), self.clock.now());
        let code = issued.code.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let first = match nonce {
                    Some(nonce) => pending_requests::finish(tx, &nonce, now).await?,
                    None => true,
                };
                if first {
                    issued.insert(tx).await?;
                }
                Ok::<_, DbError>(first)
            })
        });
        if !write.await? {
            return self.over(&request.place, browser).await;
        }
        let to = answered(&request, &code, &mut browser);
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

/// Where a request that was answered leads, and what the browser keeps of it.
fn answered(request: &Request, code: &Plain, browser: &mut Browser) -> String {
    match &request.waiting {
        Some(waiting) => browser.forgets(&waiting.pending.nonce),
        // Answered without a trip: the app kept what it got before, so nothing goes round.
        None => browser.trips = std::mem::take(&mut browser.trips).arrived(&request.app.id),
    }
    let state = request.request.state.as_deref();
    code_url(&request.request.redirect_uri, state, code.reveal(), request.place.url())
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
