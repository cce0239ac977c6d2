//! Talking to outside systems: `connect::connector::flow` builds the requests and judges the answers, this
//! sends them through the guarded client. Nothing here is logged but the host, the status and the time.

use crate::call_error::{CallError, Malformed};
use crate::client::Client;
use crate::opened::Opened;
use crate::request::{Request, Response};
use connect::connector::flow::{self, Exchange, ProviderFailure, StepOutcome};
use connect::connector::{Answer, Definition, OutgoingRequest};
use connect::credential::{App, Credential, Values};
use connect::dialog::{Choice, Failure};
use kernel::{SecretText, Time};
use std::time::Duration;

/// How long one call may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a renewal may take: nobody may have to wait for it, and an answer that is not awaited may be a token that
/// is lost.
const REFRESH_WITHIN: Duration = Duration::from_secs(connect::refresh::WITHIN_S.unsigned_abs());
/// The largest answer that is read: tokens and account facts are small.
const LARGEST: usize = 256 * 1024;

/// What the steps after connecting came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterOutcome {
    Done(Credential),
    /// The person must choose. `credential` holds what earlier steps captured and is to be kept until
    /// [`Providers::run_after`] goes on from `step` with the chosen value.
    Choose {
        step: usize,
        choices: Vec<Choice>,
        credential: Credential,
    },
}

/// Whether a credential was ended at the outside system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    Revoked,
    /// The connector declares no way to end it.
    NotOffered,
}

/// The outside systems, through the guarded client.
#[derive(Debug, Clone)]
pub struct Providers {
    client: Client,
    within: Duration,
    refresh_within: Duration,
}

impl Providers {
    pub const fn new(client: Client) -> Self {
        Self { client, within: WITHIN, refresh_within: REFRESH_WITHIN }
    }

    /// With another bound than 25 seconds for a renewal.
    #[must_use]
    pub const fn refreshing_within(mut self, one_call: Duration) -> Self {
        self.refresh_within = one_call;
        self
    }

    /// With another bound than 10 seconds for one call.
    #[must_use]
    pub const fn within(mut self, one_call: Duration) -> Self {
        self.within = one_call;
        self
    }

    /// Exchanges a code. `callback` is what the callback brought (`flow::captures_from_callback`).
    ///
    /// # Errors
    /// [`ProviderFailure`]: `timed_out` and `provider_down` where there was no usable answer, else as the
    /// provider's answer says.
    pub async fn exchange_code(
        &self,
        definition: &Definition,
        app: &App,
        inputs: Values,
        callback: Values,
        exchange: Exchange<'_>,
        now: Time,
    ) -> Result<Credential, ProviderFailure> {
        let request = flow::token_request(definition, app, &inputs, &callback, exchange)?;
        let response = self.send(request).await?;
        let asked = definition.scopes_for(app);
        let mut secrets = vec![exchange.code.reveal(), app_secret(Some(app))];
        secrets.extend(exchange.verifier.map(SecretText::reveal));
        secrets.extend(inputs.iter().map(|(_, value)| value));
        let mut credential =
            with_answer(&response, |answer| flow::read_token_answer(definition, &asked, answer, now))
                .map_err(|failure| failure.without(&secrets))?;
        let mut captures = callback;
        captures.extend(std::mem::take(&mut credential.captures));
        credential.captures = captures;
        credential.inputs = inputs;
        Ok(credential)
    }

    /// Checks a credential where the connector says how, and gives it back with what the check brought and the
    /// account's name. A credential without a check passes.
    ///
    /// # Errors
    /// `invalid_credentials` where the outside system refuses it; else as [`Self::exchange_code`].
    pub async fn run_verify(
        &self,
        definition: &Definition,
        app: Option<&App>,
        mut credential: Credential,
        now: Time,
    ) -> Result<Credential, ProviderFailure> {
        if let Some(request) = flow::verify_request(definition, credential.variables(app, None)) {
            let response = self.send(request?).await?;
            let captured = with_answer(&response, |answer| flow::read_verify_answer(definition, answer, now))
                .map_err(|failure| failure.without(&secrets_of(&credential, app)))?;
            captured.put_into(&mut credential);
        }
        credential.account = flow::account_of(definition, &credential);
        Ok(credential)
    }

