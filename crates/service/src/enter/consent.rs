//! What people allow apps of other companies, and how they take it back.

use super::reply::Reply;
use super::session::{Browser, LiveSession};
use super::visit::{Request, Visited};
use crate::{Fault, Place, Service};
use ::enter::entry::{Answers, Nonce, Waiting};
use ::enter::ids::{ClientId, PersonId};
use ::enter::oidc::authenticate::Hint;
use ::enter::oidc::authorize::{ErrorRedirect, Parameters};
use ::enter::oidc::claims::Requested;
use ::enter::oidc::consent::{Consent, missing as still_missing, remember};
use ::enter::oidc::{Client, TokenKind};
use kernel::Time;
use serde_json::Value;
use store::{DbError, apps, clients, consents, grants, pending_requests};

/// The scopes to which the person must still consent.
pub(super) fn missing(request: &Request, requested: &Requested, visited: &Visited) -> Vec<String> {
    let remembered = visited.remembered.as_ref();
    still_missing(&request.request, requested, &request.app, &request.client, remembered)
}

/// One consent as its person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    pub client: ClientId,
    /// The app's name.
    pub app: String,
    pub scopes: Vec<String>,
    pub given: Time,
}

impl Service {
    /// Whom an `id_token_hint` names. Its `exp` does not count: a hint is shown long after.
    pub(super) async fn judge_hint(
        &self,
        place: &Place,
        text: Option<&str>,
        client: &Client,
    ) -> Result<Hint, Fault> {
        let Some(text) = text else { return Ok(Hint::None) };
        let typ = TokenKind::IdToken.header_type().unwrap_or_default();
        let claims = self.own_token(place.environment, text, typ).await?;
        let Some(claims) = claims else { return Ok(Hint::Unproven) };
        let named = |name: &str| claims.get(name).and_then(Value::as_str);
        let person = named("sub").and_then(|id| PersonId::parse(id).ok());
        Ok(match person.filter(|_| named("aud") == Some(client.id.as_str())) {
            Some(person) => Hint::Person(person),
            None => Hint::Unproven,
        })
    }

    /// The person's answer on the consent page.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn answer_consent(
        &self,
        place: &Place,
        nonce: &Nonce,
        allowed: bool,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        let (live, request) = match Box::pin(self.answering(place, nonce, browser)).await? {
            Ok(answering) => answering,
            Err(reply) => return Ok(*reply),
        };
        let (request, browser) = *request;
        let visited = self.visit(&request, &browser).await?;
        if !allowed {
            let answer = ErrorRedirect { error: "access_denied", description: "the person did not allow it" };
            return self.error(request, &visited, &answer, browser).await;
        }
        let requested = Requested::read(request.request.claims.as_ref());
        let scopes = missing(&request, &requested, &visited);
        let (before, now) = (visited.remembered, self.clock.now());
        let given = remember(&live.session, &request.client, &scopes, before, now);
        let answers = Answers { consented: true, ..visited.answers };
        let (person, nonce) = (live.person.id.clone(), nonce.clone());
        let kept = nonce.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if let Some(given) = &given {
                    consents::upsert(tx, given).await?;
                }
                pending_requests::answer(tx, &kept, &person, &answers).await
            })
        });
        write.await.map_err(|error: DbError| Fault::from(error))?;
        Box::pin(self.go_on(place, &nonce, browser)).await
    }

    /// The waiting request that an answer on one of our pages is for, and who answers; a reply where there is none.
    pub(super) async fn answering(
        &self,
        place: &Place,
        nonce: &Nonce,
        browser: Browser,
    ) -> Result<Result<(LiveSession, Box<(Request, Browser)>), Box<Reply>>, Fault> {
        if !browser.waiting.contains(nonce) {
            return Box::pin(self.go_on(place, nonce, browser)).await.map(|reply| Err(Box::new(reply)));
        }
        let live = self.live_session(place, &browser).await?;
        let (environment, wanted) = (place.environment, nonce.clone());
        let read = self
            .db
            .read(move |tx| Box::pin(async move { pending_requests::find(tx, environment, &wanted).await }));
        let found: Option<Waiting> = read.await.map_err(Fault::from)?;
        let open = found.filter(|waiting| waiting.is_open(self.clock.now()));
        let (Some(live), Some(waiting)) = (live, open) else {
            return self.over(place, browser).await.map(|reply| Err(Box::new(reply)));
        };
        let parameters = Parameters::parse(&waiting.pending.query);
        let found = self.client_and_app(place, &waiting.pending.client).await?;
        let (Ok(parameters), Some((client, app))) = (parameters, found) else {
            return self.over(place, browser).await.map(|reply| Err(Box::new(reply)));
        };
        let Ok(request) = ::enter::oidc::authorize::check(&parameters, Some(&client)) else {
            // What was registered has changed meanwhile: the answer is that of the request itself.
            return Box::pin(self.go_on(place, nonce, browser)).await.map(|reply| Err(Box::new(reply)));
        };
        let hint = self.judge_hint(place, parameters.get("id_token_hint"), &client).await?;
        let (place, query) = (place.clone(), parameters.query());
        let request = Request { place, app, client, request, query, hint, waiting: Some(waiting) };
        Ok(Ok((live, Box::new((request, browser)))))
    }

    /// What this browser's person has allowed; `None` without a session.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn allowed(
        &self,
        place: &Place,
        browser: &Browser,
    ) -> Result<Option<(LiveSession, Vec<Allowed>)>, Fault> {
        let Some(live) = self.live_session(place, browser).await? else { return Ok(None) };
        let (person, environment, now) = (live.person.id.clone(), place.environment, self.clock.now());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let mut list = Vec::new();
                for Consent { client, scopes, given, .. } in consents::of_person(tx, &person).await? {
                    let Some(found) = clients::find(tx, environment, &client, now).await? else { continue };
                    let Some(app) = apps::find(tx, environment, &found.app).await? else { continue };
                    list.push(Allowed { client, app: app.name, scopes, given });
                }
                Ok::<_, DbError>(list)
            })
        });
        Ok(Some((live, read.await?)))
    }

    /// Takes a consent back. What the app holds because of it ends at once.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn take_consent_back(&self, live: &LiveSession, client: &ClientId) -> Result<bool, Fault> {
        let (person, client, now) = (live.person.id.clone(), client.clone(), self.clock.now());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let removed = consents::remove(tx, &person, &client).await?;
                if removed {
                    grants::revoke_of_person(tx, &person, &client, now).await?;
                }
                Ok::<_, DbError>(removed)
            })
        });
        Ok(write.await?)
    }
}
