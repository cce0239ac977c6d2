//! Calls through the gateway: a program of the organization calls an outside system's API with a tenant's credential,
//! which it never sees (contract `connect.md`, section 6).

mod answer;
mod envelope;

pub use answer::{Answered, Content};

use super::credential::{Known, NoCredential, Which, Why};
use super::refresh::Need;
use crate::Service;
use ::connect::connector::flow::{self, CallRefused, Rate, SoapFault, Wanted};
use ::connect::refresh;
use answer::Said;
use kernel::ids::{OrganizationId, TenantId};
use kernel::{Environment, Slug};
use outbound::{CallError, Opened};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The largest body of a call, in bytes, with what is around it.
pub const CALL_BODY: usize = 8 * 1024 * 1024;
/// The largest answer that is passed on, in bytes.
const ANSWER_MOST: usize = 256 * 1024 * 1024;
/// How long the outside system may take to begin its answer. Less than a request to us may take.
const BEGINS_WITHIN: Duration = Duration::from_secs(20);
/// Redirects that are followed.
const REDIRECTS: u8 = 3;
/// A wait that the outside system asks for is kept for the caller up to so many seconds; beyond it the caller is told.
const SHORT_WAIT_S: i64 = 2;

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{data}`: JSON, else text.
    Data,
    /// The body as it is.
    Raw,
    /// `{data}` from a SOAP envelope; its faults are told.
    Soap,
    /// `{data}` from XML.
    Xml,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Calling {
    pub tenant: TenantId,
    pub connector: Slug,
    /// Of the caller's key; the operator calls in any.
    pub environment: Option<Environment>,
    pub wanted: Wanted,
    pub form: Form,
}

/// Why a call has no good answer. The texts are for the caller.
#[derive(Debug, thiserror::Error)]
pub enum CallFailed {
    #[error(transparent)]
    Credential(#[from] NoCredential),
    /// Nothing was sent.
    #[error(transparent)]
    Refused(#[from] CallRefused),
    #[error("the outside system gave no answer: {0}")]
    Unanswered(#[from] CallError),
    #[error("the outside system redirects to where the credential does not go")]
    Redirect { status: u16, location: String },
    #[error("the outside system wants fewer calls")]
    TooMany { status: u16, wait_s: Option<i64>, body: Value },
    #[error("the outside system answered with status {status}")]
    Status { status: u16, wait_s: Option<i64>, body: Value },
    #[error("the outside system answered with a fault: {}", .fault.text)]
    SoapFault { status: u16, fault: SoapFault, body: Value },
    #[error("the outside system's answer {why}")]
    Unreadable { status: u16, why: &'static str },
}

impl CallFailed {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Credential(NoCredential::NotFound) => "not_found",
            Self::Credential(NoCredential::Disconnected) => "not_connected",
            Self::Credential(NoCredential::NotNow { .. }) => "credential_not_fresh",
            Self::Credential(NoCredential::Fault(_)) => "unavailable",
            Self::Refused(refused) => refused.code(),
            Self::Unanswered(error) => error.code(),
            Self::Redirect { .. } => "outside_redirect",
            Self::TooMany { .. } => "outside_rate_limited",
            Self::Status { .. } => "outside_status",
            Self::SoapFault { .. } => "soap_fault",
            Self::Unreadable { .. } => "outside_unreadable",
        }
    }
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The request cannot be made: this field of it is not fit.
    Unfit(&'static str),
    TooSlow,
    /// It could not be reached, or what came is of no use.
    Outside,
}

/// Why there was no answer, in a word.
pub const fn no_answer(error: &CallError) -> NoAnswer {
    match error {
        CallError::Refused { .. } => NoAnswer::Unfit("target_url"),
        CallError::BadRequest { .. } => NoAnswer::Unfit("headers"),
        CallError::TimedOut { .. } => NoAnswer::TooSlow,
        CallError::TooLarge { .. } | CallError::Unreachable { .. } | CallError::BadAnswer { .. } => {
            NoAnswer::Outside
        }
    }
}

/// What a judged answer asks for.
pub(super) enum Verdict {
    Good(Box<Answered>),
    /// The outside system does not take the token.
    TokenRefused(CallFailed),
    /// It wants fewer calls.
    TooMany(CallFailed, Option<i64>),
    Failed(CallFailed),
}

impl Service {
    /// Makes one call. A token that is refused is renewed, and the call made once more; a short wait that the outside
    /// system asks for is kept.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn call(
        self: &Arc<Self>,
        organization: &OrganizationId,
        calling: &Calling,
    ) -> Result<Answered, CallFailed> {
        let called = self.call_for(organization, calling).await;
        let outcome = called.as_ref().err().map_or("answered", CallFailed::code);
        metrics::counter!("vestibule_calls_total", "outcome" => outcome).increment(1);
        called
    }

    async fn call_for(
        self: &Arc<Self>,
        organization: &OrganizationId,
        calling: &Calling,
    ) -> Result<Answered, CallFailed> {
        let (tenant, connector) = (calling.tenant, calling.connector.clone());
        let which = Which::Of { tenant, connector, environment: calling.environment };
        let mut known = self.known_fresh(organization, which, Why::Call).await?;
        let (mut was_renewed, mut has_waited) = (false, false);
        loop {
            match self.called_once(&known, calling).await? {
                Verdict::Good(answered) => return Ok(*answered),
                Verdict::Failed(failed) => return Err(failed),
                Verdict::TokenRefused(failed) => {
                    if was_renewed {
                        return Err(failed);
                    }
                    was_renewed = true;
                    known = self.after_refusal(known).await?.ok_or(failed)?;
                }
                Verdict::TooMany(_, Some(wait)) if !has_waited && wait <= SHORT_WAIT_S => {
                    has_waited = true;
                    tokio::time::sleep(Duration::from_secs(wait.unsigned_abs())).await;
                }
                Verdict::TooMany(failed, _) => return Err(failed),
            }
        }
    }

    /// A newer credential after the outside system refused this one; `None` where there is none to be had.
    async fn after_refusal(self: &Arc<Self>, used: Known) -> Result<Option<Known>, NoCredential> {
        let organization = used.connection.organization.clone();
        let version = used.connection.version;
        let known = self.known(&organization, Which::Named(used.connection.id.clone())).await?;
        if known.connection.version != version {
            return Ok(Some(known));
        }
        let may = refresh::can_renew(&known.definition, &known.credential)
            && refresh::is_old_enough(&known.credential, self.clock.now());
        if !may {
            return Ok(None);
        }
        let known = self.renewed(known, Need::Refused).await?;
        Ok(Some(known).filter(|known| known.connection.version != version))
    }

    async fn called_once(&self, known: &Known, calling: &Calling) -> Result<Verdict, CallFailed> {
        let variables = || known.credential.variables(known.app(), None);
        let (mut wanted, mut with_credential) = (calling.wanted.clone(), true);
        for _ in 0..=REDIRECTS {
            let request = flow::call_request(&known.definition, variables(), &wanted, with_credential)?;
            let secrets = known.secrets_in(&request);
            let url = request.url.clone();
            let opened = self.providers.open(request, BEGINS_WITHIN, ANSWER_MOST).await?;
            let location = opened.header("location").map(ToOwned::to_owned);
            let (status, location) = match (opened.status, location) {
                (status @ (301 | 302 | 303 | 307 | 308), Some(location)) => (status, location),
                _ => return self.verdict_of(known, calling.form, opened, &secrets).await,
            };
            let refused = || CallFailed::Redirect { status, location: location.clone() };
            let (next, stays) = flow::redirected(&wanted, &url, status, &location).ok_or_else(refused)?;
            with_credential = with_credential && stays;
            // Where it leads must be declared too; else the caller decides what to do with the address.
            if flow::call_request(&known.definition, variables(), &next, with_credential).is_err() {
                return Err(refused());
            }
            wanted = next;
        }
        Err(CallFailed::Unreadable { status: 302, why: "redirects too often" })
    }

    async fn verdict_of(
        &self,
        known: &Known,
        form: Form,
        opened: Opened,
        secrets: &[String],
    ) -> Result<Verdict, CallFailed> {
        let rate =
            Rate::of(&known.definition, |name| opened.header(&name.to_ascii_lowercase()), self.clock.now());
        let said = Said { definition: &known.definition, form, rate, secrets };
        Ok(if (200..300).contains(&opened.status) {
            said.good(opened).await?
        } else {
            said.bad(opened).await
        })
    }
}
