//! Tells apps that a session has ended: by logout tokens (OpenID Connect Back-Channel Logout), and by the older webhook.

use super::refuse::Denial;
use crate::{Fault, Service};
use ::enter::notice::{After, LEASE_S, Listener};
use ::enter::oidc::logout_claims;
use ::enter::older::logout_body;
use ::enter::service_account::ascii_json;
use futures_util::StreamExt as _;
use kernel::Plain;
use kernel::jose::Algorithm;
use outbound::Request;
use std::time::Duration;
use store::logout_notices::{self, Due};

/// Notices of one round.
const ROUND: i64 = 64;
/// For one app to answer; an app that is slow holds a round up by no more.
const WITHIN: Duration = Duration::from_secs(5);
/// What is read of an answer whose content says nothing.
const ANSWER_BYTES: usize = 64 * 1024;
/// `typ` of a logout token (Back-Channel Logout, section 2.4).
const LOGOUT_TYPE: &str = "logout+jwt";
/// Named in the record of an app that could not be told.
const ROUTE: &str = "back-channel logout";

/// What one round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    pub told: usize,
    pub failed: usize,
}

impl Round {
    pub const fn is_empty(self) -> bool {
        self.told == 0 && self.failed == 0
    }
}

impl Service {
    /// Waits until a notice may be due: woken by whoever writes one in this process, else for at most `pause`.
    pub async fn notice_due(&self, pause: Duration) {
        tokio::select! {
            () = self.notices.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// One round: claims what is due, a few of each app, tells them at the same time, and keeps what became of it. Any
    /// number of nodes may do it at once. A node that dies meanwhile loses its lease, and another one tells again: an
    /// app may hear twice, and by the `jti` can know.
    ///
    /// # Errors
    /// [`Fault`]; what was claimed comes again after its lease.
    pub async fn tell_apps(&self) -> Result<Round, Fault> {
        let now = self.clock.now();
        if !self.db.read(move |tx| Box::pin(logout_notices::is_due(tx, now))).await? {
            return Ok(Round::default());
        }
        let lease = now.plus_seconds(LEASE_S);
        let claimed = self
            .db
            .write(move |tx| Box::pin(async move { logout_notices::claim(tx, now, lease, ROUND).await }))
            .await?;
        let told: Vec<Result<bool, Fault>> = futures_util::stream::iter(claimed)
            .map(|due| self.tell(due))
            .buffer_unordered(64)
            .collect()
            .await;
        let mut round = Round::default();
        for heard in told {
            if heard? {
                round.told += 1;
            } else {
                round.failed += 1;
            }
        }
        Ok(round)
    }

    /// Tells one app; whether it heard.
    async fn tell(&self, due: Due) -> Result<bool, Fault> {
        let outcome = match self.logout_request(&due).await? {
            Some(request) => self.heard(request).await,
            None => Err("this environment is not served any more".to_owned()),
        };
        let now = self.clock.now();
        let after = due.notice.after(outcome.is_ok(), now, &*self.chance);
        let failure = outcome.as_ref().err().cloned();
        let (notice, kept) = (due.notice.clone(), failure.clone());
        let save = self.db.write(move |tx| {
            Box::pin(async move { logout_notices::save(tx, &notice, after, kept.as_deref(), now).await })
        });
        save.await?;
        let label = match after {
            After::Told => "told",
            After::Again(_) => "again",
            After::GivenUp => "given_up",
        };
        metrics::counter!("vestibule_logout_notices_total", "outcome" => label).increment(1);
        if let Some(failure) = failure {
            self.record_untold(&due, after, &failure).await;
        }
        Ok(outcome.is_ok())
    }

    /// `None` where the session's environment has no address any more.
    async fn logout_request(&self, due: &Due) -> Result<Option<Request>, Fault> {
        let Some(place) = self.places.of(due.environment) else { return Ok(None) };
        let url = due.notice.uri.as_url().clone();
        let request = Request::post(url).timeout(WITHIN).max_body(ANSWER_BYTES);
        Ok(Some(match &due.notice.listener {
            Listener::App(app) => request.json(&logout_body(app, &due.ended)),
            Listener::Client(client) => {
                // A try that comes again says so under a new `jti`: its token is a new one with times of its own.
                let jti = Plain::new(&*self.chance);
                let (ended, now) = (&due.ended, self.clock.now());
                let claims =
                    logout_claims(place.url(), client, &ended.person, &ended.session, jti.reveal(), now);
                let algorithm = due.algorithm.unwrap_or(Algorithm::Rs256);
                let token = self.sign(due.environment, algorithm, LOGOUT_TYPE, ascii_json(&claims)).await?;
                request.form([("logout_token", token.as_str())])
            }
        }))
    }

    async fn heard(&self, request: Request) -> Result<(), String> {
        match self.outbound.send(request).await {
            Ok(answer) if answer.is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered with status {}", answer.status)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The app's engineer reads of the first failure, while there is time to mend it, and of the end.
    async fn record_untold(&self, due: &Due, after: After, failure: &str) {
        let given_up = after == After::GivenUp;
        if due.notice.attempts > 1 && !given_up {
            return;
        }
        let what = if given_up { "it is not tried any more" } else { "it is tried again" };
        let name = match &due.notice.listener {
            Listener::Client(client) => client.to_string(),
            Listener::App(app) => app.to_string(),
        };
        let message = format!("{name} could not be told that a session has ended ({failure}); {what}");
        let seen = serde_json::json!({ "session": due.notice.session, "attempts": due.notice.attempts });
        let code = if given_up { "logout_not_told" } else { "logout_not_told_yet" };
        let denial = Denial::new(code, 502, message).of(&due.organization).parameter(name).seen(seen);
        self.deny(denial, due.environment, ROUTE).await;
    }
}
