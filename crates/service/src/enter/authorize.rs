//! The authorize request: its parameters, its client, its checks. What follows is [`super::proceed`]'s.

use super::refuse::Denial;
use super::reply::{Reply, Step};
use super::session::Browser;
use super::visit::Request;
use crate::{Fault, Place, Service};
use ::enter::app::App;
use ::enter::entry::Waiting;
use ::enter::ids::ClientId;
use ::enter::oidc::Client;
use ::enter::oidc::authorize::{AuthorizeRefused, LocalRefusal, Parameters, check, error_url};
use ::enter::oidc::par::reference;
use serde_json::json;
use std::sync::Arc;
use store::pushed_requests;
use store::standings;
use store::{DbError, clients, revision};

/// As refusals name it.
pub(super) const ROUTE: &str = "/oauth2/auth";

/// The stable code of a refusal that ends on our own page.
pub const fn local_code(refusal: LocalRefusal) -> &'static str {
    match refusal {
        LocalRefusal::Parameters => "request_parameters",
        LocalRefusal::Client => "client_unknown",
        LocalRefusal::ClientDisabled => "client_disabled",
        LocalRefusal::RedirectUri => "redirect_uri_unknown",
        LocalRefusal::RequestUri => "request_uri_unknown",
    }
}

impl Service {
    /// Answers an authorize request: `parameters` is the query, or the body of a form.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn authorize(&self, place: &Place, parameters: &str, browser: Browser) -> Result<Reply, Fault> {
        let Ok(parameters) = Parameters::parse(parameters) else {
            return self.refuse_locally(place, LocalRefusal::Parameters, None, browser).await;
        };
        match self.unpacked(place, parameters).await? {
            Ok(parameters) => self.check_and_proceed(place, &parameters, None, browser).await,
            Err(refusal) => self.refuse_locally(place, refusal, None, browser).await,
        }
    }

    /// Checks the parameters and goes on; `waiting` is the record of a request that was here before.
    pub(super) async fn check_and_proceed(
        &self,
        place: &Place,
        parameters: &Parameters,
        waiting: Option<Waiting>,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        let browser = match waiting {
            Some(_) => browser,
            None => match self.proceed_at_once(place, parameters, browser).await? {
                Ok(reply) => return Ok(reply),
                Err(browser) => browser,
            },
        };
        let found = self.client_of(place, parameters).await?;
        let (client, app) = found.unzip();
        match (check(parameters, client.as_deref()), client, app) {
            (Ok(request), Some(client), Some(app)) => {
                let hint = self.judge_hint(place, parameters.get("id_token_hint"), &client).await?;
                let (place, query) = (place.clone(), parameters.query());
                let request = Request { place, app, client, request, query, hint, waiting };
                self.proceed(request, browser).await
            }
            (Err(AuthorizeRefused::Redirect { redirect_uri, state, answer }), ..) => {
                let to = error_url(&redirect_uri, state.as_deref(), &answer, place.url());
                Ok(Reply { step: Step::Go(to), browser })
            }
            (Err(AuthorizeRefused::Local(refusal)), _, app) => {
                let seen =
                    parameters.get("redirect_uri").map(|uri| uri.chars().take(300).collect::<String>());
                let about = app.map(|app| (app, seen));
                self.refuse_locally(place, refusal, about, browser).await
            }
            (Ok(_), ..) => Err(Fault::broken("a request was accepted without a client")),
        }
    }

    /// Goes on with the client and the app that are in memory, where they are the present ones and all is well. In any
    /// other case it says so, and everything is read.
    async fn proceed_at_once(
        &self,
        place: &Place,
        parameters: &Parameters,
        browser: Browser,
    ) -> Result<Result<Reply, Browser>, Fault> {
        let id = parameters.get("client_id").and_then(|id| ClientId::parse(id).ok());
        let known = id.and_then(|id| self.client_in_memory(place.environment, &id));
        let app = known.as_ref().and_then(|known| self.app_in_memory(&known.client.app));
        let (Some(client), Some(app)) = (known, app) else { return Ok(Err(browser)) };
        let Ok(request) = check(parameters, Some(&client.client)) else { return Ok(Err(browser)) };
        let hint = self.judge_hint(place, parameters.get("id_token_hint"), &client.client).await?;
        let (place, query) = (place.clone(), parameters.query());
        let request = Request {
            place,
            app: Arc::clone(&app.app),
            client: Arc::clone(&client.client),
            request,
            query,
            hint,
            waiting: None,
        };
        let browser = match self.answer_from_memory(&request, (&client, &app), browser).await? {
            Ok(reply) => return Ok(Ok(reply)),
            Err(browser) => browser,
        };
        match self.visit_at_once(&request, (client.version, app.version), &browser).await? {
            Some((visited, seen)) => self.proceed_seen(request, visited, Some(seen), browser).await.map(Ok),
            None => Ok(Err(browser)),
        }
    }

    async fn client_of(
        &self,
        place: &Place,
        parameters: &Parameters,
    ) -> Result<Option<(Arc<Client>, Arc<App>)>, Fault> {
        let id = parameters.get("client_id").and_then(|id| ClientId::parse(id).ok());
        let Some(id) = id else { return Ok(None) };
        self.client_and_app(place, &id).await
    }

    /// A client with its app. A client of an app that is switched off counts as switched off.
    pub(super) async fn client_and_app(
        &self,
        place: &Place,
        id: &ClientId,
    ) -> Result<Option<(Arc<Client>, Arc<App>)>, Fault> {
        let (environment, wanted) = (place.environment, id.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let at = revision::read(tx).await?;
                Ok::<_, DbError>((at, standings::of_client(tx, environment, &wanted).await?))
            })
        });
        let (at, found) = read.await?;
        let Some((client, app)) = found else { return Ok(None) };
        let client = self.client_at(environment, &client, at).await?;
        let app = self.app_at(environment, &app, at).await?;
        Ok(client.zip(app).map(|(client, app)| match (client.disabled, app.disabled) {
            (None, Some(_)) => (Arc::new(Client { disabled: app.disabled, ..(*client).clone() }), app),
            _ => (client, app),
        }))
    }

    /// What was pushed, in the place of a `request_uri` of ours (RFC 9126).
    ///
    /// Decision: it is used up before anything is decided. Attack: a request that was pushed once is sent again
    /// with `prompt=none`, and again, without its client's knowledge.
    async fn unpacked(
        &self,
        place: &Place,
        outer: Parameters,
    ) -> Result<Result<Parameters, LocalRefusal>, Fault> {
        let Some(hash) = reference(&outer) else { return Ok(Ok(outer)) };
        let (now, environment) = (self.clock.now(), place.environment);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let Some(row) = pushed_requests::by_hash(tx, &hash).await? else { return Ok(None) };
                // A request of the other environment is none of this issuer's.
                if clients::find(tx, environment, &row.client, now).await?.is_none() {
                    return Ok(None);
                }
                let Ok((parameters, _)) = row.replace(&outer, now) else { return Ok(None) };
                let first = pushed_requests::mark_used(tx, &hash, now).await?;
                Ok::<_, DbError>(first.then_some(parameters))
            })
        });
        Ok(write.await?.ok_or(LocalRefusal::RequestUri))
    }

    async fn refuse_locally(
        &self,
        place: &Place,
        refusal: LocalRefusal,
        about: Option<(Arc<App>, Option<String>)>,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        let mut denial = Denial::new(local_code(refusal), 400, refusal.to_string());
        if let Some((app, redirect_uri)) = about {
            denial = denial.of(&app.organization);
            denial = denial.seen(json!({ "app": app.id.as_str(), "redirect_uri": redirect_uri }));
        }
        self.denied(place, ROUTE, denial, browser).await
    }

    /// A page that says no, recorded.
    pub(super) async fn denied(
        &self,
        place: &Place,
        route: &str,
        denial: Denial,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        let denied = self.deny(denial, place.environment, route).await;
        Ok(Reply { step: Step::Denied(Box::new(denied)), browser })
    }
}
