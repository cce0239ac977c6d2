//! One try: the signed POST and what was heard.

use crate::{Fault, Service};
use connect::notice::message::WITHIN_S;
use connect::notice::{Endpoint, EndpointSecret, Heard, signature};
use kernel::{Sealed, Time};
use outbound::Request;
use std::sync::Arc;
use std::time::Duration;
use store::notices::Due;
use tokio::time::Instant;

/// What is read of an answer: nobody looks at it, but a connection that is to be used again must be empty.
const ANSWER_BYTES: usize = 64 * 1024;
/// How long that may take.
const DRAIN: Duration = Duration::from_secs(1);

/// A try that was made.
#[derive(Debug)]
pub(super) struct Try {
    /// When the answer was there, or given up.
    pub(super) at: Time,
    pub(super) took: Duration,
    pub(super) heard: Heard,
}

impl Service {
    pub(super) async fn post_notice(&self, due: &Due) -> Result<Try, Fault> {
        let request = self.signed_notice(due).await?;
        let begun = Instant::now();
        let heard = self.hear_endpoint(&request).await;
        Ok(Try { at: self.clock.now(), took: begun.elapsed(), heard })
    }

    /// Every try is signed anew, so that its timestamp is of now and the secrets are those of now.
    async fn signed_notice(&self, due: &Due) -> Result<Request, Fault> {
        let (id, now) = (&due.message.id, self.clock.now());
        let body = due.body.clone().unwrap_or_default();
        let previous = due.previous.iter().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
        let mut secrets = vec![self.endpoint_secret(due, &due.secret).await?];
        for sealed in previous {
            secrets.push(self.opened_secret(due, sealed).await?);
        }
        let signature =
            signature::sign(secrets.iter().map(|secret| &**secret), id.as_str(), now, body.as_bytes());
        Ok(Request::post(due.url.as_url().clone())
            .header("webhook-id", id.as_str())
            .header("webhook-timestamp", now.seconds().to_string())
            .header("webhook-signature", signature)
            .body("application/json", body)
            .timeout(Duration::from_secs(WITHIN_S))
            .max_body(usize::MAX))
    }

    /// The secret that signs now, from memory where it was opened before.
    async fn endpoint_secret(&self, due: &Due, sealed: &Sealed) -> Result<Arc<EndpointSecret>, Fault> {
        let id = &due.message.endpoint;
        if let Some(secret) = self.endpoints_seen.secret(id, sealed) {
            return Ok(secret);
        }
        let secret = self.opened_secret(due, sealed).await?;
        self.endpoints_seen.keep_secret(id, sealed, &secret);
        Ok(secret)
    }

    async fn opened_secret(&self, due: &Due, sealed: &Sealed) -> Result<Arc<EndpointSecret>, Fault> {
        let place = Endpoint::place(&due.message.endpoint);
        let opened = self.vault.open(&self.db, &due.organization, &place, sealed).await?;
        let secret = std::str::from_utf8(&opened).ok().and_then(|text| EndpointSecret::parse(text).ok());
        secret.map(Arc::new).ok_or_else(|| Fault::broken(format!("{place} holds no secret")))
    }

    async fn hear_endpoint(&self, request: &Request) -> Heard {
        let mut answer = match self.outbound.open(request).await {
            Ok(answer) => answer,
            Err(error) => return Heard::Nothing { failure: error.to_string() },
        };
        let heard = Heard::of(answer.status, answer.header("retry-after"), self.clock.now());
        let drained = async {
            let mut read = 0;
            while let Ok(Some(piece)) = answer.piece().await {
                read += piece.len();
                if read > ANSWER_BYTES {
                    break;
                }
            }
        };
        // An answer that goes on for longer costs its connection, nothing else: what it means is known.
        let _ = tokio::time::timeout(DRAIN, drained).await;
        heard
    }
}
