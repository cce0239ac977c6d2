//! `/oauth2/logout`: an app, or the person, ends this browser's session (OpenID Connect RP-Initiated Logout).

use super::refuse::Denial;
use super::reply::{Named, Reply};
use super::session::{Browser, LiveSession};
use crate::{Fault, Place, Service};
use ::enter::app::App;
use ::enter::ids::{AppId, ClientId, PersonId, SessionId};
use ::enter::oidc::authorize::Parameters;
use ::enter::oidc::{LogoutAnswer, LogoutHint, LogoutRequest, TokenKind, judge_logout};
use ::enter::percent;
use serde_json::Value;
use store::apps;
use store::logout_notices::Ending;

/// As refusals name it.
const ROUTE: &str = "/oauth2/logout";

/// What a request to log out leads to.
#[derive(Debug)]
pub enum LoggedOut {
    /// The session is over. `then` is the address that the app wanted, its own.
    Done {
        then: Option<String>,
        browser: Browser,
    },
    /// The person is asked; the same parameters come back with the answer.
    Ask {
        person: Named,
        app: Option<String>,
        query: String,
    },
    Denied(Box<Reply>),
}

/// An app that sent the browser here by an address of ours.
struct ByApp {
    name: String,
    next: Option<String>,
}

impl Service {
    /// Decides, and carries it out unless the person has to be asked. `agreed`: the person has answered on our page.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn log_out_here(
        &self,
        place: &Place,
        query: &str,
        agreed: bool,
        browser: Browser,
    ) -> Result<LoggedOut, Fault> {
        let Ok(parameters) = Parameters::parse(query) else {
            return self.no_logout(place, "a parameter stands twice, or there are too many", browser).await;
        };
        let hint = match parameters.get("id_token_hint") {
            Some(text) => match self.logout_hint(place, text).await? {
                Some(hint) => Some(hint),
                None => return self.no_logout(place, "id_token_hint is no ID token of ours", browser).await,
            },
            None => None,
        };
        let client_id = parameters.get("client_id");
        let named = client_id.and_then(|id| ClientId::parse(id).ok());
        let named = hint.as_ref().map(|hint| hint.client.clone()).or(named);
        let found = match &named {
            Some(id) => self.client_and_app(place, id).await?,
            None => None,
        };
        let by_app = match self.wanted_by_app(place, &parameters).await? {
            Ok(by_app) => by_app,
            Err(text) => return self.no_logout(place, text, browser).await,
        };
        let live = self.live_session(place, &browser).await?;
        let (hint, post_logout_redirect_uri) = (hint.as_ref(), parameters.get("post_logout_redirect_uri"));
        let request = LogoutRequest { hint, client_id, post_logout_redirect_uri };
        let here = live.as_ref().map(|live| (&live.session.id, &live.person.id));
        let (client, app) = found.unzip();
        let (name, next) = by_app.map(|by_app| (by_app.name, by_app.next)).unzip();
        match (judge_logout(&request, client.as_deref(), here), live) {
            (LogoutAnswer::Refuse(text), _) => self.no_logout(place, text, browser).await,
            (LogoutAnswer::Ask { .. }, Some(live)) if !agreed => Ok(LoggedOut::Ask {
                person: Named::of(&live.person),
                app: app.map(|app| app.name.clone()).or(name),
                query: parameters.query(),
            }),
            (LogoutAnswer::End { then } | LogoutAnswer::Ask { then }, live) => {
                let browser = self.end_here(place, live, browser).await?;
                let then = then.map(|to| with_state(&to, parameters.get("state")));
                Ok(LoggedOut::Done { then: then.or(next.flatten()), browser })
            }
        }
    }

    /// What an address of `ServiceProvider.GetLogoutURL` says: for which app, and where at the app to go afterwards. It
    /// may have been changed on the way, so that it is judged as it was when it was made (lesson 25).
    async fn wanted_by_app(
        &self,
        place: &Place,
        parameters: &Parameters,
    ) -> Result<Result<Option<ByApp>, &'static str>, Fault> {
        let Some(id) = parameters.get("serviceProviderId") else { return Ok(Ok(None)) };
        let Ok(id) = AppId::parse(id) else { return Ok(Err("serviceProviderId is malformed")) };
        let environment = place.environment;
        let read = self.db.read(move |tx| Box::pin(async move { apps::find(tx, environment, &id).await }));
        let found: Option<App> = read.await?;
        let Some(app) = found else { return Ok(Err("there is no app of this serviceProviderId")) };
        let next = parameters.get("nextUrl").filter(|next| !next.is_empty());
        let Ok(next) = next.map(|next| app.own_url(next)).transpose() else {
            return Ok(Err("nextUrl does not lead to the app"));
        };
        Ok(Ok(Some(ByApp { name: app.name, next: next.map(|next| next.as_str().to_owned()) })))
    }

    async fn end_here(
        &self,
        place: &Place,
        live: Option<LiveSession>,
        mut browser: Browser,
    ) -> Result<Browser, Fault> {
        if let Some(live) = live {
            self.end_sessions(place.environment, Ending::One(live.session.id)).await?;
        }
        browser.session = None;
        Ok(browser)
    }

    async fn logout_hint(&self, place: &Place, text: &str) -> Result<Option<LogoutHint>, Fault> {
        let typ = TokenKind::IdToken.header_type().unwrap_or_default();
        let Some(claims) = self.own_token(place.environment, text, typ).await? else { return Ok(None) };
        let named = |name: &str| claims.get(name).and_then(Value::as_str);
        let client = named("aud").and_then(|id| ClientId::parse(id).ok());
        let person = named("sub").and_then(|id| PersonId::parse(id).ok());
        let session = named("sid").and_then(|id| SessionId::parse(id).ok());
        Ok(client.zip(person).map(|(client, person)| LogoutHint { client, person, session }))
    }

    async fn no_logout(&self, place: &Place, text: &str, browser: Browser) -> Result<LoggedOut, Fault> {
        let denial = Denial::new("logout_refused", 400, text);
        let reply = self.denied(place, ROUTE, denial, browser).await?;
        Ok(LoggedOut::Denied(Box::new(reply)))
    }
}

/// The app's address as it was registered, with its `state`.
fn with_state(to: &str, state: Option<&str>) -> String {
    let Some(state) = state else { return to.to_owned() };
    let joint = if to.contains('?') { '&' } else { '?' };
    format!("{to}{joint}state={}", percent::encoded(state))
}
