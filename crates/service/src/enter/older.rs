//! Apps of the older kind: the gateway vouches at their Session URL and gets a code for their entry URL.

use super::arrive::{Found, ROUTE};
use super::proceed::issuer;
use super::refuse::Denial;
use super::reply::{Reply, Step};
use super::session::Browser;
use crate::{Fault, Place, Service};
use ::enter::app::App;
use ::enter::older::{ALGORITHM, ANSWER_BYTES, ANSWER_S, SessionToken, landing, read_answer};
use ::enter::session::Session;
use kernel::{Plain, SafeUrl};
use outbound::{CallError, Request};
use serde_json::json;
use std::time::Duration;

/// Where an app of the older kind is entered.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) session_url: SafeUrl,
    pub(super) entry_url: SafeUrl,
    pub(super) next_url: Option<String>,
}

/// Why an app of the older kind lets nobody in.
#[derive(Debug)]
struct NoAnswer {
    code: &'static str,
    why: String,
}

impl Service {
    /// Asks the app for its code and sends the browser on; a page says so where the app cannot be asked.
    pub(super) async fn enter_older_kind(
        &self,
        place: &Place,
        found: &Found,
        session: &Session,
        door: Door,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        match self.older_code(place, &found.app, session, &door.session_url, &browser).await? {
            Ok(code) => {
                let to = landing(&door.entry_url, &code, door.next_url.as_deref());
                Ok(Reply { step: Step::Go(to), browser })
            }
            Err(NoAnswer { code, why }) => {
                // The app's engineer can mend it, and the partner's has to know.
                let seen =
                    json!({ "app": found.app.id.as_str(), "host": door.session_url.origin().as_str() });
                let denial = Denial::new(code, 502, why).seen(seen);
                let app = denial.clone().of(&found.app.organization);
                if found.app.organization != found.partner.organization {
                    self.deny(app, place.environment, ROUTE).await;
                }
                self.denied(place, ROUTE, denial.of(&found.partner.organization), browser).await
            }
        }
    }

    async fn older_code(
        &self,
        place: &Place,
        app: &App,
        session: &Session,
        session_url: &SafeUrl,
        browser: &Browser,
    ) -> Result<Result<String, NoAnswer>, Fault> {
        let jti = Plain::new(&*self.chance);
        let token = SessionToken {
            issuer: &issuer(place)?,
            app: &app.id,
            session,
            person: &session.person,
            partner: &session.partner,
            lang: browser.language.as_deref().unwrap_or("en"),
            jti: jti.reveal(),
            now: self.clock.now(),
        };
        let signed = self.sign(place.environment, ALGORITHM, "JWT", token.payload()).await?;
        let request = Request::post(session_url.as_url().clone())
            .json(&SessionToken::body(&signed))
            .accept("application/json")
            .timeout(Duration::from_secs(ANSWER_S))
            .max_body(ANSWER_BYTES);
        Ok(match self.outbound.send(request).await {
            Ok(answer) => read_answer(answer.status, &answer.body)
                .map_err(|why| NoAnswer { code: why.code(), why: why.to_string() }),
            Err(error) => {
                let code = match error {
                    CallError::TooLarge { .. } => "session_url_answer",
                    _ => "session_url_unreachable",
                };
                Err(NoAnswer { code, why: format!("the app's Session URL: {error}") })
            }
        })
    }
}