    /// Runs the steps after connecting, from `step` on. `chosen` answers that step's choice.
    ///
    /// # Errors
    /// As [`Self::exchange_code`]; nothing that was captured is lost for the next try, because each try starts
    /// from the credential it is given.
    pub async fn run_after(
        &self,
        definition: &Definition,
        app: Option<&App>,
        mut credential: Credential,
        webhook_url: &str,
        from: (usize, Option<&str>),
        now: Time,
    ) -> Result<AfterOutcome, ProviderFailure> {
        let (first, mut chosen) = from;
        for step in first..definition.after.len() {
            let variables = credential.variables(app, Some(webhook_url));
            let Some(request) = flow::step_request(definition, step, variables) else { break };
            let response = self.send(request?).await?;
            let read = |answer: Answer<'_>| flow::read_step_answer(definition, step, answer, chosen, now);
            let outcome = with_answer(&response, read);
            match outcome.map_err(|failure| failure.without(&secrets_of(&credential, app)))? {
                StepOutcome::Done(captured) => captured.put_into(&mut credential),
                StepOutcome::Choose(choices) => {
                    return Ok(AfterOutcome::Choose { step, choices, credential });
                }
            }
            chosen = None;
        }
        credential.account = flow::account_of(definition, &credential);
        Ok(AfterOutcome::Done(credential))
    }

    /// Renews a credential once. Who may do it, and how often, is the caller's matter.
    ///
    /// # Errors
    /// `reconnect` is set where only connecting again helps; `is_weather` where the old one stays in use.
    pub async fn refresh(
        &self,
        definition: &Definition,
        app: &App,
        credential: &Credential,
        now: Time,
    ) -> Result<Credential, ProviderFailure> {
        let request = flow::refresh_request(definition, app, credential)?;
        let request = self.written(request).timeout(self.refresh_within);
        let response = self.client.send(request).await.map_err(|error| failure_of(&error))?;
        let rest_s = flow::rest_s(response.status, response.header("retry-after"), now);
        with_answer(&response, |answer| flow::read_refresh_answer(definition, credential, answer, now))
            .map_err(|failure| failure.without(&secrets_of(credential, Some(app))))
            .map_err(|failure| ProviderFailure { rest_s, ..failure })
    }

    /// Ends a credential at the outside system, where it can be ended there.
    ///
    /// # Errors
    /// Where it may still work there.
    pub async fn revoke(
        &self,
        definition: &Definition,
        app: Option<&App>,
        credential: &Credential,
    ) -> Result<Revocation, ProviderFailure> {
        let Some(request) = flow::revoke_request(definition, credential.variables(app, None)) else {
            return Ok(Revocation::NotOffered);
        };
        let response = self.send(request?).await?;
        with_answer(&response, flow::read_revoke_answer).map(|()| Revocation::Revoked)
    }

    /// Sends a call that is built already (`flow::call_request`) and gives the answer as soon as it begins. Any status
    /// is an answer; no redirect is followed.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn open(
        &self,
        request: OutgoingRequest,
        begins_within: Duration,
        most: usize,
    ) -> Result<Opened, CallError> {
        self.client.open(&self.written(request).timeout(begins_within).max_body(most)).await
    }

    async fn send(&self, request: OutgoingRequest) -> Result<Response, ProviderFailure> {
        let sent = self.client.send(self.written(request)).await;
        sent.map_err(|error| failure_of(&error))
    }

    fn written(&self, outgoing: OutgoingRequest) -> Request {
        let mut request = Request::new(outgoing.method, outgoing.url).timeout(self.within).max_body(LARGEST);
        for header in outgoing.headers {
            request = if header.secret {
                request.secret_header(header.name, header.value)
            } else {
                request.header(header.name, header.value.reveal())
            };
        }
        request.body = outgoing.body.map(|body| body.reveal().as_bytes().to_vec());
        request
    }
}

fn app_secret(app: Option<&App>) -> &str {
    app.and_then(|app| app.client_secret.as_ref()).map_or("", SecretText::reveal)
}

/// What must not come back to a page although the outside system repeated it.
fn secrets_of<'a>(credential: &'a Credential, app: Option<&'a App>) -> Vec<&'a str> {
    let mut secrets = credential.secret_values();
    secrets.push(app_secret(app));
    secrets
}

fn with_answer<T>(
    response: &Response,
    judge: impl FnOnce(Answer<'_>) -> Result<T, ProviderFailure>,
) -> Result<T, ProviderFailure> {
    let content_type = response.content_type();
    judge(Answer { status: response.status, content_type: content_type.as_deref(), body: &response.body })
}

/// What a call without an answer means to the person.
pub fn failure_of(error: &CallError) -> ProviderFailure {
    let failure = match error {
        CallError::TimedOut { .. } => Failure::TimedOut,
        CallError::Unreachable { .. } | CallError::TooLarge { .. } => Failure::ProviderDown,
        CallError::BadAnswer { why: Malformed::Http | Malformed::Json, .. } => Failure::ProviderDown,
        // A refused address, a redirect or a header that cannot be written: trying again does not help.
        CallError::Refused { .. } | CallError::BadAnswer { .. } | CallError::BadRequest { .. } => {
            Failure::ServerError
        }
    };
    ProviderFailure::new(failure, error.to_string())
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
